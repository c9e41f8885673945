"""Karpenter and the load balancer controller: they run where nodes are before there is a pool."""

from __future__ import annotations

from aspora import names
from aspora.services.values.common import CLUSTER_CRITICAL, Values, resources, size
from aspora.stack import StackSettings


def karpenter(settings: StackSettings) -> Values:
    """The queue is the one that AWS tells of interruptions (components/aws/nodes.py)."""
    cluster, count = settings.cluster.name, size(settings)
    return {
        "replicas": count.replicas,
        "priorityClassName": CLUSTER_CRITICAL,
        "nodeSelector": dict(names.SYSTEM_NODE_LABELS),
        "serviceAccount": {"name": "karpenter"},
        "controller": {
            "resources": resources(count.pick("100m", "500m"), count.pick("256Mi", "1Gi"), "1Gi")
        },
        "serviceMonitor": {"enabled": True},
        "settings": {
            "clusterName": cluster,
            "interruptionQueue": names.interruption_queue(cluster),
            "featureGates": {"nodeRepair": True},
        },
    }


def load_balancers(settings: StackSettings) -> Values:
    """The VPC is found by its name: pods cannot ask the node's metadata, whose hop limit is one."""
    cluster, several = settings.cluster.name, size(settings)
    return {
        "replicaCount": several.replicas,
        "clusterName": cluster,
        "region": settings.region,
        "vpcTags": {"Name": names.vpc(cluster)},
        "defaultTargetType": "ip",
        "defaultTags": names.tags(settings.environment),
        "serviceAccount": {"create": True, "name": "aws-load-balancer-controller"},
        "priorityClassName": CLUSTER_CRITICAL,
        "nodeSelector": dict(names.SYSTEM_NODE_LABELS),
        "resources": resources("50m", "128Mi", "256Mi"),
        "podDisruptionBudget": {"maxUnavailable": 1} if several.several else {},
        # What its role does not allow, and nobody here asks for.
        "enableShield": False,
        "enableWaf": False,
        "enableWafv2": False,
        "createIngressClassResource": False,
        "ingressClassParams": {"create": False},
        "enableServiceMutatorWebhook": False,
        "serviceMonitor": {"enabled": True},
    }
