"""NetworkPolicies of the platform's namespaces, from the tables of flows.

kube-system's are `aspora/system_flows.py`, the others' `aspora/services/flows.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aspora import names
from aspora.flows import Networks, peer_objects
from aspora.render.objects import Object, named
from aspora.services.flows import rows
from aspora.services.namespaces import NAMESPACES
from aspora.stack import StackSettings
from aspora.system_flows import (
    INTERNET,
    NAMESPACE,
    PRIVATE,
    SYSTEM_FLOWS,
    Domains,
    EveryPod,
    Namespace,
    SystemFlow,
)

API = "networking.k8s.io/v1"


def system_policies(settings: StackSettings) -> list[Object]:
    """Empty for a stack that makes no cluster of its own."""
    if settings.aws is None:
        return []
    return [_deny(NAMESPACE, ["Ingress"]), *policies(SYSTEM_FLOWS, settings)]


def platform_policies(settings: StackSettings) -> list[Object]:
    """Of every platform namespace but kube-system: nothing in or out, then what the rows name."""
    denied = [_deny(space.name, ["Ingress", "Egress"]) for space in NAMESPACES]
    return [*denied, *policies(rows(), settings)]


def policies(flows: Iterable[SystemFlow], settings: StackSettings) -> list[Object]:
    """One for the pods that some rows select, whatever the number of rows."""
    by_pods: dict[tuple[str, str, tuple[str, ...]], list[SystemFlow]] = {}
    for flow in flows:
        by_pods.setdefault((flow.namespace, flow.label, flow.pods), []).append(flow)
    return [policy(f"aspora-{_name(rows[0])}", rows, settings) for rows in by_pods.values()]


def _deny(namespace: str, types: list[str]) -> Object:
    """kube-system's is of one direction: a policy of one direction leaves the other open."""
    head = named(API, "NetworkPolicy", "aspora-default-deny", namespace, names.platform_labels())
    return head | {"spec": {"podSelector": {}, "policyTypes": types}}


def policy(name: str, flows: Sequence[SystemFlow], settings: StackSettings) -> Object:
    """Rows of the same pods as one object; its annotation says why, row by row."""
    first = flows[0]
    spec: Object = {"podSelector": _selector(first), "policyTypes": []}
    for kind, direction in (("Ingress", "from"), ("Egress", "to")):
        rules = [_rule(flow, settings) for flow in flows if flow.direction == direction]
        if rules:
            spec["policyTypes"].append(kind)
            spec[kind.lower()] = rules
    head = named(
        API,
        "NetworkPolicy",
        name,
        first.namespace,
        names.platform_labels(),
        {"aspora.io/why": " ".join(f"{flow.name}: {flow.why}" for flow in flows)},
    )
    return head | {"spec": spec}


def _name(flow: SystemFlow) -> str:
    """The pods' own, or that of the first row where they are several."""
    if not flow.pods:
        return "every-pod"
    return flow.pods[0] if len(flow.pods) == 1 else flow.name


def _rule(flow: SystemFlow, settings: StackSettings) -> Object:
    return {
        flow.direction: _peers(flow, settings),
        "ports": [{"protocol": protocol, "port": port} for protocol, port in flow.ports],
    }


def _selector(flow: SystemFlow) -> Object:
    if not flow.pods:
        return {}
    if len(flow.pods) == 1:
        return {"matchLabels": {flow.label: flow.pods[0]}}
    return {"matchExpressions": [{"key": flow.label, "operator": "In", "values": list(flow.pods)}]}


def _peers(flow: SystemFlow, settings: StackSettings) -> list[Object]:
    if isinstance(flow.peer, EveryPod):
        return [{"namespaceSelector": {}}]
    if isinstance(flow.peer, Namespace):
        only = {"kubernetes.io/metadata.name": flow.peer.namespace}
        return [{"namespaceSelector": {"matchLabels": only}}]
    if isinstance(flow.peer, Domains):
        labelled = {"key": names.DOMAIN_LABEL, "operator": "Exists"}
        return [{"namespaceSelector": {"matchExpressions": [labelled]}}]
    peers = peer_objects(flow.peer, settings)
    if isinstance(flow.peer, Networks) and flow.peer is INTERNET:
        return [{"ipBlock": peer["ipBlock"] | {"except": list(PRIVATE)}} for peer in peers]
    return peers
