"""What the rendered NetworkPolicies let through, worked out packet by packet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from aspora.flows import FLOWS
from aspora.models import Domain
from aspora.render import Object, Rendered, render
from aspora.resolve import Workload
from aspora.resolve import workloads as resolve
from tests.core import domains, repository, settings
from tests.guardrails.texts import ADDED

STACKS = ("local", "staging", "prod")


class End(NamedTuple):
    """One end of a connection: a pod, or an address outside when `labels` is None."""

    namespace: str
    labels: Mapping[str, str] | None
    address: str = ""


class Packet(NamedTuple):
    direction: str
    peer: End
    protocol: str
    port: int


@cache
def everyone() -> tuple[Domain, ...]:
    with TemporaryDirectory() as folder:
        return (*repository(), *domains(Path(folder), *ADDED))


@cache
def rendered(stack: str) -> Rendered:
    return render(everyone(), settings(stack))


def policies(stack: str, domain: str) -> list[Object]:
    (found,) = [d for d in rendered(stack).domains if d.name == domain]
    return [obj for obj in found if obj["kind"] == "NetworkPolicy"]


def rules(stack: str) -> Iterator[tuple[str, Object]]:
    """Every rule of the domains' policies, SandboxTemplates' included: (from or to, rule)."""
    for obj in (obj for domain in rendered(stack).domains for obj in domain):
        spec = obj["spec"] if obj["kind"] == "NetworkPolicy" else {}
        if obj["kind"] == "SandboxTemplate":
            spec = obj["spec"]["networkPolicy"]
        for rule in spec.get("ingress", ()):
            yield "from", rule
        for rule in spec.get("egress", ()):
            yield "to", rule


def pods(stack: str) -> dict[str, End]:
    """A pod of each skill, by the skill's ID, with the labels that its template gives."""
    found = {}
    for domain in rendered(stack).domains:
        for skill in domain.skills:
            (template,) = [pod for obj in skill.objects if (pod := template_of(obj))]
            found[skill.id] = End(f"aspora-{domain.name}", template["metadata"]["labels"])
    return found


def template_of(obj: Object) -> Any:
    spec = obj.get("spec", {})
    if obj["kind"] == "CronJob":
        return spec["jobTemplate"]["spec"]["template"]
    if obj["kind"] in ("Deployment", "Rollout"):
        return spec["template"]
    return spec.get("podTemplate")


# --- a NetworkPolicy's meaning, as Kubernetes documents it --------------------------------------


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    for term in selector.get("matchExpressions", ()):
        assert term["operator"] == "In"
        if labels.get(term["key"]) not in term["values"]:
            return False
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def is_peer(peer: Object, end: End) -> bool:
    if "ipBlock" in peer:
        assert set(peer["ipBlock"]) == {"cidr"}
        return bool(end.address) and ip_address(end.address) in ip_network(peer["ipBlock"]["cidr"])
    if end.labels is None:
        return False
    space = {"kubernetes.io/metadata.name": end.namespace}
    return selects(peer["namespaceSelector"], space) and selects(peer["podSelector"], end.labels)


def lets(rule: Object, packet: Packet) -> bool:
    return any(is_peer(peer, packet.peer) for peer in rule[packet.direction]) and any(
        (port["protocol"], port["port"]) == (packet.protocol, packet.port) for port in rule["ports"]
    )


def admitted(found: list[Object], pod: End, packet: Packet) -> bool:
    """Whether the policies of the pod's namespace let the packet through."""
    kind = "Egress" if packet.direction == "to" else "Ingress"
    mine = [
        policy["spec"]
        for policy in found
        if kind in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], pod.labels or {})
    ]
    assert mine, "a pod that no policy selects may do anything"
    return any(lets(rule, packet) for spec in mine for rule in spec.get(kind.lower(), ()))


# --- the table, written out a second time -------------------------------------------------------

