"""NetworkPolicies of kube-system, from the table in `aspora/system_flows.py`."""

from __future__ import annotations

from aspora import names
from aspora.flows import Networks, peer_objects
from aspora.render.objects import Object, named
from aspora.stack import StackSettings
from aspora.system_flows import INTERNET, NAMESPACE, PRIVATE, SYSTEM_FLOWS, EveryPod, SystemFlow

API = "networking.k8s.io/v1"


def system_policies(settings: StackSettings) -> list[Object]:
    """Empty for a stack that makes no cluster of its own."""
    if settings.aws is None:
        return []
    return [_deny(), *(_policy(flow, settings) for flow in SYSTEM_FLOWS)]


def _deny() -> Object:
    """Nobody gets in by default: a policy of one direction leaves the other open."""
    head = named(API, "NetworkPolicy", "aspora-default-deny", NAMESPACE, names.platform_labels())
    return head | {"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}


def _policy(flow: SystemFlow, settings: StackSettings) -> Object:
    kind = "Egress" if flow.direction == "to" else "Ingress"
    head = named(
        API,
        "NetworkPolicy",
        f"aspora-{flow.name}",
        NAMESPACE,
        names.platform_labels(),
        {"aspora.io/why": flow.why},
    )
    rule = {
        flow.direction: _peers(flow, settings),
        "ports": [{"protocol": protocol, "port": port} for protocol, port in flow.ports],
    }
    return head | {
        "spec": {"podSelector": _selector(flow), "policyTypes": [kind], kind.lower(): [rule]}
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
    peers = peer_objects(flow.peer, settings)
    if isinstance(flow.peer, Networks) and flow.peer is INTERNET:
        return [{"ipBlock": peer["ipBlock"] | {"except": list(PRIVATE)}} for peer in peers]
    return peers
