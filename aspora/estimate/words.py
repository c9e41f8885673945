"""Amounts and remarks of an estimate as people read them, in no format yet."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.estimate import Estimate
from aspora.estimate.amounts import MEASURES, Kind, Money, Part, summed
from aspora.estimate.figures import oldest
from aspora.estimate.skills import SkillCost

UNKNOWN = "unknown"
COLUMNS = ("Skill", "Runs as", "Compute", "Models", "Platform", "Low", "Expected", "High")
RIGHT = (False, False, True, True, True, True, True, True)
"""Which columns hold numbers. Compute (with volumes), models and platform are the expected ones."""
SHOWN: tuple[tuple[Kind, ...], ...] = (("compute", "volumes"), ("models",), ("platform",))
"""What the columns Compute, Models and Platform add up."""


def usd(money: Money, *, sign: bool = False) -> str:
    """The sum, and how many parts are not in it; `unknown` where nothing is known."""
    if not money.missing:
        return f"{money.usd:+,.2f}" if sign and money.usd else f"{money.usd:,.2f}"
    if not money.usd:
        return UNKNOWN
    return f"{usd(Money(money.usd), sign=sign)} + {money.missing} {UNKNOWN}"


def cells(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """The numbers of a row: expected by kind, then low, expected and high of all."""
    by_kind = [tuple(part for part in parts if part.kind in kinds) for kinds in SHOWN]
    total = summed(parts)
    return (
        *(usd(summed(found).expected) if found else "-" for found in by_kind),
        *(usd(total.money(measure)) for measure in MEASURES),
    )


def rows(found: Estimate) -> Iterator[tuple[str, ...]]:
    """A row for each domain and below it its skills, then what is undivided, and the total."""
    for domain in found.domains:
        skills = found.of(domain)
        yield domain, "", *cells(tuple(part for skill in skills for part in skill.parts))
        for skill in skills:
            yield f"  {short(skill)}", skill.kind, *cells(skill.parts)
    if found.undivided:
        yield "(platform)", "", *cells(found.undivided)
    yield "total", "", *cells(tuple(found.parts))


def short(skill: SkillCost) -> str:
    """The skill's ID without its domain, below which it stands."""
    return skill.skill.removeprefix(f"{skill.domain}/")


def missing(found: Estimate) -> Iterator[str]:
    """What is not known or stands for another amount, and why; each reason once."""
    skills: dict[str, list[str]] = {}
    for skill in found.skills:
        for part in skill.parts:
            for why in filter(None, (part.missing, part.remark)):
                skills.setdefault(f"{part.kind}: {why}", []).append(_named(skill, part))
    yield from (f"{why}; concerns {', '.join(names)}" for why, names in skills.items())
    yield from (f"platform: {part.missing}" for part in found.undivided if part.missing)


def _named(skill: SkillCost, part: Part) -> str:
    """With its cap where that is all that is known."""
    capped = part.expected is None and part.high is not None
    return f"{skill.skill} (at most {part.high:,.2f})" if capped else skill.skill


def ages(found: Estimate) -> str:
    """From when the prices are, and which snapshot they stand in."""
    prices = found.prices
    return (
        f"prices: AWS of {prices.aws.region} as of {prices.aws.as_of}, models as of"
        f" {prices.models.as_of}; the oldest figure used is {oldest(found)} days old;"
        f" snapshot {prices.aws.digest[:12]} and {prices.models.digest[:12]}"
    )


def change(money: Money) -> str:
    """A difference with its sign."""
    return usd(money, sign=True)


def between(before: Money, after: Money) -> str:
    """`12.00 to 30.00`, or once where it stays."""
    return usd(after) if before == after else f"{usd(before)} to {usd(after)}"
