"""Folders, progress output and the lock of the local platform."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aspora.errors import AlreadyRunning, EnvironmentFailure
from local.lock import hold
from local.paths import Paths
from local.progress import PlainProgress, QuietProgress, TerminalProgress, elapsed, make_progress

REPO = Path(__file__).parents[1]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("env", "cache", "state"),
    [
        ({}, "/h/.cache/aspora", "/h/.local/state/aspora/local"),
        ({"XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c/aspora", "/s/aspora/local"),
        ({"XDG_CACHE_HOME": "relative"}, "/h/.cache/aspora", "/h/.local/state/aspora/local"),
        (
            {"ASPORA_CACHE": "/mine", "XDG_CACHE_HOME": "/c"},
            "/mine",
            "/h/.local/state/aspora/local",
        ),
        ({"ASPORA_STATE": "~/there"}, "/h/.cache/aspora", "/h/there"),
        ({"ASPORA_STATE": ""}, "/h/.cache/aspora", "/h/.local/state/aspora/local"),
    ],
)
def test_folders_come_from_the_environment(env: dict[str, str], cache: str, state: str) -> None:
    paths = Paths.from_environment({"HOME": "/h", **env})
    assert (str(paths.cache), str(paths.state)) == (cache, state)


def test_a_relative_folder_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Paths.from_environment({"ASPORA_CACHE": "here"}).cache == tmp_path / "here"


def test_everything_but_the_tools_stands_in_the_state_folder() -> None:
    paths = Paths(Path("/cache"), Path("/state"))
    inside = [paths.lock, paths.cluster, paths.kubeconfig, paths.pulumi, paths.moto]
    assert {path.parent for path in [*inside, paths.logs, paths.dirty]} == {paths.state}
    assert {path.parent for path in [paths.tools, paths.go, paths.build_logs]} == {paths.cache}


def test_a_pipe_gets_a_line_at_the_start_and_one_at_the_end() -> None:
    stream = io.StringIO()
    with make_progress(stream).step("Building etcd") as step:
        step.update("not shown: the step is short")
        step.done("built")
    first, last = stream.getvalue().splitlines()
    assert first == "Building etcd ..."
    assert re.fullmatch(r"Building etcd: done in 0\.\d s \(built\)", last)


def test_a_long_step_in_a_pipe_gives_signs_of_life_with_its_last_detail() -> None:
    stream = io.StringIO()
    with PlainProgress(stream, still_every=0.02).step("Building") as step:
        step.update("12 packages")
        time.sleep(0.1)
    signs = [line for line in stream.getvalue().splitlines() if "still working" in line]
    assert signs
    assert re.fullmatch(r"Building: still working, 0\.\d s, 12 packages", signs[-1])


def test_a_step_that_fails_says_so_and_lets_the_error_through() -> None:
    stream = io.StringIO()

    def work() -> None:
        with make_progress(stream).step("Building") as step:
            step.done("never shown")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        work()
    assert re.fullmatch(r"Building: failed after 0\.\d s", stream.getvalue().splitlines()[-1])


def test_a_reader_that_went_away_does_not_stop_the_work() -> None:
    stream = io.StringIO()
    stream.close()
    progress = PlainProgress(stream)
    with progress.step("Building"):
        progress.note("nobody listens")


def test_a_terminal_gets_spinners_and_one_line_for_each_finished_step() -> None:
    stream = Terminal()
    progress = make_progress(stream)
    assert isinstance(progress, TerminalProgress)
    with progress.step("Tools [1 of 2]") as outer:
        with progress.step("etcd") as inner:
            inner.update("[compiling]")
            inner.done("built")
        progress.note("a [remark]")
        outer.done("ready")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert re.search(r"✓ etcd  built  0\.\d s", plain)
    assert re.search(r"✓ Tools \[1 of 2\]  ready  0\.\d s", plain)
    assert "a [remark]" in plain


def test_a_failed_step_on_a_terminal_is_marked() -> None:
    stream = Terminal()
    with pytest.raises(ValueError, match="x"), TerminalProgress(stream).step("etcd"):
        raise ValueError("x")
    assert "✗" in stream.getvalue()


def test_a_terminal_can_be_treated_as_a_pipe() -> None:
    assert isinstance(make_progress(Terminal(), force_plain=True), PlainProgress)


def test_quiet_progress_remembers() -> None:
    progress = QuietProgress()
    with progress.step("one") as step:
        step.update("two")
        step.done("three")
    progress.note("four")
    assert progress.lines == ["one", "one: two", "one: three", "four"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.21, "3.2 s"), (45.4, "45 s"), (185.0, "3 min 05 s")]
)
def test_times_are_short(seconds: float, text: str) -> None:
    assert elapsed(time.monotonic() - seconds) == text


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "cache", tmp_path / "state")


def test_a_second_command_is_refused_with_the_name_of_the_first(paths: Paths) -> None:
    with hold(paths, "down"), pytest.raises(AlreadyRunning) as refused, hold(paths):
        pass
    assert f"`aspora down` (process {os.getpid()}, since " in refused.value.message
    assert refused.value.hint.endswith(f"kill {os.getpid()}")


def test_a_lock_whose_holder_is_not_told_is_refused_all_the_same(paths: Paths) -> None:
    with hold(paths):
        paths.lock.write_text("")
        with pytest.raises(AlreadyRunning, match="another aspora command"), hold(paths):
            pass


def test_the_state_folder_goes_when_nothing_else_is_in_it(paths: Paths) -> None:
    with hold(paths):
        assert paths.lock.exists()
    assert not paths.state.exists()


def test_the_state_folder_stays_when_something_is_in_it(paths: Paths) -> None:
    with hold(paths):
        paths.kubeconfig.write_text("")
    assert paths.lock.exists()
    with hold(paths):
        paths.kubeconfig.unlink()
    assert not paths.state.exists()


def test_a_killed_holder_frees_the_lock(paths: Paths) -> None:
    code = (
        "import sys, time; from pathlib import Path; from local.lock import hold; "
        "from local.paths import Paths\n"
        "with hold(Paths(Path(sys.argv[1]), Path(sys.argv[2]))): print(1, flush=True); "
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(paths.cache), str(paths.state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPO) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(AlreadyRunning, match=str(holder.pid)), hold(paths):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with hold(paths):
        pass


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EnvironmentFailure, match="state folder") as failure,
        hold(Paths(tmp_path, tmp_path / "file" / "state")),
    ):
        pass
    assert "ASPORA_STATE" in failure.value.hint
