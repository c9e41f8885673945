"""One of our own programs in the platform's namespace: its pods, Service, budget and metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from aspora import flows, names
from aspora.gateways.mesh import MERGED_METRICS, MONITORING, monitored
from aspora.gateways.pins import Program
from aspora.render.objects import Object, named
from aspora.render.pods import CONTAINER_SECURITY, POD_SECURITY, TMP_MOUNT, TMP_VOLUME
from aspora.services.values.common import size
from aspora.stack import StackSettings

SPACE = names.PLATFORM_NAMESPACE
CONFIG_PATH = "/etc/aspora"
TLS_PATH = "/var/run/aspora/tls"
GATEWAY_PORT = flows.GATEWAY_PORT


@dataclass(frozen=True, slots=True)
class Part:
    """What tells one program from another.

    `files` are its configuration, mounted at /etc/aspora; a change of them restarts the pods.
    """

    name: str
    program: Program
    args: tuple[str, ...]
    files: Mapping[str, str]
    port: int
    port_name: str
    readiness: Mapping[str, Any]
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    env: tuple[Object, ...] = ()
    tls_secret: str | None = None
    metrics_port: int | None = None
    metrics_path: str = "/metrics"
    replicas: int | None = None
    mounts: tuple[Object, ...] = ()
    volumes: tuple[Object, ...] = ()
    command: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


def requests(settings: StackSettings, small: str, cpu: str, memory: str) -> dict[str, str]:
    """What a pod asks for; `small` is the CPU where nobody depends on it."""
    return {"cpu": size(settings).pick(small, cpu), "memory": memory}


def labels(part: Part) -> dict[str, str]:
    """Of all its objects; `app` is what the table of flows knows it by."""
    return names.platform_labels() | {"app": part.name}


def head(api: str, kind: str, part: Part, name: str | None = None) -> Object:
    """The head of one of its objects."""
    return named(api, kind, name or part.name, SPACE, labels(part))


def as_json(value: object) -> str:
    """A configuration file: JSON is YAML too. A space deep, for a ConfigMap holds no more than a
    MiB and this is to fit for some thousand skills."""
    return json.dumps(value, indent=1, separators=(",", ":"), ensure_ascii=False) + "\n"


def objects(part: Part, settings: StackSettings) -> Iterator[Object]:
    """ServiceAccount, configuration, Service, Deployment, disruption budget and PodMonitor."""
    yield head("v1", "ServiceAccount", part) | {"automountServiceAccountToken": False}
    yield head("v1", "ConfigMap", part) | {"data": dict(part.files)}
    yield head("v1", "Service", part) | {
        "spec": {
            "selector": {"app": part.name},
            "ports": [
                {
                    "name": part.port_name,
                    "port": part.port,
                    "targetPort": part.port,
                    "protocol": "TCP",
                }
            ],
        }
    }
    yield _deployment(part, settings)
    if part.replicas is None:
        yield head("policy/v1", "PodDisruptionBudget", part) | {
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": part.name}}}
        }
        yield pod_monitor(part)


def pod_monitor(part: Part) -> Object:
    """Through the sidecar, which merges the program's metrics with its own."""
    return head(MONITORING, "PodMonitor", part) | {
        "spec": monitored(("app", part.name), MERGED_METRICS)
    }


def digest(files: Mapping[str, str]) -> str:
    """Changes when a file does."""
    return sha256(
        "\0".join(f"{name}\0{files[name]}" for name in sorted(files)).encode()
    ).hexdigest()[:16]


def _annotations(part: Part) -> dict[str, str]:
    found = {"aspora.io/config-hash": digest(part.files), **part.annotations}
    if part.metrics_port is not None:
        found |= {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(part.metrics_port),
            "prometheus.io/path": part.metrics_path,
        }
    return found


def _deployment(part: Part, settings: StackSettings) -> Object:
    replicas = part.replicas or (1 if settings.minimal_replicas else 2)
    return head("apps/v1", "Deployment", part) | {
        "spec": {
            "replicas": replicas,
            "strategy": {"type": "Recreate"}
            if part.replicas
            else {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "selector": {"matchLabels": {"app": part.name}},
            "template": {
                "metadata": {
                    "labels": labels(part) | {"sidecar.istio.io/inject": "true"},
                    "annotations": _annotations(part),
                },
                "spec": pod(part),
            },
        }
    }


def pod(part: Part) -> Object:
    """The pod: no rights at the API server, nothing writable but a small /tmp in memory."""
    container: Object = {
        "name": part.name,
        "image": part.program.image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(part.args),
        "env": list(part.env),
        "ports": [{"name": part.port_name, "containerPort": part.port, "protocol": "TCP"}],
        "readinessProbe": {**part.readiness, "periodSeconds": 5},
        "livenessProbe": {**part.readiness, "periodSeconds": 20, "failureThreshold": 6},
        "resources": {"requests": dict(part.requests), "limits": dict(part.limits)},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            TMP_MOUNT,
            {"name": "config", "mountPath": CONFIG_PATH, "readOnly": True},
            *([_tls_mount()] if part.tls_secret else []),
            *part.mounts,
        ],
    }
    if part.command:
        container["command"] = list(part.command)
    volumes: list[Object] = [TMP_VOLUME, {"name": "config", "configMap": {"name": part.name}}]
    if part.tls_secret:
        volumes.append({"name": "tls", "secret": {"secretName": part.tls_secret}})
    return {
        "serviceAccountName": part.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "priorityClassName": "aspora-critical",
        "securityContext": POD_SECURITY,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app": part.name}},
            }
        ],
        "containers": [container],
        "volumes": [*volumes, *part.volumes],
    }


def _tls_mount() -> Object:
    return {"name": "tls", "mountPath": TLS_PATH, "readOnly": True}


def host(name: str) -> str:
    """A program's name inside the cluster."""
    return f"{name}.{SPACE}.svc.cluster.local"
