"""kube-system under strict enforcement: CoreDNS works, and nothing is opened that needs not be."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from aspora.render import render
from aspora.render.system import system_policies
from aspora.system_flows import PRIVATE, SYSTEM_FLOWS
from tests.core import settings

STACKS = ("staging", "prod")


def test_a_stack_without_a_cluster_of_its_own_has_none() -> None:
    assert system_policies(settings("local")) == []


@pytest.mark.parametrize("stack", STACKS)
def test_they_come_first_of_all(stack: str) -> None:
    rendered = render((), settings(stack))
    pods = {(flow.label, flow.pods) for flow in SYSTEM_FLOWS}
    assert len(rendered.system) == 1 + len(pods)
    assert list(rendered)[: len(rendered.system)] == list(rendered.system)
    assert rendered.system[0]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert {obj["metadata"]["namespace"] for obj in rendered.system} == {"kube-system"}


def by_name(stack: str) -> dict[str, Any]:
    return {obj["metadata"]["name"]: obj["spec"] for obj in system_policies(settings(stack))}


def test_dns_and_the_api_server_exactly() -> None:
    found = by_name("staging")
    dns = found["aspora-kube-dns"]
    assert dns["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    assert dns["policyTypes"] == ["Ingress", "Egress"]
    assert dns["ingress"][0] == {
        "from": [{"namespaceSelector": {}}],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }
    everybody = found["aspora-every-pod"]
    assert everybody["podSelector"] == {}
    assert everybody["policyTypes"] == ["Egress"]
    assert everybody["egress"][1] == {
        "to": [
            {"ipBlock": {"cidr": "10.20.0.0/18"}},
            {"ipBlock": {"cidr": "10.20.64.0/18"}},
            {"ipBlock": {"cidr": "10.20.128.0/18"}},
            {"ipBlock": {"cidr": "172.20.0.1/32"}},
        ],
        "ports": [{"protocol": "TCP", "port": 443}],
    }


def test_each_row_is_in_the_policy_of_its_pods_with_its_why() -> None:
    policies = system_policies(settings("staging"))
    told = " ".join(
        obj["metadata"].get("annotations", {}).get("aspora.io/why", "") for obj in policies
    )
    assert [flow.name for flow in SYSTEM_FLOWS if f"{flow.name}: {flow.why}" not in told] == []
    rules = sum(
        len(obj["spec"].get("ingress", ())) + len(obj["spec"].get("egress", ())) for obj in policies
    )
    assert rules == len(SYSTEM_FLOWS)


@pytest.mark.parametrize("stack", STACKS)
def test_only_controllers_of_aws_reach_the_internet_and_nothing_private_by_it(stack: str) -> None:
    open_ones = {
        name: peer["ipBlock"]
        for name, spec in by_name(stack).items()
        for rule in spec.get("egress", ())
        for peer in rule["to"]
        if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
    }
    (controllers,) = open_ones
    assert controllers == "aspora-aws-apis"
    assert open_ones[controllers]["except"] == list(PRIVATE)
    vpc = IPv4Network(settings(stack).network.vpc_cidr)
    assert any(vpc.subnet_of(IPv4Network(cidr)) for cidr in PRIVATE)


@pytest.mark.parametrize("stack", STACKS)
def test_every_rule_names_peers_and_ports(stack: str) -> None:
    """`ports` without `to` would open every destination, and the other way round every port."""
    for spec in by_name(stack).values():
        for kind, peers in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(kind, ()):
                assert rule[peers]
                assert rule["ports"]
