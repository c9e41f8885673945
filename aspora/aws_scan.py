"""A stack's AWS resources as a policy scanner takes them, and what its addresses stand for."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aspora.policy import ScanInput, Skip, Subject
from aspora.policy_skips import SKIPS
from aspora.problems import Position
from aspora.registered import Registered, aws_resources
from aspora.terraform import addresses, plan

FRAMEWORK = "terraform_plan"


def aws_input(
    resources: Sequence[Registered], stack: str, skips: tuple[Skip, ...] = SKIPS
) -> ScanInput:
    """Every AWS resource among `resources`; findings stand at the settings they share."""
    place = Position(f"Pulumi.{stack}.yaml", 1, 1)
    return ScanInput(
        FRAMEWORK,
        "AWS resource",
        json.dumps(plan(resources)),
        sum(1 for _ in aws_resources(tuple(resources))),
        {
            address: Subject(class_name(one.type), one.name, lambda _: place, _declared(one))
            for address, one in addresses(resources).items()
        },
        skips,
    )


def class_name(token: str) -> str:
    """`aws:s3/bucket:Bucket` as the SDK's `s3.Bucket`."""
    _, member, name = token.split(":")
    return f"{member.partition('/')[0]}.{name}"


def _declared(resource: Registered) -> str:
    types, _, name = resource.parent.rpartition("::")
    kind = types.rpartition("::")[2].rpartition("$")[2]
    return f"declared in {kind} {name}" if kind.startswith("aspora:") else ""
