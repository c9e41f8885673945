"""CustomResourceDefinitions: a component of ours, since Helm never upgrades a chart's crds/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.base import register


@dataclass(frozen=True)
class CustomResourcesArgs:
    """`definitions` are plain CustomResourceDefinitions."""

    definitions: tuple[Mapping[str, Any], ...]


class CustomResources(pulumi.ComponentResource):
    """The definitions that our objects need; everything of a custom kind waits for them."""

    def __init__(
        self, name: str, args: CustomResourcesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:platform:CustomResources", name, None, opts)
        self.definitions = register(args.definitions, self)
        self.register_outputs({"count": len(args.definitions)})
