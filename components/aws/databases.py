"""RDS for PostgreSQL and ElastiCache for Valkey: private, encrypted, by IAM token over TLS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from aspora import iam, names
from aspora.services.stores import POSTGRES_ADMIN, POSTGRES_ADMIN_DATABASE
from components.aws.site import Site, attach, role

DATABASE = POSTGRES_ADMIN_DATABASE
ADMIN = POSTGRES_ADMIN
POSTGRES_PORT = 5432
VALKEY_PORT = 6379
LOG_KINDS = ("postgresql", "upgrade")


@dataclass(frozen=True)
class DatabasesArgs:
    """Where they stand, which keys encrypt them and their logs (ARNs), and who uses them."""

    site: Site
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    key: pulumi.Input[str]
    log_key: pulumi.Input[str]
    tenants: tuple[str, ...]


class Databases(pulumi.ComponentResource):
    """Both, behind one security group each that admits nodes and pods alone.

    `endpoint` is the JSON that the named secrets hold (decision 10), `platform_endpoint` the
    platform's, with the ARN of the administrator's secret; no password is in either.
    """

    def __init__(
        self, name: str, args: DatabasesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Databases", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.postgres = Postgres(f"{args.site.name}-postgres", args, child)
        self.cache = Valkey(names.cache(args.site.name), args, child)
        self.endpoint = pulumi.Output.all(
            self.postgres.instance.address, self.cache.group.primary_endpoint_address
        ).apply(lambda hosts: _endpoint(hosts[0], hosts[1]))
        self.admin_secret = self.postgres.instance.master_user_secrets.apply(
            lambda found: str(found[0].secret_arn)
        )
        self.platform_endpoint = pulumi.Output.all(self.endpoint, self.admin_secret).apply(
            lambda found: _with_admin(found[0], found[1])
        )
        self.register_outputs({"endpoint": self.endpoint})


def _endpoint(database: str, cache: str) -> str:
    return json.dumps(
        {
            "host": database,
            "port": str(POSTGRES_PORT),
            "name": DATABASE,
            "cacheHost": cache,
            "cachePort": str(VALKEY_PORT),
        },
        sort_keys=True,
    )


def _with_admin(endpoint: str, secret: str) -> str:
    return json.dumps(json.loads(endpoint) | {"adminSecret": secret}, sort_keys=True)


def _group(
    name: str, what: str, port: int, args: DatabasesArgs, opts: pulumi.ResourceOptions
) -> aws.ec2.SecurityGroup:
    """Nodes' and pods' subnets may connect to one port; nothing goes out."""
    group = aws.ec2.SecurityGroup(
        name,
        name=name,
        description=f"{what} from nodes and pods",
        vpc_id=args.vpc_id,
        tags=args.site.tags(name),
        opts=opts,
    )
    for cidr in args.site.settings.network.node_cidrs:
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-{cidr}",
            security_group_id=group.id,
            description=f"{what} from nodes and pods",
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ipv4=cidr,
            tags=args.site.tags(),
            opts=opts,
        )
    return group


class Postgres(pulumi.ComponentResource):
    """The registry and metadata. RDS itself makes, keeps and rotates the master password."""

    def __init__(
        self, name: str, args: DatabasesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Postgres", name, None, opts)
        site, wanted, child = args.site, args.site.aws.database, pulumi.ResourceOptions(parent=self)
        subnets = aws.rds.SubnetGroup(
            name, name=name, subnet_ids=list(args.subnet_ids), tags=site.tags(name), opts=child
        )
        self.instance = aws.rds.Instance(
            name,
            identifier=name,
            engine="postgres",
            engine_version=wanted.engine_version,
            instance_class=wanted.instance_class,
            db_name=DATABASE,
            username=ADMIN,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=args.key,
            allocated_storage=wanted.storage_gib,
            max_allocated_storage=wanted.storage_gib * 4,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=args.key,
            multi_az=wanted.multi_az,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[_group(name, "PostgreSQL", POSTGRES_PORT, args, child).id],
            publicly_accessible=False,
            parameter_group_name=self._parameters(name, site, wanted.engine_version).name,
            iam_database_authentication_enabled=True,
            backup_retention_period=wanted.backup_days,
            backup_window="02:00-03:00",
            maintenance_window="sun:03:30-sun:04:30",
            copy_tags_to_snapshot=True,
            auto_minor_version_upgrade=True,
            apply_immediately=False,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args.key,
            performance_insights_retention_period=7,
            monitoring_interval=60,
            monitoring_role_arn=self._monitoring(name, site).arn,
            enabled_cloudwatch_logs_exports=list(LOG_KINDS),
            ca_cert_identifier="rds-ca-rsa2048-g1",
            deletion_protection=site.protect,
            delete_automated_backups=False,
            skip_final_snapshot=not site.protect,
            final_snapshot_identifier=f"{name}-final" if site.protect else None,
            tags=site.tags(name),
            opts=pulumi.ResourceOptions(
                parent=self, protect=site.protect, depends_on=self._logs(name, args)
            ),
        )
        self.register_outputs({"address": self.instance.address})

    def _logs(self, name: str, args: DatabasesArgs) -> list[pulumi.Resource]:
        """Made before RDS makes them without retention and key."""
        return [
            aws.cloudwatch.LogGroup(
                f"{name}-{kind}",
                name=f"/aws/rds/instance/{name}/{kind}",
                retention_in_days=args.site.aws.control_plane.log_days,
                kms_key_id=args.log_key,
                tags=args.site.tags(),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for kind in LOG_KINDS
        ]

    def _parameters(self, name: str, site: Site, version: str) -> aws.rds.ParameterGroup:
        """TLS is forced, passwords are proved and never sent (SCRAM), slow statements are logged;
        of the extensions only these can be made, pgvector (`vector`) for the feedback loop among
        them."""
        settings = {
            "rds.allowed_extensions": "pg_stat_statements,pgcrypto,plpgsql,uuid-ossp,vector",
            "rds.force_ssl": "1",
            "password_encryption": "scram-sha-256",
            "log_connections": "1",
            "log_min_duration_statement": "1000",
            "log_statement": "ddl",
        }
        return aws.rds.ParameterGroup(
            name,
            name=name,
            family=f"postgres{version.partition('.')[0]}",
            description="TLS forced, slow statements and schema changes logged",
            parameters=[{"name": key, "value": value} for key, value in settings.items()],
            tags=site.tags(name),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _monitoring(self, name: str, site: Site) -> aws.iam.Role:
        child = pulumi.ResourceOptions(parent=self)
        full = f"{name}-monitoring"
        trust = iam.trust_service("monitoring.rds.amazonaws.com", site.account)
        made = role(full, site, trust, child)
        attach(made, full, ("service-role/AmazonRDSEnhancedMonitoringRole",), child)
        return made


class Valkey(pulumi.ComponentResource):
    """The cache. Each domain that uses it has a user of its own, bound to its keys."""

    def __init__(
        self, name: str, args: DatabasesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Valkey", name, None, opts)
        site, wanted, child = args.site, args.site.aws.cache, pulumi.ResourceOptions(parent=self)
        self._user_group = self._users(name, args)
        subnets = aws.elasticache.SubnetGroup(
            name,
            name=name,
            description=f"{site.name}: database subnets",
            subnet_ids=list(args.subnet_ids),
            tags=site.tags(name),
            opts=child,
        )
        self.group = aws.elasticache.ReplicationGroup(
            name,
            replication_group_id=name,
            description=f"{site.name}: cache of agents and gateways",
            engine="valkey",
            engine_version=wanted.engine_version,
            node_type=wanted.node_type,
            num_cache_clusters=wanted.replicas + 1,
            automatic_failover_enabled=wanted.replicas > 0,
            multi_az_enabled=wanted.replicas > 0,
            subnet_group_name=subnets.name,
            security_group_ids=[_group(name, "Valkey", VALKEY_PORT, args, child).id],
            port=VALKEY_PORT,
            at_rest_encryption_enabled=True,
            kms_key_id=args.key,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            user_group_ids=[self._user_group.user_group_id],
            snapshot_retention_limit=7 if wanted.replicas else 1,
            snapshot_window="01:00-02:00",
            maintenance_window="sun:04:30-sun:05:30",
            auto_minor_version_upgrade=True,
            apply_immediately=False,
            final_snapshot_identifier=f"{name}-final" if site.protect else None,
            tags=site.tags(name),
            opts=pulumi.ResourceOptions(parent=self, protect=site.protect),
        )
        self._members(args)
        self.register_outputs({"address": self.group.primary_endpoint_address})

    def _users(self, name: str, args: DatabasesArgs) -> aws.elasticache.UserGroup:
        """`platform` may use all keys, a domain those that begin with its name.

        A domain's user joins by an association of its own, so that the group stays as it is.
        """
        return aws.elasticache.UserGroup(
            name,
            user_group_id=name,
            engine="valkey",
            user_ids=[self._user(args.site, names.PLATFORM_OWNER, "*").user_id],
            tags=args.site.tags(name),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["userIds"]),
        )

    def _members(self, args: DatabasesArgs) -> None:
        """One after the other, and after the cache: AWS takes no change of a group in between."""
        before: pulumi.Resource = self.group
        for tenant in args.tenants:
            user = self._user(args.site, tenant, f"{tenant}:*")
            before = aws.elasticache.UserGroupAssociation(
                names.cache_user(args.site.name, tenant),
                user_group_id=self._user_group.user_group_id,
                user_id=user.user_id,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[before]),
            )

    def _user(self, site: Site, owner: str, keys: str) -> aws.elasticache.User:
        name = names.cache_user(site.name, owner)
        return aws.elasticache.User(
            name,
            user_id=name,
            user_name=name,
            engine="valkey",
            access_string=f"on ~{keys} &{keys} +@all -@dangerous -@admin",
            authentication_mode={"type": "iam"},
            tags=site.tags(owner=owner),
            opts=pulumi.ResourceOptions(parent=self),
        )


@dataclass(frozen=True)
class EndpointSecretArgs:
    """`value` is the JSON with host names and ports; `name` the named secret."""

    site: Site
    name: str
    value: pulumi.Input[str]
    owner: str


class EndpointSecret(pulumi.ComponentResource):
    """Where the databases are, in a named secret: the only kind that Pulumi writes."""

    def __init__(
        self, name: str, args: EndpointSecretArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:EndpointSecret", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        entry = aws.secretsmanager.Secret(
            args.name,
            name=args.name,
            description="Hosts and ports of PostgreSQL and Valkey; written by Pulumi",
            kms_key_id=args.site.secrets_alias(),
            # At once where nothing is protected: a name in its window cannot be made again.
            recovery_window_in_days=7 if args.site.protect else 0,
            tags=args.site.tags(owner=args.owner),
            opts=child,
        )
        aws.secretsmanager.SecretVersion(
            args.name,
            secret_id=entry.id,
            secret_string=pulumi.Output.secret(args.value),
            opts=child,
        )
        self.register_outputs({"name": args.name})
