"""The platform's own cost: the bill without what skills are charged for, divided among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from aspora.bill.lines import Bill, Line
from aspora.bill.pools import WARM_VOLUMES
from aspora.estimate.amounts import CENT, NOTHING, Part

NODES = "ec2."
ROOM = "nodes, without the room that skills ask for"


@dataclass(frozen=True, slots=True)
class Shared:
    """USD a month to divide, what it is for, and the lines of the bill that have no price."""

    lines: tuple[tuple[str, Decimal], ...]
    unpriced: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def usd(self) -> Decimal:
        """All of it that has a price."""
        return sum((usd for _, usd in self.lines), NOTHING)


def shared(bill: Bill, compute: Decimal, volumes: Decimal) -> Shared:
    """The lines of `bill`; nodes and sandboxes' volumes without what the skills' parts cost.

    Pods' shares of a node are never more than the node, so nothing is left below 0; should
    rounding say so, it counts as nothing.
    """
    priced = [(line, line.usd) for line in bill.lines if line.usd is not None]
    lines = [(line.what, usd) for line, usd in priced if not _of_skills(line)]
    nodes = sum((usd for line, usd in priced if line.price.key.startswith(NODES)), NOTHING)
    warm = sum((usd for line, usd in priced if line.what == WARM_VOLUMES), NOTHING)
    lines += [(ROOM, max(nodes - compute, NOTHING))]
    if warm > volumes:
        lines += [(WARM_VOLUMES, warm - volumes)]
    keys = tuple(dict.fromkeys(line.price.key for line, _ in priced))
    return Shared(tuple(lines), tuple(line.what for line in bill.unpriced), keys)


def _of_skills(line: Line) -> bool:
    return line.price.key.startswith(NODES) or line.what == WARM_VOLUMES


def divided(whole: Decimal, weights: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """`whole` in proportion to `weights`, to the cent, and no cent lost.

    The cents that rounding down leaves go to the largest remainders, the first of equal ones
    first. The weights must not all be 0.
    """
    total = sum(weights)
    exact = [whole * weight / total for weight in weights]
    floors = [(share // CENT) * CENT for share in exact]
    left = int((whole - sum(floors)) / CENT)
    order = sorted(range(len(exact)), key=lambda index: (floors[index] - exact[index], index))
    for index in order[:left]:
        floors[index] += CENT
    return tuple(floors)


def of_skill(usd: Decimal, whole: Decimal) -> Part:
    """A skill's part of the platform."""
    return fixed(usd, f"of {whole:.2f} USD that all skills share")


def fixed(usd: Decimal, basis: str) -> Part:
    """An amount that is the same in all three columns."""
    return Part("platform", basis, usd, usd, usd)


def unpriced(what: str) -> Part:
    """A line of the bill that has no price."""
    return Part("platform", what, missing=f"{what} has no price")
