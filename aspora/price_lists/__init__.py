"""Price lists as others publish them, read into quotes: OpenRouter's models, AWS' offers, spot.

Pure: the text of a list comes in, and where it was read. What a list does not name, names twice
at different prices, or names at 0 makes no quote, so that nothing becomes free by a refresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any


@dataclass(frozen=True, slots=True)
class Quote:
    """What a list says of one price: the fields of its entry, where and as of which day (ISO).

    `usd` of AWS, `input`, `output`, `cacheRead` and `cacheWrite` of a model, all in the snapshot's
    own units. `tiers` are the prices of long prompts, each with the `promptTokens` it begins at.
    """

    key: str
    amounts: Mapping[str, Decimal]
    source: str
    as_of: str
    tiers: tuple[Mapping[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """The quotes of one list, and in words what was not taken."""

    quotes: tuple[Quote, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass
class Candidates:
    """Amounts found for each key while a list is read; a list may hold a price many times."""

    found: dict[str, set[Decimal]] = field(default_factory=dict)

    def add(self, key: str, usd: Decimal) -> None:
        """One more amount of `key`."""
        self.found.setdefault(key, set()).add(usd)

    def listing(self, asked: Iterable[str], source: str, as_of: str) -> Listing:
        """A quote for each key with one amount above 0, a remark for the others found."""
        quotes: list[Quote] = []
        remarks: list[str] = []
        for key in sorted(set(asked) & self.found.keys()):
            amounts = sorted(self.found[key])
            if len(amounts) > 1:
                several = ", ".join(f"{usd.normalize():f}" for usd in amounts)
                remarks.append(f"{key}: listed at {several} USD: kept as it was")
            elif amounts[0] <= 0:
                remarks.append(f"{key}: listed at 0 USD: kept as it was")
            else:
                quotes.append(Quote(key, {"usd": amounts[0]}, source, as_of))
        return Listing(tuple(quotes), tuple(remarks))


def amount(value: Any) -> Decimal | None:
    """A finite number from a list's text; None for anything else."""
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 20 else None
