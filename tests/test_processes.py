"""Background processes and ports."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import psutil

from local import processes


def gone(pid: int) -> bool:
    """Ended, even if init has not buried it yet."""
    return not psutil.pid_exists(pid) or not processes.alive(psutil.Process(pid))


def test_a_process_is_known_by_its_program_and_all_its_arguments(tmp_path: Path) -> None:
    marker = f"--data-dir={tmp_path}"
    command = [sys.executable, "-c", "import time; time.sleep(60)", marker, "--name=x"]
    pid = processes.spawn(command, log=tmp_path / "log", env=processes.environment(tmp_path))
    time.sleep(0.1)
    found = processes.find("python", marker, "--name=x")
    assert [process.pid for process in found] == [pid]
    assert processes.find("etcd", marker) == []
    assert processes.find("python", marker, "--name=y") == []
    assert processes.find("python", marker[:-1]) == []
    processes.stop(found)
    assert gone(pid)


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)\n"
    code += "time.sleep(60)"
    log = tmp_path / "log"
    pid = processes.spawn([sys.executable, "-c", code], log=log, env={})
    while not log.read_text():
        time.sleep(0.02)
    processes.stop([psutil.Process(pid)], patience=0.1)
    assert gone(pid)


def test_a_suspended_process_ends_too(tmp_path: Path) -> None:
    pid = processes.spawn(["/bin/sleep", "60"], log=tmp_path / "log", env={})
    process = psutil.Process(pid)
    process.suspend()
    started = time.monotonic()
    processes.stop([process])
    assert time.monotonic() - started < 5
    assert gone(pid)


def test_wanted_ports_are_given_while_they_are_free_and_none_comes_twice() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        free = processes.free_ports(["a"], {})["a"]
        ports = processes.free_ports(["a", "b", "c", "d"], {"a": busy, "b": free, "c": 99_999})
    assert ports["b"] == free
    assert ports["a"] != busy
    assert len(set(ports.values())) == 4
