"""A JSON API over HTTP that takes a secret: what may be called, and what counts as its answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3

from aspora.errors import EnvironmentFailure, UsageError
from aspora.problems import quoted

TIMEOUT = urllib3.Timeout(connect=5, read=30)
LIMIT = 64 * 1024 * 1024
"""Bytes of one answer; more is not what was asked for."""


def secure_url(text: str, secret: str) -> str:
    """`text` without a slash at its end. Raises UsageError for what `secret` must not be sent to:
    no address, one with a password in it, or http to another machine."""
    parts = _split(text)
    if parts is None:
        raise UsageError(f"{quoted(text)} is no address", hint="for example https://127.0.0.1:8443")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "the address holds a user name or a password", hint=f"leave it out: {secret} is sent"
        )
    if parts.query or parts.fragment:
        raise UsageError(
            f"{quoted(text)} has more than a path after its host", hint="leave out ? and #"
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise UsageError(
            f"{quoted(text)} is plain http to another machine",
            hint=f"{secret} would travel in the clear: use https, or forward its port to 127.0.0.1",
        )
    return text.rstrip("/")


def _split(text: str) -> SplitResult | None:
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return None  # urlsplit drops tabs and newlines silently
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if known else None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def secret_header(value: str, name: str) -> str:
    """`value`, which a header can carry. Raises UsageError without showing it."""
    if not value:
        raise UsageError(f"{name} is not set")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise UsageError(
            f"{name} holds a space, a line break or a letter beyond ASCII",
            hint="no such secret is one; look for a line break at its end",
        )
    return value


@dataclass(frozen=True, eq=False)
class JsonService:
    """`name` is for messages; `hint` for when it refuses. `ca` checks its certificate."""

    name: str
    url: str
    hint: str
    headers: Mapping[str, str] = field(repr=False)
    ca: Path | None = None

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        accept: Collection[int] = (HTTPStatus.OK,),
        money: bool = False,
    ) -> tuple[int, Any]:
        """The status and the answer, read as JSON, with `money` its fractions as Decimal. Raises
        EnvironmentFailure for every other."""
        status, data = self._send(method, path, body, query)
        if status not in accept:
            raise EnvironmentFailure(
                f"{self.name} refused {method} {path}: {status} {_said(data)}".rstrip(),
                hint=self.hint,
            )
        try:
            return status, _json(data, Decimal if money else float) if data else None
        except (ValueError, RecursionError):
            raise self.unlike(method, path, "no JSON") from None

    def unlike(self, method: str, path: str, what: str) -> EnvironmentFailure:
        """The failure for an answer that is not this product's."""
        return EnvironmentFailure(
            f"{self.name} at {self.url} answered {method} {path} with {what}",
            hint="does the address lead to another program, or through a proxy with a login page?",
        )

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        """One connection for many calls; no proxy of the environment sees them."""
        ca = str(self.ca) if self.ca else None
        return urllib3.PoolManager(ca_certs=ca, timeout=TIMEOUT, retries=False)

    def _send(
        self, method: str, path: str, body: Any, query: Mapping[str, str] | None
    ) -> tuple[int, bytes]:
        more: dict[str, Any] = {"json": body} if body is not None else {"fields": query}
        try:
            answer = self._pool.request(
                method,
                f"{self.url}{path}",
                headers=dict(self.headers),
                redirect=False,
                preload_content=False,
                **more,
            )
            data = answer.read(LIMIT + 1, decode_content=True)
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise EnvironmentFailure(
                f"no answer from {self.name} at {self.url}: {type(error).__name__}",
                hint="is it up, and is --ca the CA of its certificate?",
            ) from None
        if len(data) > LIMIT:
            raise self.unlike(method, path, f"more than {LIMIT // 1024**2} MiB")
        return answer.status, data


def _json(data: bytes, fraction: type[float | Decimal] = float) -> Any:
    """Strictly: Python's own reader takes NaN and Infinity too."""
    return json.loads(data, parse_float=fraction, parse_constant=_no_number)


def _no_number(text: str) -> None:
    raise ValueError(text)


def _said(data: bytes) -> str:
    """The error's own words, short; never the request, which may hold a secret."""
    try:
        error = _json(data)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(error, dict):
        return ""
    inner = error.get("error") or error.get("detail") or error.get("message") or ""
    text = inner.get("message", "") if isinstance(inner, dict) else inner
    return " ".join(str(text).split())[:200]
