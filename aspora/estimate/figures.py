"""The prices an estimate rests on, each with its source and its age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from aspora.aws_prices import AwsPrices
from aspora.estimate import Estimate
from aspora.estimate.tokens import MODEL
from aspora.prices import PriceTable
from aspora.snapshot import plain

OLD_DAYS = 90
"""Older prices are worth another look: AWS and model providers move some of them each quarter."""
NO_DATE = "no date of its own"


@dataclass(frozen=True, slots=True)
class Figure:
    """A price as people read it: `amount` with its unit; `days` since its day, None without one."""

    key: str
    amount: str
    source: str
    as_of: str | None
    days: int | None


def figures(found: Estimate, keys: tuple[str, ...] | None = None) -> tuple[Figure, ...]:
    """The figures of `keys`, or of everything the estimate rests on, by key."""
    wanted = sorted(found.keys if keys is None else keys)
    return tuple(
        _model(found.prices.models, key.removeprefix(MODEL), found.today)
        if key.startswith(MODEL)
        else _aws(found.prices.aws, key, found.today)
        for key in wanted
    )


def of_skills(found: Estimate) -> tuple[Figure, ...]:
    """Those that skills' own parts rest on: few, and the ones a team can do something about."""
    keys = dict.fromkeys(key for skill in found.skills for part in skill.own for key in part.keys)
    return figures(found, tuple(keys))


def oldest(found: Estimate) -> int:
    """Days since the oldest of the figures that bear a date; 0 without any."""
    return max((figure.days for figure in figures(found) if figure.days is not None), default=0)


def _aws(prices: AwsPrices, key: str, today: date) -> Figure:
    price = prices.price(key)
    amount = "unpriced" if price.usd is None else f"{plain(price.usd)} USD per {price.per}"
    return Figure(key, amount, price.source, price.as_of, _days(price.as_of, today))


def _model(table: PriceTable, name: str, today: date) -> Figure:
    price = table.models[name]
    both = (plain(Decimal(str(usd))) for usd in (price.input, price.output))
    as_of = price.as_of or table.as_of
    amount = f"{' and '.join(both)} USD per million tokens in and out"
    return Figure(f"{MODEL}{name}", amount, table.source_of(name), as_of, _days(as_of, today))


def _days(as_of: str | None, today: date) -> int | None:
    """A month counts from its first day: a price is never taken to be younger than it may be."""
    if as_of is None:
        return None
    day = date.fromisoformat(as_of if len(as_of) > 7 else f"{as_of}-01")
    return max((today - day).days, 0)
