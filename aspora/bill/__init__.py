"""What a stack costs a month: its registered resources, and the nodes Karpenter will start.

List prices of one region, on demand. Pure: no AWS, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from aspora.aws_prices import AwsPrices, aws_prices, priced
from aspora.bill import pools, rules
from aspora.bill.left_out import left_out
from aspora.bill.lines import Bill, Charge, Free, Line, merged
from aspora.bill.text import format_markdown, format_text
from aspora.bill.usage import usage
from aspora.named_secrets import NamedSecret
from aspora.registered import Registered, aws_resources
from aspora.render.objects import Object
from aspora.services.releases import Release
from aspora.stack import StackSettings

__all__ = ["Bill", "Charge", "Free", "Line", "bill", "format_markdown", "format_text", "left_out"]


def bill(
    resources: Iterable[Registered],
    rendered: Iterable[Object],
    secrets: Iterable[NamedSecret],
    settings: StackSettings,
    prices: AwsPrices | None = None,
    installed: Iterable[Release] = (),
) -> Bill:
    """The bill of a stack: its program's resources, its rendered objects, its named secrets, and
    the releases whose pods need nodes.

    Raises AsporaError for a stack without AWS, a region without prices, and a resource type that
    has no rule.
    """
    prices = prices or aws_prices()
    aws = priced(settings, prices)
    by_type: dict[str, list[Registered]] = {}
    for resource in aws_resources(tuple(resources)):
        by_type.setdefault(resource.type, []).append(resource)
    stack = rules.Stack(by_type, aws, usage(settings.environment), settings, tuple(installed))
    found = (
        *rules.charges(stack),
        *_secrets(stack, secrets),
        *pools.charges(stack, tuple(rendered), prices),
    )
    charges = merged(item for item in found if isinstance(item, Charge))
    return Bill(
        settings.environment,
        prices.region,
        prices.as_of,
        tuple(Line(c.what, c.count, prices.price(c.key), c.basis) for c in charges),
        tuple(item for item in found if isinstance(item, Free)),
    )


def _secrets(stack: rules.Stack, secrets: Iterable[NamedSecret]) -> Iterator[Charge]:
    """Entries that `aspora bootstrap` makes, which no program registers."""
    made = sum(secret.source != "pulumi" for secret in secrets)
    yield Charge("secret made by bootstrap", "secret.entry", Decimal(made), rules.MONTHLY)
    yield stack.used("requests to Secrets Manager", "secret.requests", "secret-requests")
