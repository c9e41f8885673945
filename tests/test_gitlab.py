"""The template for GitLab runs what the workflows of a pull request run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml

from tests.core import ROOT
from tests.workflow_lab import play
from tests.workflows import read

BASE = '"$CI_MERGE_REQUEST_DIFF_BASE_SHA"'
NOT_OF_JOBS = {"workflow", "default", "variables"}


def template() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "ci/gitlab.yml").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def jobs() -> dict[str, Any]:
    return {name: job for name, job in template().items() if name not in NOT_OF_JOBS}


def commands(lines: Iterable[str]) -> Iterator[str]:
    """The calls of ours, as both write them: annotations and SARIF are GitHub's."""
    for line in lines:
        call = " ".join(line.split()).replace(BASE, "HEAD^1").replace(" --format github", "")
        if call.startswith((".venv/bin/aspora", "bash .ci/run")) and "sarif" not in call:
            yield call


def test_the_commands_are_those_of_the_pull_request() -> None:
    workflows = read()
    scripts = [step.run for name in ("pr", "cost") for step in workflows[name].steps]
    folded = [script if "\n" in script.strip() else script.replace("\n", " ") for script in scripts]
    wanted = sorted(commands(line for script in folded for line in script.splitlines()))
    assert len(wanted) >= 10
    assert sorted(commands(line for job in jobs().values() for line in job["script"])) == wanted


def test_it_runs_on_merge_requests_alone_with_a_time_limit_and_no_secret() -> None:
    assert template()["workflow"]["rules"] == [
        {"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}
    ]
    assert all("timeout" in job for job in jobs().values())
    text = (ROOT / "ci/gitlab.yml").read_text("utf-8")
    assert "TOKEN" not in text
    assert "id_tokens" not in text


@pytest.mark.parametrize(
    ("labels", "lifted"),
    [
        ("", False),
        ("cost-approved", True),
        ("a,cost-approved,b", True),
        ("not-cost-approved", False),
    ],
)
def test_only_the_label_itself_lifts_the_threshold(
    tmp_path: Any, labels: str, lifted: bool
) -> None:
    calls = play(tmp_path / ".venv/bin", "aspora")
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(jobs()["cost"]["script"])],
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "CI_MERGE_REQUEST_LABELS": labels,
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": "abc",
        },
        check=False,
    )
    assert done.returncode == 0
    assert ("--label cost-approved" in calls.read_text()) is lifted


def test_a_report_that_fails_is_kept_and_fails_the_job(tmp_path: Any) -> None:
    calls = play(tmp_path / ".venv/bin", "aspora", "exit 1")
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(jobs()["report"]["script"])],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "abc"},
        check=False,
    )
    assert done.returncode == 1
    assert len(calls.read_text().splitlines()) == 3
    assert jobs()["report"]["artifacts"]["when"] == "always"
