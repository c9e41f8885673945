"""What the tests of the estimate share: a price table with round figures, and one skill's cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from aspora.aws_prices import AwsPrices, Price, Shape
from aspora.bill import Bill, Line
from aspora.estimate import Estimate, Part, Prices, SkillCost, estimate
from aspora.estimate.amounts import Kind
from aspora.models import Domain
from aspora.prices import ModelPrice, PriceTable
from aspora.render import render
from tests.core import settings

TODAY = date(2026, 11, 28)
XLARGE = Shape(4, 16, 58)

AWS = {
    "ec2.m6a.xlarge": "0.1728",
    "ec2.m6a.2xlarge": "0.3456",
    "ec2.m6i.xlarge": "0.192",
    "ec2.m6i.2xlarge": "0.384",
    "ec2.m7i.2xlarge": "0.4032",
    "ebs.gp3": "0.08",
}
SHAPES = {
    "m6a.xlarge": XLARGE,
    "m6a.2xlarge": Shape(8, 32, 58),
    "m6i.xlarge": XLARGE,
    "m6i.2xlarge": Shape(8, 32, 58),
    "m7i.2xlarge": Shape(8, 32, 58),
}
"""Those of prod's pools."""


def prices(models: Mapping[str, ModelPrice] | None = None, **aws: str | None) -> Prices:
    """The table above with some prices changed; `ec2__m6a__xlarge=None` has none."""
    changed = {key.replace("__", "."): usd for key, usd in aws.items()}
    entries = {
        key: Price(key, None if usd is None else Decimal(usd), "hour", "a test", "2026-11-01")
        for key, usd in {**AWS, **changed}.items()
    }
    table = {
        "claude-haiku-4-5": ModelPrice(1, 5, source="a list", as_of="2026-11-27"),
        "claude-sonnet-4-5": ModelPrice(3, 15),
    }
    return Prices(
        AwsPrices("us-east-1", "2026-10", entries, SHAPES, "a" * 64),
        PriceTable("2026-11", "another list", table if models is None else dict(models), "b" * 64),
    )


def domain(*skills: Mapping[str, Any], name: str = "pets", **agent: Any) -> Domain:
    """A domain of one agent with these skills."""
    listed = [{"description": "Does what the test wants.", **skill} for skill in skills]
    return Domain.model_validate(
        {
            "name": name,
            "owner": {"team": f"{name}-team", "costCenter": name},
            "agents": [
                {
                    "name": "vet",
                    "image": "aspora/pets-vet:v1.0.0",
                    "model": "claude-haiku-4-5",
                    **agent,
                    "skills": listed,
                }
            ],
        }
    )


def of(
    *domains: Domain,
    stack: str = "prod",
    table: Prices | None = None,
    bill: Bill | None = None,
    **changes: Any,
) -> Estimate:
    """The estimate of these domains."""
    wanted = settings(stack, **changes)
    rendered = render(domains, wanted)
    return estimate(domains, rendered, wanted, TODAY, prices=table or prices(), bill=bill)


def skill(**fields: Any) -> Mapping[str, Any]:
    """A skill as YAML would have it."""
    return {"name": "advise", **fields}


def cost(table: Prices | None = None, *, stack: str = "prod", **fields: Any) -> SkillCost:
    """What one such skill costs."""
    (found,) = of(domain(skill(**fields)), table=table, stack=stack).skills
    return found


def part(found: SkillCost, kind: Kind) -> Part:
    """The one part of that kind."""
    (one,) = found.of(kind)
    return one


def amounts(found: Part) -> tuple[str | None, ...]:
    """Low, expected and high as text."""
    return tuple(
        None if usd is None else str(usd) for usd in (found.low, found.expected, found.high)
    )


def bill_of(**lines: tuple[str, str | None]) -> Bill:
    """A bill of one line for each name: the key of its price, and USD a month."""
    return Bill(
        "prod",
        "us-east-1",
        "2026-10",
        tuple(
            Line(
                what.replace("_", " "),
                Decimal(1),
                Price(key, None if usd is None else Decimal(usd), "month", "a test"),
                "a test",
            )
            for what, (key, usd) in lines.items()
        ),
        (),
    )
