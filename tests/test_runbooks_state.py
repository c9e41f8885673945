"""What the runbooks do to a state is done here by the pinned Pulumi, on a state in a folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.program import VERSION_OUTPUT
from tests.pages import table
from tests.runbook_lab import FOLDER, commands, text_of

PARENTS = {"stack", "state"}


def subcommand(words: tuple[str, ...]) -> tuple[str, ...]:
    deep = words[1] in PARENTS and len(words) > 2 and not words[2].startswith("-")
    return words[1:3] if deep else words[1:2]


@pytest.mark.engine
def test_pulumi_has_every_command_and_option(engine_tools: dict[str, Path]) -> None:
    wanted: dict[tuple[str, ...], set[str]] = {}
    for command in commands("pulumi"):
        wanted.setdefault(subcommand(command.words), set()).update(command.options())
    assert len(wanted) >= 10
    for words, options in wanted.items():
        called = [str(engine_tools["pulumi"]), *words, "--help"]
        done = subprocess.run(called, capture_output=True, text=True, check=True)
        assert f"pulumi {' '.join(words)}" in done.stdout
        assert options <= set(re.findall(r"--[a-z-]+", done.stdout)), words


class Backend:
    """A stack in a folder of its own, with one database or nothing."""

    def __init__(self, folder: Path, pulumi: Path, stack: str, *, empty: bool = False) -> None:
        self.folder, self.stack = folder, stack
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        (folder / "Pulumi.yaml").write_text("name: aspora-platform\nruntime: python\n", "utf-8")
        self.env = os.environ | {
            "PATH": f"{pulumi.parent}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        self.run(f"pulumi stack init {stack} --non-interactive")
        if not empty:
            self._fill()

    def _fill(self) -> None:
        stack, folder = self.stack, self.folder
        self.run(f"pulumi stack export --stack {stack} --file start.json")
        given = json.loads((folder / "start.json").read_text("utf-8"))
        given["deployment"] |= self._deployment()
        (folder / "start.json").write_text(json.dumps(given), "utf-8")
        self.run(f"pulumi stack import --stack {stack} --file start.json")

    def _deployment(self) -> dict[str, Any]:
        root = f"urn:pulumi:{self.stack}::aspora-platform"
        token = "aws:rds/instance:Instance"
        stack = {"urn": f"{root}::pulumi:pulumi:Stack::aspora-platform-{self.stack}"}
        outputs = {
            "custom": False,
            "type": "pulumi:pulumi:Stack",
            "outputs": {VERSION_OUTPUT: "1.38"},
        }
        provider = f"{root}::pulumi:providers:aws::aws"
        identity = "00000000-0000-4000-8000-000000000000"
        instance = {"urn": f"{root}::{token}::x", "custom": True, "type": token}
        instance |= {"provider": f"{provider}::{identity}"}
        return {
            "resources": [
                stack | outputs,
                {"urn": provider, "custom": True, "type": "pulumi:providers:aws", "id": identity},
                instance | {"id": "db-OLD", "protect": True},
            ],
        }

    def run(self, command: str) -> str:
        called = ["bash", "-c", command]
        done = subprocess.run(
            called,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def resource(self, token: str) -> dict[str, Any]:
        exported = json.loads(self.run(f"pulumi stack export --stack {self.stack}"))
        (found,) = [r for r in exported["deployment"]["resources"] if r["type"] == token]
        return dict(found)


def surgery(page: str) -> list[str]:
    """The lines of a page that export a state, edit it with jq and import it."""
    wanted = re.compile(r"pulumi stack (export|import)|jq '\(\.deployment")
    lines = [c.text for c in commands() if c.page.stem == page and c.whole]
    found = [line for line in dict.fromkeys(lines) if wanted.match(line)]
    assert [line.split()[0] for line in found] == ["pulumi", "jq", "pulumi"]
    return found


needs_jq = pytest.mark.skipif(not shutil.which("jq"), reason="the runbooks edit states with jq")


@pytest.mark.engine
@needs_jq
def test_the_edits_of_a_state_work(tmp_path: Path, engine_tools: dict[str, Path]) -> None:
    prod = Backend(tmp_path / "prod", engine_tools["pulumi"], "prod")
    for line in surgery("restore-database"):
        prod.run(line)
    assert prod.resource("aws:rds/instance:Instance")["id"] == "db-NEW"
    staging = Backend(tmp_path / "staging", engine_tools["pulumi"], "staging")
    for line in surgery("kubernetes-upgrade"):
        staging.run(line)
    assert staging.resource("pulumi:pulumi:Stack")["outputs"] == {VERSION_OUTPUT: "1.37"}


@pytest.mark.engine
@needs_jq
def test_an_empty_state_takes_the_provider(tmp_path: Path, engine_tools: dict[str, Path]) -> None:
    prod = Backend(tmp_path / "prod", engine_tools["pulumi"], "prod", empty=True)
    lines = [c.text for c in commands() if re.search(r"\b(empty|start)\.json", c.text)]
    assert [line.split()[0] for line in lines] == ["pulumi", "jq", "pulumi"]
    for line in lines:
        prod.run(line)
    assert prod.resource("pulumi:providers:aws")["urn"] in lines[1]


@pytest.mark.engine
def test_a_lock_is_told_and_taken_away_as_the_page_says(
    tmp_path: Path, engine_tools: dict[str, Path]
) -> None:
    prod = Backend(tmp_path / "prod", engine_tools["pulumi"], "prod")
    folder = prod.state / ".pulumi/locks/organization/aspora-platform/prod"
    folder.mkdir(parents=True, exist_ok=True)
    lock = {"pid": 1, "username": "ci", "hostname": "runner", "timestamp": "2026-01-01T00:00:00Z"}
    (folder / "00000000-0000-4000-8000-000000000000.json").write_text(json.dumps(lock), "utf-8")
    said = prod.run("! pulumi stack import --stack prod --file start.json")
    quoted = table(FOLDER / "restore-state.md", "Pulumi says, or you know")[0][0].strip("`")
    assert quoted in said
    assert "created by ci@runner" in said
    (cancel,) = [c for c in commands("pulumi") if c.words[1] == "cancel"]
    assert list(cancel.shown) == [prod.run(cancel.text).strip()]
    assert (prod.state / ".pulumi/stacks/aspora-platform/prod.json").is_file()
    assert ".pulumi/stacks/aspora-platform/prod.json" in text_of("restore-state")


@pytest.mark.engine
def test_an_import_drops_what_was_cut_short(tmp_path: Path, engine_tools: dict[str, Path]) -> None:
    prod = Backend(tmp_path / "prod", engine_tools["pulumi"], "prod")
    file = prod.folder / "start.json"
    given = json.loads(file.read_text("utf-8"))
    instance = given["deployment"]["resources"][-1] | {"protect": False}
    instance = {key: value for key, value in instance.items() if key not in ("id", "protect")}
    instance["urn"] = instance["urn"].removesuffix("x") + "y"
    given["deployment"]["pending_operations"] = [{"resource": instance, "type": "creating"}]
    file.write_text(json.dumps(given), "utf-8")
    said = prod.run("pulumi stack import --stack prod --file start.json").splitlines()
    (shown,) = [c.shown for c in commands("pulumi") if any("removing" in x for x in c.shown)]
    for line, real in zip(shown, said, strict=True):
        start, _, end = line.partition("…")
        assert real.startswith(start)
        assert real.endswith(end)
