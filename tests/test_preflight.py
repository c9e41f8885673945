"""`aspora doctor --stack`: what it finds in an account, and that it never changes one."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aspora.named_secrets import NamedSecret, named_secrets
from infra.aws_session import Aws
from infra.bootstrap import Wishes, bootstrap
from infra.bootstrap.outcome import Run
from infra.bootstrap.secret_store import Filling
from infra.preflight import PROBES, access, eks, examine, instances, storage
from infra.preflight.check import Check
from tests import account_lab as lab
from tests.account_lab import (
    ALERTING,
    ARN,
    GATEWAY,
    NUMBER,
    OPENROUTER,
    PULUMI_KEY,
    SECRETS_KEY,
    SHA256,
    STATE,
    TARBALL,
    TOOLS,
    VALUE,
    Command,
    Script,
    api,
    checks,
    entered,
    staging,
)
from tests.core import MINIMAL, domains
from tests.preflight_lab import (
    BOOTSTRAP,
    PINNED,
    READY,
    TODAY,
    VERSION,
    ZONE,
    answer_gaps,
    found,
    look,
    nobody,
)

aws, repo, aspora, everything = lab.aws, lab.repo, lab.aspora, lab.everything


def everyone(tmp_path: Path) -> tuple[NamedSecret, ...]:
    return named_secrets(domains(tmp_path, MINIMAL), staging())


def run_all(secrets: tuple[NamedSecret, ...], **changes: Any) -> list[Check]:
    made = staging(**changes)
    return list(examine(Aws(made.region), made, secrets, today=TODAY, name_servers=nobody))


@pytest.fixture
def ready(aws: Script, tmp_path: Path) -> tuple[NamedSecret, ...]:
    """An account that `aspora bootstrap` prepared; its secrets."""
    secrets = everyone(tmp_path)
    tarball = tmp_path / "runsc"
    tarball.write_bytes(TARBALL)
    wishes = Wishes(secrets, Filling({OPENROUTER: VALUE, **ALERTING}), tarball)
    list(bootstrap(Run(entered(**READY)), wishes))
    answer_gaps(aws)
    aws.calls.clear()
    return secrets


def test_a_ready_account_passes_and_is_not_changed(
    ready: tuple[NamedSecret, ...], aws: Script
) -> None:
    said = [(check.state, check.what, check.detail) for check in run_all(ready, **READY)]
    where = "us-east-1a, us-east-1b, us-east-1c"
    addons = [("pass", f"add-on {name}", PINNED) for name in eks.ADDONS.values()]
    assert [line for line in said if not line[1].startswith(("KMS", "quota", "instance"))] == [
        (
            *("pass", "identity"),
            (
                f"account {NUMBER} in us-east-1, as {ARN}, as aspora:aws.accountId in"
                " Pulumi.staging.yaml says"
            ),
        ),
        ("pass", "way to the API server", "from 10.99.0.0/16"),
        ("pass", "administrator of the cluster", "moto is let in"),
        ("pass", "availability zones", where),
        ("pass", "state bucket", STATE),
        ("pass", "tools bucket", TOOLS),
        ("pass", "named secrets", "all 28 are there"),
        ("pass", "gVisor", f"release-20260921.0, SHA-256 {SHA256}"),
        ("pass", f"EKS {VERSION}", "in standard support until 2027-12-01"),
        *addons,
        ("pass", "AL2023 AMI", "v20261110; the recommended one is v20261110"),
        ("pass", "architectures", "x86_64"),
        ("pass", "RDS class db.t4g.micro", "PostgreSQL 17 in us-east-1a, us-east-1b"),
        ("warn", f"DNS zone {ZONE}", "is not in Route 53 yet; `pulumi up` makes it"),
        ("pass", "GuardDuty detector", "none, and the stack makes none"),
        ("pass", "GitHub OIDC provider", "none yet; `pulumi up` makes it"),
    ]
    assert {state for state, _, _ in said} == {"pass", "warn"}
    assert aws.changes == []


def test_the_order_is_the_same_each_time(ready: tuple[NamedSecret, ...]) -> None:
    first = run_all(ready, **READY)
    assert all(run_all(ready, **READY) == first for _ in range(3))


def test_an_empty_account_fails_with_the_way_out(aws: Script, tmp_path: Path) -> None:
    answer_gaps(aws)
    failed = [c for c in run_all(everyone(tmp_path), **READY) if c.state == "fail"]
    assert [(check.what, check.way_out) for check in failed] == [
        ("state bucket", BOOTSTRAP),
        ("tools bucket", BOOTSTRAP),
        (f"KMS key {PULUMI_KEY}", BOOTSTRAP),
        (f"KMS key {SECRETS_KEY}", BOOTSTRAP),
        ("named secrets", BOOTSTRAP),
        ("gVisor", f"{BOOTSTRAP} --gvisor FILE"),
    ]
    assert aws.changes == []


PERMISSIONS = (
    "ec2:DescribeAvailabilityZones",
    "kms:DescribeKey",
    "secretsmanager:ListSecrets",
    "s3:GetObject",
    "ec2:DescribeInstanceTypes",
    "servicequotas:GetServiceQuota",
    "ec2:DescribeAddresses",
    "ec2:DescribeVpcs",
    "eks:DescribeClusterVersions",
    "eks:DescribeAddonVersions",
    "ssm:GetParameter",
    "ec2:DescribeInstanceTypeOfferings",
    "rds:DescribeOrderableDBInstanceOptions",
    "route53:ListHostedZonesByName",
    "guardduty:ListDetectors",
    "iam:ListOpenIDConnectProviders",
)


def test_without_permissions_it_goes_on_and_says_which(
    ready: tuple[NamedSecret, ...], aws: Script
) -> None:
    operations = [action.partition(":")[2] for action in PERMISSIONS if action[:3] != "s3:"]
    aws.deny(*operations, "HeadBucket", "HeadObject")
    said = run_all(ready, **READY)
    assert {check.state for check in said[1:3]} == {"pass"}  # of the settings alone
    assert {check.state for check in said[3:]} == {"warn"}
    assert len(said) == 1 + len(PROBES) - 1 + len(eks.ADDONS) - 1  # other families: nothing to say
    needs = [check.detail.removeprefix("cannot look: needs ") for check in said[3:]]
    assert set(PERMISSIONS) <= set(needs)
    assert set(needs) - set(PERMISSIONS) == {
        (
            f"cannot look: there is a bucket {TOOLS}, and S3 does not let account {NUMBER} look at"
            " it: it is another account's, or the permission s3:ListBucket is missing"
        )
    }
    (quota,) = [c for c in said if c.what == "quota L-34B43A08 (vCPU on spot, standard families)"]
    assert quota.detail == "cannot look: needs servicequotas:GetServiceQuota"
    assert quota.way_out == "ask for servicequotas:GetServiceQuota, or look by hand"


def test_credentials_that_end_meanwhile_are_no_mere_warning(aws: Script) -> None:
    aws.fail("ExpiredTokenException", "DescribeAvailabilityZones", words="expired")
    (check,) = found(instances.zones, look())
    assert check == Check(
        "fail",
        "the check",
        "cannot look: ec2:DescribeAvailabilityZones failed: ExpiredTokenException: expired",
        "sign in again (`aws sso login`), or name another profile: AWS_PROFILE=…",
    )


def test_an_answer_of_another_shape_ends_one_check_only(aws: Script) -> None:
    aws.answers["DescribeAvailabilityZones"] = {"AvailabilityZones": [{"State": "available"}]}
    (check,) = found(instances.zones, look())
    assert check == Check(
        "warn",
        "the check",
        "cannot look: AWS answered what nobody expects (KeyError: 'ZoneName')",
        "look by hand; this is a bug of ours",
    )


def test_throttling_is_a_warning(aws: Script) -> None:
    aws.fail("RequestLimitExceeded", "DescribeAvailabilityZones", words="slow down")
    (check,) = found(instances.zones, look())
    assert (check.state, check.way_out) == ("warn", "wait a minute and run it again")


# -- identity -----------------------------------------------------------------------------------


def test_without_the_right_account_nothing_else_is_looked_at(aws: Script) -> None:
    said = run_all((), account_id="999988887777")
    assert said == [
        Check(
            "fail",
            "identity",
            f"these credentials belong to account {NUMBER}, and Pulumi.staging.yaml expects"
            " 999988887777",
            "name another profile (AWS_PROFILE=…), or correct aspora:aws.accountId",
        ),
        Check("warn", "everything else", "not looked at without the right credentials"),
    ]
    assert aws.calls == ["GetCallerIdentity"]


def test_an_account_that_the_stack_does_not_name(aws: Script) -> None:
    answer_gaps(aws)
    check = run_all((), account_id=None)[0]
    assert check == Check(
        "warn",
        "identity",
        f"account {NUMBER} in us-east-1, as {ARN}; the stack does not name its account",
        f'write aspora:aws.accountId in Pulumi.staging.yaml: "{NUMBER}"',
    )


def test_the_root_user_is_warned_about(aws: Script) -> None:
    answer_gaps(aws)
    root = f"arn:aws:iam::{NUMBER}:root"
    aws.answers["GetCallerIdentity"] = {"Account": NUMBER, "Arn": root, "UserId": NUMBER}
    check = run_all((), account_id=NUMBER)[0]
    assert (check.state, check.way_out) == ("warn", "use a role: aws sso login")


# -- what bootstrap makes -----------------------------------------------------------------------


def test_drift_is_named_and_not_mended(ready: tuple[NamedSecret, ...], aws: Script) -> None:
    key = api("kms").describe_key(KeyId=SECRETS_KEY)["KeyMetadata"]["KeyId"]
    api("kms").disable_key_rotation(KeyId=key)
    api("s3").delete_bucket_policy(Bucket=STATE)
    api("s3").delete_bucket_tagging(Bucket=TOOLS)
    aws.calls.clear()
    failed = [check for check in run_all(ready, **READY) if check.state == "fail"]
    assert [(check.what, check.detail, check.way_out) for check in failed] == [
        ("state bucket", f"{STATE} is not as it should be: TLS only", BOOTSTRAP),
        ("tools bucket", f"{TOOLS} is not as it should be: tags", BOOTSTRAP),
        (f"KMS key {SECRETS_KEY}", "is not as it should be: rotation", BOOTSTRAP),
    ]
    assert aws.changes == []


def test_a_key_that_cannot_be_used(ready: tuple[NamedSecret, ...]) -> None:
    key = api("kms").describe_key(KeyId=PULUMI_KEY)["KeyMetadata"]["KeyId"]
    api("kms").disable_key(KeyId=key)
    (check,) = found(partial(storage.key, "pulumi"), look())
    assert (check.state, check.way_out) == ("fail", f"aws kms enable-key --key-id {key}")


def test_a_setting_of_a_bucket_that_may_not_be_looked_at(
    ready: tuple[NamedSecret, ...], aws: Script
) -> None:
    aws.fail("AccessDenied", "GetBucketEncryption")
    assert found(storage.tools_bucket, look()) == [
        Check(
            "warn",
            "the check",
            "cannot look: needs s3:GetEncryptionConfiguration",
            "ask for s3:GetEncryptionConfiguration, or look by hand",
        )
    ]


def test_a_bucket_in_another_region(aws: Script) -> None:
    aws.answers["HeadBucket"] = {"BucketRegion": "eu-west-1"}
    (check,) = found(storage.tools_bucket, look())
    assert check == Check(
        "fail",
        "tools bucket",
        f"the bucket {TOOLS} is in eu-west-1, and the stack in us-east-1",
        "choose another aspora:aws.bucketPrefix in Pulumi.staging.yaml",
    )


def test_secrets_that_are_missing_are_told_by_name(
    ready: tuple[NamedSecret, ...],
) -> None:
    client = api("secretsmanager")
    client.delete_secret(SecretId=OPENROUTER, ForceDeleteWithoutRecovery=True)
    client.create_secret(Name=OPENROUTER)  # an entry without a value
    client.delete_secret(SecretId=GATEWAY)
    assert found(storage.named_secrets, look(ready)) == [
        Check(
            "fail",
            f"secret {GATEWAY}",
            "is being deleted",
            f"aws secretsmanager restore-secret --secret-id {GATEWAY}",
        ),
        Check("fail", "named secrets", f"1 of 28 have no value: {OPENROUTER}", BOOTSTRAP),
    ]


@pytest.mark.parametrize(
    ("changes", "state", "detail", "way_out"),
    [
        (
            {"nodes__gvisor_runtime__sha256": None},
            "fail",
            "no checksum of release-20260921.0 is named",
            "write aspora:aws.nodes.gvisorRuntime.sha256 in Pulumi.staging.yaml",
        ),
        (
            {"nodes__gvisor_runtime__sha256": "0" * 64},
            "fail",
            (
                f"s3://{TOOLS}/gvisor/release-20260921.0/gvisor-x86_64.tar.bz2 has the SHA-256"
                f" {SHA256}, wanted {'0' * 64}"
            ),
            f"{BOOTSTRAP} --gvisor FILE",
        ),
        (
            {"nodes__gvisor_runtime__release": "release-20270101.0"},
            "fail",
            f"s3://{TOOLS}/gvisor/release-20270101.0/gvisor-x86_64.tar.bz2 does not exist",
            f"{BOOTSTRAP} --gvisor FILE",
        ),
        (
            {"nodes__gvisor_runtime__verified": False},
            "warn",
            "release-20260921.0 is there; nobody has compared its checksum with SHA256SUMS",
            "compare it, then set aspora:aws.nodes.gvisorRuntime.verified in Pulumi.staging.yaml",
        ),
    ],
)
def test_gvisor(
    changes: dict[str, Any],
    state: str,
    detail: str,
    way_out: str,
    ready: tuple[NamedSecret, ...],
) -> None:
    (check,) = found(storage.gvisor, look(**READY | changes))
    assert (check.state, check.detail, check.way_out) == (state, detail, way_out)


# -- the command --------------------------------------------------------------------------------


def test_the_command_prints_text_and_json(aws: Script, repo: Path, aspora: Command) -> None:
    answer_gaps(aws)
    code, out, err = aspora("doctor", "--stack", "staging")
    assert (code, err) == (1, "")
    at = out.index("fail  state bucket: aspora-staging-pulumi-state does not exist")
    assert out[at + 1] == "      aspora bootstrap --stack staging"
    code, out, _ = aspora("doctor", "--stack", "staging", "--format", "json")
    said = checks(out)
    assert code == 1
    assert said["state bucket"] == {
        "state": "fail",
        "what": "state bucket",
        "detail": f"{STATE} does not exist",
        "wayOut": BOOTSTRAP,
    }
    assert len(said) > 20


def test_warnings_are_no_failure(
    aws: Script, everything: Callable[[], Any], aspora: Command
) -> None:
    everything()
    answer_gaps(aws)
    code, out, _ = aspora("doctor", "--stack", "staging")
    assert code == 0
    assert any(line.startswith("warn") for line in out)
    assert VALUE not in "\n".join(out)


def test_the_command_without_credentials(
    aws: Script, repo: Path, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    code, out, err = aspora("doctor", "--stack", "staging")
    assert (code, err) == (1, "")
    assert out == [
        "fail  identity: a client of sts failed: The config profile (nobody) could not be found",
        "      sign in again (`aws sso login`), or name another profile: AWS_PROFILE=…",
        "warn  everything else: not looked at without the right credentials",
    ]


def test_an_unknown_stack(repo: Path, aspora: Command) -> None:
    code, out, err = aspora("doctor", "--stack", "pord")
    assert (code, out) == (2, [])
    assert 'there is no stack "pord"' in err


def test_the_doctor_of_this_machine_speaks_json_too(
    repo: Path, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = aspora("doctor", "--format", "json")
    assert code in (0, 1)
    assert {check["state"] for check in json.loads("\n".join(out))["checks"]} <= {
        *("ok", "warn", "fail")
    }


# -- whoever runs it -----------------------------------------------------------------------------


def test_a_cluster_that_nobody_reaches_and_a_caller_that_nobody_lets_in(aws: Script) -> None:
    (way,) = found(access.network, look())
    (caller,) = found(access.administrator, look())
    assert (way.state, way.detail, way.way_out) == (
        "fail",
        "nobody but the nodes reaches it, so `pulumi up` would stop after the cluster",
        (
            "name the runners' network: aspora:aws.controlPlane.privateAccessCidrs in"
            " Pulumi.staging.yaml"
        ),
    )
    assert (caller.state, caller.way_out) == (
        "fail",
        "add your role to aspora:aws.controlPlane.admins in Pulumi.staging.yaml",
    )


def test_cis_deploy_role_is_let_in(aws: Script) -> None:
    session = f"arn:aws:sts::{NUMBER}:assumed-role/aspora-staging-deploy/run-1"
    aws.answers["GetCallerIdentity"] = {"Account": NUMBER, "Arn": session, "UserId": "x"}
    (check,) = found(access.administrator, look())
    assert (check.state, check.detail) == ("pass", "aspora-staging-deploy is let in")
