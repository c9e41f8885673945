"""The order of the layers: AWS, custom resources, cluster policies, releases, services, domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from aspora.models import Domain
from aspora.render import Object, Rendered
from aspora.services import pins
from aspora.services.releases import Release, releases
from aspora.stack import StackSettings
from aspora.upgrade import check_upgrade
from components.cluster_policies import ClusterPolicies, ClusterPoliciesArgs
from components.crds import CustomResources, CustomResourcesArgs
from components.domain_namespace import DomainNamespace, DomainNamespaceArgs
from components.platform_services import PlatformServices, PlatformServicesArgs
from components.releases import Between, Releases, ReleasesArgs

PROJECT = "aspora-platform"
DELIVERY_OUTPUT = "delivery"
VERSION_OUTPUT = "kubernetesVersion"
HANDING_OVER = "handing-over"
"""The delivery of a domain between `pulumi` and `argocd`: one more run lets go of its workloads."""


@dataclass(frozen=True)
class Platform:
    """Everything a run declares, decided before the engine starts."""

    settings: StackSettings
    rendered: Rendered
    definitions: tuple[Object, ...]
    releases: tuple[Release, ...] = ()


def stack_releases(settings: StackSettings, domains: Sequence[Domain]) -> tuple[Release, ...]:
    """What a stack installs; nothing where no cluster is made."""
    return releases(settings, domains) if settings.aws is not None else ()


async def declare(platform: Platform) -> None:
    """Register the whole platform; exports `delivery`, by which the next run knows what changed."""
    from infra.aws import declare_aws

    last = await _last_run()
    rendered, settings = platform.rendered, platform.settings
    check_upgrade(pulumi.get_stack(), last.version, settings.cluster.version)
    tenants = tuple(domain.tenant for domain in rendered.domains)
    cloud = await declare_aws(settings, tenants, rendered.system)
    opts = pulumi.ResourceOptions(providers=[cloud.kubernetes] if cloud.kubernetes else [])
    crds = CustomResources("crds", CustomResourcesArgs(platform.definitions), opts)
    policies = ClusterPolicies(
        "cluster",
        ClusterPoliciesArgs(rendered.cluster, (*crds.definitions, *cloud.waits_for)),
        opts,
    )
    installed = Releases(
        "releases",
        ReleasesArgs(
            platform.releases,
            policies.ready,
            (
                Between(rendered.databases, pins.DATABASES_NEED, pins.ON_DATABASES),
                Between(rendered.stores, pins.STORES_NEED, pins.ON_STORES),
            ),
        ),
        opts,
    )
    services = PlatformServices(
        "services", PlatformServicesArgs(rendered.services, installed.ready), opts
    )
    after: dict[str, str] = {}
    for domain in rendered.domains:
        handing_over = domain.delivery == "argocd" and last.deliveries.get(domain.name) == "pulumi"
        after[domain.name] = HANDING_OVER if handing_over else domain.delivery
        DomainNamespace(
            domain.name,
            DomainNamespaceArgs(
                domain,
                settings.progressive_delivery,
                handing_over,
                services.ready,
            ),
            opts,
        )
    pulumi.export(DELIVERY_OUTPUT, after)
    pulumi.export(VERSION_OUTPUT, settings.cluster.version)
    for output, value in cloud.outputs.items():
        pulumi.export(output, value)


@dataclass(frozen=True)
class LastRun:
    """This stack's own outputs of its last run: who delivered each domain, and the version."""

    deliveries: Mapping[str, Any]
    version: str | None


async def _last_run() -> LastRun:
    """Empty before the first run."""
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    myself = pulumi.StackReference("last-run", stack_name=name)
    deliveries = (await myself.get_output_details(DELIVERY_OUTPUT)).value
    version = (await myself.get_output_details(VERSION_OUTPUT)).value
    return LastRun(
        deliveries if isinstance(deliveries, Mapping) else {},
        version if isinstance(version, str) else None,
    )
