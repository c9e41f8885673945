"""The platform's own services: gateways, rules, dashboards and what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.base import register_with_gate


@dataclass(frozen=True)
class PlatformServicesArgs:
    """`objects` as the core rendered them, in the order they are applied."""

    objects: tuple[Mapping[str, Any], ...]
    waits_for: tuple[pulumi.Resource, ...] = ()


class PlatformServices(pulumi.ComponentResource):
    """Our objects of the platform's services. `ready` is there when all of them are."""

    def __init__(
        self, name: str, args: PlatformServicesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:platform:PlatformServices", name, None, opts)
        self.objects, self.ready = register_with_gate(args.objects, self, depends_on=args.waits_for)
        self.register_outputs({"count": len(args.objects)})
