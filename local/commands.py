"""The commands that need the engine: up, preview, down, status, doctor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from aspora.cli.common import find_root, stack_option
from aspora.errors import EnvironmentFailure, InvalidInput, ToolUnavailable, UsageError
from aspora.load import load_stack
from local import screens, simulation
from local.paths import LOCAL, Paths

if TYPE_CHECKING:
    from local.platform import Wanted
    from local.progress import Progress

simulate_option = click.option(
    "--simulate",
    is_flag=True,
    help="Play staging or prod on this machine: Pulumi's engine and an API server are real, AWS"
    " is moto. No account is touched.",
)
SECRET = "[secret]"  # noqa: S105 - what the official CLI prints in the place of one


@click.command(
    epilog="""\b
Examples:
  aspora up                    the whole platform on this machine
  aspora up --observability    with the collector, Prometheus, Phoenix and made-up executions
  aspora up --stack staging    the same as `pulumi up --stack staging`
  aspora up --stack staging --simulate
                               staging with its AWS side, played on this machine
"""
)
@stack_option
@simulate_option
@click.option(
    "--observability",
    is_flag=True,
    help="Also run the collector, Prometheus and Phoenix here, and send 1,000 synthetic executions"
    " through them.",
)
def up(stack: str, *, simulate: bool, observability: bool) -> int:
    """Bring a stack up with Pulumi's engine. Running it again changes nothing."""
    if observability and stack != LOCAL:
        raise UsageError(
            f"`--observability` is for this machine; {stack} has its own",
            hint="leave --stack out: aspora up --observability",
        )
    if not is_here(stack, simulate=simulate):
        return _official("up", stack)
    from local import platform

    paths, progress = _surroundings(stack)
    wanted = platform.read(find_root(), stack=stack)
    outcome = platform.up(wanted, paths, progress)
    screens.show_changes(outcome)
    lines = _observed(wanted, paths, progress) if observability else []
    screens.show_status(paths)
    for line in lines:
        click.echo(line)
    return 0


def _observed(wanted: Wanted, paths: Paths, progress: Progress) -> list[str]:
    """What arrived, for the screen; where it fails, the platform stays up."""
    from local.observability import flow

    try:
        return flow.shown(flow.up(wanted, paths, progress))
    except EnvironmentFailure as error:
        raise type(error)(
            f"the platform is up, its observability is not: {error.message}", hint=error.hint
        ) from None


@click.command(
    epilog="""\b
Examples:
  aspora preview               what `aspora up` would change here
  aspora preview --stack prod --simulate
                               prod, played; starts what it needs
"""
)
@stack_option
@simulate_option
def preview(stack: str, *, simulate: bool) -> int:
    """Show what `up` would change; the API server tries every object (dry run)."""
    if not is_here(stack, simulate=simulate):
        return _official("preview", stack)
    from local import platform

    paths, progress = _surroundings(stack)
    wanted = platform.read(find_root(), stack=stack)
    screens.show_preview(platform.preview(wanted, paths, progress))
    return 0


@click.command(
    epilog="""\b
Examples:
  aspora down                  stop everything and remove its state
  aspora down --stack staging --simulate --destroy
"""
)
@stack_option
@simulate_option
@click.option(
    "--destroy",
    is_flag=True,
    help="First have the engine delete every resource, as `pulumi destroy` would.",
)
def down(stack: str, *, simulate: bool, destroy: bool) -> int:
    """Take a platform of this machine down: no process, port or file stays, outside the cache."""
    if not is_here(stack, simulate=simulate):
        raise UsageError(
            f"`aspora down` takes down what runs on this machine, not {stack}",
            hint="a real one goes by hand, with every protection lifted: pulumi destroy;\n"
            f"what was simulated goes with: {simulation.command('down', stack)}",
        )
    from local import platform

    paths, progress = _surroundings(stack)
    if destroy:
        summary = platform.destroy(platform.read(find_root(), stack=stack), paths, progress)
        click.echo(platform.shown(summary), err=True)
    if platform.down(paths, progress):
        click.echo(f"{simulation.title(stack)} is down", err=True)
    else:
        click.echo("nothing was up", err=True)
    return 0


@click.command(
    epilog="""\b
Examples:
  aspora status                   a table
  aspora status --format json     for scripts
  aspora status --stack staging   the outputs of the real stack
"""
)
@stack_option
@simulate_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How it is printed.",
)
def status(stack: str, style: str, *, simulate: bool) -> int:
    """Show what is up here, or the outputs of a real stack. Exits with 1 when nothing is."""
    if not is_here(stack, simulate=simulate):
        screens.show_outputs(_real_outputs(stack), style)
        return 0
    return screens.show_status(Paths.from_environment(os.environ, stack), style)


@click.command(
    epilog="""\b
Examples:
  aspora doctor                  before the first `aspora up`
  aspora doctor --stack staging  before `pulumi up`: looks at the AWS account
"""
)
@stack_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How it is printed.",
)
def doctor(stack: str, style: str) -> int:
    """Look whether this machine, or a stack's AWS account, has what is needed. Changes nothing."""
    from local.account_commands import doctor_of_account, show_findings
    from local.doctor import checks

    if stack != LOCAL:
        return doctor_of_account(stack, style)
    return show_findings(checks(Paths.from_environment(os.environ), os.environ), style)


def is_here(stack: str, *, simulate: bool) -> bool:
    """Whether the stack is played on this machine; raises UsageError for one that nobody knows."""
    if stack == LOCAL and simulate:
        raise UsageError(
            "`--simulate` plays staging or prod; local is always here",
            hint="leave --simulate out, or name a stack: --stack staging",
        )
    if simulate:
        with suppress(InvalidInput):  # told by the command itself, and `down` goes on
            load_stack(stack, find_root())
    return simulate or stack == LOCAL


def _surroundings(stack: str) -> tuple[Paths, Progress]:
    """Folders and progress of a platform of this machine; says first that it is played."""
    from local.progress import make_progress

    if stack != LOCAL:
        click.echo(simulation.banner(stack), err=True)
    return Paths.from_environment(os.environ, stack), make_progress(sys.stderr)


def _official(verb: str, stack: str) -> int:
    """Run the official CLI, which brings the Python language host that real stacks need."""
    root = find_root()
    load_stack(stack, root)
    _require_official(verb, stack, "pulumi", "pulumi-language-python")
    command = ["pulumi", verb, "--stack", stack]
    return subprocess.run(command, cwd=root, check=False).returncode  # noqa: S603


def _require_official(verb: str, stack: str, *programs: str) -> None:
    if not all(map(shutil.which, programs)):
        raise ToolUnavailable(
            f"`aspora {verb} --stack {stack}` needs the official Pulumi CLI on PATH",
            hint="install it from pulumi.com/docs/iac/download-install; `aspora up` alone and"
            " --simulate need nothing",
        )


def _real_outputs(stack: str) -> dict[str, Any]:
    """The outputs of a real stack but for secrets, as the official CLI reads them."""
    root = find_root()
    load_stack(stack, root)
    _require_official("status", stack, "pulumi")
    command = ["pulumi", "stack", "output", "--json", "--non-interactive", "--stack", stack]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        outputs = json.loads(done.stdout) if done.returncode == 0 else None
    except ValueError:
        outputs = None
    if not isinstance(outputs, dict):
        words = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise EnvironmentFailure(
            f"pulumi does not tell the outputs of {stack}: "
            + (words[-1].removeprefix("error: ") if words else "it printed none"),
            hint="log in to the bucket of its state first: pulumi login s3://…",
        )
    return {name: value for name, value in outputs.items() if value != SECRET}
