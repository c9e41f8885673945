"""checkov's environment and runs: what can go wrong, on stand-ins that take no time."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from aspora.aws_scan import aws_input
from aspora.errors import EnvironmentFailure, ToolUnavailable
from aspora.policy import Result, Scan, ScanInput, Subject, Verdict
from aspora.problems import Position
from aspora.registered import Registered
from local import checkov, environments
from local.checkov import ScanFailed, gate, scan
from local.environments import CHECKOV, python_of
from local.paths import Paths
from local.progress import QuietProgress
from local.toolchain import faults

EMPTY_PLAN = {"terraform_plan": '{"planned_values": {}}'}


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class Machine:
    """A machine whose Python is a script; says what `aspora` says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths = Paths(cache=folder / "cache", state=folder / "state")
        self.env = {"PATH": str(folder / "bin")}  # with no uv of the real machine
        (folder / "bin").mkdir()
        for tool in ("cp", "mkdir", "sleep"):
            (folder / "bin" / tool).symlink_to(shutil.which(tool) or tool)
        self.progress = QuietProgress()
        self.folder = folder
        self.calls = folder / "calls"
        self.monkeypatch = monkeypatch

    def python(self, pip: str = "true", *, venv: str = "true", start: str = "true") -> None:
        """What `pip install`, making an environment and starting checkov do."""
        python = script(
            self.folder / "python",
            f'echo "$@" >> {self.calls}\n'
            f'case "$2" in\n'
            f'venv) {venv} && mkdir -p "$3/bin" && cp "$0" "$3/bin/python";;\n'
            f"pip) {pip};;\n*) {start};;\nesac",
        )
        self.monkeypatch.setattr(sys, "executable", str(python))

    def uv(self, install: str = "true") -> None:
        """A uv that makes the same environment."""
        made = f'mkdir -p "$4/bin" && cp {self.folder}/python "$4/bin/python"'
        script(self.folder / "bin" / "uv", f'case "$1" in\nvenv) {made};;\npip) {install};;\nesac')

    def install(self) -> Path:
        return python_of(CHECKOV, self.paths, self.progress, self.env)

    def refused(self) -> ToolUnavailable:
        with pytest.raises(ToolUnavailable) as caught:
            self.install()
        folder = self.paths.cache / "checkov"
        assert [entry.name for entry in folder.iterdir()] == [".lock"]
        return caught.value


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_the_environment_is_made_once_and_whole(machine: Machine) -> None:
    machine.python()
    python = machine.install()
    assert python.exists()
    assert python.parts[-4:-2] == ("checkov", python.parent.parent.name)
    assert python.parent.parent.name.startswith(f"{CHECKOV.version}-")
    calls = machine.calls.read_text().splitlines()
    assert [call.split()[:3] for call in calls[:2]] == [
        ["-m", "venv", str(machine.paths.cache / "checkov" / f".work-{os.getpid()}")],
        ["-m", "pip", "install"],
    ]
    assert calls[1].split()[3:7] == ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    assert machine.progress.lines[0] == f"Installing checkov {CHECKOV.version} into the tool cache"
    assert machine.install() == python
    assert machine.calls.read_text().splitlines() == calls


def test_uv_does_it_where_pip_cannot(machine: Machine) -> None:
    machine.python(venv="false")
    machine.uv()
    assert machine.install().exists()


def test_without_a_connection(machine: Machine) -> None:
    machine.python(pip="echo 'Connection refused: /checkov'; exit 1")
    error = machine.refused()
    log = machine.paths.build_logs / "checkov.log"
    assert error.message == (
        f"checkov {CHECKOV.version} cannot be installed. Tried, in this order:\n"
        "  - pip: the packages cannot be installed\n"
        f"Last lines of {log}:\n"
        "    Connection refused: /checkov"
    )
    assert error.hint == (
        "Check the connection to your package index, and how pip or uv are set up for it. "
        "Then run the same command again."
    )


