"""A runbook is read at three in the morning: what it names exists, what it quotes is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.session
import click
import pytest
from botocore import xform_name
from botocore.model import OperationModel

from aspora.cli import COMMANDS, LazyGroup
from aspora.model_keys import field_at
from aspora.observe.rules import ALERTS
from aspora.render.nodes import POOLS
from aspora.stack import StackSettings
from infra.program import VERSION_OUTPUT
from tests.pages import blocks, prose, spans, table
from tests.runbook_lab import (
    ALERT_RUNBOOKS,
    INDEX,
    PAGES,
    PROGRAMS,
    RUNBOOKS,
    STACKS,
    Command,
    aws_names,
    commands,
    objects,
    secret_names,
    text_of,
)
from tests.test_docs import source_texts

SECTIONS = [
    "When",
    "What users notice",
    "Before",
    "Steps",
    "It worked when",
    "Going back",
    "Only a real account proves",
]
ALERT_SECTIONS = ["What fired", "What users notice", "Look", "Mend", "Quiet again when"]
MADE_BY_HAND = {
    "aspora-prod-postgres-restored",
    "aspora-prod-postgres-damaged",
    "aspora-prod-cache-kept",
}
"""Names that exist on AWS only while somebody follows a runbook."""
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
each_runbook = pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)


# -- form ----------------------------------------------------------------------------------------


def test_the_index_lists_every_runbook() -> None:
    assert [page.stem for page in RUNBOOKS] == [
        "kubernetes-upgrade",
        "lose-a-zone",
        "platform-databases",
        "restore-clickhouse",
        "restore-database",
        "restore-mysql",
        "restore-state",
        "rotate-internal-ca",
        "rotate-keys",
        "runsc-update",
    ]
    listed = {row[0] for row in table(INDEX, "Runbook")}
    assert listed == {f"[{page.name}]({page.name})" for page in RUNBOOKS}


def test_the_index_lists_every_alert_with_its_runbook() -> None:
    listed = {row[0].strip("`"): row[1] for row in table(INDEX, "Alert")}
    assert listed == {a.name: f"[{a.runbook}.md]({a.runbook}.md)" for a in ALERTS}


@pytest.mark.parametrize("page", ALERT_RUNBOOKS, ids=lambda page: page.stem)
def test_an_alert_s_runbook_names_its_alerts_and_is_short(page: Path) -> None:
    text = page.read_text("utf-8")
    lines = text.splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == ALERT_SECTIONS
    assert 10 <= len(lines) <= 40
    fired = text.partition("## What fired\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", fired))
    assert named == {alert.name for alert in ALERTS if alert.runbook == page.stem}


@each_runbook
def test_a_runbook_has_its_sections_in_order_and_is_short(page: Path) -> None:
    lines = page.read_text("utf-8").splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == SECTIONS
    assert 40 <= len(lines) <= 90
    last = text_of(page.stem).rpartition("## ")[2]
    assert re.search(r"[Nn]ot run here|Run here", last)


@each_runbook
def test_steps_are_numbered_and_are_followed_by_commands(page: Path) -> None:
    body = page.read_text("utf-8").partition("\n## Steps\n")[2].partition("\n## ")[0]
    parts = [part for part in re.split(r"(?m)^### .*$", body) if part.strip()]
    for part in parts:
        numbers = [int(number) for number in re.findall(r"(?m)^(\d+)\. ", part)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers
        assert re.search(r"(?m)^\$ |`(pulumi|aspora|kubectl|aws) ", part)


@each_page
def test_blocks_are_of_one_kind_and_call_known_programs(page: Path) -> None:
    found = list(blocks(page))
    assert found
    assert {block.info for block in found} == {"console"}
    assert {command.words[0] for command in commands() if command.page == page} <= set(PROGRAMS)


def test_commands_are_found_at_all() -> None:
    counts = {program: len(commands(program)) for program in PROGRAMS}
    assert counts["aspora"] >= 20
    assert counts["pulumi"] >= 40
    assert counts["aws"] >= 35
    assert counts["kubectl"] >= 15
    assert counts["jq"] >= 4


# -- our own command -----------------------------------------------------------------------------


def command_of(name: str) -> click.Command:
    found = LazyGroup(name="aspora").get_command(click.Context(click.Command("aspora")), name)
    assert found is not None, name
    return found


def accepts(words: tuple[str, ...]) -> None:
    """Raises click's own error for an option or an argument that the command does not have."""
    command = command_of(words[1])
    context = click.Context(command, info_name=words[1])
    values, rest, _ = command.make_parser(context).parse_args(list(words[2:]))
    assert not rest or any(isinstance(p, click.Argument) for p in command.params), words
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice) and parameter.name in values:
            parameter.type.convert(values[parameter.name], parameter, context)
    assert values.get("stack", "local") in ("local", *STACKS)


