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

_ALL = ("local", "staging", "prod")
_NO_DIGEST = (
    "no registry has been asked for these digests, and none is made up (decision 16); `aspora"
    " validate --stack prod` refuses prod until they stand in the domain files and pins"
)
_CLICKHOUSE_WRITES = (
    "ClickHouse's image writes its configuration at its start, and the operator has no field for"
    " volumes that would take its place"
)
_OPERATOR_ACCOUNT = (
    "the operator has no field for it in the pod; the ServiceAccount says itself that no token is"
    " mounted, which ASP508 looks at"
)
_OPERATOR_PROBES = "ClickHouse's operator writes the probes itself, into the StatefulSet it makes"

RULE_SKIPS: tuple[Skip, ...] = (
    Skip("ASP501", "*", _NO_DIGEST, UNTIL, stacks=("prod",)),
    *(
        Skip("ASP507", kind, _CLICKHOUSE_WRITES, UNTIL, stacks=_ALL)
        for kind in ("ClickHouseCluster", "KeeperCluster")
    ),
)
"""Of our own rules (aspora/checks)."""

OBJECT_SKIPS: tuple[Skip, ...] = (
    Skip("CKV_K8S_43", "*", _NO_DIGEST, UNTIL, stacks=_ALL),
    Skip(
        "CKV_K8S_15",
        "*",
        "versions are not moved, and prod runs digests; to ask the registry at each start would"
        " make its outage ours. Nodes pull with one identity, so waiting gets nobody an image",
        UNTIL,
        stacks=_ALL,
    ),
    Skip(
        "CKV_K8S_35",
        "*",
        "agents' SDKs and the products read keys from variables. A file is read as easily by who is"
        " in the pod; nobody may `exec` into one, and no process prints its environment",
        UNTIL,
        stacks=_ALL,
    ),
    Skip(
        "CKV_K8S_40",
        "*",
        "a user in gVisor is none of the node's, and agents' images know theirs as 1000; images of"
        " the products own their files as the user they were made for (101, 999)",
        UNTIL,
        stacks=_ALL,
    ),
    *(
        Skip(
            "CKV_K8S_11",
            "*",
            "a limit of CPU slows a store or controller down while its node stands idle; requests"
            " share a busy node out, and domains' containers have limits",
            UNTIL,
            name=name,
            stacks=_ALL,
        )
        for name in ("aspora-observability/*", "agent-sandbox-system/agent-sandbox-controller")
    ),
    Skip(
        "CKV_K8S_38",
        "Deployment",
        "the controller makes sandboxes through the API; its rights stand beside it",
        UNTIL,
        name="agent-sandbox-system/agent-sandbox-controller",
        stacks=_ALL,
    ),
    *(
        Skip(check, kind, reason, UNTIL, stacks=_ALL)
        for kind in ("ClickHouseCluster", "KeeperCluster")
        for check, reason in (
            ("CKV_K8S_8", _OPERATOR_PROBES),
            ("CKV_K8S_9", _OPERATOR_PROBES),
            ("CKV_K8S_22", _CLICKHOUSE_WRITES),
            ("CKV_K8S_38", _OPERATOR_ACCOUNT),
        )
    ),
)
"""Of checkov's checks of Kubernetes objects."""

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
"""Of checkov's checks of AWS resources."""
