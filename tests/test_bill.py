"""A bill as text, what cannot be billed, both stacks for real, and docs/costs.md."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from aspora.bill import Bill, bill, format_markdown, format_text, left_out
from aspora.bill.usage import ASSUMPTIONS
from aspora.errors import AsporaError
from aspora.named_secrets import named_secrets
from aspora.services.releases import releases
from aspora.stack import StackSettings
from infra.registered_stack import registered
from tests.bills import STACKS, line, priced, raw_table, resource
from tests.core import ROOT, platform, repository, settings
from tests.pages import table

PAGE = ROOT / "docs/costs.md"
TARGETS = {"staging": (400, 560), "prod": (2000, 5000)}
"""USD a month: about 500, and 2,000 to 5,000."""
UNPRICED_SHARE = Decimal("0.05")
"""Of the lines: with more of them without a price, the total says little."""


def test_the_text_of_a_small_bill() -> None:
    found = priced(
        resource("ec2.NatGateway"),
        resource("ec2.Eip"),
        resource("ec2.Subnet", "a"),
        resource("ec2.Subnet", "b"),
        resource("elasticache.ReplicationGroup", engine="redis", nodeType="cache.t4g.micro"),
    )
    assert (
        format_text(found)
        == """\
What                               Count     USD  per               USD a month  Basis
NAT gateway                            1   0.045  hour                    32.85  730 h a month
data through NAT                     100   0.045  GB                       4.50  assumed
public IPv4 address                    1   0.005  hour                     3.65  730 h a month
ElastiCache redis cache.t4g.micro      1       ?  month                unpriced  730 h a month
secret made by bootstrap               0     0.4  secret-month             0.00  a month
requests to Secrets Manager         0.05       5  million requests         0.25  assumed
root volumes of Karpenter's nodes      0    0.08  GB-month                 0.00  50 GiB a node
network load balancer                  1  0.0225  hour                    16.43  assumed
capacity of the load balancer        0.5   0.006  hour                     2.19  assumed

staging: 59.87 USD a month, list prices of us-east-1 as of 2026-10
unpriced: ElastiCache redis cache.t4g.micro
free by themselves: 2 resources of 1 type
"""
    )


def test_equal_charges_are_one_line_whatever_the_order() -> None:
    resources = [resource("ec2.Eip", n) for n in "abc"] + [resource("ec2.NatGateway")]
    assert priced(*resources) == priced(*reversed(resources))
    assert line(priced(*resources), "public IPv4 address").count == 3


# --- What cannot be billed


def test_local_has_no_bill() -> None:
    with pytest.raises(AsporaError) as caught:
        bill((), (), (), settings("local"))
    assert caught.value.message == "the stack local has no AWS side, so it has no bill"
    assert caught.value.hint == "staging and prod have one"


def test_a_region_without_prices_is_an_error() -> None:
    with pytest.raises(AsporaError) as caught:
        bill((), (), (), settings("staging", region="eu-west-1"))
    assert caught.value.message == "no prices are known for eu-west-1"
    assert caught.value.hint == "aspora/data/aws-prices.json holds those of us-east-1"


# --- Both stacks for real


@cache
def real(stack: str) -> Bill:
    wanted = settings(stack)
    secrets = named_secrets(repository(), wanted)
    installed = releases(wanted, repository())
    return bill(registered(stack, ROOT), platform(stack), secrets, wanted, installed=installed)


@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_costs_what_it_should(stack: str) -> None:
    least, most = TARGETS[stack]
    found = real(stack)
    assert least <= found.total <= most, format_text(found)
    assert len(found.unpriced) <= UNPRICED_SHARE * len(found.lines), format_text(found)


@pytest.mark.parametrize("stack", STACKS)
def test_the_budget_that_warns_is_above_the_bill(stack: str) -> None:
    aws = settings(stack).aws
    assert aws is not None
    assert real(stack).total <= Decimal(str(aws.spending.monthly_usd))


def test_prod_has_what_staging_leaves_out() -> None:
    wanted = settings("staging")
    words = left_out(wanted)
    assert len(words) == 11
    assert left_out(settings("prod")) == ()
    assert left_out(settings("local")) == ()


def changed(stack: StackSettings, part: str, **values: Any) -> StackSettings:
    """The stack with fields of one part of its AWS side changed."""
    assert stack.aws is not None
    piece = getattr(stack.aws, part).model_copy(update=values)
    return stack.model_copy(update={"aws": stack.aws.model_copy(update={part: piece})})


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        (
            "network",
            {"nat": "single"},
            "one NAT gateway: with its zone, every zone loses the way out",
        ),
        ("network", {"endpoint_zones": 2}, "interface endpoints in 2 of 3 zones"),
        ("network", {"dns_firewall": False}, "no DNS Firewall"),
        ("database", {"multi_az": False}, "no standby of PostgreSQL in another zone"),
        ("cache", {"replicas": 0}, "no replica of Valkey"),
        ("detection", {"guardduty": False}, "no GuardDuty"),
        ("detection", {"cloudtrail": False}, "no CloudTrail trail"),
    ],
)
def test_what_is_left_out_follows_the_settings(
    part: str, values: dict[str, Any], words: str
) -> None:
    assert left_out(changed(settings("prod"), part, **values)) == (words,)


def test_one_pod_of_each_service_is_left_out_too() -> None:
    assert left_out(settings("prod", minimal_replicas=True)) == (
        "no nodes of their own for platform services: they share the system nodes",
        "one pod of each service skill and one warm sandbox",
    )


# --- docs/costs.md


def page_bill(stack: str) -> dict[str, str]:
    """What and USD a month of the table below the heading of that stack."""
    text = PAGE.read_text("utf-8").split(f"## {stack}\n", 1)[1].split("\n## ", 1)[0]
    rows = [row.strip("|").split("|") for row in text.splitlines() if row.startswith("|")]
    return {row[0].strip(): row[2].strip() for row in rows[2:]}


@pytest.mark.parametrize("stack", STACKS)
def test_the_page_holds_the_bill(stack: str) -> None:
    """To 10 USD: a new secret does not make the page wrong."""
    found = real(stack)
    shown = page_bill(stack)
    fresh = format_markdown(found)
    total = Decimal(shown.pop("**Total**").strip("*"))
    assert abs(total - found.total) < 10, fresh
    assert list(shown) == [item.what for item in found.lines], fresh
    for item in found.lines:
        usd = shown[item.what]
        if item.usd is None:
            assert usd == "unpriced", fresh
        else:
            assert abs(Decimal(usd) - item.usd) < 10, fresh
    assert f"as of {found.prices_as_of}" in PAGE.read_text("utf-8")


def test_the_page_names_what_staging_leaves_out() -> None:
    text = PAGE.read_text("utf-8").split("## What staging leaves out\n", 1)[1].split("\n## ", 1)[0]
    assert tuple(re.findall(r"(?m)^- (.+)$", text)) == left_out(settings("staging"))


def test_the_page_holds_every_assumption() -> None:
    assert table(PAGE, "Assumed") == [list(item) for item in ASSUMPTIONS]


def test_the_page_names_every_price_that_is_missing() -> None:
    missing = [key for key, entry in raw_table()["prices"].items() if entry["usd"] is None]
    assert [row[0].strip("`") for row in table(PAGE, "Unpriced")] == missing