@pytest.mark.parametrize("command", commands("aspora"), ids=lambda command: command.text[:60])
def test_aspora_takes_the_command_as_it_stands(command: Command) -> None:
    if len(command.words) > 1:
        assert command.words[1] in COMMANDS
        accepts(command.words)


@pytest.mark.parametrize("words", ["up --simulated", "status prod", "status --format yaml"])
def test_the_check_of_commands_itself(words: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        accepts(("aspora", *words.split()))


def shown_by_aspora() -> Iterator[tuple[str, str]]:
    """State and the rest of each line that a page says `aspora` prints."""
    for command in commands("aspora"):
        for line in command.shown:
            if found := re.match(r"(pass|warn|fail|made|found|changed) +(.*)", line):
                yield found[1], found[2]
            elif line.startswith("      "):
                yield "way out", line.strip()


def test_what_aspora_prints_is_said_in_the_code() -> None:
    lines = list(shown_by_aspora())
    assert len(lines) >= 9
    for state, line in lines:
        if state == "way out":
            key = re.fullmatch(r"write (\S+) in Pulumi\.(?:staging|prod)\.yaml: …", line)
            assert key, line
            assert is_setting(key[1]), line
            assert {"write \n: \n", "aspora:aws.\n in Pulumi.\n.yaml"} <= set(source_texts())
            continue
        detail = re.sub(r"[A-Z]{4,}|\d+\.\d+|\bwealth\b", "…", line.partition(": ")[2])
        parts = [part.strip() for part in detail.replace("SHA-…", "SHA-256").split("…")]
        pattern = ".*".join(re.escape(part) for part in parts if part)
        assert any(re.search(pattern, text, re.DOTALL) for text in source_texts()), line


def test_outputs_that_the_pages_name_are_the_programs() -> None:
    named = {"clusterEndpoint", "clusterName", "deployRole", "nameServers", VERSION_OUTPUT}
    everything = " ".join(text_of(page.stem) for page in PAGES)
    assert all(re.search(rf"\b{name}\b", everything) for name in named)
    assert named <= set(source_texts())


# -- settings and names --------------------------------------------------------------------------


def is_setting(key: str) -> bool:
    return field_at(StackSettings, key.split(".")) is not None


def test_every_setting_exists() -> None:
    found = {
        key
        for page in PAGES
        for key in re.findall(r"aspora:\w+(?:\.\w+)*", page.read_text("utf-8"))
    }
    shortened = re.compile(r"(nodes|network|controlPlane|database|cache|dns|aws)\.\w+(\.\w+)*")
    assert not [s for page in PAGES for s in spans(prose(page)) if shortened.fullmatch(s)]
    assert len(found) >= 15
    assert [key for key in sorted(found) if not is_setting(key)] == []
    assert not is_setting("aspora:aws.nodes.gvisorRuntime.sum")


@each_page
def test_every_name_on_aws_is_one_that_is_given(page: Path) -> None:
    text = page.read_text("utf-8")
    for stack in STACKS:
        pattern = rf"(?:alias/)?aspora-{stack}(?:-[a-z0-9]+)*"
        named = set(re.findall(pattern, text))
        assert named - aws_names(stack) - MADE_BY_HAND == set()


def test_names_on_aws_are_found_at_all() -> None:
    everything = " ".join(page.read_text("utf-8") for page in PAGES)
    found = set(re.findall(r"(?:alias/)?aspora-prod(?:-[a-z0-9]+)*", everything))
    assert len(found) >= 15
    assert found >= MADE_BY_HAND
    assert aws_names("prod") & MADE_BY_HAND == set()


def test_every_named_secret_exists() -> None:
    everything = " ".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"aspora/prod/[\w/-]+(?![\w/<-])", everything)) - {"aspora/prod/"}
    assert len(named) >= 3
    assert named <= secret_names("prod")


