"""Fields that Kubernetes never changes in place: a new value needs a new object.

Names are fixed, so the old object goes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.providers.values import Change, Path


@dataclass(frozen=True)
class Immutable:
    """One field, why it is fixed, and whether only `immutable: true` makes it so."""

    path: Path
    reason: str
    if_marked: bool = False


_IDENTITY = (
    Immutable(("apiVersion",), "another version may be another schema"),
    Immutable(("kind",), "another kind is another object"),
    Immutable(("metadata", "name"), "the name is the object's identity"),
    Immutable(("metadata", "namespace"), "an object never moves"),
)
_SELECTOR = Immutable(("spec", "selector"), "pods already made belong to the old selector")
_ROLE = Immutable(("roleRef",), "whoever may edit a binding must not raise its rights")
_DATA = tuple(
    Immutable((name,), "marked immutable, so that nodes need not watch it", if_marked=True)
    for name in ("data", "binaryData", "stringData", "immutable")
)
_BOUND = "a volume is bound as it was asked for"
_CLASS = "volumes already made follow the old class"

# (group, kind) -> what is fixed beside the identity.
_FIELDS: Mapping[tuple[str, str], tuple[Immutable, ...]] = {
    ("", "ConfigMap"): _DATA,
    ("", "PersistentVolumeClaim"): tuple(
        Immutable(("spec", name), _BOUND)
        for name in ("accessModes", "dataSource", "selector", "storageClassName", "volumeMode")
    ),
    ("", "Secret"): (*_DATA, Immutable(("type",), "readers rely on the type's keys")),
    ("", "Service"): (
        Immutable(("spec", "clusterIP"), "clients and DNS hold the address"),
        Immutable(("spec", "clusterIPs"), "clients and DNS hold the address"),
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        Immutable(("spec", "scope"), "stored objects lie under the old scope"),
    ),
    ("apps", "DaemonSet"): (_SELECTOR,),
    ("apps", "Deployment"): (_SELECTOR,),
    ("apps", "StatefulSet"): (
        _SELECTOR,
        Immutable(("spec", "serviceName"), "pods' DNS names hold it"),
        Immutable(("spec", "podManagementPolicy"), "decides how pods already made are ordered"),
        Immutable(("spec", "volumeClaimTemplates"), "claims already made follow the old one"),
    ),
    ("argoproj.io", "Rollout"): (_SELECTOR,),
    ("batch", "Job"): (
        Immutable(("spec", "template"), "a job runs what it was made with"),
        Immutable(("spec", "completions"), "a job runs as often as it was made for"),
        _SELECTOR,
    ),
    ("node.k8s.io", "RuntimeClass"): (
        Immutable(("handler",), "pods that run keep the old handler"),
    ),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (_ROLE,),
    ("rbac.authorization.k8s.io", "RoleBinding"): (_ROLE,),
    ("scheduling.k8s.io", "PriorityClass"): (
        Immutable(("value",), "pods already admitted carry the old value"),
        Immutable(("preemptionPolicy",), "pods already admitted carry the old policy"),
    ),
    ("storage.k8s.io", "StorageClass"): tuple(
        Immutable((name,), _CLASS)
        for name in ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode")
    ),
}


def fixed_fields(manifest: Mapping[str, Any]) -> tuple[Immutable, ...]:
    """What is fixed in this object, its identity first."""
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    fields = _FIELDS.get((group, str(manifest.get("kind", ""))), ())
    marked = manifest.get("immutable") is True
    return _IDENTITY + tuple(entry for entry in fields if marked or not entry.if_marked)


def replacing(old: Mapping[str, Any], found: tuple[Change, ...]) -> tuple[Change, ...]:
    """Those changes of `old` that need a new object."""
    fixed = [entry.path for entry in fixed_fields(old)]
    return tuple(change for change in found if any(_touches(change.path, path) for path in fixed))


def _touches(path: Path, fixed: Path) -> bool:
    """Whether one path lies in the other (a whole `spec` that goes takes its selector along)."""
    shared = min(len(path), len(fixed))
    return path[:shared] == fixed[:shared]
