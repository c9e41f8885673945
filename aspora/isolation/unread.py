"""Kinds of objects that the proof does not read: those that open nothing, and all others.

An object of a kind that is named nowhere may open a path that this package knows nothing of: it
breaks the proof until somebody decides what it is.
"""

from __future__ import annotations

from typing import Final

from aspora.isolation.given import Given, ref
from aspora.isolation.notes import Noted

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
        if (
            spec.get("type") in ("NodePort", "LoadBalancer", "ExternalName")
            or "externalIPs" in spec
        ):
            kind = spec.get("type", "externalIPs")
            noted.note("outside", ref(obj), "opens a door of its own: {}", [kind], [ref(obj)])
