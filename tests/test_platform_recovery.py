"""The platform when things go wrong: killed, refused, out of space, called twice at once."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from subprocess import Popen
from typing import Literal

import psutil
import pytest

from aspora.errors import LocalPlatformError
from local import components, platform
from local.progress import QuietProgress
from tests.platform_lab import BIRDS, PETS, Lab, assert_clear, spoiled

pytestmark = pytest.mark.engine

Labs = Callable[[str], Lab]


@pytest.fixture(scope="module")
def lab(labs: Labs) -> Iterator[Lab]:
    """One small platform for all; open schemas, which are faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ASPORA_CRDS", raising=False)
        yield labs("recovery")


# --- nothing is up ------------------------------------------------------------------------------


@pytest.fixture
def idle(labs: Labs) -> Lab:
    """A repository with nothing up."""
    lab = labs("idle")
    lab.write(PETS)
    return lab


@pytest.mark.parametrize("verb", ["preview", "status"])
def test_what_needs_a_platform_says_how_to_start_one(idle: Lab, verb: str) -> None:
    assert_clear(idle.command(verb), "not up", "aspora up")
    assert not idle.paths.state.exists()


def test_bad_input_is_told_before_anything_is_started(idle: Lab) -> None:
    file = idle.root / "domains" / "pets" / "domain.yaml"
    file.write_text(PETS.replace("model:", "modle:"))
    result = idle.command("up")
    assert_clear(result, f"{file}:6:5: ASP201 agents[0].modle: unknown key", "1 problem found")
    assert not idle.paths.state.exists()


# --- killed -------------------------------------------------------------------------------------

EVERYTHING = (*components.NAMES, "moto")
CHANGED = tuple(text.replace("costCenter: ", "costCenter: new-") for text in (PETS, BIRDS))


@dataclass(frozen=True)
class Kill:
    """A run from `start` that wants `first` is killed at a moment; the next one wants `then`.

    The victim: the command's process group, the engine alone, both, or the command after the
    engine was stopped, so that the engine outlives it.
    """

    moment: str
    count: int = 0
    victim: Literal["command", "engine", "both", "outlived"] = "command"
    start: Literal["nothing", "halted", "up"] = "up"
    first: tuple[str, ...] = CHANGED
    then: tuple[str, ...] = CHANGED

    def __str__(self) -> str:
        return f"{self.moment} {self.count} {self.victim}".replace(" ", "-")


KILLS = (
    Kill("starting etcd", start="nothing"),
    Kill("starting the API server", start="halted", then=(PETS,)),
    Kill("starting the controllers", start="halted"),
    Kill("moto, which plays AWS", start="nothing", then=(PETS,)),
    Kill("apply", 7, "outlived", "nothing"),  # the 5 nodes, then definitions
    Kill("apply", 50, "engine", "nothing", then=(PETS,)),
    Kill("get", 40, "both"),  # looking at what is there
    Kill("apply", 20, "command", then=CHANGED[:1]),
    Kill("delete", 1, "outlived", first=(PETS,), then=(PETS,)),
    Kill("delete", 12, "engine", first=(PETS,)),  # and birds come back
    Kill(" unchanged", first=CHANGED[:1], then=(PETS, BIRDS)),  # the engine has ended
)


def strike(kill: Kill, lab: Lab, process: Popen[str]) -> None:
    """Kill the victim; a command that lives on must end with a clear error."""
    engines = lab.engines()
    assert engines or kill.victim == "command"
    if kill.victim == "outlived":
        for engine in engines:
            engine.suspend()
    if kill.victim != "engine":
        os.killpg(process.pid, signal.SIGKILL)
    if kill.victim in ("engine", "both"):
        for engine in engines:
            engine.kill()
    _, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr
    if kill.victim == "engine":
        assert process.returncode == 1
        assert "error: the Pulumi engine " in stderr


def prepare(kill: Kill, lab: Lab) -> None:
    """Bring the lab to where the run starts from."""
    if kill.start == "nothing":
        lab.down()
        assert lab.processes() == []
        assert not lab.paths.state.exists()
        return
    lab.up(PETS, BIRDS)
    if kill.start == "halted":
        lab.kill(*EVERYTHING)


