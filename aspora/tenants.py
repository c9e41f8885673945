"""What the AWS side has to know of the domains: who they are, and which pods need which rights."""

from __future__ import annotations

from dataclasses import dataclass

from aspora import names
from aspora.models import Domain
from aspora.named_secrets import uses_database
from aspora.resolve import Workload


@dataclass(frozen=True, slots=True)
class Identity:
    """A workload's ServiceAccount, and the one prefix of the data bucket that is its own."""

    skill: str
    namespace: str
    service_account: str
    prefix: str
    database: bool


@dataclass(frozen=True, slots=True)
class Tenant:
    """A domain as AWS sees it."""

    name: str
    team: str
    cost_center: str
    namespace: str
    database: bool
    identities: tuple[Identity, ...]
    repositories: tuple[str, ...]


def tenant(domain: Domain, skills: tuple[Workload, ...]) -> Tenant:
    """`domain` with its resolved `skills`; the order is the file's."""
    return Tenant(
        domain.name,
        domain.owner.team,
        domain.owner.cost_center,
        names.namespace(domain.name),
        uses_database(domain),
        tuple(_identity(workload) for workload in skills),
        tuple(dict.fromkeys(_repository(skill.image) for skill in skills if skill.image)),
    )


def _identity(workload: Workload) -> Identity:
    return Identity(
        workload.id,
        workload.namespace,
        workload.name,
        names.data_prefix(workload.domain.name, workload.name),
        workload.agent.database,
    )


def _repository(image: str) -> str:
    """The image without tag and digest: aspora/wealth-advisor."""
    return image.partition("@")[0].rpartition(":")[0]
