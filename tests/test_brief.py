"""The brief's own manifests beside ours, field by field; each difference has its reason here.

An entry covers its path and all below it. An entry that no longer covers a difference fails too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from aspora.render import Object
from tests.core import flat, of, platform

SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
}
MANAGER: Object = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "ecm-manager-triage", "namespace": "aspora-ecm"},
    "spec": {
        "schedule": "0 7,14,20 * * *",
        "timezone": "Asia/Dubai",
        "jobTemplate": {
            "spec": {
                "template": {
                    "metadata": {
                        "annotations": {"instrumentation.opentelemetry.io/inject-sdk": "true"}
                    },
                    "spec": {
                        "runtimeClassName": "gvisor",
                        "containers": [
                            {
                                "name": "ecm-manager",
                                "image": "aspora/ecm-manager:v1.2.0",
                                "resources": {
                                    "requests": {"cpu": "500m", "memory": "1Gi"},
                                    "limits": {"cpu": "2000m", "memory": "4Gi"},
                                },
                                "env": [
                                    {
                                        "name": "SKILL_NAME",
                                        "value": "ecm/manager/triage-and-assign",
                                    },
                                    {"name": "MODEL", "value": "claude-sonnet-4-5"},
                                    {
                                        "name": "OPENROUTER_API_KEY",
                                        "valueFrom": {
                                            "secretKeyRef": {
                                                "name": "openrouter-credentials",
                                                "key": "api-key",
                                            }
                                        },
                                    },
                                    {
                                        "name": "LANGFUSE_PUBLIC_KEY",
                                        "valueFrom": {
                                            "secretKeyRef": {
                                                "name": "langfuse-credentials",
                                                "key": "public-key",
                                            }
                                        },
                                    },
                                ],
                                "securityContext": SECURITY,
                                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                            }
                        ],
                        "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory"}}],
                        "restartPolicy": "OnFailure",
                        "tolerations": [
                            {
                                "key": "spot",
                                "operator": "Equal",
                                "value": "true",
                                "effect": "NoSchedule",
                            }
                        ],
                    },
                }
            }
        },
    },
}
FIELD_LABELS = {"app": "ecm-field-agent", "domain": "ecm", "role": "field"}
FIELD: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "ecm-field-agent", "namespace": "aspora-ecm"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": FIELD_LABELS},
        "template": {
            "metadata": {"labels": FIELD_LABELS},
            "spec": {
                "runtimeClassName": "gvisor",
                "containers": [
                    {
                        "name": "field-agent",
                        "image": "aspora/ecm-field-agent:v1.0.5",
                        "ports": [{"containerPort": 8080, "name": "http"}],
                        "livenessProbe": {
                            "httpGet": {"path": "/health", "port": 8080},
                            "initialDelaySeconds": 30,
                            "periodSeconds": 10,
                        },
                        "readinessProbe": {
                            "httpGet": {"path": "/ready", "port": 8080},
                            "initialDelaySeconds": 5,
                            "periodSeconds": 5,
                        },
                        "resources": {
                            "requests": {"cpu": "250m", "memory": "512Mi"},
                            "limits": {"cpu": "1000m", "memory": "2Gi"},
                        },
                        "env": [
                            {"name": "AGENT_ROLE", "value": "field"},
                            {"name": "DOMAIN", "value": "ecm"},
                            {"name": "MODEL", "value": "claude-haiku-4-5"},
                        ],
                    }
                ],
            },
        },
    },
}
AUTOSCALER: Object = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "ecm-field-agent-hpa", "namespace": "aspora-ecm"},
    "spec": {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "ecm-field-agent",
        },
        "minReplicas": 3,
        "maxReplicas": 20,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 70},
                },
            },
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "skill_execution_queue_depth"},
                    "target": {"type": "AverageValue", "averageValue": "10"},
                },
            },
        ],
        "behavior": {
            "scaleUp": {
                "stabilizationWindowSeconds": 60,
                "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}],
            },
        },
    },
}

LABELS = "Every object says its owner, domain, team and cost centre."
POD = {
    "metadata.labels": LABELS,
    "metadata.annotations.aspora.io/config-hash": "Pods read their settings at their start.",
    "metadata.annotations.aspora.io/skill": "A pod says which skill it runs.",
    "spec.serviceAccountName": "Least privilege: an identity for each skill.",
    "spec.automountServiceAccountToken": "An agent never talks to the API server.",
    "spec.enableServiceLinks": "Environment variables do not list the namespace's Services.",
    "spec.priorityClassName": "What gives way first when nodes are full.",
    "spec.securityContext": "Pod Security level restricted asks for it.",
    "spec.containers[0].name": "Named after the agent, in its domain's namespace.",
    "spec.containers[0].image": "The stack's registry stands before it.",
    "spec.containers[0].imagePullPolicy": "A tag that is there is not pulled again.",
    "spec.containers[0].securityContext.capabilities": "Pod Security level restricted.",
    "spec.containers[0].volumeMounts[tls]": "Mutual TLS with the gateways (decision 1).",
    "spec.volumes[tls]": "Mutual TLS with the gateways (decision 1).",
    "spec.volumes[tmp].emptyDir.sizeLimit": "Memory-backed: it must not eat the agent's memory.",
    "spec.containers[0].env[MODEL_GATEWAY_KEY]": "A skill's own key (decision 2).",
    "spec.containers[0].env[MODEL_GATEWAY_URL]": "Models are called through it (decision 2).",
    "spec.containers[0].env[MODEL_GATEWAY_PREFIX]": "Whose key the provider is asked with.",
    "spec.containers[0].env[TOOL_GATEWAY_URL]": "Tools are called through it (decision 2).",
    "spec.containers[0].env[TOOLS]": "The tools the agent may call.",
    "spec.containers[0].env[FALLBACK_MODELS]": "The domain file names fallback models.",
    "spec.containers[0].env[MAX_COST_PER_EXECUTION_USD]": "The skill's budget.",
    "spec.containers[0].env[MONTHLY_BUDGET_USD]": "The skill's budget.",
    "spec.containers[0].env[EXECUTION_TIMEOUT_SECONDS]": "An execution ends.",
    "spec.containers[0].env[OTEL_EXPORTER_OTLP_ENDPOINT]": "Where traces go.",
    "spec.containers[0].env[OTEL_EXPORTER_OTLP_CERTIFICATE]": "Who the collector is.",
    "spec.containers[0].env[OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE]": "Who sends (decision 1).",
    "spec.containers[0].env[OTEL_EXPORTER_OTLP_CLIENT_KEY]": "Who sends (decision 1).",
    "spec.containers[0].env[OTEL_EXPORTER_OTLP_PROTOCOL]": "OTLP over HTTP.",
    "spec.containers[0].env[OTEL_SERVICE_NAME]": "Whose traces they are.",
    "spec.containers[0].env[AWS_REGION]": "For S3.",
    "spec.containers[0].env[ENVIRONMENT]": "Which stack it runs on.",
}


def below(prefix: str, entries: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}.{path}": reason for path, reason in entries.items()}


MANAGER_REASONS = below("spec.jobTemplate.spec.template", POD) | {
    "metadata.name": "Objects are named after the whole skill ID.",
    "metadata.labels": LABELS,
    "spec.timezone": "Not a field of CronJob; it is timeZone (decision 12).",
    "spec.timeZone": "See spec.timezone.",
    "spec.concurrencyPolicy": "A run that takes long is not doubled.",
    "spec.startingDeadlineSeconds": "A missed run starts within five minutes or not at all.",
    "spec.successfulJobsHistoryLimit": "Said, not assumed.",
    "spec.failedJobsHistoryLimit": "Said, not assumed.",
    "spec.jobTemplate.metadata": LABELS,
    "spec.jobTemplate.spec.backoffLimit": "Each try costs money: three at most.",
    "spec.jobTemplate.spec.activeDeadlineSeconds": "A job that hangs ends.",
    "spec.jobTemplate.spec.ttlSecondsAfterFinished": "Finished jobs leave the quota after a day.",
    "spec.jobTemplate.spec.template.spec.containers[0].env[OPENROUTER_API_KEY]": (
        "The provider's key stays at the model gateway (decision 2)."
    ),
    "spec.jobTemplate.spec.template.spec.containers[0].env[LANGFUSE_PUBLIC_KEY]": (
        "Traces go by OTLP to the collector, which holds Langfuse's key."
    ),
    "spec.jobTemplate.spec.template.spec.containers[0].env[AGENT_ROLE]": "As the field agent's.",
    "spec.jobTemplate.spec.template.spec.containers[0].env[DOMAIN]": "As the field agent's.",
    "spec.jobTemplate.spec.template.spec.affinity": "The toleration allows spot; this prefers it.",
}
FIELD_POD = POD | {
    "metadata.annotations.instrumentation.opentelemetry.io/inject-sdk": "As the manager's.",
    "spec.volumes[tmp]": "A read-only root needs a place to write.",
    "spec.containers[0].volumeMounts[tmp]": "A read-only root needs a place to write.",
    "spec.containers[0].securityContext": "As the manager's; Pod Security level restricted.",
    "spec.containers[0].ports[http]": "Named https: the port speaks mutual TLS (decision 1).",
    "spec.containers[0].ports[https]": "See ports[http].",
    "spec.containers[0].ports[http-status]": "Probes and scrapes have no certificate (decision 1).",
    "spec.containers[0].livenessProbe.httpGet.port": "The status port (decision 1).",
    "spec.containers[0].readinessProbe.httpGet.port": "The status port (decision 1).",
    "spec.containers[0].env[SKILL_NAME]": "As the manager's.",
    "spec.topologySpreadConstraints": "A zone that fails takes only its share of the pods.",
    "spec.terminationGracePeriodSeconds": "A running execution may end.",
}
# Covered by the wider entries of FIELD_POD.
for narrow in (
    "spec.containers[0].securityContext.capabilities",
    "spec.volumes[tmp].emptyDir.sizeLimit",
):
    del FIELD_POD[narrow]
FIELD_REASONS = below("spec.template", FIELD_POD) | {
    "metadata.name": "Objects are named after the skill: each skill scales by itself.",
    "metadata.labels": LABELS,
    "spec.selector.matchLabels.app": "See metadata.name.",
    "spec.revisionHistoryLimit": "Five versions to go back to.",
    "spec.strategy": "New pods come before old ones go.",
}
AUTOSCALER_REASONS = {
    "metadata.name": "KEDA names it after its ScaledObject.",
    "spec.scaleTargetRef.name": "Named after the skill.",
    "spec.metrics[Pods]": "prometheus-adapter is at its end: KEDA asks Prometheus (decision 4).",
    "spec.metrics[External]": "See metrics[Pods]; the same 10 a pod.",
}


def effective(kind: str, name: str) -> Object:
    """Our workload with the settings of its ConfigMap as environment variables."""
    rendered = platform()
    obj = of(rendered, kind, name)
    spec = obj["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else obj["spec"]
    template = spec["template"]
    (container,) = template["spec"]["containers"]
    data = of(rendered, "ConfigMap", container["envFrom"][0]["configMapRef"]["name"])["data"]
    settings = [{"name": key, "value": value} for key, value in data.items()]
    container = {k: v for k, v in container.items() if k != "envFrom"} | {
        "env": settings + container["env"]
    }
    inner = spec | {"template": template | {"spec": template["spec"] | {"containers": [container]}}}
    if kind == "CronJob":
        job = obj["spec"]["jobTemplate"] | {"spec": inner}
        return obj | {"spec": obj["spec"] | {"jobTemplate": job}}
    return obj | {"spec": inner}


def autoscaler() -> Object:
    """The HorizontalPodAutoscaler that KEDA makes of our ScaledObject."""
    scaled = of(platform(), "ScaledObject", "ecm-field-my-tickets")
    spec = scaled["spec"]
    cpu, queue = spec["triggers"]
    assert (cpu["type"], cpu["metricType"]) == ("cpu", "Utilization")
    assert (queue["type"], queue["metricType"]) == ("prometheus", "AverageValue")
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": f"keda-hpa-{scaled['metadata']['name']}",
            "namespace": scaled["metadata"]["namespace"],
        },
        "spec": {
            "scaleTargetRef": spec["scaleTargetRef"],
            "minReplicas": spec["minReplicaCount"],
            "maxReplicas": spec["maxReplicaCount"],
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {
                            "type": "Utilization",
                            "averageUtilization": int(cpu["metadata"]["value"]),
                        },
                    },
                },
                {
                    "type": "External",
                    "external": {
                        "metric": {"name": "s1-prometheus"},
                        "target": {
                            "type": "AverageValue",
                            "averageValue": queue["metadata"]["threshold"],
                        },
                    },
                },
            ],
            **spec["advanced"]["horizontalPodAutoscalerConfig"],
        },
    }


def differences(brief: Object, ours: Object) -> set[str]:
    """Paths at which one has another value than the other, or none."""
    theirs, mine = (_flat(obj) for obj in (brief, ours))
    missing = object()
    return {
        path
        for path in theirs.keys() | mine.keys()
        if theirs.get(path, missing) != mine.get(path, missing)
    }


def _flat(obj: Object) -> dict[str, Any]:
    """As `flat`, but the one container of each is compared, whatever its name."""
    found = {}
    for path, value in flat(obj).items():
        head, bracket, rest = path.partition(".containers[")
        found[f"{head}.containers[0{rest[rest.index(']') :]}" if bracket else path] = value
    return found


def covers(entry: str, path: str) -> bool:
    return path == entry or path.startswith((f"{entry}.", f"{entry}["))


CASES = {
    "manager": (MANAGER, MANAGER_REASONS),
    "field": (FIELD, FIELD_REASONS),
    "autoscaler": (AUTOSCALER, AUTOSCALER_REASONS),
}


def ours(case: str) -> Object:
    if case == "manager":
        return effective("CronJob", "ecm-manager-triage-and-assign")
    return effective("Deployment", "ecm-field-my-tickets") if case == "field" else autoscaler()


@pytest.mark.parametrize("case", CASES)
def test_every_difference_from_the_brief_has_a_reason(case: str) -> None:
    brief, reasons = CASES[case]
    found = differences(brief, ours(case))
    assert sorted(p for p in found if not any(covers(entry, p) for entry in reasons)) == []
    assert [entry for entry in reasons if not any(covers(entry, p) for p in found)] == []
    assert all(len(reason) > 5 for reason in reasons.values())


def test_the_queue_is_the_one_of_the_brief() -> None:
    scaled = of(platform(), "ScaledObject", "ecm-field-my-tickets")
    query = scaled["spec"]["triggers"][1]["metadata"]["query"]
    assert "skill_execution_queue_depth" in query
    assert 'skill="ecm/field/my-tickets"' in query


def test_wealth_namespace_is_the_brief_s_and_more() -> None:
    labels = of(platform(), "Namespace", "aspora-wealth")["metadata"]["labels"]
    brief = {"domain": "wealth", "owner-team": "wealth-team", "cost-center": "wealth-product"}
    assert brief.items() <= labels.items()
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_wealth_team_has_the_verbs_of_the_brief_without_secrets() -> None:
    rules = of(platform(), "Role", "wealth-deployer")["rules"]
    assert rules == [
        {
            "apiGroups": ["apps", "batch"],
            "resources": ["deployments", "cronjobs", "jobs"],
            "verbs": ["get", "list", "create", "update", "patch", "delete"],
        },
        {
            "apiGroups": [""],
            "resources": ["pods", "pods/log"],
            "verbs": ["get", "list", "watch"],
        },
        # The brief lets the team read secrets too: decision 6 does not.
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
    ]


def test_the_wealth_team_is_bound_as_in_the_brief() -> None:
    binding = of(platform(), "RoleBinding", "wealth-team-binding")
    api = "rbac.authorization.k8s.io"
    assert binding["subjects"] == [{"kind": "Group", "name": "wealth-team", "apiGroup": api}]
    assert binding["roleRef"] == {"kind": "Role", "name": "wealth-deployer", "apiGroup": api}
