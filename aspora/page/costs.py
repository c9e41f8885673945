"""What a stack costs a month: a bar from low to high for each domain, the skills folded behind."""

from __future__ import annotations

from aspora.estimate import Estimate
from aspora.estimate.amounts import Part, Sums, summed
from aspora.estimate.assumptions import RULES
from aspora.estimate.words import COLUMNS as OF_SKILLS
from aspora.estimate.words import RIGHT, SHOWN, ages, cells, missing, rows, usd
from aspora.page.markup import Markup, html, join
from aspora.page.tables import card, folded, listed, table

KINDS = ("Compute", "Models", "Platform")
COLUMNS = ("Domain", "Range", *KINDS)
LEAD = (
    "USD a month at list prices, before anything runs. A bar goes from low to high, its mark is"
    " what is expected; compute, models and platform are the expected amounts."
)


def costs(found: Estimate) -> Markup:
    """The domains, what is not known, the skills, what is assumed."""
    unknown = list(missing(found))
    return join(
        [
            card(table("Cost of each domain", COLUMNS, _domains(found), right=KINDS)),
            folded("Not known", len(unknown), listed(unknown)) if unknown else "",
            folded("Skills", len(found.skills), _skills(found)),
            folded("What is assumed", len(RULES), table("Rules", ("Of", "Rule"), RULES.items())),
            html('<p class="muted">{}</p>', ages(found)),
        ],
        "\n",
    )


def _domains(found: Estimate) -> list[tuple[object, ...]]:
    parts = {
        name: tuple(part for skill in found.of(name) for part in skill.parts)
        for name in found.domains
    }
    if found.undivided:
        parts["platform"] = found.undivided
    most = max((float(summed(mine).high.usd) for mine in parts.values()), default=0)
    return [
        *((name, _range(summed(mine), most), *_kinds(mine)) for name, mine in parts.items()),
        ("All", _words(found.total), *_kinds(tuple(found.parts))),
    ]


def _kinds(parts: tuple[Part, ...]) -> tuple[str, ...]:
    return cells(parts)[: len(SHOWN)]


def _skills(found: Estimate) -> Markup:
    right = [name for name, number in zip(OF_SKILLS, RIGHT, strict=True) if number]
    lines = [(row[0].strip(), *row[1:]) for row in rows(found)]
    return table("Cost of each skill", OF_SKILLS, lines, right=right)


def _range(sums: Sums, most: float) -> Markup:
    """The bar, and its three numbers in words."""
    low, expected, high = (float(sums.money(m).usd) for m in ("low", "expected", "high"))
    scale = 100 / most if most else 0
    return html(
        '<div class="gauge"><svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none"'
        ' aria-hidden="true"><rect class="used" x="{}" width="{}" height="8"/>'
        '<rect class="was" x="{}" width="0.6" height="8"/></svg>'
        "{}</div>",
        f"{low * scale:.4g}",
        f"{max(high - low, 0) * scale:.4g}",
        f"{min(expected * scale, 99.4):.4g}",
        _words(sums),
    )


def _words(sums: Sums) -> Markup:
    return html(
        "<b>{}</b> <small>from {} to {}</small>",
        usd(sums.expected),
        usd(sums.low),
        usd(sums.high),
    )