@pytest.mark.parametrize("kill", KILLS, ids=str)
def test_killed_at_any_moment_the_next_up_converges(lab: Lab, kill: Kill) -> None:
    prepare(kill, lab)
    lab.write(*kill.first)
    with lab.held(kill.moment, kill.count) as process:
        strike(kill, lab, process)
    lab.up(*kill.then)
    lab.assert_converged()
    again = lab.up()
    assert (again.summary.changes, again.removed) == ((), 0)


@pytest.mark.parametrize("program", ["etcd", "kube-apiserver", "moto"])
def test_a_program_that_died_is_started_again(lab: Lab, program: str) -> None:
    lab.up(PETS, BIRDS)
    before = lab.uids()
    lab.kill(program)
    lab.up()
    lab.assert_converged()
    assert lab.uids() == before
    assert lab.aws("s3").list_buckets()["Buckets"][0]["Name"] == "aspora-local-artifacts"


# --- refused ------------------------------------------------------------------------------------


def test_what_the_api_server_refuses_is_named_and_mended_later(lab: Lab) -> None:
    lab.up(PETS, BIRDS)
    before = lab.contents()
    wanted = spoiled(lab.write(PETS, CHANGED[1]), "CronJob", {"schedule": "at noon"})
    with pytest.raises(LocalPlatformError) as caught:
        platform.up(wanted, lab.paths, QuietProgress())
    head, *lines = caught.value.message.splitlines()
    assert head == "up: 1 problem"
    assert re.match(r"  CronJob aspora-\w+/\w+-\w+-\w+: .*spec\.schedule", lines[0])
    assert lab.command("status").returncode == 0
    lab.up(PETS, BIRDS)
    lab.assert_converged()
    assert lab.contents().keys() == before.keys()


def test_bad_input_changes_nothing_of_what_runs(lab: Lab) -> None:
    lab.up(PETS, BIRDS)
    before = lab.contents()
    file = lab.root / "domains" / "birds" / "domain.yaml"
    file.write_text(BIRDS.replace("schedule: ", "schedule: x"))
    assert_clear(lab.command("up"), f"{file}:10:19: ASP204 agents[0].skills[0].schedule: ")
    assert lab.contents() == before


# --- one at a time ------------------------------------------------------------------------------


def test_the_second_of_two_is_refused_and_the_first_finishes(lab: Lab) -> None:
    lab.up(PETS)
    lab.write(PETS, BIRDS)
    with lab.held("apply", 20) as process:
        for verb in ("up", "down", "preview"):
            told = f"`aspora up` (process {process.pid}, since "
            assert_clear(
                lab.command(verb), told, f"Wait until it ends, or stop it: kill {process.pid}"
            )
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
    lab.assert_converged()


# --- no space -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "blocks"), [("nothing", 100), ("halted", 400), ("up", 100)])
def test_without_space_the_error_is_clear_and_the_next_up_converges(
    lab: Lab, start: Literal["nothing", "halted", "up"], blocks: int
) -> None:
    prepare(Kill("", start=start), lab)
    lab.write(*CHANGED)
    result = lab.command("up", blocks=blocks)
    assert_clear(result, "ASPORA_STATE")
    lab.up()
    lab.assert_converged()


# --- down ---------------------------------------------------------------------------------------


def test_down_leaves_nothing_behind(lab: Lab) -> None:
    lab.up(PETS, BIRDS)
    ports = {
        connection.laddr.port
        for process in lab.processes()
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert len(ports) == len(components.PORTS) + 1  # and moto's
    result = lab.command("down")
    assert (result.returncode, result.stderr.splitlines()[-1]) == (0, "the local platform is down")
    assert lab.processes() == []
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert not lab.paths.state.exists()
    again = lab.command("down")
    assert (again.returncode, again.stderr) == (0, "nothing was up\n")
    assert lab.up().summary.created == len(lab.state())
    lab.assert_converged()
