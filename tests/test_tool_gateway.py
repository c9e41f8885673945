"""The tool gateway: each workload's list of tools is its file's, in agentgateway's own words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from aspora.gateways import tools
from aspora.render import render
from aspora.resolve import workloads
from tests.core import platform, repository, settings
from tests.gateways_lab import kinds, one, two

RULE = re.compile(
    r'"spiffe://cluster\.local/ns/aspora-(?P<domain>[^/]+)/sa/(?P<account>[^"]+)"'
    r" in source\.subjectAltNames"
    r' && mcp\.tool\.target == "(?P<server>[^"]+)"'
    r" && mcp\.tool\.name in \[(?P<tools>[^\]]*)\]"
)
LISTENER = "binds[].listeners[]"
ROUTE = f"{LISTENER}.routes[]"
FIELDS = {
    *("config.adminAddr", "config.statsAddr", "config.readinessAddr"),
    *("config.logging.level", "config.logging.format", "config.metrics.fields.add.*"),
    *("config.tracing.otlpEndpoint", "config.tracing.otlpProtocol"),
    *("config.tracing.randomSampling", "config.tracing.fields.add.*"),
    *("binds[].port", f"{LISTENER}.name", f"{LISTENER}.protocol"),
    *(f"{LISTENER}.tls.cert", f"{LISTENER}.tls.key", f"{LISTENER}.tls.root"),
    *(f"{LISTENER}.tls.minTLSVersion", f"{ROUTE}.name", f"{ROUTE}.matches[].path.exact"),
    *(f"{ROUTE}.policies.authorization.rules[]", f"{ROUTE}.policies.mcpAuthorization.rules[]"),
    *(f"{ROUTE}.policies.timeout.requestTimeout", f"{ROUTE}.backends[].mcp.statefulMode"),
    *(f"{ROUTE}.backends[].mcp.targets[].name", f"{ROUTE}.backends[].mcp.targets[].mcp.host"),
}
"""The fields of agentgateway's configuration that we use, as its schema's reference page
(schema/config.md, and for `mcp` its pages on MCP) lists them for 1.5."""
VALUES = {
    "config.logging.format": {"text", "json"},
    "config.tracing.otlpProtocol": {"grpc", "http"},
    f"{LISTENER}.protocol": {"HTTP", "HTTPS", "TLS", "TCP", "HBONE"},
    f"{LISTENER}.tls.minTLSVersion": {"TLS_V1_2", "TLS_V1_3"},
    f"{ROUTE}.backends[].mcp.statefulMode": {"stateless", "stateful"},
}


def config(stack: str = "staging") -> dict[str, Any]:
    text = one(platform(stack).services, "ConfigMap", "tool-gateway")["data"]["config.yaml"]
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every leaf with the path of its field."""
    if isinstance(value, dict):
        at = [(f"{path}.{key}" if path else key, below) for key, below in value.items()]
        return [leaf for key, below in at for leaf in leaves(below, key)]
    if isinstance(value, list):
        return [leaf for below in value for leaf in leaves(below, f"{path}[]")]
    return [(path, value)]


def unknown(found: dict[str, Any]) -> list[str]:
    """Fields and values that agentgateway does not know."""
    wrong = []
    for path, value in leaves(found):
        known = re.sub(r"\.add\..*", ".add.*", path)
        if known not in FIELDS or value not in VALUES.get(known, {value}):
            wrong.append(f"{path}: {value}")
    return wrong


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_agentgateway_knows_every_field(stack: str) -> None:
    assert unknown(config(stack)) == []


def test_a_misspelt_field_is_noticed() -> None:
    found = config()
    (listener,) = found["binds"][0]["listeners"]
    listener["routes"][0]["policies"]["mcpAuthorisation"] = {"rules": ["true"]}
    listener["protocol"] = "MTLS"
    assert unknown(found) == [
        f"{LISTENER}.protocol: MTLS",
        f"{ROUTE}.policies.mcpAuthorisation.rules[]: true",
    ]