GATEWAY = End("aspora-platform", {"app": "aspora-gateway"})
MODELS = End("aspora-platform", {"app": "model-gateway"})
TOOLS = End("aspora-platform", {"app": "tool-gateway"})
EGRESS = End("istio-egress", {"istio": "egressgateway"})
DNS = End("kube-system", {"k8s-app": "kube-dns"})
COLLECTOR = End("aspora-observability", {"app": "otel-collector"})
PROMETHEUS = End("aspora-observability", {"app.kubernetes.io/name": "prometheus"})
ROUTER = End("agent-sandbox-system", {"app": "sandbox-router"})
ISTIOD = End("istio-system", {"app": "istiod"})
IDENTITY = End("", None, "169.254.170.23")
METADATA = End("", None, "169.254.169.254")
INTERNET = End("", None, "93.184.215.14")
API_SERVER = End("", None, "10.96.0.1")


def within(cidr: str) -> End:
    return End("", None, str(ip_network(cidr)[10]))


def wanted(work: Workload, stack: str) -> set[Packet]:
    """What design.md lets a workload exchange."""
    network = settings(stack).network
    tcp = [
        ("to", DNS, 53),
        ("to", MODELS, 8443),
        ("to", COLLECTOR, 4318),
        ("to", IDENTITY, 80),
        ("from", PROMETHEUS, 8081),
        *(("to", within(cidr), 443) for cidr in network.endpoint_cidrs),
    ]
    if not work.skill.schedule:
        tcp.append(("from", GATEWAY, 8080))
    if work.tools:
        tcp.append(("to", TOOLS, 8443))
    if work.agent.calls:
        tcp.append(("to", GATEWAY, 8443))
    if work.agent.database:
        tcp += [("to", within(c), p) for c in network.database_cidrs for p in (5432, 6379)]
    if work.domain.egress:
        tcp.append(("to", EGRESS, 8443))
    if work.domain.sandbox.runtime == "runc":
        tcp.append(("to", ISTIOD, 15012))
    found = {frozen(direction, end, "TCP", port) for direction, end, port in tcp}
    return found | {frozen("to", DNS, "UDP", 53)}


def frozen(direction: str, end: End, protocol: str, port: int) -> Packet:
    labels = None if end.labels is None else tuple(sorted(end.labels.items()))
    return Packet(direction, End(end.namespace, labels, end.address), protocol, port)  # type: ignore[arg-type]


def thawed(packet: Packet) -> Packet:
    labels = None if packet.peer.labels is None else dict(packet.peer.labels)
    return packet._replace(peer=packet.peer._replace(labels=labels))


