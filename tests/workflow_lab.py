"""Runs a `run:` step of a workflow as GitHub's runner would: in bash, with the step's environment.

What GitHub puts into `${{ … }}` is given by the test; an expression that nobody gave is an error.
Programs that are not here (`pulumi`) are played by scripts that write down how they were called.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.workflows import Job, Step, Workflow

SECONDS = 600


@dataclass(frozen=True)
class Done:
    """How a step ended: exit code, what it said, its outputs and its part of the summary."""

    code: int
    said: str
    outputs: Mapping[str, str]
    summary: str


@dataclass
class Runner:
    """A runner whose workspace is `folder`; `env` is what every step sees."""

    folder: Path
    env: dict[str, str]
    given: dict[str, str] = field(default_factory=dict)
    """What expressions stand for, by their text: `{"github.token": "…"}`."""

    def run(self, workflows: Mapping[str, Workflow], step_id: str, **env: str) -> Done:
        """The step called `file/job/name`; `env` is put over the step's own environment."""
        workflow, job, step = find(workflows, step_id)
        own = self.env | self._env(workflow.data) | self._env(job.data) | self._env(step.data)
        temp = self.folder.parent / "runner"
        temp.mkdir(exist_ok=True)
        files = {name: temp / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.write_text("")
        script = temp / "step.sh"
        script.write_text(step.run)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder,
            env=own | {name: str(path) for name, path in files.items()} | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        outputs = dict(line.split("=", 1) for line in lines)
        return Done(done.returncode, done.stdout, outputs, files["GITHUB_STEP_SUMMARY"].read_text())

    def _env(self, data: Mapping[str, object]) -> dict[str, str]:
        found = data.get("env") or {}
        assert isinstance(found, Mapping)
        return {str(name): self.evaluated(str(value)) for name, value in found.items()}

    def evaluated(self, text: str) -> str:
        """The text with its expressions replaced. Raises KeyError for one that nobody gave."""
        return re.sub(r"\$\{\{\s*(.*?)\s*\}\}", lambda match: self.given[match[1]], text)


def find(workflows: Mapping[str, Workflow], step_id: str) -> tuple[Workflow, Job, Step]:
    """The one step of that name with what is around it."""
    found = [
        (workflow, job, step)
        for workflow in workflows.values()
        for job in workflow.jobs
        for step in job.steps
        if step.id == step_id
    ]
    assert len(found) == 1, f"{len(found)} steps are called {step_id}"
    return found[0]


def play(folder: Path, name: str, script: str = "") -> Path:
    """A program of that name in `folder`; each call is a line of the file that is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    calls = folder / f"{name}.calls"
    program = folder / name
    program.write_text(f'#!/bin/sh\necho "$*" >> "{calls}"\n{script}\n')
    program.chmod(0o755)
    calls.write_text("")
    return calls
