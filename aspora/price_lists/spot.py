"""Spot prices: what `aws ec2 describe-spot-price-history --output json` prints.

They change by the hour and are read with an account's credentials, so they come as a file. Of each
zone the latest price counts, and of all zones the dearest: nobody chooses the zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aspora.errors import AsporaError
from aspora.price_lists import Listing, Quote, amount

LINUX = "Linux/UNIX"


def recognised(raw: Mapping[str, Any]) -> bool:
    """Whether `raw` is such an answer."""
    return isinstance(raw.get("SpotPriceHistory"), list)


def listing(raw: Mapping[str, Any], source: str, region: str) -> Listing:
    """`ec2.<type>.spot` for each type listed; raises AsporaError for one of another region."""
    latest: dict[tuple[str, str], tuple[str, Decimal]] = {}
    for row in raw["SpotPriceHistory"]:
        entry = row if isinstance(row, Mapping) else {}
        usd = amount(entry.get("SpotPrice"))
        kind, zone, at = (
            str(entry.get(k, "")) for k in ("InstanceType", "AvailabilityZone", "Timestamp")
        )
        if usd is None or usd <= 0 or entry.get("ProductDescription", LINUX) != LINUX:
            continue
        if not zone.startswith(region) or len(at) < 10:
            raise AsporaError(f"{source} holds a price of the zone {zone!r}, not of {region}")
        latest[kind, zone] = max(latest.get((kind, zone), ("", usd)), (at, usd))
    quotes = (_quote(kind, latest, source) for kind in sorted({kind for kind, _ in latest}))
    return Listing(tuple(quotes))


def _quote(kind: str, latest: Mapping[tuple[str, str], tuple[str, Decimal]], source: str) -> Quote:
    of_kind = [found for (name, _), found in latest.items() if name == kind]
    dearest = max(usd for _, usd in of_kind)
    return Quote(f"ec2.{kind}.spot", {"usd": dearest}, source, min(at for at, _ in of_kind)[:10])
