"""What the model gateway must hold to, in no product's words.

A team for each domain and a key for each skill, with budgets in USD a calendar month (UTC). Three
caps, each within the next: the skill's, the domain's, and the limit of the domain's own key at
OpenRouter, which holds when everything of ours fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from aspora.models import Domain
from aspora.named_secrets import model_gateway_key, openrouter_key
from aspora.prices import ModelPrice, Tier, model_prices
from aspora.resolve import Workload, workloads
from aspora.stack import StackSettings

MONTH = "month"
ABOVE_THE_BUDGET = Decimal("1.1")
"""The limit of a domain's key at OpenRouter, where the file names none: what is under way when the
budget is spent must still get through."""
PARALLEL_PER_POD = 10
"""Model calls at one time that one pod of a skill may have open."""
CALLS_PER_MINUTE = 60
"""Of one pod: more than one a second, minute after minute, is a loop and no work."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model with what it costs; `name` is ours, `route` the provider's."""

    name: str
    route: str
    price: ModelPrice

    @property
    def max_request_usd(self) -> Decimal:
        """The most that a single call can cost: the longest input, never read from a cache, and
        the longest output, at the prices that a prompt of that length has."""
        longest = self.price.max_input_tokens or 0
        answer = self.price.max_output_tokens or 0
        rates: list[ModelPrice | Tier] = [self.price]
        rates += [tier for tier in self.price.tiers if tier.prompt_tokens <= longest]
        worst = max(max(rate.input, rate.cache_write or 0) for rate in rates)
        written = max(rate.output for rate in rates)
        return (Decimal(str(worst)) * longest + Decimal(str(written)) * answer) / 1_000_000


@dataclass(frozen=True, slots=True)
class Key:
    """A skill's key: what it may call, in which order, how often and for how much."""

    skill: str
    name: str
    team: str
    secret: str
    models: tuple[str, ...]
    budget_usd: Decimal
    calls_per_minute: int
    parallel_calls: int
    period: str = MONTH

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """Tried in this order when the first model fails."""
        return self.models[1:]


@dataclass(frozen=True, slots=True)
class Team:
    """A domain: its own budget above its keys', and its own key at OpenRouter."""

    name: str
    budget_usd: Decimal
    provider_limit_usd: Decimal
    secret: str
    models: tuple[Model, ...]
    keys: tuple[Key, ...]
    period: str = MONTH

    @property
    def max_request_usd(self) -> Decimal:
        """What one call of the domain can cost at most, by which a cap may be overshot."""
        return max((model.max_request_usd for model in self.models), default=Decimal(0))


@cache
def routes() -> dict[str, str]:
    """Our models' names at OpenRouter."""
    return {str(name): str(route) for name, route in _table()["models"].items()}


def routes_verified() -> bool:
    """Whether somebody has compared them with OpenRouter's list; prod needs it."""
    return bool(_table()["verified"])


@cache
def _table() -> dict[str, Any]:
    text = resources.files("aspora").joinpath("data/openrouter-models.json").read_text("utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def unusable(name: str) -> str | None:
    """Why the gateway cannot offer this model, or None: no price, no bound, or no route means no
    budget that holds."""
    price = model_prices().models.get(name)
    if price is None:
        return "has no price"
    if price.max_input_tokens is None or price.max_output_tokens is None:
        return "has no known length, so that nobody knows what one call can cost"
    if name not in routes():
        return "has no route at OpenRouter"
    return None


def model(name: str) -> Model:
    """A usable model; validation has refused the others."""
    return Model(name, routes()[name], model_prices().models[name])


def plan(domains: Sequence[Domain], settings: StackSettings) -> tuple[Team, ...]:
    """Every team, in the order of the files."""
    return tuple(_team(domain, settings) for domain in domains)


def _team(domain: Domain, settings: StackSettings) -> Team:
    keys = tuple(_keys(domain, settings))
    used = dict.fromkeys(name for key in keys for name in key.models)
    return Team(
        name=domain.name,
        budget_usd=domain.budget.monthly_usd,
        provider_limit_usd=domain.budget.provider_limit_usd
        or domain.budget.monthly_usd * ABOVE_THE_BUDGET,
        secret=openrouter_key(settings, domain.name),
        models=tuple(model(name) for name in used),
        keys=keys,
    )


def _keys(domain: Domain, settings: StackSettings) -> Iterator[Key]:
    for work in workloads(domain):
        pods = _pods(work)
        chosen = [work.model, *work.fallback_models]
        yield Key(
            skill=work.id,
            name=work.name,
            team=domain.name,
            secret=model_gateway_key(settings, domain.name, work.name),
            models=tuple(dict.fromkeys(name for name in chosen if name is not None)),
            budget_usd=work.skill.budget.monthly_usd,
            calls_per_minute=CALLS_PER_MINUTE * pods,
            parallel_calls=PARALLEL_PER_POD * pods,
        )


def _pods(work: Workload) -> int:
    """The most pods of the skill at one time."""
    if work.skill.sessions:
        return work.skill.sessions.max_sessions
    return work.scaling.max if work.kind == "service" else 1
