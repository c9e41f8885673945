"""Background processes: started, found again and stopped without ever touching a stranger's.

A process of ours is known by an argument of its command line that holds the state folder, never
by a number in a file alone: numbers are used again after a crash or a restart of the machine.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from aspora.errors import LocalPlatformError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LOOPBACK = "127.0.0.1"
PORT_SECONDS = 2.0
PIP = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
"""Variables for pip where nobody sits before it."""

# The shell ends at once, so the process belongs to init: no zombie is left to us when it dies.
_DETACH = '"$@" </dev/null >"$0" 2>&1 & echo $!'


def spawn(command: Sequence[str], *, log: Path, env: Mapping[str, str]) -> int:
    """Start a process that outlives us, with `log` as its only output; answers its id."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(  # noqa: S603 - the command is ours
            ["/bin/sh", "-c", _DETACH, str(log), *command],
            capture_output=True,
            cwd="/",
            env=dict(env),
            start_new_session=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise LocalPlatformError(f"{command[0]} cannot be started: {error}") from None
    return int(done.stdout)


def environment(home: Path) -> dict[str, str]:
    """What a background process gets to see: no proxy, no credentials, no home of the user."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C"}


def runs(command: Sequence[str], *, env: Mapping[str, str], log: Path, seconds: float) -> bool:
    """Whether a command of ours ends well within `seconds`; what it says, or why it did not run,
    is in the log."""
    with log.open("w") as sink:
        try:
            done = subprocess.run(  # noqa: S603 - the command is ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=dict(env),
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            sink.write(f"timed out after {seconds:.1f} s\n")
            return False
        except OSError as error:
            sink.write(f"{error}\n")
            return False
    return done.returncode == 0


def find(program: str, *arguments: str) -> list[psutil.Process]:
    """This user's processes whose program's name starts with `program` and that have all
    `arguments` on their command line.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            line = process.cmdline()
            if (
                line
                and Path(line[0]).name.startswith(program)
                and set(arguments) <= set(line)
                and process.uids().real == os.getuid()
            ):
                found.append(process)
    return found


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie that nobody has buried yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stop(processes: Iterable[psutil.Process], *, patience: float = 10.0) -> None:
    """Ask to end; after `patience` seconds, kill. Returns when all are gone."""
    left = list(processes)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.resume()  # one that is suspended could not hear us
            process.terminate()
    left = _wait(left, patience)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    left = _wait(left, 10.0)
    if left:
        numbers = " ".join(str(process.pid) for process in left)
        raise LocalPlatformError(
            f"these processes do not end: {numbers}", hint=f"Try: kill -KILL {numbers}"
        )


def _wait(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    left = [process for process in processes if alive(process)]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [process for process in left if alive(process)]
    return left


def free_ports(names: Sequence[str], wanted: Mapping[str, int]) -> dict[str, int]:
    """A free loopback port for each name: the wanted one where it is free, else any.

    A wanted port is waited for a little: a program that was just killed holds its ports until
    the system has taken its memory apart.
    """
    ports: dict[str, int] = {}
    deadline = time.monotonic() + PORT_SECONDS
    with ExitStack() as held:  # all are held until the last is chosen, so none comes twice
        for name in names:
            listener = _listen(wanted.get(name, 0))
            while listener is None and time.monotonic() < deadline:
                time.sleep(0.02)
                listener = _listen(wanted.get(name, 0))
            listener = listener or _listen(0)
            if listener is None:
                raise LocalPlatformError("no port is free on the loopback address")
            ports[name] = held.enter_context(listener).getsockname()[1]
    return ports


def _listen(port: int) -> socket.socket | None:
    listener = socket.socket()
    try:
        # As Go does it, so that what remains of closed connections is in nobody's way.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen()
    except (OSError, OverflowError):
        listener.close()
        return None
    return listener


def out_of_space(text: str) -> bool:
    """Whether a program says that the disk, a quota or `ulimit -f` left no room for its file."""
    words = ("no space left on device", "disk quota exceeded", "file too large")
    return any(word in text.lower() for word in words)


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log, cut to what fits on a screen; empty when there is none."""
    try:
        text = log.read_text(errors="replace")[-20_000:]
    except OSError:
        return ""
    kept = [line for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join(line[:300] for line in kept)
