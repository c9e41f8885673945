"""The engine's files, its CLI and what it says, without starting it."""

from __future__ import annotations

import signal
import stat
import subprocess
import threading
import time
from pathlib import Path

import orjson
import psutil
import pytest
import yaml

from aspora.errors import LocalPlatformError, ToolUnavailable
from local.engine_cli import Cli
from local.engine_record import Record
from local.engine_state import EngineState

# --- what a killed run leaves behind ------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> EngineState:
    state = EngineState(tmp_path / "pulumi", "aspora", "local")
    state.prepare({})
    return state


def write_checkpoint(state: EngineState, text: bytes) -> None:
    state.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    state.checkpoint.write_bytes(text)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\x00\x00", b"[]", b"null", b'{"version": 3}', b'{"checkpoint": 1}']
)
def test_a_checkpoint_that_cannot_be_read_is_forgotten(state: EngineState, text: bytes) -> None:
    write_checkpoint(state, text)
    state.prepare({})
    assert not state.checkpoint.exists()


def test_operations_that_never_ended_are_taken_out(state: EngineState) -> None:
    latest = {"resources": [{"urn": "a"}], "pending_operations": [{"type": "creating"}]}
    write_checkpoint(state, orjson.dumps({"version": 3, "checkpoint": {"latest": latest}}))
    state.prepare({})
    data = orjson.loads(state.checkpoint.read_bytes())
    assert data == {"version": 3, "checkpoint": {"latest": {"resources": [{"urn": "a"}]}}}


def test_locks_go_and_settings_are_written_anew(state: EngineState) -> None:
    lock = state.backend / ".pulumi" / "locks" / "organization" / "aspora" / "local" / "x.json"
    lock.parent.mkdir(parents=True)
    lock.write_text("{}")
    settings = state.work / "Pulumi.local.yaml"
    settings.write_text("encryptionsalt: v1:salt\nconfig:\n  aspora:old: '1'\n")
    state.prepare({"aspora:new": "2"})
    assert not lock.exists()
    assert yaml.safe_load(settings.read_text()) == {
        "encryptionsalt": "v1:salt",
        "config": {"aspora:new": "2"},
    }


def test_an_engine_of_an_earlier_run_is_ended_and_no_other(
    state: EngineState, tmp_path: Path
) -> None:
    program = tmp_path / "pulumi-of-a-test"
    program.symlink_to("/bin/sleep")
    ours = subprocess.Popen([program, "60"], cwd=state.work)
    other = subprocess.Popen([program, "60"], cwd=tmp_path)
    try:
        state.end_leftovers()
        assert ours.wait(timeout=5) is not None
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


# --- the CLI and what it says -------------------------------------------------------------------


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_cli_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolUnavailable, match="cannot be started: No such file"):
        Cli(tmp_path / "pulumi")
    with pytest.raises(LocalPlatformError, match="is not a Pulumi CLI: hello"):
        Cli(script(tmp_path / "other", "echo hello"))


def test_the_users_own_settings_do_not_reach_the_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PULUMI_ACCESS_TOKEN", "AWS_SECRET_ACCESS_KEY", "https_proxy"):
        monkeypatch.setenv(name, "mine")
    cli = Cli(script(tmp_path / "pulumi", '[ "$1" = version ] && echo v3.230.0 || env'))
    result = cli.run(["up"], str(tmp_path), {"PULUMI_HOME": "/ours"})
    assert "PULUMI_HOME=/ours" in result.stdout.splitlines()
    assert "mine" not in result.stdout


def test_an_interrupt_stops_the_engine_and_waits_for_it(tmp_path: Path) -> None:
    program = script(
        tmp_path / "pulumi",
        f'[ "$1" = version ] && echo v3.230.0 && exit\n'
        f"trap 'echo stopped > {tmp_path}/end; exit 1' INT\n"
        f"echo $$ > {tmp_path}/pid\nwhile :; do sleep 0.05; done",
    )
    cli = Cli(program)
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        while not (tmp_path / "pid").exists():
            time.sleep(0.02)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        cli.run(["up"], str(tmp_path), {})
    thread.join()
    assert (tmp_path / "end").read_text() == "stopped\n"
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def failed(*errors: tuple[str, str], words: str = "") -> str:
    return Record(errors=list(errors)).failure("up", words).message


def test_a_failure_lists_each_resource_once_in_the_providers_words() -> None:
    urn = "urn:pulumi:local::aspora::aws:s3/bucket:Bucket::logs"
    message = failed(
        (urn, "Preview failed: ConfigMap a/b: no such field"),
        (urn, "ConfigMap a/b: no such field"),
        (urn, "it is full"),
        ("", "an unhandled error occurred: it broke\nTraceback (most recent call last):\n x\nE: y"),
    )
    assert message.splitlines() == [
        "up: 3 problems",
        "  ConfigMap a/b: no such field",
        "  logs: it is full",
        "  it broke (E: y)",
    ]


def test_a_failure_without_diagnostics_shows_the_cli_s_last_words() -> None:
    words = " code: 255\n stdout: \n stderr: noise\nerror: no space left on device\n"
    assert failed(words=words) == "the Pulumi engine failed: no space left on device"
