"""What one part names is what another makes: addresses, ports, monitors, databases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from aspora import flows
from aspora.gateways import mesh
from aspora.observe.slo import GATEWAYS
from aspora.render import Object
from aspora.services import pins
from aspora.services.flows import EDGES, GATEWAY, OTEL, WATCHERS, Edge
from aspora.services.namespaces import by_name
from aspora.services.releases import releases
from aspora.services.stores import CLICKHOUSE_HOST, POSTGRES_DATABASES
from aspora.system_flows import Namespace
from aspora.telemetry import collector, exporters
from tests.core import ROOT, platform, repository, settings
from tests.gateways_lab import kinds

# Services that charts and operators make, by their rules for names with the values we set; each was
# looked up in the templates of its project.
OF_CHARTS = {
    "langfuse-web": {3000},
    "opik-frontend": {5173},
    "phoenix-svc": {4317, 6006, 9090},
    CLICKHOUSE_HOST: {8123, 9000, 9001, 9009, 9363},
}


def values(name: str) -> Any:
    return {found.name: found for found in releases(settings("prod"), repository())}[name].values


def test_what_the_gateway_tier_exports_to_is_a_service_that_somebody_makes() -> None:
    for endpoint in (
        exporters.LANGFUSE,
        exporters.OPIK,
        exporters.PHOENIX,
        exporters.CLICKHOUSE,
    ):
        parts = urlsplit(endpoint)
        service = (parts.hostname or "").removesuffix(".aspora-observability.svc.cluster.local")
        assert parts.port in OF_CHARTS[service], endpoint


def test_proxies_speak_grpc_to_the_collector_and_agents_tls() -> None:
    ports = {
        port["servicePort"]: port["appProtocol"]
        for port in values(collector.AGENT)["ports"].values()
        if "servicePort" in port
    }
    assert ports == {flows.OTLP_PORT: "tcp", flows.OTLP_GRPC_PORT: "grpc"}
    ports = {
        port["servicePort"]: port["appProtocol"]
        for port in values(collector.GATEWAY)["ports"].values()
        if "servicePort" in port
    }
    assert set(ports.values()) == {"tcp"}


def monitors() -> Iterator[tuple[Object, Object]]:
    for obj in kinds(platform("prod").services, "PodMonitor"):
        for endpoint in obj["spec"]["podMetricsEndpoints"]:
            yield obj, endpoint


def test_every_gateway_whose_requests_the_objective_counts_is_scraped() -> None:
    scraped = {
        obj["spec"]["selector"]["matchLabels"].get("app")
        for obj, endpoint in monitors()
        if endpoint.get("path") == "/stats/prometheus"
    }
    assert set(GATEWAYS) <= scraped


def test_the_merged_port_is_reached_by_the_one_that_a_proxy_declares() -> None:
    """Prometheus' operator drops targets whose port no container declares."""
    merged = [endpoint for _, endpoint in monitors() if endpoint.get("path") == "/stats/prometheus"]
    assert len(merged) == 4
    for endpoint in merged:
        assert endpoint["port"] == "http-envoy-prom"
        assert "portNumber" not in endpoint
        (relabeling,) = endpoint["relabelings"]
        assert relabeling["targetLabel"] == "__address__"
        assert relabeling["replacement"] == f"$1:{mesh.MERGED_METRICS}"


def test_every_port_that_prometheus_may_read_past_the_mesh_has_a_monitor() -> None:
    read = {
        (obj["metadata"]["namespace"], *obj["spec"]["selector"]["matchLabels"].items(), port)
        for obj, endpoint in monitors()
        if (port := endpoint.get("portNumber"))
    }
    for one in mesh.UNMESHED:
        if one.caller == "prometheus" and one.name not in (collector.AGENT, mesh.OPERATOR):
            assert (one.namespace, one.label, one.port) in read, one
    # Their charts have one of their own.
    assert values(collector.AGENT)["serviceMonitor"]["enabled"]
    assert values(mesh.OPERATOR)["prometheus"]["service_monitor"] is True


def _meshed(end: object) -> bool:
    namespace = getattr(end, "namespace", "")
    return namespace in by_name() and by_name()[namespace].mesh


@pytest.mark.parametrize("edge", [edge for edge in EDGES if edge.name.endswith("-operator")])
def test_who_calls_a_store_has_a_mesh_identity(edge: Edge) -> None:
    if _meshed(edge.to) and isinstance(edge.source, Namespace):
        assert _meshed(edge.source), edge


