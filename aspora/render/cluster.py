"""What stands once in a cluster, whatever the domains: runtime, priorities, nodes, policies."""

from __future__ import annotations

from collections.abc import Mapping

from aspora import names, user_data
from aspora.crds import CUSTOM_KINDS
from aspora.render import admission
from aspora.render.nodes import GVISOR_LABELS, GVISOR_TAINT, node_objects, toleration
from aspora.render.objects import Object, named
from aspora.render.platform import platform_namespaces, platform_objects
from aspora.render.storage import storage_class
from aspora.stack import StackSettings

PRIORITIES: tuple[tuple[str, int, str], ...] = (
    ("critical", 100_000, "Answers a customer who waits, or stops a fraud."),
    ("standard", 10_000, "What agents do all day."),
    ("batch", 1_000, "Can wait for a node: scheduled work and experiments."),
)
"""Below 1,000,000,000, so that the cluster's own system classes always win."""


BUILT_IN_KINDS: Mapping[str, tuple[str, ...]] = {
    "": (
        *("configmaps", "limitranges", "namespaces", "persistentvolumeclaims", "pods"),
        *("resourcequotas", "serviceaccounts", "services"),
    ),
    "admissionregistration.k8s.io": (
        *("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
        *("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
    ),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "batch": ("cronjobs", "jobs"),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "node.k8s.io": ("runtimeclasses",),
    "policy": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io": ("clusterrolebindings", "clusterroles", "rolebindings", "roles"),
    "scheduling.k8s.io": ("priorityclasses",),
    "storage.k8s.io": ("storageclasses",),
}
"""Kubernetes' own, without Secrets."""


def runtime_class(settings: StackSettings) -> Object:
    """gVisor's handler, the nodes that have it and what it takes of them for each pod."""
    overhead = settings.sandbox_overhead
    return named("node.k8s.io/v1", "RuntimeClass", "gvisor", None, names.platform_labels()) | {
        "handler": user_data.HANDLER,
        "overhead": {
            "podFixed": {
                "cpu": f"{overhead.cpu_millis}m",
                "memory": f"{overhead.memory_mib}Mi",
            }
        },
        "scheduling": {
            "nodeSelector": GVISOR_LABELS,
            "tolerations": [toleration(GVISOR_TAINT)],
        },
    }


def priority_classes() -> list[Object]:
    """Three of them; none preempts within its own class and none is the default."""
    labels = names.platform_labels()
    return [
        named("scheduling.k8s.io/v1", "PriorityClass", f"aspora-{name}", None, labels)
        | {
            "value": value,
            "globalDefault": False,
            "preemptionPolicy": "Never" if name == "batch" else "PreemptLowerPriority",
            "description": why,
        }
        for name, value, why in PRIORITIES
    ]


def preview_rights(settings: StackSettings) -> list[Object]:
    """What CI's previews may look at: every kind that we write, by its name, and no Secret."""
    if settings.aws is None:
        return []
    api, labels = "rbac.authorization.k8s.io", names.platform_labels()
    looks = ["get", "list", "watch"]
    role = named(f"{api}/v1", "ClusterRole", names.PREVIEW_GROUP, None, labels)
    binding = named(f"{api}/v1", "ClusterRoleBinding", names.PREVIEW_GROUP, None, labels)
    return [
        role
        | {
            "rules": [
                {"apiGroups": [group], "resources": kinds, "verbs": looks}
                for group, kinds in _our_kinds().items()
            ]
        },
        binding
        | {
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": names.PREVIEW_GROUP},
            "subjects": [{"apiGroup": api, "kind": "Group", "name": names.PREVIEW_GROUP}],
        },
    ]


def _our_kinds() -> dict[str, list[str]]:
    """What we write and what charts make of it, by API group; plurals, as RBAC has them."""
    kinds = {group: set(plurals) for group, plurals in BUILT_IN_KINDS.items()}
    for kind in CUSTOM_KINDS:
        kinds.setdefault(kind.group, set()).add(kind.plural)
    return {group: sorted(kinds[group]) for group in sorted(kinds)}


def cluster_objects(settings: StackSettings) -> list[Object]:
    """Everything of cluster scope, in the order it is applied."""
    return [
        *platform_namespaces(),
        runtime_class(settings),
        *priority_classes(),
        storage_class(settings),
        *node_objects(settings),
        *preview_rights(settings),
        *admission.policies(settings),
        *platform_objects(settings),
    ]
