"""The workflows keep our rules, and two programs that look at workflows find nothing."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Group

from aspora.cli import COMMANDS, cli
from aspora.errors import ToolUnavailable
from infra import ci
from infra.registered_stack import registered
from local.environments import ZIZMOR, python_of
from local.paths import Paths
from local.progress import QuietProgress
from local.toolchain import OPTIONAL, where
from tests.core import ROOT
from tests.workflow_rules import PINS, RULES, Rule
from tests.workflows import Step, Workflow, read

HERE = read()
RULE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)


def test_they_are_found() -> None:
    assert set(HERE) == {
        *("comment", "cost", "deploy", "drift", "pr", "prices"),
        *("actions/setup", "actions/stack"),
    }
    assert sum(1 for workflow in HERE.values() for step in workflow.steps if step.run) > 25


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("vendor.github-workflows", ".github/workflows/*.yml"),
        ("vendor.github-actions", ".github/actions/*/action.yml"),
        ("vendor.gitlab-ci", "ci/gitlab.yml"),
    ],
)
def test_they_are_what_their_services_take(schema: str, pattern: str, tmp_path: Path) -> None:
    """By the services' published schemas, as check-jsonschema carries them."""

    def held(*files: Path) -> int:
        command = ("-m", "check_jsonschema", "--no-cache", "--builtin-schema", schema)
        return subprocess.run((sys.executable, *command, *files), check=False).returncode

    files = sorted(ROOT.glob(pattern))
    assert files
    assert held(*files) == 0
    broken = tmp_path / files[0].name
    broken.write_text(
        files[0].read_text("utf-8").replace("name:", "nama:").replace("script:", "scirpt:")
    )
    assert held(broken) == 1


@RULE
def test_the_rule_holds(rule: Rule) -> None:
    assert list(rule(HERE)) == []


SHA = PINS["actions/checkout"][0]
MUTANTS = (
    ("pinned", "pr", f"@{SHA} # v7.0.1", "@v7.0.1"),
    ("pinned", "pr", f"@{SHA} # v7.0.1", f"@{SHA}"),
    ("pinned", "pr", f"@{SHA}", f"@{SHA[:-1]}0"),
    ("pinned", "pr", "actions/checkout@", "octo/checkout@"),
    ("pinned", "pr", "./.github/actions/setup", "./.github/actions/nowhere"),
    ("least_permissions", "pr", "\npermissions: {}", ""),
    ("least_permissions", "pr", "    permissions:\n      contents: read\n", ""),
    ("least_permissions", "pr", "contents: read", "contents: write"),
    ("least_permissions", "comment", "actions: read", "actions: write"),
    ("time_limits", "pr", "    timeout-minutes: 15\n", ""),
    ("time_limits", "pr", "timeout-minutes: 15", "timeout-minutes: 360"),
    ("shells", "pr", "shell: bash", "shell: sh"),
    ("shells", "actions/setup", "      shell: bash\n", ""),
    ("no_injection", "pr", "bash .ci/run", "echo ${{ github.head_ref }}; bash .ci/run"),
    ("no_injection", "pr", "bash .ci/run", 'eval "$X"'),
    ("no_credentials_on_disk", "pr", "persist-credentials: false", "fetch-depth: 1"),
    (
        "no_credentials_on_disk",
        "comment",
        "persist-credentials: false",
        "persist-credentials: false\n          ref: ${{ github.event.workflow_run.head_sha }}",
    ),
    ("no_secrets", "deploy", "STACK: staging", "STACK: ${{ secrets.STACK }}"),
    ("strangers", "pr", "pull_request:", "pull_request_target:"),
    ("strangers", "pr", "on:\n", "on:\n  push:\n"),
    ("strangers", "deploy", "on:\n", "on:\n  pull_request:\n"),
    ("strangers", "pr", "runs-on: ubuntu-24.04", "runs-on: [self-hosted, linux, aspora-prod]"),
    ("strangers", "pr", "contents: read", "id-token: write"),
    ("strangers", "cost", "LABEL:", "T: ${{ github.token }}\n          LABEL:"),
    (
        "strangers",
        "pr",
        "security-events: write # the findings\n    steps:\n",
        "security-events: write\n    steps:\n      - run: make\n",
    ),
    ("commenter", "comment", "run: python3 -m ci.comment", "run: bash ci/run"),
    ("commenter", "comment", "workflows: [pull request]", "workflows: [tests]"),
    (
        "commenter",
        "comment",
        "      - name: Post it",
        "      - uses: ./.github/actions/setup\n      - name: Post it",
    ),
    ("writers_install_nothing", "drift", "run: python3 -m ci.drift tell drift", "run: make test"),
    ("writers_install_nothing", "prices", "ci.propose prices", "ci.propose prices; make"),
    ("cancelled_never_midway", "pr", "cancel-in-progress: true", "cancel-in-progress: false"),
    ("cancelled_never_midway", "deploy", "cancel-in-progress: false", "cancel-in-progress: true"),
    ("cancelled_never_midway", "deploy", "group: stack-prod", "group: deploy"),
    ("cancelled_never_midway", "deploy", "timeout-minutes: 120", "timeout-minutes: 30"),
    ("clusters_from_inside", "deploy", "[self-hosted, linux, aspora-staging]", "ubuntu-24.04"),
    ("clusters_from_inside", "deploy", "aspora-prod]", "aspora-staging]"),
    ("clusters_from_inside", "deploy", "    environment: prod\n", ""),
    ("clusters_from_inside", "deploy", "          role: preview", "          role: deploy"),
    ("clusters_from_inside", "deploy", "STACK: staging", "STACK: prod"),
    ("clusters_from_inside", "drift", "role: preview", "role: deploy"),
    ("clusters_from_inside", "drift", "pulumi refresh", "pulumi up"),
    ("never_back", "deploy", 'run: python3 -m ci.order "$STACK"', "run: 'true'"),
    ("same_engine", "actions/stack", "pulumi-version: 3", "pulumi-version: 4"),
    ("one_check_for_all", "pr", "isolation, report, tests]", "isolation, report]"),
    ("one_check_for_all", "pr", "    if: ${{ always() }}\n", ""),
)


