"""Objects and AWS resources that somebody might put beside the others, one at a time.

Each entry of `additions/*.yaml` is one: `finds` is the kind of finding that it has to make, `add`
its kind and name, and the rest is the object (of AWS, its inputs) as somebody would write it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from aspora.isolation.given import Given, Object, Resource
from aspora.isolation.kinds import READ
from tests.isolation.lab import added

HERE = Path(__file__).with_suffix("")
GROUPS = {kind: group for group, kinds in READ.items() for kind in kinds}
DOCUMENTS = ("policy", "assumeRolePolicy")


@dataclass(frozen=True)
class Addition:
    """What is added, its kind and name, and the kind of finding that it makes."""

    finds: str
    what: str
    kind: str
    name: str
    object: Object | None = None
    resource: Resource | None = None

    def to(self, given: Given) -> Given:
        """The stack with it."""
        if self.resource is not None:
            return replace(given, aws=(*given.aws, self.resource))
        return added(given, self.object or {})


@cache
def additions() -> tuple[Addition, ...]:
    """All of them, by file."""
    return tuple(one for path in sorted(HERE.glob("*.yaml")) for one in _read(path))


def _read(path: Path) -> Iterator[Addition]:
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        finds, what = entry.pop("finds"), entry.pop("what")
        kind, _, name = entry.pop("add").partition(" ")
        if path.stem == "aws":
            made = Resource(f"aws:{kind}", name, _as_text(entry.get("inputs") or {}))
            yield Addition(finds, what, f"AWS {kind}", name, resource=made)
        else:
            yield Addition(finds, what, kind, name, object=_object(kind, name, entry))


def _object(kind: str, name: str, entry: dict[str, Any]) -> Object:
    namespace, _, short = name.rpartition("/")
    meta = {"name": short, **({"namespace": namespace} if namespace else {})}
    group = GROUPS.get(kind, "")
    version = f"{group}/v1" if group else "v1"
    return {
        "apiVersion": version,
        "kind": kind,
        **entry,
        "metadata": meta | entry.get("metadata", {}),
    }


def _as_text(inputs: dict[str, Any]) -> dict[str, Any]:
    """Policies as AWS takes them."""
    for inline in inputs.get("inlinePolicies") or ():
        _as_text(inline)
    for name in DOCUMENTS:
        if isinstance(inputs.get(name), dict):
            inputs[name] = json.dumps(inputs[name])
    return inputs
