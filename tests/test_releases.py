"""The Helm releases: pins, order, and values against what the charts know."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft7Validator

from aspora.crds import CUSTOM_KINDS, OPERATOR_CRDS
from aspora.render import render
from aspora.render.cluster import PRIORITIES
from aspora.services import pins, secrets
from aspora.services.namespaces import by_name
from aspora.services.pins import PINS, Pin
from aspora.services.releases import (
    OF_DOMAINS,
    VALUES,
    WITH_ACCOUNT,
    WITHOUT_PRIORITY,
    Release,
    releases,
)
from aspora.telemetry import collector, exporters
from tests import charts
from tests.core import repository, settings

STACKS = ("local", "staging", "prod")
UNCHECKED = {
    "aws-load-balancer-controller",
    "clickhouse-operator",
    "external-dns",
    "opencost",
    "opentelemetry-operator",
    "opik",
}
"""Releases whose charts are not in the folder: nobody can say here whether a key is known."""


def of(stack: str) -> dict[str, Release]:
    return {found.name: found for found in releases(settings(stack), repository())}


def pin(name: str, *needs: str, **fields: Any) -> Pin:
    return Pin(name, name, None, "1", "1", "", "x", needs, **fields)


# -- pins and order ------------------------------------------------------------------------------


def test_every_release_has_values() -> None:
    assert {found.name for found in PINS} == {*VALUES, *OF_DOMAINS, *WITH_ACCOUNT}
    assert set(of("prod")) == {found.name for found in PINS}


@pytest.mark.parametrize(
    ("tier", "config", "ports"),
    [
        (collector.AGENT, collector.agent_config, {4317, 4318, 8888}),
        (collector.GATEWAY, collector.gateway_config, {4317, 4319, 8888, 8889}),
    ],
)
def test_each_tier_of_the_collector_has_its_configuration_its_ports_and_its_certificate(
    tier: str, config: Callable[..., dict[str, Any]], ports: set[int]
) -> None:
    values = of("prod")[tier].values
    assert values["alternateConfig"] == config(settings("prod"), repository())
    assert values["fullnameOverride"] == values["podLabels"]["app"] == tier
    enabled = {name: port for name, port in values["ports"].items() if port["enabled"]}
    assert {port.get("containerPort", 8888) for port in enabled.values()} == ports
    (volume,) = values["extraVolumes"]
    assert volume["secret"]["secretName"] == collector.tls_secret(tier)
    made = [obj for obj in render(repository(), settings("prod")) if obj["kind"] == "Certificate"]
    assert collector.tls_secret(tier) in {obj["spec"]["secretName"] for obj in made}


def test_the_gateway_gets_every_variable_it_reads() -> None:
    text = json.dumps(of("prod")[collector.GATEWAY].values["alternateConfig"])
    read = set(re.findall(r"\$\{env:(\w+)\}", text)) - {"MY_POD_IP"}
    (filled,) = [found for found in secrets.FILLED if found.name == collector.GATEWAY]
    assert read == set(filled.data) == set(exporters.SECRETS)


def test_what_a_release_needs_comes_before_it() -> None:
    before: set[str] = set()
    for found in pins.in_order():
        assert set(found.needs) <= before, found.name
        before.add(found.name)


def test_needs_name_what_others_cannot_do_without() -> None:
    needs = {found.name: set(found.needs) for found in PINS}
    assert needs["istiod"] == {"istio-base"}
    assert {"istiod", "istio-cni"} <= needs["aspora-gateway"] & needs["istio-egress"]
    assert {"clickhouse-operator", "external-secrets", "valkey"} <= needs["langfuse"]
    assert "cert-manager" in needs["clickhouse-operator"] & needs["opentelemetry-operator"]
    assert all("external-secrets" in needs[name] for name in ("argo-cd", "valkey", "phoenix"))


def test_a_circle_or_a_missing_need_is_told() -> None:
    told = "these need each other or what is missing: a, b"
    with pytest.raises(ValueError, match=told):
        pins.in_order((pin("a", "b"), pin("b", "a")))
    with pytest.raises(ValueError, match=told):
        pins.in_order((pin("a", "b"), pin("b", "nowhere")))


def test_pins_stand_once_with_where_to_look() -> None:
    assert len({found.name for found in PINS}) == len(PINS)
    for found in PINS:
        assert "/" in found.look
        assert (found.repository is None) == found.chart.startswith("oci://")
        assert found.repository is None or found.repository.startswith("https://")
        assert 60 <= found.timeout_seconds <= 1800
        assert found.version is None or re.fullmatch(r"v?\d+\.\d+\.\d+", found.version)


def test_what_nobody_has_seen_is_told() -> None:
    assert dict(pins.unseen()) == {
        "argo-cd": "which version of the app chart 10.9.3 installs is not known",
        "argo-rollouts": "which version of the app chart 2.43.5 installs is not known",
    }
    nameless = Pin("a", "some", None, None, None, "", "x")
    assert dict(pins.unseen((nameless,))) == {"a": "the version of chart some is not known"}


BUNDLES = {
    "karpenter": "karpenter-nodepools",
    "istio-base": "istio",
    "cert-manager": "cert-manager",
    "external-secrets": "external-secrets",
    "keda": "keda",
    "kube-prometheus-stack": "prometheus-operator",
    "opentelemetry-operator": "opentelemetry-instrumentations",
    "clickhouse-operator": "clickhouse-clickhouseclusters",
}


def test_definitions_are_those_of_the_operators_version() -> None:
    bundles = {kind.bundle.project: kind.bundle.version for kind in CUSTOM_KINDS}
    bundles |= {bundle.project: bundle.version for bundle, _ in OPERATOR_CRDS}
    ours = {found.name: found.app_version for found in PINS if found.crds == "ours"}
    unseen = set(dict(pins.unseen()))
    assert set(ours) - unseen == set(BUNDLES)
    for name, project in BUNDLES.items():
        assert bundles[project].removeprefix("v") == str(ours[name]).removeprefix("v"), name


SWITCHES = {
    "istio-base": "base.enableIstioConfigCRDs",
    "cert-manager": "crds.enabled",
    "external-secrets": "installCRDs",
    "keda": "crds.install",
    "kube-prometheus-stack": "crds.enabled",
    "argo-cd": "crds.install",
    "argo-rollouts": "installCRDs",
    "opentelemetry-operator": "crds.create",
    "clickhouse-operator": "crd.enable",
}


def test_no_chart_brings_definitions_that_are_ours() -> None:
    found = of("prod")
    for name, path in SWITCHES.items():
        assert dict(_leaves(found[name].values))[path] is False
    assert all(found[each.name].skip_crds for each in PINS if each.crds != "chart")
    assert {each.name for each in PINS if each.crds == "ours"} - set(SWITCHES) == {"karpenter"}


# -- values ---------------------------------------------------------------------------------------


def _leaves(values: Any) -> list[tuple[str, Any]]:
    return [(".".join(path), value) for path, value in charts.leaves(values)]


@pytest.mark.parametrize("stack", STACKS)
def test_values_are_plain_and_the_same_every_time(stack: str) -> None:
    first, second = of(stack), of(stack)
    for name, found in first.items():
        text = json.dumps(found.values)
        assert text == json.dumps(second[name].values)
        assert json.loads(text) == found.values


@pytest.mark.parametrize("name", sorted(charts.FILES))
@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_a_chart_knows_every_value_that_we_set(stack: str, name: str) -> None:
    chart = charts.FILES[name]
    values, known = of(stack)[name].values, charts.defaults(chart)
    assert not list(charts.unknown(values, known, charts.passed_on(chart)))
    if charts.index()[chart]["hasSchema"]:
        schema = charts.read(f"{chart}.schema.json")
        Draft7Validator(schema).validate(charts.merged(known, values))


def test_which_charts_were_looked_at_and_in_which_version(
    record_property: Callable[[str, object], None],
) -> None:
    assert {found.name for found in PINS} - set(charts.FILES) == UNCHECKED
    looked = {
        name: f"{charts.index()[chart]['version']} of {charts.index()[chart]['snapshot']}"
        for name, chart in charts.FILES.items()
    }
    passed = {name: sorted(charts.passed_on(chart)) for name, chart in charts.FILES.items()}
    record_property("checked against", looked)
    record_property("passed on unchecked", {name: keys for name, keys in passed.items() if keys})
    record_property("not checked", sorted(UNCHECKED))
    pinned = {found.name: found.version for found in PINS}
    same = {name for name, text in looked.items() if text.partition(" ")[0] == pinned[name]}
    assert same == {"karpenter", "phoenix", "valkey"}


def test_the_check_of_values_itself() -> None:
    known: dict[str, Any] = {"a": {"b": 1, "free": {}}, "list": [], "text": "x", "none": None}
    ours = {"a": {"b": 2, "c": 3, "free": {"any": 1}}, "d": 4, "text": {"e": 5}, "none": {"f": 6}}
    assert list(charts.unknown(ours, known, frozenset())) == [
        "a.c",
        "d",
        "text.e is 'x' in the chart, and no map".replace("text.e", "text"),
    ]
    assert not list(charts.unknown({"sub": {"x": 1}}, known, frozenset({"sub"})))
    assert charts.merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}) == {"a": {"b": 3, "c": 2}}


PASSWORDS = (
    "wFSuJX9nDBdCa25sKZG7bh",
    "THAAIOSFODNN7EXAMPLE",
    "LESlrXUtnFEMI",
    "prom-operator",
    "minioadmin",
    "opikmon",
)
WEAK = {"admin", "clickhouse", "langfuse", "opik", "password", "phoenix", "postgres", "root"}
HIDDEN = re.compile(r"passw|_pass$|token|apikey|accesskey|secretkey$|signing", re.IGNORECASE)
REFERENCES = re.compile(r"(secret|name|key)s?$|automount|tokenCreate", re.IGNORECASE)


@pytest.mark.parametrize("stack", STACKS)
def test_no_known_password_stands_anywhere(stack: str) -> None:
    stand = settings(stack)
    objects = list(render(repository(), stand))
    text = json.dumps([found.values for found in of(stack).values()]) + json.dumps(objects)
    assert [word for word in PASSWORDS if word in text] == []
    looked = 0
    for tree in (*(found.values for found in of(stack).values()), *objects):
        for path, value in charts.leaves(tree):
            if HIDDEN.search(path[-1]) and path[-1] != "secretKey" and isinstance(value, str):
                looked += 1
                assert value.lower() not in WEAK, path
    assert looked >= 12


VARIABLE = re.compile(r"(Basic |Bearer )?\$\{env:[A-Z_]+\}")
"""What the collector reads from its environment."""


@pytest.mark.parametrize("stack", STACKS)
def test_no_value_holds_a_secret(stack: str) -> None:
    for found in of(stack).values():
        for path, value in charts.leaves(found.values):
            if HIDDEN.search(path[-1]) and not REFERENCES.search(path[-1]):
                named = isinstance(value, str) and VARIABLE.fullmatch(value)
                assert named or value in ("", None, True, False), (found.name, path, value)


@pytest.mark.parametrize("name", sorted(charts.FILES))
def test_every_password_of_a_chart_is_replaced_or_its_part_is_off(name: str) -> None:
    chart = charts.FILES[name]
    values = charts.merged(charts.defaults(chart), of("prod")[name].values)
    for path, value in charts.leaves(values):
        if HIDDEN.search(".".join(path[-2:])) and isinstance(value, str) and value.lower() in WEAK:
            part = values[path[0]]
            assert isinstance(part, Mapping), path
            assert False in (part.get("enabled"), part.get("deploy")), path


OPIK_DEFAULTS = (
    *("mysql", "minio", "redis", "clickhouse", "zookeeper", "component.python-backend"),
    *("demoDataJob", "chartMigration"),
)
"""Parts of Opik's chart with known passwords, privileged containers, tag latest, or old images."""


