"""A change as the lines of a diff: fields by path, long texts by the lines that differ."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from typing import Any

from aspora.changes.model import Change, FieldChange
from aspora.changes.words import value

MAX_LINES = 400
"""Of one text; what is longer is shown as changed, with its sizes."""
_CONTEXT = 2


def lines(change: Change) -> Iterator[str]:
    """Lines that begin with `+`, `-`, `@` or a blank, as in a unified diff."""
    if change.succeeds is not None:
        yield f"@ as {change.succeeds.name}, but for the hash of its content"
    elif change.verb == "create":
        yield from (f"+{line}" for line in _yaml(change.after))
    elif change.verb == "delete":
        yield from (f"-{line}" for line in _yaml(change.before))
    else:
        for field in change.fields:
            yield from _field(field)


def _field(field: FieldChange) -> Iterator[str]:
    yield f"@ {_one_line(field.path)}"
    before, after = field.before, field.after
    if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        yield from _text(before, after)
        return
    if before is not None:
        yield from (f"-{line}" for line in _shown(before))
    if after is not None:
        yield from (f"+{line}" for line in _shown(after))


def _text(before: str, after: str) -> Iterator[str]:
    old, new = before.splitlines(), after.splitlines()
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    first, last = max(start - _CONTEXT, 0), max(end - _CONTEXT, 0)
    old, new = old[first : len(old) - last], new[first : len(new) - last]
    if len(old) > MAX_LINES or len(new) > MAX_LINES:
        yield f"-{len(old)} lines"
        yield f"+{len(new)} lines"
        return
    # The first two lines name files, which there are none of.
    yield from list(unified_diff(old, new, n=_CONTEXT, lineterm=""))[2:]


def _shown(found: Any) -> list[str]:
    if isinstance(found, dict | list) and found:
        return _yaml(found)
    return [value(found, 2000)]


def _yaml(found: Any) -> list[str]:
    from aspora.output import to_yaml

    text = to_yaml([found]).decode()
    return text.removeprefix("---").strip("\n").splitlines()


def _one_line(text: str) -> str:
    return text.replace("\n", "\\n").replace("\r", "\\r")
