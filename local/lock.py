"""One command at a time works on a platform of this machine."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aspora.errors import AlreadyRunning, EnvironmentFailure
from local import simulation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.paths import Paths


@contextmanager
def hold(paths: Paths, verb: str = "up") -> Iterator[None]:
    """Keep every other command off this platform while the block runs.

    The operating system frees the lock when its holder dies, however it dies. When nothing but
    the lock is left in the state folder, the folder goes too. Raises AlreadyRunning.
    """
    descriptor = _acquire(paths, verb)
    try:
        yield
    finally:
        _remove_if_last(paths)
        os.close(descriptor)


def _acquire(paths: Paths, verb: str) -> int:
    while True:
        descriptor = _open(paths)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 4096)
            os.close(descriptor)
            raise _already_running(holder, paths.stack) from None
        if _is_still(paths.lock, descriptor):
            break
        os.close(descriptor)  # the former holder removed the file between our open and our lock
    record = {"pid": os.getpid(), "since": time.strftime("%H:%M:%S"), "verb": verb}
    os.ftruncate(descriptor, 0)
    with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
        os.write(descriptor, json.dumps(record).encode())
    return descriptor


def _open(paths: Paths) -> int:
    try:
        paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EnvironmentFailure(
            f"the state folder {paths.state} cannot be used: {error.strerror}",
            hint="Name a folder you may write to: ASPORA_STATE=/path/to/folder",
        ) from None


def _is_still(lock: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _already_running(holder: bytes, stack: str) -> AlreadyRunning:
    try:
        record = json.loads(holder)
        command = simulation.command(record["verb"], stack)
        who = f"`{command}` (process {record['pid']}, since {record['since']})"
        way_out = f"Wait until it ends, or stop it: kill {record['pid']}"
    except (ValueError, KeyError, TypeError):
        who, way_out = "another aspora command", "Wait until it ends."
    return AlreadyRunning(f"{who} is working on {simulation.title(stack)}", hint=way_out)


def _remove_if_last(paths: Paths) -> None:
    """Leave nothing behind once the platform is down; done while the lock is still held."""
    try:
        if [entry.name for entry in paths.state.iterdir()] != [paths.lock.name]:
            return
        paths.lock.unlink()
        paths.state.rmdir()
        if paths.state.parent.name == "aspora":
            paths.state.parent.rmdir()
    except OSError:
        return  # something else appeared in between: it stays
