"""What the two sources say, as typed records, and how their files are read.

A file is JSON: a list of records, or one record a line. Whoever knows another format (a gateway's
own spend log) turns it into `SpendRecord`s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aspora.errors import AsporaError
from aspora.fields import SkillId

Count = Annotated[int, Field(ge=0)]
IDLE = "__idle__"
"""OpenCost's name for what nodes cost and nobody asked for."""
COSTS = (
    *("cpuCost", "gpuCost", "ramCost", "pvCost", "networkCost", "loadBalancerCost", "sharedCost"),
    *("cpuCostAdjustment", "gpuCostAdjustment", "ramCostAdjustment", "pvCostAdjustment"),
    *("networkCostAdjustment", "loadBalancerCostAdjustment"),
)
"""The parts of an allocation's cost. `totalCost` is their sum and is taken where it is given;
`externalCost` (cloud services of a workload) stays out: AWS's bill has those."""


class SpendRecord(BaseModel):
    """What one key of the model gateway spent on one model in one day (UTC).

    `usd` is None where the gateway has no price for the model: never 0. A key is a skill's; a key
    that is nobody's has the skill None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(min_length=1)
    domain: str = Field(min_length=1)
    skill: SkillId | None
    model: str = Field(min_length=1)
    day: date
    usd: Annotated[Decimal, Field(ge=0, allow_inf_nan=False)] | None
    tokens: Count
    calls: Count


@dataclass(frozen=True, slots=True)
class Allocation:
    """What one workload's pods cost in one day, by OpenCost; `labels` are the pods'."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    day: date
    usd: Decimal

    @property
    def idle(self) -> bool:
        """Whether it is the rest that nobody asked for."""
        return self.name.startswith(IDLE)


def bad(source: str, where: str, what: str, hint: str = "") -> AsporaError:
    """An error in a source's answer, with its place."""
    return AsporaError(f"{source}: {where + ': ' if where else ''}{what}", hint=hint)


def spend_records(text: str, source: str) -> tuple[SpendRecord, ...]:
    """The records of a spend file. Raises AsporaError for the first that cannot be read."""
    return tuple(
        _spend(raw, source, f"record {n}") for n, raw in enumerate(_items(text, source), 1)
    )


def _items(text: str, source: str) -> Iterator[Any]:
    stripped = text.strip()
    if stripped.startswith("["):
        yield from _json(stripped, source, "")
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield _json(line, source, f"line {number}")


def _json(text: str, source: str, where: str) -> Any:
    try:
        # Decimal from the digits themselves: a float would round money.
        return json.loads(text, parse_float=Decimal, parse_constant=Decimal)
    except json.JSONDecodeError as error:
        place = where or f"line {error.lineno}"
        raise bad(source, place, f"this is no JSON: {error.msg}") from None


def _spend(raw: Any, source: str, where: str) -> SpendRecord:
    try:
        return SpendRecord.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        what = f"{place}: {first['msg']}" if place else first["msg"]
        hint = (
            "a record has key, domain, skill, model, day, usd (null when unpriced), tokens, calls"
        )
        raise bad(source, where, what, hint) from None


def allocations(text: str, source: str) -> tuple[Allocation, ...]:
    """OpenCost's answer to /allocation/compute with `step=1d`: one set of allocations a day.

    Raises AsporaError for an answer of another shape, and for one that is not by day.
    """
    answer = _json(text, source, "")
    hint = "ask /allocation/compute with step=1d, aggregate=namespace,label:domain,label:role,"
    hint += "label:skill and includeIdle=true"
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise bad(source, "", "expected OpenCost's answer with a list under `data`", hint)
    if answer.get("code") != 200:
        raise bad(source, "", f"OpenCost answered {answer.get('code')}: {answer.get('message')}")
    found = []
    for number, group in enumerate(answer["data"], 1):
        if not isinstance(group, dict):
            continue  # a day without data is null
        found += [_allocation(n, raw, source, f"set {number}") for n, raw in group.items()]
    return tuple(found)


def _allocation(name: str, raw: Any, source: str, where: str) -> Allocation:
    place = f"{where}, {name}"
    if not isinstance(raw, dict) or not isinstance(raw.get("window"), dict):
        raise bad(source, place, "expected an allocation with a window")
    start, end = (_moment(raw["window"].get(key), source, place) for key in ("start", "end"))
    if end - start > timedelta(days=1) or start.date() != (end - timedelta(microseconds=1)).date():
        raise bad(source, place, "covers more than one day", "ask OpenCost with step=1d")
    properties = raw.get("properties") or {}
    return Allocation(
        name,
        properties.get("namespace") or "",
        properties.get("labels") or {},
        start.date(),
        _usd(raw, source, place),
    )


def _moment(value: Any, source: str, place: str) -> datetime:
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (TypeError, ValueError):
        raise bad(source, place, f"window: {value!r} is no time") from None


def _usd(raw: Mapping[str, Any], source: str, place: str) -> Decimal:
    """`totalCost`, else the sum of the parts. OpenCost writes null for what is no number."""
    external = _decimal(raw, "externalCost", source, place) or Decimal(0)
    total = _decimal(raw, "totalCost", source, place)
    if total is not None:
        return total - external
    parts = [_decimal(raw, key, source, place) for key in COSTS]
    if all(part is None for part in parts):
        raise bad(source, place, "has no cost: neither totalCost nor its parts")
    return sum((part for part in parts if part is not None), Decimal(0))


def _decimal(raw: Mapping[str, Any], key: str, source: str, place: str) -> Decimal | None:
    value = raw.get(key)
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise bad(source, place, f"{key}: {value!r} is no amount")
    return number
