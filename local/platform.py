"""A platform on this machine as a whole: up, preview, destroy and down, and how they recover.

It is the `local` stack, or staging or prod played (`--simulate`): the way is the same. What may be
believed after a run that was killed, or in which something failed, stands in `local/marker.py`. A
state that cannot be trusted is forgotten and moto emptied; every object is applied again (apply is
idempotent) and what nobody wants any more is found by its owner label.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aspora import load, names
from aspora.cli.common import domain_paths
from aspora.errors import InvalidInput, LocalPlatformError
from aspora.models import Domain
from aspora.render import Rendered, render
from aspora.stack import StackSettings
from local import (
    controlplane,
    lock,
    marker,
    moto_server,
    nodes,
    simulated_secrets,
    simulation,
    toolchain,
)
from local.discovery import Ref, ref_of
from local.kube import KubeClient
from local.paths import LOCAL, Paths
from local.progress import Progress, Step

if TYPE_CHECKING:
    from infra.definitions import Definitions
    from local.engine import Engine, Summary, Tick

PODS_SECONDS = 30.0


@dataclass(frozen=True)
class Wanted:
    """What the files ask for: read and checked before anything is started.

    `unverified` counts the pins that only a simulation lets pass.
    """

    settings: StackSettings
    domains: tuple[Domain, ...]
    rendered: Rendered
    unverified: int = 0

    @property
    def count(self) -> int:
        """How many Kubernetes objects."""
        return sum(1 for _ in self.rendered)


@dataclass(frozen=True)
class Outcome:
    """What a run did or, for a preview, would do."""

    summary: Summary
    removed: int
    definitions: Definitions


@dataclass(frozen=True)
class Servers:
    """What runs and what the engine works on."""

    client: KubeClient
    moto: moto_server.Moto
    pulumi: Path
    identity: str


def read(root: Path, domains: Sequence[Path] = (), *, stack: str = LOCAL) -> Wanted:
    """A stack's settings and objects; raises InvalidInput with every problem."""
    settings = simulation.as_here(load.load_stack(stack, root))
    loaded = load.load(list(domains) or domain_paths((), root), settings)
    found = (*load.unverified(stack, root), *loaded.problems)
    forgiven = simulation.forgiven(found, stack)
    if len(forgiven) < len(found):
        raise InvalidInput(tuple(problem for problem in found if problem not in forgiven))
    return Wanted(settings, loaded.domains, render(loaded.domains, settings), len(forgiven))


def up(wanted: Wanted, paths: Paths, progress: Progress) -> Outcome:
    """Bring everything up, or to what `wanted` says; safe to repeat after any failure."""
    with lock.hold(paths, "up"):
        definitions = _definitions(wanted, paths, progress)
        servers = _start(wanted, paths, progress)
        trust = marker.trust(paths, servers.identity)
        marker.begin(paths)
        with _engine(wanted, definitions, servers, paths) as engine:
            if not trust.state:
                engine.reset_state()
                moto_server.reset(servers.moto)
            simulated_secrets.ensure(wanted.domains, wanted.settings, servers.moto.url)
            with _failures_noted(paths, servers.identity):
                summary = _apply(engine, paths, progress, refresh=trust.state)
        removed = 0 if trust.complete else _sweep(servers.client, wanted, definitions, progress)
        simulated_secrets.prune(wanted.domains, wanted.settings, servers.moto.url)
        marker.end(paths, servers.identity)
        _wait_for_pods(servers.client, progress)
        return Outcome(summary, removed, definitions)


def preview(wanted: Wanted, paths: Paths, progress: Progress) -> Outcome:
    """What `up` would change, with every object tried at the API server as a dry run.

    A simulation starts what is missing, empty: that is the account before the first `up`.
    """
    with lock.hold(paths, "preview"):
        _require_whole(paths)
        servers = _running(paths, progress)
        if servers is None and paths.stack == LOCAL:
            raise _not_up(paths)
        definitions = _definitions(wanted, paths, progress)
        servers = servers or _start(wanted, paths, progress)
        with (
            _engine(wanted, definitions, servers, paths) as engine,
            progress.step("Previewing") as step,
        ):
            if not marker.trust(paths, servers.identity).state:
                engine.reset_state()
            summary = engine.preview(_follow(step, paths))
        return Outcome(summary, 0, definitions)


