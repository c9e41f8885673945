"""Whether this machine has what the local platform needs; looks only, changes nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local.paths import Paths

BUILD_GB = 8
"""Disk that building all tools takes the first time: modules and compiled packages."""
MEMORY_GB = 4


@dataclass(frozen=True)
class Check:
    """One finding, with the command that mends it."""

    state: Literal["ok", "warn", "fail"]
    what: str
    detail: str
    way_out: str = ""


def checks(paths: Paths, env: Mapping[str, str]) -> Iterator[Check]:
    """Every check, cheap ones first."""
    yield _python()
    tools = list(_tools(paths, env))
    yield from tools
    missing = [check for check in tools if check.state != "ok"]
    yield _disk(paths, needed=BUILD_GB if missing else 1)
    yield _memory()
    yield _definitions(env)
    yield _platform(paths)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("ok", "python", version)


def _tools(paths: Paths, env: Mapping[str, str]) -> Iterator[Check]:
    from local import toolchain

    for name, place in toolchain.where(tuple(toolchain.TOOLS), paths, env=env).items():
        if place is not None:
            yield Check("ok", name, str(place))
        else:
            yield Check("warn", name, "not here yet", "`aspora up` downloads or builds it")


def _disk(paths: Paths, needed: int) -> Check:
    folder = next(path for path in (paths.cache, *paths.cache.parents) if path.exists())
    free = shutil.disk_usage(folder).free / 1e9
    detail = f"{free:.0f} GB free in {folder}, {needed} GB needed"
    if free >= needed:
        return Check("ok", "disk", detail)
    return Check("fail", "disk", detail, "free some space, or set ASPORA_CACHE to another folder")


def _memory() -> Check:
    import psutil

    total = psutil.virtual_memory().total / 1e9
    detail = f"{total:.0f} GB, {MEMORY_GB} GB needed"
    if total >= MEMORY_GB:
        return Check("ok", "memory", detail)
    return Check("warn", "memory", detail, "close other programs while the tools are built")


def _definitions(env: Mapping[str, str]) -> Check:
    folder = env.get("ASPORA_CRDS")
    if not folder:
        return Check("ok", "custom resources", "published files, else open schemas")
    if Path(folder).is_dir():
        return Check("ok", "custom resources", folder)
    return Check("fail", "custom resources", f"ASPORA_CRDS: {folder} is no folder", "correct it")


def _platform(paths: Paths) -> Check:
    from local import controlplane

    if controlplane.status(paths):
        return Check("ok", "local platform", "is up")
    if paths.dirty.exists():
        return Check("warn", "local platform", "an `up` was cut short", "aspora up")
    return Check("ok", "local platform", "is not up")
