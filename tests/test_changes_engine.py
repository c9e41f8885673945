"""The tables of the change report, as a real API server has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aspora.changes.fixed import FIELDS
from aspora.changes.merge_keys import declared
from local.kube import KubeClient, KubeError

Object = dict[str, Any]
pytestmark = pytest.mark.engine

LABELS = {"app": "a"}
POD: Object = {
    "metadata": {"labels": LABELS},
    "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a:1"}]},
}
RUNNING: Object = {**POD, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
OTHER: Object = {"metadata": {"labels": {"app": "b"}}, "spec": RUNNING["spec"]}
SELECTOR = {"selector": {"matchLabels": LABELS}}
OTHER_SELECTOR = {"selector": {"matchLabels": {"app": "b"}}, "template": OTHER}
CLAIM: Object = {
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "1Gi"}},
    "storageClassName": "a",
    "volumeName": "a",
}
TEMPLATE: Object = {"metadata": {"name": "data"}, "spec": CLAIM}
SOURCE = {"kind": "PersistentVolumeClaim", "name": "other"}
JOB: Object = {"template": POD, "completions": 1}
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
SET: Object = {**SELECTOR, "serviceName": "a", "template": RUNNING}
CRD: Object = {
    "group": "example.test",
    "scope": "Namespaced",
    "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
    "versions": [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object"}},
        }
    ],
}
CONDITION = {"type": "DisruptionTarget", "status": "True"}
FAILURE: Object = {"rules": [{"action": "Ignore", "onPodConditions": [CONDITION]}]}


def spec(before: Object, **changed: Any) -> tuple[Object, Object]:
    return {"spec": before}, {"spec": {**before, **changed}}


def top(before: Object, **changed: Any) -> tuple[Object, Object]:
    return before, {**before, **changed}


CLASS: Object = {
    "provisioner": "example.test/a",
    "parameters": {"a": "1"},
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
}
FROZEN: Object = {"immutable": True, "data": {"a": "MQ=="}}
SAMPLES: dict[tuple[str, str, str], tuple[Object, Object]] = {
    ("v1", "ConfigMap", "data"): top(FROZEN, data={"a": "2"}),
    ("v1", "ConfigMap", "binaryData"): top(FROZEN, binaryData={"b": "MQ=="}),
    ("v1", "ConfigMap", "immutable"): top(FROZEN, immutable=False),
    ("v1", "Secret", "data"): top(FROZEN, data={"a": "Mg=="}),
    ("v1", "Secret", "stringData"): top(FROZEN, stringData={"a": "2"}),
    ("v1", "Secret", "immutable"): top(FROZEN, immutable=False),
    ("v1", "Secret", "type"): top({"type": "a"}, type="b"),
    **{
        ("v1", "PersistentVolumeClaim", f"spec.{name}"): spec(CLAIM, **{name: value})
        for name, value in {
            "accessModes": ["ReadWriteMany"],
            "dataSource": SOURCE,
            "dataSourceRef": SOURCE,
            "selector": {"matchLabels": LABELS},
            "storageClassName": "b",
            "volumeMode": "Block",
            "volumeName": "b",
        }.items()
    },
    ("v1", "ResourceQuota", "spec.scopes"): spec(
        {"hard": {"pods": "1"}, "scopes": ["BestEffort"]}, scopes=["NotBestEffort"]
    ),
    ("v1", "Service", "spec.clusterIP"): spec(
        {"clusterIP": "None", "ports": [{"port": 80}]}, clusterIP="10.0.0.77"
    ),
    ("v1", "Service", "spec.clusterIPs"): spec(
        {"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 80}]},
        clusterIP="10.0.0.77",
        clusterIPs=["10.0.0.77"],
    ),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "spec.group"): spec(
        CRD, group="other.test"
    ),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "spec.scope"): spec(
        CRD, scope="Cluster"
    ),
    ("apps/v1", "DaemonSet", "spec.selector"): spec(
        {**SELECTOR, "template": RUNNING}, **OTHER_SELECTOR
    ),
    ("apps/v1", "Deployment", "spec.selector"): spec(
        {**SELECTOR, "template": RUNNING}, **OTHER_SELECTOR
    ),
    ("apps/v1", "StatefulSet", "spec.selector"): spec(SET, **OTHER_SELECTOR),
    ("apps/v1", "StatefulSet", "spec.serviceName"): spec(SET, serviceName="b"),
    ("apps/v1", "StatefulSet", "spec.podManagementPolicy"): spec(
        SET, podManagementPolicy="Parallel"
    ),
    ("apps/v1", "StatefulSet", "spec.volumeClaimTemplates"): spec(
        SET, volumeClaimTemplates=[TEMPLATE]
    ),
    ("batch/v1", "Job", "spec.template"): spec(
        JOB, template={**POD, "spec": {**POD["spec"], "containers": [{"name": "b", "image": "b"}]}}
    ),
    ("batch/v1", "Job", "spec.completions"): spec(JOB, completions=2),
    ("batch/v1", "Job", "spec.completionMode"): spec(JOB, completionMode="Indexed"),
    ("batch/v1", "Job", "spec.podFailurePolicy"): spec(JOB, podFailurePolicy=FAILURE),
    ("batch/v1", "Job", "spec.selector"): spec(
        {**JOB, **SELECTOR, "manualSelector": True},
        selector={"matchLabels": {"app": "b"}},
        template={**POD, "metadata": {"labels": {"app": "b"}}},
    ),
    ("networking.k8s.io/v1", "IngressClass", "spec.controller"): spec(
        {"controller": "example.test/a"}, controller="example.test/b"
    ),
    ("node.k8s.io/v1", "RuntimeClass", "handler"): top({"handler": "a"}, handler="b"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "roleRef"): top(
        {"roleRef": {**ROLE, "name": "view"}}, roleRef={**ROLE, "name": "edit"}
    ),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef"): top(
        {"roleRef": {**ROLE, "name": "view"}}, roleRef={**ROLE, "name": "edit"}
    ),
    ("scheduling.k8s.io/v1", "PriorityClass", "value"): top({"value": 1}, value=2),
    ("scheduling.k8s.io/v1", "PriorityClass", "preemptionPolicy"): top(
        {"value": 1}, preemptionPolicy="Never"
    ),
    **{
        ("storage.k8s.io/v1", "StorageClass", name): top(CLASS, **{name: value})
        for name, value in {
            "provisioner": "example.test/b",
            "parameters": {"a": "2"},
            "reclaimPolicy": "Retain",
            "volumeBindingMode": "WaitForFirstConsumer",
        }.items()
    },
}
"""(API version, kind, field) -> an object, and the same with another value in that field."""

ELSEWHERE = {("argoproj.io", "Rollout"), ("karpenter.sh", "NodePool")}
"""Custom resources: the rules in their definitions are another test's."""
NOT_ALONE = {("", "ConfigMap", "stringData"), ("", "Secret", "binaryData")}
"""Of the fields that both share, those which the other kind does not have."""
CLUSTER_WIDE = {
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
}


