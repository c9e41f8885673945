"""Registered AWS resources as the JSON of a Terraform plan, which policy scanners read.

Only the shape is Terraform's; Terraform itself never runs. The shape is that of the page "JSON
Output Format" in Terraform's documentation, as far as scanners look at it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from aspora.registered import UNKNOWN, Registered, aws_resources
from aspora.terraform_types import (
    MAPS,
    PROPERTIES,
    TABLES,
    Untranslatable,
    snake_case,
    terraform_type,
)

FORMAT_VERSION = "1.2"
_PORT_RULES = ("aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule")
_EVERY_PORT = {"from_port": -1, "to_port": -1}
"""A rule for all protocols names no ports, and checkov takes one without ports for harmless."""


def plan(resources: Sequence[Registered]) -> dict[str, Any]:
    """The AWS resources among `resources` as a plan that creates them all.

    Raises Untranslatable for a type or a list of blocks that the tables do not hold: left out, it
    would never be checked. What only AWS can know is left out.
    """
    by_address = addresses(resources)
    names = {resource.urn: address for address, resource in by_address.items()}
    planned = [_planned(address, resource) for address, resource in by_address.items()]
    return {
        "format_version": FORMAT_VERSION,
        "terraform_version": "1.0.0",  # scanners ask whether there is one
        "planned_values": {"root_module": {"resources": planned}},
        "resource_changes": [_created(resource) for resource in planned],
        "configuration": {
            "root_module": {
                "resources": [
                    _configured(address, resource, names)
                    for address, resource in by_address.items()
                ]
            }
        },
    }


def addresses(resources: Sequence[Registered]) -> dict[str, Registered]:
    """The AWS resources by their address in Terraform, such as `aws_s3_bucket.artifacts`; sorted.

    Two names that are one when written as an identifier get a hash of their URN each.
    """
    mine = {resource.urn: resource for resource in aws_resources(tuple(resources))}
    plain = {urn: _address(resource) for urn, resource in mine.items()}
    taken = Counter(plain.values())
    final = {
        address if taken[address] == 1 else f"{address}-{_hash(urn)}": mine[urn]
        for urn, address in plain.items()
    }
    return dict(sorted(final.items()))


def _address(resource: Registered) -> str:
    name = re.sub(r"[^0-9A-Za-z_-]", "_", resource.name)
    start = "" if name[:1].isalpha() or name[:1] == "_" else "_"
    return f"{terraform_type(resource.type)}.{start}{name}"


def _hash(urn: str) -> str:
    return hashlib.sha256(urn.encode()).hexdigest()[:8]


def _identity(address: str) -> dict[str, str]:
    kind, _, name = address.partition(".")
    return {"address": address, "mode": "managed", "type": kind, "name": name}


def _planned(address: str, resource: Registered) -> dict[str, Any]:
    identity = _identity(address)
    values = _block(_plain(resource.inputs), _Translation(identity["type"]))
    if identity["type"] in _PORT_RULES and values.get("ip_protocol") == "-1":
        values = {**_EVERY_PORT, **values}
    return {**identity, "values": values}


def _created(planned: Mapping[str, Any]) -> dict[str, Any]:
    """What scanners look at in a change: the action. The values stand in `planned_values`."""
    identity = {key: planned[key] for key in ("address", "mode", "type", "name")}
    change = {"actions": ["create"], "before": None, "after": None}
    return {**identity, "change": change}


def _configured(address: str, resource: Registered, names: Mapping[str, str]) -> dict[str, Any]:
    """References between resources, by the argument that holds them.

    The SDK knows them for whole properties, so all that stand in a block are the block's.
    """
    identity = _identity(address)
    translation = _Translation(identity["type"])
    expressions = {}
    for name, urns in sorted(resource.dependencies.items()):
        found = sorted({names[urn] for urn in urns if urn in names})
        if found:
            references = [text for to in found for text in (f"{to}.id", to)]
            expressions[translation.name(name)] = {"references": references}
    return {**identity, "expressions": expressions}


class _Translation:
    """Names of one Terraform type's properties, at one place in them."""

    def __init__(self, kind: str, path: str = "") -> None:
        self._kind = kind
        self._path = path

    def below(self, name: str) -> _Translation:
        return _Translation(self._kind, f"{self._path}{name}.")

    def name(self, name: str) -> str:
        return PROPERTIES.get(self._kind, {}).get(name) or snake_case(name)

    def is_map(self, name: str) -> bool:
        path = f"{self._path}{name}"
        return path == "tags" or path in MAPS.get(self._kind, ())

    def require_block(self, name: str) -> None:
        if name not in PROPERTIES.get(self._kind, {}):
            raise Untranslatable(
                f"the policy checks do not know the blocks {self._path}{name} of {self._kind}",
                hint=f"add them to PROPERTIES in {TABLES}, under their name in Terraform",
            )


def _block(inputs: Mapping[str, Any], translation: _Translation) -> dict[str, Any]:
    return {
        translation.name(name): _value(name, value, translation)
        for name, value in sorted(inputs.items())
    }


def _value(name: str, value: Any, translation: _Translation) -> Any:
    """A mapping that is no map is a block, and Terraform writes every block as a list of them."""
    if isinstance(value, Mapping):
        return value if translation.is_map(name) else [_block(value, translation.below(name))]
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        translation.require_block(name)
        return [_block(item, translation.below(name)) for item in value]
    return value


def _plain(value: Any) -> Any:
    """The value in Terraform's types; None where it is not known.

    The engine's protocol knows floats alone, and scanners tell whole numbers by their type.
    """
    if isinstance(value, Mapping):
        known = {key: _plain(below) for key, below in value.items()}
        return {key: below for key, below in known.items() if below is not None}
    if isinstance(value, list | tuple):
        return [plain for item in value if (plain := _plain(item)) is not None]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None if value == UNKNOWN else value
