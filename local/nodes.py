"""The nodes that kwok plays: one for the platform, three for gVisor, one of them spot.

Labels and taints are those of the real node pools, so that scheduling is decided as it will be
there. The nodes carry no owner label: they belong to this machine, not to the platform.
"""

from __future__ import annotations

from typing import Any

from aspora.names import RUNTIME_LABEL
from local.kube import KubeClient

Object = dict[str, Any]

GVISOR_TAINT = {"key": RUNTIME_LABEL, "value": "gvisor", "effect": "NoSchedule"}
SPOT_TAINT = {"key": "spot", "value": "true", "effect": "NoSchedule"}


def node(name: str, zone: str, *, gvisor: bool = False, spot: bool = False) -> Object:
    """One node as Karpenter would label it."""
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": "local",
        "topology.kubernetes.io/zone": f"local-{zone}",
        "karpenter.sh/capacity-type": "spot" if spot else "on-demand",
    }
    if gvisor:
        labels[RUNTIME_LABEL] = "gvisor"
    taints = [GVISOR_TAINT] * gvisor + [SPOT_TAINT] * spot
    obj: Object = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
    }
    return obj | ({"spec": {"taints": taints}} if taints else {})


NODES: tuple[Object, ...] = (
    node("system-0", "a"),
    node("gvisor-0", "a", gvisor=True),
    node("gvisor-1", "b", gvisor=True),
    node("gvisor-2", "c", gvisor=True),
    node("gvisor-spot-0", "a", gvisor=True, spot=True),
)


def ensure(client: KubeClient) -> None:
    """Make the nodes; those that are there stay as they are."""
    for obj in NODES:
        if client.get(obj) is None:
            client.apply(obj)
