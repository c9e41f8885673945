"""The few calls of LiteLLM's management API that `aspora gateway sync` makes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import urllib3

from aspora.errors import EnvironmentFailure

Json = dict[str, Any]
PAGE = 100
TIMEOUT = urllib3.Timeout(connect=5, read=30)


@dataclass(frozen=True)
class GatewayClient:
    """A gateway at `url`; `ca` is a file with the CA that its certificate is checked against."""

    url: str
    master_key: str = field(repr=False)
    ca: Path | None = None

    def state(self) -> dict[str, list[Json]]:
        """All teams and keys that are there."""
        return {"teams": self._teams(), "keys": self._keys()}

    def _teams(self) -> list[Json]:
        answer = self._call("GET", "/team/list")
        return answer if isinstance(answer, list) else []

    def _keys(self) -> list[Json]:
        found: list[Json] = []
        page, pages = 1, 1
        while page <= pages:
            query = {"return_full_object": "true", "size": str(PAGE), "page": str(page)}
            answer = self._call("GET", "/key/list", fields=query)
            found += answer["keys"]
            pages = answer.get("total_pages") or 0
            page += 1
        return found

    def post(self, path: str, body: Json) -> None:
        """One change."""
        self._call("POST", path, body=body)

    def _call(
        self, method: str, path: str, body: Json | None = None, fields: Json | None = None
    ) -> Any:
        pool = urllib3.PoolManager(ca_certs=str(self.ca) if self.ca else None, timeout=TIMEOUT)
        headers = {"Authorization": f"Bearer {self.master_key}"}
        try:
            with pool:
                answer = pool.request(
                    method,
                    f"{self.url.rstrip('/')}{path}",
                    headers=headers,
                    retries=False,
                    redirect=False,
                    **({"json": body} if body is not None else {"fields": fields}),
                )
        except urllib3.exceptions.HTTPError as error:
            raise EnvironmentFailure(
                f"no answer from the model gateway at {self.url}: {type(error).__name__}",
                hint="is it up, and is --ca the CA of its certificate?",
            ) from None
        if answer.status != HTTPStatus.OK:
            raise EnvironmentFailure(
                f"the model gateway refused {method} {path}: {answer.status} {_said(answer.data)}",
                hint="is LITELLM_MASTER_KEY right, and does the gateway have its database?",
            )
        return json.loads(answer.data)


def _said(data: bytes) -> str:
    """The error's own words, short; never the request, which may hold a key."""
    try:
        error = json.loads(data)
    except ValueError:
        return ""
    inner = error.get("error", error.get("detail", "")) if isinstance(error, dict) else ""
    text = inner.get("message", "") if isinstance(inner, dict) else inner
    return " ".join(str(text).split())[:200]
