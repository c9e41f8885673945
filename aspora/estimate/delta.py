"""What a change costs: two estimates, skill by skill.

Only what a skill causes itself is compared. Its part of the platform moves with everybody else's
skills, and would put a number on rows that the change does not touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from aspora.estimate.amounts import (
    KINDS,
    NOTHING,
    Kind,
    Measure,
    Money,
    Part,
    Sums,
    summed,
)
from aspora.estimate.skills import SkillCost


class Estimated(Protocol):
    """What is needed of an estimate."""

    @property
    def skills(self) -> tuple[SkillCost, ...]:
        """Every skill."""


@dataclass(frozen=True, slots=True)
class DeltaRow:
    """One skill before and after, by its own parts; None where there was or is no such skill."""

    domain: str
    skill: str
    before: tuple[Part, ...] | None
    after: tuple[Part, ...] | None

    @property
    def changed(self) -> bool:
        """Whether anything that costs has changed, what has no price included."""
        return self.before != self.after

    @property
    def sums_before(self) -> Sums:
        """0 where there was no such skill, which is known."""
        return summed(self.before or ())

    @property
    def sums_after(self) -> Sums:
        """0 where there is no such skill any more."""
        return summed(self.after or ())

    def change(self, measure: Measure) -> Money:
        """USD a month more, or less below 0.

        A part that stays as it is changes nothing, priced or not. One that changes and has no
        amount on either side counts as missing: nobody knows by how much.
        """
        return _sum(_change(*pair, measure) for pair in self._pairs())

    def weight(self, measure: Measure = "expected") -> Money:
        """What a gate counts: the amounts of `measure`, and the cap where only a cap is known."""
        return _sum(
            _difference(_counted(before, measure), _counted(after, measure))
            for before, after in self._pairs()
            if before != after
        )

    def _pairs(self) -> Iterable[tuple[Part | None, Part | None]]:
        before, after = _by_kind(self.before), _by_kind(self.after)
        return [(before.get(kind), after.get(kind)) for kind in KINDS]


@dataclass(frozen=True, slots=True)
class CostDelta:
    """The rows of all skills that were or are there, and their sums."""

    rows: tuple[DeltaRow, ...]

    @property
    def changed(self) -> tuple[DeltaRow, ...]:
        """The rows in which anything has changed."""
        return tuple(row for row in self.rows if row.changed)

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains with a changed row."""
        return tuple(dict.fromkeys(row.domain for row in self.changed))

    def of(self, domain: str) -> tuple[DeltaRow, ...]:
        """The rows of one domain, unchanged ones too."""
        return tuple(row for row in self.rows if row.domain == domain)

    def change(self, measure: Measure, domain: str | None = None) -> Money:
        """USD a month more, of one domain or of all."""
        return _sum(row.change(measure) for row in self.rows if domain in (None, row.domain))

    def weight(self, measure: Measure = "expected") -> Money:
        """What a gate counts, of all rows."""
        return _sum(row.weight(measure) for row in self.rows)


def delta(base: Estimated, head: Estimated) -> CostDelta:
    """What changes from `base` to `head`; rows in the order of `head`, then what is gone."""
    before = {skill.skill: skill for skill in base.skills}
    after = {skill.skill: skill for skill in head.skills}
    names = dict.fromkeys((*after, *before))
    return CostDelta(tuple(_row(name, before.get(name), after.get(name)) for name in names))


def _row(name: str, before: SkillCost | None, after: SkillCost | None) -> DeltaRow:
    either = after or before
    return DeltaRow(
        either.domain if either else "",
        name,
        before.own if before else None,
        after.own if after else None,
    )


def _by_kind(parts: tuple[Part, ...] | None) -> Mapping[Kind, Part]:
    return {part.kind: part for part in parts or ()}


def _change(before: Part | None, after: Part | None, measure: Measure) -> Money:
    if before == after:
        return Money()
    return _difference(
        before.usd(measure) if before else NOTHING, after.usd(measure) if after else NOTHING
    )


def _counted(part: Part | None, measure: Measure) -> Decimal | None:
    if part is None:
        return NOTHING
    usd = part.usd(measure)
    return part.high if usd is None else usd


def _difference(before: Decimal | None, after: Decimal | None) -> Money:
    if before is None or after is None:
        return Money(NOTHING, 1)
    return Money(after - before)


def _sum(found: Iterable[Money]) -> Money:
    return sum(found, Money())
