"""Price lists in the formats of OpenRouter and AWS, trimmed, and what becomes of the snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aspora import snapshot
from aspora.errors import AsporaError
from aspora.gateways.model.plan import routes
from aspora.price_lists import Listing, aws, openrouter, refresh, spot
from tests.core import ROOT

SAMPLES = Path(__file__).parent / "price_lists"
TODAY = date(2026, 11, 28)


def raw(name: str) -> dict[str, Any]:
    return snapshot.parsed((SAMPLES / name).read_text("utf-8"), name)


def shipped(name: str) -> dict[str, Any]:
    return snapshot.opened((ROOT / "aspora/data" / name).read_text("utf-8"), name)


AWS, MODELS = shipped(snapshot.AWS_FILE), shipped(snapshot.MODEL_FILE)
UNITS = refresh.units(AWS)


def usd(found: Listing) -> dict[str, str]:
    return {quote.key: str(quote.amounts["usd"].normalize()) for quote in found.quotes}


def csv_lines(text: str | None = None) -> list[str]:
    return (text or (SAMPLES / "aws-ec2.csv").read_text("utf-8")).splitlines(keepends=True)


# --- OpenRouter


def test_openrouters_prices_per_token_become_prices_per_million() -> None:
    found = openrouter.listing(raw("openrouter-models.json"), "the list", TODAY, routes())
    amounts = {q.key: {k: str(v.normalize()) for k, v in q.amounts.items()} for q in found.quotes}
    assert amounts == {
        "claude-haiku-4-5": {
            "input": "0.9", "output": "5", "cacheRead": "0.09", "cacheWrite": "1.25",
        },
        "claude-sonnet-4-5": {
            "input": "3", "output": "15", "cacheRead": "0.3", "cacheWrite": "3.75",
        },
    }  # fmt: skip
    assert {(quote.source, quote.as_of) for quote in found.quotes} == {("the list", "2026-11-28")}
    assert found.remarks == (
        "claude-haiku-5-5: anthropic/claude-haiku-5.5 is not listed: kept as it was",
    )
    tiers = {
        quote.key: [{k: f"{v:f}" for k, v in t.items()} for t in quote.tiers]
        for quote in found.quotes
    }
    assert tiers == {
        "claude-haiku-4-5": [],
        "claude-sonnet-4-5": [
            {"promptTokens": "200000", "input": "6.000000", "output": "22.5000000"}
        ],
    }


def test_prices_that_hold_at_times_are_said_and_not_taken() -> None:
    pricing = {"prompt": "0.1", "completion": "0.2", "overrides": [{"prompt": "0.3"}, None]}
    listed = {"data": [{"id": "x/y", "pricing": pricing}]}
    found = openrouter.listing(listed, "the list", TODAY, {"ours": "x/y"})
    assert found.quotes[0].tiers == ()
    assert found.remarks == ("ours: has other prices there at times: not taken",)


@pytest.mark.parametrize(
    "pricing",
    [
        {"prompt": "-1", "completion": "-1"},
        {"prompt": "0", "completion": "0"},
        {"prompt": "0.000001"},
        {"prompt": "free", "completion": "0.1"},
        {"prompt": "NaN", "completion": "0.1"},
        {"prompt": True, "completion": "0.1"},
        {"prompt": "1e400", "completion": "0.1"},
        None,
        "cheap",
    ],
)
def test_what_has_no_fixed_price_makes_no_quote(pricing: Any) -> None:
    listed = {"data": [{"id": "x/y", "pricing": pricing}, None, 7]}
    found = openrouter.listing(listed, "the list", TODAY, {"ours": "x/y"})
    assert found == Listing((), ("ours: has no fixed price there: kept as it was",))


def test_a_list_without_any_of_our_models_is_no_list_of_them() -> None:
    with pytest.raises(AsporaError, match="lists none of our models: x/y"):
        openrouter.listing({"data": []}, "the list", TODAY, {"ours": "x/y"})


# --- AWS


def test_an_offer_as_csv_is_read_row_by_row() -> None:
    """Of six rows for m6a.xlarge one is Linux, shared, in use, on demand and of the region."""
    found = aws.from_csv(csv_lines(), "the list", "us-east-1", UNITS)
    assert usd(found) == {
        "ebs.gp3": "0.08",
        "ec2.m6a.2xlarge": "0.3456",
        "ec2.m6a.xlarge": "0.18",
        "nat.data": "0.045",
        "nat.gateway": "0.045",
    }
    assert {quote.as_of for quote in found.quotes} == {"2026-11-20"}
    assert found.remarks == ()


def test_an_offer_as_json_says_the_same_in_its_own_names() -> None:
    found = aws.from_json(raw("aws-rds.json"), "the list", "us-east-1", UNITS)
    assert usd(found) == {
        "rds.gp3.single": "0.115",
        "rds.postgres.db.m7g.large.multi": "0.337",
        "rds.postgres.db.m7g.large.single": "0.168",
    }
    assert {quote.as_of for quote in found.quotes} == {"2026-11-18"}


KEYS: Mapping[str, Mapping[str, str]] = {
    "elasticache.valkey.cache.t4g.micro": {
        "cacheengine": "Valkey", "instancetype": "cache.t4g.micro",
        "usagetype": "NodeUsage:cache.t4g.micro",
    },
    "eks.cluster": {"usagetype": "USE1-AmazonEKS-Hours:perCluster"},
    "endpoint.interface": {"usagetype": "USE1-VpcEndpoint-Hours"},
    "endpoint.data": {"usagetype": "VpcEndpoint-Bytes"},
    "ipv4.public": {"usagetype": "USE1-PublicIPv4:InUseAddress"},
}  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_products_are_told_by_their_attributes(key: str) -> None:
    assert aws.key_of(KEYS[key]) == key
    assert key in UNITS


@pytest.mark.parametrize(
    "attributes",
    [
        {**aws.ON_DEMAND_LINUX, "instancetype": "m6a.large", "usagetype": "UnusedBox:m6a.large"},
        {**aws.ON_DEMAND_LINUX, "instancetype": "m6a.large", "usagetype": "BoxUsage:m6a.metal"},
        {"usagetype": "USE1-RegionalNatGateway-Hours"},
        {"usagetype": "PublicIPv4:IdleAddress"},
        {"usagetype": "AmazonEKS-Hours:extendedSupport"},
        {
            "cacheengine": "Redis",
            "instancetype": "cache.t4g.micro",
            "usagetype": "NodeUsage:cache.t4g.micro",
        },
        {
            "databaseengine": "PostgreSQL",
            "productfamily": "Database Instance",
            "deploymentoption": "",
        },
        {},
    ],
)
def test_products_of_another_kind_are_not_ours(attributes: Mapping[str, str]) -> None:
    assert aws.key_of(attributes) is None


def test_two_prices_for_one_thing_are_said_and_not_chosen_from() -> None:
    lines = csv_lines()
    double = next(line for line in lines if "NatGateway-Hours" in line).replace(
        "0.0450000000", "0.0460000000"
    )
    found = aws.from_csv([*lines, double], "the list", "us-east-1", UNITS)
    assert "nat.gateway" not in usd(found)
    assert found.remarks == ("nat.gateway: listed at 0.045, 0.046 USD: kept as it was",)


def test_nothing_becomes_free_by_a_list() -> None:
    text = (SAMPLES / "aws-ec2.csv").read_text("utf-8").replace("0.0800000000", "0.0000000000")
    found = aws.from_csv(csv_lines(text), "the list", "us-east-1", UNITS)
    assert "ebs.gp3" not in usd(found)
    assert found.remarks == ("ebs.gp3: listed at 0 USD: kept as it was",)


def test_a_price_in_another_unit_is_not_taken() -> None:
    text = (SAMPLES / "aws-ec2.csv").read_text("utf-8").replace('"GB-Mo"', '"GB-Hour"')
    assert "ebs.gp3" not in usd(aws.from_csv(csv_lines(text), "it", "us-east-1", UNITS))


def test_prices_of_another_tier_than_the_first_are_not_taken() -> None:
    lines = csv_lines()
    tier = next(line for line in lines if "NatGateway-Bytes" in line)
    tier = tier.replace('"0","Inf"', '"1000","Inf"').replace("0.0450000000", "0.0100000000")
    assert usd(aws.from_csv([*lines, tier], "it", "us-east-1", UNITS))["nat.data"] == "0.045"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "ends before its first price"),
        (['"FormatVersion","v1.0"\n'], "ends before its first price"),
        (['"a","b"\n', '"SKU","Unit","PricePerUnit"\n'], "does not say when it was published"),
        (['"FormatVersion","' + "x" * 200_000 + '"\n'], "is no CSV"),
    ],
)
def test_what_is_no_offer_is_an_error(lines: list[str], message: str) -> None:
    with pytest.raises(AsporaError, match=message):
        aws.from_csv(lines, "the list", "us-east-1", UNITS)


def test_an_offer_of_another_region_is_an_error() -> None:
    with pytest.raises(AsporaError, match="holds no prices of eu-central-1"):
        aws.from_csv(csv_lines(), "the list", "eu-central-1", UNITS)


def test_an_offer_as_json_with_odd_parts_is_read_without_them() -> None:
    odd = raw("aws-rds.json")
    odd["products"] |= {"x": None, "y": {"attributes": 7}}
    odd["terms"]["OnDemand"] |= {
        "y": {"t": {"priceDimensions": {"d": None, "e": {"pricePerUnit": 1}}}}
    }
    assert len(usd(aws.from_json(odd, "the list", "us-east-1", UNITS))) == 3
    odd["terms"] = {}
    assert aws.from_json(odd, "the list", "us-east-1", UNITS) == Listing()


# --- Spot


def test_spot_takes_the_latest_of_each_zone_and_the_dearest_of_them() -> None:
    """1a: 0.0671 is later than 0.0650; 1b: 0.0702, the dearer."""
    found = spot.listing(raw("spot.json"), "the list", "us-east-1")
    assert usd(found) == {
        "ec2.c9x.metal.spot": "4.1",
        "ec2.m6a.2xlarge.spot": "0.131",
        "ec2.m6a.xlarge.spot": "0.0702",
    }


def test_spot_of_windows_and_of_nothing_is_left_out() -> None:
    rows = raw("spot.json")["SpotPriceHistory"]
    other = [dict(rows[0], ProductDescription="Windows"), dict(rows[0], SpotPrice="0"), None]
    assert spot.listing({"SpotPriceHistory": other}, "it", "us-east-1") == Listing()


def test_spot_of_another_region_is_an_error() -> None:
    with pytest.raises(AsporaError, match="of the zone 'us-east-1a', not of eu-west-1"):
        spot.listing(raw("spot.json"), "the list", "eu-west-1")


# --- The snapshot


def all_listings() -> list[Listing]:
    return [
        openrouter.listing(raw("openrouter-models.json"), "OpenRouter", TODAY, routes()),
        aws.from_csv(csv_lines(), "EC2", "us-east-1", UNITS),
        aws.from_json(raw("aws-rds.json"), "RDS", "us-east-1", UNITS),
        spot.listing(raw("spot.json"), "spot", "us-east-1"),
    ]


def test_a_refresh_writes_what_the_lists_say_and_keeps_the_rest() -> None:
    found = refresh.refreshed(AWS, MODELS, all_listings(), TODAY)
    assert found.aws["prices"]["ec2.m6a.xlarge"] == {
        "usd": Decimal("0.1800000000"), "per": "hour", "source": "EC2", "asOf": "2026-11-20",
    }  # fmt: skip
    assert found.aws["prices"]["ec2.m6a.xlarge.spot"]["usd"] == Decimal("0.0702")
    assert "ec2.c9x.metal.spot" not in found.aws["prices"]
    for key in ("kms.key", "ec2.spot", "sqs.requests"):
        assert found.aws["prices"][key] == AWS["prices"][key]
    assert found.aws["instances"] == AWS["instances"]
    haiku = found.models["models"]["claude-haiku-4-5"]
    assert (haiku["input"], haiku["maxInputTokens"], haiku["asOf"]) == (
        Decimal("0.9"), 200_000, "2026-11-28",
    )  # fmt: skip
    assert found.models["models"]["claude-opus-5"] == MODELS["models"]["claude-opus-5"]
    assert (found.aws["asOf"], found.models["asOf"]) == ("2026-11", "2026-11")


def test_the_summary_names_what_moved() -> None:
    found = refresh.refreshed(AWS, MODELS, all_listings(), TODAY)
    count = len(AWS["prices"]) + 2 + len(MODELS["models"])
    wanted = f"""\
