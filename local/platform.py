"""The local platform as a whole: up, preview and down, and how they recover.

`up` begins by writing a marker and ends by removing it. Whoever finds the marker knows that an
`up` was killed: the engine's state cannot be trusted then. It is forgotten and moto emptied,
every object is applied again (apply is idempotent) and what nobody wants any more is found by its
owner label.
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

from aspora import names
from aspora.cli.common import domain_paths
from aspora.errors import EnvironmentFailure, LocalPlatformError
from aspora.load import load_or_raise, load_stack
from aspora.render import Rendered, render
from aspora.stack import StackSettings
from local import controlplane, lock, moto_server, nodes, toolchain
from local.discovery import Ref, ref_of
from local.kube import KubeClient
from local.paths import Paths
from local.progress import Progress, Step

if TYPE_CHECKING:
    from infra.definitions import Definitions
    from local.engine import Engine, Summary, Tick

STACK = "local"
PODS_SECONDS = 30.0


@dataclass(frozen=True)
class Wanted:
    """What the files ask for: read and checked before anything is started."""

    settings: StackSettings
    rendered: Rendered

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


def read(root: Path, domains: Sequence[Path] = ()) -> Wanted:
    """The local stack's settings and objects; raises InvalidInput with every problem."""
    settings = load_stack(STACK, root)
    loaded = load_or_raise(list(domains) or domain_paths((), root), settings)
    return Wanted(settings, render(loaded, settings))


def up(wanted: Wanted, paths: Paths, progress: Progress) -> Outcome:
    """Bring everything up, or to what `wanted` says; safe to repeat after any failure."""
    with lock.hold(paths, "up"):
        definitions = _definitions(paths, progress)
        tools = toolchain.ensure(tuple(toolchain.TOOLS), paths, progress, env=os.environ)
        plane = controlplane.up(tools, paths, progress)
        moto = moto_server.up(paths, progress)
        client = KubeClient.from_kubeconfig(plane.kubeconfig)
        nodes.ensure(client)
        identity = f"{plane.identity} {moto.pid} {moto.url}\n"
        forget = paths.dirty.exists() or _applied_to(paths) != identity
        mark_begun(paths)
        with _engine(wanted, definitions, client, moto, tools["pulumi"], paths) as engine:
            if forget:
                engine.reset_state()
                moto_server.reset(moto)
            summary = _apply(engine, wanted, progress, refresh=not forget)
        removed = _sweep(client, wanted, definitions, progress) if forget else 0
        _write(paths, _record(paths), identity)
        paths.dirty.unlink(missing_ok=True)
        _wait_for_pods(client, progress)
        return Outcome(summary, removed, definitions)


def preview(wanted: Wanted, paths: Paths, progress: Progress) -> Outcome:
    """What `up` would change, with every object tried at the API server as a dry run."""
    with lock.hold(paths, "preview"):
        plane, moto = controlplane.status(paths), moto_server.status(paths)
        if plane is None or moto is None or paths.dirty.exists():
            raise LocalPlatformError(
                "the last `aspora up` was cut short"
                if paths.dirty.exists()
                else "the local platform is not up",
                hint="run `aspora up` first",
            )
        definitions = _definitions(paths, progress)
        tools = toolchain.ensure(("pulumi",), paths, progress, env=os.environ)
        client = KubeClient.from_kubeconfig(plane.kubeconfig)
        with (
            _engine(wanted, definitions, client, moto, tools["pulumi"], paths) as engine,
            progress.step("Previewing") as step,
        ):
            summary = engine.preview(_follow(step, wanted))
        return Outcome(summary, 0, definitions)


def down(paths: Paths, progress: Progress) -> bool:
    """Stop everything and remove every file outside the cache; False when nothing was up."""
    if not paths.state.exists():
        return False
    with lock.hold(paths, "down"):
        from local.engine_state import EngineState

        EngineState(paths.pulumi, _project(), STACK).end_leftovers()
        controlplane.down(paths, progress)
        moto_server.down(paths, progress)
        for folder in (paths.pulumi, paths.logs, paths.cluster):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (paths.dirty, paths.kubeconfig):
            file.unlink(missing_ok=True)
    return True


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


