"""AWS' offer files: the public price list of one service and region, as JSON or CSV.

https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/<offer>/current/<region>/index.json|csv.
JSON has `products` by SKU and `terms.OnDemand` by SKU; CSV has five lines of its own, a header and
a row for each price, and can be read as it arrives: EC2's is hundreds of megabytes. Attributes
bear the same names in both but for case and spaces.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aspora.errors import AsporaError
from aspora.price_lists import Candidates, Listing, amount

OFFERS = ("AmazonEC2", "AmazonEKS", "AmazonElastiCache", "AmazonRDS", "AmazonVPC")
"""Services whose offers hold the prices below."""
UNITS: Mapping[str, frozenset[str]] = {
    "hour": frozenset({"hrs", "hours", "hour", "hr"}),
    "GB": frozenset({"gb", "gigabytes"}),
    "GB-month": frozenset({"gb-mo", "gb-month"}),
}
CSV_START = '"FormatVersion"'
PREFIX = re.compile(r"^[A-Z]{2,4}\d?-")
"""Of a region, which most usage types bear: USE1-NatGateway-Hours."""


@dataclass(frozen=True, slots=True)
class Row:
    """One price of one product: attributes by their plain names, unit and USD."""

    attributes: Mapping[str, str]
    unit: str
    usd: Decimal


USAGE_TYPES: Mapping[str, str] = {
    "NatGateway-Hours": "nat.gateway",
    "NatGateway-Bytes": "nat.data",
    "VpcEndpoint-Hours": "endpoint.interface",
    "VpcEndpoint-Bytes": "endpoint.data",
    "PublicIPv4:InUseAddress": "ipv4.public",
    "AmazonEKS-Hours:perCluster": "eks.cluster",
    "EBS:VolumeUsage.gp3": "ebs.gp3",
}
"""What is told by its usage type alone, without the region's prefix."""

ON_DEMAND_LINUX: Mapping[str, str] = {
    "productfamily": "Compute Instance",
    "operatingsystem": "Linux",
    "tenancy": "Shared",
    "preinstalledsw": "NA",
    "capacitystatus": "Used",
}
ZONES: Mapping[str, str] = {"Single-AZ": "single", "Multi-AZ": "multi"}


def key_of(attributes: Mapping[str, str]) -> str | None:
    """The key in our snapshot that a product's price is for; None for a product we do not use."""
    usage = PREFIX.sub("", attributes.get("usagetype", ""))
    family = attributes.get("productfamily", "")
    kind = attributes.get("instancetype", "")
    if usage in USAGE_TYPES:
        return USAGE_TYPES[usage]
    if all(attributes.get(name) == value for name, value in ON_DEMAND_LINUX.items()):
        return f"ec2.{kind}" if usage == f"BoxUsage:{kind}" else None
    if attributes.get("databaseengine") == "PostgreSQL":
        return _database(family, kind, attributes)
    if attributes.get("cacheengine") == "Valkey" and usage == f"NodeUsage:{kind}":
        return f"elasticache.valkey.{kind}"
    return None


def _database(family: str, kind: str, attributes: Mapping[str, str]) -> str | None:
    zones = ZONES.get(attributes.get("deploymentoption", ""))
    if zones is None:
        return None
    if family == "Database Instance":
        return f"rds.postgres.{kind}.{zones}"
    if family == "Database Storage" and attributes.get("volumetype") == "General Purpose-GP3":
        return f"rds.gp3.{zones}"
    return None


def recognised(raw: Mapping[str, Any]) -> bool:
    """Whether `raw` is an offer file."""
    return isinstance(raw.get("products"), Mapping) and isinstance(raw.get("terms"), Mapping)


def from_json(
    raw: Mapping[str, Any], source: str, region: str, units: Mapping[str, str]
) -> Listing:
    """The prices of an offer as JSON; `units` says what each of our keys is for (`per`)."""
    return _listing(_json_rows(raw), source, region, units, str(raw.get("publicationDate", "")))


def from_csv(lines: Iterable[str], source: str, region: str, units: Mapping[str, str]) -> Listing:
    """The prices of an offer as CSV, read row by row."""
    rows = csv.reader(lines)
    head: dict[str, str] = {}
    try:
        for row in rows:
            if len(row) != 2:
                return _listing(
                    _csv_rows(row, rows), source, region, units, head.get("Publication Date", "")
                )
            head[row[0]] = row[1]
    except csv.Error as error:
        raise AsporaError(f"{source} is no CSV: {error}") from None
    raise AsporaError(f"{source} ends before its first price")


def _listing(
    rows: Iterable[Row], source: str, region: str, units: Mapping[str, str], published: str
) -> Listing:
    day = published[:10]
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        raise AsporaError(f"{source} does not say when it was published")
    found = Candidates()
    elsewhere = 0
    for row in rows:
        if row.attributes.get("regioncode", region) != region:
            elsewhere += 1
            continue
        key = key_of(row.attributes) or ""
        if key in units and row.unit.lower() in UNITS.get(units[key], frozenset()):
            found.add(key, row.usd)
    if elsewhere and not found.found:
        raise AsporaError(f"{source} holds no prices of {region}", hint="name that region's file")
    return found.listing(units, source, day)


def _json_rows(raw: Mapping[str, Any]) -> Iterator[Row]:
    terms = raw["terms"].get("OnDemand")
    for sku, product in raw["products"].items():
        if not isinstance(product, Mapping) or not isinstance(terms, Mapping):
            continue
        attributes = {_plain(name): str(text) for name, text in _items(product.get("attributes"))}
        attributes["productfamily"] = str(product.get("productFamily", ""))
        for _, term in _items(terms.get(sku)):
            for _, dimension in _items(_get(term, "priceDimensions")):
                usd = amount(_get(_get(dimension, "pricePerUnit"), "USD"))
                if usd is not None and _get(dimension, "beginRange") in (None, "0"):
                    yield Row(attributes, str(_get(dimension, "unit")), usd)


def _csv_rows(header: list[str], rows: Iterable[list[str]]) -> Iterator[Row]:
    names = [_plain(name) for name in header]
    for row in rows:
        attributes = dict(zip(names, row, strict=False))
        usd = amount(attributes.get("priceperunit"))
        first = attributes.get("startingrange", "") in ("", "0")
        wanted = attributes.get("termtype") == "OnDemand" and attributes.get("currency") == "USD"
        if usd is not None and first and wanted:
            yield Row(attributes, attributes.get("unit", ""), usd)


def _plain(name: str) -> str:
    """`Pre Installed S/W` and `preInstalledSw` are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, Mapping) else ()


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None
