"""Amounts of an estimate: USD a month, low, expected and high, and what nobody knows.

What is not known is None and never 0: a sum says how many of its parts are missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

CENT = Decimal("0.01")
NOTHING = Decimal("0.00")

Kind = Literal["compute", "volumes", "models", "platform"]
Measure = Literal["low", "expected", "high"]

KINDS: tuple[Kind, ...] = ("compute", "volumes", "models", "platform")
MEASURES: tuple[Measure, ...] = ("low", "expected", "high")


def cents(usd: Decimal) -> Decimal:
    """To the cent, half a cent upwards, as the bill rounds."""
    return usd.quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of cost of one skill or of the platform.

    `low` and `expected` are known together, and then `high` is. `high` alone is a cap: nobody has
    said how much of it will be spent. `missing` says why an amount is None, `basis` where the
    others come from, `keys` which prices of the snapshot (`ec2.m6a.xlarge`, `model.…`), `remark`
    what a reader has to know of amounts that are there.
    """

    kind: Kind
    basis: str
    low: Decimal | None = None
    expected: Decimal | None = None
    high: Decimal | None = None
    missing: str = ""
    keys: tuple[str, ...] = ()
    remark: str = ""

    def usd(self, measure: Measure) -> Decimal | None:
        """The amount by the name of its measure."""
        return {"low": self.low, "expected": self.expected, "high": self.high}[measure]


@dataclass(frozen=True, slots=True)
class Money:
    """A sum in USD a month; `missing` counts the parts that are not in it."""

    usd: Decimal = NOTHING
    missing: int = 0

    def __add__(self, other: Money) -> Money:
        return Money(self.usd + other.usd, self.missing + other.missing)

    @property
    def unknown(self) -> bool:
        """Whether parts are missing, so that the sum is no more than a part of the truth."""
        return self.missing > 0


@dataclass(frozen=True, slots=True)
class Sums:
    """The three sums of some parts."""

    low: Money = Money()
    expected: Money = Money()
    high: Money = Money()

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def money(self, measure: Measure) -> Money:
        """The sum by the name of its measure."""
        return {"low": self.low, "expected": self.expected, "high": self.high}[measure]


def known(usd: Decimal | None) -> Money:
    """An amount as a sum of one part."""
    return Money(NOTHING, 1) if usd is None else Money(usd)


def summed(parts: Iterable[Part]) -> Sums:
    """The sums of `parts`."""
    found = Sums()
    for part in parts:
        found += Sums(known(part.low), known(part.expected), known(part.high))
    return found
