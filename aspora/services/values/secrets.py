"""cert-manager, External Secrets and external-dns."""

from __future__ import annotations

from aspora.services.values.common import (
    CRITICAL,
    STANDARD,
    Values,
    labels,
    placed,
    resources,
    size,
    spread,
)
from aspora.stack import StackSettings


def cert_manager(settings: StackSettings) -> Values:
    """Certificates last a day: without it agents cannot be called from the next day on."""
    count = size(settings)
    common: Values = {
        "replicaCount": count.replicas,
        "podDisruptionBudget": {"enabled": count.several},
        "podLabels": labels("cert-manager"),
        "topologySpreadConstraints": spread(labels("cert-manager")),
    }
    return common | {
        "crds": {"enabled": False},
        # It looks for its own DNS-01 records by CoreDNS: no policy lets it ask a zone's servers.
        "dns01RecursiveNameserversOnly": True,
        "resources": resources("50m", "64Mi", "512Mi"),
        "global": {"priorityClassName": CRITICAL, "nodeSelector": placed(count)},
        "webhook": common | {"resources": resources("20m", "64Mi", "128Mi")},
        "cainjector": common | {"resources": resources("20m", "64Mi", "512Mi")},
        "startupapicheck": {
            "podLabels": labels("cert-manager"),
            "resources": resources("10m", "32Mi", "64Mi"),
        },
        # The namespace of a certificate, not that of cert-manager, tells whose it is.
        "prometheus": {"enabled": True, "servicemonitor": {"enabled": True, "honorLabels": True}},
    }


def external_secrets(settings: StackSettings) -> Values:
    """Only stores of a namespace: what is of the whole cluster, and pushing, is switched off."""
    count = size(settings)
    common: Values = {
        "replicaCount": count.replicas,
        "priorityClassName": CRITICAL,
        "podDisruptionBudget": {"enabled": count.several, "minAvailable": 1},
    }
    return common | {
        "installCRDs": False,
        "leaderElect": True,
        "resources": resources("50m", "64Mi", "512Mi"),
        "processClusterExternalSecret": False,
        "processClusterGenerator": False,
        "processClusterPushSecret": False,
        "processClusterStore": False,
        "processPushSecret": False,
        "global": {"nodeSelector": placed(count), "podLabels": labels("external-secrets")},
        "webhook": common | {"resources": resources("20m", "64Mi", "128Mi")},
        "certController": {
            "priorityClassName": CRITICAL,
            "resources": resources("20m", "64Mi", "256Mi"),
        },
        "serviceMonitor": {"enabled": True, "honorLabels": True},
    }


def external_dns(settings: StackSettings) -> Values:
    """Records of the stack's own two zones; it never deletes what it did not make."""
    count = size(settings)
    zones = [settings.aws.dns.public_zone, settings.aws.dns.private_zone] if settings.aws else []
    return {
        "provider": {"name": "aws"},
        "sources": ["service"],
        "policy": "upsert-only",
        "registry": "txt",
        "txtOwnerId": settings.cluster.name,
        "domainFilters": zones,
        "serviceAccount": {"create": True, "name": "external-dns"},
        "priorityClassName": STANDARD,
        "resources": resources("20m", "64Mi", "128Mi"),
        "nodeSelector": placed(count),
        "podLabels": labels("external-dns"),
        "serviceMonitor": {"enabled": True},
    }