def test_opiks_chart_is_left_with_two_parts_and_no_password_of_its_own() -> None:
    found = dict(_leaves(of("prod")["opik"].values))
    assert [found[f"{part}.enabled"] for part in OPIK_DEFAULTS] == [False] * len(OPIK_DEFAULTS)
    env = "component.backend.env"
    for key in ("ANALYTICS_DB_MIGRATIONS_PASS", "ANALYTICS_DB_PASS", "REDIS_URL", "STATE_DB_PASS"):
        assert found[f"{env}.{key}"] == ""
    sources = of("prod")["opik"].values["component"]["backend"]["envFrom"]
    assert [list(source) for source in sources] == [["configMapRef"], ["secretRef"]]
    for part in ("backend", "frontend"):
        assert found[f"component.{part}.image.tag"] == pins.by_name()["opik"].version


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_is_privileged_or_latest(stack: str) -> None:
    for found in of(stack).values():
        for path, value in charts.leaves(found.values):
            assert not (path[-1] == "privileged" and value is True), (found.name, path)
            assert not (path[-1] == "tag" and value == "latest"), (found.name, path)
            if path[-1] in ("hostNetwork", "hostPID"):
                assert value is False
            if path[-1] == "runAsUser" and value == 0:
                assert by_name()[found.pin.namespace].level == "privileged"
            if "hostPath" in path:
                assert by_name()[found.pin.namespace].level == "privileged"


