"""Rendering: the same bytes wherever it runs, and only what changed changes."""

from __future__ import annotations

import copy
import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from aspora import names
from aspora.flows import FLOWS
from aspora.models import Domain
from aspora.output import to_json_lines, to_yaml
from aspora.render import Object, Ref, Rendered, ref, render
from aspora.stack import StackSettings
from tests.core import MINIMAL, ROOT, domains, of, platform, python, repository, settings

GOLDEN = ROOT / "tests/golden"


def by_ref(objects: Any) -> dict[Ref, bytes]:
    return {ref(obj): orjson.dumps(obj) for obj in objects}


def changed(before: Rendered, after: Rendered) -> set[Ref]:
    one, other = by_ref(before), by_ref(after)
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def edited(old: str, new: str, tmp_path: Path) -> tuple[Domain, ...]:
    """The repository's domains after an edit of one text that stands once among them."""
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "domains").glob("*/*.yaml"))]
    assert sum(text.count(old) for text in texts) == 1
    texts = [
        "\n".join(line for line in text.replace(old, new).splitlines() if line[:1] != "#") + "\n"
        for text in texts
    ]
    return domains(tmp_path, *texts)


ENVIRONMENTS: dict[str, dict[str, str]] = {
    "hash seed 1": {"PYTHONHASHSEED": "1"},
    "hash seed 2": {"PYTHONHASHSEED": "2"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin-1": {"LC_ALL": "en_US.ISO-8859-1", "PYTHONIOENCODING": "latin-1"},
    "Dubai": {"TZ": "Asia/Dubai"},
}


@pytest.mark.parametrize("style", ["json", "yaml"])
def test_the_bytes_are_the_same_everywhere(style: str) -> None:
    digests = {}
    for name, env in ENVIRONMENTS.items():
        done = python(
            "-m", "aspora", "render", "--stack", "staging", "--format", style,
            env=env, clean=True,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b""), name
        assert len(done.stdout) > 10_000
        digests[name] = hashlib.sha256(done.stdout).hexdigest()
    assert len(set(digests.values())) == 1, digests


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_every_object_has_an_owner(stack: str) -> None:
    rendered = platform(stack)
    for obj in rendered.cluster:
        assert obj["metadata"]["labels"][names.OWNER_LABEL] == names.PLATFORM_OWNER
    for domain in rendered.domains:
        for obj in domain:
            labels = obj["metadata"]["labels"]
            assert labels[names.OWNER_LABEL] == domain.name
            assert {"domain", "owner-team", "cost-center"} <= labels.keys()


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_no_two_objects_share_an_identity(stack: str) -> None:
    counted = Counter(ref(obj) for obj in platform(stack))
    assert [key for key, count in counted.items() if count > 1] == []


@pytest.mark.parametrize(("one", "other"), [("a", "a-a"), ("a-a", "a")])
def test_objects_of_look_alike_domains_stay_apart(tmp_path: Path, one: str, other: str) -> None:
    """`a` with an agent `a-a` and `a-a` without one would meet if names were only joined."""
    texts = [
        f"name: {name}\nowner: {{team: t, costCenter: c}}\nagents:\n"
        f"  - name: a\n    image: aspora/x:v1\n    model: claude-haiku-4-5\n"
        f"    calls: [{called}/a, {called}/a/a, {called}/a/a-a]\n    skills:\n"
        + "".join(
            f"      - {{name: {skill}, description: d, callers: [{called}/a]}}\n"
            for skill in ("a", "a-a")
        )
        + f"skills:\n  - {{name: a, agent: a, description: d, callers: [{called}/a]}}\n"
        for name, called in ((one, other), (other, one))
    ]
    rendered = render(domains(tmp_path, *texts), settings("staging"))
    counted = Counter(ref(obj) for obj in rendered)
    assert [key for key, count in counted.items() if count > 1] == []
    policies = [obj for obj in rendered if obj["kind"] == "AuthorizationPolicy"]
    assert (
        sum(
            "." in obj["metadata"]["name"] and "owner-team" in obj["metadata"]["labels"]
            for obj in policies
        )
        == 6
    )


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_changing_a_skill_changes_its_objects_only(stack: str, tmp_path: Path) -> None:
    after = edited("queueDepth: 10}", "queueDepth: 11}", tmp_path)
    found = changed(platform(stack), render(after, settings(stack)))
    name = "ecm-field-my-tickets"
    limits = ("networking.istio.io/v1alpha3", "EnvoyFilter")
    assert found == {
        Ref("keda.sh/v1alpha1", "ScaledObject", "aspora-ecm", name),
        Ref(*limits, "aspora-platform", "aspora-gateway-rate-limits"),
    }


def test_changing_a_budget_restarts_its_pods(tmp_path: Path) -> None:
    after = edited("perExecutionUSD: 0.80", "perExecutionUSD: 0.70", tmp_path)
    found = changed(platform(), render(after, settings()))
    assert {(key.kind, key.name) for key in found} == {
        ("ConfigMap", "fraud-compliance-draft-report"),
        ("Deployment", "fraud-compliance-draft-report"),
    }


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_removing_a_domain_removes_its_objects_only(stack: str) -> None:
    # ecm is called by support, and so leaves first in a real change; rendering does not ask.
    before = platform(stack)
    rest = [domain for domain in repository() if domain.name != "ecm"]
    after = render(rest, settings(stack))
    gone = changed(before, after)
    (ecm,) = (domain for domain in before.domains if domain.name == "ecm")
    services = set(by_ref(before.services)) | set(by_ref(after.services))
    assert gone - services == set(by_ref(ecm))


def test_the_order_of_domains_does_not_matter() -> None:
    backwards = render(repository()[::-1], settings())
    assert changed(platform(), backwards) == set()


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_network_policies_come_from_the_flows_and_nothing_else(stack: str) -> None:
    flows = {f"allow-{flow.name}": flow for flow in FLOWS}
    rendered = platform(stack)
    policies = [
        obj for domain in rendered.domains for obj in domain if obj["kind"] == "NetworkPolicy"
    ]
    assert policies
    for policy in policies:
        name, spec = policy["metadata"]["name"], policy["spec"]
        if name == "default-deny":
            assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
            continue
        flow = flows[name]
        way = "egress" if flow.direction == "to" else "ingress"
        assert spec["policyTypes"] == [way.capitalize()]
        (rule,) = spec[way]
        assert {(p["protocol"], p["port"]) for p in rule["ports"]} == set(flow.ports)
        assert rule[flow.direction], "an empty list would let everyone in"
        assert policy["metadata"]["annotations"]["aspora.io/why"] == flow.why
    denied = {
        p["metadata"]["namespace"] for p in policies if p["metadata"]["name"] == "default-deny"
    }
    assert denied == {names.namespace(domain.name) for domain in rendered.domains}


def test_a_flow_is_open_to_those_who_asked_only() -> None:
    policy = of(platform(), "NetworkPolicy", "allow-databases", "aspora-fraud")
    (expression,) = policy["spec"]["podSelector"]["matchExpressions"]
    assert expression["values"] == ["fraud-detect-velocity", "fraud-risk-analyze-transaction"]


def argocd(stack: str) -> Rendered:
    moved = tuple(domain.model_copy(update={"delivery": "argocd"}) for domain in repository())
    return render(moved, settings(stack))


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_argocd_adds_two_objects_and_changes_none(stack: str) -> None:
    pulumi, moved = platform(stack), argocd(stack)
    added = changed(pulumi, moved)
    assert sorted((key.kind, key.namespace, key.name) for key in added) == sorted(
        (kind, "argocd", f"aspora-{domain}")
        for domain in ("ecm", "fraud", "support", "wealth")
        for kind in ("AppProject", "Application")
    )
    for before, after in zip(pulumi.domains, moved.domains, strict=True):
        assert to_json_lines(before) == to_json_lines([*after.guardrails, *_workloads(after)])


def _workloads(domain: Any) -> list[Object]:
    return [obj for skill in domain.skills for obj in skill.objects]


def test_the_application_is_the_brief_s() -> None:
    spec = of(argocd("local"), "Application", "aspora-ecm")["spec"]
    policy = spec["syncPolicy"]
    assert policy["retry"] == {
        "limit": 5,
        "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"},
    }
    assert policy["automated"] == {"prune": True, "selfHeal": True}
    assert not [option for option in policy["syncOptions"] if "CreateNamespace" in option]
    ignored = {entry["kind"]: entry["jsonPointers"] for entry in spec["ignoreDifferences"]}
    assert ignored["Deployment"] == ["/spec/replicas"]


