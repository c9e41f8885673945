"""The list of changes: one line each, folded, with what differs beside each other inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from aspora.changes.model import Change, FieldChange, Report
from aspora.page import sides
from aspora.page.filters import Choice, filters
from aspora.page.lines import cut, lines_of
from aspora.page.markup import EMPTY, Markup, html, join
from aspora.page.tables import SIGNS, table, tag

PLATFORM = "platform"
"""The group of what belongs to no domain; no domain can have this name."""
MOST_CHARACTERS = 5_000_000
"""Of objects on one page. Beyond it a change is listed with its fields alone, so that a page of
thousands of objects still opens at once."""
MOST_FIELDS = 60
LONGEST_PATH, LONGEST_VALUE = 90, 200
"""Characters of a field's path in the folded line, and of a value in the table of fields."""


@dataclass(slots=True)
class Room:
    """How many characters of objects still fit on the page."""

    left: int = MOST_CHARACTERS

    def fit(self, content: Markup) -> Markup:
        """The content, or that it was left out; the first that does not fit is the last."""
        self.left -= len(content)
        return content if self.left >= 0 else NO_ROOM


def change_list(report: Report) -> Markup:
    """Every change, by domain and in the report's order, under search and filters."""
    if not report.changes:
        return html('<p class="card pad">No object changes.</p>')
    found: dict[str, list[tuple[int, Change]]] = {}
    for number, change in enumerate(report.changes, start=1):
        found.setdefault(change.domain or PLATFORM, []).append((number, change))
    room = Room()
    groups = [_group(name, items, room) for name, items in found.items()]
    used = {change.verb for change in report.changes}
    verbs = [verb for verb in SIGNS if verb in used]
    bar = filters(
        "change-list",
        Choice("domain", "Domain", [(name, name) for name in found]),
        Choice("verb", "Change", [(verb, SIGNS[verb]) for verb in verbs]),
    )
    return html('{}<div id="change-list">{}</div>', bar, join(groups, "\n"))


def group_id(name: str) -> str:
    """The anchor of a domain's changes."""
    return f"changes-of-{name}"


def _group(name: str, changes: Sequence[tuple[int, Change]], room: Room) -> Markup:
    items = join((_item(number, change, room) for number, change in changes), "\n")
    return html(
        '<div class="group" id="{}" data-group><h3>{} <span class="muted">{}</span></h3>{}</div>',
        group_id(name),
        name,
        len(changes),
        items,
    )


def _item(number: int, change: Change, room: Room) -> Markup:
    return html(
        '<details class="item card" id="change-{}" data-item data-domain="{}" data-verb="{}">'
        '<summary>{} <span class="what">{}</span> '
        '<span class="mono">{}</span>{}{}</summary><div class="inside">{}</div></details>',
        number,
        change.domain or PLATFORM,
        change.verb,
        tag(change.verb),
        change.key.kind,
        f"{change.key.namespace}/{change.key.name}".lstrip("/"),
        html(' <span class="muted">{}</span>', change.skill) if change.skill else "",
        _why(change),
        join(_inside(change, room)),
    )


def _why(change: Change) -> Markup:
    """In the folded line: what people will notice, else the first fields that differ."""
    told = [line.text for line in change.consequences if line.level in ("attention", "destructive")]
    told = told or [line.text for line in change.consequences]
    if not told and change.fields:
        paths = [cut(field.path, LONGEST_PATH) for field in change.fields[:2]]
        more = len(change.fields) - len(paths)
        told = [", ".join(paths) + (f" and {more} more" if more else "")]
    return html('<span class="why">{}</span>', "; ".join(told)) if told else EMPTY


def _inside(change: Change, room: Room) -> Iterator[Markup]:
    if change.origin is not None:
        place = f"{change.origin.file}:{change.origin.line}"
        yield html('<p class="muted">Asked for in <code>{}</code></p>', place)
    if change.consequences:
        yield html(
            "<ul>{}</ul>",
            join(
                html("<li>{} {}</li>", tag(line.level), line.text) for line in change.consequences
            ),
        )
    if change.fields:
        yield _fields(change.fields)
    yield _objects(change, room)


def _fields(fields: Sequence[FieldChange]) -> Markup:
    rows = [
        (html("<code>{}</code>", field.path), _value(field.before), _value(field.after))
        for field in fields[:MOST_FIELDS]
    ]
    more = len(fields) - MOST_FIELDS
    return html(
        "<h4>Fields</h4>{}{}",
        table("Fields that differ", ("Field", "Before", "After"), rows, quiet=True),
        html('<p class="muted">{} more fields differ.</p>', more) if more > 0 else "",
    )


def _value(value: Any) -> Markup:
    if value is None:
        return html('<span class="muted">not there</span>')
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return html("<code>{}</code>", cut(text, LONGEST_VALUE) or '""')


def _objects(change: Change, room: Room) -> Markup:
    """Both objects beside each other; of one that comes or goes, the whole."""
    if room.left < 0:
        return NO_ROOM
    name = f"{change.key.kind} {change.key.name}"
    if change.before is not None and change.after is not None:
        found = sides.pairs(lines_of(change.before), lines_of(change.after))
        if not found:
            return CUT_AWAY
        return room.fit(html("<h4>Object</h4>{}", sides.table(found, name)))
    whole = change.before if change.after is None else change.after
    if whole is None:
        return EMPTY
    title, kind = ("Object that goes", "out") if change.after is None else ("New object", "in")
    return room.fit(_whole(title, kind, name, lines_of(whole)))


def _whole(title: str, kind: str, name: str, lines: Sequence[str]) -> Markup:
    return html(
        '<h4>{}</h4><pre class="whole {}" tabindex="0" role="region" aria-label="{}">{}</pre>',
        title,
        kind,
        name,
        join((html("{}", line) for line in lines), "\n"),
    )


CUT_AWAY = html(
    '<p class="muted">What differs is in the part of a long line or object that is not shown;'
    " the fields say what it is.</p>"
)
NO_ROOM = html(
    '<p class="muted">Left out, so that the page stays light:'
    " <code>aspora diff --format json</code> has the whole object.</p>"
)