def destroy(wanted: Wanted, paths: Paths, progress: Progress) -> Summary:
    """Have the engine delete every resource, as `pulumi destroy` would; the servers go on.

    Raises LocalPlatformError where anything is protected, before it deletes.
    """
    with lock.hold(paths, "down --destroy"):
        _require_whole(paths)
        servers = _running(paths, progress)
        if servers is None:
            raise _not_up(paths)
        definitions = _definitions(wanted, paths, progress)
        with (
            _engine(wanted, definitions, servers, paths) as engine,
            _failures_noted(paths, servers.identity),
            progress.step("Destroying with Pulumi") as step,
        ):
            engine.require_unprotected()
            marker.begin(paths)
            summary = engine.destroy(_follow(step, paths))
            step.done(shown(summary))
        marker.end(paths, servers.identity)
        return summary


def down(paths: Paths, progress: Progress) -> bool:
    """Stop everything and remove every file outside the cache; False when nothing was up."""
    if not paths.state.exists():
        return False
    with lock.hold(paths, "down"):
        from local.engine_state import EngineState

        EngineState(paths.pulumi, _project(), paths.stack).end_leftovers()
        if paths.observability.exists():
            from local.observability import servers

            servers.down(paths, progress)
        controlplane.down(paths, progress)
        moto_server.down(paths, progress)
        for folder in (paths.pulumi, paths.logs, paths.cluster):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (paths.dirty, paths.kubeconfig):
            file.unlink(missing_ok=True)
    return True


def _not_up(paths: Paths) -> LocalPlatformError:
    return LocalPlatformError(
        f"{simulation.title(paths.stack)} is not up",
        hint=f"run `{simulation.command('up', paths.stack)}` first",
    )


def _require_whole(paths: Paths) -> None:
    if marker.cut_short(paths):
        command = simulation.command("up", paths.stack)
        raise LocalPlatformError(
            f"the last `{command}` was cut short", hint=f"run `{command}` first"
        )


def _running(paths: Paths, progress: Progress) -> Servers | None:
    """The servers as they stand, or None where one of them does not run."""
    plane, moto = controlplane.status(paths), moto_server.status(paths)
    if plane is None or moto is None:
        return None
    tools = toolchain.ensure(("pulumi",), paths, progress, env=os.environ)
    return _servers(plane, moto, tools["pulumi"])


def _start(wanted: Wanted, paths: Paths, progress: Progress) -> Servers:
    """The tools, the control plane with its nodes, and moto; what runs already stays."""
    tools = toolchain.ensure(tuple(toolchain.TOOLS), paths, progress, env=os.environ)
    plane = controlplane.up(tools, paths, progress)
    servers = _servers(plane, moto_server.up(paths, progress), tools["pulumi"])
    nodes.ensure(servers.client, wanted.settings)
    return servers


def _servers(plane: controlplane.ControlPlane, moto: moto_server.Moto, pulumi: Path) -> Servers:
    client = KubeClient.from_kubeconfig(plane.kubeconfig)
    return Servers(client, moto, pulumi, f"{plane.identity} {moto.pid} {moto.url}\n")


@contextmanager
def _failures_noted(paths: Paths, identity: str) -> Iterator[None]:
    """Let the next run go on from the engine's state where resources failed and no more."""
    from local.engine import ResourcesFailed

    try:
        yield
    except ResourcesFailed:
        marker.failed(paths, identity)
        raise


def _wait_for_pods(client: KubeClient, progress: Progress) -> None:
    """Give the pods some seconds to become ready; what is late shows in the table, no error."""
    from local.report import pending

    if not pending(client):
        return
    with progress.step("Waiting for pods") as step:
        deadline = time.monotonic() + PODS_SECONDS
        while (late := pending(client)) and time.monotonic() < deadline:
            step.update(f"{late} not ready yet")
            time.sleep(0.2)
        step.done(f"{late} not ready" if late else "all ready")