def test_the_project_allows_what_is_rendered_and_no_more() -> None:
    moved = argocd("staging")
    for domain in moved.domains:
        spec = of(moved, "AppProject", f"aspora-{domain.name}")["spec"]
        allowed = {(entry["group"], entry["kind"]) for entry in spec["namespaceResourceWhitelist"]}
        needed = {(obj["apiVersion"].rpartition("/")[0], obj["kind"]) for obj in _workloads(domain)}
        assert allowed == needed
        assert spec["clusterResourceWhitelist"] == []
        assert {dest["namespace"] for dest in spec["destinations"]} == {f"aspora-{domain.name}"}


def test_progressive_delivery_makes_rollouts_and_canary_services() -> None:
    plain = by_ref(platform("staging", progressive_delivery=False))
    canary = by_ref(platform("staging", progressive_delivery=True))
    gone, new = plain.keys() - canary.keys(), canary.keys() - plain.keys()
    services = [skill for skill in gone if skill.kind == "Deployment"]
    assert len(gone) == len(services) > 0
    expected = set()
    for _, _, space, name in services:
        expected |= {
            Ref("argoproj.io/v1alpha1", "Rollout", space, name),
            Ref("v1", "Service", space, f"{name}-canary"),
            Ref("networking.istio.io/v1", "DestinationRule", space, f"{name}-canary"),
        }
    assert new == expected


