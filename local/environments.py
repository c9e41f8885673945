"""Python programs with an environment of their own in the tool cache: their hundred packages clash
with ours."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aspora.errors import ToolUnavailable
from local.processes import PIP, runs, tail
from local.toolchain.cache import Cache
from local.toolchain.faults import free_gb, from_os_error, log_says_disk_full

if TYPE_CHECKING:
    from local.paths import Paths
    from local.progress import Progress

INSTALL_SECONDS = 900.0
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


@dataclass(frozen=True)
class Program:
    """A program of the package index: what its lock file pins, and what says its version.

    `room_gb` is what the environment and the downloads take; `says` is a Python expression.
    """

    name: str
    package: str
    room_gb: float
    says: str

    @property
    def lock(self) -> Path:
        """The packages with their hashes."""
        return Path(__file__).parent / "tools" / f"{self.name}.lock"

    @property
    def version(self) -> str:
        """The version that the lock file pins."""
        pattern = rf"^{re.escape(self.package)}==([^\s;]+)"
        match = re.search(pattern, self.lock.read_text("utf-8"), re.MULTILINE)
        return match[1] if match else ""

    @property
    def title(self) -> str:
        """For people: `checkov 3.3.8`."""
        return f"{self.name} {self.version}"


CHECKOV = Program("checkov", "checkov", 0.4, "__import__('checkov.version').version.version")
PHOENIX = Program(
    "phoenix", "arize-phoenix", 1.2, "__import__('phoenix.version').version.__version__"
)

ZIZMOR = Program(
    "zizmor", "zizmor", 0.1, "__import__('importlib.metadata').metadata.version('zizmor')"
)
NCA = Program(
    "nca",
    "network-config-analyzer",
    0.1,
    "__import__('importlib.metadata').metadata.version('network-config-analyzer')",
)
"""Says what NetworkPolicies allow, for tests: a second opinion beside aspora/isolation."""


def python_of(program: Program, paths: Paths, progress: Progress, env: Mapping[str, str]) -> Path:
    """The Python of the program's environment, which is made on first use.

    Raises ToolUnavailable with what was tried, or EnvironmentFailure when the cache folder cannot
    be used.
    """
    folder = paths.cache / program.name
    home = folder / _name(program)
    if not _python_in(home).exists():
        try:
            with Cache(folder).making(progress):
                if not _python_in(home).exists():  # another process may have made it meanwhile
                    with progress.step(f"Installing {program.title} into the tool cache"):
                        _make(program, paths, home, env)
        except OSError as error:
            raise from_os_error(paths, error, f"installing {program.name}") from None
    return _python_in(home)


def _name(program: Program) -> str:
    """A folder for each set of packages and each Python, for they do not fit one another."""
    packages = hashlib.sha256(program.lock.read_bytes()).hexdigest()[:8]
    return f"{program.version}-{packages}-py{sys.version_info.major}.{sys.version_info.minor}"


def _python_in(home: Path) -> Path:
    return home / "bin" / "python"


def _make(program: Program, paths: Paths, home: Path, env: Mapping[str, str]) -> None:
    """Complete or not there at all: the folder gets its name when everything is in it."""
    work = home.parent / f".work-{os.getpid()}"
    log = paths.build_logs / f"{program.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    tried: list[str] = []
    try:
        for way in _ways(work, env):
            shutil.rmtree(work, ignore_errors=True)
            failure = _try(program, way, work, env, log)
            if not failure:
                work.replace(home)
                return
            tried.append(f"{way.name}: {failure}")
            if log_says_disk_full(log):
                break
    finally:
        shutil.rmtree(work, ignore_errors=True)
    raise _unavailable(program, paths, tried, log)


def _ways(work: Path, env: Mapping[str, str]) -> Iterator[_Way]:
    """The pip that a new virtual environment brings, then uv."""
    python = str(_python_in(work))
    yield _Way("pip", (sys.executable, "-m", "venv", str(work)), (python, "-m", "pip"))
    uv = shutil.which("uv", path=env.get("PATH"))
    if uv:
        make = (uv, "venv", "--python", sys.executable, str(work))
        yield _Way("uv", make, (uv, "pip", "--python", python))


def _try(program: Program, way: _Way, work: Path, env: Mapping[str, str], log: Path) -> str:
    """Why it did not work; nothing when it did."""
    if not _run(way.make, env, log):
        return "no virtual environment can be made"
    if not _run((*way.install, *_INSTALL, "-r", str(program.lock)), env, log):
        return "the packages cannot be installed"
    says = f"found = {program.says}; assert found == {program.version!r}, found"
    if not _run((str(_python_in(work)), "-I", "-c", says), env, log):
        return f"{program.name} does not start"
    return ""


def _run(command: tuple[str, ...], env: Mapping[str, str], log: Path) -> bool:
    return runs(command, env={**env, **PIP}, log=log, seconds=INSTALL_SECONDS)


def _unavailable(program: Program, paths: Paths, tried: list[str], log: Path) -> ToolUnavailable:
    if log_says_disk_full(log):
        return ToolUnavailable(
            f"the disk is full: {program.name} needs {program.room_gb} GB in {paths.cache}, where "
            f"{free_gb(paths.cache):.1f} GB are free",
            hint=f"Free that much, or name a folder on another disk:"
            f" ASPORA_CACHE=/path/to/folder. {_AGAIN}",
        )
    words = tail(log)
    lines = [f"{program.title} cannot be installed. Tried, in this order:"]
    lines += [f"  - {line}" for line in tried]
    lines += [f"Last lines of {log}:", *(f"    {line}" for line in words.splitlines())]
    low = words.lower()
    hint = next(
        (way_out for signs, way_out in _REASONS if any(sign in low for sign in signs)),
        "Mend what the log names, or put uv (https://docs.astral.sh/uv) on PATH.",
    )
    return ToolUnavailable("\n".join(lines), hint=f"{hint} {_AGAIN}")
