"""Models to plain Kubernetes objects: pure, and the same bytes for the same input.

The order of objects follows the domain files, so that a reader finds what they wrote; nothing
here iterates over a set.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from aspora import names
from aspora.models import Delivery, Domain
from aspora.render import (
    argocd,
    cluster,
    databases,
    guardrails,
    mesh,
    pods,
    postgres,
    secrets,
    system,
    workloads,
)
from aspora.render.instrumentation import instrumentation
from aspora.render.objects import Object, Ref, named, ref
from aspora.resolve import Workload, smallest
from aspora.resolve import workloads as resolve
from aspora.stack import StackSettings
from aspora.tenants import Tenant, tenant

__all__ = [
    "DomainObjects",
    "Object",
    "Ref",
    "Rendered",
    "SkillObjects",
    "callers_of",
    "ref",
    "render",
    "render_domains",
    "render_shared",
    "resolved",
]


@dataclass(frozen=True, slots=True)
class SkillObjects:
    """The objects of one skill, with its ID and where it stands in the domain file."""

    id: str
    name: str
    kind: str
    path: tuple[str | int, ...]
    objects: tuple[Object, ...]


@dataclass(frozen=True, slots=True)
class DomainObjects:
    """The objects of one domain.

    `guardrails` are always applied by Pulumi, `skills` by Pulumi or by Argo CD, and `handover`
    (AppProject and Application) only exists when it is Argo CD. `tenant` is what the AWS side
    has to know of the same domain.
    """

    tenant: Tenant
    name: str
    delivery: Delivery
    guardrails: tuple[Object, ...]
    skills: tuple[SkillObjects, ...]
    handover: tuple[Object, ...]

    def __iter__(self) -> Iterator[Object]:
        yield from self.guardrails
        for skill in self.skills:
            yield from skill.objects
        yield from self.handover


@dataclass(frozen=True, slots=True)
class Rendered:
    """Everything a stack consists of, as far as it is Kubernetes objects.

    `system` comes first of all: without it the cluster's own pods have no connection. `databases`
    and `stores` come between the releases: after the mesh, before what keeps its data there.
    """

    cluster: tuple[Object, ...]
    domains: tuple[DomainObjects, ...]
    system: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    stores: tuple[Object, ...] = ()
    databases: tuple[Object, ...] = ()

    def __iter__(self) -> Iterator[Object]:
        yield from self.system
        yield from self.cluster
        yield from self.databases
        yield from self.stores
        yield from self.services
        for domain in self.domains:
            yield from domain


def render(domains: Sequence[Domain], settings: StackSettings) -> Rendered:
    """All objects of `domains` on the stack; the domains must have passed validation."""
    shared = render_shared(domains, settings)
    return replace(shared, domains=render_domains(domains, settings))


def render_shared(domains: Sequence[Domain], settings: StackSettings) -> Rendered:
    """What no domain owns; some of it knows every domain."""
    # The services' modules take their objects' heads from this package: here, not above.
    from aspora.render.services import service_objects

    return Rendered(
        tuple(cluster.cluster_objects(settings)),
        (),
        tuple(system.system_policies(settings)),
        service_objects(domains, settings),
        tuple(databases.objects(settings)),
        tuple(postgres.objects(settings)),
    )


def render_domains(
    domains: Sequence[Domain], settings: StackSettings, only: Collection[str] | None = None
) -> tuple[DomainObjects, ...]:
    """The objects of the domains named in `only`, all of them when it is None.

    The others have to be known all the same: they may call.
    """
    callers = _callers((domain, resolve(domain)) for domain in domains)
    return tuple(
        _domain(domain, resolved(domain, settings), callers, settings)
        for domain in domains
        if only is None or domain.name in only
    )


def callers_of(domains: Sequence[Domain]) -> Mapping[str, tuple[str, ...]]:
    """By domain: the principals that call each of its skills. Beside its own file and the stack's
    settings, nothing else decides what a domain's objects are."""
    found: dict[str, list[str]] = {}
    for called, principals in sorted(_callers((d, resolve(d)) for d in domains).items()):
        found.setdefault(called.partition("/")[0], []).extend((called, *principals))
    return {domain: tuple(calls) for domain, calls in found.items()}


def resolved(domain: Domain, settings: StackSettings) -> tuple[Workload, ...]:
    """The skills of `domain` in this stack's size; quotas are checked against the full one."""
    skills = resolve(domain)
    return tuple(smallest(skill) for skill in skills) if settings.minimal_replicas else skills


def _callers(
    resolved: Iterable[tuple[Domain, tuple[Workload, ...]]],
) -> Mapping[str, list[str]]:
    """For each skill that other agents call: the principals of their workloads."""
    principals: dict[str, list[str]] = {}
    for domain, skills in resolved:
        for workload in skills:
            identity = names.spiffe_id(domain.name, workload.name).removeprefix("spiffe://")
            for called in workload.agent.calls:
                principals.setdefault(called, []).append(identity)
    return principals


def _domain(
    domain: Domain,
    skills: tuple[Workload, ...],
    callers: Mapping[str, list[str]],
    settings: StackSettings,
) -> DomainObjects:
    labels = names.domain_labels(domain.name, domain.owner.team, domain.owner.cost_center)
    rails = [
        guardrails.namespace(domain, labels),
        guardrails.resource_quota(domain, labels),
        guardrails.limit_range(domain, labels),
        *guardrails.network_policies(domain, skills, labels, settings),
        *guardrails.team_rights(domain, labels),
        *secrets.secret_store(domain, labels, settings),
        *secrets.database_endpoints(domain, labels, settings),
        guardrails.pod_monitor(domain, labels),
        instrumentation(domain, labels),
    ]
    if domain.sandbox.runtime == "runc":
        rails += mesh.sidecar_objects(domain, labels)
    rails += [
        mesh.caller_policy(workload, labels, callers[workload.id])
        for workload in skills
        if workload.id in callers
    ]
    rendered = tuple(_skill(workload, settings) for workload in skills)
    handover: tuple[Object, ...] = ()
    if domain.delivery == "argocd":
        applied = [obj for skill in rendered for obj in skill.objects]
        handover = (
            argocd.project(domain, labels, settings, applied),
            argocd.application(domain, labels, settings),
        )
    return DomainObjects(
        tenant(domain, skills), domain.name, domain.delivery, tuple(rails), rendered, handover
    )


def _skill(workload: Workload, settings: StackSettings) -> SkillObjects:
    labels = pods.labels(workload)
    space = workload.namespace
    config = pods.settings_data(workload, settings)
    template = pods.pod_template(workload, settings, config)
    objects = [
        named("v1", "ServiceAccount", workload.name, space, labels)
        | {"automountServiceAccountToken": False},
        named("v1", "ConfigMap", workload.name, space, labels) | {"data": config},
        secrets.gateway_key(workload, labels, settings),
        secrets.certificate(workload, labels),
    ]
    if workload.kind == "cron":
        objects.append(workloads.cron_job(workload, template, labels))
    elif workload.kind == "sessions":
        objects += workloads.sandbox_pool(workload, template, labels, settings)
    else:
        objects += [
            *workloads.services(workload, labels, settings),
            *mesh.destination_rules(workload, labels, settings),
            mesh.virtual_service(workload, labels, settings),
            workloads.service_workload(workload, template, labels, settings),
            workloads.scaled_object(workload, labels, settings),
            workloads.disruption_budget(workload, labels),
        ]
    return SkillObjects(workload.id, workload.name, workload.kind, workload.path, tuple(objects))
