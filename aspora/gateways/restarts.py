"""Restarts of the programs that read their certificate only when they start (decision 61).

LiteLLM and agentgateway load `tls.crt` once. Their certificates last 90 days and are renewed after
60; a restart a week has each in use three weeks before the old one ends, without anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aspora import names
from aspora.gateways import tools
from aspora.gateways.model import objects as model_gateway
from aspora.gateways.pins import KUBECTL
from aspora.models import Domain
from aspora.render.objects import Object, named
from aspora.render.pods import CONTAINER_SECURITY, POD_SECURITY
from aspora.services.values.common import STANDARD, placed, size
from aspora.stack import StackSettings

NAME = "certificate-restarts"
SPACE = names.PLATFORM_NAMESPACE
SCHEDULE = "20 2 * * 2"
"""Tuesdays at night: a working day comes after it."""
RBAC = "rbac.authorization.k8s.io"


def objects(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Object]:
    """The part of `aspora/render/services.py`: an account, its right, and the CronJob."""
    programs = restarted(domains)
    yield _head("v1", "ServiceAccount") | {"automountServiceAccountToken": False}
    yield _head(f"{RBAC}/v1", "Role") | {
        "rules": [
            {
                "apiGroups": ["apps"],
                "resources": ["deployments"],
                "resourceNames": list(programs),
                "verbs": ["get", "patch"],
            }
        ]
    }
    yield _head(f"{RBAC}/v1", "RoleBinding") | {
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": SPACE}],
    }
    yield _head("batch/v1", "CronJob") | {
        "spec": {
            "schedule": SCHEDULE,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 86400,
            "jobTemplate": {"spec": _job(programs, settings)},
        }
    }


def restarted(domains: Sequence[Domain]) -> tuple[str, ...]:
    """Deployments with a certificate on a mount."""
    used = (tools.NAME,) if tools.users(domains) else ()
    return (model_gateway.NAME, *used)


def _head(api: str, kind: str) -> Object:
    return named(api, kind, NAME, SPACE, names.platform_labels() | {"app": NAME})


def _job(programs: Sequence[str], settings: StackSettings) -> Object:
    """Outside of the mesh: it speaks to the API server alone, by its token for an hour."""
    labels = names.platform_labels() | {"app": NAME, "sidecar.istio.io/inject": "false"}
    container: Object = {
        "name": "kubectl",
        "image": KUBECTL.image,
        "args": [
            *("--namespace", SPACE, "rollout", "restart"),
            *(f"deployment/{program}" for program in programs),
        ],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "200m", "memory": "64Mi"},
        },
        "securityContext": CONTAINER_SECURITY | {"runAsUser": 65532},
        "volumeMounts": [
            {
                "name": "token",
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                "readOnly": True,
            }
        ],
    }
    pod: Object = {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "priorityClassName": STANDARD,
        "nodeSelector": placed(size(settings)),
        "securityContext": POD_SECURITY,
        "containers": [container],
        "volumes": [{"name": "token", "projected": {"sources": _token()}}],
    }
    return {
        "backoffLimit": 3,
        "activeDeadlineSeconds": 600,
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }


def _token() -> list[Object]:
    """What a client inside the cluster looks for: token, authority, namespace."""
    place = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {"downwardAPI": {"items": [place]}},
    ]
