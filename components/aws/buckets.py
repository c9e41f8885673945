"""S3: what agents, pipelines and the audit trail keep; encrypted, versioned, TLS alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from aspora import iam
from aspora.services.stores import (
    CLICKHOUSE_BACKUP_DAYS,
    CLICKHOUSE_BACKUPS,
    MYSQL_BACKUP_DAYS,
    MYSQL_BACKUPS,
    OLD_VERSION_DAYS,
    RAW_LOGS_DAYS,
    platform_prefix,
)
from components.aws.site import Site


@dataclass(frozen=True)
class Purpose:
    """A bucket: what it is for, how long its objects stay, and whether domains have prefixes.

    `days` is when an object expires, `cold_days` when it moves to infrequent access; None never.
    Old versions go after OLD_VERSION_DAYS. `short` are prefixes whose objects expire earlier.
    """

    name: str
    days: int | None
    cold_days: int | None
    by_domain: bool
    short: tuple[tuple[str, int], ...] = ()


PURPOSES: tuple[Purpose, ...] = (
    Purpose(
        "artifacts",
        None,
        90,
        by_domain=True,
        short=(
            (platform_prefix(CLICKHOUSE_BACKUPS), CLICKHOUSE_BACKUP_DAYS),
            (platform_prefix(MYSQL_BACKUPS), MYSQL_BACKUP_DAYS),
        ),
    ),
    Purpose("raw-logs", RAW_LOGS_DAYS, 30, by_domain=True),
    Purpose("skills", None, None, by_domain=True),
    Purpose("training-data", None, 90, by_domain=True),
)
ACCESS_LOGS = Purpose("access-logs", 400, 30, by_domain=False)
TRAIL = Purpose("audit-trail", 2557, 90, by_domain=False)
"""Seven years: what a financial company keeps its records for (SEC rule 17a-4 says six)."""


@dataclass(frozen=True)
class SecureBucketArgs:
    """`key` is the ARN of a KMS key, or None for S3's own; `logs_to` gets the access logs."""

    site: Site
    purpose: Purpose
    key: pulumi.Input[str] | None
    logs_to: SecureBucket | None = None
    statements: tuple[iam.Statement, ...] = ()


class SecureBucket(pulumi.ComponentResource):
    """A bucket with everything that keeps it private."""

    def __init__(
        self, name: str, args: SecureBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:SecureBucket", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        self.bucket = aws.s3.Bucket(
            name,
            bucket=name,
            force_destroy=not site.protect,
            tags=site.tags(name),
            opts=pulumi.ResourceOptions(parent=self, protect=site.protect),
        )
        bucket = self.bucket.id
        blocked = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketOwnershipControls(
            name, bucket=bucket, rule={"object_ownership": "BucketOwnerEnforced"}, opts=child
        )
        aws.s3.BucketVersioning(
            name, bucket=bucket, versioning_configuration={"status": "Enabled"}, opts=child
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            name, bucket=bucket, rules=[_encryption(args.key)], opts=child
        )
        aws.s3.BucketLifecycleConfiguration(
            name, bucket=bucket, rules=_lifecycle(args.purpose), opts=child
        )
        self.policy = aws.s3.BucketPolicy(
            name,
            bucket=bucket,
            policy=iam.document(
                [*iam.bucket(name, by_domain=args.purpose.by_domain), *args.statements]
            ),
            # S3 refuses two settings of one bucket at the same time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[blocked]),
        )
        if args.logs_to is not None:
            aws.s3.BucketLogging(
                name,
                bucket=bucket,
                target_bucket=args.logs_to.bucket.id,
                target_prefix=f"{args.purpose.name}/",
                # S3 asks whether its log service may write there.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[args.logs_to.policy]),
            )
        self.register_outputs({"bucket": bucket})


def _encryption(key: pulumi.Input[str] | None) -> Any:
    algorithm: dict[str, Any] = {"sse_algorithm": "aws:kms" if key else "AES256"}
    if key:
        algorithm["kms_master_key_id"] = key
    return {
        "apply_server_side_encryption_by_default": algorithm,
        "bucket_key_enabled": key is not None,
    }


def _lifecycle(purpose: Purpose) -> list[Any]:
    """One rule for all objects, and one a prefix that expires earlier."""
    return [_age(purpose), *(_short(prefix, days) for prefix, days in purpose.short)]


def _short(prefix: str, days: int) -> dict[str, Any]:
    return {
        "id": prefix.strip("/").replace("/", "-"),
        "status": "Enabled",
        "filter": {"prefix": prefix},
        "expiration": {"days": days},
        "noncurrent_version_expiration": {"noncurrent_days": 1},
    }


def _age(purpose: Purpose) -> dict[str, Any]:
    """An upload that never ended goes after a week."""
    rule: dict[str, Any] = {
        "id": "age",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "noncurrent_version_expiration": {"noncurrent_days": OLD_VERSION_DAYS},
        "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
    }
    if purpose.days is not None:
        rule["expiration"] = {"days": purpose.days}
    if purpose.cold_days is not None:
        rule["transitions"] = [{"days": purpose.cold_days, "storage_class": "STANDARD_IA"}]
    return rule


@dataclass(frozen=True)
class BucketsArgs:
    """`key` encrypts all of them but the access logs, which S3 writes with its own key alone."""

    site: Site
    key: pulumi.Input[str]


class Buckets(pulumi.ComponentResource):
    """Every bucket of the stack, and the one that all of them log to."""

    def __init__(
        self, name: str, args: BucketsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Buckets", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        log_name = site.bucket(ACCESS_LOGS.name)
        self.access_logs = SecureBucket(
            log_name,
            SecureBucketArgs(
                site,
                ACCESS_LOGS,
                None,
                statements=tuple(iam.log_delivery(log_name, site.account)),
            ),
            child,
        )
        self.by_purpose = {
            purpose.name: SecureBucket(
                site.bucket(purpose.name),
                SecureBucketArgs(site, purpose, args.key, self.access_logs),
                child,
            )
            for purpose in PURPOSES
        }
        self.register_outputs({"artifacts": self.by_purpose["artifacts"].bucket.id})
