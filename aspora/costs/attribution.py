"""One table by day, domain, skill and model, from what the gateway and OpenCost say.

The rules, in order:
1. A model call is the skill's whose key made it; without a skill, its domain's.
2. A pod is the skill's that its labels name, in the namespace of a domain and nowhere else: labels
   are a team's to write, namespaces are not. A domain's other pods are the domain's. Every other
   pod is the platform's, and the platform's cost is not spread over domains.
3. Idle (nodes paid for and asked for by nobody) of a day is shared by everyone in proportion to
   what they cost that day, the platform included; or it stands by itself (`separate`).
4. What has no price is shown as unpriced, with its calls and tokens, and is in no sum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import Literal, NamedTuple

from aspora import names
from aspora.costs.records import Allocation, SpendRecord
from aspora.models import Domain
from aspora.resolve import workloads

Idle = Literal["share", "separate"]
MICRO = Decimal("0.000001")
IDLE_DOMAIN = "(idle)"


class Place(NamedTuple):
    """Whose cost it is; `skill` is empty for what is a domain's as a whole."""

    day: date
    domain: str
    skill: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a model of a skill in a day, or (`model` None) the skill's compute in it.

    `usd` is of what has a price, None where nothing of it has.
    """

    day: date
    domain: str
    skill: str
    model: str | None
    usd: Decimal | None
    calls: int = 0
    tokens: int = 0
    unpriced_calls: int = 0
    unpriced_tokens: int = 0
    idle_usd: Decimal = Decimal(0)
    """Of `usd`: the share of idle nodes."""


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over rows: what has a price, and how much has none."""

    model_usd: Decimal
    compute_usd: Decimal
    unpriced_calls: int
    unpriced_tokens: int

    @property
    def usd(self) -> Decimal:
        """Everything that has a price."""
        return self.model_usd + self.compute_usd


SkillIds = Mapping[tuple[str, str, str], str]
"""(domain, role, skill) as labels have them, to the skill's ID."""


def skill_ids(domains: Iterable[Domain]) -> SkillIds:
    """For telling an ID of two parts from one of three; without it all have three."""
    return {
        (domain.name, workload.agent.name, workload.skill.name): workload.id
        for domain in domains
        for workload in workloads(domain)
    }


def attribute(
    spend: Iterable[SpendRecord],
    allocated: Iterable[Allocation],
    ids: SkillIds | None = None,
    idle: Idle = "share",
) -> tuple[Row, ...]:
    """The table, sorted by day, domain, skill; models first, then compute."""
    rows = [*_models(spend), *_compute(tuple(allocated), ids or {}, idle)]
    return tuple(
        sorted(rows, key=lambda r: (r.day, r.domain, r.skill, r.model is None, r.model or ""))
    )


def _models(spend: Iterable[SpendRecord]) -> list[Row]:
    groups: dict[tuple[Place, str], list[SpendRecord]] = defaultdict(list)
    for record in spend:
        place = Place(record.day, record.domain, record.skill or "")
        groups[place, record.model].append(record)
    return [_model_row(place, model, found) for (place, model), found in groups.items()]


def _model_row(place: Place, model: str, found: Sequence[SpendRecord]) -> Row:
    costs = [record.usd for record in found if record.usd is not None]
    unpriced = [record for record in found if record.usd is None]
    return Row(
        *place,
        model,
        sum(costs, Decimal(0)) if costs else None,
        sum(record.calls for record in found),
        sum(record.tokens for record in found),
        sum(record.calls for record in unpriced),
        sum(record.tokens for record in unpriced),
    )


def _compute(allocated: Sequence[Allocation], ids: SkillIds, idle: Idle) -> list[Row]:
    used: dict[Place, Decimal] = defaultdict(Decimal)
    unused: dict[date, Decimal] = defaultdict(Decimal)
    for allocation in allocated:
        if allocation.idle:
            unused[allocation.day] += allocation.usd
        else:
            used[_place(allocation, ids)] += allocation.usd
    shares: dict[Place, Decimal] = {}
    for day, usd in unused.items():
        mine = {place: cost for place, cost in used.items() if place.day == day and cost > 0}
        if idle == "share" and mine:
            shares |= split(usd, mine)
        else:
            used[Place(day, IDLE_DOMAIN, "")] += usd
    return [
        Row(
            *place,
            None,
            cost + shares.get(place, Decimal(0)),
            idle_usd=shares.get(place, Decimal(0)),
        )
        for place, cost in used.items()
    ]


def _place(allocation: Allocation, ids: SkillIds) -> Place:
    space, labels = allocation.namespace, allocation.labels
    domain = space.removeprefix("aspora-")
    if domain == space or space in names.PLATFORM_NAMESPACES:
        return Place(allocation.day, names.PLATFORM_OWNER, "")
    role, skill = labels.get("role"), labels.get("skill")
    if not role or not skill:
        return Place(allocation.day, domain, "")
    known = ids.get((domain, role, skill)) or names.skill_id(domain, role, skill)
    return Place(allocation.day, domain, known)


def split(usd: Decimal, weights: Mapping[Place, Decimal]) -> dict[Place, Decimal]:
    """`usd` in proportion, to the millionth; what rounding leaves goes to the largest, so that the
    shares sum to the whole."""
    whole = sum(weights.values())
    shares = {
        place: (usd * weight / whole).quantize(MICRO, ROUND_DOWN)
        for place, weight in weights.items()
    }
    largest = max(weights, key=lambda place: (weights[place], place))
    shares[largest] += usd - sum(shares.values())
    return shares


def total(rows: Iterable[Row]) -> Total:
    """The sum of `rows`."""
    held = tuple(rows)
    return Total(
        sum((r.usd for r in held if r.usd is not None and r.model is not None), Decimal(0)),
        sum((r.usd for r in held if r.usd is not None and r.model is None), Decimal(0)),
        sum(r.unpriced_calls for r in held),
        sum(r.unpriced_tokens for r in held),
    )


def between(rows: Iterable[Row], first: date | None, last: date | None) -> tuple[Row, ...]:
    """The rows of the days from `first` to `last`, both included."""
    return tuple(
        row
        for row in rows
        if (first is None or row.day >= first) and (last is None or row.day <= last)
    )
