"""The commands that need the engine: up, preview, down, status, doctor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from aspora.cli.common import find_root, stack_option
from aspora.errors import ToolUnavailable, UsageError
from aspora.load import load_stack

if TYPE_CHECKING:
    from local.paths import Paths
    from local.platform import Outcome
    from local.progress import Progress
    from local.report import Status


@click.command(
    epilog="""\b
Examples:
  aspora up                    the whole platform on this machine
  aspora up --stack staging    the same as `pulumi up --stack staging`
"""
)
@stack_option
def up(stack: str) -> int:
    """Bring a stack up with Pulumi's engine. Running it again changes nothing."""
    if stack != "local":
        return _official("up", stack)
    from local import platform

    root = find_root()
    wanted = platform.read(root)
    paths, progress = _surroundings()
    outcome = platform.up(wanted, paths, progress)
    _show_changes(outcome)
    _show_status(paths)
    return 0


@click.command(
    epilog="""\b
Examples:
  aspora preview               what `aspora up` would change here
"""
)
@stack_option
def preview(stack: str) -> int:
    """Show what `up` would change; the API server tries every object (dry run)."""
    if stack != "local":
        return _official("preview", stack)
    from local import platform

    wanted = platform.read(find_root())
    paths, progress = _surroundings()
    outcome = platform.preview(wanted, paths, progress)
    for operation, urn in outcome.summary.changes:
        click.echo(f"{operation:8} {_short(urn)}")
    click.echo(platform.shown(outcome.summary), err=True)
    return 0


@click.command(
    epilog="""\b
Examples:
  aspora down                  stop everything and remove its state
"""
)
@stack_option
def down(stack: str) -> int:
    """Take the local stack down: no process, port or file stays, outside the tool cache."""
    if stack != "local":
        raise UsageError(
            f"`aspora down` takes down the local stack only, not {stack}",
            hint="a real one goes by hand, with every protection lifted: pulumi destroy",
        )
    from local import platform

    paths, progress = _surroundings()
    if platform.down(paths, progress):
        click.echo("the local platform is down", err=True)
    else:
        click.echo("nothing was up", err=True)
    return 0


@click.command(
    epilog="""\b
Examples:
  aspora status                a table
  aspora status --format json  for scripts
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
def status(stack: str, style: str) -> int:
    """Show what is up. Exits with 1 when the local platform is not."""
    if stack != "local":
        return _official("stack", stack)
    paths, _ = _surroundings()
    return _show_status(paths, style)


@click.command(
    epilog="""\b
Examples:
  aspora doctor                before the first `aspora up`
"""
)
def doctor() -> int:
    """Look whether this machine has what the local platform needs. Changes nothing."""
    from local.doctor import checks

    paths, _ = _surroundings()
    worst = 0
    for check in checks(paths, os.environ):
        click.echo(f"{check.state:5} {check.what}: {check.detail}")
        if check.way_out:
            click.echo(f"      {check.way_out}")
        worst = max(worst, 1 if check.state == "fail" else 0)
    return worst


def _surroundings() -> tuple[Paths, Progress]:
    from local.paths import Paths
    from local.progress import make_progress

    return Paths.from_environment(os.environ), make_progress(sys.stderr)


def _official(verb: str, stack: str) -> int:
    """Run the official CLI, which brings the Python language host that real stacks need."""
    root = find_root()
    load_stack(stack, root)
    if not (shutil.which("pulumi") and shutil.which("pulumi-language-python")):
        raise ToolUnavailable(
            f"`aspora {verb} --stack {stack}` needs the official Pulumi CLI on PATH",
            hint="install it from pulumi.com/docs/iac/download-install; `aspora up` alone needs"
            " nothing",
        )
    command = ["pulumi", verb, "--stack", stack]
    return subprocess.run(command, cwd=root, check=False).returncode  # noqa: S603


def _show_changes(outcome: Outcome) -> None:
    from local.platform import shown

    summary = outcome.summary
    changed = summary.created + summary.updated + summary.replaced + summary.deleted
    if changed or outcome.removed:
        click.echo(
            shown(summary) + (f", {outcome.removed} swept" * bool(outcome.removed)), err=True
        )
    else:
        click.echo(
            f"nothing to change: {summary.unchanged} objects are as they should be", err=True
        )
    click.echo(f"custom resources: {outcome.definitions.source}", err=True)
    click.echo("providers: stand-ins for Pulumi's kubernetes and aws (local/providers)", err=True)


def _short(urn: str) -> str:
    kind, _, name = urn.rpartition("::")
    return f"{kind.rpartition(':')[2]} {name}"


def _show_status(paths: Paths, style: str = "text") -> int:
    from local import controlplane, moto_server
    from local.kube import KubeClient
    from local.report import gather

    plane, moto = controlplane.status(paths), moto_server.status(paths)
    if plane is None:
        click.echo("the local platform is not up; `aspora up` starts it", err=True)
        return 1
    client = KubeClient.from_kubeconfig(plane.kubeconfig)
    found = gather(client, str(plane.kubeconfig), moto.url if moto else "not running")
    if style == "json":
        click.echo(json.dumps(found.as_dict(), indent=2))
        return 0
    _table(found)
    for line in _footer(found, unfinished=paths.dirty.exists()):
        click.echo(line)
    return 0


HEADINGS = ("NAMESPACE", "SKILLS", "SERVICE", "CRON", "SANDBOX", "PODS", "CPU", "MEMORY")


def _rows(found: Status) -> list[tuple[str, ...]]:
    return [
        (
            domain.namespace,
            str(domain.services + domain.schedules + domain.sandboxes),
            str(domain.services),
            str(domain.schedules),
            str(domain.sandboxes),
            f"{domain.pods_ready}/{domain.pods}",
            domain.quota.get("requests.cpu", ""),
            domain.quota.get("requests.memory", ""),
        )
        for domain in found.domains
    ]


def _table(found: Status) -> None:
    rows = _rows(found)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*HEADINGS, box=None, header_style="bold")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    for row in (HEADINGS, *rows):
        click.echo(_aligned(row, widths))


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()


def _footer(found: Status, *, unfinished: bool) -> list[str]:
    lines = [
        "PODS are ready/all; CPU and MEMORY are used/quota.",
        "",
        f"API server  {found.server}",
        f"AWS         {found.aws} (moto)",
        f"kubeconfig  {found.kubeconfig}",
        f"simulated   {found.simulated}",
        "",
        "Look further:",
        f"  export KUBECONFIG={found.kubeconfig}; kubectl get pods -A -l domain",
        "  aspora render --domain ecm | less",
        "  aspora preview",
    ]
    if unfinished:
        lines.insert(0, "an `aspora up` was cut short; run it again to finish")
    return lines
