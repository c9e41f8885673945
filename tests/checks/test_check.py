"""Our rules on the repository's own objects, where findings stand, and what checkov is given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from aspora import cli
from aspora.checks import BY_ID, Finding, findings
from aspora.checks.manifests import UNKNOWN_TO_IT, kubernetes_input
from aspora.checks.origins import Origins
from aspora.checks.verdict import unskipped, verdict
from aspora.checks.world import CONTROLLERS, World, pod_of
from aspora.load import Loaded, load
from aspora.policy import ScanInput
from aspora.policy_skips import OBJECT_SKIPS, RULE_SKIPS, UNTIL
from aspora.problems import Position
from aspora.render import Object, Ref, pods, ref, render
from local import check_commands
from tests.core import ROOT, domains, of, platform, python, settings, write

TODAY = date(2026, 12, 1)
STACKS = ("local", "staging", "prod")

ZOO = """\
name: zoo
owner:
  team: zoo-team
  costCenter: zoo
quota: {cpu: 16, memory: 32Gi, storage: 50Gi, pods: 40}
egress:
  - {host: api.example.com, port: 443, reason: asks for the weather}
agents:
  - name: keeper
    image: aspora/zoo-keeper:v1.0.0
    model: claude-haiku-4-5
    resources:
      limits: {cpu: 1}
    skills:
      - name: feed
        description: Says what an animal eats.
        image: aspora/zoo-feeder:v2.0.0
      - name: count
        description: Counts the animals every night.
        schedule: "0 2 * * *"
      - name: play
        description: Plays with a young one for a while.
        sessions: {warmPool: 1, maxSessions: 2, idleSeconds: 60, storage: 1Gi}
skills:
  - name: guide
    agent: keeper
    description: Tells visitors about an animal.
