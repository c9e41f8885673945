"""The parts of a report that others compute: what a change costs, what our rules say of it, and
whether domains stay apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from aspora.changes.model import Cell, Section
from aspora.checks import Finding
from aspora.estimate.amounts import MEASURES
from aspora.estimate.delta import CostDelta, DeltaRow
from aspora.estimate.words import change
from aspora.isolation import text as isolation_text
from aspora.isolation.model import Proof

SKILLS_ONLY = "What skills cause themselves; aspora cost shows the platform's part and every price."


def cost(found: CostDelta, stack: str) -> Section:
    """USD a month on a stack, by skill and in all; what has no price is said, and is in no sum."""
    changed = found.changed
    if not changed:
        return Section("Cost", "ok", f"no skill's cost changes on {stack}")
    low, expected, high = (change(found.change(measure)) for measure in MEASURES)
    unknown = any(found.change(measure).unknown for measure in MEASURES)
    rows = [
        *(_cost_row(row) for row in changed),
        ("all", low, expected, high),
    ]
    return Section(
        "Cost",
        "attention" if unknown or found.change("high").usd > 0 else "ok",
        f"USD a month on {stack}: {expected} expected, {low} low, {high} high",
        ("Skill", "Low", "Expected", "High"),
        tuple(rows),
        SKILLS_ONLY,
    )


def _cost_row(row: DeltaRow) -> tuple[Cell, ...]:
    return (row.skill, *(change(row.change(measure)) for measure in MEASURES))


def checks(before: Collection[Finding], after: Collection[Finding]) -> Section:
    """What our rules find since this change, and what it mends."""
    new, mended = sorted(set(after) - set(before)), sorted(set(before) - set(after))
    if not new and not mended:
        kept = f"; {len(after)} were there before" if after else ""
        return Section("Rules", "ok", f"no new finding{kept}")
    return Section(
        "Rules",
        "failure" if new else "ok",
        f"{len(new)} new, {len(mended)} mended",
        ("", "Rule", "Object", "What"),
        (*_findings("new", new), *_findings("mended", mended)),
        "aspora explain CODE says why a rule is there.",
    )


def _findings(which: str, found: Iterable[Finding]) -> Iterator[tuple[Cell, ...]]:
    for one in found:
        place = "/".join(filter(None, (one.ref.namespace, one.ref.name)))
        yield which, one.code, f"{one.ref.kind} {place}", one.message


def isolation(proof: Proof) -> Section:
    """The verdict on the head, with everything that breaks it."""
    return Section(
        "Isolation",
        "ok" if proof.ok else "failure",
        isolation_text.verdict(proof),
        ("Finding", "What") if proof.findings else (),
        tuple((one.subject, one.message) for one in proof.findings),
        "aspora isolation shows the matrix, and what opens a path.",
    )