def _record(paths: Paths) -> Path:
    return paths.pulumi / "applied-to"


def _applied_to(paths: Paths) -> str:
    """The control plane and moto that the engine's state speaks of; empty when it is not known."""
    try:
        return _record(paths).read_text()
    except (OSError, ValueError):
        return ""


def mark_begun(paths: Paths) -> None:
    """Write the marker, and make sure that it is on the disk before anything is changed."""
    _write(paths, paths.dirty, "an `aspora up` has begun and not ended\n")


def _write(paths: Paths, file: Path, text: str) -> None:
    """Write a file through to the disk; raises EnvironmentFailure."""
    try:
        with file.open("w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise EnvironmentFailure(
            f"{file} cannot be written: {error.strerror}",
            hint=f"free some space there, or set ASPORA_STATE to another folder than {paths.state}",
        ) from None


def desired(wanted: Wanted, definitions: Definitions) -> set[Ref]:
    """Every object that may carry an owner label."""
    return {ref_of(obj) for obj in (*wanted.rendered, *definitions.documents)}


def _definitions(paths: Paths, progress: Progress) -> Definitions:
    from infra.definitions import find

    found = find(os.environ, paths.cache, progress.note)
    if not found.strict:
        progress.note(
            f"{len(found.open_kinds)} kinds of custom resources have open schemas: their fields"
            " are not checked (set ASPORA_CRDS to a folder of definitions)"
        )
    return found


@contextmanager
def _engine(
    wanted: Wanted,
    definitions: Definitions,
    client: KubeClient,
    moto: moto_server.Moto,
    cli: Path,
    paths: Paths,
) -> Iterator[Engine]:
    """The engine with both stand-ins serving."""
    # The C library would print about connections that the engine closes when it ends.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from infra.program import Platform, declare
    from local.engine import Engine
    from local.providers.aws import serve_aws
    from local.providers.kubernetes import serve_kubernetes

    platform = Platform(wanted.settings, wanted.rendered, definitions.documents)
    with (
        serve_kubernetes(client) as kubernetes,
        serve_aws(moto.url, region=wanted.settings.region) as aws,
    ):
        yield Engine(
            cli,
            paths,
            lambda: declare(platform),
            stack=STACK,
            config={"aws:region": wanted.settings.region},
            providers={"kubernetes": kubernetes.port, "aws": aws.port},
            project=_project(),
        )


def _apply(engine: Engine, wanted: Wanted, progress: Progress, *, refresh: bool) -> Summary:
    """One run, and a second one when a domain's delivery is being handed over.

    `refresh` looks at the live objects first: what someone changed or deleted is mended.
    """
    from infra.program import DELIVERY_OUTPUT, HANDING_OVER

    with progress.step("Applying with Pulumi") as step:
        summary = engine.up(_follow(step, wanted), refresh=refresh)
        step.done(shown(summary))
    handing = [
        domain
        for domain, by in engine.outputs().get(DELIVERY_OUTPUT, {}).items()
        if by == HANDING_OVER
    ]
    if handing:
        with progress.step(f"Handing {', '.join(handing)} over to Argo CD") as step:
            engine.up(_follow(step, wanted))
    return summary


def _follow(step: Step, wanted: Wanted) -> Callable[[Tick], None]:
    from aspora.crds import CUSTOM_KINDS
    from infra.aws import resource_count
    from local.engine_record import REFRESH

    total = wanted.count + len(CUSTOM_KINDS) + resource_count(wanted.rendered)

    def follow(tick: Tick) -> None:
        if tick.finished:
            looking = "looking at " if tick.operation == REFRESH else ""
            step.update(f"{looking}{tick.done}/{total} {tick.name.rpartition('/')[2]}")

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
