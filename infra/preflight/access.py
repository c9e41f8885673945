"""Whether a run could talk to the cluster that it makes: a way in, and a name that is let in."""

from __future__ import annotations

from collections.abc import Iterator

from infra.preflight.check import Check, Look


def network(look: Look) -> Iterator[Check]:
    """The private endpoint admits the nodes alone unless a setting names more."""
    wanted = look.account.config.control_plane
    admitted = (*wanted.private_access_cidrs, *wanted.public_access_cidrs)
    if admitted:
        yield Check("pass", "way to the API server", f"from {', '.join(admitted)}")
        return
    yield Check(
        "fail",
        "way to the API server",
        "nobody but the nodes reaches it, so `pulumi up` would stop after the cluster",
        f"name the runners' network: {look.setting('controlPlane.privateAccessCidrs')}",
    )


def administrator(look: Look) -> Iterator[Check]:
    """Whoever runs Pulumi has to be let in: as CI's deploy role or as one of the admins."""
    name = _role_name(look.account.arn)
    admins = [arn.rpartition("/")[2] for arn in look.account.config.control_plane.admins]
    if name in (f"{look.account.settings.cluster.name}-deploy", *admins):
        yield Check("pass", "administrator of the cluster", f"{name} is let in")
        return
    yield Check(
        "fail",
        "administrator of the cluster",
        f"{look.account.arn} is neither the deploy role nor an admin, so the cluster refuses it",
        f"add your role to {look.setting('controlPlane.admins')}",
    )


def _role_name(arn: str) -> str:
    """The role behind a session: arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION."""
    parts = arn.split("/")
    return parts[1] if ":assumed-role" in parts[0] and len(parts) > 1 else parts[-1]
