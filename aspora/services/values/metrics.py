"""Prometheus, Alertmanager, Grafana, node exporter and OpenCost."""

from __future__ import annotations

from aspora import names
from aspora.services.stores import METRICS_DAYS
from aspora.services.values.common import (
    BATCH,
    CONTAINER_SECURITY,
    CRITICAL,
    EVERY_NODE,
    NODE_CRITICAL,
    POD_SECURITY,
    STANDARD,
    Size,
    Values,
    from_secret,
    labels,
    placed,
    resources,
    size,
    spread,
)
from aspora.stack import StackSettings

GRAFANA = "grafana"
OUT_OF_MESH: Values = {"labels": {"sidecar.istio.io/inject": "false"}}
"""Prometheus calls pods of every namespace and has no mesh identity; what only it and the API
server call, and what talks to the Internet, stands with it. NetworkPolicies hold the rest."""


def prometheus_stack(settings: StackSettings) -> Values:
    """Rules, monitors and AlertmanagerConfigs are found whatever release they belong to."""
    count = size(settings)
    absent = ("kubeControllerManager", "kubeEtcd", "kubeProxy", "kubeScheduler")
    return {
        "crds": {"enabled": False},
        # EKS shows none of these.
        **{part: {"enabled": False} for part in absent},
        "prometheus": _prometheus(settings, count),
        "alertmanager": _alertmanager(count),
        "prometheusOperator": _operator(count),
        "grafana": _grafana(settings, count),
        "kube-state-metrics": {
            "customLabels": OUT_OF_MESH["labels"],
            "priorityClassName": STANDARD,
            "nodeSelector": placed(count),
            "resources": resources("20m", "128Mi", "512Mi"),
            "metricLabelsAllowlist": [f"namespaces=[{names.DOMAIN_LABEL},{names.TEAM_LABEL}]"],
        },
        "prometheus-node-exporter": {
            "namespaceOverride": names.NODE_AGENTS_NAMESPACE,
            "priorityClassName": NODE_CRITICAL,
            "tolerations": EVERY_NODE,
            "resources": resources("20m", "32Mi", "64Mi"),
        },
    }


def _volume(size_gib: str) -> Values:
    return {
        "volumeClaimTemplate": {
            "spec": {
                "storageClassName": names.STORAGE_CLASS,
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size_gib}},
            }
        }
    }


def _prometheus(settings: StackSettings, count: Size) -> Values:
    everything = ("podMonitor", "probe", "rule", "scrapeConfig", "serviceMonitor")
    return {
        "podDisruptionBudget": {"enabled": count.several, "minAvailable": 1},
        # Two replicas scrape at different seconds: who compares answers stays with one of them.
        "service": {"sessionAffinity": "ClientIP"},
        "prometheusSpec": {
            "podMetadata": OUT_OF_MESH,
            "replicas": count.replicas,
            "retention": f"{METRICS_DAYS}d",
            "externalLabels": {"cluster": settings.cluster.name},
            "priorityClassName": CRITICAL,
            "nodeSelector": placed(count),
            "topologySpreadConstraints": spread({"app.kubernetes.io/name": "prometheus"}),
            "resources": resources(count.pick("150m", "1"), count.pick("768Mi", "4Gi"), "6Gi"),
            "storageSpec": _volume(count.pick("20Gi", "100Gi")),
            **{f"{kind}SelectorNilUsesHelmValues": False for kind in everything},
        },
    }


def _alertmanager(count: Size) -> Values:
    return {
        "podDisruptionBudget": {"enabled": count.several, "minAvailable": 1},
        "alertmanagerSpec": {
            "podMetadata": OUT_OF_MESH,
            "replicas": count.replicas,
            "priorityClassName": CRITICAL,
            "nodeSelector": placed(count),
            "resources": resources("10m", "64Mi", "128Mi"),
            "storage": _volume("2Gi"),
            # The one configuration, for the alerts of every namespace (decision 50).
            "alertmanagerConfiguration": {"name": names.ALERTMANAGER_CONFIGURATION},
        },
    }


def _operator(count: Size) -> Values:
    return {
        "nodeSelector": placed(count),
        "podLabels": labels("prometheus-operator") | OUT_OF_MESH["labels"],
        "resources": resources("50m", "128Mi", "256Mi"),
        "prometheusConfigReloader": {"resources": resources("10m", "32Mi", "64Mi")},
        "admissionWebhooks": {"certManager": {"enabled": True}, "patch": {"enabled": False}},
    }


def _grafana(settings: StackSettings, count: Size) -> Values:
    """Its state is in PostgreSQL, so that two of it are one; dashboards come as ConfigMaps."""
    zone = settings.aws.dns.private_zone if settings.aws else "local"
    return {
        "replicas": count.replicas,
        # Its metrics are on the port of its pages, which the mesh keeps to itself.
        "serviceMonitor": {"enabled": False},
        "podDisruptionBudget": {"minAvailable": 1} if count.several else {},
        "priorityClassName": STANDARD,
        "nodeSelector": placed(count),
        "resources": resources("50m", "192Mi", "512Mi"),
        "containerSecurityContext": CONTAINER_SECURITY,
        "securityContext": POD_SECURITY | {"runAsUser": 472, "runAsGroup": 472, "fsGroup": 472},
        "admin": {"existingSecret": GRAFANA},
        "envValueFrom": {
            "GF_DATABASE_URL": from_secret("", GRAFANA, "database-url")["valueFrom"],
            "GF_SECURITY_SECRET_KEY": from_secret("", GRAFANA, "signing-key")["valueFrom"],
        },
        "grafana.ini": {
            "server": {"root_url": f"https://grafana.{zone}"},
            "analytics": {"check_for_updates": False, "reporting_enabled": False},
            "auth.anonymous": {"enabled": False},
            "users": {"allow_sign_up": False},
            "security": {"cookie_secure": True, "disable_gravatar": True},
        },
        # It would run as root to own a folder that there is not.
        "initChownData": {"enabled": False},
        "persistence": {"enabled": False},
        "testFramework": {"enabled": False},
        "sidecar": {
            "resources": resources("10m", "96Mi", "192Mi"),
            "securityContext": CONTAINER_SECURITY,
            "dashboards": {
                "searchNamespace": names.OBSERVABILITY_NAMESPACE,
                "folderAnnotation": "grafana_folder",
                "provider": {"foldersFromFilesStructure": True},
            },
        },
    }


def opencost(settings: StackSettings) -> Values:
    """Allocation by pod from Prometheus and AWS's list prices; its own pages are not served."""
    count = size(settings)
    return {
        "priorityClassName": BATCH,
        "podLabels": labels("opencost") | OUT_OF_MESH["labels"],
        "podSecurityContext": POD_SECURITY | {"runAsUser": 1001, "fsGroup": 1001},
        "opencost": {
            "nodeSelector": placed(count),
            "exporter": {
                "replicas": 1,
                "defaultClusterId": settings.cluster.name,
                "resources": resources("20m", "128Mi", "512Mi"),
                "securityContext": CONTAINER_SECURITY,
            },
            "prometheus": {
                "internal": {
                    "enabled": True,
                    "serviceName": names.PROMETHEUS_SERVICE,
                    "namespaceName": names.OBSERVABILITY_NAMESPACE,
                    "port": 9090,
                }
            },
            "metrics": {"serviceMonitor": {"enabled": True}},
            "ui": {"enabled": False},
        },
    }