def desired(wanted: Wanted, definitions: Definitions) -> set[Ref]:
    """Every object that may carry an owner label."""
    return {ref_of(obj) for obj in (*wanted.rendered, *definitions.documents)}


def _definitions(wanted: Wanted, paths: Paths, progress: Progress) -> Definitions:
    from infra.definitions import find

    environment = wanted.settings.environment
    for line in simulation.remarks(paths.stack, environment, wanted.unverified):
        progress.note(line)
    found = find(os.environ, paths.cache, progress.note)
    if not found.strict:
        progress.note(
            f"{len(found.open_kinds)} kinds of custom resources have open schemas: their fields"
            " are not checked (set ASPORA_CRDS to a folder of definitions)"
        )
    return found


@contextmanager
def _engine(
    wanted: Wanted, definitions: Definitions, servers: Servers, paths: Paths
) -> Iterator[Engine]:
    """The engine with both stand-ins serving."""
    # The C library would print about connections that the engine closes when it ends.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from infra.program import Platform, declare, stack_releases
    from local.engine import Engine
    from local.providers.aws import serve_aws
    from local.providers.kubernetes import serve_kubernetes

    region = wanted.settings.region
    platform = Platform(
        wanted.settings,
        wanted.rendered,
        definitions.documents,
        stack_releases(wanted.settings, wanted.domains),
    )
    with (
        serve_kubernetes(servers.client) as kubernetes,
        serve_aws(servers.moto.url, region=region) as aws,
    ):
        yield Engine(
            servers.pulumi,
            paths,
            lambda: declare(platform),
            stack=paths.stack,
            config={"aws:region": region},
            providers={"kubernetes": kubernetes.port, "aws": aws.port},
            project=_project(),
        )


def _apply(engine: Engine, paths: Paths, progress: Progress, *, refresh: bool) -> Summary:
    """One run, and a second one when a domain's delivery is being handed over.

    `refresh` looks at the live objects first: what someone changed or deleted is mended.
    """
    from infra.program import DELIVERY_OUTPUT, HANDING_OVER

    with progress.step("Applying with Pulumi") as step:
        summary = engine.up(_follow(step, paths), refresh=refresh)
        step.done(shown(summary))
    handing = [
        domain
        for domain, by in engine.outputs().get(DELIVERY_OUTPUT, {}).items()
        if by == HANDING_OVER
    ]
    if handing:
        with progress.step(f"Handing {', '.join(handing)} over to Argo CD") as step:
            engine.up(_follow(step, paths))
    return summary


def _follow(step: Step, paths: Paths) -> Callable[[Tick], None]:
    """Progress out of what the last run knew, while that is enough."""
    from local.engine_record import REFRESH
    from local.engine_state import EngineState

    total = len(EngineState(paths.pulumi, _project(), paths.stack).objects())

    def follow(tick: Tick) -> None:
        if tick.finished:
            looking = "looking at " if tick.operation == REFRESH else ""
            of_total = f"/{total}" if tick.done <= total else ""
            step.update(f"{looking}{tick.done}{of_total} {tick.name.rpartition('/')[2]}")

    return follow


def _sweep(client: KubeClient, wanted: Wanted, definitions: Definitions, progress: Progress) -> int:
    from local import sweep

    found = sweep.orphans(client, names.OWNER_LABEL, desired(wanted, definitions))
    if not found:
        return 0
    with progress.step(f"Removing {len(found)} objects that an earlier run left") as step:
        count = sweep.remove(client, found)
        step.done(f"{count} removed")
    return count


def shown(summary: Summary) -> str:
    """`3 created, 1 updated, 290 unchanged`."""
    parts = [
        f"{count} {what}"
        for what, count in (
            ("created", summary.created),
            ("updated", summary.updated),
            ("replaced", summary.replaced),
            ("deleted", summary.deleted),
            ("unchanged", summary.unchanged),
        )
        if count
    ]
    return ", ".join(parts) or "nothing"


def _project() -> str:
    from infra.program import PROJECT

    return PROJECT
