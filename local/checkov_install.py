"""An environment of checkov's own in the tool cache: its hundred packages clash with ours."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aspora.errors import ToolUnavailable
from local.processes import tail
from local.toolchain.cache import Cache
from local.toolchain.faults import free_gb, from_os_error, log_says_disk_full

if TYPE_CHECKING:
    from local.paths import Paths
    from local.progress import Progress

LOCK = Path(__file__).parent / "tools" / "checkov.lock"
INSTALL_SECONDS = 900.0
ROOM_GB = 0.4  # the environment takes 0.3 GB, the downloads 0.1 GB
_INSTALL = ("install", "--no-deps", "--require-hashes", "--only-binary", ":all:")

_AGAIN = "Then run the same command again."
_OTHER_BYTES = (
    "A package is not the one that the lock file names: it was damaged on the way, or changed at"
    " its source. Empty the cache of pip or uv, and look at your package index."
)
_NO_CONNECTION = "Check the connection to your package index, and how pip or uv are set up for it."
_NO_BUILD = (
    "Your package index has no build of a package for this Python and machine: try with another"
    " version of Python."
)
_REASONS = (
    (("do not match the hashes", "hash mismatch"), _OTHER_BYTES),
    (("no matching distribution", "no solution found", "no wheels"), _NO_BUILD),
    (("connection", "name resolution", "timed out", "proxyerror"), _NO_CONNECTION),
)
"""What a log says, and the way out; the first that is found in it counts."""


@dataclass(frozen=True)
class _Way:
    """A way to make the environment: what makes it, and what installs into it."""

    name: str
    make: tuple[str, ...]
    install: tuple[str, ...]


def checkov_python(paths: Paths, progress: Progress, env: Mapping[str, str]) -> Path:
    """The Python of checkov's environment, which is made on first use.

    Raises ToolUnavailable with what was tried, or EnvironmentFailure when the cache folder cannot
    be used.
    """
    folder = paths.cache / "checkov"
    home = folder / _name()
    if not _python_in(home).exists():
        try:
            with Cache(folder).making(progress):
                if not _python_in(home).exists():  # another process may have made it meanwhile
                    with progress.step(f"Installing checkov {version()} into the tool cache"):
                        _make(paths, home, env)
        except OSError as error:
            raise from_os_error(paths, error, "installing checkov") from None
    return _python_in(home)


def version() -> str:
    """The version of checkov that the lock file pins."""
    match = re.search(r"^checkov==(\S+)", LOCK.read_text("utf-8"), re.MULTILINE)
    return match[1] if match else ""


def _name() -> str:
    """A folder for each set of packages and each Python, for they do not fit one another."""
    packages = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:8]
    return f"{version()}-{packages}-py{sys.version_info.major}.{sys.version_info.minor}"


def _python_in(home: Path) -> Path:
    return home / "bin" / "python"


def _make(paths: Paths, home: Path, env: Mapping[str, str]) -> None:
    """Complete or not there at all: the folder gets its name when everything is in it."""
    work = home.parent / f".work-{os.getpid()}"
    log = paths.build_logs / "checkov.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    tried: list[str] = []
    try:
        for way in _ways(work, env):
            shutil.rmtree(work, ignore_errors=True)
            failure = _try(way, work, env, log)
            if not failure:
                work.replace(home)
                return
            tried.append(f"{way.name}: {failure}")
            if log_says_disk_full(log):
                break
    finally:
        shutil.rmtree(work, ignore_errors=True)
    raise _unavailable(paths, tried, log)


def _ways(work: Path, env: Mapping[str, str]) -> Iterator[_Way]:
    """The pip that a new virtual environment brings, then uv."""
    python = str(_python_in(work))
    yield _Way("pip", (sys.executable, "-m", "venv", str(work)), (python, "-m", "pip"))
    uv = shutil.which("uv", path=env.get("PATH"))
    if uv:
        make = (uv, "venv", "--python", sys.executable, str(work))
        yield _Way("uv", make, (uv, "pip", "--python", python))


def _try(way: _Way, work: Path, env: Mapping[str, str], log: Path) -> str:
    """Why it did not work; nothing when it did."""
    if not _run(way.make, env, log):
        return "no virtual environment can be made"
    if not _run((*way.install, *_INSTALL, "-r", str(LOCK)), env, log):
        return "the packages cannot be installed"
    says = f"import checkov.version as v; assert v.version == {version()!r}, v.version"
    if not _run((str(_python_in(work)), "-I", "-c", says), env, log):
        return "checkov does not start"
    return ""


def _run(command: tuple[str, ...], env: Mapping[str, str], log: Path) -> bool:
    with log.open("w") as sink:
        try:
            done = subprocess.run(  # noqa: S603 - the command is ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**env, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"},
                timeout=INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            sink.write(f"timed out after {INSTALL_SECONDS:.1f} s\n")
            return False
        except OSError as error:
            sink.write(f"{error}\n")
            return False
    return done.returncode == 0


def _unavailable(paths: Paths, tried: list[str], log: Path) -> ToolUnavailable:
    if log_says_disk_full(log):
        return ToolUnavailable(
            f"the disk is full: checkov needs {ROOM_GB} GB in {paths.cache}, where "
            f"{free_gb(paths.cache):.1f} GB are free",
            hint=f"Free that much, or name a folder on another disk:"
            f" ASPORA_CACHE=/path/to/folder. {_AGAIN}",
        )
    words = tail(log)
    lines = [f"checkov {version()} cannot be installed. Tried, in this order:"]
    lines += [f"  - {line}" for line in tried]
    lines += [f"Last lines of {log}:", *(f"    {line}" for line in words.splitlines())]
    low = words.lower()
    hint = next(
        (way_out for signs, way_out in _REASONS if any(sign in low for sign in signs)),
        "Mend what the log names, or put uv (https://docs.astral.sh/uv) on PATH.",
    )
    return ToolUnavailable("\n".join(lines), hint=f"{hint} {_AGAIN}")
