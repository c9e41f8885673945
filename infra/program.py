"""The order of the layers: AWS, custom resources, cluster policies, domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from aspora.render import Object, Rendered
from aspora.stack import StackSettings
from components.cluster_policies import ClusterPolicies, ClusterPoliciesArgs
from components.crds import CustomResources, CustomResourcesArgs
from components.domain_namespace import DomainNamespace, DomainNamespaceArgs

PROJECT = "aspora-platform"
DELIVERY_OUTPUT = "delivery"
HANDING_OVER = "handing-over"
"""The delivery of a domain between `pulumi` and `argocd`: one more run lets go of its workloads."""


@dataclass(frozen=True)
class Platform:
    """Everything a run declares, decided before the engine starts."""

    settings: StackSettings
    rendered: Rendered
    definitions: tuple[Object, ...]


async def declare(platform: Platform) -> None:
    """Register the whole platform; exports `delivery`, by which the next run knows what changed."""
    from infra.aws import DataStores, DataStoresArgs, secret_names

    before = await _deliveries()
    rendered, settings = platform.rendered, platform.settings
    DataStores("data", DataStoresArgs(settings, secret_names(rendered)))
    crds = CustomResources("crds", CustomResourcesArgs(platform.definitions))
    policies = ClusterPolicies(
        "cluster", ClusterPoliciesArgs(rendered.cluster, tuple(crds.definitions))
    )
    after: dict[str, str] = {}
    for domain in rendered.domains:
        handing_over = domain.delivery == "argocd" and before.get(domain.name) == "pulumi"
        after[domain.name] = HANDING_OVER if handing_over else domain.delivery
        DomainNamespace(
            domain.name,
            DomainNamespaceArgs(
                domain,
                settings.progressive_delivery,
                handing_over,
                (*crds.definitions, *policies.objects),
            ),
        )
    pulumi.export(DELIVERY_OUTPUT, after)


async def _deliveries() -> Mapping[str, Any]:
    """Who delivered each domain in the last run: this stack's own outputs; empty at first."""
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    myself = pulumi.StackReference("last-run", stack_name=name)
    details = await myself.get_output_details(DELIVERY_OUTPUT)
    return details.value if isinstance(details.value, Mapping) else {}
