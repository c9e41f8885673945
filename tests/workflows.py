"""The workflows as they stand in the repository: jobs, steps, and what each may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.core import ROOT

FOLDER = ROOT / ".github"


@dataclass(frozen=True)
class Step:
    """One step: `run` or `uses`. `id` is what a table of steps calls it."""

    file: str
    job: str
    data: Mapping[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        return f"{self.file}/{self.job}/{self.data.get('name') or self.data.get('uses')}"

    @property
    def run(self) -> str:
        return str(self.data.get("run", ""))

    @property
    def uses(self) -> str:
        return str(self.data.get("uses", ""))

    @property
    def env(self) -> Mapping[str, str]:
        return self.data.get("env") or {}

    @property
    def inputs(self) -> Mapping[str, Any]:
        return self.data.get("with") or {}


@dataclass(frozen=True)
class Job:
    file: str
    name: str
    data: Mapping[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        return f"{self.file}/{self.name}"

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(Step(self.file, self.name, step) for step in self.data.get("steps", ()))

    @property
    def permissions(self) -> Mapping[str, str]:
        return self.data.get("permissions") or {}

    @property
    def writes(self) -> bool:
        return "write" in {v for k, v in self.permissions.items() if k != "id-token"}

    @property
    def runner(self) -> str:
        found = self.data["runs-on"]
        return found if isinstance(found, str) else " ".join(found)


@dataclass(frozen=True)
class Workflow:
    """A file of .github/workflows, or a composite action, whose one job is called `action`."""

    file: str
    text: str = field(repr=False)

    @property
    def data(self) -> dict[str, Any]:
        found = yaml.safe_load(self.text)
        assert isinstance(found, dict)
        # YAML 1.1 reads the key `on` as true.
        return {"on" if key is True else str(key): value for key, value in found.items()}

    @property
    def is_action(self) -> bool:
        return self.file.startswith("actions/")

    @property
    def triggers(self) -> dict[str, Any]:
        on = self.data.get("on") or {}
        return dict.fromkeys([on]) if isinstance(on, str) else dict(on)

    @property
    def jobs(self) -> tuple[Job, ...]:
        if self.is_action:
            return (Job(self.file, "action", self.data["runs"]),)
        return tuple(Job(self.file, name, job) for name, job in self.data["jobs"].items())

    @property
    def steps(self) -> Iterator[Step]:
        for job in self.jobs:
            yield from job.steps


def read(folder: Path = FOLDER) -> dict[str, Workflow]:
    """Every workflow and composite action by its short name: `pr`, `actions/setup`."""
    found = {path.stem: path for path in sorted((folder / "workflows").glob("*.yml"))}
    for path in sorted((folder / "actions").glob("*/action.yml")):
        found[f"actions/{path.parent.name}"] = path
    return {name: Workflow(name, path.read_text("utf-8")) for name, path in found.items()}
