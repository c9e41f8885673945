"""The AWS layer: the order in which its components need each other.

A stack with `aspora:aws` has all of it, from the boundary of its roles to the identities of its
pods. `local` has no cluster to make: it gets the bucket that agents would write to, on moto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from aspora import names
from aspora.named_secrets import database_endpoint
from aspora.render import Object
from aspora.stack import StackSettings
from aspora.stack_aws import AwsSettings
from aspora.tenants import Tenant
from components.aws import (
    buckets,
    ci,
    cluster,
    databases,
    dns,
    identity,
    keys,
    network,
    nodes,
    platform,
    registry,
    watch,
)
from components.aws.site import Site
from components.base import PROVIDER_VERSION
from components.cluster_policies import ClusterPolicies, ClusterPoliciesArgs

CALLER = "aws:index/getCallerIdentity:getCallerIdentity"


@dataclass(frozen=True)
class Cloud:
    """What the Kubernetes layers need of AWS, and what people want to know of it.

    `kubernetes` is the provider of the stack's own cluster; None takes the current context.
    """

    kubernetes: pulumi.ProviderResource | None = None
    waits_for: tuple[pulumi.Resource, ...] = ()
    outputs: Mapping[str, pulumi.Input[object]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Base:
    """What stands before the cluster."""

    site: Site
    keys: keys.Keys
    network: network.Network
    buckets: buckets.Buckets
    zones: dns.Zones


async def declare_aws(
    settings: StackSettings,
    tenants: tuple[Tenant, ...],
    system: tuple[Object, ...] = (),
) -> Cloud:
    """Register the AWS side of a stack.

    `system` are the policies of kube-system, which have to hold before CoreDNS starts.
    """
    if settings.aws is None:
        bucket = names.bucket(f"aspora-{settings.environment}", "artifacts")
        LocalBucket("data", LocalBucketArgs(bucket, settings.environment))
        return Cloud()
    provider = _provider(settings, settings.aws)
    opts = pulumi.ResourceOptions(providers=[provider])
    account = await _account(settings.aws, provider)
    boundary = ci.Boundary(
        "boundary",
        ci.BoundaryArgs(f"{settings.cluster.name}-boundary", settings.environment, account),
        opts,
    )
    site = Site(settings, settings.aws, account, boundary.arn)
    base = _base(site, opts)
    return _platform(base, tenants, system, opts)


def _provider(settings: StackSettings, wanted: AwsSettings) -> aws.Provider:
    """Refuses every account but the stack's own, when that is known."""
    accounts = [wanted.account_id] if wanted.account_id else None
    return aws.Provider("aws", region=settings.region, allowed_account_ids=accounts)


async def _account(wanted: AwsSettings, provider: aws.Provider) -> str:
    """The account's ID: as the settings say, else whose credentials these are."""
    if wanted.account_id:
        return wanted.account_id
    options = pulumi.InvokeOptions(provider=provider)
    found = await pulumi.runtime.invoke_async(CALLER, {}, options)
    return str(found["accountId"])


def _base(site: Site, opts: pulumi.ResourceOptions) -> _Base:
    """Keys, network, buckets and zones; and what watches over the account."""
    made = keys.Keys("keys", keys.KeysArgs(site), opts)
    net = network.Network("network", network.NetworkArgs(site, made.arns["logs"]), opts)
    aws.ebs.EncryptionByDefault(
        "volumes",
        enabled=True,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(parent=net)),
    )
    stores = buckets.Buckets("buckets", buckets.BucketsArgs(site, made.arns["data"]), opts)
    zones = dns.Zones("zones", dns.ZonesArgs(site, net.vpc.id), opts)
    if site.aws.network.dns_firewall:
        dns.DnsFirewall("dns-firewall", dns.DnsFirewallArgs(site, net.vpc.id), opts)
    watch.Detection(
        "detection",
        watch.DetectionArgs(site, made.arns["logs"], stores.access_logs),
        opts,
    )
    return _Base(site, made, net, stores, zones)


def _platform(
    base: _Base,
    tenants: tuple[Tenant, ...],
    system: tuple[Object, ...],
    opts: pulumi.ResourceOptions,
) -> Cloud:
    """The cluster, its nodes and everything that is for the domains."""
    site, net = base.site, base.network
    node_subnets = [subnet.id for subnet in net.nodes]
    eks = cluster.Cluster(
        "cluster",
        cluster.ClusterArgs(site, node_subnets, base.keys.arns["cluster"], base.keys.arns["logs"]),
        opts,
    )
    roles = ci.GithubRoles("github", ci.GithubRolesArgs(site), opts)
    nodes.Karpenter("karpenter", nodes.KarpenterArgs(site, eks.eks), opts)
    dns.Controllers("controllers", dns.ControllersArgs(site, eks.eks, base.zones), opts)
    teams = _tenants(base, eks, tenants, opts)
    access = cluster.Access(
        "access", cluster.AccessArgs(site, eks.eks, _entries(site, roles, teams)), opts
    )
    kubernetes = _kubernetes(eks, access)
    policies = ClusterPolicies(
        "system", ClusterPoliciesArgs(system), pulumi.ResourceOptions(providers=[kubernetes])
    )
    ready = _nodes(site, eks, node_subnets, policies.ready, opts)
    return Cloud(
        kubernetes=kubernetes,
        waits_for=ready,
        outputs={
            "accountId": site.account,
            "artifactsBucket": base.buckets.by_purpose["artifacts"].bucket.id,
            "clusterEndpoint": eks.eks.endpoint,
            "clusterName": eks.eks.name,
            "deployRole": roles.deploy.arn,
            "nameServers": base.zones.public.name_servers,
            "previewRole": roles.preview.arn,
            "teamRoles": {name: team for name, _, team in teams},
            "vpcId": net.vpc.id,
        },
    )


