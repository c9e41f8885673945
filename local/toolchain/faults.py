"""What stops a tool from being had, and the way out of it."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING

from aspora.errors import EnvironmentFailure, ToolUnavailable
from local.processes import tail

if TYPE_CHECKING:
    from pathlib import Path

    from local.paths import Paths
    from local.toolchain.table import Tool

FIRST_BUILD_GB = 8  # modules 2.7 GB, compiled packages 5 GB, the tools 0.6 GB

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_NETWORK = (
    "dial tcp",
    "no such host",
    "i/o timeout",
    "connection refused",
    "network is unreachable",
    "tls handshake timeout",
    "module lookup disabled",
    "could not resolve",
    "name resolution",
)


class NoWayError(Exception):
    """One way of getting a tool did not work; the next may. The text says why."""

    def __init__(self, why: str, *, log: Path | None = None, no_go: bool = False) -> None:
        super().__init__(why)
        self.log = log
        self.no_go = no_go


def unavailable(tool: Tool, tried: list[str], last: NoWayError) -> ToolUnavailable:
    """The tool's name, what was tried in order, the log and the way out."""
    message = "\n".join(
        [f"{tool.name} {tool.version} cannot be had. Tried, in this order:", *_bullets(tried)]
    )
    again = "Then run the same command again; finished tools are kept."
    here = f"{tool.name} {tool.version} on PATH"
    if last.no_go:
        hint = (
            f"Any of these helps: an Internet connection, Go (https://go.dev/dl), {here}. {again}"
        )
    else:
        hint = f"Mend what the log names, or put {here}. {again}"
    if last.log:
        words = tail(last.log)
        message += f"\nLast lines of {last.log}:\n{_indented(words)}"
        if not last.no_go and any(sign in words.lower() for sign in _NO_NETWORK):
            hint = (
                "Go could not download a module. Check the connection (and GOPROXY, HTTPS_PROXY), "
                "then run the same command again: the build goes on where it stopped."
            )
    return ToolUnavailable(message, hint=hint)


def disk_full(paths: Paths, what: str) -> ToolUnavailable:
    """There is no room for the tools."""
    return ToolUnavailable(
        f"the disk is full: {what} needs room in {paths.cache}, where "
        f"{free_gb(paths.cache):.1f} GB are free",
        hint=(
            f"The first build takes about {FIRST_BUILD_GB} GB (less when Go's caches are filled). "
            f"Free that much, or name a folder on another disk: ASPORA_CACHE=/path/to/folder. "
            "Then run the same command again: the build goes on where it stopped."
        ),
    )


def from_os_error(paths: Paths, error: OSError, what: str) -> EnvironmentFailure:
    """A file of the cache could not be written or read."""
    if error.errno in _FULL:
        return disk_full(paths, what)
    return EnvironmentFailure(
        f"the tool cache {paths.cache} cannot be used: {error.strerror or error}"
        f"{f' ({error.filename})' if error.filename else ''}",
        hint="Name a folder you may write to: ASPORA_CACHE=/path/to/folder",
    )


def log_says_disk_full(log: Path) -> bool:
    """Whether a build ended because of the disk."""
    words = tail(log, 40).lower()
    return any(
        s in words for s in ("no space left on device", "disk quota exceeded", "file too large")
    )


def free_gb(folder: Path) -> float:
    """Free space where `folder` is or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free / 1e9


def _bullets(lines: list[str]) -> list[str]:
    return [f"  - {line}" for line in lines]


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
