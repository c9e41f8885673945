"""KEDA, Argo CD and Argo Rollouts: how agents are scaled and rolled out."""

from __future__ import annotations

from aspora.services.values.common import (
    CRITICAL,
    POD_SECURITY,
    STANDARD,
    Values,
    labels,
    placed,
    resources,
    size,
)
from aspora.stack import StackSettings


def keda(settings: StackSettings) -> Values:
    """It reads no Secret outside of its own namespace: our triggers need none."""
    count = size(settings)
    parts = ("operator", "metricServer", "webhooks")
    budgets = {part: {"minAvailable": 1} for part in parts} if count.several else {}
    scraped = {"enabled": True, "serviceMonitor": {"enabled": True}}
    return {
        "crds": {"install": False},
        "priorityClassName": CRITICAL,
        "nodeSelector": placed(count),
        "operator": {"replicaCount": count.replicas},
        "metricsServer": {"replicaCount": count.replicas},
        "webhooks": {"replicaCount": count.replicas},
        "podDisruptionBudget": budgets,
        "resources": {part: resources("20m", "64Mi", "512Mi") for part in parts},
        "podLabels": {part: labels("keda") for part in ("keda", "metricsAdapter", "webhooks")},
        "image": {"pullPolicy": "IfNotPresent"},
        "networkPolicy": {"enabled": False},
        "permissions": {"operator": {"restrict": {"secret": True}}},
        "prometheus": dict.fromkeys(parts, scraped),
    }


def argo_cd(settings: StackSettings) -> Values:
    """Without a local administrator: nobody has a password that could leak.

    ApplicationSets, single sign-on and notifications are not used, and so not run.
    """
    count = size(settings)
    metrics = {"enabled": True, "serviceMonitor": {"enabled": True}}
    serving: Values = {
        "replicas": count.replicas,
        "pdb": {"enabled": count.several, "minAvailable": 1 if count.several else ""},
        "metrics": metrics,
    }
    return {
        "crds": {"install": False},
        "global": {
            "domain": f"argocd.{settings.aws.dns.private_zone if settings.aws else 'local'}",
            "nodeSelector": placed(count),
            "podLabels": labels("argo-cd"),
            "priorityClassName": STANDARD,
            "logging": {"format": "json"},
            "networkPolicy": {"create": False},
        },
        "configs": {
            "cm": {"admin.enabled": False, "exec.enabled": False},
            "rbac": {"policy.default": ""},
        },
        "server": serving | {"resources": resources("50m", "128Mi", "512Mi")},
        "repoServer": serving
        | {"resources": resources("50m", count.pick("128Mi", "256Mi"), "1Gi")},
        "controller": {
            "replicas": 1,
            "metrics": metrics,
            "resources": resources(count.pick("100m", "250m"), count.pick("256Mi", "1Gi"), "2Gi"),
        },
        "redis": {"resources": resources("20m", "64Mi", "256Mi")},
        # Its password is the named secret's (aspora/services/secrets.py), not a job's.
        "redisSecretInit": {"enabled": False},
        "applicationSet": {"replicas": 0, "resources": resources("20m", "64Mi", "128Mi")},
        "dex": {"enabled": False},
        "notifications": {"enabled": False},
    }


def argo_rollouts(settings: StackSettings) -> Values:
    """It moves weights of Istio's routes, and of no other router."""
    count = size(settings)
    others = ("ambassador", "apisix", "awsAppMesh", "awsLoadBalancerController", "contour")
    more = ("gatewayAPI", "glooPlatform", "smi", "traefik")
    return {
        "installCRDs": False,
        "podSecurityContext": POD_SECURITY,
        "podLabels": labels("argo-rollouts"),
        "controller": {
            "replicas": count.replicas,
            "pdb": {"enabled": count.several, "minAvailable": 1} if count.several else {},
            "priorityClassName": CRITICAL,
            "nodeSelector": placed(count),
            "resources": resources("50m", "128Mi", "512Mi"),
            "metrics": {"enabled": True, "serviceMonitor": {"enabled": True}},
        },
        "dashboard": {"enabled": False},
        "providerRBAC": {"providers": {"istio": True} | dict.fromkeys((*others, *more), False)},
    }
