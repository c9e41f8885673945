"""The gate on what a change costs: `aspora estimate-cost`, as text, JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from aspora.changes.escape import sentence
from aspora.estimate.amounts import MEASURES, Measure, Money
from aspora.estimate.delta import CostDelta, DeltaRow
from aspora.estimate.documents import delta_document, money
from aspora.estimate.text import aligned, markdown_table
from aspora.estimate.words import change, usd

APPROVAL = "cost-approved"
"""The label of a pull request that lets a change pass which costs more than the threshold."""
COLUMNS = ("Skill", "Before", "After", "Low", "Expected", "High", "Counted")
RIGHT = (False, True, True, True, True, True, True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a change costs against a threshold in USD a month, and whether somebody approved it.

    Counted is the amount of `measure`, and the cap where only a cap is known. What cannot be known
    does not pass: a price that is missing must not be a way around the gate.
    """

    found: CostDelta
    threshold: Decimal
    labels: tuple[str, ...] = ()
    measure: Measure = "expected"

    @property
    def weight(self) -> Money:
        """What is held against the threshold."""
        return self.found.weight(self.measure)

    @property
    def exceeds(self) -> bool:
        """Whether the change costs more than the threshold, or nobody knows."""
        return self.weight.unknown or self.weight.usd > self.threshold

    @property
    def approved(self) -> bool:
        """Whether the label that approves is there."""
        return APPROVAL in self.labels

    @property
    def passes(self) -> bool:
        """Whether it may be merged."""
        return self.approved or not self.exceeds

    @property
    def words(self) -> str:
        """The verdict in one line."""
        weight = self.weight
        limit = f"threshold {self.threshold:,.2f}"
        if not self.exceeds:
            return f"{change(weight)} USD a month, {limit}: within"
        ending = (
            f"approved by the label {APPROVAL}" if self.approved else f"label {APPROVAL} approves"
        )
        if weight.unknown:
            return f"{change(weight)} USD a month, {limit}: not all is known; {ending}"
        return f"{change(weight)} USD a month, {limit}: exceeded; {ending}"


def render(verdict: Verdict, style: str) -> str:
    """The verdict in `style`: text, json or markdown."""
    return {"text": _text, "json": _json, "markdown": _markdown}[style](verdict)


def _rows(verdict: Verdict) -> Iterator[tuple[str, ...]]:
    found = verdict.found
    for row in found.changed:
        counted = change(row.weight(verdict.measure))
        yield f"  {row.skill}", *_sides(row), *_changes(row), counted
    yield (
        "total",
        "",
        "",
        *(change(found.change(measure)) for measure in MEASURES),
        change(verdict.weight),
    )


def _sides(row: DeltaRow) -> tuple[str, str]:
    """Expected before and after; a dash where there was or is no such skill."""
    before = "-" if row.before is None else usd(row.sums_before.expected)
    return before, "-" if row.after is None else usd(row.sums_after.expected)


def _changes(row: DeltaRow) -> tuple[str, ...]:
    return tuple(change(row.change(measure)) for measure in MEASURES)


def _reasons(found: CostDelta) -> Iterator[str]:
    """What is not known or stands for another amount, of the parts as they will be."""
    for row in found.changed:
        for part in row.after or ():
            for why in filter(None, (part.missing, part.remark)):
                yield f"{row.skill}, {part.kind}: {why}"


def _text(verdict: Verdict) -> str:
    found = verdict.found
    if not found.changed:
        return f"no skill's cost changes\n{verdict.words}\n"
    reasons = [f"  {reason}" for reason in _reasons(found)]
    listed = ["", "Not certain:", *reasons] if reasons else []
    table = aligned((COLUMNS, *_rows(verdict)), RIGHT)
    return "\n".join([*table, *listed, "", verdict.words]) + "\n"


def _markdown(verdict: Verdict) -> str:
    found = verdict.found
    if not found.changed:
        return f"No skill's cost changes.\n\n{sentence(verdict.words)}\n"
    reasons = [f"- {sentence(reason)}" for reason in _reasons(found)]
    listed = ["", "Not certain:", "", *reasons] if reasons else []
    table = markdown_table((COLUMNS, *_rows(verdict)), RIGHT)
    return "\n".join([f"**{sentence(verdict.words)}**", "", *table, *listed]) + "\n"


def _json(verdict: Verdict) -> str:
    document = delta_document(verdict.found) | {
        "verdict": {
            "measure": verdict.measure,
            "counted": money(verdict.weight),
            "threshold": f"{verdict.threshold:.2f}",
            "exceeds": verdict.exceeds,
            "approved": verdict.approved,
            "passes": verdict.passes,
        }
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
