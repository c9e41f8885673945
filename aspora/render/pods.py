"""The pod of a skill: one builder for CronJob, Deployment, Rollout and SandboxTemplate.

What is the same for every pod is built once and shared between objects: rendered objects are
read, never changed (10,000 objects in about a second depend on it).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from aspora import names
from aspora.flows import EXECUTE_PORT, GATEWAY_PORT, OTLP_PORT, STATUS_PORT
from aspora.named_secrets import ENDPOINT_PROPERTIES
from aspora.render.nodes import CAPACITY_LABEL, SPOT_TAINT, toleration
from aspora.resolve import Workload
from aspora.stack import StackSettings

Object = dict[str, Any]

POD_SECURITY: Object = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Object = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
TLS_PATH = "/var/run/aspora/tls"
OTLP_TLS = {
    "OTEL_EXPORTER_OTLP_CERTIFICATE": f"{TLS_PATH}/ca.crt",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": f"{TLS_PATH}/tls.crt",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY": f"{TLS_PATH}/tls.key",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
}
"""The collector takes telemetry from who has a certificate of the internal CA (OpenTelemetry's
names, "OTLP exporter configuration")."""
DATA_PATH = "/var/lib/aspora"
TMP_MOUNT: Object = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - a mount point
TLS_MOUNT: Object = {"name": "tls", "mountPath": TLS_PATH, "readOnly": True}
# Memory-backed, so it counts against the container's memory limit.
TMP_VOLUME: Object = {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}
PORTS: list[Object] = [
    {"name": "https", "containerPort": EXECUTE_PORT, "protocol": "TCP"},
    {"name": "http-status", "containerPort": STATUS_PORT, "protocol": "TCP"},
]
SPOT_TOLERATION = toleration(SPOT_TAINT)
"""Beside the RuntimeClass's own: the spot pool has both taints."""
SPOT_AFFINITY: Object = {
    "nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "preference": {
                    "matchExpressions": [
                        {
                            "key": CAPACITY_LABEL,
                            "operator": "In",
                            "values": ["spot"],
                        }
                    ]
                },
            }
        ]
    }
}
LIVENESS: Object = {
    "httpGet": {"path": "/health", "port": STATUS_PORT},
    "initialDelaySeconds": 30,
    "periodSeconds": 10,
}
READINESS: Object = {
    "httpGet": {"path": "/ready", "port": STATUS_PORT},
    "initialDelaySeconds": 5,
    "periodSeconds": 5,
}


DATABASE_ENDPOINTS = "database"
"""The domain's Secret with the endpoints of PostgreSQL and Valkey. No workload's Secret is called
so: theirs end in -key and -tls."""
DATABASE_ENV: list[Object] = [
    {
        "name": variable,
        "valueFrom": {"secretKeyRef": {"name": DATABASE_ENDPOINTS, "key": key}},
    }
    for key, variable in ENDPOINT_PROPERTIES.items()
]


def labels(workload: Workload) -> dict[str, str]:
    """Labels of a skill's objects and pods; `app`, `domain` and `role` are the brief's."""
    owner = workload.domain.owner
    return names.domain_labels(workload.domain.name, owner.team, owner.cost_center) | {
        "app": workload.name,
        "role": workload.agent.name,
        "skill": workload.skill.name,
    }


def selector(workload: Workload) -> dict[str, str]:
    """Labels that pick the pods of one skill and never change."""
    return {
        "app": workload.name,
        "domain": workload.domain.name,
        "role": workload.agent.name,
    }


def secret_name(workload: Workload) -> str:
    """The Secret that holds the skill's key for the model gateway."""
    return f"{workload.name}-key"


def tls_secret_name(workload: Workload) -> str:
    """The Secret that holds the workload's certificate."""
    return f"{workload.name}-tls"


