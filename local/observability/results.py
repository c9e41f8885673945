"""What arrived: Prometheus and Phoenix asked by their own APIs, one row a domain."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from aspora.errors import LocalPlatformError
from aspora.telemetry import metrics
from local.observability.executions import PERSONAL
from local.processes import LOOPBACK

if TYPE_CHECKING:
    from local.observability.configs import Ports

PAGE = 1000
QUESTIONS: Mapping[str, str] = {
    "executions": f"sum by (domain) ({metrics.EXECUTIONS.name})",
    "errors": f'sum by (domain) ({metrics.EXECUTIONS.name}{{outcome="error"}})',
    "usd": f"sum by (domain) ({metrics.MODEL_COST.name})",
    "unpriced": f'sum by (domain) ({metrics.MODEL_CALLS.name}{{priced="false"}})',
    "rated": f"sum by (domain) ({metrics.FEEDBACK.name})",
}
"""What Prometheus is asked; each answer by domain."""
HEADINGS = ("DOMAIN", "EXECUTIONS", "ERRORS", "MODEL USD", "UNPRICED CALLS", "RATED", "SPANS")


@dataclass(frozen=True)
class Row:
    """One domain: the first five by Prometheus, `spans` by Phoenix."""

    domain: str
    executions: int
    errors: int
    usd: float
    unpriced: int
    rated: int
    spans: int


@dataclass(frozen=True)
class Results:
    """`unmasked` counts the examples of personal data that Phoenix holds as they were sent;
    `alerts` are those that fire or wait to, as `name (state)`."""

    rows: tuple[Row, ...]
    unmasked: int
    alerts: tuple[str, ...]


def counted(ports: Ports) -> int:
    """Executions that Prometheus has seen."""
    return round(sum(_by_domain(ports, QUESTIONS["executions"]).values()))


def stored(ports: Ports, domains: Sequence[str]) -> dict[str, int]:
    """Spans that Phoenix holds, by domain: each has a project of its own."""
    names = "{ projects { edges { node { name recordCount } } } }"
    answer = _ask(ports.phoenix, "/graphql", {"query": names})
    nodes = [edge["node"] for edge in answer["data"]["projects"]["edges"]]
    found = {node["name"]: int(node["recordCount"]) for node in nodes}
    return {domain: found.get(domain, 0) for domain in domains}


def read(ports: Ports, domains: Sequence[str]) -> Results:
    """Ask both. Raises LocalPlatformError where one does not answer."""
    answers = {name: _by_domain(ports, question) for name, question in QUESTIONS.items()}
    spans = stored(ports, domains)

    def count(name: str, domain: str) -> int:
        return round(answers[name].get(domain, 0))

    rows = [
        Row(
            domain,
            executions=count("executions", domain),
            errors=count("errors", domain),
            usd=answers["usd"].get(domain, 0.0),
            unpriced=count("unpriced", domain),
            rated=count("rated", domain),
            spans=spans[domain],
        )
        for domain in domains
    ]
    return Results(tuple(rows), _unmasked(ports, [d for d in domains if spans[d]]), _alerts(ports))


def table(results: Results) -> list[str]:
    """Aligned lines with a sum below."""
    rows = [_cells(row) for row in results.rows]
    total = _total(results.rows)
    lines = [HEADINGS, *rows, _cells(total)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(_aligned(line, widths)).rstrip() for line in lines]


def _total(rows: Sequence[Row]) -> Row:
    return Row(
        "all",
        executions=sum(row.executions for row in rows),
        errors=sum(row.errors for row in rows),
        usd=sum((row.usd for row in rows), 0.0),
        unpriced=sum(row.unpriced for row in rows),
        rated=sum(row.rated for row in rows),
        spans=sum(row.spans for row in rows),
    )


def _cells(row: Row) -> tuple[str, ...]:
    numbers = (row.executions, row.errors, row.usd, row.unpriced, row.rated, row.spans)
    return (row.domain, *(f"{n:,.2f}" if isinstance(n, float) else f"{n:,}" for n in numbers))


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *rest = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]


def _alerts(ports: Ports) -> tuple[str, ...]:
    found = _query(ports, "count by (alertname, alertstate) (ALERTS)")
    labels = [each["metric"] for each in found]
    return tuple(sorted(f"{each['alertname']} ({each['alertstate']})" for each in labels))


def _by_domain(ports: Ports, question: str) -> dict[str, float]:
    found = _query(ports, question)
    return {each["metric"].get("domain", ""): float(each["value"][1]) for each in found}


def _query(ports: Ports, question: str) -> list[dict[str, Any]]:
    answer = _ask(ports.prometheus, f"/api/v1/query?{urlencode({'query': question})}")
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def _unmasked(ports: Ports, projects: Sequence[str]) -> int:
    """How often one of the examples stands anywhere in what Phoenix tells of its spans."""
    found = 0
    for project in projects:
        cursor: str | None = ""
        while cursor is not None:
            more = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
            page = _ask(ports.phoenix, f"/v1/projects/{quote(project)}/spans?{urlencode(more)}")
            text = json.dumps(page["data"], ensure_ascii=False)
            found += sum(text.count(example) for example in PERSONAL)
            cursor = page.get("next_cursor") or None
    return found


def _ask(port: int, path: str, body: Mapping[str, str] | None = None) -> Any:
    """The JSON that a server on this machine answers; a body makes it a POST."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60.0)
    try:
        text = json.dumps(body).encode() if body else None
        headers = {"Content-Type": "application/json"}
        connection.request("POST" if body else "GET", path, text, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status == http.HTTPStatus.OK:
            return json.loads(said)
    except (OSError, ValueError, http.client.HTTPException) as error:
        said = str(error).encode()
    finally:
        connection.close()
    raise LocalPlatformError(
        f"http://{LOOPBACK}:{port}{path.partition('?')[0]} does not answer as it should:"
        f" {said[:200].decode(errors='replace')}",
        hint="run `aspora up --observability` again",
    )
