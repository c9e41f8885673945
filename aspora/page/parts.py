"""The sections of a change report that are tables: who approves, what is weaker, and the rest."""

from __future__ import annotations

from collections.abc import Sequence

from aspora.changes.model import (
    Change,
    Counts,
    Loosened,
    OwnerRow,
    Report,
    Section,
    Shared,
    Trouble,
)
from aspora.changes.verdict import rank
from aspora.page.document import Part
from aspora.page.markup import EMPTY, Markup, html, join
from aspora.page.tables import SIGNS, card, listed, many, table, tag

VERBS = ("create", "update", "replace", "delete")


def owners(rows: Sequence[OwnerRow]) -> Markup:
    """What changes for whom, why, and who has to approve it."""
    return card(
        table(
            "Changes by domain and skill",
            ("Domain or skill", "Objects", "Because of", "Approved by"),
            [
                (
                    row.skill or row.domain or "what all share",
                    tags(row.counts),
                    listed(row.reasons),
                    ", ".join(row.approvers) or "nobody is named",
                )
                for row in rows
            ],
            quiet=True,
        )
    )


def tags(counts: Counts) -> Markup:
    """`+ 2 create`, `~ 1 update`: those that are not 0."""
    found = {verb: getattr(counts, verb) for verb in VERBS}
    return join(
        (tag(verb, f"{SIGNS[verb][0]} {count:,} {verb}") for verb, count in found.items() if count),
        " ",
    )


MOST_CONSEQUENCES = 40
"""Of them said before the list of changes; each change says its own."""


def consequences(changes: Sequence[Change]) -> Markup:
    """What people will notice, each once, the gravest first."""
    found = dict.fromkeys(item for change in changes for item in change.consequences)
    ordered = sorted(found, key=lambda item: -rank(item.level))
    lines = [html("{} {}", tag(item.level), item.text) for item in ordered[:MOST_CONSEQUENCES]]
    more = len(ordered) - len(lines)
    if more > 0:
        lines.append(html("{} more, each at its change below", f"{more:,}"))
    body = join(html("<li>{}</li>", line) for line in lines)
    return html('<ul class="card pad plain">{}</ul>', body)


def loosened(rows: Sequence[Loosened]) -> Markup:
    """What is weaker than before; with the reason, or with that there is none."""
    return card(
        table(
            "Security that is weaker at the head than at the base",
            ("Whose", "What", "Reason given", "Where"),
            [
                (
                    row.domain or "platform",
                    html("<b>{}</b>", row.what),
                    row.reason or tag("failure", "none"),
                    html("<code>{}</code>", _where(row)),
                )
                for row in rows
            ],
            quiet=True,
        )
    )


def _where(row: Loosened) -> str:
    return row.path if row.key is None else f"{row.key.kind} {row.key.name}: {row.path}"


def problems(rows: Sequence[Trouble]) -> Markup:
    """What `aspora validate` says of a head that does not hold."""
    return card(
        table(
            "Problems of the head; nothing else was computed",
            ("Where", "Code", "Problem"),
            [
                (
                    html("<code>{}:{}:{}</code>", row.file, row.line, row.column),
                    row.code,
                    _told(row),
                )
                for row in rows
            ],
        )
    )


def _told(row: Trouble) -> Markup:
    path = f"{row.path}: " if row.path else ""
    hint = html('<br><small class="muted">{}</small>', row.hint) if row.hint else EMPTY
    return html("{}{}{}", path, row.message, hint)


def shared(rows: Sequence[Shared]) -> Markup:
    """Changes outside the domains' own files, and whom they reach."""
    return card(
        table(
            "Changes in what domains share",
            ("What", "Domains it touches", "Objects"),
            [(row.what, ", ".join(row.domains) or "none", row.objects) for row in rows],
            quiet=True,
        )
    )


def untouched(report: Report) -> Markup:
    """What stays as it is, and what the report cannot see."""
    same = report.untouched
    whole = f", among them all of {', '.join(same.domains)}" if same.domains else ""
    stays = html(
        '<p class="card pad">{} and {} stay as they are{}.</p>',
        many(same.skills, "skill"),
        many(same.objects, "object"),
        whole,
    )
    notes = [*report.notes]
    if report.reordered:
        count = many(len(report.reordered), "object")
        notes.insert(0, f"{count}: items stand in another order, nothing else differs")
    listed_notes = join(html("<li>{}</li>", note) for note in notes)
    return html("{}<ul>{}</ul>", stays, listed_notes) if notes else stays


def section(id_: str, found: Section | None) -> list[Part]:
    """A part that somebody else computed, as one of the page."""
    if found is None:
        return []
    status = html("<p>{} {}</p>", tag(found.status), found.summary)
    rows = card(table(found.title, found.columns, found.rows, quiet=True)) if found.rows else EMPTY
    note = html('<p class="muted">{}</p>', found.note) if found.note else EMPTY
    return [Part(id_, found.title, join([status, rows, note], "\n"))]
