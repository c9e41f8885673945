"""`aspora smoke-test`: whether what was deployed runs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from aspora.cli.common import counted, domain_paths, find_root, stack_option
from aspora.errors import EnvironmentFailure
from aspora.load import load_or_raise, load_stack
from aspora.render import render
from local import simulation
from local.commands import is_here, simulate_option
from local.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aspora.render import Rendered
    from aspora.smoke import Kind, Unwell
    from aspora.stack import StackSettings
    from local.kube import KubeClient

PAUSE = 10.0  # seconds between two looks at a real cluster


@click.command(
    "smoke-test",
    epilog="""\b
Examples:
  aspora smoke-test                    what `aspora up` brought up here
  aspora smoke-test --stack staging    after `pulumi up --stack staging`
""",
)
@stack_option
@simulate_option
@click.option(
    "--seconds",
    type=click.IntRange(0, 7200),
    default=900,
    show_default=True,
    help="How long to wait for everything to become ready.",
)
def smoke_test(stack: str, seconds: int, *, simulate: bool) -> int:
    """Look whether everything that was deployed is there and ready.

    Every rendered object is looked up; workloads, certificates and secrets are asked how they are.
    Prints what is not well, and exits with 1, when that is still so at the end.
    """
    from aspora import smoke

    here = is_here(stack, simulate=simulate)
    settings, rendered = _deployed(stack, here=here)
    objects = list(smoke.expected(rendered))
    deadline = time.monotonic() + seconds
    while True:
        client = _here(stack) if here else _there(settings)  # a token is soon past
        unwell = smoke.look(objects, _live(client, smoke.kinds(objects)), controllers=not here)
        client.close()
        if not unwell or time.monotonic() >= deadline:
            break
        time.sleep(min(PAUSE, max(0.0, deadline - time.monotonic())))
    return _tell(len(objects), unwell, here=here)


def _deployed(stack: str, *, here: bool) -> tuple[StackSettings, Rendered]:
    root = find_root()
    if here:
        from local import platform

        wanted = platform.read(root, stack=stack)
        return wanted.settings, wanted.rendered
    settings = load_stack(stack, root)
    return settings, render(load_or_raise(domain_paths((), root), settings), settings)


def _tell(count: int, unwell: list[Unwell], *, here: bool) -> int:
    for entry in unwell:
        click.echo(str(entry))
    looked = f"{counted(count, 'object')} looked at"
    click.echo(f"{looked}, {len(unwell) or 'none'} not well", err=True)
    if here:
        click.echo("simulated: operators' controllers do not run, their kinds are there", err=True)
    return 1 if unwell else 0


def _live(client: KubeClient, kinds: list[Kind]) -> Mapping[Kind, list[dict[str, Any]]]:
    from local.kube import KubeError

    live: dict[Kind, list[dict[str, Any]]] = {}
    for kind in kinds:
        try:
            live[kind] = client.list(*kind)
        except KubeError as error:
            if error.status != 404:  # a kind that is not served: each of its objects is not there
                raise
    return live


def _here(stack: str) -> KubeClient:
    from local import controlplane
    from local.kube import KubeClient

    plane = controlplane.status(Paths.from_environment(os.environ, stack))
    if plane is None:
        command = simulation.command("up", stack)
        raise EnvironmentFailure(
            f"{simulation.title(stack)} is not up", hint=f"start it: {command}"
        )
    return KubeClient.from_kubeconfig(plane.kubeconfig)


def _there(settings: StackSettings) -> KubeClient:
    from local import eks

    return eks.client(settings)
