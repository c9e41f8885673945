"""What the values of all charts have in common: how many, how big, where, and with which rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aspora import names
from aspora.stack import StackSettings

Values = dict[str, Any]

CRITICAL = "aspora-critical"
STANDARD = "aspora-standard"
BATCH = "aspora-batch"
NODE_CRITICAL = "system-node-critical"
CLUSTER_CRITICAL = "system-cluster-critical"

POD_SECURITY: Values = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
"""The pod's half of Pod Security's level `restricted`."""
CONTAINER_SECURITY: Values = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""The container's half, and no writing to the image."""
EVERY_NODE = [{"operator": "Exists"}]
"""Tolerates every taint: an agent that has to be on each node."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many pods: two where somebody waits for them in prod, one in a small stack."""

    replicas: int

    @property
    def several(self) -> bool:
        """Whether a disruption budget makes sense: with one pod it would stop every drain."""
        return self.replicas > 1

    def pick(self, small: str, large: str) -> str:
        """One of two amounts."""
        return large if self.several else small


def size(settings: StackSettings) -> Size:
    """Of a stack: prod is highly available, unless it says that it is minimal."""
    return Size(2 if settings.environment == "prod" and not settings.minimal_replicas else 1)


def resources(cpu: str, memory: str, limit: str | None = None) -> Values:
    """Requests, and a limit of memory: the same unless said. CPU is never cut off."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit or memory}}


def labels(service: str) -> dict[str, str]:
    """By which NetworkPolicies find the pods of a service."""
    return {names.SERVICE_LABEL: service}


def placed(count: Size) -> dict[str, str]:
    """The nodes of the platform's services, whose pool has no taint to tolerate.

    A small stack gives them none of their own: they fill the system nodes first, and only gVisor's
    nodes, which are tainted, stay closed to them.
    """
    return dict(names.PLATFORM_POOL_LABELS) if count.several else {}


def spread(match: dict[str, str]) -> list[Values]:
    """Over zones as far as it goes: a lost zone takes one pod of two."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": match},
        }
    ]


def from_secret(variable: str, secret: str, key: str) -> Values:
    """An environment variable whose value stands in a Secret."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def inside(service: str, namespace: str) -> str:
    """The name by which pods reach a Service."""
    return f"{service}.{namespace}.svc.cluster.local"