"""


def nowhere(obj: Ref, check: str) -> Position:
    return Position(" ".join(obj), 1, 1)


@pytest.mark.parametrize("stack", STACKS)
def test_the_repository_is_clean(stack: str) -> None:
    objects = list(platform(stack))
    found = verdict(objects, settings(stack), nowhere, TODAY)
    assert [f"{p.code} {p.path}: {p.message}" for p in found.problems] == []
    assert found.scanned == len(objects) > 400
    assert {skip for _, skip in found.skipped} == {s for s in RULE_SKIPS if stack in s.stacks}


def test_a_skip_that_ends_is_a_finding_beside_what_it_covered() -> None:
    later = UNTIL + timedelta(days=1)
    found = verdict(platform("local"), settings("local"), nowhere, later)
    assert [(p.code, p.path.split()[0]) for p in found.problems] == [
        *[("SKIP_EXPIRED", "ASP507")] * 2,
        ("ASP507", "ClickHouseCluster"),
        ("ASP507", "KeeperCluster"),
    ]


def test_findings_of_two_revisions_are_compared_as_sets() -> None:
    base, stack = list(platform("local")), settings("local")
    head = deepcopy(base)
    service = next(obj for obj in head if obj["kind"] == "Service")
    service["spec"]["type"] = "NodePort"
    cluster = next(obj for obj in head if obj["kind"] == "KeeperCluster")
    cluster["spec"]["containerTemplate"]["securityContext"]["readOnlyRootFilesystem"] = True
    before, after = set(findings(base, stack)), set(findings(head, stack))
    assert after - before == {Finding("ASP524", ref(service), 'the Service is of type "NodePort"')}
    (mended,) = before - after
    assert (mended.code, mended.ref.kind) == ("ASP507", "KeeperCluster")
    assert mended.rule is BY_ID["ASP507"]


def test_findings_are_sorted_and_the_same_each_time() -> None:
    first = findings(platform("prod"), settings("prod"))
    assert first == findings(reversed(list(platform("prod"))), settings("prod"))
    assert list(first) == sorted(first)


def test_what_was_agreed_on_is_taken_off_until_its_day() -> None:
    found = findings(platform("prod"), settings("prod"))
    other = Finding("ASP524", Ref("v1", "Service", "zoo", "gate"), "open")
    assert unskipped((*found, other), "prod", TODAY) == (other,)
    assert unskipped(found, "prod", UNTIL + timedelta(days=1)) == found
    asked_for = {one for one in found if one.code == "ASP501"}
    assert len(asked_for) > 20
    assert set(unskipped(found, "staging", TODAY)) == asked_for


def _nested(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for below in value.values():
            yield from _nested(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _nested(below)


@pytest.mark.parametrize("stack", STACKS)
def test_no_kind_that_makes_pods_is_unknown_to_the_rules(stack: str) -> None:
    """A new one would pass every rule by being looked at by none."""
    makers = {
        obj["kind"]
        for obj in platform(stack)
        if {"containers", "containerTemplate"} & set(_nested(obj.get("spec")))
        and obj["kind"] != "EnvoyFilter"
    }
    seen = {pod.kind for pod in World(platform(stack), settings(stack)).pods}
    assert makers == seen
    assert {"CronJob", "Job", "SandboxTemplate", "StatefulSet", "KeeperCluster"} <= seen


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    monkeypatch.chdir(write(tmp_path, ZOO))
    loaded = load([Path()], settings("staging"))
    assert [str(problem) for problem in loaded.problems] == []
    return loaded


def line(text: str) -> int:
    return next(n for n, one in enumerate(ZOO.splitlines(), 1) if text in one)


@pytest.mark.parametrize(
    ("check", "kind", "name", "text"),
    [
        # The skill's own field, the agent's where it has none, the skill where neither has one.
        ("ASP501", "Rollout", "zoo-keeper-feed", "image: aspora/zoo-feeder"),
        ("ASP501", "CronJob", "zoo-keeper-count", "image: aspora/zoo-keeper"),
        ("ASP501", "Rollout", "zoo-guide", "image: aspora/zoo-keeper"),
        ("ASP509", "Rollout", "zoo-keeper-feed", "resources:"),
        ("ASP525", "CronJob", "zoo-keeper-count", "schedule:"),
        ("ASP511", "Rollout", "zoo-keeper-feed", "- name: feed"),
        ("ASP506", "Rollout", "zoo-guide", "- name: guide"),
        ("CKV_K8S_43", "Rollout", "zoo-keeper-feed", "image: aspora/zoo-feeder"),
        ("CKV_K8S_8", "CronJob", "zoo-keeper-count", "- name: count"),
        # What holds the domain in its bounds.
        ("ASP514", "NetworkPolicy", "default-deny", "egress:"),
        ("ASP512", "Namespace", "aspora-zoo", "name: zoo"),
        ("ASP521", "Namespace", "aspora-zoo", "quota:"),
        ("ASP520", "ResourceQuota", "zoo-quota", "owner:"),
        ("ASP528", "ResourceQuota", "zoo-quota", "name: zoo"),
        ("ASP518", "RoleBinding", "zoo-team-binding", "owner:"),
    ],
)
def test_a_finding_stands_at_the_line_that_causes_it(
    zoo: Loaded, check: str, kind: str, name: str, text: str
) -> None:
    rendered = render(zoo.domains, settings("staging"))
    origins = Origins(zoo.files, rendered, "staging")
    place = origins.place(ref(of(rendered, kind, name, *_space(kind))), check)
    assert (place.file, place.line) == ("zoo/domain.yaml", line(text))


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("delivery", ["pulumi", "argocd"])
@pytest.mark.parametrize(
    "sandbox", ["{runtime: gvisor}", "{runtime: runc, reason: needs a driver it lacks}"]
)
def test_whatever_a_domain_may_choose_is_clean(
    tmp_path: Path, stack: str, delivery: str, sandbox: str
) -> None:
    text = ZOO.replace("agents:\n", f"delivery: {delivery}\nsandbox: {sandbox}\nagents:\n")
    text = text.replace("    model:", "    database: true\n    model:")
    rendered = render(domains(tmp_path, text), settings(stack))
    found = unskipped(findings(rendered, settings(stack)), stack, TODAY)
    assert found == ()


def _space(kind: str) -> tuple[str, ...]:
    return () if kind == "Namespace" else ("aspora-zoo",)


def test_what_is_no_domains_stands_at_the_stacks_settings(zoo: Loaded) -> None:
    rendered = render(zoo.domains, settings("staging"))
    origins = Origins(zoo.files, rendered, "staging")
    gateway = ref(of(rendered, "Deployment", "model-gateway"))
    assert origins.place(gateway, "ASP501") == Position("Pulumi.staging.yaml", 1, 1)


def test_every_object_of_a_domain_has_its_place() -> None:
    loaded = load([ROOT / "domains"], settings("local"))
    rendered = render(loaded.domains, settings("local"))
    origins = Origins(loaded.files, rendered, "local")
    for domain in rendered.domains:
        files = {origins.place(ref(obj), "ASP505").file for obj in domain}
        assert [Path(file).parent.name for file in files] == [domain.name]
    callers = [
        obj
        for domain in rendered.domains
        for obj in domain.guardrails
        if "." in obj["metadata"]["name"]
    ]
    assert len(callers) >= 3
    for policy in callers:
        skill = policy["metadata"]["name"].rpartition(".")[2]
        rollout = of(rendered, "Deployment", skill)
        assert origins.place(ref(policy), "X") == origins.place(ref(rollout), "X")


def test_checkov_gets_every_object_and_pods_of_every_kind() -> None:
    objects = list(platform("staging"))
    given = kubernetes_input(objects, nowhere, ())
    texts = [json.loads(one) for one in given.text.splitlines() if one != "---"]
    assert len(texts) == len(objects)
    again = sum(text["kind"] in CONTROLLERS for text in texts)
    assert given.given == len(objects) + again == len(given.subjects)
    assert not {text["kind"] for text in texts} & set(UNKNOWN_TO_IT)
    made = [obj for obj in objects if pod_of(obj)]
    assert len(given.looked_at) == len(made) > 25
    names = {given.subjects[address].name for address in given.looked_at}
    assert {"aspora-ecm/ecm-field-resolve-ticket", "aspora-observability/aspora"} <= names


def test_checkov_gets_what_strangers_wrote_as_it_is() -> None:
    text = "\N{LION FACE} --- \n--- # {[ \" ' \\ : é"
    obj: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "words", "namespace": "zoo", "annotations": {"why": text}},
    }
    assert list(yaml.safe_load_all(kubernetes_input([obj], nowhere, ()).text)) == [obj]


def test_the_agreed_skips_have_reasons_and_an_end() -> None:
    for one in (*RULE_SKIPS, *OBJECT_SKIPS):
        assert one.check in BY_ID or one.check.startswith(("CKV_K8S_", "CKV2_K8S_"))
        assert len(one.reason) > 40, one.reason
        assert one.expires <= UNTIL
        assert set(one.stacks) <= set(STACKS)


@pytest.fixture
def writable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents that may write to their own root filesystem."""
    monkeypatch.setattr(
        pods, "CONTAINER_SECURITY", pods.CONTAINER_SECURITY | {"readOnlyRootFilesystem": False}
    )
    monkeypatch.chdir(ROOT)


