"""Roles that AWS services make for themselves, and that nobody of the stack may make.

Karpenter cannot start a spot instance without the first, nor the load balancer controller a
balancer without the second, in an account where nobody ever did.
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.bootstrap.outcome import Outcome, Run

SERVICES = ("spot.amazonaws.com", "elasticloadbalancing.amazonaws.com")


def ensure(run: Run) -> Iterator[Outcome]:
    """Make those that are missing; none of them can do more than its service."""
    for service in SERVICES:
        what = f"service role of {service}"
        path = f"/aws-service-role/{service}/"
        found = list(run.account.aws.pages("iam", "list_roles", "Roles", PathPrefix=path))
        if found:
            yield Outcome("found", what, found[0]["Arn"])
            continue
        run.change("iam", "create_service_linked_role", AWSServiceName=service)
        yield Outcome("made", what, "AWS's own, for instances and load balancers")
