"""Quota head-room before and after: what a domain may have, and the most its skills can ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from aspora.capacity import total
from aspora.changes.model import QuotaRow
from aspora.models import Domain
from aspora.quantities import parse_cpu, parse_memory
from aspora.resolve import workloads
from aspora.stack import StackSettings

Unit = Literal["cores", "bytes", "pods", "USD"]
Figures = dict[str, tuple[float, float]]
UNITS: Final[dict[str, Unit]] = {
    "CPU": "cores",
    "memory": "bytes",
    "storage": "bytes",
    "pods": "pods",
    "budget a month": "USD",
}


def figures(domain: Domain, settings: StackSettings) -> Figures:
    """By resource: the limit, and the worst case of `aspora/capacity.py`.

    The budget's use is what the skills' own budgets add up to.
    """
    skills = workloads(domain)
    asked, quota = total(skills, settings), domain.quota
    budgets = float(sum(skill.skill.budget.monthly_usd for skill in skills))
    return {
        "CPU": (parse_cpu(quota.cpu) / 1000, asked.cpu / 1000),
        "memory": (float(parse_memory(quota.memory)), float(asked.memory)),
        "storage": (float(parse_memory(quota.storage)), float(asked.storage)),
        "pods": (float(quota.pods), float(asked.pods)),
        "budget a month": (float(domain.budget.monthly_usd), budgets),
    }


def rows(name: str, before: Figures | None, after: Figures | None) -> Iterator[QuotaRow]:
    """Of one domain: the resources whose figures change."""
    for resource, unit in UNITS.items():
        old = before[resource] if before else None
        new = after[resource] if after else None
        if old != new:
            yield QuotaRow(
                domain=name,
                resource=resource,
                unit=unit,
                limit_before=old[0] if old else None,
                used_before=old[1] if old else None,
                limit_after=new[0] if new else None,
                used_after=new[1] if new else None,
            )
