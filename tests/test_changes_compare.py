"""Fields that differ: items by what identifies them, so that a move is no change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest

from aspora.changes.compare import compare
from aspora.changes.fixed import FIELDS, replacing
from aspora.changes.merge_keys import declared
from aspora.changes.model import FieldChange
from tests.core import platform

DEPLOYMENT = ("apps", "Deployment")


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def found(kind: tuple[str, str], before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    return [(c.path, c.before, c.after) for c in compare(*kind, before, after)]


CONTAINERS: list[dict[str, Any]] = [
    {
        "name": "a",
        "image": "a:1",
        "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
    },
    {"name": "b", "image": "b:1", "ports": [{"containerPort": 1}, {"containerPort": 2}]},
]


def test_moved_items_are_no_change() -> None:
    moved = [
        {**CONTAINERS[1], "ports": CONTAINERS[1]["ports"][::-1]},
        {**CONTAINERS[0], "env": CONTAINERS[0]["env"][::-1]},
    ]
    assert found(DEPLOYMENT, pod(containers=CONTAINERS), pod(containers=moved)) == []


def test_a_change_in_an_item_that_moved_is_that_change_alone() -> None:
    moved = [CONTAINERS[1], {**CONTAINERS[0], "image": "a:2"}]
    assert found(DEPLOYMENT, pod(containers=CONTAINERS), pod(containers=moved)) == [
        ("spec.template.spec.containers[name=a].image", "a:1", "a:2")
    ]


def test_a_default_protocol_is_the_same_port() -> None:
    before = pod(containers=[{"name": "a", "ports": [{"containerPort": 80, "name": "x"}]}])
    after = pod(
        containers=[{"name": "a", "ports": [{"containerPort": 80, "name": "x", "protocol": "TCP"}]}]
    )
    at = "spec.template.spec.containers[name=a].ports[containerPort=80,protocol=TCP].protocol"
    assert found(DEPLOYMENT, before, after) == [(at, None, "TCP")]


def test_the_order_of_init_containers_is_a_change() -> None:
    order = [{"name": "one"}, {"name": "two"}]
    changes = found(DEPLOYMENT, pod(initContainers=order), pod(initContainers=order[::-1]))
    assert changes == [("spec.template.spec.initContainers[order]", ["one", "two"], ["two", "one"])]


def test_the_order_of_variables_counts_where_one_is_made_from_another() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}]
    before = pod(containers=[{"name": "a", "env": env}])
    after = pod(containers=[{"name": "a", "env": env[::-1]}])
    assert [path for path, _, _ in found(DEPLOYMENT, before, after)] == [
        "spec.template.spec.containers[name=a].env[order]"
    ]


def test_arguments_are_in_an_order() -> None:
    before = pod(containers=[{"name": "a", "args": ["x", "y"]}])
    after = pod(containers=[{"name": "a", "args": ["y", "x"]}])
    assert [path for path, _, _ in found(DEPLOYMENT, before, after)] == [
        "spec.template.spec.containers[name=a].args[order]"
    ]


def test_rules_of_a_network_policy_are_a_set() -> None:
    rules = [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}, {"ports": [{"port": 53}]}]
    policy = ("networking.k8s.io", "NetworkPolicy")
    before, after = {"spec": {"egress": rules}}, {"spec": {"egress": rules[::-1]}}
    assert found(policy, before, after) == []
    more = {"spec": {"egress": [*rules[::-1], {"ports": [{"port": 80}]}]}}
    assert found(policy, before, more) == [("spec.egress[2]", None, {"ports": [{"port": 80}]})]


def test_verbs_are_named_one_by_one() -> None:
    role = ("rbac.authorization.k8s.io", "Role")
    before = {"rules": [{"verbs": ["get", "list"]}]}
    after = {"rules": [{"verbs": ["list", "get", "delete"]}]}
    assert found(role, before, after) == [("rules[0].verbs[=delete]", None, "delete")]


def test_json_in_a_text_is_compared_as_json() -> None:
    config = ("", "ConfigMap")
    before = {"data": {"x.json": json.dumps({"keys": [{"id": "a", "n": 1}, {"id": "b", "n": 2}]})}}
    after = {"data": {"x.json": json.dumps({"keys": [{"id": "a", "n": 1}, {"id": "b", "n": 3}]})}}
    assert found(config, before, after) == [('data["x.json"]:keys[id=b].n', 2, 3)]


def test_json_written_in_another_way_is_a_change_of_the_text() -> None:
    before, after = {"data": {"x": '{"a":1}'}}, {"data": {"x": '{ "a": 1 }'}}
    assert found(("", "ConfigMap"), before, after) == [("data.x", '{"a":1}', '{ "a": 1 }')]


@pytest.mark.parametrize(
    ("before", "after"), [(True, 1), (False, 0), (None, ""), ("1", 1), ([], {}), ("", None)]
)
def test_values_of_other_types_are_other_values(before: Any, after: Any) -> None:
    assert len(compare("", "X", {"a": before}, {"a": after})) == 1


def test_a_key_that_holds_dots_is_quoted() -> None:
    before: dict[str, Any] = {"metadata": {"annotations": {"a.io/b": "1"}}}
    after: dict[str, Any] = {"metadata": {"annotations": {}}}
    assert found(("", "X"), before, after) == [('metadata.annotations["a.io/b"]', "1", None)]


def test_any_leaf_that_differs_is_found() -> None:
    """Over all objects of the repository, with one value of each changed."""
    random = Random(6)
    for obj in platform("staging"):
        group = obj["apiVersion"].rpartition("/")[0]
        assert compare(group, obj["kind"], obj, obj) == ()
        changed = json.loads(json.dumps(obj))
        place = change_one_value(changed, random)
        assert compare(group, obj["kind"], obj, changed), f"{obj['kind']} {place}"


def change_one_value(value: Any, random: Random) -> str:
    """Change one leaf in place; where it is."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = random.choice(keys)
    if isinstance(value[key], dict | list) and value[key]:
        return f"{key}.{change_one_value(value[key], random)}"
    value[key] = f"{value[key]} and more"
    return str(key)


