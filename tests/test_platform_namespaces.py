"""The platform's namespaces: levels, connections, secrets, stores and certificates."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from aspora import docs, names
from aspora.named_secrets import named_secrets
from aspora.render import Object, databases, render
from aspora.render.platform import platform_namespaces, platform_objects
from aspora.render.secrets import ISSUER
from aspora.render.system import platform_policies
from aspora.services import secrets
from aspora.services.flows import EDGES, PROMETHEUS, rows
from aspora.services.namespaces import NAMESPACES, by_name
from aspora.services.pins import PINS
from aspora.services.stores import STORES
from aspora.services.values import traces
from aspora.system_flows import SYSTEM_FLOWS, Domains, Namespace
from components.aws.buckets import PURPOSES
from tests.core import ROOT, settings

STACKS = ("local", "staging", "prod")


def objects(stack: str, kind: str) -> list[Object]:
    everything = [*platform_objects(settings(stack)), *databases.objects(settings(stack))]
    return [obj for obj in everything if obj["kind"] == kind]


def test_only_agents_of_nodes_are_privileged() -> None:
    levels = {space.name: space.level for space in NAMESPACES}
    privileged = {name for name, level in levels.items() if level == "privileged"}
    assert privileged == {names.CNI_NAMESPACE, names.NODE_AGENTS_NAMESPACE}
    assert set(levels.values()) == {"privileged", "restricted"}
    assert all(bool(space.why) == (space.level != "restricted") for space in NAMESPACES)
    for obj in platform_namespaces():
        enforced = obj["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        assert enforced == levels[obj["metadata"]["name"]]


def test_every_release_has_a_namespace_with_policies() -> None:
    spaces = {pin.namespace for pin in PINS}
    assert spaces - {"kube-system"} <= set(by_name())
    policies = platform_policies(settings("prod"))
    denied = {
        obj["metadata"]["namespace"]: obj["spec"]["policyTypes"]
        for obj in policies
        if obj["metadata"]["name"] == "aspora-default-deny"
    }
    assert denied == {key: ["Ingress", "Egress"] for key in by_name()}
    assert set(by_name()) == {row.namespace for row in rows()}


def test_policies_have_names_of_their_own() -> None:
    policies = platform_policies(settings("prod"))
    seen = Counter((obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in policies)
    assert set(seen.values()) == {1}
    rules = sum(
        len(obj["spec"].get("ingress", ())) + len(obj["spec"].get("egress", ())) for obj in policies
    )
    assert rules == len(rows())


@pytest.mark.parametrize("stack", STACKS)
def test_a_policy_has_no_more_ports_than_the_network_plugin_takes(stack: str) -> None:
    """24 of one direction and protocol: EKS user guide, considerations on network policies."""
    for obj in platform_policies(settings(stack)):
        for direction in ("ingress", "egress"):
            ports = {
                port["port"] for rule in obj["spec"].get(direction, ()) for port in rule["ports"]
            }
            assert len(ports) <= 24, obj["metadata"]["name"]


@pytest.mark.parametrize("stack", STACKS)
def test_every_rule_names_peers_and_ports(stack: str) -> None:
    """Without peers a rule is open to everybody, without ports to everything."""
    for obj in platform_policies(settings(stack)):
        for direction, key in (("ingress", "from"), ("egress", "to")):
            for rule in obj["spec"].get(direction, ()):
                if stack != "local":
                    assert rule[key], obj["metadata"]["name"]
                assert rule["ports"]


def test_both_ends_of_an_edge_agree() -> None:
    ours = by_name()
    made = {(row.namespace, row.name, row.ports): row.peer for row in rows()}
    for edge in EDGES:
        ends = ((edge.source, edge.to, "to"), (edge.to, edge.source, "from"))
        mine = [row for row in ends if getattr(row[0], "namespace", "") in ours]
        assert mine, edge.name
        for end, peer, direction in mine:
            key = (end.namespace, f"{edge.name}-{direction}", edge.ports)  # type: ignore[union-attr]
            assert made[key] == peer
        assert edge.why.endswith(".")


def test_every_namespace_looks_names_up_and_meshed_ones_reach_istiod() -> None:
    found = {(row.namespace, row.name) for row in rows()}
    for space in NAMESPACES:
        assert (space.name, "lookup-to") in found
        if space.mesh:
            assert (space.name, f"mesh-{space.name}-to") in found


def test_the_domains_side_of_an_edge_is_in_the_domains_table() -> None:
    """What agents open here must be what their own policies let out."""
    opened = {
        (edge.to.shown, port)
        for edge in EDGES
        if isinstance(edge.source, Domains)
        for port in edge.ports
    }
    from aspora.flows import FLOWS

    let_out = {(flow.peer.shown, port) for flow in FLOWS for port in flow.ports}
    assert opened <= let_out


def test_prometheus_may_ask_whom_kube_system_lets_answer() -> None:
    scraped = {
        port
        for edge in EDGES
        if edge.source == PROMETHEUS and getattr(edge.to, "namespace", "") == "kube-system"
        for port in edge.ports
    }
    answers = {
        port
        for flow in SYSTEM_FLOWS
        if flow.direction == "from" and flow.peer == PROMETHEUS
        for port in flow.ports
    }
    assert scraped == answers
    assert any(isinstance(edge.to, Namespace) for edge in EDGES if edge.source == PROMETHEUS)


def test_no_service_is_open_to_the_nodes_network() -> None:
    hard = {
        obj["metadata"]["namespace"]: obj["spec"]["hard"]
        for obj in objects("prod", "ResourceQuota")
    }
    assert set(hard) == set(by_name())
    allowed = {name for name, quota in hard.items() if quota["services.loadbalancers"] != "0"}
    assert allowed == {names.PLATFORM_NAMESPACE}
    assert all(hard[name]["services.nodeports"] == "0" for name in set(hard) - allowed)
    assert {obj["metadata"]["namespace"] for obj in objects("prod", "LimitRange")} == set(by_name())


# -- secrets --------------------------------------------------------------------------------------


def test_each_part_has_a_store_whose_reader_is_its_own() -> None:
    stores = {obj["metadata"]["namespace"] for obj in objects("staging", "SecretStore")}
    assert stores == set(secrets.PARTS.values())
    roles = {secrets.reader_role(settings("prod"), part) for part in secrets.PARTS}
    assert roles == {
        "aspora-prod.platform.argocd-secret-reader",
        "aspora-prod.platform.observability-secret-reader",
    }


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_what_is_read_is_what_bootstrap_makes(stack: str) -> None:
    wanted = settings(stack)
    made = {secret.name for secret in named_secrets((), wanted)}
    read = {
        (obj["metadata"]["namespace"], data["remoteRef"]["key"])
        for obj in render((), wanted)
        if obj["kind"] == "ExternalSecret"
        for data in obj["spec"]["data"]
    }
    assert {key for _, key in read} == made
    # The model gateway has a reader of its own.
    spaces = {**secrets.PARTS, "model-gateway": names.PLATFORM_NAMESPACE}
    for namespace, key in read:
        part = key.split("/")[3]
        assert part == "database" or spaces[part] == namespace


def test_every_variable_of_a_template_is_read() -> None:
    for row in secrets.FILLED:
        for text in row.data.values():
            used = {word.strip(" .|") for word in text.split("{{")[1:] for word in [word_of(word)]}
            assert used <= set(row.reads) | {"printf"}, row.name


def word_of(text: str) -> str:
    return text.partition("}}")[0].split()[0]


# -- certificates, stores ------------------------------------------------------------------------


def test_the_internal_ca_is_rooted_and_renewed_with_the_same_key() -> None:
    certificates = {obj["metadata"]["name"]: obj["spec"] for obj in objects("prod", "Certificate")}
    root = certificates[f"{ISSUER}-root"]
    assert root["isCA"] is True
    assert root["privateKey"]["rotationPolicy"] == "Never"
    issuers = {obj["metadata"]["name"]: obj["spec"] for obj in objects("prod", "ClusterIssuer")}
    assert issuers[ISSUER] == {"ca": {"secretName": root["secretName"]}}
    assert issuers[root["issuerRef"]["name"]] == {"selfSigned": {}}
    collector = certificates["otel-collector"]
    assert collector["secretName"] == "otel-collector-tls"
    assert "otel-collector.aspora-observability.svc.cluster.local" in collector["dnsNames"]
    assert collector["issuerRef"]["name"] == ISSUER


@pytest.mark.parametrize(("stack", "replicas", "keepers"), [("staging", 1, 1), ("prod", 2, 3)])
def test_clickhouse_has_a_user_for_each_database(stack: str, replicas: int, keepers: int) -> None:
    (cluster,) = objects(stack, "ClickHouseCluster")
    (keeper,) = objects(stack, "KeeperCluster")
    assert (cluster["spec"]["replicas"], keeper["spec"]["replicas"]) == (replicas, keepers)
    users: dict[str, Any] = cluster["spec"]["settings"]["extraUsersConfig"]["users"]
    grants = {name: user["grants"]["query"][0] for name, user in users.items()}
    assert grants == {
        "langfuse": "GRANT ALL ON default.*",
        "opik": "GRANT ALL ON opik.*",
        "telemetry": "GRANT ALL ON telemetry.*",
    }
    budgets = {obj["metadata"]["name"] for obj in objects(stack, "PodDisruptionBudget")}
    assert bool(budgets) == (stack == "prod")


def test_the_table_of_stores_says_what_is_configured() -> None:
    """Each number from where it is set, and each place from who writes there."""
    said = {(row.product, row.what): row for row in STORES}
    days = {purpose.name: purpose.days for purpose in PURPOSES}
    phoenix = traces.phoenix(settings("prod"))["database"]["defaultRetentionPolicyDays"]
    assert ("Prometheus", "metrics; 35 days") in said
    assert ("Phoenix", f"traces, annotations, datasets; {phoenix} days") in said
    logs = said["telemetry", "logs of agents, as JSON"]
    assert logs.where == f"S3, bucket `raw-logs`; {days['raw-logs']} days"
    assert said["Opik", "attachments"].where == "S3, `artifacts/opik/`"
    assert (
        said["Pulumi", "the stack's state"].backed_up == "S3 versions; old ones go after 365 days"
    )
    backend = traces.opik(settings("prod"))["component"]["backend"]["env"]
    assert (backend["IS_MINIO"], backend["S3_BUCKET"]) == ("false", "aspora-prod-artifacts")


def test_stores_are_in_the_reference_with_runbooks_that_exist() -> None:
    page = (ROOT / "docs/reference/stores.md").read_text("utf-8")
    assert page == docs.PAGES["docs/reference/stores.md"]()
    assert {"Langfuse", "Phoenix", "Opik", "registry", "model gateway"} <= {
        s.product for s in STORES
    }
    for row in STORES:
        assert row.backed_up
        assert row.restored
        assert not row.runbook or (ROOT / Path(row.runbook)).is_file()
