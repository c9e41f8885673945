"""Karpenter's node pools: which machines there are, for whom, and when they may be taken away.

The pools' labels and taints are here only. RuntimeClass and pods tolerate these very taints, and
the nodes that the local stack plays carry them too (local/nodes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from aspora import names, user_data
from aspora.render.objects import Object, named
from aspora.stack import StackSettings
from aspora.stack_aws import AwsSettings, Nodes, Pool

GVISOR_LABELS = {names.RUNTIME_LABEL: "gvisor"}
GVISOR_TAINT: Object = {"key": names.RUNTIME_LABEL, "value": "gvisor", "effect": "NoSchedule"}
SPOT_TAINT: Object = {"key": "spot", "value": "true", "effect": "NoSchedule"}
CAPACITY_LABEL = "karpenter.sh/capacity-type"
"""Karpenter puts it on every node."""

VOLUME_GIB = 50
"""Root volume of a node: images, logs and writable layers."""
GRACE = "1h"
"""How long a node is drained before it goes in any case: an execution may take an hour."""
CONSOLIDATE_AFTER = "10m"
"""Scaling down takes five quiet minutes and then one pod every two: nodes follow, not lead."""

# A tenth of a pool's nodes at a time (Karpenter rounds up: one of three).
A_FEW: Object = {"nodes": "10%"}
# 09:00 to 18:00 from Monday to Friday in Dubai, the zone of the domains' schedules; Karpenter reads
# UTC. A session lives in one pod and ends with it, so only empty nodes go while people work. Expiry
# and spot interruptions ask no budget.
NOT_AT_WORK: Object = {
    "nodes": "0",
    "schedule": "0 5 * * 1-5",
    "duration": "9h",
    "reasons": ["Underutilized", "Drifted"],
}

CapacityType = Literal["on-demand", "spot"]
NodeClass = Literal["platform", "gvisor"]


@dataclass(frozen=True, slots=True)
class PoolKind:
    """A pool as far as it is the same in every stack; `settings` finds the rest of it.

    `expire_after` is the age at which a node is replaced, for a fresh system.
    """

    name: str
    node_class: NodeClass
    settings: Callable[[Nodes], Pool]
    expire_after: str
    capacity: CapacityType = "on-demand"
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Object, ...] = ()
    budgets: tuple[Object, ...] = (A_FEW, NOT_AT_WORK)


PLATFORM = PoolKind("platform", "platform", lambda nodes: nodes.platform, "720h")
# Half as long: these machines run code that a model wrote.
GVISOR = PoolKind(
    "gvisor",
    "gvisor",
    lambda nodes: nodes.gvisor,
    "336h",
    labels=GVISOR_LABELS,
    taints=(GVISOR_TAINT,),
)
# Its pods have agreed to be interrupted at any hour.
GVISOR_SPOT = PoolKind(
    "gvisor-spot",
    "gvisor",
    lambda nodes: nodes.gvisor_spot,
    "336h",
    capacity="spot",
    labels=GVISOR_LABELS,
    taints=(GVISOR_TAINT, SPOT_TAINT),
    budgets=(A_FEW,),
)
POOLS = (PLATFORM, GVISOR, GVISOR_SPOT)


def toleration(taint: Mapping[str, str]) -> Object:
    """What a pod has to carry to be let onto nodes with `taint`."""
    return {
        "key": taint["key"],
        "operator": "Equal",
        "value": taint["value"],
        "effect": taint["effect"],
    }


def node_objects(settings: StackSettings) -> list[Object]:
    """EC2NodeClasses, then the NodePools that refer to them; none where there is no AWS."""
    aws = settings.aws
    if aws is None:
        return []
    bucket = names.bucket(aws.bucket_prefix, "tools")
    script = user_data.gvisor_node(aws.nodes.gvisor_runtime, bucket, settings.region)
    return [
        node_class("platform", settings, aws),
        node_class("gvisor", settings, aws, script),
        *(node_pool(kind, aws) for kind in POOLS),
    ]


def node_class(
    name: NodeClass, settings: StackSettings, aws: AwsSettings, script: str | None = None
) -> Object:
    """How a machine is made. A pod cannot reach the machine's own credentials: one hop, IMDSv2.

    The role goes by its name alone: Karpenter makes the instance profile, and takes no path.
    """
    cluster = settings.cluster.name
    spec: Object = {
        "role": names.karpenter_node_role(settings.cluster.name),
        "amiSelectorTerms": [{"alias": _image(aws.nodes.ami_release)}],
        "subnetSelectorTerms": [{"tags": {names.DISCOVERY_TAG: cluster}}],
        # The group that EKS itself makes and tags (EKS user guide, security group requirements).
        "securityGroupSelectorTerms": [{"tags": {"aws:eks:cluster-name": cluster}}],
        "associatePublicIPAddress": False,
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpProtocolIPv6": "disabled",
            "httpPutResponseHopLimit": 1,
            "httpTokens": "required",
        },
        "blockDeviceMappings": [_root_volume()],
        "detailedMonitoring": True,
        "tags": names.tags(settings.environment),
    }
    if script is not None:
        spec["userData"] = script
    return _karpenter("karpenter.k8s.aws/v1", "EC2NodeClass", name) | {"spec": spec}


def _karpenter(api: str, kind: str, name: str) -> Object:
    return named(api, kind, name, None, names.platform_labels())


def _image(release: str | None) -> str:
    """Karpenter's alias of the EKS image; a release is written with its `v`."""
    return f"al2023@v{release.removeprefix('v')}" if release else "al2023@latest"


