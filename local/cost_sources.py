"""Prometheus and OpenCost over HTTP, for `aspora cost --actual`."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import urllib3

from aspora.costs import litellm, prometheus, records
from aspora.errors import EnvironmentFailure, UsageError

if TYPE_CHECKING:
    from aspora.costs.attribution import SkillIds
    from local.json_service import JsonService

TIMEOUT = urllib3.Timeout(connect=5, read=60)
LIMIT = 64 * 1024 * 1024  # bytes of one answer
MAX_PAGES = 1000
AGGREGATE = "namespace,label:domain,label:role,label:skill"


def spend_of(url: str, first: date, last: date, ids: SkillIds) -> tuple[records.SpendRecord, ...]:
    """What Prometheus knows of each day, asked at its end."""
    found: list[records.SpendRecord] = []
    for day in prometheus.days(first, last):
        end = f"{day + timedelta(days=1)}T00:00:00Z"
        answers = {
            name: prometheus.samples(_get(url, "/api/v1/query", query=query, time=end), url)
            for name, query in prometheus.QUERIES.items()
        }
        found += prometheus.spend(day, answers, ids)
    return tuple(found)


def spend_of_gateway(
    service: JsonService, first: date, last: date, ids: SkillIds
) -> tuple[records.SpendRecord, ...]:
    """The gateway's own books of these days, page by page."""
    found: list[Any] = []
    page, pages = 1, 1
    while page <= pages:
        query = {"start_date": f"{first}", "end_date": f"{last}", "page": f"{page}"}
        query["page_size"] = f"{litellm.PAGE}"
        _, answer = service.call("GET", litellm.PATH, query=query, money=True)
        found.append(answer)
        pages = litellm.pages_of(answer, service.url)
        if pages > MAX_PAGES:
            raise EnvironmentFailure(
                f"{service.url} has more than {MAX_PAGES} pages of spend", hint="ask in parts"
            )
        page += 1
    return litellm.spend_of_pages(found, service.url, ids)


def allocations_of(url: str, first: date, last: date) -> tuple[records.Allocation, ...]:
    """OpenCost's allocations of each day, idle included."""
    answer = _get(
        url,
        "/allocation/compute",
        window=f"{first}T00:00:00Z,{last + timedelta(days=1)}T00:00:00Z",
        aggregate=AGGREGATE,
        step="1d",
        includeIdle="true",
    )
    return records.allocations(answer, url)


def _get(base: str, path: str, **query: str) -> str:
    """The text of an answer. Raises UsageError for no URL, EnvironmentFailure for no answer."""
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname:
        raise UsageError(f'"{base}" is no address', hint="for example http://localhost:9090")
    address = f"{base.rstrip('/')}{path}?{urlencode(query)}"
    hint = "forward its port first: kubectl port-forward -n aspora-observability …"
    try:
        with urllib3.PoolManager(timeout=TIMEOUT, retries=False) as pool:
            response = pool.request("GET", address, preload_content=False)
            body = response.read(LIMIT + 1)
            response.release_conn()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise EnvironmentFailure(f"{base} does not answer: {_reason(error)}", hint=hint) from None
    if len(body) > LIMIT:
        raise EnvironmentFailure(f"{base} answered with more than 64 MiB", hint="ask for less days")
    text: str = body.decode("utf-8", "replace")
    if response.status != 200:
        raise EnvironmentFailure(f"{base}{path} answered {response.status}: {text[:200].strip()}")
    return text


def _reason(error: Exception) -> str:
    """Without the names of objects that urllib3 puts before the reason."""
    return str(error).rpartition(": ")[2] or type(error).__name__
