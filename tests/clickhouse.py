"""A real ClickHouse engine in this process (chdb), and spans as the collector's exporter writes
them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import chdb.session
import pytest

from aspora.telemetry import spans
from aspora.telemetry.records import SkillExecutionTrace


@cache
def _session(folder: Path) -> Any:
    """chdb has one server a process, in one folder: tests have databases of their own in it."""
    untyped: Any = chdb.session.Session
    return untyped(str(folder))


class Engine:
    """One database; `run` is what `migrations.apply` takes."""

    def __init__(self, session: Any, database: str) -> None:
        self.database = database
        self._session = session
        session.query(f"CREATE DATABASE {database}")

    def query(self, sql: str, style: str = "Null") -> str:
        self._session.query(f"USE {self.database}")
        return str(self._session.query(sql, style))

    def run(self, sql: str) -> list[list[str]]:
        text = self.query(sql, "JSONCompactStringsEachRow")
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def rows(self, sql: str) -> list[dict[str, Any]]:
        text = self.query(sql, "JSONEachRow")
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def insert(self, traces: Iterable[SkillExecutionTrace]) -> None:
        lines = [json.dumps(row) for trace in traces for row in span_rows(trace)]
        self.query("INSERT INTO otel_traces FORMAT JSONEachRow\n" + "\n".join(lines))


@contextmanager
def engine(factory: pytest.TempPathFactory, database: str) -> Iterator[Engine]:
    """An empty database, dropped at the end."""
    base = factory.getbasetemp() / "clickhouse"
    found = Engine(_session(base), database)
    try:
        yield found
    finally:
        found.query(f"DROP DATABASE {database}")


def span_rows(trace: SkillExecutionTrace) -> list[dict[str, Any]]:
    resource = spans.resource(trace, f"{trace.domain}-{trace.agent_role}-{trace.skill_name}")
    held = _texts(resource["attributes"]) | {"deployment.environment.name": "staging"}
    return [_row(held, span) for span in spans.spans(trace)]


def _row(held: dict[str, str], span: dict[str, Any]) -> dict[str, Any]:
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    moment = datetime.fromtimestamp(start // 10**9, UTC)
    return {
        "Timestamp": f"{moment:%Y-%m-%d %H:%M:%S}.{start % 10**9:09d}",
        "TraceId": span["traceId"],
        "SpanId": span["spanId"],
        "ParentSpanId": span.get("parentSpanId", ""),
        "SpanName": span["name"],
        "SpanKind": {1: "Internal", 3: "Client"}[span["kind"]],
        "ServiceName": held["service.name"],
        "ResourceAttributes": held,
        "SpanAttributes": _texts(span["attributes"]),
        "Duration": end - start,
        "StatusCode": {1: "Ok", 2: "Error"}[span["status"]["code"]],
        "StatusMessage": span["status"].get("message", ""),
    }


def _texts(encoded: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The exporter keeps every value as text: numbers as JSON, lists as JSON."""
    return {key: _text(value) for key, value in spans.decoded(encoded).items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
