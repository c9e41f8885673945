"""What runs a skill: CronJob, Deployment or Rollout with scaling, or a pool of sandboxes."""

from __future__ import annotations

from typing import Any

from aspora import flows, names
from aspora.render import pods
from aspora.render.objects import Object, named
from aspora.render.storage import STORAGE_CLASS
from aspora.resolve import Workload
from aspora.stack import StackSettings

PROMETHEUS_URL = (
    f"http://{names.PROMETHEUS_SERVICE}.{names.OBSERVABILITY_NAMESPACE}.svc.cluster.local:9090"
)

# The brief's behaviour: up by half at a time after a minute, down by one pod every two minutes
# after five quiet ones.
SCALING_BEHAVIOR: Object = {
    "scaleUp": {
        "stabilizationWindowSeconds": 60,
        "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
    },
    "scaleDown": {
        "stabilizationWindowSeconds": 300,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}],
    },
}
# New pods come before old ones go; 25 % more at most while a version is rolled out.
MAX_SURGE_PERCENT = 25


def surge(replicas: int) -> int:
    """Pods above `replicas` that a rollout may start: a quarter, rounded up as Kubernetes does."""
    return -(-replicas * MAX_SURGE_PERCENT // 100)


def cron_job(workload: Workload, template: Object, labels: dict[str, str]) -> Object:
    """A scheduled skill. `Forbid`: a run that takes too long is never doubled."""
    spec = template["spec"] | {"restartPolicy": "OnFailure"}
    return named("batch/v1", "CronJob", workload.name, workload.namespace, labels) | {
        "spec": {
            "schedule": workload.skill.schedule,
            "timeZone": workload.skill.time_zone or "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 300,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": labels},
                "spec": {
                    "backoffLimit": 2,
                    # Three tries of one execution, with the pauses between them.
                    "activeDeadlineSeconds": workload.timeout_seconds * 3 + 120,
                    "ttlSecondsAfterFinished": 86400,
                    "template": template | {"spec": spec},
                },
            },
        }
    }


def service_workload(
    workload: Workload, template: Object, labels: dict[str, str], settings: StackSettings
) -> Object:
    """A skill that serves requests: a Rollout where delivery is progressive, else a Deployment.

    `replicas` is only where scaling starts from: KEDA owns the field afterwards (IGNORED_FIELDS).
    """
    spec: Object = {
        "replicas": workload.scaling.min,
        "revisionHistoryLimit": 5,
        "selector": {"matchLabels": pods.selector(workload)},
        "template": template,
    }
    if settings.progressive_delivery:
        spec["strategy"] = {"canary": _canary(workload)}
        api, kind = "argoproj.io/v1alpha1", "Rollout"
    else:
        spec["strategy"] = {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": f"{MAX_SURGE_PERCENT}%", "maxUnavailable": 0},
        }
        api, kind = "apps/v1", "Deployment"
    return named(api, kind, workload.name, workload.namespace, labels) | {"spec": spec}


def _canary(workload: Workload) -> Object:
    """A tenth of the traffic, then a pause without end: promoting takes a verdict."""
    return {
        "canaryService": f"{workload.name}-canary",
        "stableService": workload.name,
        "maxSurge": f"{MAX_SURGE_PERCENT}%",
        "maxUnavailable": 0,
        "trafficRouting": {
            "istio": {"virtualService": {"name": workload.name, "routes": ["primary"]}}
        },
        "steps": [{"setWeight": 10}, {"pause": {}}],
    }


def scaled_object(workload: Workload, labels: dict[str, str], settings: StackSettings) -> Object:
    """KEDA's ScaledObject: CPU and the queue's depth, the brief's behaviour."""
    scaling = workload.scaling
    rollout = settings.progressive_delivery
    query = (
        f'sum(skill_execution_queue_depth{{namespace="{workload.namespace}",'
        f'skill="{workload.id}"}})'
    )
    return named("keda.sh/v1alpha1", "ScaledObject", workload.name, workload.namespace, labels) | {
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "argoproj.io/v1alpha1" if rollout else "apps/v1",
                "kind": "Rollout" if rollout else "Deployment",
                "name": workload.name,
            },
            "minReplicaCount": scaling.min,
            "maxReplicaCount": scaling.max,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": SCALING_BEHAVIOR}},
            "triggers": [
                {
                    "type": "cpu",
                    "metricType": "Utilization",
                    "metadata": {"value": str(scaling.cpu_percent)},
                },
                {
                    "type": "prometheus",
                    "metricType": "AverageValue",
                    "metadata": {
                        "serverAddress": PROMETHEUS_URL,
                        "query": query,
                        "threshold": str(scaling.queue_depth),
                    },
                },
            ],
        }
    }


def disruption_budget(workload: Workload, labels: dict[str, str]) -> Object:
    """One pod at a time may be taken away on purpose, when a node is drained."""
    return named("policy/v1", "PodDisruptionBudget", workload.name, workload.namespace, labels) | {
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": pods.selector(workload)}}
    }


def services(workload: Workload, labels: dict[str, str], settings: StackSettings) -> list[Object]:
    """The Service of a skill, and the canary's beside it where delivery is progressive."""
    suffixes = ["", "-canary"] if settings.progressive_delivery else [""]
    # Behind a sidecar the mesh has to read the request: its policies name methods and paths.
    protocol = "http" if workload.domain.sandbox.runtime == "runc" else "https"
    spec: dict[str, Any] = {
        "type": "ClusterIP",
        "selector": pods.selector(workload),
        "ports": [
            {
                "name": protocol,
                "port": flows.EXECUTE_PORT,
                "targetPort": flows.EXECUTE_PORT,
                "protocol": "TCP",
                "appProtocol": protocol,
            }
        ],
    }
    return [
        named("v1", "Service", workload.name + suffix, workload.namespace, labels) | {"spec": spec}
        for suffix in suffixes
    ]


def sandbox_pool(
    workload: Workload, template: Object, labels: dict[str, str], settings: StackSettings
) -> list[Object]:
    """SandboxTemplate and SandboxWarmPool of a skill with sessions.

    The pool has no idle time of its own: whoever claims a sandbox sets the claim's lifecycle from
    the annotation `aspora.io/idle-seconds`.
    """
    sessions = workload.skill.sessions
    if sessions is None:
        raise ValueError(f"{workload.id} has no sessions")
    ingress, egress = flows.rules_of(workload, settings)
    spec: Object = {
        "podTemplate": template,
        "networkPolicyManagement": "Managed",
        "networkPolicy": {"ingress": ingress, "egress": egress},
        "envVarsInjectionPolicy": "Disallowed",
        "service": False,
    }
    if sessions.storage:
        spec["volumeClaimTemplates"] = [
            {
                "metadata": {"name": "data", "labels": labels},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": STORAGE_CLASS,
                    "resources": {"requests": {"storage": sessions.storage}},
                },
            }
        ]
    api = "extensions.agents.x-k8s.io/v1beta1"
    annotations = {"aspora.io/idle-seconds": str(sessions.idle_seconds)}
    return [
        named(api, "SandboxTemplate", workload.name, workload.namespace, labels, annotations)
        | {"spec": spec},
        named(api, "SandboxWarmPool", workload.name, workload.namespace, labels)
        | {
            "spec": {
                "replicas": sessions.warm_pool,
                "sandboxTemplateRef": {"name": workload.name},
                "updateStrategy": {"type": "Recreate"},
            }
        },
    ]