def test_the_command_names_rule_object_and_line(
    writable: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["check", "--no-checkov"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(
        "domains/ecm/domain.yaml:29:9: ASP507 CronJob aspora-ecm/ecm-manager-triage-and-assign:"
        ' container "manager" can write to its root filesystem\n'
        f"    {BY_ID['ASP507'].link}\n"
    )
    assert out.count("ASP507") == 15
    assert err == (
        f"our {len(BY_ID)} rules: {len(list(platform('staging')))} looked at,"
        " 2 skipped with a reason, 15 findings\n"
    )


def test_the_command_annotates_the_lines_of_domain_files(
    writable: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["check", "--no-checkov", "--format", "github"]) == 1
    first, *rest = capsys.readouterr().out.splitlines()
    assert len(rest) == 14
    assert first.startswith(
        "::error file=domains/ecm/domain.yaml,line=29,col=9,"
        "title=ASP507 Root filesystem can be written to::CronJob aspora-ecm/"
    )


def test_the_command_tells_code_scanning_what_a_rule_is(
    writable: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["check", "--no-checkov", "--format", "sarif"]) == 1
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    rule = BY_ID["ASP507"]
    assert run["tool"]["driver"]["rules"] == [
        {
            "id": "ASP507",
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.why},
            "help": {"text": rule.why},
            "defaultConfiguration": {"level": "error"},
            "helpUri": rule.link,
        }
    ]
    location = run["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "domains/ecm/domain.yaml"
    assert location["region"] == {"startLine": 29, "startColumn": 9}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The frameworks of checkov's that the command asks; checkov itself finds nothing."""
    asked: list[str] = []

    def checkov(inputs: list[ScanInput], stack: str, today: date) -> Iterator[Any]:
        asked.extend(one.framework for one in inputs)
        yield from ()

    monkeypatch.setattr(check_commands, "_checkov", checkov)
    monkeypatch.chdir(ROOT)
    return asked


@pytest.mark.parametrize("stack", STACKS)
def test_the_command_is_quiet_on_the_repository(
    stack: str, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["check", "--no-checkov", "--stack", stack]) == 0
    assert capsys.readouterr().out == ""
    assert given == []


@pytest.mark.parametrize(
    ("arguments", "frameworks", "ours"),
    [
        ([], ["kubernetes", "terraform_plan"], True),
        (["--only", "aws"], ["terraform_plan"], False),
        (["--only", "kubernetes"], ["kubernetes"], True),
        (["--stack", "local"], ["kubernetes"], True),
    ],
)
def test_checkov_gets_the_halves_that_are_asked_for(
    arguments: list[str],
    frameworks: list[str],
    ours: bool,
    given: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["check", *arguments]) == 0
    assert given == frameworks
    assert capsys.readouterr().err.startswith("our ") is ours


def test_domain_files_that_do_not_hold_are_named_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "domains", ZOO.replace("modell", "model").replace("quota:", "quotas:"))
    for path in ROOT.glob("Pulumi*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert cli.run(["check", "--no-checkov"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith('domains/zoo/domain.yaml:5:1: ASP201 quotas: unknown key "quotas"')


@pytest.mark.parametrize("rule", BY_ID.values(), ids=lambda rule: rule.id)
def test_each_rule_is_explained(rule: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["explain", rule.id.lower()]) == 0
    assert capsys.readouterr().out == (
        f"{rule.id}: {rule.title}\n\n{rule.why}\n\nRead on: {rule.link}\n"
    )


def test_the_same_bytes_under_another_hash_seed() -> None:
    code = (
        "from aspora.checks import findings; from tests.core import platform, settings;"
        "print(findings(platform('prod'), settings('prod')))"
    )
    done = python("-c", code, env={"PYTHONHASHSEED": "4711"})
    assert done.stdout.decode() == f"{findings(platform('prod'), settings('prod'))}\n"
