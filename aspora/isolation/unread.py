"""Kinds of objects that the proof does not read: those that open nothing, and all others.

An object of a kind that is named nowhere may open a path that this package knows nothing of: it
breaks the proof until somebody decides what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aspora.isolation.addresses import Block
from aspora.isolation.given import Given, Object, ref, space
from aspora.isolation.notes import Noted
from aspora.isolation.promises import INGRESS

READ: Final = frozenset(
    {
        *("Namespace", "NetworkPolicy", "Service", "ServiceAccount", "ConfigMap"),
        *("Pod", "Deployment", "StatefulSet", "DaemonSet", "Rollout", "Job", "CronJob"),
        *("SandboxTemplate", "ClickHouseCluster", "KeeperCluster"),
        *("Gateway", "VirtualService", "AuthorizationPolicy"),
        *("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "AppProject"),
        *("SecretStore", "ExternalSecret", "Certificate"),
    }
)
OPEN_NOTHING: Final = {
    "Application": "applies what its AppProject lets it",
    "ClusterIssuer": "signs those names; which one may be asked for, admission decides",
    "DestinationRule": "says how a route is travelled, not whether",
    "EC2NodeClass": "machines",
    "EnvoyFilter": "limits of the gateways",
    "Instrumentation": "settings of telemetry",
    "LimitRange": "amounts",
    "NodePool": "machines",
    "PeerAuthentication": "asks for more than NetworkPolicies do, never for less",
    "PodDisruptionBudget": "amounts",
    "PodMonitor": "whom Prometheus asks; whether it may, NetworkPolicies say",
    "PriorityClass": "amounts",
    "PrometheusRule": "arithmetic",
    "RequestAuthentication": "refuses tokens; allows nothing",
    "ResourceQuota": "amounts",
    "RuntimeClass": "how a container is started",
    "SandboxWarmPool": "how many pods of a template",
    "ScaledObject": "how many pods of a Deployment",
    "ServiceEntry": "gives a host a name; whether it may be called, policies say",
    "Sidecar": "what a proxy knows, on top of NetworkPolicies",
    "StorageClass": "disks",
    "Telemetry": "what proxies tell",
    "ValidatingAdmissionPolicy": "refuses objects; allows nothing",
    "ValidatingAdmissionPolicyBinding": "says where one holds",
    "AlertmanagerConfig": "whom alerts go to",
}
"""Kinds that open no path by themselves, and why."""


def hold(given: Given, noted: Noted) -> None:
    """Every kind is known."""
    for kind, objects in given.by_kind.items():
        if kind not in READ and kind not in OPEN_NOTHING:
            names = [ref(obj) for obj in objects]
            noted.note("unread", kind, "the proof does not know this kind: {}", names, names[:1])
    for obj in given.kind("Service"):
        spec = obj["spec"]
        if _is_door(spec) and not _is_promised(given, obj):
            kind = spec.get("type", "externalIPs")
            noted.note("outside", ref(obj), "opens a door of its own: {}", [kind], [ref(obj)])


def _is_door(spec: Mapping[str, Any]) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer", "ExternalName") or "externalIPs" in spec


def _is_promised(given: Given, obj: Object) -> bool:
    """The one load balancer: before aspora-gateway's public port, for addresses of the VPC."""
    spec = obj["spec"]
    ranges = spec.get("loadBalancerSourceRanges") or ()
    return (
        spec["type"] == "LoadBalancer"
        and INGRESS.is_pod(space(obj), spec.get("selector") or {})
        and [port["port"] for port in spec["ports"]] == [443]
        and bool(ranges)
        and all(Block(one).within(given.networks.vpc) for one in ranges)
    )
