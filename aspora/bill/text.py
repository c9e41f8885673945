"""A bill for people: a table of aligned columns, or one in Markdown."""

from __future__ import annotations

from decimal import Decimal

from aspora.bill.lines import Bill, Line

HEAD = ("What", "Count", "USD", "per", "USD a month", "Basis")
RIGHT = (False, True, True, False, True, False)


def format_text(bill: Bill) -> str:
    """Lines, total, and what the total is without; ends in a newline."""
    rows = [HEAD, *(_row(line) for line in bill.lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    table = [_aligned(row, widths) for row in rows]
    return "\n".join([*table, "", *_summary(bill)]) + "\n"


def format_markdown(bill: Bill) -> str:
    """What, how much of it, and USD a month, with a row of the total; for docs/costs.md."""
    rows = [
        "| What | Count | USD a month |",
        "|---|--:|--:|",
        *(f"| {line.what} | {number(line.count)} | {_usd(line)} |" for line in bill.lines),
        f"| **Total** | | **{bill.total:.2f}** |",
    ]
    return "\n".join(rows) + "\n"


def number(value: Decimal) -> str:
    """At most two decimals, none that are 0: 3, 0.5, 1205.25."""
    text = f"{value:.2f}"
    return text.rstrip("0").rstrip(".")


def _row(line: Line) -> tuple[str, ...]:
    each = "?" if line.price.usd is None else f"{line.price.usd.normalize():f}"
    return line.what, number(line.count), each, line.price.per, _usd(line), line.basis


def _usd(line: Line) -> str:
    return "unpriced" if line.usd is None else f"{line.usd:.2f}"


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    cells = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(row, widths, RIGHT, strict=True)
    )
    return "  ".join(cells).rstrip()


def _summary(bill: Bill) -> list[str]:
    head = f"{bill.stack}: {bill.total:.2f} USD a month, list prices of {bill.region}"
    summary = [f"{head} as of {bill.prices_as_of}"]
    if bill.unpriced:
        summary.append(f"unpriced: {', '.join(line.what for line in bill.unpriced)}")
    count = sum(item.count for item in bill.free)
    if count:
        types = "1 type" if len(bill.free) == 1 else f"{len(bill.free)} types"
        summary.append(f"free by themselves: {count} resources of {types}")
    return summary
