"""The plan in LiteLLM's words: its file, and the teams and keys that exist only in its database.

A deployment for each domain and model, since each domain has a key of its own at OpenRouter: an
agent asks for `<domain>/<model>`. Each carries its price: LiteLLM reserves what a call can cost
before it is sent, and reserves nothing for a model without one (decision 54).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from aspora.gateways.model.plan import Key, Model, Team
from aspora.prices import ModelPrice, Tier
from aspora.stack import OPENROUTER

API_BASE = f"http://{OPENROUTER}/api/v1"
"""Plain as far as the sidecar: the egress gateway speaks TLS to OpenRouter."""
OUTPUT_TOKENS = 4096
"""Of a call that names no limit of its own. LiteLLM reserves this many for such a call, and the
call gets no more, so that the two agree."""
BUDGET_DURATION = "1mo"
"""A calendar month; LiteLLM begins a new one on the first, UTC."""
MANAGED_BY = "aspora"
REQUEST_TIMEOUT_SECONDS = 600
Json = dict[str, Any]


def public_name(team: str, model: str) -> str:
    """What an agent asks for."""
    return f"{team}/{model}"


def key_variable(team: str) -> str:
    """The variable that holds a domain's key at OpenRouter."""
    return f"OPENROUTER_KEY_{team.upper().replace('-', '_')}"


def per_token(usd_per_million: float) -> float:
    """LiteLLM counts in USD per token."""
    return float(Decimal(str(usd_per_million)) / 1_000_000)


def config(teams: Sequence[Team]) -> Json:
    """The file LiteLLM starts with: everything but teams and keys."""
    return {
        "model_list": [deployment(team, model) for team in teams for model in team.models],
        "router_settings": {"num_retries": 0, "enable_pre_call_checks": True},
        "litellm_settings": {
            "request_timeout": REQUEST_TIMEOUT_SECONDS,
            "num_retries": 0,
            "drop_params": False,
            "turn_off_message_logging": True,
            "json_logs": True,
            "telemetry": False,
            "callbacks": ["otel"],
            # The counters of all replicas; an empty list of calls caches no answer.
            "cache": True,
            "cache_params": {"type": "redis", "supported_call_types": []},
        },
        "general_settings": {
            "master_key": "os.environ/LITELLM_MASTER_KEY",
            "fail_closed_budget_enforcement": True,
            "allow_requests_on_db_unavailable": False,
            "always_include_stream_usage": True,
            "store_model_in_db": False,
        },
    }


def deployment(team: Team, model: Model) -> Json:
    """One model of one domain, with its price and its longest input and output."""
    price = model.price
    info: Json = {
        "mode": "chat",
        **rates(price),
        "max_input_tokens": price.max_input_tokens,
        "max_output_tokens": price.max_output_tokens,
    }
    if price.tiers:
        info["tiered_pricing"] = tiers(price)
    return {
        "model_name": public_name(team.name, model.name),
        "litellm_params": {
            "model": f"openrouter/{model.route}",
            "api_base": API_BASE,
            "api_key": f"os.environ/{key_variable(team.name)}",
            "max_tokens": OUTPUT_TOKENS,
            # OpenRouter then says what the call really cost.
            "extra_body": {"usage": {"include": True}},
        },
        "model_info": info,
    }


def rates(price: ModelPrice | Tier) -> Json:
    """USD a token, in LiteLLM's words."""
    found = {
        "input_cost_per_token": per_token(price.input),
        "output_cost_per_token": per_token(price.output),
    }
    if price.cache_read is not None:
        found["cache_read_input_token_cost"] = per_token(price.cache_read)
    if price.cache_write is not None:
        found["cache_creation_input_token_cost"] = per_token(price.cache_write)
    return found


def tiers(price: ModelPrice) -> list[Json]:
    """Prices by the prompt's length. LiteLLM has names with a length in them as well, but what it
    reserves for a call follows this table alone (budget_reservation.py of 1.109.1). A range is
    without its first number and with its last."""
    steps: list[ModelPrice | Tier] = [price, *price.tiers]
    starts = [0, *(tier.prompt_tokens - 1 for tier in price.tiers)]
    ends = [*starts[1:], max(price.max_input_tokens or 0, starts[-1] + 1)]
    return [
        {"range": [start, end], **rates(step)}
        for start, end, step in zip(starts, ends, steps, strict=True)
    ]


def team_state(team: Team) -> Json:
    """A team as LiteLLM's API takes it."""
    return {
        "team_id": team.name,
        "team_alias": team.name,
        "max_budget": float(team.budget_usd),
        "budget_duration": BUDGET_DURATION,
        "models": [public_name(team.name, model.name) for model in team.models],
        "blocked": False,
        "metadata": {"managed_by": MANAGED_BY},
    }


def key_state(key: Key) -> Json:
    """A key as LiteLLM's API takes it, without its value."""
    named = [public_name(key.team, name) for name in key.models]
    return {
        "key_alias": key.name,
        "team_id": key.team,
        "max_budget": float(key.budget_usd),
        "budget_duration": BUDGET_DURATION,
        "models": named,
        "rpm_limit": key.calls_per_minute,
        "max_parallel_requests": key.parallel_calls,
        "router_settings": {"fallbacks": [{named[0]: named[1:]}] if named[1:] else []},
        "blocked": False,
        "metadata": {"managed_by": MANAGED_BY, "skill": key.skill},
    }


def desired(teams: Sequence[Team]) -> Mapping[str, list[Json]]:
    """All that the reconciler has to bring about."""
    return {
        "teams": [team_state(team) for team in teams],
        "keys": [key_state(key) for team in teams for key in team.keys],
    }
