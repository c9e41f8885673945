"""An estimate for people: aligned columns, or Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aspora.changes.escape import code, sentence
from aspora.estimate import Estimate
from aspora.estimate.assumptions import RULES
from aspora.estimate.figures import NO_DATE, Figure, of_skills
from aspora.estimate.words import COLUMNS, RIGHT, ages, missing, rows


def as_text(found: Estimate) -> str:
    """The table, what is not known, what is assumed, and the prices with their sources."""
    lines = [
        *aligned((COLUMNS, *rows(found)), RIGHT),
        "",
        f"{found.stack}: USD a month. Compute, Models and Platform are the expected amounts.",
    ]
    lines += _section("Not certain", missing(found))
    if found.shared is None:
        lines += ["", "The platform's own cost is not in it."]
    lines += _section("Assumed", (f"{name}: {rule}" for name, rule in RULES.items()))
    lines += _section("Prices of skills", (_figure(figure) for figure in of_skills(found)))
    return "\n".join([*lines, "", ages(found)]) + "\n"


def aligned(table: Sequence[Sequence[str]], right: Sequence[bool]) -> Iterator[str]:
    """Columns of one width each, numbers to the right."""
    widths = [max(len(row[index]) for row in table) for index in range(len(right))]
    for row in table:
        columns = zip(row, widths, right, strict=True)
        yield "  ".join(
            cell.rjust(width) if number else cell.ljust(width) for cell, width, number in columns
        ).rstrip()


def _section(title: str, lines: Iterable[str]) -> list[str]:
    listed = [f"  {line}" for line in lines]
    return ["", f"{title}:", *listed] if listed else []


def _figure(figure: Figure) -> str:
    return f"{figure.key}: {figure.amount}, {figure.as_of or NO_DATE}; {figure.source}"


def as_markdown(found: Estimate) -> str:
    """For a comment or a page: the table, what is not known, and the rest folded away."""
    lines = [*markdown_table((COLUMNS, *rows(found)), RIGHT), ""]
    lines += [f"{found.stack}: USD a month. Compute, Models and Platform are the expected amounts."]
    listed = [f"- {sentence(line)}" for line in missing(found)]
    lines += ["", "Not certain:", "", *listed] if listed else []
    if found.shared is None:
        lines += ["", "The platform's own cost is not in it."]
    lines += ["", "<details><summary>What is assumed, and the prices</summary>", ""]
    lines += [f"- {name}: {rule}" for name, rule in RULES.items()]
    lines += ["", *(f"- {sentence(_figure(figure))}" for figure in of_skills(found)), ""]
    return "\n".join([*lines, sentence(ages(found)), "", "</details>"]) + "\n"


def markdown_table(table: Sequence[Sequence[str]], right: Sequence[bool]) -> Iterator[str]:
    """A table in Markdown; the first row is its head."""
    head, *body = table
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('--:' if number else '---' for number in right)}|"
    for row in body:
        first = row[0].strip()
        name = code(first, cell=True) if row[0].startswith("  ") else f"**{first}**"
        yield f"| {' | '.join((name, *row[1:]))} |"