def test_with_a_damaged_package(machine: Machine) -> None:
    machine.python(pip="echo 'THESE PACKAGES DO NOT MATCH THE HASHES'; exit 1")
    machine.uv("echo 'Hash mismatch for boto3'; exit 1")
    error = machine.refused()
    assert (
        "  - pip: the packages cannot be installed\n  - uv: the packages cannot be installed\n"
    ) in error.message
    assert error.hint == (
        "A package is not the one that the lock file names: it was damaged on the way, or changed"
        " at its source. Empty the cache of pip or uv, and look at your package index. "
        "Then run the same command again."
    )


def test_without_room(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.python(pip="echo 'OSError: [Errno 28] No space left on device'; exit 1")
    machine.uv("touch uv-was-asked")
    monkeypatch.setattr(environments, "free_gb", lambda folder: 0.1)
    error = machine.refused()
    assert error.message == (
        f"the disk is full: checkov needs 0.4 GB in {machine.paths.cache}, where 0.1 GB are free"
    )
    assert error.hint == (
        "Free that much, or name a folder on another disk: ASPORA_CACHE=/path/to/folder. "
        "Then run the same command again."
    )


@pytest.mark.parametrize(
    ("setting", "why", "hint"),
    [
        ({"venv": "false"}, "no virtual environment can be made", "Mend what the log names, or"),
        ({"start": "exit 1"}, "checkov does not start", "Mend what the log names, or put uv"),
        (
            {"pip": "echo 'No matching distribution found for numpy'; exit 1"},
            "the packages cannot be installed",
            "Your package index has no build of a package for this Python and machine",
        ),
    ],
)
def test_each_step_may_fail(machine: Machine, setting: dict[str, str], why: str, hint: str) -> None:
    machine.python(**setting)
    error = machine.refused()
    assert f"  - pip: {why}\n" in error.message
    assert error.hint.startswith(hint)


def test_an_installer_that_hangs_is_ended(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "INSTALL_SECONDS", 0.3)
    machine.python(pip="exec sleep 60")
    started = time.monotonic()
    assert "    timed out after 0.3 s" in machine.refused().message
    assert time.monotonic() - started < 20


def test_a_cache_that_cannot_be_used(machine: Machine) -> None:
    machine.python()
    machine.paths.cache.write_text("a file")
    with pytest.raises(EnvironmentFailure) as caught:
        machine.install()
    assert caught.value.message.startswith(f"the tool cache {machine.paths.cache} cannot be used")
    assert caught.value.hint == "Name a folder you may write to: ASPORA_CACHE=/path/to/folder"
    assert faults.free_gb(machine.folder) > 0


Scanner = Callable[[str], Path]


@pytest.fixture
def scanner(tmp_path: Path) -> Scanner:
    """A Python that prints what a test wants."""
    return lambda text: script(tmp_path / "scanner", text)


def record(check: str, address: str | None, **more: Any) -> dict[str, Any]:
    return {
        "check_id": check,
        "check_name": f"title of {check}",
        "resource_address": address,
        "guideline": None,
        **more,
    }


def found(
    passed: list[Any], failed: list[Any], count: int, errors: int = 0, of: str = "terraform_plan"
) -> dict[str, Any]:
    return {
        "check_type": of,
        "results": {"passed_checks": passed, "failed_checks": failed},
        "summary": {"resource_count": count, "parsing_errors": errors},
    }


def says(report: Any) -> str:
    return f"cat <<'END'\n{json.dumps(report)}\nEND"


def report(passed: list[Any], failed: list[Any], count: int, *, errors: int = 0) -> str:
    return says(found(passed, failed, count, errors))


def test_a_report_is_read(scanner: Scanner) -> None:
    twice = record("CKV_AWS_18", "aws_s3_bucket.b")
    linked = record("CKV_AWS_18", "aws_s3_bucket.a", guideline="https://example.org")
    plan = scan(EMPTY_PLAN, scanner(report([twice], [twice, linked, twice], 2)))["terraform_plan"]
    index = "https://www.checkov.io/5.Policy%20Index/terraform.html"
    assert plan.resources == 2
    assert plan.failed == (
        Result("CKV_AWS_18", "aws_s3_bucket.a", "title of CKV_AWS_18", "https://example.org"),
        Result("CKV_AWS_18", "aws_s3_bucket.b", "title of CKV_AWS_18", index),
    )
    assert plan.passed == plan.failed[1:]


def test_two_frameworks_are_one_run_with_two_reports(scanner: Scanner, tmp_path: Path) -> None:
    pod = record("CKV_K8S_8", None, resource="Pod.zoo.lion")
    reports = [found([], [pod], 1, of="kubernetes"), found([], [], 3)]
    look = f'{{ echo "$@"; cat objects.yaml; }} > {tmp_path}/seen\n'
    both = scan({**EMPTY_PLAN, "kubernetes": "---\n{}\n"}, scanner(look + says(reports)))
    index = "https://www.checkov.io/5.Policy%20Index/kubernetes.html"
    lion = Result("CKV_K8S_8", "Pod.zoo.lion", "title of CKV_K8S_8", index)
    assert both == {"terraform_plan": Scan(3, (), ()), "kubernetes": Scan(1, (), (lion,))}
    arguments, *text = (tmp_path / "seen").read_text().splitlines()
    assert "--framework terraform_plan kubernetes --skip-download" in arguments
    assert arguments.endswith(" -f plan.json objects.yaml")
    assert text == ["---", "{}"]


def test_a_report_that_is_missing_is_no_green_gate(scanner: Scanner) -> None:
    with pytest.raises(ScanFailed, match="cannot be read"):
        scan({**EMPTY_PLAN, "kubernetes": ""}, scanner(report([], [], 0)))


def test_it_gets_the_plan_and_nothing_of_the_user(
    scanner: Scanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BC_API_KEY", "mine")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    seen = tmp_path / "seen"
    look = f'{{ echo "$@"; pwd; env; cat plan.json; }} > {seen}\n'
    scan(EMPTY_PLAN, scanner(look + report([], [], 0)))
    arguments, folder, *rest = seen.read_text().splitlines()
    assert arguments == (
        "-I -m checkov.main --framework terraform_plan --skip-download --soft-fail --compact "
        "-o json -f plan.json"
    )
    assert rest[-1] == '{"planned_values": {}}'
    env = dict(line.split("=", 1) for line in rest[:-1])
    assert (env["HOME"], env["TMPDIR"]) == (folder, folder)
    assert env["HTTPS_PROXY"] == env["HTTP_PROXY"] == env["ALL_PROXY"] == "http://127.0.0.1:9"
    assert "BC_API_KEY" not in env
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    "answer", ["echo hello", "true", "echo '[]'", "echo '{}'", report([], [], 0, errors=1)]
)
def test_a_report_that_is_none(scanner: Scanner, answer: str) -> None:
    with pytest.raises(ScanFailed) as caught:
        scan(EMPTY_PLAN, scanner(answer))
    assert caught.value.message.startswith("checkov's report cannot be read; it starts with ")
    assert caught.value.hint == (
        "remove the folder checkov from the tool cache: it is installed anew then"
    )


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ("echo Traceback >&2; echo 'KeyError: x' >&2; exit 2", 2, "    Traceback\n    KeyError: x"),
        ("exit 1", 1, "    (it said nothing)"),
        (f"echo 'Failed to run check CKV_AWS_7 on plan' >&2; {report([], [], 0)}", 0, "CKV_AWS_7"),
    ],
)
def test_a_scanner_that_breaks_down(scanner: Scanner, answer: str, code: int, words: str) -> None:
    with pytest.raises(ScanFailed) as caught:
        scan(EMPTY_PLAN, scanner(answer))
    assert caught.value.message.startswith(f"checkov broke down (exit code {code}):\n    ")
    assert words in caught.value.message
    assert caught.value.hint == (
        "this is a bug of checkov, or of what makes its input (aspora/terraform.py,"
        " aspora/checks/manifests.py); when checkov itself is damaged, remove the folder checkov"
        " from the tool cache: it is installed anew then"
    )


