"""What the proof of budgets computes: what calls cost, and whether a cap has held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from aspora.prices import ModelPrice


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the provider answered: by whom it came, and the tokens it will bill."""

    key: str
    input_tokens: int
    output_tokens: int


def cost(call: Call, price: ModelPrice) -> Decimal:
    """USD of one call, to the last digit."""
    spent = Decimal(str(price.input)) * call.input_tokens
    spent += Decimal(str(price.output)) * call.output_tokens
    return spent / 1_000_000


def spent(calls: Iterable[Call], price: ModelPrice, keys: Iterable[str]) -> Decimal:
    """USD of all calls of these keys."""
    wanted = frozenset(keys)
    return sum((cost(call, price) for call in calls if call.key in wanted), Decimal(0))


def holds(amount: Decimal, cap: Decimal, most_of_one_call: Decimal) -> bool:
    """A cap holds when what was spent passes it by no more than one call can cost."""
    return amount <= cap + most_of_one_call
