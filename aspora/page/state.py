"""What a page needs to know of a stack besides a report: the domains and the stack's settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aspora.models import Domain
from aspora.resolve import Workload, workloads
from aspora.stack import StackSettings


@dataclass(frozen=True, slots=True)
class State:
    """Domains that have passed validation, and the settings of the stack."""

    domains: tuple[Domain, ...]
    settings: StackSettings

    def skills(self) -> Iterator[Workload]:
        """Every skill, in the order of the files."""
        for domain in self.domains:
            yield from workloads(domain)
