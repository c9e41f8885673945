"""Every check that does not count, for what, why and until when.

A skip past its date and a skip that covers nothing are findings themselves. Six months are enough
to ask the question again.
"""

from __future__ import annotations

from datetime import date

from aspora.policy import Skip

UNTIL = date(2027, 5, 31)
_A_BOUNDARY = (
    "a permissions boundary grants nothing: it is the most that the policies of a role could say,"
    " and those are checked each"
)

SKIPS: tuple[Skip, ...] = (
    Skip(
        "CKV_AWS_339",
        "eks.Cluster",
        "checkov 3.3.30 knows EKS versions to 1.35 and calls later ones unsupported; `aspora"
        " doctor` asks AWS itself which version is offered and for how long",
        UNTIL,
    ),
    Skip(
        "CKV_AWS_144",
        "s3.Bucket",
        "one region by design: versions cover a mistake, and where a customer's data may lie is a"
        " question of its own that no copy may answer by accident",
        UNTIL,
    ),
    Skip(
        "CKV2_AWS_62",
        "s3.Bucket",
        "nothing acts on an event of these buckets; who reads and writes stands in the access logs",
        UNTIL,
    ),
    Skip(
        "CKV_AWS_145",
        "s3.Bucket",
        "S3 delivers access logs to buckets with its own encryption alone, not with a KMS key",
        UNTIL,
        name="*-access-logs",
    ),
    Skip(
        "CKV2_AWS_57",
        "secretsmanager.Secret",
        "host names and ports of the databases, written anew with each change: nothing to rotate",
        UNTIL,
        name="aspora/*/database",
    ),
    Skip(
        "CKV2_AWS_38",
        "route53.Zone",
        "DNSSEC needs a DS record at the registrar, which only people can set: signing without"
        " it protects nothing, and a signed zone whose key is lost is off the Internet",
        UNTIL,
    ),
    Skip(
        "CKV2_AWS_39",
        "route53.Zone",
        "the public zone holds the gateway's names alone, and who calls them stands in its logs;"
        " queries from inside go through the VPC's resolver, not through this zone",
        UNTIL,
    ),
    Skip(
        "CKV_AWS_61",
        "iam.Role",
        "checkov reads no conditions: the account's own principals, and of them only those whose"
        " tag names the team; whoever sets that tag decides",
        UNTIL,
        name="*.team",
    ),
    *(
        Skip(check, "iam.Policy", _A_BOUNDARY, UNTIL, name="*-boundary")
        for check in (
            *("CKV_AWS_286", "CKV_AWS_287", "CKV_AWS_288", "CKV_AWS_289", "CKV_AWS_290"),
            "CKV_AWS_355",
        )
    ),
    Skip(
        "CKV_AWS_338",
        "cloudwatch.LogGroup",
        "flow logs answer questions of days or weeks, and a year of them costs more than it tells",
        UNTIL,
        name="*-flow-log",
    ),
    *(
        Skip(
            "CKV_AWS_338",
            "cloudwatch.LogGroup",
            "what staging is asked about happened in the last days; prod keeps these a year",
            UNTIL,
            name=name,
            stacks=("staging",),
        )
        for name in ("*-control-plane", "*-postgres-*")
    ),
    Skip(
        "CKV_AWS_157",
        "rds.Instance",
        "staging may be down while a zone is; prod has a standby in another one",
        UNTIL,
        stacks=("staging",),
    ),
    Skip(
        "CKV2_AWS_50",
        "elasticache.ReplicationGroup",
        "staging may be down while a zone is; prod fails over to another one",
        UNTIL,
        stacks=("staging",),
    ),
    Skip(
        "CKV_AWS_252",
        "cloudtrail.Trail",
        "a message for each file that is delivered has no reader; GuardDuty looks at the events",
        UNTIL,
        stacks=("prod",),
    ),
    Skip(
        "CKV2_AWS_3",
        "guardduty.Detector",
        "it asks for an AWS Organization's settings, which belong to the organization's own"
        " account; the detector of this account is on",
        UNTIL,
        stacks=("prod",),
    ),
)
