"""Findings as they are made: one for each subject, reason and set of objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from aspora.isolation.model import Access, Crossing, Finding, FindingKind, Reach

SHOWN = 3
"""Names that one message lists before it counts the rest."""


@dataclass(slots=True)
class Noted:
    """What was seen so far, in any order."""

    crossings: set[Crossing] = field(default_factory=set)
    accesses: set[Access] = field(default_factory=set)
    reaches: set[Reach] = field(default_factory=set)
    _found: dict[tuple[FindingKind, str, str, tuple[str, ...]], set[str]] = field(
        default_factory=dict
    )

    def note(
        self, kind: FindingKind, subject: str, what: str, things: Iterable[str], by: Iterable[str]
    ) -> None:
        """`what` holds {} where the things are listed."""
        self._found.setdefault((kind, subject, what, tuple(sorted(set(by)))), set()).update(things)

    def findings(self) -> list[Finding]:
        """All of them; a long list of things is cut, and counted."""
        return sorted(
            Finding(kind, subject, what.replace("{}", listed(things)), by)
            for (kind, subject, what, by), things in self._found.items()
        )


def listed(things: Iterable[str]) -> str:
    """`a, b, c and 4 more`."""
    every = sorted(things)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
