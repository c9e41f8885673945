"""What a stack's skills cost a month before anything runs: low, expected and high.

From the rendered objects, the domain files and the price snapshot alone. Pure: no clock (the day
is an argument), no network, no engine. The platform's own cost comes in as a bill (aspora/bill)
where somebody has one; without it the estimate holds what skills cause themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from aspora.aws_prices import AwsPrices, aws_prices, priced
from aspora.bill.lines import Bill
from aspora.bill.nodes import Pod, overheads, reference
from aspora.estimate import compute, platform, tokens
from aspora.estimate.amounts import KINDS, MEASURES, NOTHING, Kind, Measure, Part, Sums, summed
from aspora.estimate.delta import CostDelta, DeltaRow, delta
from aspora.estimate.skills import SkillCost
from aspora.models import Domain
from aspora.prices import PriceTable, model_prices
from aspora.render import Rendered, render_domains, resolved
from aspora.render.cluster import cluster_objects
from aspora.resolve import Workload
from aspora.stack import StackSettings
from aspora.stack_aws import Nodes

__all__ = [
    "KINDS",
    "MEASURES",
    "CostDelta",
    "DeltaRow",
    "Estimate",
    "Kind",
    "Measure",
    "Part",
    "Prices",
    "SkillCost",
    "Sums",
    "delta",
    "estimate",
    "of_domains",
    "summed",
]


@dataclass(frozen=True, slots=True)
class Prices:
    """The two halves of the snapshot."""

    aws: AwsPrices
    models: PriceTable


@dataclass(frozen=True, slots=True)
class Estimate:
    """A month of a stack as of a day.

    `undivided` are parts of the platform that no skill bears: lines without a price, and all of
    it where there is no compute to divide it by. `shared` are the lines that were divided; None
    where the platform was not looked at.
    """

    stack: str
    region: str
    today: date
    prices: Prices
    skills: tuple[SkillCost, ...]
    undivided: tuple[Part, ...] = ()
    shared: tuple[tuple[str, Decimal], ...] | None = None
    shared_keys: tuple[str, ...] = ()

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, in the order of the files."""
        return tuple(dict.fromkeys(skill.domain for skill in self.skills))

    def of(self, domain: str) -> tuple[SkillCost, ...]:
        """The skills of one domain."""
        return tuple(skill for skill in self.skills if skill.domain == domain)

    @property
    def parts(self) -> Iterator[Part]:
        """Every part, skill by skill, then what is undivided."""
        for skill in self.skills:
            yield from skill.parts
        yield from self.undivided

    @property
    def keys(self) -> tuple[str, ...]:
        """The prices that anything here rests on, each once."""
        of_skills = (key for part in self.parts for key in part.keys)
        return tuple(dict.fromkeys((*of_skills, *self.shared_keys)))

    @property
    def total(self) -> Sums:
        """The sums of all parts."""
        return summed(self.parts)


def estimate(
    domains: Sequence[Domain],
    rendered: Rendered,
    settings: StackSettings,
    today: date,
    *,
    prices: Prices | None = None,
    bill: Bill | None = None,
) -> Estimate:
    """The estimate of `domains`, of which `rendered` are the objects on the stack.

    Raises AsporaError for a stack without AWS and for a region without prices.
    """
    prices = prices or Prices(aws_prices(), model_prices())
    pools = priced(settings, prices.aws).nodes
    used = _usage(domains, rendered, settings)
    skills = tuple(_skill(work, use, pools, settings, prices) for work, use in used)
    found = Estimate(settings.environment, settings.region, today, prices, skills)
    if bill is None:
        return found
    return _with_platform(found, bill, [use for _, use in used], pools)


def of_domains(
    domains: Sequence[Domain],
    settings: StackSettings,
    today: date,
    only: Collection[str] | None = None,
    prices: Prices | None = None,
) -> Estimate:
    """The estimate of what skills cause themselves, without rendering the platform's services.

    Of the domains named in `only`; the others have to be known all the same, since they may call.
    """
    wanted = [domain for domain in domains if only is None or domain.name in only]
    objects = render_domains(domains, settings, only)
    rendered = Rendered(tuple(cluster_objects(settings)), objects)
    return estimate(wanted, rendered, settings, today, prices=prices)


def _usage(
    domains: Sequence[Domain], rendered: Rendered, settings: StackSettings
) -> list[tuple[Workload, compute.Usage]]:
    overhead: Mapping[str, Pod] = overheads({reference(obj): obj for obj in rendered.cluster})
    objects = {skill.id: skill.objects for domain in rendered.domains for skill in domain.skills}
    return [
        (work, compute.usage(work, objects[work.id], overhead))
        for domain in domains
        for work in resolved(domain, settings)
    ]


def _skill(
    work: Workload,
    use: compute.Usage,
    pools: Nodes,
    settings: StackSettings,
    prices: Prices,
) -> SkillCost:
    spent = tokens.part(work, prices.models, settings.environment)
    parts = (*compute.parts(use, pools, prices.aws), *([spent] if spent else []))
    return SkillCost(work.domain.name, work.id, work.kind, parts)


def _with_platform(
    found: Estimate, bill: Bill, used: Iterable[compute.Usage], pools: Nodes
) -> Estimate:
    charged = [compute.billed(use, pools, found.prices.aws) for use in used]
    shared = platform.shared(
        bill,
        sum((of_pods for of_pods, _ in charged), NOTHING),
        sum((of_volumes for _, of_volumes in charged), NOTHING),
    )
    unpriced = tuple(platform.unpriced(what) for what in shared.unpriced)
    weights = [skill.expected_compute for skill in found.skills]
    if not any(weights):
        whole = platform.fixed(shared.usd, "no compute to divide it by")
        return replace(
            found,
            undivided=(whole, *unpriced),
            shared=shared.lines,
            shared_keys=shared.keys,
        )
    shares = platform.divided(shared.usd, weights)
    skills = tuple(
        replace(skill, parts=(*skill.parts, platform.of_skill(share, shared.usd)))
        for skill, share in zip(found.skills, shares, strict=True)
    )
    return replace(
        found,
        skills=skills,
        undivided=unpriced,
        shared=shared.lines,
        shared_keys=shared.keys,
    )
