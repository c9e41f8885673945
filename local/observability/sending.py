"""Executions on their way: by OTLP over HTTP to the first tier, with an agent's certificate."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from aspora.errors import LocalPlatformError
from aspora.telemetry import spans
from local.processes import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

    from local.observability.executions import Made

A_REQUEST = 25  # executions


def send(made: Sequence[Made], port: int, tls: Path) -> int:
    """Send them; how many spans they are. Raises LocalPlatformError where any is refused."""
    context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
    context.load_cert_chain(tls / "agent.crt", tls / "agent.key")
    connection = http.client.HTTPSConnection(LOOPBACK, port, timeout=30.0, context=context)
    try:
        return sum(_post(connection, body) for body in requests(made))
    except (OSError, http.client.HTTPException) as error:
        raise LocalPlatformError(
            f"the collector does not take executions: {error}",
            hint="run `aspora up --observability` again",
        ) from None
    finally:
        connection.close()


def requests(made: Sequence[Made]) -> Iterator[dict[str, Any]]:
    """Bodies of POST /v1/traces, some executions each."""
    for start in range(0, len(made), A_REQUEST):
        each = [
            spans.request(trace, skill.name) for skill, trace in made[start : start + A_REQUEST]
        ]
        yield {"resourceSpans": [group for body in each for group in body["resourceSpans"]]}


def _post(connection: http.client.HTTPSConnection, body: dict[str, Any]) -> int:
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/traces", json.dumps(body).encode(), headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise http.client.HTTPException(f"status {answer.status}: {said[:200]!r}")
    return sum(1 for _ in _spans(body))


def _spans(body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return (
        span
        for group in body["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    )
