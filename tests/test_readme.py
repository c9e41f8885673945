"""The README is run, line by line, in a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.core import ROOT
from tests.pages import README, Block, blocks, repository_files

NOT_RUN: Mapping[str, str] = {
    "make test": "it runs these very tests, and would never end",
    ".venv/bin/aspora bootstrap --stack staging": "needs an AWS account; tested on moto",
    ".venv/bin/aspora doctor --stack staging": "needs an AWS account; tested on moto",
    "pulumi preview --stack staging": "needs an AWS account and the official CLI",
    "pulumi up --stack staging": "needs an AWS account and the official CLI",
}
"""Commands of the README that no test runs, each with its reason."""

NEEDS_ENGINE = re.compile(r"(^make|aspora) (up|preview|status|down|check)\b")
"""Commands that run in the marked test only."""

LEFT_OUT = "[…]"
SECONDS = 600


@dataclass(frozen=True)
class Step:
    """A command with the output that the README shows, or an edit of a file."""

    line: int
    command: str = ""
    shown: tuple[str, ...] = ()
    edit: str = ""
    file: str = ""
    text: str = ""


def steps() -> Iterator[Step]:
    for block in blocks(README):
        if block.info in ("console", "sh"):
            yield from _commands(block)
        elif block.info == "yaml":
            found = re.search(r"(Append to|Create) `([^`]+)`", block.before)
            assert found, f"README.md:{block.line}: nobody says which file this is"
            text = "".join(line + "\n" for line in block.lines)
            yield Step(block.line, edit=found[1], file=found[2], text=text)
        else:
            assert block.info in ("text", "mermaid"), f"README.md:{block.line}: {block.info}?"


def _commands(block: Block) -> Iterator[Step]:
    prompt = "$ " if block.info == "console" else ""
    command, at, shown = "", 0, list[str]()
    for number, line in enumerate(block.lines, start=block.line + 1):
        if line.startswith(prompt) and line.strip() and not line.startswith("#"):
            if command:
                yield Step(at, command, tuple(shown))
            command, at, shown = line.removeprefix(prompt), number, []
        elif command:
            shown.append(line)
    if command:
        yield Step(at, command, tuple(shown))


class Copy:
    """A copy of the repository, with the environment's programs where `make` puts them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "repository"
        self.state = folder / "state"
        for name in repository_files():
            target = self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
        self._make_environment()
        unwanted = ("ASPORA_ROOT", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV")
        self.env = {key: value for key, value in os.environ.items() if key not in unwanted}
        self.env = {key: value for key, value in self.env.items() if not key.startswith("GIT_")}
        self.env |= {"ASPORA_STATE": str(self.state), "PRE_COMMIT_HOME": str(folder / "hooks")}
        person = "-c user.name=newcomer -c user.email=newcomer@example.com -c commit.gpgsign=false"
        for command in (
            "git init --quiet --initial-branch main",
            "git add --all",
            f"git {person} commit --quiet --message start",
        ):
            assert self.run(command).returncode == 0

    def _make_environment(self) -> None:
        """As if `make` had just installed it: its own stamps, everything else by link."""
        own = self.root / ".venv"
        own.mkdir()
        for entry in Path(sys.prefix).iterdir():
            if not entry.name.startswith("."):
                (own / entry.name).symlink_to(entry)
        (own / ".runtime").touch()
        (own / ".dev").touch()

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def follow(self, step: Step) -> None:
        """Do what the README says, and find what it shows. Figures and times may differ."""
        if step.edit:
            path = self.root / step.file
            assert path.exists() == (step.edit == "Append to"), f"README.md:{step.line}"
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(step.text)
            return
        done = self.run(step.command)
        where = f"README.md:{step.line}: {step.command}\n{done.stdout}"
        wanted = [line for line in step.shown if line.strip() and line != LEFT_OUT]
        refused = bool(wanted) and re.search(r"^\d+ problems? found$", wanted[-1])
        assert done.returncode == (1 if refused else 0), where
        said = iter([self.plain(line) for line in done.stdout.splitlines()])
        for line in wanted:
            assert self.plain(line) in said, f"{where}\nIt does not say: {line}"

    def plain(self, line: str) -> str:
        """The line without figures, times, and where this copy keeps its state."""
        line = line.replace(str(self.state), "~/.local/state/aspora/local")
        line = re.sub(r"\d+(\.\d+)?", "0", line).replace("0 min 0 s", "0 s")
        return re.sub(r"problems\b", "problem", " ".join(line.split()))


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    made = Copy(tmp_path)
    yield made
    if made.state.exists():
        assert made.run(".venv/bin/aspora down").returncode == 0
    if Path(f"{made.state}-staging").exists():
        assert made.run(".venv/bin/aspora down --stack staging --simulate").returncode == 0


def test_what_needs_no_engine_is_as_the_readme_says(copy: Copy) -> None:
    followed = [
        step
        for step in steps()
        if step.command not in NOT_RUN and not NEEDS_ENGINE.search(step.command)
    ]
    assert len(followed) > 5
    for step in followed:
        copy.follow(step)


@pytest.mark.engine
def test_all_of_it_is_as_the_readme_says(copy: Copy, engine_tools: dict[str, Path]) -> None:
    for step in steps():
        if step.command not in NOT_RUN:
            copy.follow(step)
    assert not copy.state.exists()


def test_the_hooks_pass_on_the_repository_as_it_is(copy: Copy) -> None:
    copy.env["SKIP"] = "mypy"  # minutes without its cache; `make check` runs it
    done = copy.run(".venv/bin/pre-commit run --all-files")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Passed") >= 3


def test_the_hooks_of_domain_teams_stop_what_ci_would_stop(copy: Copy) -> None:
    file = copy.root / "domains/wealth/domain.yaml"
    before = file.read_text("utf-8")
    for hook, old, new in (
        ("aspora-validate", "pods: 50", "pods: fifty"),
        ("aspora-approvals", "pods: 50", "pods: 51"),
        ("aspora-codeowners", "team: wealth-team", "team: riches-team"),
    ):
        assert before.count(old) == 1
        file.write_text(before.replace(old, new), "utf-8")
        done = copy.run(f".venv/bin/pre-commit run {hook} --files {file}")
        assert done.returncode == 1, f"{hook}\n{done.stdout}"
        assert "Failed" in done.stdout


def test_every_command_that_is_not_run_is_still_there_and_has_a_reason() -> None:
    commands = {step.command for step in steps()}
    assert set(NOT_RUN) <= commands
    assert all(len(reason.split()) > 4 for reason in NOT_RUN.values())


def test_the_new_domain_of_the_readme_takes_fifteen_lines_or_less() -> None:
    (new,) = [step for step in steps() if step.edit == "Create"]
    assert len(new.text.splitlines()) <= 15


CHECKS = (
    ("b", "echo a; echo b", True),
    ("a 3 min 05 s", "echo a 12 s", True),
    ("c", "echo a; echo b", False),
    ("1 problem found", "echo 2 problems found; exit 1", True),
    ("1 problem found", "echo 1 problem found", False),
    ("a", "echo a; exit 1", False),
)


def test_the_check_itself(copy: Copy) -> None:
    for shown, said, found in CHECKS:
        step = Step(1, said, (LEFT_OUT, shown))
        if found:
            copy.follow(step)
        else:
            with pytest.raises(AssertionError):
                copy.follow(step)
