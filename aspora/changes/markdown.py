"""The report as one comment on a pull request: the verdict first, what matters before what is long.

A comment has an end: GitHub takes 65,536 characters. Each table has its share, and the diffs get
what is left; what does not fit is counted and stands in the JSON twin, which is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from aspora.changes import hunks
from aspora.changes.escape import block, code, html, sentence
from aspora.changes.model import Change, Level, OwnerRow, Report, Section, Shared, Status
from aspora.changes.text import untouched
from aspora.changes.verdict import counted, rank
from aspora.changes.words import quota_cells, side, thing, verb

LIMIT: Final = 65_536
"""Characters of a comment (GitHub's API refuses more). We count bytes, which are never fewer."""
_ROOM_OF_TABLE = 6_000
_ROOM_OF_DIFF = 8_000
_MAX_SENTENCE = 1_200
_MAX_GONE = 100
"""Deleted objects that are named."""
_MAX_NOTES = 8
_MAX_NOTE = 400
_REST = 1_500
"""Bytes kept for the lines at the end."""
_SIGNS: Final[dict[Level, str]] = {
    "none": "⚪ No change",
    "routine": "🟢 Routine",
    "attention": "🟡 Needs attention",
    "destructive": "🔴 Destructive",
    "invalid": "🔴 Invalid",
}
_STATUS: Final[dict[Status, str]] = {
    "ok": "🟢",
    "attention": "🟡",
    "failure": "🔴",
    "skipped": "⚪",
}


def marker(stack: str) -> str:
    """The hidden line by which the comment of a stack is found again, to be replaced."""
    return f"<!-- aspora diff: {html(stack)} -->"


def markdown(report: Report, *, artifact: str = "changes.json") -> str:
    """The comment, in fewer than `LIMIT` bytes; `artifact` is where the whole is kept."""
    parts = [part for part in _parts(report, artifact) if part]
    head = "\n\n".join(parts)
    tail = "\n\n".join(_tail(report))
    left = LIMIT - len(head.encode()) - len(tail.encode()) - _REST
    diffs = "\n\n".join(_diffs(report, artifact, left))
    return "\n\n".join(filter(None, (head, diffs, tail))) + "\n"


def _parts(report: Report, artifact: str) -> Iterator[str]:
    yield marker(report.stack)
    yield f"### {_SIGNS[report.verdict.level]}: {sentence(_cut(report.verdict.text))}"
    what = f"{code(report.stack)}, {code(side(report.base))} → {code(side(report.head))}"
    if report.problems:
        yield what
        yield _problems(report, artifact)
        return
    yield f"{what}: {counted(report.counts)}"
    yield _loosened(report, artifact)
    yield _consequences(report, artifact)
    yield _owners(report, artifact)
    yield _quotas(report, artifact)
    yield _shared(report, artifact)
    for section in (report.cost, report.isolation, report.check):
        yield _section(section, artifact)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SENTENCE else text[: _MAX_SENTENCE - 1] + "…"


def _problems(report: Report, artifact: str) -> str:
    rows = [
        (
            code(f"{item.file}:{item.line}:{item.column}", cell=True),
            code(item.code, cell=True),
            code(_cut(item.path), cell=True) if item.path else "",
            code(_cut(item.message + (f" ({item.hint})" if item.hint else "")), cell=True),
        )
        for item in report.problems
    ]
    table = _table(("Where", "Code", "Field", "What"), rows, artifact, room=_ROOM_OF_TABLE * 4)
    return f"{table}\n\n`aspora validate` says the same; `aspora explain CODE` says why."


def _loosened(report: Report, artifact: str) -> str:
    rows = [
        (
            code(item.domain, cell=True) if item.domain else "shared",
            sentence(_cut(item.what)),
            code(_cut(item.reason), cell=True) if item.reason else "none given",
            code(_cut(thing(item.key) if item.key else item.path), cell=True),
        )
        for item in report.loosened
    ]
    return _titled("Loosened security", ("Domain", "What", "Reason", "Where"), rows, artifact)


def _consequences(report: Report, artifact: str) -> str:
    found = dict.fromkeys(item for change in report.changes for item in change.consequences)
    ordered = sorted(found, key=lambda item: -rank(item.level))
    lines = [
        f"- {'**' if item.level != 'routine' else ''}{sentence(_cut(item.text))}"
        f"{'**' if item.level != 'routine' else ''}"
        for item in ordered
    ]
    return _list("What happens", lines, artifact)


def _owners(report: Report, artifact: str) -> str:
    rows = [
        (
            code(_who(row), cell=True) if row.domain else "shared",
            counted(row.counts),
            "<br>".join(code(_cut(reason), cell=True) for reason in row.reasons),
            ", ".join(code(owner, cell=True) for owner in row.approvers) or "nobody is named",
        )
        for row in report.owners
    ]
    columns = ("Domain, skill", "Objects", "Because of", "Approves")
    return _titled("Who approves", columns, rows, artifact)


def _who(row: OwnerRow) -> str:
    return row.skill or row.domain


def _quotas(report: Report, artifact: str) -> str:
    rows = [
        tuple(code(cell, cell=True) if index == 0 else sentence(cell) for index, cell in cells)
        for cells in (list(enumerate(quota_cells(row))) for row in report.quotas)
    ]
    columns = ("Domain", "Resource", "Before: most asked for, of quota", "After")
    return _titled("Quota head-room", columns, rows, artifact)


def _shared(report: Report, artifact: str) -> str:
    lines = [f"- {code(_cut(item.what))} {_touched(item)}" for item in report.shared]
    return _list("Shared by all", lines, artifact)


def _touched(item: Shared) -> str:
    domains = ", ".join(map(code, item.domains)) or "no domain"
    return f"touches {domains} ({item.objects} objects)" if item.objects else "changes no object"


def _section(section: Section | None, artifact: str) -> str:
    if section is None:
        return ""
    title = f"**{sentence(section.title)}**: {_STATUS[section.status]} {sentence(section.summary)}"
    rows = [
        tuple("" if cell is None else sentence(_cut(str(cell))) for cell in row)
        for row in section.rows
    ]
    table = _table(section.columns, rows, artifact) if rows and section.columns else ""
    return "\n\n".join(filter(None, (title, table, sentence(_cut(section.note)))))


def _tail(report: Report) -> Iterator[str]:
    if report.problems:
        return
    if report.reordered:
        names = ", ".join(code(thing(key)) for key in report.reordered[:3])
        more = f" and {len(report.reordered) - 3} more" if len(report.reordered) > 3 else ""
        yield f"Applied again with nothing but another order: {names}{more}."
    yield f"Untouched: {sentence(untouched(report))}."
    notes = [f"- {sentence(note[:_MAX_NOTE])}" for note in report.notes[:_MAX_NOTES]]
    if len(report.notes) > _MAX_NOTES:
        notes.append(f"- {len(report.notes) - _MAX_NOTES} more notes: in the artifact")
    if notes:
        yield "\n".join(notes)


def _diffs(report: Report, artifact: str, room: int) -> Iterator[str]:
    """One folded block for each change while there is room; the gravest first."""
    left = sorted((c for c in report.changes if c.verb != "delete"), key=_gravity)
    gone = [f"-{thing(change.key)}" for change in report.changes if change.verb == "delete"]
    if gone:
        shown = [
            *gone[:_MAX_GONE],
            *([f"@ {len(gone) - _MAX_GONE} more"] * (len(gone) > _MAX_GONE)),
        ]
        text = _folded(f"deleted: {len(gone)} object{'s' if len(gone) > 1 else ''}", shown)
        room -= len(text.encode()) + 2
        yield text
    for index, change in enumerate(left):
        text = _diff(change, artifact)
        room -= len(text.encode()) + 2
        if room < 0:
            rest = len(left) - index
            yield f"{rest} more change{'s' if rest > 1 else ''}: in the artifact {code(artifact)}."
            return
        yield text


def _gravity(change: Change) -> tuple[int, bool, bool]:
    """Grave ones first, then changes before new objects, then the domains' own."""
    level = max((rank(found.level) for found in change.consequences), default=0)
    grave = level if level > rank("routine") else 0
    return -grave, change.verb == "create", not change.domain


def _diff(change: Change, artifact: str) -> str:
    where = f" — {change.origin.file}:{change.origin.line}" if change.origin else ""
    summary = f"{verb(change)}: {html(thing(change.key))}{html(where)}"
    lines, size = [], 0
    for line in hunks.lines(change):
        size += len(line.encode()) + 1
        if size > _ROOM_OF_DIFF:
            lines.append(f"@ cut here; the whole is in {artifact}")
            break
        lines.append(line)
    return _folded(summary, lines)


def _folded(summary: str, lines: Sequence[str]) -> str:
    return f"<details><summary>{summary}</summary>\n\n{block(lines)}\n\n</details>"


def _titled(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], artifact: str
) -> str:
    return f"**{title}**\n\n{_table(columns, rows, artifact)}" if rows else ""


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    artifact: str,
    *,
    room: int = _ROOM_OF_TABLE,
) -> str:
    head = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return "\n".join((*head, *_fitting([f"| {' | '.join(row)} |" for row in rows], artifact, room)))


def _list(title: str, lines: Sequence[str], artifact: str) -> str:
    if not lines:
        return ""
    return "\n".join((f"**{title}**", "", *_fitting(lines, artifact, _ROOM_OF_TABLE)))


def _fitting(lines: Sequence[str], artifact: str, room: int) -> Iterator[str]:
    for index, line in enumerate(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            yield f"\n{len(lines) - index} more: in the artifact {code(artifact)}."
            return
        yield line
