"""The nodes that kwok plays: one for the platform, three for gVisor and one of those on spot.

Labels and taints are those of the real node pools, so that scheduling is decided as it will be
there. The nodes carry no owner label: they belong to this machine, not to the platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aspora.render.nodes import CAPACITY_LABEL, GVISOR, GVISOR_SPOT, PLATFORM, PoolKind
from aspora.stack import StackSettings
from local.kube import KubeClient

Object = dict[str, Any]


def node(pool: PoolKind, number: int, zone: str, region: str = "local") -> Object:
    """A node of `pool` as Karpenter would label it."""
    name = f"{pool.name}-{number}"
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": f"{region}{zone}",
        CAPACITY_LABEL: pool.capacity,
        "karpenter.sh/nodepool": pool.name,
        **pool.labels,
    }
    obj: Object = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
    }
    return obj | ({"spec": {"taints": list(pool.taints)}} if pool.taints else {})


def spread(region: str, zones: Sequence[str]) -> tuple[Object, ...]:
    """All of them over three zones of a region, each named by what follows the region's name."""
    first, second, third = zones[:3]
    return (
        node(PLATFORM, 0, first, region),
        node(GVISOR, 0, first, region),
        node(GVISOR, 1, second, region),
        node(GVISOR, 2, third, region),
        node(GVISOR_SPOT, 0, first, region),
    )


NODES = spread("local", ("-a", "-b", "-c"))


def ensure(client: KubeClient, settings: StackSettings | None = None) -> None:
    """Make the nodes, in the stack's own zones where it has some; those that are there stay."""
    aws = settings.aws if settings else None
    if settings and aws:
        zones = [zone.removeprefix(settings.region) for zone in aws.network.zones]
        wanted = spread(settings.region, zones)
    else:
        wanted = NODES
    for obj in wanted:
        if client.get(obj) is None:
            client.apply(obj)
