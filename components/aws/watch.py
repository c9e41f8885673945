"""What watches the account: budgets, cost-allocation tags, GuardDuty and the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pulumi
import pulumi_aws as aws

from aspora import iam
from components.aws.buckets import TRAIL, SecureBucket, SecureBucketArgs
from components.aws.site import Site, role

COST_TAGS = ("domain", "aspora:environment")


@dataclass(frozen=True)
class SpendingArgs:
    """The domains, by name."""

    site: Site
    tenants: tuple[str, ...]


class Spending(pulumi.ComponentResource):
    """AWS Budgets, for the stack and for each domain's tag: they warn, they stop nothing."""

    def __init__(
        self, name: str, args: SpendingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Spending", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        if site.aws.spending.activate_tags:
            for tag in COST_TAGS:
                aws.costexplorer.CostAllocationTag(tag, tag_key=tag, status="Active", opts=child)
        spending, environment = site.aws.spending, site.settings.environment
        _budget(site, site.name, spending.monthly_usd, f"aspora:environment${environment}", child)
        for tenant in args.tenants:
            _budget(
                site,
                f"{site.name}-{tenant}",
                spending.domain_monthly_usd,
                f"domain${tenant}",
                child,
                owner=tenant,
            )
        self.register_outputs({"count": 1 + len(args.tenants)})


def _budget(
    site: Site,
    name: str,
    usd: Decimal,
    tag: str,
    opts: pulumi.ResourceOptions,
    owner: str = "platform",
) -> None:
    """Mail at 80 % forecast and at 100 % spent. `tag` is `user:` and AWS's own `key$value`."""
    emails = list(site.aws.spending.emails)
    aws.budgets.Budget(
        name,
        name=name,
        budget_type="COST",
        limit_amount=str(usd),
        limit_unit="USD",
        time_unit="MONTHLY",
        cost_filters=[{"name": "TagKeyValue", "values": [f"user:{tag}"]}],
        notifications=[_mail("FORECASTED", 80, emails), _mail("ACTUAL", 100, emails)],
        tags=site.tags(owner=owner),
        opts=opts,
    )


def _mail(kind: str, percent: int, emails: list[str]) -> Any:
    return {
        "comparison_operator": "GREATER_THAN",
        "notification_type": kind,
        "threshold": percent,
        "threshold_type": "PERCENTAGE",
        "subscriber_email_addresses": emails,
    }


@dataclass(frozen=True)
class DetectionArgs:
    """`log_key` encrypts the trail (an ARN); `access_logs` is the bucket of access logs."""

    site: Site
    log_key: pulumi.Input[str]
    access_logs: SecureBucket


class Detection(pulumi.ComponentResource):
    """GuardDuty on EKS audit logs and runtime, CloudTrail in a bucket of its own: as asked."""

    def __init__(
        self, name: str, args: DetectionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Detection", name, None, opts)
        if args.site.aws.detection.guardduty:
            self._guardduty(args.site)
        if args.site.aws.detection.cloudtrail:
            self._trail(args)
        self.register_outputs({})

    def _guardduty(self, site: Site) -> None:
        child = pulumi.ResourceOptions(parent=self)
        detector = aws.guardduty.Detector(
            site.name,
            enable=True,
            finding_publishing_frequency="FIFTEEN_MINUTES",
            tags=site.tags(),
            opts=child,
        )
        for feature in ("EKS_AUDIT_LOGS", "S3_DATA_EVENTS", "RDS_LOGIN_EVENTS"):
            aws.guardduty.DetectorFeature(
                f"{site.name}-{feature.lower()}",
                detector_id=detector.id,
                name=feature,
                status="ENABLED",
                opts=child,
            )

    def _trail(self, args: DetectionArgs) -> None:
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        name = f"{site.name}-trail"
        bucket = site.bucket(TRAIL.name)
        arn = f"arn:aws:cloudtrail:{site.region}:{site.account}:trail/{name}"
        store = SecureBucket(
            bucket,
            SecureBucketArgs(
                site,
                TRAIL,
                args.log_key,
                args.access_logs,
                tuple(iam.trail_delivery(bucket, site.account, arn)),
            ),
            child,
        )
        logs, writer = self._events(name, args)
        aws.cloudtrail.Trail(
            name,
            name=name,
            s3_bucket_name=store.bucket.id,
            kms_key_id=args.log_key,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            cloud_watch_logs_group_arn=logs.arn.apply(lambda found: f"{found}:*"),
            cloud_watch_logs_role_arn=writer.arn,
            tags=site.tags(name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[store.policy]),
        )

    def _events(
        self, name: str, args: DetectionArgs
    ) -> tuple[aws.cloudwatch.LogGroup, aws.iam.Role]:
        """The same events where they can be searched at once; the bucket is the record."""
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        group = aws.cloudwatch.LogGroup(
            name,
            name=f"/aws/cloudtrail/{site.name}",
            retention_in_days=365,
            kms_key_id=args.log_key,
            tags=site.tags(),
            opts=child,
        )
        trust = iam.trust_service("cloudtrail.amazonaws.com", site.account)
        writer = role(name, site, trust, child)
        policy = group.arn.apply(lambda arn: iam.document(iam.write_logs(arn)))
        aws.iam.RolePolicy(name, name=name, role=writer.id, policy=policy, opts=child)
        return group, writer