def permitted(rules: list[str]) -> set[tuple[str, str, str, str]]:
    """(domain, ServiceAccount, server, tool) of every rule."""
    found = set()
    for rule in rules:
        match = RULE.fullmatch(rule)
        assert match, rule
        for tool in json.loads(f"[{match['tools']}]"):
            found.add((match["domain"], match["account"], match["server"], tool))
    return found


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_a_workload_may_call_what_its_file_names_and_nothing_else(stack: str) -> None:
    (route,) = config(stack)["binds"][0]["listeners"][0]["routes"]
    wanted = {
        (domain.name, work.name, server.server, tool)
        for domain in repository()
        for work in workloads(domain)
        for server in work.tools
        for tool in server.tools
    }
    assert len(wanted) > 20
    assert permitted(route["policies"]["mcpAuthorization"]["rules"]) == wanted


def test_a_skill_with_tools_of_its_own_has_not_its_agents(tmp_path: Path) -> None:
    found = permitted(tools.rules(two(tmp_path)))
    assert {rule[2:] for rule in found if rule[1] == "cats-vet-scan"} == {
        ("portfolio", "get_positions")
    }
    assert {rule[2:] for rule in found if rule[1] == "cats-vet-advise"} == {
        ("tickets", "list_tickets"),
        ("tickets", "close_ticket"),
    }
    assert not [rule for rule in found if rule[0] == "dogs"]


def test_whoever_has_no_tools_gets_no_further_than_the_door(tmp_path: Path) -> None:
    rule = tools.known_callers(two(tmp_path))
    assert "cats-vet-advise" in rule
    assert "cats-vet-scan" in rule
    assert "dogs" not in rule


def test_servers_are_those_that_files_name_and_go_out_by_the_egress_gateway() -> None:
    (route,) = config()["binds"][0]["listeners"][0]["routes"]
    targets = route["backends"][0]["mcp"]["targets"]
    used = {
        server.server
        for domain in repository()
        for work in workloads(domain)
        for server in work.tools
    }
    assert {target["name"] for target in targets} == used
    hosts = {entry["spec"]["hosts"][0] for entry in kinds(platform("staging"), "ServiceEntry")}
    for target in targets:
        scheme, _, rest = target["mcp"]["host"].partition("://")
        assert scheme == "http"
        assert rest.partition("/")[0] in hosts


def test_nobody_gets_in_without_a_certificate() -> None:
    (listener,) = config("prod")["binds"][0]["listeners"]
    assert listener["protocol"] == "HTTPS"
    assert listener["tls"]["root"].endswith("/ca.crt")
    assert config("prod")["config"]["adminAddr"] == "off"


def test_calls_are_traced_and_counted_by_caller_and_tool() -> None:
    found = config()["config"]
    assert found["tracing"]["otlpEndpoint"].startswith(
        "http://otel-collector.aspora-observability."
    )
    assert found["tracing"]["randomSampling"] == "true"
    assert found["tracing"]["fields"]["add"]["gen_ai.tool.name"] == "mcp.tool.name"
    assert "caller" in found["metrics"]["fields"]["add"]
    monitor = one(platform("prod"), "PodMonitor", "tool-gateway")
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] == "http-envoy-prom"
    pod = one(platform("prod"), "Deployment", "tool-gateway")["spec"]["template"]
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == "9090"
    assert found["statsAddr"] == "0.0.0.0:9090"


def test_a_change_of_tools_restarts_the_pods(tmp_path: Path) -> None:
    cats, dogs = two(tmp_path)
    without = cats.model_copy(update={"agents": (cats.agents[0].model_copy(update={"tools": ()}),)})

    def annotations(domains: Any) -> dict[str, str]:
        deployment = one(render(domains, settings()), "Deployment", "tool-gateway")
        found: dict[str, str] = deployment["spec"]["template"]["metadata"]["annotations"]
        return found

    assert annotations((cats, dogs)) != annotations((without, dogs))
    assert annotations((cats, dogs)) == annotations((dogs, cats))


def test_without_tools_there_is_no_gateway(tmp_path: Path) -> None:
    _, dogs = two(tmp_path)
    found = kinds(render([dogs], settings()).services, "Deployment")
    assert "tool-gateway" not in [obj["metadata"]["name"] for obj in found]