claude-haiku-4-5 cacheRead: 0.1 to 0.09 USD (-10.0 %)
claude-haiku-4-5 input: 1 to 0.9 USD (-10.0 %)
ec2.m6a.2xlarge.spot: 0.131 USD, had no price
ec2.m6a.xlarge: 0.1728 to 0.18 USD (+4.2 %)
ec2.m6a.xlarge.spot: 0.0702 USD, had no price
claude-haiku-5-5: anthropic/claude-haiku-5.5 is not listed: kept as it was
12 of {count} prices looked up, 4 moved
"""
    assert refresh.summary(found) == wanted


def test_a_refresh_of_a_refresh_moves_nothing() -> None:
    once = refresh.refreshed(AWS, MODELS, all_listings(), TODAY)
    twice = refresh.refreshed(once.aws, once.models, all_listings(), TODAY)
    assert twice.moves == ()
    for left, right in ((once.aws, twice.aws), (once.models, twice.models)):
        assert snapshot.written(left) == snapshot.written(right)
    assert refresh.summary(twice).startswith("no price moved\n")


def test_a_file_that_no_list_is_about_stays_as_it_is() -> None:
    found = refresh.refreshed(AWS, MODELS, all_listings()[:1], date(2030, 1, 1))
    assert found.aws == AWS
    assert found.models["asOf"] == "2030-01"
