"""What stands once in a cluster: namespaces of the platform, classes, admission policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.base import register, register_with_gate


@dataclass(frozen=True)
class ClusterPoliciesArgs:
    """`objects` as the core rendered them, in the order they are applied."""

    objects: tuple[Mapping[str, Any], ...]
    waits_for: tuple[pulumi.Resource, ...] = ()


class ClusterPolicies(pulumi.ComponentResource):
    """The namespaces first, then the rest. `ready` is there when all of them are; domains come
    after."""

    def __init__(
        self, name: str, args: ClusterPoliciesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:platform:ClusterPolicies", name, None, opts)
        spaces = [obj for obj in args.objects if obj["kind"] == "Namespace"]
        rest = [obj for obj in args.objects if obj["kind"] != "Namespace"]
        namespaces = register(spaces, self, depends_on=args.waits_for)
        self.objects, self.ready = register_with_gate(
            rest, self, depends_on=[*args.waits_for, *namespaces]
        )
        self.register_outputs({"count": len(args.objects)})
