"""What the API server itself refuses in a domain's namespace, whoever asks: kubectl included.

ValidatingAdmissionPolicies (CEL) bound to namespaces with a `domain` label. Pods are where the
line is held; the controllers above them are checked too, so that a person sees the refusal where
the mistake was made and not in an event of a ReplicaSet.

Whatever cannot be evaluated is refused. The one thing let through unseen is an update that leaves
the pod as it was: else controllers could neither scale down nor clean up what was made before a
namespace's labels changed, and a rollout would stand still.

The server's type check does not look into `variables`, so a misspelt field would go unnoticed
there: tests/test_guardrails.py tries every rule on every kind.
"""

from __future__ import annotations

import json

from aspora import names
from aspora.render.objects import Object, named
from aspora.stack import StackSettings

API = "admissionregistration.k8s.io/v1"

WORKLOAD_RULES: list[Object] = [
    {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": [
            "pods",
            "pods/ephemeralcontainers",
            "pods/resize",
            "pods/status",  # whoever may write it may change the labels with it
            "replicationcontrollers",
        ],
    },
    {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments", "replicasets", "statefulsets", "daemonsets"],
    },
    {
        "apiGroups": ["batch"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["jobs", "cronjobs"],
    },
    {
        "apiGroups": ["argoproj.io"],
        "apiVersions": ["v1alpha1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["rollouts"],
    },
    {
        "apiGroups": ["extensions.agents.x-k8s.io"],
        "apiVersions": ["v1beta1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["sandboxtemplates"],
    },
    {
        "apiGroups": ["agents.x-k8s.io"],
        "apiVersions": ["v1beta1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["sandboxes"],
    },
]

TOKEN_AUDIENCES = ("pods.eks.amazonaws.com", "istio-ca")
"""Whom a pod may have a token for: EKS Pod Identity and istiod add theirs to each pod. A token
without an audience is one for the Kubernetes API."""


def _template(of: str) -> str:
    """Where each kind keeps its pod; `kind` tells, since one policy serves all of them."""
    return (
        f"{of}.kind == 'Pod' ? {of} : "
        f"{of}.kind == 'CronJob' ? {of}.spec.jobTemplate.spec.template : "
        f"{of}.kind in ['SandboxTemplate', 'Sandbox'] ? {of}.spec.podTemplate : "
        f"{of}.spec.template"
    )


def _labels(template: str) -> str:
    return (
        f"has({template}.metadata) && has({template}.metadata.labels)"
        f" ? {template}.metadata.labels : {{}}"
    )


def _list(field: str) -> str:
    return f"has(variables.spec.{field}) ? variables.spec.{field} : []"


VARIABLES: list[Object] = [
    {"name": name, "expression": expression}
    for name, expression in (
        ("template", _template("object")),
        ("before", _template("oldObject")),
        ("labels", _labels("variables.template")),
        ("labelsBefore", _labels("variables.before")),
        (
            "unchanged",
            (
                "request.operation == 'UPDATE'"
                " && variables.template.spec == variables.before.spec"
                " && variables.labels == variables.labelsBefore"
            ),
        ),
        ("spec", "variables.template.spec"),
        ("containers", f"variables.spec.containers + ({_list('initContainers')})"),
        ("ephemeral", _list("ephemeralContainers")),
        ("volumes", _list("volumes")),
    )
]


def _policy(name: str, why: str, validations: list[Object]) -> list[Object]:
    """A policy and its binding to every namespace of a domain; failure means refusal."""
    labels = names.platform_labels()
    policy = named(
        API, "ValidatingAdmissionPolicy", f"aspora-{name}", None, labels, {"aspora.io/why": why}
    )
    binding = named(API, "ValidatingAdmissionPolicyBinding", f"aspora-{name}", None, labels)
    in_domains = {"matchExpressions": [{"key": names.DOMAIN_LABEL, "operator": "Exists"}]}
    return [
        policy
        | {
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": WORKLOAD_RULES},
                "variables": VARIABLES,
                "validations": validations,
            }
        },
        binding
        | {
            "spec": {
                "policyName": f"aspora-{name}",
                "validationActions": ["Deny", "Audit"],
                "matchResources": {"namespaceSelector": in_domains},
            }
        },
    ]


def _validation(expression: str, message: str) -> Object:
    return {
        "expression": f"variables.unchanged || ({expression})",
        "message": message,
        "reason": "Forbidden",
    }


def runtime_policy() -> list[Object]:
    """gVisor, unless the domain file gave a reason: that shows as the namespace's label."""
    label = names.SANDBOX_LABEL
    return _policy(
        "runtime",
        "Agents run code that a model wrote: a kernel of their own keeps it off the node.",
        [
            _validation(
                "(has(variables.spec.runtimeClassName)"
                " && variables.spec.runtimeClassName == 'gvisor')"
                f" || ('{label}' in namespaceObject.metadata.labels"
                f" && namespaceObject.metadata.labels['{label}'] == 'runc')",
                "pods of a domain need runtimeClassName: gvisor; a domain that cannot use it"
                " says `sandbox: {runtime: runc, reason: …}` in its domain.yaml",
            )
        ],
    )


def image_policy(settings: StackSettings) -> list[Object]:
    """Images from the stack's registries only: of every kind of container, and as volumes."""
    allowed = json.dumps(list(settings.allowed_registries))
    test = f"{allowed}.exists(prefix, c.image.startsWith(prefix))"
    mounted = f"{allowed}.exists(prefix, v.image.reference.startsWith(prefix))"
    message = "images of a domain come from " + ", ".join(settings.allowed_registries) + " only"
    return _policy(
        "images",
        "An image from anywhere is code from anyone.",
        [
            _validation(f"variables.containers.all(c, {test})", message),
            _validation(f"variables.ephemeral.all(c, {test})", message),
            _validation(f"variables.volumes.all(v, !has(v.image) || {mounted})", message),
        ],
    )


def hardening_policy() -> list[Object]:
    """No way from a pod to its node, and no borrowed identity or precedence."""
    return _policy(
        "hardening",
        "hostPath, privileged containers and host namespaces lead out of every sandbox.",
        [*_node_rules(), *_identity_rules()],
    )


def _node_rules() -> list[Object]:
    context = "has(c.securityContext) && has(c.securityContext.privileged)"
    privileged = f"!({context} && c.securityContext.privileged)"
    host = " && ".join(
        f"!(has(variables.spec.{field}) && variables.spec.{field})"
        for field in ("hostNetwork", "hostPID", "hostIPC")
    )
    return [
        _validation(
            "variables.volumes.all(v, !has(v.hostPath))", "pods of a domain mount no hostPath"
        ),
        _validation(
            f"variables.containers.all(c, {privileged})"
            f" && variables.ephemeral.all(c, {privileged})",
            "containers of a domain are never privileged",
        ),
        _validation(host, "pods of a domain share no namespace with the node"),
        # A pod that was scheduled has a nodeName and keeps it: the server changes it for nobody.
        _validation(
            "!has(variables.spec.nodeName)"
            " || (object.kind == 'Pod' && request.operation == 'UPDATE')",
            "pods of a domain are given a node by the scheduler, which respects taints",
        ),
    ]


def _identity_rules() -> list[Object]:
    reader = names.READER_ACCOUNT
    audiences = json.dumps(list(TOKEN_AUDIENCES))
    return [
        _validation(
            "has(variables.spec.automountServiceAccountToken)"
            " && !variables.spec.automountServiceAccountToken",
            "pods of a domain set automountServiceAccountToken: false;"
            " agents have no business with the Kubernetes API",
        ),
        _validation(
            "variables.volumes.all(v, !has(v.projected) || !has(v.projected.sources)"
            " || v.projected.sources.all(s, !has(s.serviceAccountToken)"
            " || (has(s.serviceAccountToken.audience)"
            f" && s.serviceAccountToken.audience in {audiences})))",
            "pods of a domain mount no token for the Kubernetes API, projected volumes included",
        ),
        _validation(
            "!(has(variables.spec.serviceAccountName)"
            f" && variables.spec.serviceAccountName == '{reader}')"
            " && !(has(variables.spec.serviceAccount)"
            f" && variables.spec.serviceAccount == '{reader}')",
            f"no pod runs as {reader}: External Secrets alone reads the domain's secrets with it",
        ),
        _validation(
            "!has(variables.spec.priorityClassName)"
            " || variables.spec.priorityClassName.startsWith('aspora-')",
            "pods of a domain use the platform's priority classes (aspora-…)",
        ),
    ]


def label_policy() -> list[Object]:
    """The labels by which cost, network and ownership are told apart, and no false ones."""
    mandatory = json.dumps(list(names.MANDATORY_LABELS))
    return _policy(
        "labels",
        "Cost, network policies and ownership go by these labels.",
        [
            _validation(
                f"{mandatory}.all(key, key in variables.labels)",
                "pods of a domain carry the labels " + ", ".join(names.MANDATORY_LABELS),
            ),
            _validation(
                f"{mandatory}.all(key, !(key in variables.labels)"
                " || variables.labels[key] == namespaceObject.metadata.labels[key])",
                "the labels "
                + ", ".join(names.MANDATORY_LABELS)
                + " have the values of the pod's namespace",
            ),
        ],
    )


def policies(settings: StackSettings) -> list[Object]:
    """All four policies, each followed by its binding."""
    return runtime_policy() + image_policy(settings) + hardening_policy() + label_policy()