def test_a_scanner_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(ScanFailed) as caught:
        scan(EMPTY_PLAN, tmp_path / "python")
    assert caught.value.message == f"{tmp_path}/python cannot be started: No such file or directory"
    assert caught.value.hint == (
        "remove the folder checkov from the tool cache: it is installed anew then"
    )


def test_a_scanner_that_hangs_is_ended_with_its_children(scanner: Scanner, tmp_path: Path) -> None:
    child = tmp_path / "child"
    with pytest.raises(ScanFailed) as caught:
        scan(EMPTY_PLAN, scanner(f"sleep 61 & echo $! > {child}; wait"), seconds=0.5)
    assert caught.value.message == "checkov was not done in 0 s"
    assert caught.value.hint == "this machine may be busy; run the command again"
    status = Path("/proc") / child.read_text().strip() / "status"
    assert not status.exists() or "zombie" in status.read_text()


HINT = "what `aspora` gives it is not as checkov expects it; this is a bug"
TODAY = date(2026, 12, 1)


def judged(*names: str, python: Path) -> Verdict:
    """The gate on buckets of these names."""
    buckets = [Registered("aws:s3/bucket:Bucket", name, f"urn:{name}", {}) for name in names]
    (verdict,) = gate([aws_input(buckets, "staging", ())], python, "staging", TODAY)
    return verdict


