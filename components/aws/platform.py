"""AWS rights of the platform's own services: secret readers by namespace, and their pods' roles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pulumi

from aspora import iam, names
from aspora.gateways.model import objects as model_gateway
from aspora.named_secrets import database_endpoint
from aspora.services import secrets
from aspora.services.stores import (
    CLICKHOUSE_BACKUPS,
    MYSQL_BACKUP,
    MYSQL_BACKUPS,
    POSTGRES_JOB,
    platform_prefix,
)
from aspora.telemetry import collector, node_logs
from components.aws.cluster import Cluster
from components.aws.identity import PodRole, PodRoleArgs, SecretReaderArgs, secret_reader
from components.aws.site import Site

NAMESPACE = names.OBSERVABILITY_NAMESPACE
OF_PREFIX = (("langfuse", "langfuse"), ("opik-backend", "opik"))
"""ServiceAccounts that keep objects in S3, and whose prefix it is."""


@dataclass(frozen=True)
class PlatformRolesArgs:
    """The ARN of the key of objects in S3, RDS's id of the database, and the ARNs of its
    administrator's secret and of the key of that."""

    site: Site
    cluster: Cluster
    data_key: pulumi.Input[str]
    database_id: pulumi.Input[str]
    admin_secret: pulumi.Input[str]
    admin_key: pulumi.Input[str]


class PlatformRoles(pulumi.ComponentResource):
    """Each ServiceAccount gets what its product keeps outside of the cluster, and no more."""

    def __init__(
        self, name: str, args: PlatformRolesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:PlatformRoles", name, None, opts)
        site, key = args.site, pulumi.Output.from_input(args.data_key)
        artifacts, logs = site.bucket("artifacts"), site.bucket("raw-logs")
        for part, namespace in secrets.PARTS.items():
            self._reader(args, part, namespace)
        for account, product in OF_PREFIX:
            self._pod(args, account, _objects(artifacts, platform_prefix(product), key))
        writes = key.apply(lambda arn: iam.document(iam.write_only(logs, arn)))
        self._pod(args, collector.GATEWAY, writes)
        below = f"{node_logs.PREFIX}/"
        pods = key.apply(lambda arn: iam.document(iam.write_only(logs, arn, below)))
        self._pod(args, node_logs.NAME, pods, names.NODE_AGENTS_NAMESPACE)
        backups = platform_prefix(CLICKHOUSE_BACKUPS)
        self._pod(args, "clickhouse", _objects(artifacts, backups, key))
        dumps = platform_prefix(MYSQL_BACKUPS)
        written = key.apply(lambda arn: iam.document(iam.write_only(artifacts, arn, dumps)))
        self._pod(args, MYSQL_BACKUP, written)
        phoenix = pulumi.Output.from_input(args.database_id).apply(
            lambda found: iam.document(
                iam.database_user(site.region, site.account, found, "phoenix")
            )
        )
        self._pod(args, "phoenix", phoenix)
        admin = pulumi.Output.all(args.admin_secret, args.admin_key).apply(
            lambda found: iam.document(iam.managed_secret(site.region, found[0], found[1]))
        )
        self._pod(args, POSTGRES_JOB, admin)
        self._model_gateway(args)
        self.register_outputs({})

    def _model_gateway(self, args: PlatformRolesArgs) -> None:
        """Its user of PostgreSQL; and the reader of all keys: skills' and providers'."""
        site = args.site
        user = pulumi.Output.from_input(args.database_id).apply(
            lambda found: iam.document(
                iam.database_user(site.region, site.account, found, model_gateway.DATABASE_USER)
            )
        )
        self._pod(args, model_gateway.NAME, user, names.PLATFORM_NAMESPACE)
        every, own = (
            partial(names.secret_path, site.settings.environment, domain)
            for domain in ("*", names.PLATFORM_OWNER)
        )
        paths = [
            own("model-gateway", "*"),
            f"{own('database')}-*",
            f"{every('openrouter')}-*",
            every("model-gateway", "*"),
        ]
        statements = iam.secrets_below(site.region, site.account, site.secrets_alias(), paths)
        secret_reader(
            names.domain_role(site.name, names.PLATFORM_OWNER, model_gateway.SECRETS),
            SecretReaderArgs(
                site,
                args.cluster,
                names.PLATFORM_NAMESPACE,
                statements,
                account=model_gateway.SECRETS,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _pod(
        self,
        args: PlatformRolesArgs,
        account: str,
        policy: pulumi.Output[str],
        namespace: str = NAMESPACE,
    ) -> None:
        PodRole(
            f"{args.site.name}-{account}",
            PodRoleArgs(args.site, args.cluster.eks, namespace, account, policy),
            pulumi.ResourceOptions(parent=self),
        )

    def _reader(self, args: PlatformRolesArgs, part: str, namespace: str) -> None:
        """Its own part, and where the databases are: their endpoint is no secret."""
        site = args.site
        own = secrets.value_path(site.settings, part, "*")
        endpoint = database_endpoint(site.settings, names.PLATFORM_OWNER)
        statements = iam.secrets_below(
            site.region, site.account, site.secrets_alias(), [own, f"{endpoint}-*"]
        )
        secret_reader(
            secrets.reader_role(site.settings, part),
            SecretReaderArgs(site, args.cluster, namespace, statements),
            pulumi.ResourceOptions(parent=self),
        )


def _objects(bucket: str, prefix: str, key: pulumi.Output[str]) -> pulumi.Output[str]:
    return key.apply(lambda arn: iam.document(iam.below_prefix(bucket, prefix, arn)))
