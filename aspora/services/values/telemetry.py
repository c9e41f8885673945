"""The OpenTelemetry collectors and operator; what the collectors do is given by `Collectors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aspora.services.values.common import (
    CONTAINER_SECURITY,
    CRITICAL,
    EVERY_NODE,
    NODE_CRITICAL,
    POD_SECURITY,
    STANDARD,
    Values,
    labels,
    placed,
    resources,
    size,
    spread,
)
from aspora.stack import StackSettings

COLLECTOR = "otel-collector"
"""Its Service, its ServiceAccount, and the value of its pods' label `app`."""
COLLECTOR_TLS = "otel-collector-tls"
"""The Secret of the certificate that agents check, mounted at TLS_PATH."""
TLS_PATH = "/etc/otel/tls"
IMAGE = "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib"
SPAN_METRICS_PORT = 8889
_UNUSED = ("jaeger-compact", "jaeger-grpc", "jaeger-thrift", "zipkin")
_USER = 10001


@dataclass(frozen=True, slots=True)
class Collectors:
    """The whole configuration of each collector, as its own YAML would hold it.

    `gateway` takes what pods send and passes it on; `agent` reads logs on each node.
    """

    gateway: Mapping[str, Any]
    agent: Mapping[str, Any]


def gateway(settings: StackSettings, config: Mapping[str, Any]) -> Values:
    """One Deployment. Keys and passwords come as variables from the Secret of the same name."""
    count = size(settings)
    return {
        "mode": "deployment",
        "fullnameOverride": COLLECTOR,
        "image": {"repository": IMAGE},
        "command": {"name": "otelcol-contrib"},
        "replicaCount": count.replicas,
        "podDisruptionBudget": {"enabled": count.several, "minAvailable": 1}
        if count.several
        else {"enabled": False},
        "alternateConfig": dict(config),
        "podLabels": {"app": COLLECTOR} | labels(COLLECTOR),
        "priorityClassName": CRITICAL,
        "nodeSelector": placed(count),
        "topologySpreadConstraints": spread({"app": COLLECTOR}),
        "resources": resources(count.pick("100m", "500m"), count.pick("256Mi", "1Gi"), "2Gi"),
        "podSecurityContext": POD_SECURITY | {"runAsUser": _USER, "fsGroup": _USER},
        "securityContext": CONTAINER_SECURITY,
        "serviceAccount": {"create": True, "name": COLLECTOR},
        "clusterRole": {"create": True, "rules": _looks()},
        "extraEnvsFrom": [{"secretRef": {"name": COLLECTOR}}],
        "extraVolumes": [{"name": "tls", "secret": {"secretName": COLLECTOR_TLS}}],
        "extraVolumeMounts": [{"name": "tls", "mountPath": TLS_PATH, "readOnly": True}],
        "ports": _ports() | {"span-metrics": _port(SPAN_METRICS_PORT)},
        "serviceMonitor": {
            "enabled": True,
            "metricsEndpoints": [{"port": "metrics"}, {"port": "span-metrics"}],
        },
    }


def agent(_: StackSettings, config: Mapping[str, Any]) -> Values:
    """One pod a node; the logs of pods belong to root, so it is root, and may do nothing else."""
    return {
        "mode": "daemonset",
        "fullnameOverride": "otel-agent",
        "image": {"repository": IMAGE},
        "command": {"name": "otelcol-contrib"},
        "alternateConfig": dict(config),
        "podLabels": {"app": "otel-agent"} | labels("otel-agent"),
        "priorityClassName": NODE_CRITICAL,
        "tolerations": EVERY_NODE,
        "resources": resources("50m", "128Mi", "256Mi"),
        "securityContext": CONTAINER_SECURITY | {"runAsNonRoot": False, "runAsUser": 0},
        "serviceAccount": {"create": True, "name": "otel-agent"},
        "extraVolumes": [
            {"name": "pod-logs", "hostPath": {"path": "/var/log/pods"}},
            {
                "name": "checkpoints",
                "hostPath": {"path": "/var/lib/otel-agent", "type": "DirectoryOrCreate"},
            },
        ],
        "extraVolumeMounts": [
            {"name": "pod-logs", "mountPath": "/var/log/pods", "readOnly": True},
            {"name": "checkpoints", "mountPath": "/var/lib/otel-agent"},
        ],
        "ports": _ports(),
    }


def operator(settings: StackSettings) -> Values:
    """It answers the annotation `inject-sdk`; a pod starts even when it does not answer."""
    count = size(settings)
    return {
        "crds": {"create": False},
        "replicaCount": count.replicas,
        "pdb": {"create": count.several, "minAvailable": 1},
        "priorityClassName": STANDARD,
        "nodeSelector": placed(count),
        "securityContext": POD_SECURITY | {"runAsUser": 65532, "runAsGroup": 65532},
        "manager": {
            "podLabels": labels("opentelemetry-operator"),
            "resources": resources("20m", "128Mi", "256Mi"),
            "serviceMonitor": {"enabled": True},
        },
        "admissionWebhooks": {
            "certManager": {"enabled": True},
            "pods": {"failurePolicy": "Ignore"},
        },
    }


def _looks() -> list[Values]:
    """Whose pod an address is: names and labels, nothing more."""
    looks = ["get", "list", "watch"]
    return [
        {"apiGroups": [""], "resources": ["namespaces", "nodes", "pods"], "verbs": looks},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": looks},
    ]


def _port(number: int) -> Values:
    return {"enabled": True, "containerPort": number, "servicePort": number, "protocol": "TCP"}


def _ports() -> Values:
    return {"metrics": {"enabled": True}} | {name: {"enabled": False} for name in _UNUSED}
