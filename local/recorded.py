"""The objects that a stack has recorded: by `aspora up` here, or in an export of Pulumi's state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml

from aspora.changes.snapshot import RELEASE
from aspora.errors import InvalidInput, UsageError
from aspora.problems import Position, Problem, quoted
from local.paths import Paths
from local.recorded_shapes import strange

Object = dict[str, Any]
_KUBERNETES = re.compile(r"kubernetes:[^:]+:[A-Za-z]+")
_HELM = "kubernetes:helm.sh/v3:Release"
_DEFINITION = "CustomResourceDefinition"
HIDDEN = "[secret]"
"""Shown in the place of one."""
_SIGNATURE, _IS_SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""How Pulumi marks a secret in a state (sdk/v3/go/common/resource/sig.go)."""
MAX_BYTES = 512 * 1024 * 1024
"""Of an export; ours of 1,000 skills has 30 MB."""


def of_stack(paths: Paths, root: Path) -> tuple[Object, ...]:
    """What the last `aspora up` made on this machine; UsageError when nothing is recorded."""
    from local.engine_state import EngineState

    project = str(yaml.safe_load((root / "Pulumi.yaml").read_text("utf-8"))["name"])
    resources = EngineState(paths.pulumi, project, paths.stack).resources()
    if not resources:
        raise UsageError(
            f"the stack {quoted(paths.stack)} has recorded nothing on this machine",
            hint="`aspora up` records it; for a real stack:\n"
            "pulumi stack export --file state.json, then --base state.json",
        )
    return objects(resources)


def of_export(path: Path) -> tuple[Object, ...]:
    """What `pulumi stack export` wrote."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _no_export(path, f"it is bigger than {MAX_BYTES // 1024**2} MiB")
        data = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise _no_export(path, f"it is no JSON: {error}") from None
    deployment = data.get("deployment") if isinstance(data, Mapping) else None
    resources = deployment.get("resources") if isinstance(deployment, Mapping) else None
    if not isinstance(resources, list):
        raise _no_export(path, "it has no `deployment.resources`")
    found = objects(entry for entry in resources if isinstance(entry, Mapping))
    for obj in found:
        if wrong := strange(obj):
            raise _no_export(path, f"in {obj['kind']} {quoted(obj['metadata']['name'])}, {wrong}")
    return found


def _no_export(path: Path, why: str) -> InvalidInput:
    hint = "pulumi stack export --file state.json writes one"
    problem = Problem("ASP102", "", f"no export of a stack: {why}", Position(str(path), 1, 1), hint)
    return InvalidInput((problem,))


def objects(resources: Iterable[Mapping[str, Any]]) -> tuple[Object, ...]:
    """Kubernetes objects and Helm releases among resources, but those that the engine is about to
    delete. Definitions of custom resources are left out: no domain file decides them. Secrets are
    left out of all of them: a report is for many eyes."""
    found = []
    for entry in resources:
        kind, inputs = str(entry.get("type", "")), entry.get("inputs")
        if not isinstance(inputs, Mapping) or entry.get("delete"):
            continue
        if kind == _HELM and isinstance(inputs.get("name"), str):
            found.append(_without_secrets(_release(inputs)))
        elif _KUBERNETES.fullmatch(kind) and _is_manifest(inputs):
            found.append(_without_values(_without_secrets(inputs)))
    return tuple(found)


def _without_secrets(value: Any) -> Any:
    """Without what Pulumi keeps as a secret, encrypted or, with --show-secrets, as it is."""
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _IS_SECRET:
            return HIDDEN
        return {key: _without_secrets(below) for key, below in value.items()}
    return [_without_secrets(below) for below in value] if isinstance(value, list) else value


def _without_values(manifest: Object) -> Object:
    """A Secret with its keys alone; whatever else as it is."""
    if manifest["kind"] != "Secret":
        return manifest
    hidden = {
        name: dict.fromkeys(manifest[name], HIDDEN)
        for name in ("data", "stringData")
        if isinstance(manifest.get(name), Mapping)
    }
    return manifest | hidden


def _is_manifest(inputs: Mapping[str, Any]) -> bool:
    meta = inputs.get("metadata")
    return (
        isinstance(inputs.get("apiVersion"), str)
        and isinstance(inputs.get("kind"), str)
        and inputs["kind"] != _DEFINITION
        and isinstance(meta, Mapping)
        and isinstance(meta.get("name"), str)
    )


def _release(inputs: Mapping[str, Any]) -> Object:
    return {
        "apiVersion": f"{RELEASE[0]}/v3",
        "kind": RELEASE[1],
        "metadata": {"name": inputs.get("name"), "namespace": inputs.get("namespace")},
        "spec": {
            "chart": inputs.get("chart"),
            "version": inputs.get("version"),
            "values": inputs.get("values") or {},
        },
    }