def _nodes(
    site: Site,
    eks: cluster.Cluster,
    subnets: list[pulumi.Output[str]],
    policies: tuple[pulumi.Resource, ...],
    opts: pulumi.ResourceOptions,
) -> tuple[pulumi.Resource, ...]:
    """Add-ons that nodes need, the nodes, then add-ons that need nodes and their policies."""
    wanted = cluster.addons(site)
    first = tuple(addon for addon in wanted if not addon.needs_nodes)
    before = cluster.Addons("addons-before-nodes", cluster.AddonsArgs(site, eks.eks, first), opts)
    system = nodes.SystemNodes(
        "system-nodes",
        nodes.SystemNodesArgs(site, eks.eks, subnets, tuple(before.made)),
        opts,
    )
    last = tuple(addon for addon in wanted if addon.needs_nodes)
    after = cluster.Addons(
        "addons", cluster.AddonsArgs(site, eks.eks, last, (system.group, *policies)), opts
    )
    return tuple(after.made)


Team = tuple[str, str, pulumi.Output[str]]


def _tenants(
    base: _Base, eks: cluster.Cluster, tenants: tuple[Tenant, ...], opts: pulumi.ResourceOptions
) -> list[Team]:
    """Databases, repositories, identities and budgets; answers (domain, team, its role's ARN)."""
    site, key = base.site, base.keys.arns["database"]
    users = tuple(tenant.name for tenant in tenants if tenant.database)
    subnets = [subnet.id for subnet in base.network.databases]
    stores = databases.Databases(
        "databases",
        databases.DatabasesArgs(
            site, base.network.vpc.id, subnets, key, base.keys.arns["logs"], users
        ),
        opts,
    )
    endpoints = {names.PLATFORM_OWNER: stores.platform_endpoint}
    endpoints |= dict.fromkeys(users, stores.endpoint)
    for owner, value in endpoints.items():
        databases.EndpointSecret(
            f"endpoint-{owner}",
            databases.EndpointSecretArgs(
                site, database_endpoint(site.settings, owner), value, owner
            ),
            opts,
        )
    platform.PlatformRoles(
        "platform-identities",
        platform.PlatformRolesArgs(
            site,
            eks,
            base.keys.arns["data"],
            stores.postgres.instance.resource_id,
            stores.admin_secret,
            key,
        ),
        opts,
    )
    registry.Repositories(
        "images",
        registry.RepositoriesArgs(site, _repositories(tenants), base.keys.arns["data"]),
        opts,
    )
    watch.Spending(
        "spending", watch.SpendingArgs(site, tuple(tenant.name for tenant in tenants)), opts
    )
    return [
        (tenant.name, tenant.team, _roles(base, eks, tenant, stores, opts)) for tenant in tenants
    ]


def _roles(
    base: _Base,
    eks: cluster.Cluster,
    tenant: Tenant,
    stores: databases.Databases,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    args = identity.TenantRolesArgs(
        base.site, eks, tenant, base.keys.arns["data"], stores.postgres.instance.resource_id
    )
    return identity.TenantRoles(f"identities-{tenant.name}", args, opts).team.arn


def _repositories(tenants: tuple[Tenant, ...]) -> tuple[tuple[str, str], ...]:
    """Each image's repository once, with the first domain that runs it."""
    owners: dict[str, str] = {}
    for tenant in tenants:
        for repository in tenant.repositories:
            owners.setdefault(repository, tenant.name)
    return tuple(owners.items())


def _entries(site: Site, roles: ci.GithubRoles, teams: list[Team]) -> tuple[cluster.Entry, ...]:
    """CI deploys and looks, administrators administer, each team is its own group."""
    return (
        cluster.Entry("deploy", roles.deploy.arn, policy=cluster.ADMINISTRATOR),
        cluster.Entry("preview", roles.preview.arn, group=names.PREVIEW_GROUP),
        *(
            cluster.Entry(f"admin-{index}", arn, policy=cluster.ADMINISTRATOR)
            for index, arn in enumerate(site.aws.control_plane.admins)
        ),
        *(cluster.Entry(f"team-{name}", arn, group=team) for name, team, arn in teams),
    )


def _kubernetes(eks: cluster.Cluster, access: cluster.Access) -> pulumi.ProviderResource:
    """The provider of the cluster just made; it holds no credentials, and waits to be let in."""
    return pulumi.ProviderResource(
        "kubernetes",
        "eks",
        # Since 4.29 a create refuses what exists; here it takes over, as when Argo CD hands back.
        {"kubeconfig": eks.kubeconfig, "upsertExistingObjects": "true"},
        pulumi.ResourceOptions(version=PROVIDER_VERSION, depends_on=access.administrators),
    )


@dataclass(frozen=True)
class LocalBucketArgs:
    """The bucket's full name."""

    bucket: str
    environment: str


class LocalBucket(pulumi.ComponentResource):
    """The bucket of the agents' data on one machine, where no cluster is made."""

    def __init__(
        self, name: str, args: LocalBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:DataStores", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = names.tags(args.environment)
        self.bucket = aws.s3.Bucket("artifacts", bucket=args.bucket, tags=tags, opts=child)
        aws.s3.BucketPublicAccessBlock(
            "artifacts",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketVersioning(
            "artifacts",
            bucket=self.bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=child,
        )
        self.register_outputs({"artifacts": self.bucket.id})
