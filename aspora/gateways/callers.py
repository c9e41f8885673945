"""Who is allowed to present a certificate at the agents' doors."""

from __future__ import annotations

from collections.abc import Sequence

from aspora import names
from aspora.models import Domain
from aspora.resolve import Workload, workloads


def identity(workload: Workload) -> str:
    """A workload's identity as policies write it, without `spiffe://`."""
    return names.spiffe_id(workload.domain.name, workload.name).removeprefix("spiffe://")


def callers(domains: Sequence[Domain]) -> list[str]:
    """The workloads of agents that call other agents' skills, in the order of the files."""
    return [
        identity(workload)
        for domain in domains
        for workload in workloads(domain)
        if workload.agent.calls
    ]
