"""What the commands of the engine show: changes, the table of what is up, outputs."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from local import simulation
from local.paths import LOCAL

if TYPE_CHECKING:
    from local.paths import Paths
    from local.platform import Outcome
    from local.report import Status

HEADINGS = ("NAMESPACE", "SKILLS", "SERVICE", "CRON", "SANDBOX", "PODS", "CPU", "MEMORY")


def show_changes(outcome: Outcome) -> None:
    """What `up` did, on stderr."""
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
    from local.report import not_installed

    click.echo(f"not installed here: {len(not_installed())} Helm releases", err=True)


def show_preview(outcome: Outcome) -> None:
    """What `up` would do: changes on stdout, one a line, and their count on stderr."""
    from local.platform import shown

    for operation, urn in outcome.summary.changes:
        click.echo(f"{operation:8} {_short(urn)}")
    click.echo(shown(outcome.summary), err=True)


def _short(urn: str) -> str:
    kind, _, name = urn.rpartition("::")
    return f"{kind.rpartition(':')[2]} {name}"


def show_status(paths: Paths, style: str = "text") -> int:
    """What is up, on stdout; the exit code."""
    from local import report

    found = report.status(paths)
    if found is None:
        command = simulation.command("up", paths.stack)
        click.echo(f"{simulation.title(paths.stack)} is not up; `{command}` starts it", err=True)
        return 1
    if style == "json":
        click.echo(json.dumps(found.as_dict(), indent=2))
        return _complete(found)
    if found.stack != LOCAL:
        click.echo(simulation.banner(found.stack))
    _table(found)
    for line in (*_footer(found, unfinished=paths.dirty.exists()), *_simulated(found)):
        click.echo(line)
    return _complete(found)


def _complete(found: Status) -> int:
    """1 when part of the platform has stopped, with the way out on stderr."""
    from local.report import NOT_RUNNING

    if found.aws != NOT_RUNNING:
        return 0
    command = simulation.command("up", found.stack)
    click.echo(f"moto, which plays AWS, has stopped; `{command}` starts it", err=True)
    return 1


def show_outputs(outputs: Mapping[str, Any], style: str = "text") -> None:
    """A stack's outputs on stdout, one a line."""
    if style == "json":
        click.echo(json.dumps(dict(outputs), indent=2, sort_keys=True))
        return
    for line in _lines(outputs):
        click.echo(line)


def _lines(outputs: Mapping[str, Any]) -> list[str]:
    """`name  value`, aligned, sorted by name."""
    width = max(map(len, outputs), default=0)
    return [f"{name:{width}}  {_value(outputs[name])}" for name in sorted(outputs)]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


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
    render = "" if found.stack == LOCAL else f" --stack {found.stack}"
    lines = [
        "PODS are ready/all; CPU and MEMORY are used/quota.",
        "",
        f"API server  {found.server}",
        f"AWS         {found.aws} (moto)",
        f"kubeconfig  {found.kubeconfig}",
        *textwrap.wrap(f"simulated   {found.simulated}", 80, subsequent_indent=" " * 12),
        *_not_installed(found),
        *_observability(found),
        "",
        "Look further:",
        f"  export KUBECONFIG={found.kubeconfig}; kubectl get pods -A -l domain",
        f"  aspora render{render} --domain ecm | less",
        f"  {simulation.command('preview', found.stack)}",
    ]
    if unfinished:
        lines.insert(
            0, f"the last `{simulation.command('up', found.stack)}` did not finish; run it again"
        )
    return lines


def _not_installed(found: Status) -> list[str]:
    """The Helm releases: their webhooks need real pods."""
    if not found.not_installed:
        return []
    names = ", ".join(found.not_installed)
    text = f"not there   Helm releases, whose webhooks need real pods: {names}"
    return textwrap.wrap(text, 80, subsequent_indent=" " * 12, break_on_hyphens=False)


def _observability(found: Status) -> list[str]:
    """What `up --observability` started; a part that has stopped comes back with the same."""
    from local.report import NOT_RUNNING

    lines = [f"  {name:14}  {url}" for name, url in found.observability.items()]
    if NOT_RUNNING in found.observability.values():
        lines.append("  `aspora up --observability` starts all of it again")
    return ["", "Observability, with synthetic data:", *lines] if lines else []


def _simulated(found: Status) -> list[str]:
    """Of a simulated stack: what only the stand-in plays, and the outputs."""
    if found.stack == LOCAL:
        return []
    names = ", ".join(sorted(map(_class, found.kept)))
    return [
        "",
        f"{len(found.kept)} types of AWS that moto lacks; the stand-in keeps them itself:",
        *textwrap.wrap(names, 80, initial_indent="  ", subsequent_indent="  "),
        "",
        "Outputs:",
        *(f"  {line}" for line in _lines(found.outputs)),
    ]


def _class(token: str) -> str:
    """`eks.Addon` for `aws:eks/addon:Addon`, as programs write it."""
    _, module, kind = token.split(":")
    return f"{module.partition('/')[0]}.{kind}"
