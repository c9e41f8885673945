"""Find, download or build the programs of the local platform.

For each tool, in this order: PATH (only the pinned version), the tool cache, the official
download, `go build`. A tool that cannot be had is an error with its name, never a silent skip.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from aspora.errors import UsageError
from local.toolchain import probe
from local.toolchain.build import build, drop_caches
from local.toolchain.cache import Cache
from local.toolchain.download import Downloader
from local.toolchain.faults import (
    FIRST_BUILD_GB,
    NoWayError,
    free_gb,
    from_os_error,
    unavailable,
)
from local.toolchain.golang import MODULES, Go, find_go
from local.toolchain.table import OPTIONAL, TOOLS, Tool, this_system

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.paths import Paths
    from local.progress import Progress, Step

__all__ = ["OPTIONAL", "TOOLS", "Tool", "ensure", "where"]


def ensure(
    names: Sequence[str],
    paths: Paths,
    progress: Progress,
    *,
    env: Mapping[str, str] | None = None,
    tools: Mapping[str, Tool] = TOOLS,
    downloader: Downloader | None = None,
) -> dict[str, Path]:
    """The path of each named program; whatever is missing is made first, which may take minutes.

    Raises ToolUnavailable, or EnvironmentFailure when the cache folder cannot be used.
    """
    unknown = [name for name in names if name not in tools]
    if unknown:
        raise UsageError(f"no such tool: {', '.join(unknown)}", hint=f"Known: {', '.join(tools)}")
    env = os.environ if env is None else env
    run = _Run(paths, progress, env, downloader or Downloader(env), tools)
    found: dict[str, Path] = {}
    try:
        missing = [tool for tool in (tools[n] for n in names) if not run.ready(tool, found)]
        if missing:
            run.make(missing, found)
    except OSError as error:
        raise from_os_error(paths, error, "making the tools") from None
    return {name: found[name] for name in names}


def where(
    names: Sequence[str],
    paths: Paths,
    *,
    env: Mapping[str, str] | None = None,
    tools: Mapping[str, Tool] = TOOLS,
) -> dict[str, Path | None]:
    """Where each program is now, None when it would have to be made. Makes nothing."""
    env = os.environ if env is None else env
    cache = Cache(paths.tools)
    return {name: _on_path(tools[name], env)[0] or cache.find(tools[name])[0] for name in names}


class _Run:
    """One call of `ensure`: remembers what was tried, and Go once it was found."""

    def __init__(
        self,
        paths: Paths,
        progress: Progress,
        env: Mapping[str, str],
        downloader: Downloader,
        tools: Mapping[str, Tool],
    ) -> None:
        self._paths = paths
        self._progress = progress
        self._env = env
        self._downloader = downloader
        self._tools = tools
        self._cache = Cache(paths.tools)
        self._tried: dict[str, list[str]] = {}
        self._go: dict[str, Go] = {}

    def ready(self, tool: Tool, found: dict[str, Path]) -> bool:
        """Look on PATH and in the cache; a program that does not fit is named."""
        on_path, why_not = _on_path(tool, self._env)
        if why_not:
            self._progress.note(f"{tool.name} on PATH is not used: {why_not}")
        program, cached = (on_path, "") if on_path else self._cache.find(tool)
        if program:
            found[tool.name] = program
            return True
        if cached != "not there":
            self._progress.note(f"{tool.name} in the tool cache is not used: {cached}")
        self._tried[tool.name] = [
            f"PATH: {why_not or 'not there'}",
            f"the tool cache ({self._cache.path(tool).parent}): {cached}",
        ]
        return False

    def make(self, missing: Sequence[Tool], found: dict[str, Path]) -> None:
        """Make what is missing, one after the other, alone."""
        with self._cache.making(self._progress):
            self._warn_of_little_room()
            for number, tool in enumerate(missing, start=1):
                program, _ = self._cache.find(tool)  # another process may have made it meanwhile
                found[tool.name] = program or self._make(tool, f"({number} of {len(missing)})")
            others = [tool for tool in self._tools.values() if tool.name not in found]
            if all(self._cache.find(tool)[0] for tool in others):
                drop_caches(self._paths)

    def _make(self, tool: Tool, number: str) -> Path:
        tried = self._tried[tool.name]
        with self._progress.step(f"{tool.name} {tool.version} {number}") as step:
            try:
                program = self._download(tool, step)
                step.done("downloaded")
            except NoWayError as failure:
                tried.append(f"download: {failure}")
            else:
                return program
            try:
                program = self._build(tool, step)
                step.done("built from source")
            except NoWayError as failure:
                tried.append(f"building from source: {failure}")
                raise unavailable(tool, tried, failure) from None
            return program

    def _download(self, tool: Tool, step: Step) -> Path:
        download = tool.downloads.get(this_system())
        if download is None:
            raise NoWayError(f"no official file with a checksum for {'/'.join(this_system())}")
        with self._cache.work_folder(tool) as folder:
            program = self._downloader.fetch(download, tool.name, folder, step)
            program.chmod(0o755)
            probe.check(tool, program, self._env)
            return self._cache.keep(tool, program)

    def _build(self, tool: Tool, step: Step) -> Path:
        go = self._find_go(tool)
        with self._cache.work_folder(tool) as folder:
            program = build(tool, go, folder, self._paths, self._env, step)
            probe.check(tool, program, self._env)
            return self._cache.keep(tool, program)

    def _warn_of_little_room(self) -> None:
        free = free_gb(self._paths.cache)
        if free < FIRST_BUILD_GB and not self._paths.go.exists():
            self._progress.note(
                f"Only {free:.1f} GB are free in {self._paths.cache}; building all tools for the "
                f"first time takes about {FIRST_BUILD_GB} GB. Another folder: ASPORA_CACHE"
            )

    def _find_go(self, tool: Tool) -> Go:
        if tool.module not in self._go:
            module = MODULES / tool.module
            self._go[tool.module] = find_go(self._paths, self._progress, self._env, module)
        return self._go[tool.module]


def _on_path(tool: Tool, env: Mapping[str, str]) -> tuple[Path | None, str]:
    """The program on PATH when it is the pinned version, else None and why ("" if not there)."""
    program = shutil.which(tool.name, path=env.get("PATH"))
    if not program:
        return None, ""
    try:
        probe.check(tool, Path(program), env)
    except NoWayError as failure:
        return None, str(failure)
    return Path(program).absolute(), ""
