"""OpenRouter's list of models: the answer of `GET /api/v1/models`.

`data[].pricing.prompt`, `.completion`, `.input_cache_read` and `.input_cache_write` are texts in
USD per token; -1 is a price that varies by route. `overrides` with `min_prompt_tokens` are the
prices of long prompts; others, such as by the hour, are said and not taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from aspora.errors import AsporaError
from aspora.price_lists import Listing, Quote, amount

MILLION = Decimal(1_000_000)
NEEDED = {"input": "prompt", "output": "completion"}
OPTIONAL = {"cacheRead": "input_cache_read", "cacheWrite": "input_cache_write"}


def recognised(raw: Mapping[str, Any]) -> bool:
    """Whether `raw` is such a list."""
    return isinstance(raw.get("data"), list)


def listing(raw: Mapping[str, Any], source: str, today: date, routes: Mapping[str, str]) -> Listing:
    """The prices of our models, of which `routes` holds the names there.

    The list bears no date, so a quote is of the day it was read. Raises AsporaError when none of
    our models is in it: then it is not the list it should be.
    """
    models = {str(model.get("id")): model for model in raw["data"] if isinstance(model, Mapping)}
    known = {name: models[route] for name, route in routes.items() if route in models}
    if not known:
        raise AsporaError(
            f"{source} lists none of our models: {', '.join(sorted(routes.values()))}",
            hint="their names there stand in aspora/data/openrouter-models.json",
        )
    quotes: list[Quote] = []
    remarks = [
        f"{name}: {route} is not listed: kept as it was"
        for name, route in sorted(routes.items())
        if route not in models
    ]
    for name, model in sorted(known.items()):
        listed = model.get("pricing")
        pricing = listed if isinstance(listed, Mapping) else {}
        amounts = _amounts(pricing)
        if amounts is None:
            remarks.append(f"{name}: has no fixed price there: kept as it was")
            continue
        tiers, rest = _tiers(pricing)
        quotes.append(Quote(name, amounts, source, today.isoformat(), tiers))
        if rest:
            remarks.append(f"{name}: has other prices there at times: not taken")
    return Listing(tuple(quotes), tuple(remarks))


def _amounts(pricing: Mapping[str, Any]) -> Mapping[str, Decimal] | None:
    """USD per million tokens; None unless both ways have a price above 0."""
    both = {ours: amount(pricing.get(theirs)) for ours, theirs in NEEDED.items()}
    if any(usd is None or usd <= 0 for usd in both.values()):
        return None
    more = {ours: amount(pricing.get(theirs)) for ours, theirs in OPTIONAL.items()}
    return {
        name: usd * MILLION for name, usd in (both | more).items() if usd is not None and usd > 0
    }


def _tiers(pricing: Mapping[str, Any]) -> tuple[tuple[Mapping[str, Decimal], ...], int]:
    """Tiers by the length of the prompt, the shortest first, and how many overrides are none."""
    overrides = pricing.get("overrides")
    found: list[Mapping[str, Decimal]] = []
    listed = overrides if isinstance(overrides, list) else []
    for other in listed:
        least = amount(other.get("min_prompt_tokens")) if isinstance(other, Mapping) else None
        amounts = _amounts(other) if isinstance(other, Mapping) else None
        if least is not None and least > 0 and amounts is not None:
            found.append({"promptTokens": least, **amounts})
    ordered = sorted(found, key=lambda tier: tier["promptTokens"])
    return tuple(ordered), len(listed) - len(found)
