"""A cluster with everything the platform renders in it, as tests ask it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import orjson
from urllib3 import HTTPHeaderDict

from aspora.render import Object
from infra.definitions import Definitions
from local.kube import KubeClient, KubeError

THREADS = 8
POLICIES = ("runtime", "images", "hardening", "labels")


class Impersonating(KubeClient):
    """The same server, called as somebody else."""

    def __init__(self, client: KubeClient, user: str, *groups: str) -> None:
        super().__init__(client.server, client._pool)
        self._resources = client._resources
        self._who = (user, *groups, "system:authenticated")

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], *, last: bool
    ) -> tuple[int, Object]:
        mine = HTTPHeaderDict(headers)
        user, *groups = self._who
        mine.add("Impersonate-User", user)
        for group in groups:
            mine.add("Impersonate-Group", group)
        return super()._send(method, path, body, mine, last=last)  # type: ignore[arg-type]


@dataclass
class World:
    """The cluster, and what came of applying everything to it."""

    client: KubeClient
    definitions: Definitions
    rejected: list[str] = field(default_factory=list)
    """What the server said to rendered objects of the local stack that it refused."""

    def refusals(self, objects: Iterable[Object], *, dry_run: bool) -> list[str]:
        """Apply objects side by side; what the server said to those it refused."""

        def apply(obj: Object) -> str:
            try:
                self.client.apply(obj, dry_run=dry_run)
            except KubeError as error:
                return error.message
            return ""

        with ThreadPoolExecutor(THREADS) as threads:
            return [words for words in threads.map(apply, objects) if words]

    def refusal(self, obj: Object, client: KubeClient | None = None) -> str:
        """What the server says to a new object; empty when it would take it."""
        try:
            (client or self.client).create(obj, dry_run=True)
        except KubeError as error:
            return f"{error.status} {error.message}"
        return ""

    def patch(self, path: str, change: Any, *, dry_run: bool = True) -> Object:
        """A merge patch of an object or of one of its subresources."""
        return self.client.request(
            "PATCH",
            path + ("?dryRun=All" if dry_run else ""),
            orjson.dumps(change),
            content="application/merge-patch+json",
        )

    def patch_refusal(self, path: str, change: Any) -> str:
        """What the server says to a change; empty when it would take it."""
        try:
            self.patch(path, change)
        except KubeError as error:
            return error.message
        return ""


def wait_for(what: str, test: Callable[[], Any], seconds: float = 30) -> None:
    """Until `test` holds."""
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
