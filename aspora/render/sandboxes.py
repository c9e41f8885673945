"""The controller of agent-sandbox with its extensions.

The project publishes a manifest with its release and no chart (kubernetes-sigs/agent-sandbox,
issue 483). These are objects of our own with the facts of that manifest: names, arguments, ports
and rights, in the version whose definitions stand in `aspora/crds.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from aspora import names
from aspora.crds import AGENT_SANDBOX
from aspora.models import Domain
from aspora.render.objects import Object, named
from aspora.services.values.common import (
    CONTAINER_SECURITY,
    CRITICAL,
    POD_SECURITY,
    placed,
    resources,
    size,
    spread,
)
from aspora.stack import StackSettings

NAME = "agent-sandbox-controller"
# github.com/kubernetes-sigs/agent-sandbox/releases. Its digest has not been looked up.
IMAGE = f"registry.k8s.io/agent-sandbox/agent-sandbox-controller:{AGENT_SANDBOX.version}"
RBAC = "rbac.authorization.k8s.io"
LOOK = ["get", "list", "watch"]
ALL = ["create", "delete", *LOOK, "patch", "update"]
CHANGE = ["get", "patch", "update"]
LABELS = {"app": NAME}


def objects(_: Sequence[Domain], settings: StackSettings) -> list[Object]:
    """Account, rights, Deployment, metrics' Service and a disruption budget."""
    count = size(settings)
    found = [_head("v1", "ServiceAccount"), *_rights(), _deployment(settings), *_metrics()]
    if count.several:
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": LABELS}}
        found.append(_head("policy/v1", "PodDisruptionBudget") | {"spec": budget})
    return found


def _head(api: str, kind: str, namespace: str | None = names.SANDBOX_NAMESPACE) -> Object:
    return named(api, kind, NAME, namespace, names.platform_labels())


def _rule(groups: list[str], kinds: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": groups, "resources": kinds, "verbs": verbs}


def _rights() -> list[Object]:
    """Pods, volumes and Services of every namespace: a sandbox is in its domain's.

    Of Secrets nothing. Leases in its own namespace, by which one of two controllers leads.
    """
    own, more = "agents.x-k8s.io", "extensions.agents.x-k8s.io"
    pools = ["sandboxclaims", "sandboxtemplates", "sandboxwarmpools"]
    inner = [f"{kind}/{part}" for kind in pools for part in ("finalizers", "status")]
    rules = [
        _rule([""], ["persistentvolumeclaims", "pods", "services"], ALL),
        _rule([""], ["configmaps"], LOOK),
        _rule(["", "events.k8s.io"], ["events"], ["create", "patch", "update"]),
        _rule([own], ["sandboxes"], ALL),
        _rule([own], ["sandboxes/finalizers", "sandboxes/status"], CHANGE),
        _rule([more], pools, ALL),
        _rule([more], inner, CHANGE),
        _rule(["networking.k8s.io"], ["networkpolicies"], ALL),
    ]
    leases = [_rule(["coordination.k8s.io"], ["leases"], ALL)]
    space = names.SANDBOX_NAMESPACE
    return [
        _head(f"{RBAC}/v1", "ClusterRole", None) | {"rules": rules},
        _bound("ClusterRole", None),
        _head(f"{RBAC}/v1", "Role") | {"rules": leases},
        _bound("Role", space),
    ]


def _bound(kind: str, namespace: str | None) -> Object:
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": names.SANDBOX_NAMESPACE}
    return _head(f"{RBAC}/v1", f"{kind}Binding", namespace) | {
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": NAME},
        "subjects": [subject],
    }


def _deployment(settings: StackSettings) -> Object:
    count = size(settings)
    container: Object = {
        "name": NAME,
        "image": IMAGE,
        "args": [
            "--leader-elect=true",
            f"--leader-election-namespace={names.SANDBOX_NAMESPACE}",
            "--extensions=true",
        ],
        "ports": [
            {"name": "metrics", "containerPort": 8080},
            {"name": "healthz", "containerPort": 8081},
        ],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "healthz"}},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "healthz"}},
        "resources": resources("50m", "128Mi", "512Mi"),
        "securityContext": CONTAINER_SECURITY,
    }
    pod: Object = {
        "serviceAccountName": NAME,
        "priorityClassName": CRITICAL,
        "nodeSelector": placed(count),
        "topologySpreadConstraints": spread(LABELS),
        "securityContext": POD_SECURITY,
        "containers": [container],
    }
    return _head("apps/v1", "Deployment") | {
        "spec": {
            "replicas": count.replicas,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
        }
    }


def _metrics() -> list[Object]:
    port = {"name": "metrics", "port": 8080, "targetPort": "metrics"}
    return [
        _head("v1", "Service") | {"spec": {"selector": LABELS, "ports": [port]}},
        _head("monitoring.coreos.com/v1", "PodMonitor")
        | {
            "spec": {
                "selector": {"matchLabels": LABELS},
                "podMetricsEndpoints": [{"port": "metrics"}],
            }
        },
    ]