def test_pods_of_the_stores_are_made_when_the_mesh_is_there() -> None:
    needs = {pin.name: pin.needs for pin in pins.PINS}
    assert "istio-cni" in needs["clickhouse-operator"]
    jobs = {obj["metadata"]["name"]: obj for obj in kinds(platform("prod"), "Job")}
    pod = jobs["clickhouse-databases"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"


def test_no_gateway_talks_to_the_api_server() -> None:
    assert GATEWAY not in WATCHERS
    assert OTEL in WATCHERS


def test_challenges_are_looked_for_by_coredns() -> None:
    assert values("cert-manager")["dns01RecursiveNameserversOnly"] is True


def test_the_runbook_makes_every_database() -> None:
    page = (ROOT / "docs/runbooks/platform-databases.md").read_text("utf-8")
    assert sorted(re.findall(r"CREATE DATABASE (\w+) OWNER \1\b", page)) == list(POSTGRES_DATABASES)
    assert {*re.findall(r"CREATE ROLE (\w+) LOGIN", page)} == set(POSTGRES_DATABASES)
    (deployment,) = (
        obj
        for obj in kinds(platform("prod").services, "Deployment")
        if obj["metadata"]["name"] == "model-gateway"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    plain = {one["name"]: one.get("value") for one in container["env"]}
    assert plain["DATABASE_NAME"] in POSTGRES_DATABASES


BY_CHARTS = {"istiod", "prometheus", "alertmanager", "grafana", "kube-state-metrics"}
"""Pods that get their label from their chart's templates and not from our values."""


def test_every_pod_that_the_table_of_flows_names_is_one_that_somebody_makes() -> None:
    """An edge to a pod that there is not lets in whoever takes its name."""
    found = platform("prod")
    made = json.dumps([list(part) for part in (found.services, found.stores, found.databases)])
    made += json.dumps([found.values for found in releases(settings("prod"), repository())])
    ends = {end for edge in EDGES for end in (edge.source, edge.to) if isinstance(end, flows.Pods)}
    ends |= {flow.peer for flow in flows.FLOWS if isinstance(flow.peer, flows.Pods)}
    ours = [end for end in ends if end.namespace in by_name() and end.label[1] not in BY_CHARTS]
    assert len(ours) >= 20
    for end in ours:
        key, value = end.label
        assert f'"{key}": "{value}"' in made, end.shown


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_load_balancer_is_internal_and_has_the_clients_port_alone(stack: str) -> None:
    """Agents' port has no business outside of the cluster, whatever its certificates ask for."""
    found = [
        obj
        for obj in (*platform(stack).services, *platform(stack).stores, *platform(stack).databases)
        if obj["kind"] == "Service" and obj["spec"].get("type", "ClusterIP") != "ClusterIP"
    ]
    (only,) = found
    notes, spec = only["metadata"]["annotations"], only["spec"]
    assert notes["service.beta.kubernetes.io/aws-load-balancer-scheme"] == "internal"
    assert notes["external-dns.alpha.kubernetes.io/hostname"] == settings(stack).public_host
    assert [port["port"] for port in spec["ports"]] == [443]
    assert spec["loadBalancerSourceRanges"] == [settings(stack).network.vpc_cidr]
    assert spec["selector"].items() <= values("aspora-gateway")["labels"].items()
    for release in releases(settings(stack), repository()):
        assert '"type": "LoadBalancer"' not in json.dumps(release.values), release.name


def test_who_compares_answers_of_prometheus_stays_with_one_replica() -> None:
    """The operator's own Service has no address: each look-up may lead to the other one."""
    stack = values("kube-prometheus-stack")["prometheus"]
    assert stack["service"] == {"sessionAffinity": "ClientIP"}
    assert stack["prometheusSpec"]["replicas"] == 2
    asked = [
        trigger["metadata"]["serverAddress"]
        for domain in platform("prod").domains
        for obj in kinds(tuple(domain), "ScaledObject")
        for trigger in obj["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
    wanted = "http://kube-prometheus-stack-prometheus.aspora-observability.svc.cluster.local:9090"
    assert len(asked) >= 9
    assert set(asked) == {wanted}
    inside = values("opencost")["opencost"]["prometheus"]["internal"]
    assert urlsplit(wanted).netloc.startswith(f"{inside['serviceName']}.{inside['namespaceName']}.")
    everything = json.dumps([list(platform("prod")), values("opencost")])
    assert "prometheus-operated" not in everything


def test_the_mesh_s_agents_are_scraped_where_the_policies_hold_for_them() -> None:
    (monitor,) = (obj for obj, _ in monitors() if obj["metadata"]["name"] == "istio-cni")
    assert monitor["metadata"]["namespace"] == "istio-cni"
    (edge,) = (edge for edge in EDGES if edge.name == "scrape-cni")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert edge.ports == (("TCP", endpoint["portNumber"]),)
    # With ambient its pods could have the node's network, and no policy would hold for them.
    assert values("istio-cni")["ambient"] == {"enabled": False}


def test_the_operator_s_switches_are_set_in_both_spellings_of_its_chart() -> None:
    found = values("clickhouse-operator")
    for part, on in (("crd", False), ("certManager", True), ("webhook", True), ("metrics", True)):
        assert {found[part]["enable"], found[part]["enabled"]} == {on}, part
