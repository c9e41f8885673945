"""What holds of every estimate, whatever is declared and whatever has a price."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aspora.bill.lines import Bill
from aspora.estimate import MEASURES, Estimate, Part, Prices, delta, summed
from aspora.estimate.documents import document
from aspora.prices import ModelPrice
from tests.estimates import AWS, bill_of, domain, of, prices

MAYBE = st.one_of(st.none(), st.decimals("0.0001", "20", places=4).map(str))

tables = st.builds(
    lambda aws, models: prices(
        {name: price for name, price in models.items() if price}, **dict(aws)
    ),
    st.fixed_dictionaries({key.replace(".", "__"): MAYBE for key in AWS}).flatmap(
        lambda aws: st.one_of(
            st.just(aws), MAYBE.map(lambda usd: aws | {"ec2__m6a__xlarge__spot": usd})
        )
    ),
    st.fixed_dictionaries(
        {
            "claude-haiku-4-5": st.one_of(
                st.none(), st.builds(ModelPrice, st.floats(0.01, 100), st.floats(0.01, 100))
            )
        }
    ),
)
counts = st.integers(1, 60)
shapes = st.one_of(
    st.builds(
        lambda least, more: {"scaling": {"min": least, "max": least + more}},
        counts,
        st.integers(0, 60),
    ),
    st.builds(
        lambda warm, most, storage: {
            "sessions": {"warmPool": warm, "maxSessions": most}
            | ({"storage": storage} if storage else {})
        },
        st.integers(0, 20),
        counts,
        st.sampled_from([None, "1Gi", "500Gi"]),
    ),
    st.sampled_from([{"schedule": "0 2 * * *"}, {"schedule": "*/5 * * * *", "spot": True}]),
)
declared = st.fixed_dictionaries(
    {},
    optional={
        "executionsPerDay": st.integers(1, 10_000_000),
        "tokensPerExecution": st.fixed_dictionaries(
            {"input": st.integers(1, 1_000_000), "output": st.integers(1, 100_000)}
        ),
        "budget": st.just({"perExecutionUSD": 0.5, "monthlyUSD": 700}),
        "resources": st.sampled_from(
            [{"requests": {"cpu": cpu}, "limits": {"cpu": "9"}} for cpu in ("100m", "3", "7", "9")]
        ),
    },
)
skills = st.lists(st.builds(lambda shape, more: shape | more, shapes, declared), max_size=3)
bills = st.one_of(
    st.none(),
    st.builds(
        lambda nodes, other: bill_of(nodes=("ec2.m6a.xlarge", nodes), other=("eks.cluster", other)),
        st.decimals(0, 9000, places=2).map(str),
        MAYBE,
    ),
)


def estimated(listed: list[Mapping[str, Any]], table: Prices, bill: Bill | None) -> Estimate:
    named = [{"name": f"skill-{index}", **fields} for index, fields in enumerate(listed)]
    return of(domain(*named), table=table, bill=bill)


def holds(part: Part) -> None:
    """Known together, in order, and never 0 for want of a price."""
    assert (part.low is None) == (part.expected is None)
    if part.expected is not None and part.low is not None:
        assert part.high is not None
        assert 0 <= part.low <= part.expected <= part.high
    assert bool(part.missing) == (part.expected is None)


@settings(max_examples=60, deadline=None)
@given(skills, tables, bills)
def test_every_estimate_holds(
    listed: list[Mapping[str, Any]], table: Prices, bill: Bill | None
) -> None:
    found = estimated(listed, table, bill)
    for part in found.parts:
        holds(part)
    _adds_up(found)
    if bill is not None:
        _is_divided_whole(found, bill)


def _adds_up(found: Estimate) -> None:
    """The total is the sum of its domains, and they of their skills, in figures as they print."""
    printed = document(found)
    for measure in MEASURES:
        total = printed["total"][measure]
        of_skills = [skill["total"][measure] for skill in printed["skills"]]
        rest = summed(found.undivided).money(measure)
        assert Decimal(total["usd"]) == sum((Decimal(s["usd"]) for s in of_skills), rest.usd)
        assert total["missing"] == sum((s["missing"] for s in of_skills), rest.missing)
        unknown = [part for part in found.parts if part.usd(measure) is None]
        assert total["missing"] == len(unknown)


def _is_divided_whole(found: Estimate, bill: Bill) -> None:
    shared = sum((usd for _, usd in found.shared or ()), Decimal(0))
    borne = sum((p.high or Decimal(0) for p in found.parts if p.kind == "platform"), Decimal(0))
    assert borne == shared
    assert len(bill.unpriced) == sum(bool(p.missing) for p in found.undivided)


@settings(max_examples=30, deadline=None)
@given(skills, skills, tables)
def test_every_difference_holds(
    before: list[Mapping[str, Any]], after: list[Mapping[str, Any]], table: Prices
) -> None:
    base, head = estimated(before, table, None), estimated(after, table, None)
    found, back = delta(base, head), delta(head, base)
    for measure in MEASURES:
        there, again = found.change(measure), back.change(measure)
        assert (there.usd, there.missing) == (-again.usd, again.missing)
        if not there.missing and not head.total.money(measure).missing:
            gone = head.total.money(measure).usd - base.total.money(measure).usd
            assert there.usd == gone
    assert delta(head, head).changed == ()
    assert {row.skill for row in found.rows} == {s.skill for s in (*base.skills, *head.skills)}


@settings(max_examples=30, deadline=None)
@given(skills, tables)
def test_a_price_less_can_only_make_more_unknown(
    listed: list[Mapping[str, Any]], table: Prices
) -> None:
    """Never cheaper: what loses its price is missing from the sum, and counted as missing."""
    none = prices({}, **dict.fromkeys((key.replace(".", "__") for key in AWS), None))
    found, bare = estimated(listed, table, None), estimated(listed, none, None)
    for measure in MEASURES:
        assert bare.total.money(measure).missing >= found.total.money(measure).missing
    for skill in bare.skills:
        for part in skill.parts:
            assert part.expected is None
            assert part.kind == "models" or part.high is None
