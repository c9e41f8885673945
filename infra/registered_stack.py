"""What a stack's program registers on AWS, found by running it without an engine."""

from __future__ import annotations

from pathlib import Path

from aspora.load import load_or_raise, load_stack
from aspora.registered import Registered
from aspora.resolve import workloads
from aspora.tenants import tenant


def registered(stack: str, root: Path) -> tuple[Registered, ...]:
    """The AWS side of `stack`; raises InvalidInput when its settings or domains do not hold.

    Pins that prod refuses are of no matter here: they are looked at by `aspora validate`.
    """
    from infra.aws import declare_aws
    from infra.program import PROJECT
    from infra.recording import record

    settings = load_stack(stack, root)
    checked = settings.model_copy(update={"environment": "staging"})
    domains = load_or_raise([root / "domains"], checked)
    tenants = tuple(tenant(domain, workloads(domain)) for domain in domains)

    async def program() -> None:
        await declare_aws(settings, tenants)

    return record(program, stack=stack, project=PROJECT, region=settings.region)