def tried(stack: str) -> list[Packet]:
    """Every end there is, on every port there is, in both directions."""
    network = settings(stack).network
    ends = [GATEWAY, MODELS, TOOLS, EGRESS, DNS, COLLECTOR, PROMETHEUS, ROUTER, ISTIOD]
    ends += [IDENTITY, METADATA, INTERNET, API_SERVER]
    cidrs = (*network.endpoint_cidrs, *network.database_cidrs, *network.node_cidrs)
    ends += [within(cidr) for cidr in cidrs]
    # The right labels in the wrong namespace, and the right namespace with none.
    ends += [End("aspora-wealth", end.labels) for end in ends if end.labels]
    ends += [End(end.namespace, {}) for end in ends if end.labels]
    ports = (22, 53, 80, 443, 4318, 5432, 6379, 6443, 8080, 8081, 8443, 10250, 15012)
    return [
        frozen(direction, end, protocol, port)
        for direction, end, protocol, port in product(("to", "from"), ends, ("TCP", "UDP"), ports)
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_exactly_the_flows_of_the_design_are_let_through(stack: str) -> None:
    packets = tried(stack)
    for domain in everyone():
        found = policies(stack, domain.name)
        for work in resolve(domain):
            pod = pods(stack)[work.id]
            through = {p for p in packets if admitted(found, pod, thawed(p))}
            assert through == wanted(work, stack), work.id


def test_every_flow_is_needed_by_some_domain() -> None:
    """What this file proves of the table, it proves of all of it."""
    made = {
        policy["metadata"]["name"]
        for domain in everyone()
        for policy in policies("local", domain.name)
    }
    assert made == {"default-deny"} | {f"allow-{flow.name}" for flow in FLOWS}


@pytest.mark.parametrize("stack", STACKS)
def test_no_agent_reaches_another(stack: str) -> None:
    """Neither across domains nor within one: the gateway is the one way."""
    found = pods(stack)
    assert len(found) >= 20
    ports = [
        (protocol, port) for protocol in ("TCP", "UDP") for port in (53, 443, 8080, 8081, 8443)
    ]
    for (skill, pod), (other, peer) in product(found.items(), found.items()):
        mine = policies(stack, skill.split("/")[0])
        for direction, (protocol, port) in product(("to", "from"), ports):
            packet = Packet(direction, peer, protocol, port)
            assert not admitted(mine, pod, packet), f"{skill} {direction} {other}:{port}"


@pytest.mark.parametrize("stack", STACKS)
def test_no_address_range_holds_pods_or_everything(stack: str) -> None:
    """Pods have addresses of the node subnets: a range that overlaps would let them through."""
    network = settings(stack).network
    ranges = {
        peer["ipBlock"]["cidr"]
        for direction, rule in rules(stack)
        for peer in rule[direction]
        if "ipBlock" in peer
    }
    assert len(ranges) == 1 + len(network.endpoint_cidrs) + len(network.database_cidrs)
    for cidr in ranges:
        assert ip_network(cidr).prefixlen >= 20
        for nodes in network.node_cidrs:
            assert not ip_network(cidr).overlaps(ip_network(nodes))


def test_each_domain_denies_by_default_in_both_directions() -> None:
    for domain in everyone():
        (deny,) = [
            p for p in policies("local", domain.name) if p["metadata"]["name"] == "default-deny"
        ]
        assert deny["metadata"]["namespace"] == f"aspora-{domain.name}"
        assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_every_rule_names_its_peers_and_ports() -> None:
    """A rule without peers admits everybody, one without ports everything."""
    count = 0
    for direction, rule in rules("local"):
        count += 1
        assert set(rule) == {direction, "ports"}
        assert rule[direction]
        assert rule["ports"]
        for peer in rule[direction]:
            if "ipBlock" not in peer:
                (key,) = peer["namespaceSelector"]["matchLabels"]
                assert set(peer) == {"namespaceSelector", "podSelector"}
                assert set(peer["namespaceSelector"]) == {"matchLabels"}
                assert key == "kubernetes.io/metadata.name"
                assert peer["podSelector"]["matchLabels"]
    assert count > 60


def test_a_sandbox_carries_the_rules_of_its_namespace() -> None:
    """Its controller makes a policy of the template's rules; the two must not differ."""
    count = 0
    for domain in rendered("local").domains:
        for obj in domain:
            if obj["kind"] != "SandboxTemplate":
                continue
            labels = obj["spec"]["podTemplate"]["metadata"]["labels"]
            own = obj["spec"]["networkPolicy"]
            specs = [p["spec"] for p in policies("local", domain.name)]
            mine = [spec for spec in specs if selects(spec["podSelector"], labels)]
            for key in ("ingress", "egress"):
                assert own[key] == [rule for spec in mine for rule in spec.get(key, ())]
                assert own[key]
            count += 1
    assert count == 3


@pytest.mark.parametrize("stack", STACKS)
def test_services_speak_on_the_port_of_their_containers(stack: str) -> None:
    """VPC CNI in strict mode sees the pod's port only: a Service must not translate it."""
    count = 0
    for domain in rendered(stack).domains:
        for skill in domain.skills:
            services = [obj for obj in skill.objects if obj["kind"] == "Service"]
            (template,) = [pod for obj in skill.objects if (pod := template_of(obj))]
            offered = {
                port["containerPort"]
                for container in template["spec"]["containers"]
                for port in container.get("ports", ())
            }
            for service in services:
                assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
                for port in service["spec"]["ports"]:
                    assert port["port"] == port["targetPort"]
                    assert port["port"] in offered
                    count += 1
    assert count >= 12
