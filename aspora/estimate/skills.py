"""What one skill costs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from aspora.estimate.amounts import NOTHING, Kind, Part, Sums, summed


@dataclass(frozen=True, slots=True)
class SkillCost:
    """The parts of a skill's cost; `kind` is how it runs: service, cron or sessions."""

    domain: str
    skill: str
    kind: str
    parts: tuple[Part, ...]

    @property
    def sums(self) -> Sums:
        """The sums of all its parts."""
        return summed(self.parts)

    def of(self, kind: Kind) -> tuple[Part, ...]:
        """Its parts of one kind."""
        return tuple(part for part in self.parts if part.kind == kind)

    @property
    def own(self) -> tuple[Part, ...]:
        """What it causes itself: all but its part of the platform."""
        return tuple(part for part in self.parts if part.kind != "platform")

    @property
    def expected_compute(self) -> Decimal:
        """What the platform's cost is divided by; 0 where its pods have no price."""
        return sum((part.expected or NOTHING for part in self.of("compute")), NOTHING)
