"""LiteLLM's books as spend records: its answer to `/user/daily/activity`, by day, key and model.

Of its three reports this one has tokens and spend of each key and model by day and needs no
licence (`/global/spend/report` does), and it is kept when the log of single calls (`/spend/logs`)
is cut. Read with LiteLLM 1.109.1's sources: SpendAnalyticsPaginatedResponse in
types/proxy/management_endpoints/common_daily_activity.py; days are of UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aspora import names
from aspora.costs.attribution import SkillIds
from aspora.costs.records import Count, SpendRecord, bad
from aspora.gateways.model.reconcile import in_use
from aspora.prices import ModelPrice, model_prices

UNKNOWN = "(unknown)"
"""The domain of a key that LiteLLM knows neither an alias nor a team of."""
PATH = "/user/daily/activity"
PAGE = 1000
"""The most rows it gives at once; a row is a user, day, key, model and endpoint."""
PLACES = Decimal("1e-12")
"""LiteLLM adds floats; a token of the cheapest model costs some 1e-8 USD."""
HINT = f"it is an answer of LiteLLM to {PATH}?start_date=…&end_date=…, each page of it"


class _Part(BaseModel):
    """What we read of LiteLLM's answer; it says much more."""

    model_config = ConfigDict(frozen=True)


class _Metrics(_Part):
    spend: Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
    total_tokens: Count
    api_requests: Count


class _KeyMetadata(_Part):
    key_alias: str | None = None
    team_id: str | None = None


class _Key(_Part):
    metrics: _Metrics
    metadata: _KeyMetadata = _KeyMetadata()


class _Group(_Part):
    api_key_breakdown: dict[str, _Key]


class _Breakdown(_Part):
    model_groups: dict[str, _Group]


class _Day(_Part):
    date: date
    breakdown: _Breakdown


class _Pages(_Part):
    page: Count
    total_pages: Count


class _Answer(_Part):
    results: tuple[_Day, ...]
    metadata: _Pages


class _Use(NamedTuple):
    """Whose use of which model on which day; `group` is what the agent asked for."""

    day: date
    key: str
    team: str
    group: str


@dataclass(slots=True)
class _Sum:
    spend: Decimal = Decimal(0)
    tokens: int = 0
    calls: int = 0


def is_answer(text: str) -> bool:
    """Whether a file of spend holds LiteLLM's answers and not our own records."""
    first = next(iter(_objects(text)), None)
    return isinstance(first, dict) and "results" in first


def spend_of_text(text: str, source: str, ids: SkillIds) -> tuple[SpendRecord, ...]:
    """The records of a file: one answer, or all pages of one as a list or a line each."""
    return spend_of_pages(_objects(text), source, ids)


def spend_of_pages(answers: Iterable[Any], source: str, ids: SkillIds) -> tuple[SpendRecord, ...]:
    """The records of all pages of one question, each of them once."""
    pages = [_read(each, source, f"page {n}") for n, each in enumerate(answers, 1)]
    numbers = sorted(page.metadata.page for page in pages)
    wanted = range(1, max((page.metadata.total_pages for page in pages), default=0) + 1)
    if numbers != list(wanted or [1]):
        there = ", ".join(map(str, numbers)) or "none"
        what = f"expected the pages 1 to {len(wanted) or 1}, each once, and found {there}"
        raise bad(source, "", what, HINT)
    return _records(pages, ids)


def pages_of(answer: Any, source: str) -> int:
    """How many pages there are. Raises AsporaError for an answer that is not LiteLLM's."""
    return _read(answer, source, "").metadata.total_pages


def _objects(text: str) -> Iterator[Any]:
    """What the file holds; nothing where it is no JSON, which is then said of our own format."""
    try:
        whole = _json(text)
    except (ValueError, RecursionError):
        try:
            yield from [_json(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            return
    else:
        yield from whole if isinstance(whole, list) else [whole]


def _json(text: str) -> Any:
    # Decimal from the digits themselves, as in aspora/costs/records.py.
    return json.loads(text, parse_float=Decimal, parse_constant=Decimal)


def _read(raw: Any, source: str, where: str) -> _Answer:
    try:
        return _Answer.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise bad(source, where, f"{place}: {first['msg']}", HINT) from None


def _records(pages: Iterable[_Answer], ids: SkillIds) -> tuple[SpendRecord, ...]:
    """Pages cut a day and even a key in two, so what belongs together is added first."""
    sums: dict[_Use, _Sum] = {}
    for page in pages:
        for use, metrics in _uses(page):
            found = sums.setdefault(use, _Sum())
            found.spend += metrics.spend
            found.tokens += metrics.total_tokens
            found.calls += metrics.api_requests
    skills = {names.workload(skill): skill for skill in ids.values()}
    return tuple(_record(use, sums[use], skills) for use in sorted(sums))


def _uses(page: _Answer) -> Iterator[tuple[_Use, _Metrics]]:
    for day in page.results:
        for group, held in day.breakdown.model_groups.items():
            for token, key in held.api_key_breakdown.items():
                alias = in_use(key.metadata.key_alias or token[:12])
                yield _Use(day.date, alias, key.metadata.team_id or "", group), key.metrics


def _record(use: _Use, found: _Sum, skills: Mapping[str, str]) -> SpendRecord:
    skill = skills.get(use.key)
    asked, _, name = use.group.partition("/")
    domain = skill.partition("/")[0] if skill else use.team or (asked if name else "") or UNKNOWN
    model = name if name and asked == domain else use.group
    return SpendRecord(
        key=use.key,
        domain=domain,
        skill=skill,
        model=model,
        day=use.day,
        usd=_usd(found, model_prices().models.get(model)),
        tokens=found.tokens,
        calls=found.calls,
    )


def _usd(found: _Sum, price: ModelPrice | None) -> Decimal | None:
    """LiteLLM books 0 for what it has no price of: tokens for nothing are unpriced, unless the
    model is free of charge. Nothing used (calls that failed) costs nothing."""
    free = price is not None and price.input == 0 and price.output == 0
    if found.spend == 0 and found.tokens > 0 and not free:
        return None
    return found.spend.quantize(PLACES).normalize() + Decimal(0)
