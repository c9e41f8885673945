"""moto, which plays AWS, as a process of its own on the loopback address."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from aspora.errors import LocalPlatformError
from local.processes import LOOPBACK, alive, find, free_ports, spawn, stop, tail

if TYPE_CHECKING:
    from pathlib import Path

    from local.paths import Paths
    from local.progress import Progress

ATTEMPTS = 3
READY_SECONDS = 60.0  # it imports a lot; a cold and busy disk is slow


@dataclass(frozen=True)
class Moto:
    """A moto server that answers.

    It keeps everything in memory: `created` says that this `up` started it, so it is empty.
    """

    url: str
    pid: int
    created: bool


def up(paths: Paths, progress: Progress) -> Moto:
    """Start moto, or say that it runs. Raises LocalPlatformError."""
    with progress.step("moto, which plays AWS") as step:
        moto = status(paths)
        if moto:
            step.done("was up already")
            return moto
        stop(_running(paths))
        for _ in range(ATTEMPTS):
            moto = _start(paths)
            if moto:
                step.done(f"new, {moto.url}")
                return moto
            if "in use" not in tail(_log(paths)):
                break
        raise LocalPlatformError(
            "moto did not start", hint=f"{tail(_log(paths))}\nIts log: {_log(paths)}"
        )


def status(paths: Paths) -> Moto | None:
    """The server if it is ours, runs and answers, else None."""
    try:
        record = json.loads(paths.moto.read_text())
        pid, born, port = int(record["pid"]), float(record["created"]), int(record["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for process in _running(paths):
        # The clock may have been set in between, so the times need not be equal to the digit.
        with suppress(psutil.Error):
            if process.pid == pid and abs(process.create_time() - born) < 5 and _answers(port):
                return Moto(f"http://{LOOPBACK}:{port}", pid, created=False)
    return None


def reset(moto: Moto) -> None:
    """Empty it: what nobody remembers any more must not stay. Raises LocalPlatformError."""
    address = moto.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=10.0)
    try:
        connection.request("POST", "/moto-api/reset")
        answered = connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        answered = False
    finally:
        connection.close()
    if not answered:
        raise LocalPlatformError(
            f"moto at {moto.url} does not answer", hint="run `aspora up` again"
        )


def down(paths: Paths, progress: Progress) -> None:
    """Stop the server and remove its files. Nothing to stop is fine."""
    processes = _running(paths)
    if processes:
        with progress.step("Stopping moto"):
            stop(processes)
    for file in (paths.moto, _log(paths)):
        file.unlink(missing_ok=True)
    for folder in (paths.logs, paths.state):
        with suppress(OSError):
            folder.rmdir()


def _start(paths: Paths) -> Moto | None:
    """Start on a free port; None when it ended before it answered."""
    port = free_ports(["moto"], {})["moto"]
    pid = spawn(
        [
            sys.executable,
            *("-X", _marker(paths)),
            *("-m", "moto.server", "-H", LOOPBACK, "-p", str(port)),
        ],
        log=_log(paths),
        env=_environment(),
    )
    try:
        process = psutil.Process(pid)
        record = {"pid": pid, "created": process.create_time(), "port": port}
        paths.moto.write_text(json.dumps(record))
    except psutil.NoSuchProcess:
        return None
    except OSError as error:
        stop([process])
        raise LocalPlatformError(
            f"{paths.moto} cannot be written: {error.strerror}",
            hint="Free some space there, or name another folder: ASPORA_STATE=/path/to/folder",
        ) from None
    deadline = time.monotonic() + READY_SECONDS
    while alive(process) and time.monotonic() < deadline:
        if _answers(port):
            return Moto(f"http://{LOOPBACK}:{port}", pid, created=True)
        time.sleep(0.05)
    stop([process])
    return None


def _running(paths: Paths) -> list[psutil.Process]:
    return find("python", _marker(paths), "moto.server")


def _marker(paths: Paths) -> str:
    """Python passes over -X options it does not know; this one tells our server from others."""
    return f"aspora_state={paths.state}"


def _log(paths: Paths) -> Path:
    return paths.logs / "moto.log"


def _environment() -> dict[str, str]:
    """The caller's environment without anything that points to a real AWS.

    With AWS's managed policies, so that attaching one that does not exist fails here too.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return own | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2.0)
    try:
        connection.request("GET", "/moto-api/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
