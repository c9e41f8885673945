"""Custom resources against the projects' own schemas, where `ASPORA_CRDS` names a folder of them.

No server is needed: this is its check of fields and types, in a second. Its rules in CEL are
tried on a real one (tests/guardrails/test_accepted.py).
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from aspora.crds import CUSTOM_KINDS
from aspora.models import Sandbox
from aspora.render import Object, render
from infra import definitions
from tests.core import repository, settings

RENDERED = {
    kind.kind: kind
    for kind in CUSTOM_KINDS
    if kind.kind not in ("Sandbox", "SandboxClaim", "ServiceMonitor", "NodeClaim")
}
KEPT = "x-kubernetes-preserve-unknown-fields"
NOT_ON_LOCAL = {
    *("AlertmanagerConfig", "EC2NodeClass", "NodePool", "RequestAuthentication", "Rollout"),
}


@cache
def schemas() -> Mapping[str, Draft202012Validator]:
    """A validator for each kind, in the version we write."""
    folder = os.environ.get("ASPORA_CRDS")
    if not folder:
        pytest.skip("ASPORA_CRDS names no folder of strict schemas")
    found = definitions.find({"ASPORA_CRDS": folder}, Path(folder), pytest.fail)
    assert found.strict, found.open_kinds
    versions = {kind.name: kind.version for kind in CUSTOM_KINDS}
    return {
        crd["spec"]["names"]["kind"]: Draft202012Validator(_closed(version["schema"]))
        for crd in found.documents
        for version in crd["spec"]["versions"]
        if version["name"] == versions[crd["metadata"]["name"]]
    }


def _closed(holder: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = strict(holder["openAPIV3Schema"])
    schema["properties"] = schema["properties"] | {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    return schema


def strict(schema: Any) -> Any:
    """JSON Schema of what the server checks: unknown fields are refused, as apply refuses them."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    names = ("properties", "patternProperties", "definitions")
    closed = {
        key: {name: strict(below) for name, below in value.items()}
        if key in names
        else strict(value)
        for key, value in schema.items()
        if not key.startswith("x-kubernetes-") and key not in ("format", "nullable")
    }
    if schema.get("x-kubernetes-int-or-string"):
        closed.pop("type", None)
        closed.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    open_ended = schema.get(KEPT) or "additionalProperties" in schema
    if "properties" in schema and "type" in schema and not open_ended:
        closed["additionalProperties"] = False
    if schema.get("nullable") and "type" in closed:
        closed["type"] = [closed["type"], "null"]
    return closed


def complaints(obj: Object) -> list[str]:
    return [
        f"{obj['kind']} {obj['metadata']['name']}: {error.json_path}: {error.message}"
        for error in schemas()[obj["kind"]].iter_errors(obj)
    ]


@cache
def custom(stack: str) -> tuple[Object, ...]:
    """All of the stack's, with one domain delivered by Argo CD and one in runc."""
    first, second, *others = repository()
    runc = Sandbox(runtime="runc", reason="A device driver that gVisor does not know.")
    changed = [
        first.model_copy(update={"delivery": "argocd"}),
        second.model_copy(update={"sandbox": runc}),
        *others,
    ]
    return tuple(obj for obj in render(changed, settings(stack)) if obj["kind"] in RENDERED)


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_every_custom_resource_has_only_fields_that_are_there(stack: str) -> None:
    assert [text for obj in custom(stack) for text in complaints(obj)] == []
    missing = RENDERED.keys() - {obj["kind"] for obj in custom(stack)}
    assert missing == (NOT_ON_LOCAL if stack == "local" else set())


def one(kind: str) -> Object:
    return copy.deepcopy(next(obj for obj in custom("staging") if obj["kind"] == kind))


@pytest.mark.parametrize("kind", sorted(RENDERED))
def test_a_field_that_is_not_there_is_refused(kind: str) -> None:
    """The canary: whatever let this pass would let everything pass."""
    obj = one(kind)
    obj["spec"]["typo"] = 1
    assert any("typo" in text for text in complaints(obj))


MISSPELT = [
    ("EC2NodeClass", ("metadataOptions",), "httpToken"),
    ("EC2NodeClass", ("blockDeviceMappings", 0, "ebs"), "encryption"),
    ("NodePool", ("template", "spec"), "expiresAfter"),
    ("NodePool", ("template", "spec", "requirements", 0), "value"),
    ("NodePool", ("disruption", "budgets", 0), "reason"),
    ("ExternalSecret", ("data", 0, "remoteRef"), "properties"),
]


@pytest.mark.parametrize(("kind", "path", "field"), MISSPELT)
def test_a_misspelt_field_is_refused_wherever_it_stands(
    kind: str, path: tuple[str | int, ...], field: str
) -> None:
    obj = one(kind)
    place: Any = obj["spec"]
    for part in path:
        place = place[part]
    place[field] = "x"
    assert any(field in text for text in complaints(obj))


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("NodePool", ("disruption", "consolidateAfter"), "ten minutes"),
        ("NodePool", ("disruption", "consolidationPolicy"), "WhenUnderutilized"),
        ("EC2NodeClass", ("metadataOptions", "httpTokens"), "needed"),
        ("EC2NodeClass", ("blockDeviceMappings", 0, "ebs", "volumeSize"), "50"),
    ],
)
def test_a_wrong_value_is_refused(kind: str, path: tuple[str | int, ...], value: str) -> None:
    obj = one(kind)
    place: Any = obj["spec"]
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert len(complaints(obj)) == 1
