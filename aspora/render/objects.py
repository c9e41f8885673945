"""Plain Kubernetes objects: dicts as the API server takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Object = dict[str, Any]


class Ref(NamedTuple):
    """What tells one object of a cluster from another."""

    api_version: str
    kind: str
    namespace: str
    name: str


def ref(obj: Mapping[str, Any]) -> Ref:
    """The identity of `obj`; `namespace` is empty for cluster-scoped kinds."""
    meta = obj["metadata"]
    return Ref(obj["apiVersion"], obj["kind"], meta.get("namespace", ""), meta["name"])


def named(
    api_version: str,
    kind: str,
    name: str,
    namespace: str | None,
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
) -> Object:
    """The head of an object; `namespace` is None for cluster-scoped kinds."""
    meta: Object = {"name": name}
    if namespace is not None:
        meta["namespace"] = namespace
    meta["labels"] = labels
    if annotations:
        meta["annotations"] = annotations
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


IGNORED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("/spec/replicas",),
    "Rollout": ("/spec/replicas",),
    "VirtualService": ("/spec/http/0/route/0/weight", "/spec/http/0/route/1/weight"),
    "Service": ("/spec/selector/rollouts-pod-template-hash",),
}
"""Fields that a controller owns after creation, as JSON pointers, for Pulumi and Argo CD alike:
KEDA the replicas, Argo Rollouts the weights of a route and the selectors of its two Services.
VirtualService and Service only where delivery is progressive (see `ignored_fields`)."""


def ignored_fields(kind: str, *, progressive: bool) -> tuple[str, ...]:
    """The fields of `kind` that the appliers must leave alone."""
    if kind in ("VirtualService", "Service") and not progressive:
        return ()
    return IGNORED_FIELDS.get(kind, ())