@pytest.mark.parametrize("case", MUTANTS, ids=lambda case: f"{case[0]}-{case[1]}-{case[3][:30]}")
def test_each_rule_notices_what_breaks_it(case: tuple[str, str, str, str]) -> None:
    name, file, old, new = case
    text = HERE[file].text
    assert old in text
    (rule,) = [rule for rule in RULES if rule.__name__ == name]
    assert list(rule({**HERE, file: Workflow(file, text.replace(old, new, 1))}))


def test_no_rule_is_without_a_mutant() -> None:
    assert {rule.__name__ for rule in RULES} == {case[0] for case in MUTANTS}


# -- what they name exists ------------------------------------------------------------------------


def aspora_commands(script: str) -> list[list[str]]:
    """The calls of `aspora` in a script, in words."""
    lines = script.replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        for call in re.findall(r"\.venv/bin/aspora ([^|>;&]*)", line):
            words = shlex.split(re.sub(r"\$\{(\w+):\+(.*?)\}", r"\2", call))
            found.append(words)
    return found


COMMAND_STEPS = [
    step for workflow in HERE.values() for step in workflow.steps if aspora_commands(step.run)
]


@pytest.mark.parametrize("step", COMMAND_STEPS, ids=lambda step: step.id)
def test_every_command_of_a_step_exists_with_its_options(step: Step) -> None:
    for words in aspora_commands(step.run):
        assert words[0] in COMMANDS
        command = cli.get_command(None, words[0])  # type: ignore[arg-type]
        if isinstance(command, Group):
            command = command.commands[words[1]]
        assert command is not None
        known = {option for param in command.params for option in param.opts}
        asked = {word for word in words if word.startswith("--")}
        assert asked <= known


