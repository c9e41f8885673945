"""Quotas and budgets as bars: how much of what a domain may have its skills can ask for at once."""

from __future__ import annotations

from collections.abc import Sequence

from aspora.changes.model import QuotaRow
from aspora.changes.quotas import UNITS, figures
from aspora.page.markup import Markup, html
from aspora.page.state import State
from aspora.page.tables import card, table, tag

GIB = 1024**3
CAPTION = "What skills may ask for at once, of what their domain may have"
AS_BEFORE = html('<span class="muted">as before</span>')
HIGH = 0.9
"""The share from which a bar warns."""


def quota_rows(state: State) -> tuple[QuotaRow, ...]:
    """The quotas and budgets of a state, the same before and after."""
    return tuple(
        QuotaRow(domain.name, resource, UNITS[resource], limit, used, limit, used)
        for domain in state.domains
        for resource, (limit, used) in figures(domain, state.settings).items()
    )


def bars(rows: Sequence[QuotaRow]) -> Markup:
    """A table with a row for each domain and a bar for each resource."""
    resources = list(dict.fromkeys(row.resource for row in rows))
    found = {(row.domain, row.resource): gauge(row) for row in rows}
    domains = dict.fromkeys(row.domain for row in rows)
    lines = [
        (domain, *(found.get((domain, resource), AS_BEFORE) for resource in resources))
        for domain in domains
    ]
    return card(table(CAPTION, ("Domain", *resources), lines))


def gauge(row: QuotaRow) -> Markup:
    """A bar with its numbers in words; a mark where it stood before, when it moved."""
    if row.limit_after is None or row.used_after is None:
        before = amount(row.limit_before or 0, row.unit)
        return html("{} <small>was {}</small>", tag("gone"), before)
    moved = (row.limit_before, row.used_before) != (row.limit_after, row.used_after)
    return html(
        '<div class="gauge">{}<span class="share">{}</span>{}{}</div>',
        bar(row.used_after, row.limit_after, row.used_before if moved else None),
        _share(row.used_after, row.limit_after),
        of(row.used_after, row.limit_after, row.unit),
        _before(row) if moved else "",
    )


def _share(used: float, limit: float) -> str:
    if not limit:
        return ""
    return f"{used / limit:.0%}" + (" over" if used > limit else "")


def _before(row: QuotaRow) -> Markup:
    if row.used_before is None or row.limit_before is None:
        return html("<br>{}", tag("new"))
    words = of(row.used_before, row.limit_before, row.unit)
    return html("<br><small>was {}</small>", words)


def bar(used: float, limit: float, was: float | None = None) -> Markup:
    """`used` of `limit`; the numbers beside it say the same, so readers of the screen skip it."""
    scale = max(limit, used, was or 0)
    share = used / limit if limit else (2.0 if used else 0.0)
    level = " over" if share > 1 else " high" if share >= HIGH else ""
    mark = (
        ""
        if was is None
        else html('<rect class="was" x="{}" width="0.8" height="8"/>', _of(was, scale, most=99.2))
    )
    return html(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="used{}" width="{}" height="8"/>{}</svg>',
        level,
        _of(used, scale),
        mark,
    )


def _of(value: float, scale: float, most: float = 100) -> str:
    return f"{min(value / scale * 100, most):.4g}" if scale else "0"


def amount(value: float, unit: str) -> str:
    """`12.5 cores`, `40 GiB`, `30 pods`, `$2,000`."""
    if unit == "bytes":
        return f"{_short(value / GIB)} GiB"
    if unit == "USD":
        return f"${_short(value)}"
    if unit == "pods":
        return f"{_short(value)} {'pod' if value == 1 else 'pods'}"
    return f"{_short(value)} {unit}"


def of(used: float, limit: float, unit: str) -> str:
    """`12.5 of 20 cores`, `$900 of $1,200`."""
    if unit == "USD":
        return f"{amount(used, unit)} of {amount(limit, unit)}"
    return f"{amount(used, unit).partition(' ')[0]} of {amount(limit, unit)}"


def _short(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")