def _root_volume() -> Object:
    return {
        "deviceName": "/dev/xvda",
        "rootVolume": True,
        "ebs": {
            "volumeType": "gp3",
            "volumeSize": f"{VOLUME_GIB}Gi",
            "encrypted": True,
            "deleteOnTermination": True,
        },
    }


def node_pool(kind: PoolKind, aws: AwsSettings) -> Object:
    """Which machines Karpenter may start, up to how many vCPU, and when it may take them away.

    A limit of 0 keeps the pool, empty: what refers to it still finds it.
    """
    pool = kind.settings(aws.nodes)
    node: Object = {
        "nodeClassRef": {
            "group": "karpenter.k8s.aws",
            "kind": "EC2NodeClass",
            "name": kind.node_class,
        },
        "requirements": _requirements(kind, pool, aws),
        "expireAfter": kind.expire_after,
        "terminationGracePeriod": GRACE,
    }
    if kind.taints:
        node["taints"] = list(kind.taints)
    labelled: Object = {"metadata": {"labels": dict(kind.labels)}} if kind.labels else {}
    return _karpenter("karpenter.sh/v1", "NodePool", kind.name) | {
        "spec": {
            "template": labelled | {"spec": node},
            "limits": {"cpu": str(pool.cpu_limit)},
            "disruption": {
                "consolidationPolicy": "WhenEmptyOrUnderutilized",
                "consolidateAfter": CONSOLIDATE_AFTER,
                "budgets": list(kind.budgets),
            },
        }
    }


def _requirements(kind: PoolKind, pool: Pool, aws: AwsSettings) -> list[Object]:
    """The labels stand here too: Karpenter then knows, before there is a node, whom it would suit.

    (awslabs/ai-on-eks notes that for the key of a RuntimeClass's node selector.)
    """
    wanted: Mapping[str, tuple[str, ...]] = {
        "kubernetes.io/arch": ("amd64",),
        "kubernetes.io/os": ("linux",),
        CAPACITY_LABEL: (kind.capacity,),
        "node.kubernetes.io/instance-type": pool.instance_types,
        "topology.kubernetes.io/zone": aws.network.zones,
        **{key: (value,) for key, value in kind.labels.items()},
    }
    return [
        {"key": key, "operator": "In", "values": list(values)} for key, values in wanted.items()
    ]
