"""The platform's namespaces: how strict, in the mesh or not, and what may be counted in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from aspora import names

Level = Literal["restricted", "baseline", "privileged"]


@dataclass(frozen=True, slots=True)
class PlatformNamespace:
    """`level` is Pod Security's; `why` a sentence where it is not `restricted`.

    `mesh` has istiod put a sidecar into each pod. `balancers` are the Services of type LoadBalancer
    there may be; `volumes_gib` what all claims may ask for, 0 for none.
    """

    name: str
    what: str
    level: Level = "restricted"
    why: str = ""
    mesh: bool = False
    balancers: int = 0
    volumes_gib: int = 0


NAMESPACES: tuple[PlatformNamespace, ...] = (
    PlatformNamespace(names.PLATFORM_NAMESPACE, "the three gateways", mesh=True, balancers=1),
    PlatformNamespace(
        names.OBSERVABILITY_NAMESPACE,
        "metrics, traces, costs and their stores",
        mesh=True,
        volumes_gib=2000,
    ),
    PlatformNamespace(
        names.NODE_AGENTS_NAMESPACE,
        "node exporter, logs of the platform's pods",
        "privileged",
        "They read the node's own files.",
    ),
    PlatformNamespace(names.ISTIO_NAMESPACE, "the mesh's control plane"),
    PlatformNamespace(
        names.CNI_NAMESPACE,
        "the mesh's agent on each node",
        "privileged",
        "It sets up the network of every meshed pod.",
    ),
    PlatformNamespace(names.EGRESS_NAMESPACE, "the one way out"),
    PlatformNamespace("cert-manager", "certificates and the internal CA"),
    PlatformNamespace("external-secrets", "Secrets from AWS Secrets Manager"),
    PlatformNamespace("external-dns", "records of the stack's zones"),
    PlatformNamespace("keda", "scaling by queue depth"),
    PlatformNamespace(names.ARGOCD_NAMESPACE, "delivery from Git"),
    PlatformNamespace("argo-rollouts", "canaries"),
    PlatformNamespace(names.SANDBOX_NAMESPACE, "sandboxes of sessions"),
    PlatformNamespace("opentelemetry-operator", "the annotation inject-sdk"),
    # It asks ClickHouse and its keepers, which take nobody without a mesh identity.
    PlatformNamespace("clickhouse-operator", "pods of ClickHouse", mesh=True),
)


MESHED = tuple(space.name for space in NAMESPACES if space.mesh)
"""Those whose pods have sidecars."""


def by_name() -> Mapping[str, PlatformNamespace]:
    """The table by the namespaces' names."""
    return {space.name: space for space in NAMESPACES}