@pytest.mark.skipif("ASPORA_CRDS" not in os.environ, reason="no folder of definitions")
def test_merge_keys_are_those_of_the_definitions() -> None:
    """What our table says of a custom resource, its own schema says too."""
    schemas = _schemas(Path(os.environ["ASPORA_CRDS"]))
    checked = 0
    for (group, kind, path), keys in declared().items():
        versions = schemas.get((group, kind), ())
        known = [found for schema in versions if (found := _list_keys(schema, path.split(".")))]
        if known:
            checked += 1
            assert list(keys) in known, f"{kind} {path}: {keys}, the schema has {known}"
    assert checked > 20


def _schemas(folder: Path) -> dict[tuple[str, str], list[Any]]:
    schemas: dict[tuple[str, str], list[Any]] = {}
    for file in folder.glob("*.json"):
        spec = json.loads(file.read_text("utf-8"))["spec"]
        schemas[spec["group"], spec["names"]["kind"]] = [
            version["schema"]["openAPIV3Schema"] for version in spec["versions"]
        ]
    return schemas


def _list_keys(schema: Any, path: list[str]) -> list[str] | None:
    for name in path:
        schema = schema.get("items", schema)
        schema = schema.get("properties", {}).get(name)
        if schema is None:
            return None
    keys: list[str] | None = schema.get("x-kubernetes-list-map-keys")
    return keys


@pytest.mark.skipif("ASPORA_CRDS" not in os.environ, reason="no folder of definitions")
def test_fixed_fields_of_custom_resources_are_those_of_the_definitions() -> None:
    schemas = _schemas(Path(os.environ["ASPORA_CRDS"]))
    ours = [kind for kind in FIELDS if kind in schemas]
    assert set(ours) == {("argoproj.io", "Rollout"), ("karpenter.sh", "NodePool")}
    for kind in ours:
        for field in FIELDS[kind]:
            assert any(_is_fixed(schema, field.path) for schema in schemas[kind]), f"{kind} {field}"


def _is_fixed(schema: Any, path: tuple[str, ...]) -> bool:
    rules: list[tuple[str, str]] = []
    for depth, name in enumerate(path):
        left = ".".join(("", *path[depth:]))
        rules += [(rule["rule"], left) for rule in schema.get("x-kubernetes-validations", ())]
        schema = schema["properties"][name]
    rules += [(rule["rule"], "") for rule in schema.get("x-kubernetes-validations", ())]
    return any(
        rule in (f"self{left} == oldSelf{left}", f"oldSelf{left} == self{left}")
        for rule, left in rules
    )


def test_a_fixed_field_is_seen_wherever_it_differs() -> None:
    before = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"selector": {"a": 1}}}
    same = {**before, "spec": {"selector": {"a": 1}, "replicas": 3}}
    other = {**before, "spec": {"selector": {"a": 2}}}
    assert replacing(before, same) == ()
    assert [field.path for field in replacing(before, other)] == [("spec", "selector")]
    assert [field.path for field in replacing(before, {**before, "spec": {}})] == [
        ("spec", "selector")
    ]


def test_a_field_change_says_both_values() -> None:
    assert compare("", "X", {"a": 1}, {"a": 2}) == (FieldChange("a", 1, 2),)
