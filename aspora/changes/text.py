"""The report for a terminal: short, most important first, nothing that steers the screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from aspora.changes.model import Change, Level, QuotaRow, Report, Section
from aspora.changes.verdict import counted
from aspora.changes.words import quota_cells, side, thing, value
from aspora.problems import printable

_COLOURS: dict[Level, str] = {
    "none": "green",
    "routine": "green",
    "attention": "yellow",
    "destructive": "red",
    "invalid": "red",
}
_SIGNS = {"create": "+", "update": "~", "replace": "!", "delete": "-"}
MAX_FIELDS = 8
"""Fields of one object that are shown."""
MAX_CHANGES = 200


def text(report: Report, *, colour: bool = False) -> str:
    """The whole, with a newline at the end."""
    lines = list(_lines(report, colour=colour))
    return "\n".join(lines).rstrip("\n") + "\n"


def _lines(report: Report, *, colour: bool) -> Iterator[str]:
    level = report.verdict.level
    head = f"{level}: {printable(report.verdict.text)}"
    yield click.style(head, fg=_COLOURS[level], bold=True) if colour else head
    yield f"{report.stack}: {_plain(side(report.base))} → {_plain(side(report.head))}"
    for trouble in report.problems:
        place = f"{trouble.file}:{trouble.line}:{trouble.column}"
        what = " ".join(filter(None, (trouble.code, trouble.path)))
        yield _plain(f"  {place}: {what}: {trouble.message}")
        yield from (_plain(f"      {line}") for line in trouble.hint.splitlines())
    if report.problems:
        return
    yield from _block("Loosened security", (_loosened(report)))
    yield from _block("Consequences", dict.fromkeys(_consequences(report)))
    yield from _block("Who approves", _owners(report))
    yield from _block("Quotas", map(_quota, report.quotas))
    yield from _block("Shared", _shared(report))
    for section in (report.cost, report.isolation, report.check):
        yield from _section(section)
    yield from _block(f"Changes ({counted(report.counts)})", _changes(report, colour=colour))
    yield from _block("Only in another order", map(thing, report.reordered))
    yield from _block("Untouched", (untouched(report),))
    yield from _block("Notes", map(_plain, report.notes))


def untouched(report: Report) -> str:
    """What stays, in one line."""
    kept = report.untouched
    which = f" ({', '.join(kept.domains)})" if 0 < len(kept.domains) <= 12 else ""
    return (
        f"{len(kept.domains)} domains{which}, {kept.skills} skills and {kept.objects} objects"
        " stay as they are"
    )


def _block(title: str, lines: object) -> Iterator[str]:
    assert not isinstance(lines, str)  # noqa: S101 - a text would be read letter by letter
    found = [str(line) for line in lines]  # type: ignore[attr-defined]
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)


def _loosened(report: Report) -> Iterator[str]:
    for item in report.loosened:
        whose = f"{item.domain}: " if item.domain else ""
        where = f" [{thing(item.key)}]" if item.key else ""
        reason = f' because "{item.reason}"' if item.reason else ""
        yield _plain(f"{whose}{item.what}{reason}{where}")


def _consequences(report: Report) -> Iterator[str]:
    for change in report.changes:
        yield from (_plain(f"{found.level}: {found.text}") for found in change.consequences)


def _owners(report: Report) -> Iterator[str]:
    for row in report.owners:
        who = row.skill or row.domain or "shared"
        why = f" ({'; '.join(row.reasons)})" if row.reasons else ""
        by = ", ".join(row.approvers) or "nobody is named"
        yield _plain(f"{who}: {counted(row.counts)}{why}: {by}")


def _quota(row: QuotaRow) -> str:
    domain, resource, before, after = quota_cells(row)
    return f"{domain} {resource}: {before} → {after}"


def _shared(report: Report) -> Iterator[str]:
    for item in report.shared:
        domains = ", ".join(item.domains) or "no domain"
        touched = f"touches {domains}, {item.objects} objects"
        yield _plain(f"{item.what}: {touched if item.objects else 'changes no object'}")


def _section(section: Section | None) -> Iterator[str]:
    if section is None:
        return
    rows = [" ".join(map(_cell, row)) for row in section.rows]
    yield from _block(
        f"{section.title}: {_plain(section.summary)}", [*rows, *filter(None, [section.note])]
    )


def _cell(cell: object) -> str:
    return "" if cell is None else _plain(str(cell))


def _changes(report: Report, *, colour: bool) -> Iterator[str]:
    for change in report.changes[:MAX_CHANGES]:
        line = _plain(f"{_SIGNS[change.verb]} {thing(change.key)}")
        if change.origin:
            line += _plain(f"  {change.origin.file}:{change.origin.line}")
        bold = colour and change.verb in ("delete", "replace")
        yield click.style(line, fg="red") if bold else line
        yield from _fields(change)
    if len(report.changes) > MAX_CHANGES:
        yield f"... {len(report.changes) - MAX_CHANGES} more: --format json has them all"


def _fields(change: Change) -> Sequence[str]:
    shown = [
        _plain(f"    {field.path}: {value(field.before, 60)} → {value(field.after, 60)}")
        for field in change.fields[:MAX_FIELDS]
    ]
    more = len(change.fields) - MAX_FIELDS
    return [*shown, f"    {more} more fields"] if more > 0 else shown


def _plain(text: str) -> str:
    return printable(text)
