"""The AWS layer: what is no Kubernetes object.

So far what the domains' objects refer to by name: the bucket of the agents' data and the named
secrets that ExternalSecrets read (entries without values: `aspora bootstrap` gives them theirs).
The network, the cluster and the databases get their components here, in the order they need each
other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from aspora import names
from aspora.render import Rendered
from aspora.stack import StackSettings


@dataclass(frozen=True)
class DataStoresArgs:
    """`secret_names` as the rendered ExternalSecrets spell them."""

    settings: StackSettings
    secret_names: tuple[str, ...]


class DataStores(pulumi.ComponentResource):
    """The artifacts bucket and the entries of Secrets Manager."""

    def __init__(
        self, name: str, args: DataStoresArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:DataStores", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = {names.OWNER_LABEL: names.PLATFORM_OWNER}
        bucket_name = f"aspora-{args.settings.environment}-artifacts"
        self.bucket = aws.s3.Bucket("artifacts", bucket=bucket_name, tags=tags, opts=child)
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
        for secret in args.secret_names:
            aws.secretsmanager.Secret(
                secret,
                name=secret,
                recovery_window_in_days=7,
                tags=tags,
                opts=child,
            )
        self.register_outputs({"artifacts": self.bucket.id})


def resource_count(rendered: Rendered) -> int:
    """How many AWS resources this layer declares: the bucket's three, and the secrets."""
    return 3 + len(secret_names(rendered))


def secret_names(rendered: Rendered) -> tuple[str, ...]:
    """Every entry of Secrets Manager that a rendered ExternalSecret reads, once."""
    return tuple(dict.fromkeys(_remote_keys(rendered)))


def _remote_keys(rendered: Rendered) -> Iterator[str]:
    for obj in rendered:
        if obj["kind"] == "ExternalSecret":
            for item in obj["spec"]["data"]:
                yield item["remoteRef"]["key"]