def test_what_kubectl_is_asked_for_exists() -> None:
    spaces = {obj["metadata"].get("namespace") for obj in objects("prod")}
    apps = {obj["metadata"].get("labels", {}).get("app") for obj in objects("prod")}
    external = [obj["metadata"] for obj in objects("prod") if obj["kind"] == "ExternalSecret"]
    asked = {"-n": 0, "app": 0, "externalsecret": 0}
    for command in commands("kubectl"):
        words = dict(zip(command.words, command.words[1:], strict=False))
        if "-n" in words:
            assert words["-n"] in spaces
            asked["-n"] += 1
        if words.get("-l", "").startswith("app="):
            assert words["-l"].removeprefix("app=") in apps
            asked["app"] += 1
        if "externalsecret" in words:
            wanted = (words["externalsecret"], words["-n"])
            assert wanted in [(each["name"], each["namespace"]) for each in external]
            asked["externalsecret"] += 1
    assert asked["-n"] >= 4
    assert asked["app"] >= 3
    assert asked["externalsecret"] >= 2


def test_every_pool_is_one_of_ours_and_a_zone_is_taken_from_all() -> None:
    pools = [kind.name for kind in POOLS]
    named = 0
    for command in commands("kubectl"):
        for found in re.findall(r"karpenter\.sh/nodepool(?:=| in \()([\w,-]+)", command.text):
            assert set(found.split(",")) <= set(pools)
            named += 1
        if "nodepool" in command.words:
            assert f"for pool in {' '.join(pools)};" in command.text
            named += 1
    assert named >= 5


# -- other programs ------------------------------------------------------------------------------

GLOBAL_OPTIONS = {"--output", "--query", "--region", "--profile"}
SERVICES = {"s3api": "s3"}
RENAMED = {("eks", "version"): "kubernetes-version"}
"""Where the AWS CLI calls a parameter otherwise than the API (its argrename customization)."""
CLI_ALONE = {
    ("eks", "update-kubeconfig"): {"--name", "--region"},
    ("eks", "get-token"): {"--cluster-name"},
}


@cache
def operation(service: str, name: str, waiter: str = "") -> OperationModel:
    session = botocore.session.get_session()
    model = session.get_service_model(SERVICES.get(service, service))
    if name == "wait":
        waiters = session.get_component("data_loader").load_service_model(service, "waiters-2")
        by_name = {xform_name(each, "-"): each for each in waiters["waiters"]}
        assert waiter in by_name, f"aws {service} wait {waiter}"
        return model.operation_model(waiters["waiters"][by_name[waiter]]["operation"])
    known = {xform_name(each, "-"): each for each in model.operation_names}
    assert name in known, f"aws {service} {name}"
    return model.operation_model(known[name])


def check_aws(command: Command) -> None:
    service, name = command.words[1:3]
    given = set(command.options()) - GLOBAL_OPTIONS
    if (service, name) in CLI_ALONE:
        assert given <= CLI_ALONE[service, name]
        return
    found = operation(service, name, command.words[3] if name == "wait" else "")
    assert found.input_shape is not None
    members = {
        f"--{RENAMED.get((service, member), xform_name(member, '-'))}": member
        for member in found.input_shape.members
    }
    negated = {option.replace("--", "--no-", 1) for option in members}
    assert given <= set(members) | negated, command.text
    if command.whole:
        required = {
            o for o, member in members.items() if member in found.input_shape.required_members
        }
        assert required <= given, command.text


@pytest.mark.parametrize("command", commands("aws"), ids=lambda command: command.text[:60])
def test_aws_has_the_operation_and_its_parameters(command: Command) -> None:
    check_aws(command)


@pytest.mark.parametrize(
    "text",
    [
        "aws rds restore-database --db-instance-identifier x",
        "aws rds wait db-instance-ready --db-instance-identifier x",
        "aws kms describe-key --key x",
        "aws kms describe-key",
    ],
)
def test_the_check_of_aws_itself(text: str) -> None:
    with pytest.raises(AssertionError):
        check_aws(Command(INDEX, tuple(text.split()), whole=True, text=text))
