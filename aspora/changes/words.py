"""Values as words, for every rendering: amounts, sides, names of objects."""

from __future__ import annotations

from typing import Any

import orjson

from aspora.changes.model import Change, Key, QuotaRow, Side

MAX_VALUE = 120
"""Characters of a value in a line."""
_VERBS = {"create": "created", "update": "updated", "replace": "made anew", "delete": "deleted"}
_UNITS = (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))


def thing(key: Key) -> str:
    """`Deployment aspora-wealth/wealth-advisor-plan`."""
    return f"{key.kind} {key.namespace}/{key.name}" if key.namespace else f"{key.kind} {key.name}"


def verb(change: Change) -> str:
    """`created`, `made anew` ..."""
    return _VERBS[change.verb]


def side(one: Side) -> str:
    """`main (1a2b3c4)`, `working tree`."""
    if one.commit and one.commit[:7] not in one.label:
        return f"{one.label} ({one.commit[:7]})"
    return one.label


def value(found: Any, limit: int = MAX_VALUE) -> str:
    """A field's value in one line, cut."""
    if found is None:
        text = "(none)"
    elif isinstance(found, str):
        text = found.replace("\n", "\\n") if found else '""'
    else:
        text = orjson.dumps(found).decode()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def amount(number: float | None, unit: str) -> str:
    """`24 cores`, `48Gi`, `60`, `2500 USD`; a dash for what is not there."""
    if number is None:
        return "–"  # noqa: RUF001 - a dash, as in tables
    if unit == "bytes":
        for suffix, size in _UNITS:
            if number >= size and number % (size / 4) == 0:
                return f"{number / size:g}{suffix}"
        return f"{number / 2**20:.0f}Mi"
    return f"{number:g}" + (" USD" if unit == "USD" else "")


def room(limit: float | None, used: float | None) -> str:
    """What of a limit is left, as a share: `35 % left`, `over by 10 %`."""
    if not limit or used is None:
        return "–"  # noqa: RUF001
    share = round((limit - used) / limit * 100)
    return f"{share} % left" if share >= 0 else f"over by {-share} %"


def quota_cells(row: QuotaRow) -> tuple[str, str, str, str]:
    """Domain, resource, before and after."""
    sides = (
        (row.limit_before, row.used_before),
        (row.limit_after, row.used_after),
    )
    before, after = (
        f"{amount(used, row.unit)} of {amount(limit, row.unit)} ({room(limit, used)})"
        if limit is not None
        else "–"  # noqa: RUF001
        for limit, used in sides
    )
    return row.domain, row.resource, before, after
