"""What a bill consists of: priced lines, and what costs nothing with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from aspora.aws_prices import HOURS_A_MONTH, Price

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Charge:
    """One thing to pay for: `count` of what the price of `key` is for, for a whole month.

    Of a price by the hour, `count` is how many run all month; of others, the units of a month.
    """

    what: str
    key: str
    count: Decimal
    basis: str


@dataclass(frozen=True, slots=True)
class Free:
    """Resources that cost nothing by themselves, and why."""

    what: str
    count: int
    why: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill; `basis` says where its count comes from."""

    what: str
    count: Decimal
    price: Price
    basis: str

    @property
    def usd(self) -> Decimal | None:
        """USD a month, to the cent; None where the price is not known."""
        if self.price.usd is None:
            return None
        hours = HOURS_A_MONTH if self.price.per == "hour" else 1
        return (self.count * hours * self.price.usd).quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Bill:
    """A month of a stack at list prices, and the month those are from."""

    stack: str
    region: str
    prices_as_of: str
    lines: tuple[Line, ...]
    free: tuple[Free, ...]

    @property
    def total(self) -> Decimal:
        """USD a month of the lines that have a price."""
        return sum((line.usd for line in self.lines if line.usd is not None), Decimal(0))

    @property
    def unpriced(self) -> tuple[Line, ...]:
        """Lines whose price nobody has looked up: the total is without them."""
        return tuple(line for line in self.lines if line.price.usd is None)


def merged(charges: Iterable[Charge]) -> tuple[Charge, ...]:
    """Charges of the same thing as one, where the first of them stands."""
    counts: dict[tuple[str, str, str], Decimal] = {}
    for charge in charges:
        same = (charge.what, charge.key, charge.basis)
        counts[same] = counts.get(same, Decimal(0)) + charge.count
    return tuple(Charge(what, key, count, basis) for (what, key, basis), count in counts.items())