@pytest.mark.parametrize("stack", STACKS)
def test_every_release_has_resources_a_priority_and_a_namespace(stack: str) -> None:
    known = {f"aspora-{name}" for name, *_ in PRIORITIES}
    known |= {"system-cluster-critical", "system-node-critical"}
    for found in of(stack).values():
        assert found.pin.namespace in {"kube-system", *by_name()}
        keys = _leaves(found.values)
        priorities = [value for path, value in keys if path.endswith("priorityClassName")]
        assert bool(priorities) != (found.name in WITHOUT_PRIORITY), found.name
        assert set(priorities) <= known
        if found.name != "istio-base":
            assert [path for path, _ in keys if path.endswith("requests.memory")], found.name
            for path, _ in keys:
                if path.endswith("requests.cpu"):
                    limit = path.replace("requests.cpu", "limits.memory")
                    assert limit in dict(keys), (found.name, path)


COUNTS = re.compile(r"(^|\.)(replicas|replicaCount|minReplicas|autoscaleMin)$")
BUDGET = re.compile(r"^pdb$|PodDisruptionBudget$", re.IGNORECASE)
ONE = {
    "argo-cd": {"controller.replicas": 1, "applicationSet.replicas": 0},
    "opencost": {"opencost.exporter.replicas": 1},
}
"""One on purpose: a controller that is sharded, one that is off, and one that only reads."""
BUDGETS_ELSEWHERE = {
    "karpenter": "its chart always makes one",
    "opik": "aspora/render/databases.py",
    "phoenix": "aspora/render/databases.py",
}


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_what_serves_has_two_pods_and_a_budget_in_prod_and_one_in_staging(stack: str) -> None:
    wanted = 2 if stack == "prod" else 1
    for found in of(stack).values():
        if not found.pin.serves:
            continue
        keys = dict(_leaves(found.values))
        counts = {path: value for path, value in keys.items() if COUNTS.search(path)}
        assert counts, found.name
        assert counts == dict.fromkeys(counts, wanted) | ONE.get(found.name, {}), found.name
        if found.name not in BUDGETS_ELSEWHERE:
            assert any(_budgets(found.values)) == (stack == "prod"), found.name