def test_a_scanner_that_looks_at_less_is_no_green_gate(scanner: Scanner) -> None:
    with pytest.raises(ScanFailed) as caught:
        judged("a", "b", python=scanner(report([], [], 1)))
    assert caught.value.message == "checkov looked at 1 of 2 AWS resources"
    assert caught.value.hint == HINT
    assert checkov.SCAN_SECONDS >= 60
    verdict = judged("a", "b", python=scanner(report([], [], 2)))
    assert (verdict.scanned, verdict.problems) == (2, ())


def test_two_resources_of_one_urn_are_no_green_gate(scanner: Scanner) -> None:
    same = [Registered("aws:s3/bucket:Bucket", "a", "urn:a", {})] * 2
    with pytest.raises(ScanFailed, match="looked at 1 of 2"):
        gate([aws_input(same, "staging", ())], scanner(report([], [], 1)), "staging", TODAY)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("Pod.zoo.lion", None),
        ("Namespace.default.zoo", "checkov made no check of Pod.zoo.lion"),
        ("Pod.zoo.tiger", "checkov speaks of Pod.zoo.tiger, which it was not given"),
    ],
)
def test_a_pod_that_is_stepped_over_is_no_green_gate(
    scanner: Scanner, address: str, message: str | None
) -> None:
    place = Position("Pulumi.staging.yaml", 1, 1)
    subjects = {
        "Pod.zoo.lion": Subject("Pod", "zoo/lion", lambda _: place),
        "Namespace.default.zoo": Subject("Namespace", "zoo", lambda _: place),
    }
    pods = frozenset({"Pod.zoo.lion"})
    given = ScanInput("kubernetes", "Kubernetes object", "", 2, subjects, (), pods)
    passed = record("CKV_K8S_8", None, resource=address)
    python = scanner(says(found([passed], [], 2, of="kubernetes")))
    if message is None:
        (verdict,) = gate([given], python, "staging", TODAY)
        assert (verdict.scanned, verdict.passed, verdict.problems) == (2, 1, ())
    else:
        with pytest.raises(ScanFailed) as caught:
            gate([given], python, "staging", TODAY)
        assert (caught.value.message, caught.value.hint) == (message, HINT)
