"""IAM policy documents as plain data: who may do what, in one place and without AWS.

Every function answers statements; `document` makes the JSON of them, the same bytes each time.
Actions and condition keys: the Service Authorization Reference of each AWS service.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aspora import names
from aspora.tenants import Identity

Statement = dict[str, Any]
GITHUB_HOST = "token.actions.githubusercontent.com"


def document(statements: Sequence[Statement]) -> str:
    """The policy's JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def allow(
    actions: Sequence[str], resources: Sequence[str], condition: Statement | None = None
) -> Statement:
    """An Allow of an identity's policy."""
    made: Statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return made | {"Condition": condition} if condition else made


# -- who may become a role ----------------------------------------------------------------------


def trust_pods(cluster: str, namespace: str, service_account: str, account: str) -> list[Statement]:
    """Pods of one ServiceAccount, by EKS Pod Identity, whose session tags name them."""
    return [
        {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {
                "StringEquals": {
                    "aws:SourceAccount": account,
                    "aws:RequestTag/eks-cluster-name": cluster,
                    "aws:RequestTag/kubernetes-namespace": namespace,
                    "aws:RequestTag/kubernetes-service-account": service_account,
                }
            },
        }
    ]


def trust_web_identity(
    provider_arn: str, issuer: str, namespace: str, service_account: str
) -> list[Statement]:
    """One ServiceAccount by a token of the cluster's own issuer (IRSA).

    External Secrets asks for another ServiceAccount's rights, which Pod Identity cannot give.
    """
    host = issuer.removeprefix("https://")
    return [
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{host}:aud": "sts.amazonaws.com",
                    f"{host}:sub": f"system:serviceaccount:{namespace}:{service_account}",
                }
            },
        }
    ]


def trust_service(service: str, account: str = "") -> list[Statement]:
    """An AWS service; `account` keeps it from acting for anybody else's resources."""
    made: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if account:
        made["Condition"] = {"StringEquals": {"aws:SourceAccount": account}}
    return [made]


def trust_github(provider_arn: str, subjects: Sequence[str]) -> list[Statement]:
    """Workflow runs of GitHub whose OIDC subject is exactly one of `subjects`."""
    return [
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{GITHUB_HOST}:aud": "sts.amazonaws.com",
                    f"{GITHUB_HOST}:sub": list(subjects),
                }
            },
        }
    ]


def trust_team(account: str, team: str) -> list[Statement]:
    """People of this account whose session carries the tag `team` of their identity provider."""
    return [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": team}},
        }
    ]


# -- what the pods of a domain may --------------------------------------------------------------


def agent(bucket: str, identity: Identity, key_arn: str) -> list[Statement]:
    """A workload's own prefix of one bucket, and the bucket's key through S3 alone."""
    return below_prefix(bucket, identity.prefix, key_arn)


def below_prefix(bucket: str, prefix: str, key_arn: str) -> list[Statement]:
    """Objects of one bucket whose names begin with `prefix`, and no others."""
    arn = f"arn:aws:s3:::{bucket}"
    return [
        allow(
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            [f"{arn}/{prefix}*"],
        ),
        allow(["s3:ListBucket"], [arn], {"StringLike": {"s3:prefix": [f"{prefix}*"]}}),
        _key_through("s3", [key_arn], ["kms:Decrypt", "kms:GenerateDataKey"]),
    ]


def write_only(bucket: str, key_arn: str, prefix: str = "") -> list[Statement]:
    """New objects of a bucket, below `prefix` if there is one: collectors' logs, which they never
    read again."""
    return [
        allow(["s3:PutObject", "s3:AbortMultipartUpload"], [f"arn:aws:s3:::{bucket}/{prefix}*"]),
        _key_through("s3", [key_arn], ["kms:Decrypt", "kms:GenerateDataKey"]),
    ]


def database_user(region: str, account: str, database_id: str, user: str) -> list[Statement]:
    """Sessions of one user of RDS, by IAM token."""
    arn = f"arn:aws:rds-db:{region}:{account}:dbuser:{database_id}/{user}"
    return [allow(["rds-db:connect"], [arn])]


def agent_database(
    region: str, account: str, cluster: str, tenant: str, database_id: str
) -> list[Statement]:
    """Sessions of the domain's own database user and cache user, by IAM token."""
    return [
        *database_user(region, account, database_id, tenant),
        allow(
            ["elasticache:Connect"],
            [
                f"arn:aws:elasticache:{region}:{account}:replicationgroup:{names.cache(cluster)}",
                f"arn:aws:elasticache:{region}:{account}:user:{names.cache_user(cluster, tenant)}",
            ],
        ),
    ]


