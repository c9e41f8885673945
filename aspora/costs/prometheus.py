"""The gateway's spend as Prometheus has it: what to ask, and what the answers mean.

Prometheus knows what agents reported and the collector counted, and estimates at the edges of a
day; the gateway's own books are exact. So a file of the gateway goes before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from aspora import names
from aspora.costs.attribution import SkillIds
from aspora.costs.records import SpendRecord, bad
from aspora.telemetry import metrics

BY = ", ".join((*metrics.SKILL, "model"))
QUERIES: Mapping[str, str] = {
    "usd": f"sum by ({BY}) (increase({metrics.MODEL_COST.name}[1d]))",
    "calls": f"sum by ({BY}, priced) (increase({metrics.MODEL_CALLS.name}[1d]))",
    "tokens": f"sum by ({BY}) (increase({metrics.MODEL_TOKENS.name}[1d]))",
}
"""For one day, asked at its end."""

Key = tuple[str, str, str, str]


def days(first: date, last: date) -> Iterator[date]:
    """From `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def samples(text: str, source: str) -> list[tuple[dict[str, str], Decimal]]:
    """The labels and values of an instant query's answer. Raises AsporaError for another shape."""
    try:
        answer: Any = json.loads(text)
        if answer["status"] != "success":
            raise bad(source, "", f"Prometheus answered: {answer.get('error', 'no reason')}")
        held = [(each["metric"], Decimal(each["value"][1])) for each in answer["data"]["result"]]
    except (ValueError, KeyError, TypeError, IndexError, InvalidOperation):
        raise bad(
            source, "", "this is no answer of Prometheus", "give the address of its HTTP API"
        ) from None
    return [(labels, value) for labels, value in held if value.is_finite()]


def spend(
    day: date, answers: Mapping[str, list[tuple[dict[str, str], Decimal]]], ids: SkillIds
) -> tuple[SpendRecord, ...]:
    """The records of one day. Tokens of a model with calls of both kinds stand with the priced."""
    usd = {_key(labels): value for labels, value in answers["usd"]}
    tokens = {_key(labels): value for labels, value in answers["tokens"]}
    found = []
    for labels, calls in answers["calls"]:
        count = _whole(calls)
        if count:
            key, priced = _key(labels), labels.get("priced") == "true"
            both = priced or key not in usd or usd[key] == 0
            said = _whole(tokens.get(key, Decimal(0))) if both else 0
            found.append(_record(day, key, usd.get(key) if priced else None, said, count, ids))
    return tuple(found)


def _record(
    day: date, key: Key, usd: Decimal | None, tokens: int, calls: int, ids: SkillIds
) -> SpendRecord:
    domain, role, skill, model = key
    known = ids.get((domain, role, skill)) or names.skill_id(domain, role, skill)
    return SpendRecord(
        key=names.workload(known),
        domain=domain,
        skill=known,
        model=model,
        day=day,
        usd=usd,
        tokens=tokens,
        calls=calls,
    )


def _key(labels: Mapping[str, str]) -> Key:
    domain, role, skill = (labels.get(name, "") for name in metrics.SKILL)
    return domain, role, skill, labels.get("model", "")


def _whole(value: Decimal) -> int:
    """`increase` extrapolates: 2.98 calls were 3."""
    return int(value.to_integral_value())
