"""Finished tools are complete or not there, whoever was killed and whoever else builds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from local.toolchain import where
from tests.toolchain.sandbox import REPO, Sandbox


def damage_by_cutting(program: Path) -> None:
    os.truncate(program, 5)


def damage_in_place(program: Path) -> None:
    program.write_bytes(b"?" * program.stat().st_size)
    os.utime(program, (1, 1))


def lose_the_checksum(program: Path) -> None:
    program.with_name("etcd.json").unlink()


def garble_the_checksum(program: Path) -> None:
    program.with_name("etcd.json").write_text("[]")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_by_cutting, "damaged: 5 bytes instead of "),
        (damage_in_place, "damaged: its checksum is wrong"),
        (lose_the_checksum, "without its checksum"),
        (garble_the_checksum, "without its checksum"),
    ],
)
def test_a_damaged_tool_is_noticed_and_made_again(
    with_go: Sandbox, damage: object, said: str
) -> None:
    program = with_go.ensure()
    assert callable(damage)
    damage(program)
    assert with_go.ensure() == program
    assert len(with_go.builds) == 2
    assert any("not used" in line and said in line for line in with_go.progress.lines)
    assert "3.7.3" in program.read_text()


def test_a_cache_that_was_copied_is_checked_and_kept(with_go: Sandbox) -> None:
    program = with_go.ensure()
    os.utime(program, (1, 1))
    assert with_go.ensure() == program
    assert len(with_go.builds) == 1


def test_where_makes_nothing(sandbox: Sandbox) -> None:
    assert where(["etcd"], sandbox.paths, env=sandbox.env) == {"etcd": None}
    assert not sandbox.paths.cache.exists()


RUN = """
import sys
from dataclasses import replace
from pathlib import Path
from local.paths import Paths
from local.progress import PlainProgress
from local.toolchain import TOOLS, ensure
tool = replace(TOOLS["etcd"], downloads={})
tools = {"etcd": tool, "kwok": TOOLS["kwok"]}
paths = Paths(Path(sys.argv[1]), Path("/s"))
print(ensure(["etcd"], paths, PlainProgress(sys.stderr), tools=tools)["etcd"])
"""


def start(sandbox: Sandbox, mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(sandbox.paths.cache)],
        cwd=REPO,
        env={**sandbox.env, "FAKE_GO": mode},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_a_build(sandbox: Sandbox) -> None:
    deadline = time.monotonic() + 20
    while not sandbox.builds:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_make_a_tool_once_and_the_second_says_that_it_waits(
    with_go: Sandbox,
) -> None:
    with start(with_go, "slow") as first, start(with_go, "slow") as second:
        said = [process.communicate(timeout=30) for process in (first, second)]
        codes = (first.returncode, second.returncode)
    assert codes == (0, 0)
    assert said[0][0] == said[1][0] != ""
    assert len(with_go.builds) == 1
    assert sum("Waiting for another process" in errors for _, errors in said) == 1


def test_after_a_kill_the_next_run_cleans_up_and_builds(with_go: Sandbox) -> None:
    with start(with_go, "forever") as process:
        wait_for_a_build(with_go)
        process.kill()
    assert list(with_go.paths.tools.glob(".work-*"))
    assert with_go.ensure().exists()
    assert not list(with_go.paths.tools.glob(".work-*"))


def test_an_interrupted_build_leaves_no_compiler_running(with_go: Sandbox) -> None:
    with start(with_go, "forever") as process:
        wait_for_a_build(with_go)
        compiler = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert compiler
    assert psutil.wait_procs(compiler, timeout=5)[1] == []
    assert not list(with_go.paths.tools.glob(".work-*"))