def _budgets(values: Any) -> Iterator[bool]:
    """For each disruption budget of the values, whether it is on."""
    if not isinstance(values, Mapping):
        return
    for key, value in values.items():
        if BUDGET.search(key) and isinstance(value, Mapping):
            switch = [value[name] for name in ("enabled", "create") if name in value]
            # istiod's `pdb` says how many, and another key whether.
            yield switch[0] if switch else bool(value) and key != "pdb"
        else:
            yield from _budgets(value)


def test_names_of_accounts_are_those_that_have_roles() -> None:
    found = {name: release.values for name, release in of("prod").items()}
    assert found["karpenter"]["serviceAccount"]["name"] == "karpenter"
    assert found["external-dns"]["serviceAccount"]["name"] == "external-dns"
    balancers = found["aws-load-balancer-controller"]
    assert balancers["serviceAccount"]["name"] == "aws-load-balancer-controller"
    assert found["phoenix"]["serviceAccount"]["name"] == "phoenix"
    assert found["langfuse"]["langfuse"]["serviceAccount"]["name"] == "langfuse"
    opik = found["opik"]["component"]["backend"]
    assert opik["serviceAccount"]["name"] == "opik-backend"
    for name in ("otel-collector", "otel-gateway", "otel-logs"):
        assert found[name]["serviceAccount"]["name"] == name


def test_gateways_are_found_by_the_labels_of_the_flows() -> None:
    found = of("prod")
    assert found["aspora-gateway"].values["labels"]["app"] == "aspora-gateway"
    assert found["istio-egress"].values["labels"]["istio"] == "egressgateway"
    ports = {port["port"]: port["targetPort"] for port in _ports(found["aspora-gateway"])}
    assert ports == {443: 443, 8443: 8443}
    assert [port["targetPort"] for port in _ports(found["istio-egress"])] == [443, 8443]
    for name in ("aspora-gateway", "istio-egress"):
        (sysctl,) = found[name].values["securityContext"]["sysctls"]
        assert sysctl["name"] == "net.ipv4.ip_unprivileged_port_start"
    for name in ("aspora-gateway", "istio-egress"):
        assert found[name].values["service"]["type"] == "ClusterIP"


def _ports(found: Release) -> list[dict[str, Any]]:
    ports: list[dict[str, Any]] = found.values["service"]["ports"]
    return ports
