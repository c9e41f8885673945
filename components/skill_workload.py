"""A skill: everything that runs it, below one component."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from aspora.render import SkillObjects
from components.base import register


@dataclass(frozen=True)
class SkillWorkloadArgs:
    """`skill` as the core rendered it; `retain` keeps the objects when they leave the program."""

    skill: SkillObjects
    progressive: bool
    retain: bool = False
    waits_for: tuple[pulumi.Resource, ...] = ()


class SkillWorkload(pulumi.ComponentResource):
    """The objects of one skill."""

    def __init__(
        self, name: str, args: SkillWorkloadArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:platform:SkillWorkload", name, None, opts)
        self.objects = register(
            args.skill.objects,
            self,
            depends_on=args.waits_for,
            progressive=args.progressive,
            retain=args.retain,
        )
        self.register_outputs({"skill": args.skill.id})
