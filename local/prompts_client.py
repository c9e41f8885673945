"""The few calls of Langfuse's public API that `aspora prompts sync` makes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aspora.prompts.reconcile import API, Json, Version, path_of
from local.json_service import JsonService, secret_header, secure_url

PUBLIC_KEY, SECRET_KEY = "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"
PAGE = 100
"""The most that Langfuse gives at once."""
MAX_PAGES = 1000
DONE = (HTTPStatus.OK, HTTPStatus.CREATED)


def service(url: str, public: str, secret: str, ca: Path | None = None) -> JsonService:
    """Langfuse at `url`. Raises UsageError for an address its secret key must not go to."""
    pair = f"{secret_header(public, PUBLIC_KEY)}:{secret_header(secret, SECRET_KEY)}"
    return JsonService(
        name="Langfuse",
        url=secure_url(url, "the secret key"),
        hint=f"are {PUBLIC_KEY} and {SECRET_KEY} those of the stack's project?",
        headers={"Authorization": f"Basic {b64encode(pair.encode()).decode()}"},
        ca=ca,
    )


@dataclass(frozen=True)
class PromptsClient:
    """Langfuse's prompts; an answer of any other shape is a failure, never an empty list."""

    service: JsonService

    def state(self, names: Collection[str], domains: Collection[str]) -> dict[str, list[Version]]:
        """Every version of the prompts of these names, and of all others of these domains."""
        mine = {
            name: numbers
            for name, numbers in self._names().items()
            if name in names or name.partition("/")[0] in domains
        }
        return {
            name: [self._version(name, number) for number in sorted(numbers)]
            for name, numbers in mine.items()
        }

    def send(self, method: str, path: str, body: Json) -> None:
        """One change."""
        self.service.call(method, path, body=body, accept=DONE)

    def _names(self) -> Mapping[str, set[int]]:
        found: dict[str, set[int]] = {}
        page, pages = 1, 1
        while page <= pages:
            rows, pages = self._page(page)
            for row in rows:  # a name has several where its versions' tags differ
                found.setdefault(row["name"], set()).update(row["versions"])
            page += 1
        return found

    def _page(self, page: int) -> tuple[list[Json], int]:
        query = {"limit": str(PAGE), "page": str(page)}
        _, answer = self.service.call("GET", API, query=query)
        rows = answer.get("data") if isinstance(answer, dict) else None
        meta = answer.get("meta") if isinstance(answer, dict) else None
        pages = meta.get("totalPages") if isinstance(meta, dict) else None
        known = isinstance(rows, list) and all(map(_is_row, rows)) and _is_count(pages)
        if not known or rows is None or pages is None:
            raise self.service.unlike("GET", API, "no list of prompts with their versions")
        if pages > MAX_PAGES:
            raise self.service.unlike("GET", API, f"more than {MAX_PAGES} pages")
        return rows, pages

    def _version(self, name: str, number: int) -> Version:
        path = path_of(name)
        _, answer = self.service.call("GET", path, query={"version": str(number)})
        if not _is_version(answer, name, number):
            raise self.service.unlike("GET", path, f"no version {number} of that prompt")
        text = answer["prompt"]
        return Version(
            number,
            text if answer.get("type") == "text" and isinstance(text, str) else None,
            tuple(answer["labels"]),
            tuple(answer["tags"]),
            answer.get("config"),
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        return False
    versions = row.get("versions")
    return isinstance(versions, list) and all(map(_is_count, versions))


def _is_version(answer: Any, name: str, number: int) -> bool:
    return (
        isinstance(answer, dict)
        and answer.get("name") == name
        and answer.get("version") == number
        and "prompt" in answer
        and all(_is_texts(answer.get(field)) for field in ("labels", "tags"))
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
