"""Fields that an API server never changes in place: a new value needs a new object.

Names are fixed, so the old object goes first, and what it held goes with it. The table is that of
Kubernetes 1.37's own validation (pkg/apis/*/validation: ValidateImmutableField and its like) and,
for custom resources, of the `self == oldSelf` rules in their CRDs; tests/test_changes_engine.py
changes each field on a real API server and wants it refused. The stand-in for Pulumi's provider
reads it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """One field, why it is fixed, and whether only `immutable: true` makes it so."""

    path: Path
    reason: str
    if_marked: bool = False


IDENTITY: Final = (
    Fixed(("apiVersion",), "another version may be another schema"),
    Fixed(("kind",), "another kind is another object"),
    Fixed(("metadata", "name"), "the name is the object's identity"),
    Fixed(("metadata", "namespace"), "an object never moves"),
)
_SELECTOR = Fixed(("spec", "selector"), "pods already made belong to the old selector")
_ROLE = Fixed(("roleRef",), "whoever may edit a binding must not raise its rights")
_DATA = tuple(
    Fixed((name,), "marked immutable, so that nodes need not watch it", if_marked=True)
    for name in ("data", "binaryData", "stringData", "immutable")
)
_BOUND = "a volume is bound as it was asked for"
_CLASS = "volumes already made follow the old class"
_JOB = "a job runs what it was made with"

FIELDS: Final[Mapping[tuple[str, str], tuple[Fixed, ...]]] = {
    ("", "ConfigMap"): _DATA,
    ("", "PersistentVolumeClaim"): tuple(
        Fixed(("spec", name), _BOUND)
        for name in (
            "accessModes",
            "dataSource",
            "dataSourceRef",
            "selector",
            "storageClassName",
            "volumeMode",
            "volumeName",
        )
    ),
    ("", "ResourceQuota"): (Fixed(("spec", "scopes"), "what it counts was counted so far"),),
    ("", "Secret"): (*_DATA, Fixed(("type",), "readers rely on the type's keys")),
    ("", "Service"): (
        Fixed(("spec", "clusterIP"), "clients and DNS hold the address"),
        Fixed(("spec", "clusterIPs"), "clients and DNS hold the address"),
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        Fixed(("spec", "group"), "its name says the group"),
        Fixed(("spec", "scope"), "stored objects lie under the old scope"),
    ),
    ("apps", "DaemonSet"): (_SELECTOR,),
    ("apps", "Deployment"): (_SELECTOR,),
    ("apps", "StatefulSet"): (
        _SELECTOR,
        Fixed(("spec", "serviceName"), "pods' DNS names hold it"),
        Fixed(("spec", "podManagementPolicy"), "decides how pods already made are ordered"),
        Fixed(("spec", "volumeClaimTemplates"), "claims already made follow the old one"),
    ),
    ("argoproj.io", "Rollout"): (_SELECTOR,),
    ("batch", "Job"): (
        Fixed(("spec", "template"), _JOB),
        Fixed(("spec", "completions"), "a job runs as often as it was made for"),
        Fixed(("spec", "completionMode"), _JOB),
        Fixed(("spec", "podFailurePolicy"), _JOB),
        _SELECTOR,
    ),
    ("karpenter.sh", "NodePool"): (
        Fixed(("spec", "template", "spec", "nodeClassRef", "group"), "nodes follow their class"),
        Fixed(("spec", "template", "spec", "nodeClassRef", "kind"), "nodes follow their class"),
    ),
    ("networking.k8s.io", "IngressClass"): (
        Fixed(("spec", "controller"), "its Ingresses are the old controller's"),
    ),
    ("node.k8s.io", "RuntimeClass"): (Fixed(("handler",), "pods that run keep the old handler"),),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (_ROLE,),
    ("rbac.authorization.k8s.io", "RoleBinding"): (_ROLE,),
    ("scheduling.k8s.io", "PriorityClass"): (
        Fixed(("value",), "pods already admitted carry the old value"),
        Fixed(("preemptionPolicy",), "pods already admitted carry the old policy"),
    ),
    ("storage.k8s.io", "StorageClass"): tuple(
        Fixed((name,), _CLASS)
        for name in ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode")
    ),
}
"""(group, kind) -> what is fixed beside the identity."""


def fixed_fields(manifest: Mapping[str, Any]) -> tuple[Fixed, ...]:
    """What is fixed in this object, its identity first."""
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    fields = FIELDS.get((group, str(manifest.get("kind", ""))), ())
    marked = manifest.get("immutable") is True
    return IDENTITY + tuple(entry for entry in fields if marked or not entry.if_marked)


def replacing(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Fixed, ...]:
    """The fixed fields of `before` that have another value in `after`."""
    return tuple(
        entry
        for entry in fixed_fields(before)
        if _value(before, entry.path) != _value(after, entry.path)
    )


def _value(manifest: Any, path: Path) -> Any:
    for name in path:
        manifest = manifest.get(name) if isinstance(manifest, Mapping) else None
    return manifest