def secret_reader(
    environment: str, domain: str, region: str, account: str, alias: str
) -> list[Statement]:
    """The named secrets of one domain, and no others; their key through Secrets Manager alone."""
    return secrets_below(region, account, alias, [f"{names.secret_path(environment, domain)}/*"])


def secrets_below(region: str, account: str, alias: str, paths: Sequence[str]) -> list[Statement]:
    """Named secrets whose names match one of `paths`."""
    secret = f"arn:aws:secretsmanager:{region}:{account}:secret"
    return [
        allow(
            ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            [f"{secret}:{path}" for path in paths],
        ),
        allow(
            ["kms:Decrypt"],
            [f"arn:aws:kms:{region}:{account}:key/*"],
            {
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": alias},
                "StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"},
            },
        ),
    ]


def managed_secret(region: str, arn: str, key_arn: str) -> list[Statement]:
    """One secret that an AWS service keeps itself, by its whole ARN, and its key through it."""
    return [
        allow(["secretsmanager:GetSecretValue"], [arn]),
        allow(
            ["kms:Decrypt"],
            [key_arn],
            {"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}},
        ),
    ]


def _key_through(service: str, keys: Sequence[str], actions: Sequence[str]) -> Statement:
    return allow(actions, keys, {"StringLike": {"kms:ViaService": f"{service}.*.amazonaws.com"}})


# -- policies of resources ----------------------------------------------------------------------


def bucket(name: str, *, by_domain: bool) -> list[Statement]:
    """TLS alone; and with `by_domain`, a role tagged with a domain stays below its prefix."""
    arn = f"arn:aws:s3:::{name}"
    statements: list[Statement] = [
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]
    if by_domain:
        statements.append(
            {
                "Sid": "DomainsStayBelowTheirPrefix",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "NotResource": [f"{arn}/${{aws:PrincipalTag/domain}}/*"],
                "Condition": {
                    "Null": {"aws:PrincipalTag/domain": "false"},
                    "StringNotEquals": {"aws:PrincipalTag/domain": names.PLATFORM_OWNER},
                },
            }
        )
    return statements


def endpoint(service: str, region: str, account: str) -> list[Statement]:
    """What goes through an interface endpoint: this account's own, and no other's.

    Without it code in a sandbox could carry data to a bucket of its own with a signed address. The
    layers of public images and AL2023's packages lie in buckets of AWS.
    """
    ours: Statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    if service == "s3":
        buckets = (f"prod-{region}-starport-layer-bucket", f"al2023-repos-{region}-*")
        return [
            ours | {"Condition": {"StringEquals": {"aws:ResourceAccount": account}}},
            ours
            | {
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{bucket}/*" for bucket in buckets],
            },
        ]
    member = ours | {"Condition": {"StringEquals": {"aws:PrincipalAccount": account}}}
    if service == "sts":
        # A token is exchanged before there is a principal.
        return [member, ours | {"Action": ["sts:AssumeRoleWithWebIdentity"]}]
    return [member]


def log_delivery(name: str, account: str) -> list[Statement]:
    """S3's own access logs of this account's buckets."""
    return [
        {
            "Sid": "AccessLogs",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{name}/*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
    ]


def trail_delivery(name: str, account: str, trail_arn: str) -> list[Statement]:
    """CloudTrail writes its own account's events, for one trail."""
    condition = {"StringEquals": {"aws:SourceArn": trail_arn}}
    service = {"Service": "cloudtrail.amazonaws.com"}
    return [
        {
            "Sid": "TrailLooks",
            "Effect": "Allow",
            "Principal": service,
            "Action": "s3:GetBucketAcl",
            "Resource": f"arn:aws:s3:::{name}",
            "Condition": condition,
        },
        {
            "Sid": "TrailWrites",
            "Effect": "Allow",
            "Principal": service,
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{name}/AWSLogs/{account}/*",
            "Condition": condition,
        },
    ]


def write_logs(group_arn: str) -> list[Statement]:
    """Streams and events of one log group; that it exists is looked up among all of them."""
    actions = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    return [
        allow(actions, [f"{group_arn}:*"]),
        allow(["logs:DescribeLogGroups"], ["*"]),
    ]


def key(account: str, statements: Sequence[Statement] = ()) -> list[Statement]:
    """The account's own IAM decides who uses the key; `statements` admit AWS services besides."""
    return [
        {
            "Sid": "Account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        *statements,
    ]


def key_of_logs(region: str, account: str) -> list[Statement]:
    """CloudWatch Logs, for this account's log groups, and CloudTrail, for its trails.

    Logs names the group by the encryption context alone (user guide, encrypt log data).
    """
    use = [
        "kms:Encrypt*",
        "kms:Decrypt*",
        "kms:ReEncrypt*",
        "kms:GenerateDataKey*",
        "kms:Describe*",
    ]
    groups = f"arn:aws:logs:{region}:{account}:log-group:*"
    return [
        {
            "Sid": "Logs",
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{region}.amazonaws.com"},
            "Action": use,
            "Resource": "*",
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        },
        {
            "Sid": "Trail",
            "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": ["kms:GenerateDataKey*", "kms:DescribeKey", "kms:Decrypt"],
            "Resource": "*",
            "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudtrail:*:{account}:trail/*"}},
        },
    ]


def queue_from_events(queue_arn: str, rule_arns: Sequence[str]) -> list[Statement]:
    """EventBridge's own rules may send; nobody may without TLS."""
    return [
        {
            "Sid": "Events",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": list(rule_arns)}},
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": queue_arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]


# -- the stack's own roles ----------------------------------------------------------------------

_POWER = ["iam:*", "organizations:*", "account:*"]


def boundary(account: str, environment: str) -> list[Statement]:
    """What no role of the stack goes beyond, whoever wrote its policy: IAM stays out of reach.

    Karpenter makes the instance profiles of its nodes and passes their role on, to EC2 alone.
    """
    profiles = f"arn:aws:iam::{account}:instance-profile/*"
    roles = f"arn:aws:iam::{account}:role{names.role_path(environment)}*"
    return [
        {"Sid": "Services", "Effect": "Allow", "NotAction": _POWER, "Resource": "*"},
        allow(
            [
                "iam:AddRoleToInstanceProfile",
                "iam:CreateInstanceProfile",
                "iam:DeleteInstanceProfile",
                "iam:GetInstanceProfile",
                "iam:RemoveRoleFromInstanceProfile",
                "iam:TagInstanceProfile",
            ],
            [profiles],
        ),
        allow(["iam:ListInstanceProfiles"], ["*"]),
        allow(
            ["iam:PassRole"],
            [roles],
            {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        ),
    ]


def deploy(account: str, environment: str, boundary_arn: str) -> list[Statement]:
    """IAM for the deploy role: roles and policies below the stack's path, within the boundary.

    It may neither change the boundary nor make a role without it, so it cannot raise itself.
    """
    path = names.role_path(environment)
    roles = [f"arn:aws:iam::{account}:role{path}*"]
    policies = [f"arn:aws:iam::{account}:policy{path}*"]
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary_arn}}
    return [
        allow(
            ["iam:Get*", "iam:List*"],
            [
                *(
                    f"arn:aws:iam::{account}:{kind}/*"
                    for kind in ("role", "policy", "oidc-provider")
                ),
                "arn:aws:iam::aws:policy/*",
            ],
        ),
        allow(["iam:ListOpenIDConnectProviders", "iam:ListPolicies", "iam:ListRoles"], ["*"]),
        allow(
            [
                "iam:AttachRolePolicy",
                "iam:CreateRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
            ],
            roles,
            bounded,
        ),
        allow(
            [
                "iam:DeleteRole",
                "iam:PassRole",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
            ],
            roles,
        ),
        allow(
            [
                "iam:CreatePolicy",
                "iam:CreatePolicyVersion",
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:TagPolicy",
                "iam:UntagPolicy",
            ],
            policies,
        ),
        allow(
            ["iam:CreateOpenIDConnectProvider", "iam:TagOpenIDConnectProvider"],
            [f"arn:aws:iam::{account}:oidc-provider/{GITHUB_HOST}"],
        ),
        allow(["iam:CreateServiceLinkedRole"], [f"arn:aws:iam::{account}:role/aws-service-role/*"]),
        {
            "Sid": "BoundaryStays",
            "Effect": "Deny",
            "Action": [
                "iam:CreatePolicyVersion",
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:SetDefaultPolicyVersion",
            ],
            "Resource": boundary_arn,
        },
        {
            "Sid": "NobodyLeavesTheBoundary",
            "Effect": "Deny",
            "Action": "iam:DeleteRolePermissionsBoundary",
            "Resource": "*",
        },
    ]


def state_access(region: str, account: str, prefix: str, *, write: bool) -> list[Statement]:
    """Pulumi's state bucket and its key. A preview, too, writes its lock there."""
    arn = f"arn:aws:s3:::{prefix}-pulumi-state"
    objects = [f"{arn}/*"] if write else [f"{arn}/.pulumi/locks/*"]
    return [
        allow(["s3:ListBucket", "s3:GetBucketLocation"], [arn]),
        allow(["s3:GetObject"], [f"{arn}/*"]),
        allow(["s3:PutObject", "s3:DeleteObject"], objects),
        allow(
            ["kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"]
            if write
            else ["kms:Decrypt", "kms:GenerateDataKey"],
            [f"arn:aws:kms:{region}:{account}:key/*"],
            {"ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{prefix}-pulumi"}},
        ),
    ]