def test_a_rollout_is_the_deployment_with_another_strategy() -> None:
    name = "ecm-field-my-tickets"
    plain = of(platform("staging", progressive_delivery=False), "Deployment", name)
    canary = of(platform("staging"), "Rollout", name)
    same = {"replicas", "revisionHistoryLimit", "selector", "template"}
    assert {key: plain["spec"][key] for key in same} == {key: canary["spec"][key] for key in same}
    scaled = of(platform("staging"), "ScaledObject", name)["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["apiVersion"]) == (canary["kind"], canary["apiVersion"])


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_rendering_changes_neither_its_input_nor_what_it_shares(stack: str) -> None:
    models, stack_settings = repository(), settings(stack)
    before = copy.deepcopy((models, stack_settings))
    first = render(models, stack_settings)
    kept = to_json_lines(first)
    to_yaml(first)
    assert to_json_lines(render(models, stack_settings)) == kept == to_json_lines(first)
    assert (models, stack_settings) == before


def long_names(tmp_path: Path, stack: StackSettings) -> Rendered:
    """Three skills whose IDs are the same for their first 80 characters."""
    long = "a-very-long-name-of-thirty-chs"
    skills = "".join(
        f"      - {{name: {long[:-1]}{end}, description: d, {kind}}}\n"
        for end, kind in (("a", 'schedule: "0 7 * * *"'), ("b", "spot: true"), ("c", "spot: true"))
    )
    text = MINIMAL.replace("pets", long).replace("name: vet", f"name: {long}")
    head = text[: text.index("      - name: advise")]
    return render(domains(tmp_path, head + skills), stack)


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_long_names_are_cut_and_stay_apart(stack: str, tmp_path: Path) -> None:
    rendered = long_names(tmp_path, settings(stack))
    (domain,) = rendered.domains
    found = [skill.name for skill in domain.skills]
    assert len(set(found)) == 3
    assert all(40 < len(name) <= names.CRONJOB_LIMIT for name in found)
    assert len({ref(obj) for obj in rendered}) == len(list(rendered))
    for obj in domain:
        assert len(obj["metadata"]["name"]) <= names.LABEL_LIMIT
        assert all(len(value) <= names.LABEL_LIMIT for value in obj["metadata"]["labels"].values())


def test_a_name_that_fits_is_left_alone() -> None:
    assert names.fit("a" * 63) == "a" * 63
    assert names.fit("a" * 64) == "a" * 54 + "-" + hashlib.sha256(b"a" * 64).hexdigest()[:8]


def test_a_cut_never_ends_in_a_dot() -> None:
    """A DNS name may not: hosts stand in the names of ServiceEntries."""
    assert names.fit("a" * 53 + "." + "b" * 20).startswith("a" * 53 + "-")


def golden(name: str, text: str) -> None:
    """Compare with a kept file; `ASPORA_UPDATE=1 pytest` writes it anew, to be read then."""
    path = GOLDEN / name
    if os.environ.get("ASPORA_UPDATE"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text("utf-8") == text


def test_golden_domain(tmp_path: Path) -> None:
    """One service skill, its ConfigMap and the domain's quota and first policies, in full."""
    (domain,) = render(domains(tmp_path, MINIMAL), settings()).domains
    kinds = {"Namespace", "ResourceQuota", "ConfigMap", "Deployment", "Service", "ScaledObject"}
    text = to_yaml([obj for obj in domain if obj["kind"] in kinds]).decode()
    assert len(text.splitlines()) < 300
    golden("pets.yaml", text)


def test_golden_names() -> None:
    """Renaming an object deletes it and creates another: the list changes on purpose only."""
    lines = [" ".join((key.kind, key.namespace or "-", key.name)) for key in by_ref(platform())]
    golden("names.txt", "".join(f"{line}\n" for line in lines))


def test_yaml_and_json_say_the_same() -> None:
    rendered = platform()
    lines = [orjson.loads(line) for line in to_json_lines(rendered).splitlines()]
    assert list(yaml.safe_load_all(to_yaml(rendered))) == lines


def test_an_agent_is_told_how_to_reach_the_collector_and_the_model_gateway() -> None:
    for skill in (skill for domain in platform().domains for skill in domain.skills):
        (data,) = [obj["data"] for obj in skill.objects if obj["kind"] == "ConfigMap"]
        assert data["MODEL_GATEWAY_PREFIX"] == f"{data['DOMAIN']}/"
        for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
            assert data[f"OTEL_EXPORTER_OTLP_{name}"].startswith("/var/run/aspora/tls/")


def test_behind_a_sidecar_the_mesh_reads_the_request(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "agents:", "sandbox: {runtime: runc, reason: It needs a driver of the node.}\nagents:"
    )
    (domain,) = render(domains(tmp_path, text), settings()).domains
    (skill,) = domain.skills
    found = {obj["kind"]: obj for obj in skill.objects}
    (port,) = found["Service"]["spec"]["ports"]
    assert (port["name"], port["appProtocol"]) == ("http", "http")
    assert found["ConfigMap"]["data"]["EXECUTE_TLS"] == "mesh"
