"""What `aspora diff --complete` adds: cost, rules, isolation."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aspora.changes import sections
from aspora.checks import Finding
from aspora.estimate.amounts import Part
from aspora.estimate.delta import CostDelta, DeltaRow
from aspora.isolation.model import Finding as Broken
from aspora.isolation.model import Proof
from aspora.render.objects import Ref


def compute(usd: str) -> Part:
    """A part of one known amount: a third of it at least, twice of it at most."""
    amount = Decimal(usd)
    return Part("compute", "requests", amount / 3, amount, amount * 2)


def test_a_change_of_cost_is_told_by_skill_and_in_all() -> None:
    rows = (
        DeltaRow("cats", "cats/keeper/feed", (compute("9"),), (compute("15"),)),
        DeltaRow("cats", "cats/keeper/groom", (compute("6"),), None),
        DeltaRow("cats", "cats/keeper/walk", (compute("3"),), (compute("3"),)),
    )
    section = sections.cost(CostDelta(rows), "prod")
    assert section.columns == ("Skill", "Low", "Expected", "High")
    # 15 - 9 = 6, a third of it and twice of it; then the 6 of the skill that goes.
    assert section.rows == (
        ("cats/keeper/feed", "+2.00", "+6.00", "+12.00"),
        ("cats/keeper/groom", "-2.00", "-6.00", "-12.00"),
        ("all", "0.00", "0.00", "0.00"),
    )
    assert section.status == "ok"


def test_what_has_no_price_is_never_nothing() -> None:
    unpriced = Part("models", "budget", missing="no price")
    section = sections.cost(CostDelta((DeltaRow("cats", "cats/a/b", None, (unpriced,)),)), "prod")
    assert section.status == "attention"
    assert "unknown" in section.summary
    assert "unknown" in str(section.rows[0])


def test_no_change_of_cost_is_said() -> None:
    row = DeltaRow("cats", "cats/a/b", (compute("1"),), (compute("1"),))
    section = sections.cost(CostDelta((row,)), "prod")
    assert section.summary == "no skill's cost changes on prod"


def finding(name: str) -> Finding:
    return Finding("ASP501", Ref("apps", "Deployment", "cats", name), "image without a digest")


@pytest.mark.parametrize(
    ("before", "after", "summary", "status"),
    [
        ((), (), "no new finding", "ok"),
        (("old",), ("old",), "no new finding; 1 were there before", "ok"),
        ((), ("new",), "1 new, 0 mended", "failure"),
        (("old",), (), "0 new, 1 mended", "ok"),
        (("old",), ("new",), "1 new, 1 mended", "failure"),
    ],
)
def test_findings_are_compared(
    before: tuple[str, ...], after: tuple[str, ...], summary: str, status: str
) -> None:
    section = sections.checks(tuple(map(finding, before)), tuple(map(finding, after)))
    assert (section.summary, section.status) == (summary, status)


def test_a_new_finding_names_rule_object_and_words() -> None:
    section = sections.checks((), (finding("vet"),))
    assert section.rows == (("new", "ASP501", "Deployment cats/vet", "image without a digest"),)


def proof(*broken: Broken) -> Proof:
    counts = dict.fromkeys(
        ("skills", "objects", "awsResources", "declaredCrossings", "undeclaredCrossings"), 1
    )
    return Proof("staging", ("cats", "dogs"), (), (), (), (), (), broken, (), counts)


def test_a_broken_proof_says_what_breaks_it() -> None:
    broken = Broken("crossing", "cats/a -> dogs/b", "is open", ("NetworkPolicy x",))
    section = sections.isolation(proof(broken))
    assert section.status == "failure"
    assert section.rows == (("cats/a -> dogs/b", "is open"),)
    assert sections.isolation(proof()).status == "ok"