@pytest.mark.parametrize("stack", ci.STACKS)
def test_the_roles_of_the_workflows_are_those_that_pulumi_makes(
    stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = "111122223333"
    root = with_account(tmp_path, stack, account)
    made = {
        f"arn:aws:iam::{account}:role{entry.inputs['path']}{entry.inputs['name']}"
        for entry in registered(stack, ROOT)
        if entry.type == "aws:iam/role:Role"
    }
    for role in ci.ROLES:
        lines = dict(line.split("=", 1) for line in ci.stack(stack, role, root))
        assert lines["role"] in made
        assert lines["region"] == "us-east-1"
        assert lines["state"] == f"s3://aspora-{stack}-pulumi-state?region=us-east-1"
        assert lines["branch"] == f"rendered/{stack}"
    assert list(ci.stacks(root)) == [f'stacks=["{stack}"]']


def with_account(folder: Path, stack: str, account: str) -> Path:
    """The stacks' settings, one of them with an account."""
    (folder / "domains").mkdir()
    for path in ROOT.glob("Pulumi*.yaml"):
        text = path.read_text("utf-8")
        if path.name == f"Pulumi.{stack}.yaml":
            assert "accountId: null" in text
            text = text.replace("accountId: null", f'accountId: "{account}"')
        (folder / path.name).write_text(text, "utf-8")
    return folder


def test_a_stack_without_an_account_is_not_deployed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ci.main(["stacks"]) == 0
    assert capsys.readouterr().out == "stacks=[]\n"
    assert ci.main(["stack", "staging", "deploy"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "names no AWS account" in said.err


def test_the_labels_of_our_runners_are_known_to_actionlint() -> None:
    config = yaml.safe_load((ROOT / ".github/actionlint.yaml").read_text("utf-8"))
    assert config["self-hosted-runner"]["labels"] == [f"aspora-{stack}" for stack in ci.STACKS]


# -- programs that look at workflows --------------------------------------------------------------


def test_actionlint_finds_nothing() -> None:
    paths = Paths.from_environment(os.environ)
    program = where(("actionlint",), paths, tools=OPTIONAL)["actionlint"]
    if program is None:
        pytest.skip("actionlint is not built: make observability-tools")
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    broken = HERE["pr"].text.replace("needs: check", "needs: chekc")
    done = subprocess.run(
        [program, "-"], cwd=ROOT, input=broken, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "chekc" in done.stdout


@pytest.fixture(scope="module")
def zizmor() -> Path:
    paths = Paths.from_environment(os.environ)
    try:
        return python_of(ZIZMOR, paths, QuietProgress(), os.environ).parent / "zizmor"
    except ToolUnavailable as error:
        pytest.skip(f"zizmor cannot be had: {error.message.splitlines()[0]}")


def audit(program: Path, folder: Path) -> list[dict[str, Any]]:
    """The findings, without the Internet and at its strictest but one."""
    done = subprocess.run(
        [program, "--offline", "--persona=pedantic", "--format=json", "--no-exit-codes", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_zizmor_finds_nothing_but_what_is_ignored_with_a_reason(zizmor: Path) -> None:
    found = audit(zizmor, ROOT)
    assert [(f["ident"], f["desc"]) for f in found if not f["ignored"]] == []
    texts = "".join(workflow.text for workflow in HERE.values())
    ignored = re.findall(r"# zizmor: ignore\[([\w-]+)\] (.+)", texts)
    assert [name for name, _ in ignored] == ["dangerous-triggers"]
    assert all(len(reason.split()) > 5 for _, reason in ignored)


def test_zizmor_looks_at_all_of_them(zizmor: Path, tmp_path: Path) -> None:
    for name, workflow in HERE.items():
        parts = ("action.yml",) if workflow.is_action else ()
        path = tmp_path / ".github" / ("" if workflow.is_action else "workflows") / name
        path = path.joinpath(*parts) if parts else path.with_suffix(".yml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(re.sub(r"@[0-9a-f]{40} # (\S+)", r"@\1", workflow.text), "utf-8")
    found = audit(zizmor, tmp_path)
    files = {
        f["locations"][0]["symbolic"]["key"]["Local"]["verbatim_path"]
        for f in found
        if f["ident"] == "unpinned-uses"
    }
    assert len(files) == len(HERE)
