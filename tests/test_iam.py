"""Policy documents: one prefix, exact trust, no way round the boundary."""

from __future__ import annotations

import json

import pytest

from aspora import iam, iam_controllers
from aspora.tenants import Identity

ACCOUNT, REGION = "111122223333", "us-east-1"
ADVISOR = Identity(
    "wealth/advisor/plan",
    "aspora-wealth",
    "wealth-advisor-plan",
    "wealth/wealth-advisor-plan/",
    database=False,
)


def test_an_agent_has_its_prefix_and_the_key_through_s3_alone() -> None:
    assert iam.agent("aspora-prod-artifacts", ADVISOR, "arn:key") == [
        {
            "Effect": "Allow",
            "Action": [
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
            ],
            "Resource": ["arn:aws:s3:::aspora-prod-artifacts/wealth/wealth-advisor-plan/*"],
        },
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": ["arn:aws:s3:::aspora-prod-artifacts"],
            "Condition": {"StringLike": {"s3:prefix": ["wealth/wealth-advisor-plan/*"]}},
        },
        {
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": ["arn:key"],
            "Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}},
        },
    ]


def test_a_document_is_the_same_bytes_and_valid_json() -> None:
    text = iam.document(iam.bucket("b", by_domain=True))
    assert text == iam.document(iam.bucket("b", by_domain=True))
    assert json.loads(text)["Version"] == "2012-10-17"
    assert '"${aws:PrincipalTag/domain}/*"' not in text
    assert "arn:aws:s3:::b/${aws:PrincipalTag/domain}/*" in text


def test_a_bucket_without_prefixes_has_no_rule_for_domains() -> None:
    assert [s["Sid"] for s in iam.bucket("b", by_domain=False)] == ["TlsOnly"]


def test_the_boundary_lets_no_role_touch_iam() -> None:
    services, profiles, listing, passing = iam.boundary(ACCOUNT, "prod")
    assert services["NotAction"] == ["iam:*", "organizations:*", "account:*"]
    assert all(action.endswith("InstanceProfile") for action in profiles["Action"])
    assert profiles["Resource"] == [f"arn:aws:iam::{ACCOUNT}:instance-profile/*"]
    assert listing["Action"] == ["iam:ListInstanceProfiles"]
    assert passing == {
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": [f"arn:aws:iam::{ACCOUNT}:role/aspora/prod/*"],
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }


@pytest.mark.parametrize("service", ["s3", "sts", "secretsmanager", "ecr.api", "logs"])
def test_an_endpoint_carries_nothing_to_another_account(service: str) -> None:
    """But AWS's own image layers and packages, and tokens that have no principal yet."""
    found = iam.endpoint(service, REGION, ACCOUNT)
    open_ones = [s for s in found if "Condition" not in s]
    assert [s["Action"] for s in open_ones] == {
        "s3": [["s3:GetObject"]],
        "sts": [["sts:AssumeRoleWithWebIdentity"]],
    }.get(service, [])
    assert all(resource != "*" for s in open_ones if service == "s3" for resource in s["Resource"])
    keys = {key for s in found for key in s.get("Condition", {}).get("StringEquals", ())}
    assert keys == {"aws:ResourceAccount" if service == "s3" else "aws:PrincipalAccount"}


def test_the_key_of_logs_is_for_this_accounts_groups_and_trails() -> None:
    logs, trail = iam.key_of_logs(REGION, ACCOUNT)
    assert logs["Condition"]["ArnLike"] == {
        "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*"
    }
    assert trail["Condition"]["ArnLike"] == {
        "aws:SourceArn": f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*"
    }


def test_the_deploy_role_cannot_raise_itself() -> None:
    found = iam.deploy(ACCOUNT, "prod", "arn:boundary")
    raising = {
        "iam:AttachRolePolicy",
        "iam:CreateRole",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
    }
    for statement in found:
        if statement["Effect"] == "Allow" and raising & set(statement["Action"]):
            assert statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"]
            assert statement["Resource"] == [f"arn:aws:iam::{ACCOUNT}:role/aspora/prod/*"]
    denied = [action for s in found if s["Effect"] == "Deny" for action in _listed(s["Action"])]
    assert {"iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion"} <= set(denied)
    # Its own role stands below /aspora/ci/, which it may not write to.
    assert not any("/aspora/ci/" in str(s["Resource"]) for s in found)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("write", [True, False])
def test_a_preview_reads_the_state_and_writes_its_lock_alone(*, write: bool) -> None:
    found = iam.state_access(REGION, ACCOUNT, "aspora-prod", write=write)
    put = next(s for s in found if "s3:PutObject" in s["Action"])
    assert put["Resource"] == [
        "arn:aws:s3:::aspora-prod-pulumi-state" + ("/*" if write else "/.pulumi/locks/*")
    ]


def test_karpenter_starts_nothing_without_the_clusters_tag() -> None:
    found = iam_controllers.karpenter("c", REGION, ACCOUNT, "arn:node", "arn:queue")
    tag = "kubernetes.io/cluster/c"
    for statement in found:
        resources = statement["Resource"]
        if any(":instance/" in arn for arn in resources):
            assert tag in json.dumps(statement["Condition"])
    (passing,) = (s for s in found if s["Action"] == ["iam:PassRole"])
    assert passing["Resource"] == ["arn:node"]


def test_cert_manager_writes_challenges_alone() -> None:
    change = iam_controllers.challenges(["arn:zone"])[0]
    assert change["Condition"] == {
        "ForAllValues:StringEquals": {"route53:ChangeResourceRecordSetsRecordTypes": ["TXT"]},
        "ForAllValues:StringLike": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["_acme-challenge.*"]
        },
    }
