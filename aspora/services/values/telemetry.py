"""The OpenTelemetry collector in its two tiers and on each node, and the operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aspora.flows import OTLP_GRPC_PORT, OTLP_PORT
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
from aspora.telemetry import node_logs
from aspora.telemetry.collector import (
    AGENT,
    COUNT_PORT,
    GATEWAY,
    OWN_METRICS_PORT,
    SKILL_METRICS_PORT,
    TLS_PATH,
    TRACES_PORT,
    tls_secret,
)

IMAGE = "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib"
_UNUSED = ("jaeger-compact", "jaeger-grpc", "jaeger-thrift", "zipkin")
_USER = 10001


def collector(settings: StackSettings, config: Mapping[str, Any]) -> Values:
    """The tier that agents send to; it asks the API server whose pod an address is."""
    return _tier(AGENT, settings, config) | {
        "clusterRole": {"create": True, "rules": _looks()},
        "ports": _ports({"otlp-http": OTLP_PORT}) | {"otlp": _port(OTLP_GRPC_PORT, "grpc")},
        # Past the sidecar, which would hide the address by which the sender is known.
        "podAnnotations": {"traffic.sidecar.istio.io/excludeInboundPorts": str(OTLP_PORT)},
        "serviceMonitor": {"enabled": True, "metricsEndpoints": [{"port": "metrics"}]},
    }


def gateway(settings: StackSettings, config: Mapping[str, Any]) -> Values:
    """The tier that counts, samples and exports: keys and passwords come as variables from the
    Secret of the same name. A PodMonitor of ours scrapes it (aspora/render/collectors.py)."""
    ports = {
        "traces": TRACES_PORT,
        "count": COUNT_PORT,
        "metrics": OWN_METRICS_PORT,
        "skill-metrics": SKILL_METRICS_PORT,
    }
    return _tier(GATEWAY, settings, config) | {
        "extraEnvsFrom": [{"secretRef": {"name": GATEWAY}}],
        "ports": _ports(ports),
        "serviceMonitor": {"enabled": False},
    }


def _tier(name: str, settings: StackSettings, config: Mapping[str, Any]) -> Values:
    """One Deployment whose whole configuration is given, with its certificate mounted."""
    count = size(settings)
    return {
        "mode": "deployment",
        "fullnameOverride": name,
        "image": {"repository": IMAGE},
        "command": {"name": "otelcol-contrib"},
        "replicaCount": count.replicas,
        "podDisruptionBudget": {"enabled": count.several, "minAvailable": 1}
        if count.several
        else {"enabled": False},
        "alternateConfig": dict(config),
        "podLabels": {"app": name} | labels(name),
        "priorityClassName": CRITICAL,
        "nodeSelector": placed(count),
        "topologySpreadConstraints": spread({"app": name}),
        "resources": resources(count.pick("100m", "500m"), count.pick("256Mi", "1Gi"), "2Gi"),
        "podSecurityContext": POD_SECURITY | {"runAsUser": _USER, "fsGroup": _USER},
        "securityContext": CONTAINER_SECURITY,
        "serviceAccount": {"create": True, "name": name},
        "extraVolumes": [{"name": "tls", "secret": {"secretName": tls_secret(name)}}],
        "extraVolumeMounts": [{"name": "tls", "mountPath": TLS_PATH, "readOnly": True}],
    }


def logs(settings: StackSettings, config: Mapping[str, Any]) -> Values:  # noqa: ARG001
    """The collector on each node. Kubelet's files are root's alone; root without a capability reads
    them as their owner, and writes to its own folder only."""
    name = node_logs.NAME
    folders = {"pods": node_logs.LOGS_PATH, "state": node_logs.STATE_PATH}
    return {
        "mode": "daemonset",
        "fullnameOverride": name,
        "image": {"repository": IMAGE},
        "command": {"name": "otelcol-contrib"},
        "alternateConfig": dict(config),
        "podLabels": {"app": name} | labels(name),
        "priorityClassName": NODE_CRITICAL,
        "tolerations": EVERY_NODE,
        "resources": resources("20m", "64Mi", "256Mi"),
        "podSecurityContext": {"seccompProfile": POD_SECURITY["seccompProfile"]},
        "securityContext": CONTAINER_SECURITY | {"runAsUser": 0, "runAsNonRoot": False},
        "serviceAccount": {"create": True, "name": name},
        "ports": _ports({}),
        "podMonitor": {"enabled": True, "metricsEndpoints": [{"port": "metrics"}]},
        "extraVolumes": [
            {"name": key, "hostPath": {"path": path, "type": _KINDS[key]}}
            for key, path in folders.items()
        ],
        "extraVolumeMounts": [
            {"name": key, "mountPath": path, "readOnly": key == "pods"}
            for key, path in folders.items()
        ],
    }


_KINDS = {"pods": "Directory", "state": "DirectoryOrCreate"}


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


def _port(number: int, protocol: str = "tcp") -> Values:
    """The mesh is not to read TLS of our own as HTTP. Where its proxies send, it has to know gRPC,
    or they ask for HTTP/2 in vain."""
    return {
        "enabled": True,
        "containerPort": number,
        "servicePort": number,
        "protocol": "TCP",
        "appProtocol": protocol,
    }


def _ports(wanted: Mapping[str, int]) -> Values:
    """Exactly these: the chart's own ports are off."""
    off = {name: {"enabled": False} for name in ("otlp", "otlp-http", *_UNUSED)}
    return {"metrics": {"enabled": True}} | off | {n: _port(port) for n, port in wanted.items()}
