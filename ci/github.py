"""GitHub's REST API, as far as the workflows need it.

The token goes to the API and nowhere else: an artifact's redirect to a storage host is followed
without it. Answers are read up to a limit. What cannot be had is `Refused`, with GitHub's words.
"""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 30.0
ATTEMPTS = 3
PAGE = 100
"""Entries of one page: the most that GitHub gives."""
MOST = 8_000_000
"""Bytes of one answer; a page of 100 comments of 65,536 characters has about 7 MB."""

BOT = "github-actions[bot]"
"""Who writes with a workflow's own token."""
REPOSITORY = re.compile(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}", re.ASCII)


class Refused(Exception):
    """What was asked for cannot be had, or must not be done; the text is for the log."""


@dataclass(frozen=True)
class Api:
    """One repository. `pause` is the seconds before the second attempt."""

    url: str
    repository: str
    token: str
    pause: float = 1.0

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Api:
        """From the variables that GitHub sets, and the token that the step hands over."""
        url = env.get("GITHUB_API_URL", "")
        if urllib.parse.urlsplit(url).scheme not in ("https", "http"):
            raise Refused("GITHUB_API_URL is no address")
        repository = env.get("GITHUB_REPOSITORY", "")
        if not REPOSITORY.fullmatch(repository):
            raise Refused("GITHUB_REPOSITORY is no <owner>/<name>")
        if not env.get("GITHUB_TOKEN"):
            raise Refused("GITHUB_TOKEN is not set: the step hands it over in `env`")
        return cls(url.rstrip("/"), repository, env["GITHUB_TOKEN"])

    def get(self, path: str, **query: str | int) -> Any:
        """The JSON at a path below the repository."""
        return self._json(self._request("GET", path, query))

    def pages(self, path: str, key: str = "", limit: int = 30, **query: str | int) -> Iterator[Any]:
        """Every entry of a list, page by page; `key` names the list inside of each answer.

        Raises Refused beyond `limit` pages: a list cut short would look like a whole one.
        """
        for page in range(1, limit + 1):
            answer = self.get(path, **query, per_page=PAGE, page=page)
            entries = answer[key] if key else answer
            if not isinstance(entries, list):
                raise Refused(f"{path}: GitHub answered no list")
            yield from entries
            if len(entries) < PAGE:
                return
        raise Refused(f"{path}: more than {limit * PAGE} entries")

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """POST or PATCH; never repeated, for a comment would stand there twice."""
        return self._json(self._request(method, path, {}, json.dumps(body).encode(), attempts=1))

    def delete(self, path: str) -> None:
        """DELETE."""
        self._request("DELETE", path, {}, attempts=1)

    def download(self, path: str, limit: int) -> bytes:
        """The bytes of a file, after at most one redirect to where it is stored."""
        return self._request("GET", path, {}, limit=limit)

    def _json(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise Refused(f"GitHub answered no JSON: {data[:80]!r}") from None

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: bytes | None = None,
        *,
        attempts: int = ATTEMPTS,
        limit: int = MOST,
    ) -> bytes:
        address = f"{self.url}/repos/{self.repository}/{path}"
        if query:
            address += f"?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(address, data=body, method=method)  # noqa: S310
        request.add_header("Accept", "application/vnd.github+json")
        request.add_header("X-GitHub-Api-Version", "2022-11-28")
        request.add_header("User-Agent", "aspora-platform")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        # "Unredirected": the host that a redirect leads to does not get it.
        request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        for attempt in range(1, attempts + 1):
            try:
                return _read(request, limit)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code < 500 or attempt == attempts:
                        raise Refused(f"{method} {path}: {_words(error)}") from None
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                if attempt == attempts:
                    why = getattr(error, "reason", error)
                    raise Refused(f"{method} {path}: GitHub does not answer: {why}") from None
            time.sleep(self.pause * attempt)
        raise AssertionError("unreachable")


def _read(request: urllib.request.Request, limit: int) -> bytes:
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        data: bytes = answer.read(limit + 1)
    if len(data) > limit:
        raise Refused(f"the answer has more than {limit} bytes")
    return data


def _words(error: urllib.error.HTTPError) -> str:
    """`404 Not Found`, with GitHub's own message."""
    try:
        message = json.loads(error.read(10_000)).get("message", "")
    except (ValueError, RecursionError, AttributeError, OSError):
        message = ""
    return " ".join(f"{error.code} {error.reason} {printable(message)}".split())


def event(env: Mapping[str, str]) -> dict[str, Any]:
    """What started the workflow."""
    path = env.get("GITHUB_EVENT_PATH", "")
    try:
        data = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        raise Refused("GITHUB_EVENT_PATH names no readable event") from None
    if not isinstance(data, dict):
        raise Refused("the event is no mapping")
    return data


def printable(text: object) -> str:
    """On one line and without control characters: a log line that starts with `::` is a command."""
    shown = "".join(c if c.isprintable() else " " for c in str(text))
    return shown.replace("##[", "##\\x5b")[:500]


def say(text: str) -> None:
    """A line of the log; never a workflow command, whatever stands in it."""
    sys.stderr.write(f"- {printable(text)}\n")


def outcome(work: Callable[[], None]) -> int:
    """The exit code of a script: 0 when `work` was done, else 1 and an error on the run's page."""
    try:
        work()
    except Refused as error:
        finish("error", str(error))
        return 1
    except (KeyError, TypeError, ValueError, RecursionError, OSError) as error:
        finish("error", f"not as expected: {error!r}")
        return 1
    return 0


def finish(kind: str, text: str) -> None:
    """A notice or an error that the run's page shows: a command of GitHub's runner."""
    shown = printable(text).replace("%", "%25")
    sys.stderr.write(f"::{kind}::{shown}\n")
