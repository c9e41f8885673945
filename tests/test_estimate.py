"""The estimate against cases that were worked out by hand.

The prices: m6a.xlarge, 4 vCPU and 16 GiB, 0.1728 USD an hour on demand. OpenCost's defaults are
0.031611 a core and 0.004237 a GiB, with which the node would cost
4 x 0.031611 + 16 x 0.004237 = 0.126444 + 0.067792 = 0.194236.
A pod's share of the node is what it asks for at those defaults, by 0.194236.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aspora.aws_prices import aws_prices
from aspora.errors import AsporaError
from aspora.estimate import Part, Prices, estimate, of_domains
from aspora.estimate.platform import divided
from aspora.prices import ModelPrice, Tier, model_prices
from aspora.render import render
from aspora.stack import SandboxOverhead
from tests.core import repository, settings
from tests.estimates import TODAY, amounts, bill_of, cost, domain, of, part, prices, skill


def test_a_service_costs_its_fewest_to_its_most_pods() -> None:
    """250m + 100m of gVisor, 512 Mi + 128 Mi = 0.625 GiB:
    0.35 x 0.031611 + 0.625 x 0.004237 = 0.01106385 + 0.002648125 = 0.013711975
    0.013711975 / 0.194236 = 0.0705944; x 0.1728 = 0.01219872; x 730 = 8.905063 a pod and month.
    2 pods 17.81; 4 pods 35.62; expected 2 + (4 - 2) / 4 = 2.5 pods: 22.262658.
    """
    found = part(cost(scaling={"min": 2, "max": 4}), "compute")
    assert amounts(found) == ("17.81", "22.26", "35.62")
    assert found.keys == ("ec2.m6a.xlarge",)
    assert found.basis == "2 to 4 pods, 2.5 expected, 350m and 640Mi each; m6a.xlarge on demand"


def test_a_pod_in_the_mesh_pays_for_its_sidecar_and_for_the_platforms_nodes() -> None:
    """runc: 250m + 100m and 512 Mi + 128 Mi of istio-proxy, the same sum as above."""
    pets = domain(skill(scaling={"min": 2, "max": 4}))
    runc = {"runtime": "runc", "reason": "needs a driver that gVisor does not know"}
    meshed = pets.model_validate(
        pets.model_dump(by_alias=True, exclude_unset=True) | {"sandbox": runc}
    )
    (found,) = of(meshed).skills
    assert amounts(part(found, "compute")) == ("17.81", "22.26", "35.62")


def test_one_pod_is_the_least_where_the_stack_is_small() -> None:
    """8.905063 at one pod; 1 + (4 - 1) / 4 = 1.75 pods: 15.58386."""
    (found,) = of(domain(skill(scaling={"min": 2, "max": 4})), minimal_replicas=True).skills
    assert amounts(part(found, "compute")) == ("8.91", "15.58", "35.62")


SESSIONS = {"warmPool": 5, "maxSessions": 5, "idleSeconds": 300, "storage": "10Gi"}


def test_sandboxes_cost_their_pool_and_the_sessions_of_the_declared_executions() -> None:
    """50 executions a day of 300 s + 300 s idle: 50 x 600 / 86,400 = 0.347222 sessions.
    500m + 100m, 512 Mi + 128 Mi: 0.6 x 0.031611 + 0.625 x 0.004237 = 0.021614725
    / 0.194236 = 0.11128073; x 0.1728 x 730 = 14.037396 a sandbox and month.
    5: 70.18698; 5.347222: 75.06108; 10: 140.37396.
    Volumes: 10 GiB x 0.08 = 0.80 each: 4.00, 4.2778, 8.00.
    """
    found = cost(
        sessions=SESSIONS,
        executionsPerDay=50,
        resources={"requests": {"cpu": "500m", "memory": "512Mi"}},
    )
    assert amounts(part(found, "compute")) == ("70.19", "75.06", "140.37")
    assert amounts(part(found, "volumes")) == ("4.00", "4.28", "8.00")
    assert part(found, "volumes").keys == ("ebs.gp3",)


def test_sandboxes_without_declared_executions_are_used_by_a_quarter() -> None:
    """5 + 5 / 4 = 6.25 volumes of 0.80: 5.00."""
    assert amounts(part(cost(sessions=SESSIONS), "volumes")) == ("4.00", "5.00", "8.00")


def test_no_more_sessions_are_expected_than_there_may_be() -> None:
    """100,000 a day would be 694 sessions; 5 may be: 10 volumes of 0.80."""
    found = part(cost(sessions=SESSIONS, executionsPerDay=100_000), "volumes")
    assert amounts(found) == ("4.00", "8.00", "8.00")


def test_a_pool_without_volumes_has_no_volumes() -> None:
    assert not cost(sessions={"warmPool": 1}).of("volumes")


CRON: dict[str, Any] = {"schedule": "0 7,14,20 * * *", "spot": True}


def test_scheduled_runs_cost_a_tenth_to_all_of_their_deadlines() -> None:
    """3 x 30.4375 = 91.3125 runs; three tries of 300 s and 120 s between: 1,020 s = 0.283333 h;
    91.3125 x 0.283333 = 25.8719 h. 350m and 640 Mi cost 0.01219872 an hour (above): 0.315604;
    half 0.157802; a tenth 0.03156."""
    found = part(cost(**CRON), "compute")
    assert amounts(found) == ("0.03", "0.16", "0.32")
    assert found.remark == "spot is unpriced: on demand instead, an upper bound"


def test_spot_is_low_and_expected_and_on_demand_is_high() -> None:
    """At 0.0864, half of 0.1728: half of 0.157802 is 0.078901, of 0.03156 is 0.01578."""
    found = part(cost(prices(ec2__m6a__xlarge__spot="0.0864"), **CRON), "compute")
    assert amounts(found) == ("0.02", "0.08", "0.32")
    assert found.remark == ""
    assert found.keys == ("ec2.m6a.xlarge", "ec2.m6a.xlarge.spot")


def test_a_spot_price_above_the_price_on_demand_is_the_high_one() -> None:
    """At 0.3456, twice 0.1728, and no other type: twice 0.03156, 0.157802 and 0.315604."""
    table = prices(
        ec2__m6a__xlarge__spot="0.3456",
        **dict.fromkeys(("ec2__m6a__2xlarge", "ec2__m6i__2xlarge", "ec2__m7i__2xlarge"), None),
    )
    assert amounts(part(cost(table, **CRON), "compute")) == ("0.06", "0.32", "0.63")


def test_the_cheapest_type_of_the_pool_that_holds_the_pod_is_taken() -> None:
    """3,900m and 100m of gVisor do not fit on 4 vCPU, which has 3,620m to give; on m6a.2xlarge:
    4 x 0.031611 + 0.625 x 0.004237 = 0.126444 + 0.002648125 = 0.129092125;
    the node 0.388472; 0.33230741 x 0.3456 x 730 = 83.837177 a pod."""
    asked = {"requests": {"cpu": "3900m"}, "limits": {"cpu": "4"}}
    found = part(cost(scaling={"min": 1, "max": 1}, resources=asked), "compute")
    assert amounts(found) == ("83.84", "83.84", "83.84")
    assert found.keys == ("ec2.m6a.2xlarge",)


def test_a_pod_that_no_type_holds_is_unpriced() -> None:
    asked = {"requests": {"cpu": "9"}, "limits": {"cpu": "9"}}
    found = part(cost(resources=asked), "compute")
    assert amounts(found) == (None, None, None)
    assert found.missing == "no instance type of the pool gvisor that holds the pod has a price"


def test_no_price_of_any_type_is_unpriced_and_not_nothing() -> None:
    table = prices(
        **dict.fromkeys([f"ec2__m6{k}__{s}" for k in "ai" for s in ("xlarge", "2xlarge")], None)
    )
    found = cost(table)
    assert amounts(part(found, "compute")) == (None, None, None)
    assert found.sums.high.missing == 1


def test_volumes_without_a_price_are_unpriced() -> None:
    found = part(cost(prices(ebs__gp3=None), sessions=SESSIONS), "volumes")
    assert (amounts(found), found.missing) == ((None, None, None), "ebs.gp3 has no price")


# --- Models

TOKENS = {"input": 12_000, "output": 1_500}
BUDGET = {"perExecutionUSD": 0.04, "monthlyUSD": 600}


def test_models_cost_executions_times_tokens() -> None:
    """12,000 x 1 + 1,500 x 5 = 19,500 millionths = 0.0195; 450 a day x 30.4375 = 13,696.875;
    267.0890625; half 133.54453; the budget 600."""
    found = part(cost(budget=BUDGET, executionsPerDay=450, tokensPerExecution=TOKENS), "models")
    assert amounts(found) == ("133.54", "267.09", "600.00")
    assert found.basis == "13697 executions a month with claude-haiku-4-5 at 0.0195 USD"
    assert found.keys == ("model.claude-haiku-4-5",)
    assert found.remark == ""


def test_a_schedule_declares_its_own_executions() -> None:
    """1 a day: 30.4375 x 0.0195 = 0.59353; half 0.29677."""
    found = cost(schedule="0 2 * * *", budget=BUDGET, tokensPerExecution=TOKENS)
    assert amounts(part(found, "models")) == ("0.30", "0.59", "600.00")


def test_where_a_call_may_be_so_long_that_it_costs_more_it_is_said() -> None:
    table = prices(models={"claude-haiku-4-5": ModelPrice(1, 5, tiers=(Tier(12_000, 2, 9),))})
    found = cost(table, budget=BUDGET, executionsPerDay=450, tokensPerExecution=TOKENS)
    assert amounts(part(found, "models")) == ("133.54", "267.09", "600.00")
    assert part(found, "models").remark == "calls of 12000 prompt tokens or more would cost more"
    short = cost(
        table, budget=BUDGET, executionsPerDay=1, tokensPerExecution={"input": 11_999, "output": 1}
    )
    assert part(short, "models").remark == ""


def test_an_execution_costs_no_more_than_it_may() -> None:
    """0.0195 is cut to 0.01: 13,696.875 x 0.01 = 136.96875; half 68.484."""
    budget = {"perExecutionUSD": 0.01, "monthlyUSD": 600}
    found = part(cost(budget=budget, executionsPerDay=450, tokensPerExecution=TOKENS), "models")
    assert amounts(found) == ("68.48", "136.97", "600.00")
    assert found.remark == "an execution would cost 0.0195, beyond perExecutionUSD"


def test_a_month_costs_no_more_than_the_budget() -> None:
    """267.09 is cut to 200; half of the executions, 133.54, is within."""
    budget = {"perExecutionUSD": 0.04, "monthlyUSD": 200}
    found = part(cost(budget=budget, executionsPerDay=450, tokensPerExecution=TOKENS), "models")
    assert amounts(found) == ("133.54", "200.00", "200.00")
    assert found.remark == "a month would cost 267.09, beyond monthlyUSD"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"tokensPerExecution": TOKENS}, "not estimated: executionsPerDay is not declared"),
        ({"executionsPerDay": 450}, "not estimated: tokensPerExecution is not declared"),
        ({}, "not estimated: executionsPerDay is not declared"),
        ({"schedule": "0 2 * * *"}, "not estimated: tokensPerExecution is not declared"),
    ],
)
def test_what_is_not_declared_is_not_estimated_and_its_cap_is_shown(
    fields: dict[str, Any], why: str
) -> None:
    found = cost(budget=BUDGET, **fields)
    assert amounts(part(found, "models")) == (None, None, "600.00")
    assert part(found, "models").missing == why
    assert found.sums.expected.missing == 1
    assert found.sums.high.missing == 0


def test_a_model_without_a_price_is_unpriced_within_its_cap() -> None:
    table = prices(models={"other": ModelPrice(1, 1)})
    found = cost(table, budget=BUDGET, executionsPerDay=450, tokensPerExecution=TOKENS)
    assert amounts(part(found, "models")) == (None, None, "600.00")
    assert part(found, "models").missing.startswith("unpriced: claude-haiku-4-5")


def test_executions_of_prod_say_nothing_of_staging() -> None:
    table = prices(ec2__t3a__large="0.0752")
    found = cost(
        table, stack="staging", budget=BUDGET, executionsPerDay=450, tokensPerExecution=TOKENS
    )
    assert amounts(part(found, "models")) == (None, None, "600.00")
    assert "this is staging" in part(found, "models").missing


def test_a_skill_without_a_model_has_no_models() -> None:
    (found,) = of(domain(skill(), model=None)).skills
    assert not found.of("models")


# --- The platform


def test_the_platform_is_the_bill_without_what_skills_ask_for() -> None:
    """Two skills of 2 to 4 pods of 8.905063: each 17.81 in the bill, expected 22.26 each.
    Nodes 500.00 - 2 x 17.81 = 464.38; with 100.01 of others 564.39; halves 282.20 and 282.19, the
    odd cent to the first."""
    bill = bill_of(control_plane=("eks.cluster", "100.01"), nodes=("ec2.m6a.xlarge", "500.00"))
    two = domain(
        skill(scaling={"min": 2, "max": 4}), skill(name="other", scaling={"min": 2, "max": 4})
    )
    found = of(two, bill=bill)
    assert found.shared == (
        ("control plane", Decimal("100.01")),
        ("nodes, without the room that skills ask for", Decimal("464.38")),
    )
    assert [amounts(part(one, "platform")) for one in found.skills] == [
        ("282.20", "282.20", "282.20"),
        ("282.19", "282.19", "282.19"),
    ]
    assert found.undivided == ()
    # At the fewest pods the estimate is the bill. Models are not in it: none is declared.
    assert found.total.low.usd == Decimal("600.01")


def test_scheduled_runs_are_in_the_bill_until_their_deadlines() -> None:
    """0.315604 of nodes of 14.00 (above): 14.00 - 0.32 = 13.68."""
    found = of(domain(skill(**CRON)), bill=bill_of(runs=("ec2.m6a.xlarge", "14.00")))
    assert found.shared == (("nodes, without the room that skills ask for", Decimal("13.68")),)


def test_volumes_of_warm_sandboxes_are_the_skills_own() -> None:
    """5 x 10 GiB x 0.08 = 4.00 of them; 6.00 in the bill leave 2.00."""
    bill = bill_of(volumes_of_warm_sandboxes=("ebs.gp3", "6.00"))
    found = of(domain(skill(sessions=SESSIONS)), bill=bill)
    assert found.shared is not None
    assert ("volumes of warm sandboxes", Decimal("2.00")) in found.shared


def test_a_line_without_a_price_is_nobodys_and_unknown() -> None:
    bill = bill_of(control_plane=("eks.cluster", "73"), firewall=("dns-firewall.advanced", None))
    found = of(domain(skill()), bill=bill)
    assert found.undivided == (Part("platform", "firewall", missing="firewall has no price"),)
    assert found.total.high.missing == 1


def test_without_any_compute_the_platform_is_undivided() -> None:
    found = of(domain(), bill=bill_of(control_plane=("eks.cluster", "73.00")))
    (whole,) = found.undivided
    assert amounts(whole) == ("73.00", "73.00", "73.00")
    assert whole.basis == "no compute to divide it by"


@pytest.mark.parametrize(
    ("whole", "weights", "shares"),
    [
        # 33.333…: three cents short of 100 go to the first, of equal remainders.
        ("100.00", ("1", "1", "1"), ("33.34", "33.33", "33.33")),
        # 0.2525 and 0.7575: the odd cent to the larger remainder.
        ("1.01", ("10", "30"), ("0.25", "0.76")),
        # 0.02 to three: one cent each to the first two.
        ("0.02", ("5", "5", "5"), ("0.01", "0.01", "0.00")),
        ("7.00", ("0", "2"), ("0.00", "7.00")),
    ],
)
def test_no_cent_is_lost(whole: str, weights: tuple[str, ...], shares: tuple[str, ...]) -> None:
    found = divided(Decimal(whole), [Decimal(weight) for weight in weights])
    assert tuple(map(str, found)) == shares


# --- What cannot be estimated


def test_local_has_no_cost() -> None:
    with pytest.raises(AsporaError, match="the stack local has no AWS side"):
        of(domain(skill()), stack="local")


def test_a_region_without_prices_is_an_error() -> None:
    with pytest.raises(AsporaError, match="no prices are known for eu-west-1"):
        of(domain(skill()), region="eu-west-1")


def test_everything_that_prods_skills_use_has_a_price() -> None:
    shipped = Prices(aws_prices(), model_prices())
    found = of(*repository(), table=shipped)
    assert len(found.skills) == 15
    assert found.total.high.missing == 0
    assert {key for key in found.keys if key.startswith("ec2.")} == {"ec2.m6a.xlarge"}


def test_domains_alone_cost_what_they_cost_with_the_platform_around_them() -> None:
    everything, stack = (
        repository(),
        settings("prod", sandbox_overhead=SandboxOverhead(memoryMiB=512)),
    )
    whole = estimate(everything, render(everything, stack), stack, TODAY)
    assert of_domains(everything, stack, TODAY).skills == whole.skills
    some = of_domains(everything, stack, TODAY, only={"fraud"})
    assert some.skills == whole.of("fraud")
    assert "1024Mi" in some.skills[0].parts[0].basis


def test_parts_are_told_apart_by_what_they_rest_on() -> None:
    """A change of replicas without a price is a change: the delta says it is not known."""
    found = part(cost(prices(ec2__m6a__xlarge=None)), "compute")
    assert replace(found, basis="other") != found
