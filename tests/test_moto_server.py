"""moto as a process of its own: found again, never mistaken for another, gone after `down`."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from aspora.errors import LocalPlatformError
from local import moto_server, processes
from local.paths import Paths
from local.progress import QuietProgress

REPO = Path(__file__).parents[1]


def gone(pid: int) -> bool:
    """Ended, even if init has not buried it yet."""
    return not psutil.pid_exists(pid) or not processes.alive(psutil.Process(pid))


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    paths = Paths(tmp_path / "cache", tmp_path / "state")
    yield paths
    moto_server.down(paths, QuietProgress())


@pytest.fixture
def stranger() -> Iterator[psutil.Process]:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield psutil.Process(process.pid)
        process.kill()


def test_up_twice_status_and_down(paths: Paths) -> None:
    progress = QuietProgress()
    assert moto_server.status(paths) is None
    first = moto_server.up(paths, progress)
    second = moto_server.up(paths, progress)
    assert (first.created, second.created) == (True, False)
    assert (first.pid, first.url) == (second.pid, second.url)
    assert moto_server.status(paths) == second
    listening = psutil.Process(first.pid).net_connections("tcp")
    assert {c.laddr.ip for c in listening if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
    moto_server.down(paths, progress)
    assert gone(first.pid)
    assert moto_server.status(paths) is None
    assert not paths.state.exists()
    moto_server.down(paths, progress)


def test_a_killed_server_is_started_again(paths: Paths) -> None:
    first = moto_server.up(paths, QuietProgress())
    psutil.Process(first.pid).kill()
    second = moto_server.up(paths, QuietProgress())
    assert second.created
    assert second.pid != first.pid


def test_a_server_whose_record_is_lost_is_replaced_not_doubled(paths: Paths) -> None:
    first = moto_server.up(paths, QuietProgress())
    paths.moto.write_text("{")
    second = moto_server.up(paths, QuietProgress())
    assert second.created
    assert gone(first.pid)


def test_a_number_that_another_program_has_now_is_left_alone(
    paths: Paths, stranger: psutil.Process
) -> None:
    paths.state.mkdir()
    record = {"pid": stranger.pid, "created": stranger.create_time(), "port": 1}
    paths.moto.write_text(json.dumps(record))
    assert moto_server.status(paths) is None
    moto_server.down(paths, QuietProgress())
    assert stranger.is_running()
    assert not paths.state.exists()


def test_a_server_of_another_state_folder_is_left_alone(paths: Paths, tmp_path: Path) -> None:
    other = Paths(tmp_path, tmp_path / "other")
    moto = moto_server.up(other, QuietProgress())
    try:
        moto_server.down(paths, QuietProgress())
        assert moto_server.status(other) is not None
    finally:
        moto_server.down(other, QuietProgress())
    assert gone(moto.pid)


def test_it_outlives_its_parent_and_keeps_none_of_its_files_open(paths: Paths) -> None:
    code = (
        "import sys; from pathlib import Path; from local import moto_server; "
        "from local.paths import Paths; from local.progress import QuietProgress; "
        "paths = Paths(Path(sys.argv[1]), Path(sys.argv[2])); "
        "print(moto_server.up(paths, QuietProgress()).pid)"
    )
    done = subprocess.run(  # returns only when nobody holds the pipe any more
        [sys.executable, "-c", code, str(paths.cache), str(paths.state)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    moto = moto_server.status(paths)
    assert moto is not None
    assert str(moto.pid) == done.stdout.strip()
    assert done.stderr == ""


def test_no_aws_setting_of_the_caller_reaches_it(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    moto = moto_server.up(paths, QuietProgress())
    assert not any(name.startswith("AWS_") for name in psutil.Process(moto.pid).environ())


def test_a_server_that_ends_at_once_shows_its_last_words(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moto_server, "_marker", lambda _: "frozen_modules=maybe")
    with pytest.raises(LocalPlatformError, match="moto did not start") as failure:
        moto_server.up(paths, QuietProgress())
    assert "frozen_modules" in failure.value.hint
    assert str(paths.logs / "moto.log") in failure.value.hint


def test_a_taken_port_is_tried_again_with_another(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1]])
        real = processes.free_ports
        monkeypatch.setattr(
            moto_server,
            "free_ports",
            lambda names, wanted: (
                {"moto": port} if (port := next(ports, 0)) else real(names, wanted)
            ),
        )
        moto = moto_server.up(paths, QuietProgress())
        assert moto.created
        assert not moto.url.endswith(f":{taken.getsockname()[1]}")