def settings_data(workload: Workload, settings: StackSettings) -> dict[str, str]:
    """The agent's settings as environment variables: the data of the skill's ConfigMap."""
    platform = f"{names.PLATFORM_NAMESPACE}.svc.cluster.local:{GATEWAY_PORT}"
    budget = workload.skill.budget
    data = {
        "AGENT_ROLE": workload.agent.name,
        "AWS_REGION": settings.region,
        "DOMAIN": workload.domain.name,
        "ENVIRONMENT": settings.environment,
        "EXECUTION_TIMEOUT_SECONDS": str(workload.timeout_seconds),
        "FALLBACK_MODELS": ",".join(workload.fallback_models),
        "MAX_COST_PER_EXECUTION_USD": str(budget.per_execution_usd),
        "MODEL": workload.model or "",
        # The gateway knows a model by the domain too: whose key at the provider it is asked with.
        "MODEL_GATEWAY_PREFIX": f"{workload.domain.name}/",
        "MODEL_GATEWAY_URL": f"https://model-gateway.{platform}",
        "MONTHLY_BUDGET_USD": str(budget.monthly_usd),
        "OTEL_EXPORTER_OTLP_ENDPOINT": (
            f"https://otel-collector.{names.OBSERVABILITY_NAMESPACE}.svc.cluster.local:{OTLP_PORT}"
        ),
        **OTLP_TLS,
        "OTEL_SERVICE_NAME": workload.name,
        "SKILL_NAME": workload.id,
    }
    if workload.domain.sandbox.runtime == "runc":
        data["EXECUTE_TLS"] = "mesh"  # its sidecar ends the gateway's
    if workload.tools:
        data["TOOL_GATEWAY_URL"] = f"https://tool-gateway.{platform}"
        data["TOOLS"] = ",".join(
            f"{server.server}/{tool}" for server in workload.tools for tool in server.tools
        )
    if workload.agent.calls:
        data["AGENT_GATEWAY_URL"] = f"https://aspora-gateway.{platform}"
        data["CALLS"] = ",".join(workload.agent.calls)
    if workload.domain.egress:
        data["EGRESS_GATEWAY"] = (
            f"istio-egress.{names.EGRESS_NAMESPACE}.svc.cluster.local:{GATEWAY_PORT}"
        )
        data["EGRESS_HOSTS"] = ",".join(f"{e.host}:{e.port}" for e in workload.domain.egress)
    if settings.aws:
        data["DATA_BUCKET"] = names.bucket(settings.aws.bucket_prefix, "artifacts")
        data["DATA_PREFIX"] = names.data_prefix(workload.domain.name, workload.name)
        if workload.agent.database:
            data["DATABASE_USER"] = workload.domain.name
            data["CACHE_USER"] = names.cache_user(settings.cluster.name, workload.domain.name)
    return data


def _annotations(workload: Workload, config: dict[str, str]) -> dict[str, str]:
    """`config-hash` restarts the pods when a setting changes: they read it at their start."""
    text = "\n".join(f"{key}={value}" for key, value in sorted(config.items()))
    return {
        "aspora.io/config-hash": sha256(text.encode()).hexdigest()[:16],
        "aspora.io/skill": workload.id,
        "instrumentation.opentelemetry.io/inject-sdk": "true",
    }


def _secret_env(workload: Workload, settings: StackSettings) -> list[Object]:
    """What comes out of Secrets: the key for models, and where the databases are."""
    reference = {"name": secret_name(workload), "key": "api-key"}
    env: list[Object] = [{"name": "MODEL_GATEWAY_KEY", "valueFrom": {"secretKeyRef": reference}}]
    return env + DATABASE_ENV if workload.agent.database and settings.aws else env


def _container(workload: Workload, settings: StackSettings) -> Object:
    container: Object = {
        "name": workload.agent.name,
        "image": f"{settings.images.registry}/{workload.image}",
        "imagePullPolicy": "IfNotPresent",
        "envFrom": [{"configMapRef": {"name": workload.name}}],
        "env": _secret_env(workload, settings),
        "resources": {
            "requests": workload.requests.kubernetes,
            "limits": workload.limits.kubernetes,
        },
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [TMP_MOUNT, TLS_MOUNT],
    }
    if workload.kind != "cron":
        container["ports"] = PORTS
        container["livenessProbe"] = LIVENESS
        container["readinessProbe"] = READINESS
    sessions = workload.skill.sessions
    if sessions and sessions.storage:
        container["volumeMounts"] = [
            TMP_MOUNT,
            TLS_MOUNT,
            {"name": "data", "mountPath": DATA_PATH},
        ]
    return container


def _spread(workload: Workload) -> list[Object]:
    """Over zones first, then over nodes; a preference, so that a full zone stops nothing."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector(workload)},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def pod_template(workload: Workload, settings: StackSettings, config: dict[str, str]) -> Object:
    """`metadata` and `spec` of the skill's pods."""
    in_mesh = workload.domain.sandbox.runtime == "runc"
    pod_labels = labels(workload) | {"sidecar.istio.io/inject": "true" if in_mesh else "false"}
    if not in_mesh:
        pod_labels["istio.io/dataplane-mode"] = "none"
    spec: Object = {
        "serviceAccountName": workload.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "priorityClassName": f"aspora-{workload.priority}",
        "securityContext": POD_SECURITY,
        "containers": [_container(workload, settings)],
        "volumes": [
            TMP_VOLUME,
            {"name": "tls", "secret": {"secretName": tls_secret_name(workload)}},
        ],
    }
    if not in_mesh:
        spec["runtimeClassName"] = "gvisor"
    if workload.kind == "service":
        spec["topologySpreadConstraints"] = _spread(workload)
        spec["terminationGracePeriodSeconds"] = min(workload.timeout_seconds + 10, 600)
    if workload.spot:
        spec["tolerations"] = [SPOT_TOLERATION]
        spec["affinity"] = SPOT_AFFINITY
    return {
        "metadata": {"labels": pod_labels, "annotations": _annotations(workload, config)},
        "spec": spec,
    }
