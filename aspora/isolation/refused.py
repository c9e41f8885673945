"""What admission has to refuse in a domain's namespace, written down a second time.

The expressions are CEL, word by word: a policy that says the same otherwise is not understood, and
counts as not there. That they refuse what they name, the tests of the guard rails try on the real
API server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

UNLESS: Final = "variables.unchanged || ("
"""An update that leaves the pod as it was is let through; what must be follows, and a bracket."""


def _template(of: str) -> str:
    return (
        f"{of}.kind == 'Pod' ? {of} :"
        f" {of}.kind == 'CronJob' ? {of}.spec.jobTemplate.spec.template :"
        f" {of}.kind in ['SandboxTemplate', 'Sandbox'] ? {of}.spec.podTemplate :"
        f" {of}.spec.template"
    )


def _of(template: str) -> str:
    return (
        f"has(variables.{template}.metadata) && has(variables.{template}.metadata.labels)"
        f" ? variables.{template}.metadata.labels : {{}}"
    )


VARIABLES: Final[Mapping[str, str]] = {
    "template": _template("object"),
    "before": _template("oldObject"),
    "labels": _of("template"),
    "labelsBefore": _of("before"),
    "unchanged": (
        "request.operation == 'UPDATE' && variables.template.spec == variables.before.spec"
        " && variables.labels == variables.labelsBefore"
    ),
    "spec": "variables.template.spec",
    "containers": (
        "variables.spec.containers"
        " + (has(variables.spec.initContainers) ? variables.spec.initContainers : [])"
    ),
    "ephemeral": (
        "has(variables.spec.ephemeralContainers) ? variables.spec.ephemeralContainers : []"
    ),
    "volumes": "has(variables.spec.volumes) ? variables.spec.volumes : []",
}
CREATES: Final = frozenset(
    {
        *(
            ("", "v1", name)
            for name in ("pods", "pods/ephemeralcontainers", "replicationcontrollers")
        ),
        *(
            ("apps", "v1", name)
            for name in ("deployments", "replicasets", "statefulsets", "daemonsets")
        ),
        *(("batch", "v1", name) for name in ("jobs", "cronjobs")),
        ("argoproj.io", "v1alpha1", "rollouts"),
        ("extensions.agents.x-k8s.io", "v1beta1", "sandboxtemplates"),
        ("agents.x-k8s.io", "v1beta1", "sandboxes"),
    }
)
"""What holds a pod: (API group, version, resource)."""


def _no_container(field: str) -> str:
    wrong = (
        f"!(has(c.securityContext) && has(c.securityContext.{field}) && c.securityContext.{field})"
    )
    return f"variables.containers.all(c, {wrong}) && variables.ephemeral.all(c, {wrong})"


def _no(field: str) -> str:
    return f"!(has(variables.spec.{field}) && variables.spec.{field})"


REFUSED: Final[Mapping[str, str]] = {
    "the node's kernel": (
        "(has(variables.spec.runtimeClassName) && variables.spec.runtimeClassName == 'gvisor')"
        " || ('aspora.io/sandbox' in namespaceObject.metadata.labels"
        " && namespaceObject.metadata.labels['aspora.io/sandbox'] == 'runc')"
    ),
    "the node's files": "variables.volumes.all(v, !has(v.hostPath))",
    "privileged containers": _no_container("privileged"),
    "the node's network or processes": " && ".join(
        _no(field) for field in ("hostNetwork", "hostPID", "hostIPC")
    ),
    "a node of their choice": (
        "!has(variables.spec.nodeName) || (object.kind == 'Pod' && request.operation == 'UPDATE')"
    ),
    "a token for the API server": (
        "has(variables.spec.automountServiceAccountToken)"
        " && !variables.spec.automountServiceAccountToken"
    ),
    "a token for anybody, by a volume": (
        "variables.volumes.all(v, !has(v.projected) || !has(v.projected.sources)"
        " || v.projected.sources.all(s, !has(s.serviceAccountToken)"
        " || (has(s.serviceAccountToken.audience) && s.serviceAccountToken.audience in"
        ' ["pods.eks.amazonaws.com", "istio-ca"])))'
    ),
    "the rights of the reader of secrets": (
        "!(has(variables.spec.serviceAccountName)"
        " && variables.spec.serviceAccountName == 'secret-reader')"
        " && !(has(variables.spec.serviceAccount)"
        " && variables.spec.serviceAccount == 'secret-reader')"
    ),
    "no label of their domain": (
        '["domain", "owner-team", "cost-center"].all(key, key in variables.labels)'
    ),
    "another domain's label": (
        '["domain", "owner-team", "cost-center"].all(key, !(key in variables.labels)'
        " || variables.labels[key] == namespaceObject.metadata.labels[key])"
    ),
}
"""What pods of a domain may not have, and the expression that refuses it. Registries of images and
classes of priority are no question of who reaches what."""
