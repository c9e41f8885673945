"""A resource as a program registers it with the engine: plain data, no engine needed.

`infra/recording.py` makes these by running the program; the bill and the policy checks read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Registered:
    """`type` is Pulumi's token, such as `aws:s3/bucket:Bucket`; `urn` tells it from all others.

    `inputs` are camelCase as the engine gets them; what only AWS can know is UNKNOWN.
    `dependencies` are, for each property, the URNs of the resources whose outputs it holds.
    """

    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any]
    dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool = False
    retain: bool = False
    parent: str = ""


UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine's protocol puts where a value is not known before the resource exists."""


def aws_resources(resources: tuple[Registered, ...]) -> Iterator[Registered]:
    """Those of AWS itself, without components and Kubernetes objects."""
    return (resource for resource in resources if resource.type.startswith("aws:"))
