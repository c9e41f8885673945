"""A domain: its namespace, its guard rails, and its skills unless Argo CD delivers them."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from aspora.render import DomainObjects
from components.base import register, register_with_gate
from components.skill_workload import SkillWorkload, SkillWorkloadArgs


@dataclass(frozen=True)
class DomainNamespaceArgs:
    """`domain` as the core rendered it.

    `handing_over`: Argo CD is about to take the workloads. They are registered once more, marked
    to be retained, so that the next run can let go of them without deleting anything.
    """

    domain: DomainObjects
    progressive: bool
    handing_over: bool = False
    waits_for: tuple[pulumi.Resource, ...] = ()

    @property
    def registers_skills(self) -> bool:
        """Whether Pulumi holds the workloads in this run."""
        return self.domain.delivery == "pulumi" or self.handing_over


class DomainNamespace(pulumi.ComponentResource):
    """The namespace first, then what bounds it, then what runs in it."""

    def __init__(
        self, name: str, args: DomainNamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:platform:DomainNamespace", name, None, opts)
        namespace, *rails = args.domain.guardrails
        self.namespace = register([namespace], self, depends_on=args.waits_for)
        self.guardrails, ready = register_with_gate(
            [*rails, *args.domain.handover],
            self,
            depends_on=self.namespace,  # which waited for the rest already
        )
        self.skills = [
            SkillWorkload(
                skill.name,
                SkillWorkloadArgs(skill, args.progressive, args.handing_over, ready),
                pulumi.ResourceOptions(parent=self),
            )
            for skill in (args.domain.skills if args.registers_skills else ())
        ]
        self.register_outputs({"namespace": namespace["metadata"]["name"]})
