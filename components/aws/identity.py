"""AWS rights of pods: a role for one ServiceAccount, by EKS Pod Identity."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from aspora import iam, names
from aspora.tenants import Identity, Tenant
from components.aws.cluster import Cluster
from components.aws.site import Site, role


@dataclass(frozen=True)
class PodRoleArgs:
    """`policy` is the JSON of all the role may do."""

    site: Site
    cluster: aws.eks.Cluster
    namespace: str
    service_account: str
    policy: pulumi.Input[str]
    owner: str = names.PLATFORM_OWNER


class PodRole(pulumi.ComponentResource):
    """Role, policy and association of one ServiceAccount; its trust names that account alone."""

    def __init__(
        self, name: str, args: PodRoleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:PodRole", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        trust = iam.trust_pods(site.name, args.namespace, args.service_account, site.account)
        made = role(name, site, trust, child, owner=args.owner)
        aws.iam.RolePolicy(name, name=name, role=made.id, policy=args.policy, opts=child)
        aws.eks.PodIdentityAssociation(
            name,
            cluster_name=args.cluster.name,
            namespace=args.namespace,
            service_account=args.service_account,
            role_arn=made.arn,
            tags=site.tags(owner=args.owner),
            opts=child,
        )
        self.arn = made.arn
        self.register_outputs({"arn": made.arn})


@dataclass(frozen=True)
class SecretReaderArgs:
    """Which namespace's reader, and what it may read."""

    site: Site
    cluster: Cluster
    namespace: str
    statements: list[iam.Statement]
    owner: str = names.PLATFORM_OWNER
    account: str = names.READER_ACCOUNT


def secret_reader(name: str, args: SecretReaderArgs, opts: pulumi.ResourceOptions) -> None:
    """A namespace's secret reader: External Secrets takes it by a token of the cluster's issuer."""
    trust = pulumi.Output.all(args.cluster.tokens.arn, args.cluster.issuer).apply(
        lambda found: iam.document(
            iam.trust_web_identity(found[0], found[1], args.namespace, args.account)
        )
    )
    reader = role(name, args.site, trust, opts, owner=args.owner)
    policy = iam.document(args.statements)
    aws.iam.RolePolicy(name, name=name, role=reader.id, policy=policy, opts=opts)


@dataclass(frozen=True)
class TenantRolesArgs:
    """A domain, the ARN of the key of its objects in S3, and RDS's id of the database."""

    site: Site
    cluster: Cluster
    tenant: Tenant
    data_key: pulumi.Input[str]
    database_id: pulumi.Input[str]


class TenantRoles(pulumi.ComponentResource):
    """A domain's identities on AWS: each workload's, the secret reader's and the team's.

    A workload gets one prefix of one bucket; its database user only where its agent asks for it.
    """

    def __init__(
        self, name: str, args: TenantRolesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:TenantRoles", name, None, opts)
        for identity in args.tenant.identities:
            self._pod_role(args, identity.service_account, self._workload(args, identity))
        self._reader(args)
        self.team = self._team(args)
        self.register_outputs({"team": self.team.arn})

    def _pod_role(self, args: TenantRolesArgs, account: str, policy: pulumi.Input[str]) -> None:
        PodRole(
            names.domain_role(args.site.name, args.tenant.name, account),
            PodRoleArgs(
                args.site,
                args.cluster.eks,
                args.tenant.namespace,
                account,
                policy,
                args.tenant.name,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _workload(self, args: TenantRolesArgs, identity: Identity) -> pulumi.Output[str]:
        site, bucket = args.site, args.site.bucket("artifacts")

        def policy(found: list[str]) -> str:
            statements = iam.agent(bucket, identity, found[0])
            if identity.database:
                statements += iam.agent_database(
                    site.region, site.account, site.name, args.tenant.name, found[1]
                )
            return iam.document(statements)

        return pulumi.Output.all(args.data_key, args.database_id).apply(policy)

    def _reader(self, args: TenantRolesArgs) -> None:
        site, tenant = args.site, args.tenant
        statements = iam.secret_reader(
            site.settings.environment,
            tenant.name,
            site.region,
            site.account,
            site.secrets_alias(),
        )
        secret_reader(
            names.domain_role(site.name, tenant.name, names.READER_ACCOUNT),
            SecretReaderArgs(site, args.cluster, tenant.namespace, statements, tenant.name),
            pulumi.ResourceOptions(parent=self),
        )

    def _team(self, args: TenantRolesArgs) -> aws.iam.Role:
        """What the team logs in with: it may find the cluster; the rest is Kubernetes' RBAC."""
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        name = names.domain_role(site.name, args.tenant.name, names.TEAM_ROLE)
        team = role(
            name,
            site,
            iam.trust_team(site.account, args.tenant.team),
            child,
            owner=args.tenant.name,
        )
        arn = f"arn:aws:eks:{site.region}:{site.account}:cluster/{site.name}"
        aws.iam.RolePolicy(
            name,
            name=name,
            role=team.id,
            policy=iam.document([iam.allow(["eks:DescribeCluster"], [arn])]),
            opts=child,
        )
        return team
