"""The few calls of LiteLLM's management API that `aspora gateway sync` makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.json_service import JsonService, secret_header, secure_url

Json = dict[str, Any]
MASTER_KEY = "LITELLM_MASTER_KEY"
PAGE = 100
MAX_PAGES = 1000
"""100,000 keys: whoever names more pages names them without end."""


def service(url: str, master_key: str, ca: Path | None = None) -> JsonService:
    """The gateway at `url`. Raises UsageError for an address its master key must not go to."""
    key = secret_header(master_key, MASTER_KEY)
    return JsonService(
        name="the model gateway",
        url=secure_url(url, "the master key"),
        hint=f"is {MASTER_KEY} right, and does the gateway have its database?",
        headers={"Authorization": f"Bearer {key}"},
        ca=ca,
    )


@dataclass(frozen=True)
class GatewayClient:
    """LiteLLM's teams and keys; an answer of any other shape is a failure, never an empty list."""

    service: JsonService

    def state(self) -> dict[str, list[Json]]:
        """All teams and keys that are there."""
        return {"teams": self._teams(), "keys": self._keys()}

    def post(self, path: str, body: Json) -> None:
        """One change."""
        self.service.call("POST", path, body=body)

    def _teams(self) -> list[Json]:
        _, answer = self.service.call("GET", "/team/list")
        return self._records(answer, "team_id", "/team/list")

    def _keys(self) -> list[Json]:
        found: list[Json] = []
        page, pages = 1, 1
        while page <= pages:
            more, pages = self._page(page)
            found += more
            page += 1
        return found

    def _page(self, page: int) -> tuple[list[Json], int]:
        query = {"return_full_object": "true", "size": str(PAGE), "page": str(page)}
        _, answer = self.service.call("GET", "/key/list", query=query)
        if not isinstance(answer, dict):
            raise self.service.unlike("GET", "/key/list", "no object")
        pages = answer.get("total_pages")
        if isinstance(pages, bool) or not isinstance(pages, int):
            raise self.service.unlike("GET", "/key/list", "no whole number `total_pages`")
        if pages > MAX_PAGES:
            raise self.service.unlike("GET", "/key/list", f"more than {MAX_PAGES} pages")
        return self._records(answer.get("keys"), "token", "/key/list"), pages

    def _records(self, found: Any, name: str, path: str) -> list[Json]:
        if not isinstance(found, list) or not all(_is_record(each, name) for each in found):
            raise self.service.unlike("GET", path, f"no list of objects with a `{name}`")
        return found


def _is_record(each: Any, name: str) -> bool:
    """Whether the fields that we look into are what LiteLLM has there."""
    return (
        isinstance(each, dict)
        and isinstance(each.get(name), str)
        and isinstance(each.get("key_alias"), str | None)
        and isinstance(each.get("metadata"), dict | None)
        and isinstance(each.get("spend"), int | float | None)
    )
