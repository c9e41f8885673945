"""Customer managed keys, one for each kind of data; all rotate, none is deleted by accident."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from aspora import iam
from components.aws.site import Site

PURPOSES: tuple[tuple[str, str], ...] = (
    ("cluster", "secrets in etcd of the EKS cluster"),
    ("data", "buckets and image repositories"),
    ("database", "PostgreSQL, Valkey and their credentials"),
    ("logs", "log groups and the audit trail"),
)
"""Purpose, and what the key encrypts."""


@dataclass(frozen=True)
class KeysArgs:
    """The stack."""

    site: Site


class Keys(pulumi.ComponentResource):
    """`arns` by purpose."""

    def __init__(
        self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Keys", name, None, opts)
        self.arns: dict[str, pulumi.Output[str]] = {}
        for purpose, what in PURPOSES:
            key = self._key(args.site, purpose, what)
            self.arns[purpose] = key.arn
        self.register_outputs({"arns": self.arns})

    def _key(self, site: Site, purpose: str, what: str) -> aws.kms.Key:
        services = iam.key_of_logs(site.region, site.account) if purpose == "logs" else []
        name = f"{site.name}-{purpose}"
        key = aws.kms.Key(
            name,
            description=f"{site.name}: {what}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            policy=iam.document(iam.key(site.account, services)),
            tags=site.tags(name),
            opts=pulumi.ResourceOptions(parent=self, protect=site.protect),
        )
        aws.kms.Alias(
            name,
            name=f"alias/{name}",
            target_key_id=key.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key
