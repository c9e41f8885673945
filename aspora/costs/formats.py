"""The table of actual costs as text, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from aspora.costs.attribution import Row, Total, total

COMPUTE = "(compute)"
UNPRICED = "unpriced"
COLUMNS = ("day", "domain", "skill", "model", "calls", "tokens", "usd")
CSV_COLUMNS = (*COLUMNS, "idle_usd", "unpriced_calls", "unpriced_tokens")


def render(rows: Sequence[Row], style: str) -> str:
    """The table in `style`: text, json or csv."""
    return {"text": as_text, "json": as_json, "csv": as_csv}[style](rows)


def as_text(rows: Sequence[Row]) -> str:
    """For people: aligned columns, then a sum for each domain and one for all."""
    if not rows:
        return "nothing was spent\n"
    lines = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(COLUMNS))]
    text = "\n".join(_aligned(line, widths) for line in lines) + "\n\n"
    domains = list(dict.fromkeys(row.domain for row in rows))
    sums = [(name, total(row for row in rows if row.domain == name)) for name in domains]
    longest = max(len(name) for name in (*domains, "total"))
    for name, found in (*sorted(sums), ("total", total(rows))):
        text += f"{name:<{longest}}  {_sum(found)}\n"
    return text


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Words to the left, numbers to the right."""
    words = [f"{cell:<{width}}" for cell, width in zip(cells[:4], widths, strict=False)]
    numbers = [f"{cell:>{width}}" for cell, width in zip(cells[4:], widths[4:], strict=True)]
    return "  ".join((*words, *numbers)).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    if row.model is None:
        counts: tuple[str, ...] = ("", "")
    else:
        counts = (str(row.calls), str(row.tokens))
    return (
        row.day.isoformat(),
        row.domain,
        row.skill or "-",
        COMPUTE if row.model is None else row.model,
        *counts,
        _usd(row),
    )


def _usd(row: Row) -> str:
    if row.usd is None:
        return UNPRICED
    more = f" + {row.unpriced_calls} {UNPRICED}" if row.unpriced_calls else ""
    return f"{row.usd:.4f}{more}"


def _sum(found: Total) -> str:
    text = f"{found.usd:.2f} USD: {found.model_usd:.2f} models, {found.compute_usd:.2f} compute"
    if found.unpriced_calls:
        calls = "1 call" if found.unpriced_calls == 1 else f"{found.unpriced_calls} calls"
        text += f"; not in it: {calls} without a price ({found.unpriced_tokens} tokens)"
    return text


def as_json(rows: Sequence[Row]) -> str:
    """For programs: amounts are text, so that nobody's floats round them; null is unpriced."""
    held = {"rows": [_fields(row) for row in rows], "total": _total_fields(total(rows))}
    return json.dumps(held, indent=2) + "\n"


def _fields(row: Row) -> dict[str, Any]:
    return {
        "day": row.day.isoformat(),
        "domain": row.domain,
        "skill": row.skill or None,
        "model": row.model,
        "calls": row.calls,
        "tokens": row.tokens,
        "usd": None if row.usd is None else _plain(row.usd),
        "idle_usd": _plain(row.idle_usd),
        "unpriced_calls": row.unpriced_calls,
        "unpriced_tokens": row.unpriced_tokens,
    }


def _total_fields(found: Total) -> dict[str, Any]:
    return {
        "usd": _plain(found.usd),
        "model_usd": _plain(found.model_usd),
        "compute_usd": _plain(found.compute_usd),
        "unpriced_calls": found.unpriced_calls,
        "unpriced_tokens": found.unpriced_tokens,
    }


def _plain(usd: Decimal) -> str:
    return f"{usd:f}"


def as_csv(rows: Sequence[Row]) -> str:
    """For spreadsheets: an empty amount is unpriced."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        fields = _fields(row)
        fields["model"] = COMPUTE if row.model is None else row.model
        writer.writerow(fields)
    return out.getvalue()