def test_every_fixed_field_of_the_table_is_tried() -> None:
    tried = {(api.rpartition("/")[0], kind, path) for api, kind, path in SAMPLES}
    listed = {
        (*kind, ".".join(field.path))
        for kind, fields in FIELDS.items()
        if kind not in ELSEWHERE
        for field in fields
    }
    assert tried == listed - NOT_ALONE


@pytest.fixture
def made(cluster: KubeClient) -> Iterator[list[Object]]:
    """Objects that a test makes beside its namespace; they go at its end."""
    objects: list[Object] = []
    yield objects
    for obj in objects:
        cluster.delete(obj, wait_seconds=0)


@pytest.mark.parametrize(("api", "kind", "path"), list(SAMPLES))
def test_the_api_server_refuses_another_value(
    cluster: KubeClient, namespace: str, made: list[Object], api: str, kind: str, path: str
) -> None:
    before, after = SAMPLES[api, kind, path]
    name = "things.example.test" if kind == "CustomResourceDefinition" else "fixed"
    meta = {"name": name} | ({} if kind in CLUSTER_WIDE else {"namespace": namespace})
    head = {"apiVersion": api, "kind": kind, "metadata": meta}
    made.append(head)
    cluster.apply({**head, **before})
    if kind == "CustomResourceDefinition":
        cluster.wait_established(name)
    cluster.apply({**head, **before}, dry_run=True)
    with pytest.raises(KubeError) as caught:
        cluster.apply({**head, **after}, dry_run=True)
    assert caught.value.status == 422, caught.value


NOT_IN_KUBERNETES = {
    ("", "LimitRange", "spec.limits"): "atomic there; no two of ours have one type",
}


def test_merge_keys_are_those_of_the_api_server(cluster: KubeClient) -> None:
    """What our table says of Kubernetes' own kinds, the server's OpenAPI document says too."""
    wrong, checked = [], 0
    for (group, kind, path), keys in declared().items():
        schema = _schema(cluster, group, kind)
        if schema is None:
            continue
        found = _keys(schema[0], schema[1], path.split("."))
        if (group, kind, path) in NOT_IN_KUBERNETES:
            assert found is None
            continue
        checked += 1
        if found != list(keys):
            wrong.append((kind, path, keys, found))
    assert wrong == []
    assert checked > 100


_DOCUMENTS: dict[str, Any] = {}


def _schema(cluster: KubeClient, group: str, kind: str) -> tuple[Any, Any] | None:
    """The document's schemas, and that of the kind; None for custom resources."""
    where = f"/openapi/v3/apis/{group}/v1" if group else "/openapi/v3/api/v1"
    if where not in _DOCUMENTS:
        try:
            _DOCUMENTS[where] = cluster.request("GET", where)
        except KubeError:
            _DOCUMENTS[where] = {}
    schemas = _DOCUMENTS[where].get("components", {}).get("schemas", {})
    for name, schema in schemas.items():
        kinds = schema.get("x-kubernetes-group-version-kind", ())
        if name.startswith("io.k8s.api.") and any(
            found["kind"] == kind and found["group"] == group for found in kinds
        ):
            return schemas, schema
    return None


def _keys(schemas: Any, schema: Any, path: list[str]) -> list[str] | None:
    for name in path:
        schema = _followed(schemas, schema.get("items", schema))
        schema = _followed(schemas, schema["properties"][name])
    keys: list[str] | None = schema.get("x-kubernetes-list-map-keys")
    return keys


def _followed(schemas: Any, schema: Any) -> Any:
    while "$ref" in (last := [schema, *schema.get("allOf", ())][-1]):
        schema = schemas[last["$ref"].rpartition("/")[2]]
    return schema
