"""The price table of AWS, dated and with its sources, in `aspora/data/aws-prices.json`.

One region, list prices on demand and, where somebody looked them up, on spot. What nobody could
look up has no price and is never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from aspora import snapshot
from aspora.errors import AsporaError
from aspora.stack import StackSettings
from aspora.stack_aws import AwsSettings

HOURS_A_MONTH = 730
"""As AWS' own calculator reckons: 8,760 hours a year by 12."""

NOT_LISTED = "not in aspora/data/aws-prices.json"


@dataclass(frozen=True, slots=True)
class Price:
    """USD for one `per` (hour, GB, GB-month, million requests …); None where it is not known.

    `as_of` is the day of the quote (ISO), None where the source bears none.
    """

    key: str
    usd: Decimal | None
    per: str
    source: str
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What an EC2 instance type offers: vCPU, GiB of memory, and pods with the VPC CNI."""

    vcpu: int
    memory_gib: int
    pods: int


@dataclass(frozen=True, slots=True)
class AwsPrices:
    """Prices by key (`nat.gateway`, `ec2.m6a.xlarge`) and the instance types that are known.

    `digest` is the hash of the file's figures.
    """

    region: str
    as_of: str
    prices: Mapping[str, Price]
    instances: Mapping[str, Shape]
    digest: str = ""

    def price(self, key: str) -> Price:
        """The entry of `key`; one without a price where the table has none."""
        return self.prices.get(key) or Price(key, None, "month", NOT_LISTED)


@cache
def aws_prices() -> AwsPrices:
    """The table that ships with the package; raises AsporaError when its hash does not hold."""
    return table(snapshot.shipped(snapshot.AWS_FILE))


def table(raw: Mapping[str, Any]) -> AwsPrices:
    """The table of the file's data."""
    return AwsPrices(
        region=raw["region"],
        as_of=raw["asOf"],
        prices={key: _price(key, entry) for key, entry in raw["prices"].items()},
        instances={
            name: Shape(int(shape["vcpu"]), int(shape["memoryGiB"]), int(shape["pods"]))
            for name, shape in raw["instances"].items()
        },
        digest=raw[snapshot.SEAL],
    )


def _price(key: str, entry: Mapping[str, Any]) -> Price:
    return Price(key, entry["usd"], entry["per"], entry["source"], entry["asOf"])


def priced(settings: StackSettings, prices: AwsPrices) -> AwsSettings:
    """The stack's AWS side; AsporaError where it has none, or prices are another region's."""
    if settings.aws is None:
        raise AsporaError(
            f"the stack {settings.environment} has no AWS side, so it has no bill",
            hint="staging and prod have one",
        )
    if settings.region != prices.region:
        raise AsporaError(
            f"no prices are known for {settings.region}",
            hint=f"aspora/data/aws-prices.json holds those of {prices.region}",
        )
    return settings.aws
