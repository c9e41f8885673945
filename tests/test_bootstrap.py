"""`aspora bootstrap` on moto: what it makes, finds and mends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aspora.services.secrets import GENERATED, generated
from infra.aws_account import who
from infra.aws_session import Aws
from infra.bootstrap import buckets, keys
from infra.bootstrap.linked_roles import SERVICES
from infra.bootstrap.outcome import Run
from tests import account_lab as lab
from tests.account_lab import (
    ALERTING_PURPOSES,
    ARN,
    ASPECTS,
    GATEWAY,
    MADE,
    NUMBER,
    OPENROUTER,
    PULUMI_KEY,
    REGION,
    SECRETS_KEY,
    STATE,
    TOOLS,
    Command,
    Script,
    api,
    entered,
    staging,
    states,
)
from tests.core import MINIMAL, python, settings

aws, repo, aspora, everything = lab.aws, lab.repo, lab.aspora, lab.everything

# -- what it makes ------------------------------------------------------------------------------


def test_a_dry_run_says_everything_and_makes_nothing(
    aws: Script, repo: Path, aspora: Command
) -> None:
    code, out, err = aspora("bootstrap", "--stack", "staging", "--dry-run")
    release = staging().aws.nodes.gvisor_runtime.release  # type: ignore[union-attr]
    place = f"gvisor/{release}/gvisor-x86_64.tar.bz2"
    assert out == [
        f"found         account: {NUMBER} in {REGION}, as {ARN}",
        f"would make    KMS key {PULUMI_KEY}: encrypts Pulumi's state and the secrets in it",
        f"would make    KMS key {SECRETS_KEY}: encrypts the named secrets",
        f"would make    state bucket {STATE}: {ASPECTS}",
        f"would make    tools bucket {TOOLS}: {ASPECTS}",
        (
            f"missing       gVisor s3://{TOOLS}/{place}: is not there; download"
            " gvisor-x86_64.tar.bz2 from github.com/google/gvisor/releases/tag/"
            f"{release}, then aspora bootstrap --stack staging --gvisor gvisor-x86_64.tar.bz2"
        ),
        *(
            f"would make    service role of {service}: AWS's own, for instances and load balancers"
            for service in SERVICES
        ),
        f"missing       secret {OPENROUTER}: pets's key at OpenRouter: no value was given",
        f"would make    secret {GATEWAY}: pets/vet/advise's key at the model gateway",
        *(
            f"missing       secret {name}: {purpose}: no value was given"
            for name, purpose in ALERTING_PURPOSES.items()
        ),
        *(f"would make    secret {name}: {why}" for name, why in generated(staging())),
        (
            "would make    secret aspora/staging/platform/model-gateway/master-key: makes teams"
            " and keys at the model gateway"
        ),
        (
            "would make    secret aspora/staging/platform/model-gateway/counters: the model"
            " gateway's counters' password"
        ),
        f"pulumi login 's3://{STATE}?region={REGION}'",
        f"pulumi stack init staging --secrets-provider='awskms://{PULUMI_KEY}?region={REGION}'",
        "aspora doctor --stack staging",
        "pulumi up --stack staging",
    ]
    assert code == 0
    assert err.splitlines() == [
        "key of Pulumi's state and secrets ...",
        "key of the named secrets ...",
        "state bucket ...",
        "tools bucket ...",
        "gVisor ...",
        "service roles ...",
        "named secrets ...",
        "next:",
    ]
    assert aws.changes == []
    assert api("s3").list_buckets()["Buckets"] == []


def test_the_second_run_finds_everything_and_changes_nothing(
    aws: Script, everything: Callable[[], Any]
) -> None:
    code, out, _ = everything()
    assert (code, states(out)) == (0, MADE)
    aws.calls.clear()
    code, out, _ = everything()
    # A value that was given again is not taken without --replace, and that is said.
    assert (code, states(out)) == (
        0,
        ["found"] * 8 + ["kept", "found"] + ["kept"] * 3 + ["found"] * (len(GENERATED) + 2),
    )
    assert aws.changes == []


def test_without_values_the_second_run_says_found_only(
    aws: Script, everything: Callable[[], Any], aspora: Command
) -> None:
    everything()
    aws.calls.clear()
    code, out, _ = aspora("bootstrap", "--stack", "staging")
    assert (code, set(states(out)), aws.changes) == (0, {"found"}, [])


def test_the_state_bucket_is_protected(everything: Callable[[], Any]) -> None:
    everything()
    s3, key = api("s3"), api("kms").describe_key(KeyId=PULUMI_KEY)["KeyMetadata"]["Arn"]
    assert s3.get_bucket_versioning(Bucket=STATE)["Status"] == "Enabled"
    rules = s3.get_bucket_encryption(Bucket=STATE)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules == [
        {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": key,
            },
            "BucketKeyEnabled": True,
        }
    ]
    blocks = s3.get_public_access_block(Bucket=STATE)["PublicAccessBlockConfiguration"]
    assert (len(blocks), set(blocks.values())) == (4, {True})
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=STATE)["Policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [f"arn:aws:s3:::{STATE}", f"arn:aws:s3:::{STATE}/*"]
    (owner,) = s3.get_bucket_ownership_controls(Bucket=STATE)["OwnershipControls"]["Rules"]
    assert owner == {"ObjectOwnership": "BucketOwnerEnforced"}
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=STATE)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 365}
    assert "Expiration" not in rule
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=STATE)["TagSet"]}
    assert tags["aspora:environment"] == "staging"


def test_nodes_need_no_key_to_read_the_tools(everything: Callable[[], Any]) -> None:
    everything()
    found = api("s3").get_bucket_encryption(Bucket=TOOLS)["ServerSideEncryptionConfiguration"]
    assert found["Rules"][0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert buckets.drift(entered(), buckets.tools(entered())) == []


def test_the_keys_rotate_and_belong_to_the_account_alone(everything: Callable[[], Any]) -> None:
    everything()
    kms = api("kms")
    for alias in (PULUMI_KEY, SECRETS_KEY):
        key = kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]
        assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
        policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
        (statement,) = policy["Statement"]
        assert statement["Principal"] == {"AWS": f"arn:aws:iam::{NUMBER}:root"}
        tags = {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=key)["Tags"]}
        assert (tags["aspora:environment"], tags["aspora:alias"]) == ("staging", alias)


@pytest.mark.parametrize(("region", "location"), [("us-east-1", None), ("eu-west-1", "eu-west-1")])
def test_a_bucket_is_made_in_the_stack_s_region(
    region: str, location: str | None, aws: Script
) -> None:
    made = staging().model_copy(update={"region": region})
    run = Run(who(Aws(region), made))
    assert [o.state for o in buckets.ensure(run, buckets.tools(run.account))] == ["made"]
    found = api("s3", region).get_bucket_location(Bucket=TOOLS)["LocationConstraint"]
    assert found == location
    assert [o.state for o in buckets.ensure(run, buckets.tools(run.account))] == ["found"]


# -- what it mends ------------------------------------------------------------------------------

BREAKS: dict[str, Callable[[Any], Any]] = {
    "public access blocked": lambda s3: s3.put_public_access_block(
        Bucket=STATE, PublicAccessBlockConfiguration={"BlockPublicAcls": True}
    ),
    "owned by the account alone": lambda s3: s3.put_bucket_ownership_controls(
        Bucket=STATE, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    ),
    "TLS only": lambda s3: s3.delete_bucket_policy(Bucket=STATE),
    "encryption": lambda s3: s3.put_bucket_encryption(
        Bucket=STATE,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    ),
    "versioning": lambda s3: s3.put_bucket_versioning(
        Bucket=STATE, VersioningConfiguration={"Status": "Suspended"}
    ),
    "old versions kept 365 days": lambda s3: s3.delete_bucket_lifecycle(Bucket=STATE),
    "tags": lambda s3: s3.delete_bucket_tagging(Bucket=STATE),
}


def test_every_aspect_has_a_way_to_break() -> None:
    assert list(BREAKS) == [aspect.what for aspect in buckets.ASPECTS]


@pytest.mark.parametrize("aspect", BREAKS)
def test_a_drifted_bucket_is_mended(
    aspect: str, aws: Script, everything: Callable[[], Any], aspora: Command
) -> None:
    everything()
    BREAKS[aspect](api("s3"))
    aws.calls.clear()
    _, out, _ = aspora("bootstrap", "--stack", "staging", "--dry-run")
    assert f"would change  state bucket {STATE}: {aspect}" in out
    assert aws.changes == []
    _, out, _ = aspora("bootstrap", "--stack", "staging")
    assert f"changed  state bucket {STATE}: {aspect}" in out
    assert len(aws.changes) == 1
    _, out, _ = aspora("bootstrap", "--stack", "staging")
    assert set(states(out)) == {"found"}


def test_what_others_added_to_a_bucket_stays(
    everything: Callable[[], Any], aspora: Command
) -> None:
    everything()
    s3 = api("s3")
    other = {
        "Sid": "Audit",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::999988887777:role/audit"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{STATE}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": other}
    s3.put_bucket_policy(Bucket=STATE, Policy=json.dumps(policy))
    s3.put_bucket_tagging(Bucket=STATE, Tagging={"TagSet": [{"Key": "team", "Value": "ops"}]})
    rule = {
        "ID": "logs",
        "Status": "Enabled",
        "Filter": {"Prefix": "l/"},
        "Expiration": {"Days": 9},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=STATE, LifecycleConfiguration={"Rules": [rule]})
    _, out, _ = aspora("bootstrap", "--stack", "staging")
    assert f"changed  state bucket {STATE}: TLS only, old versions kept 365 days, tags" in out
    statements = json.loads(s3.get_bucket_policy(Bucket=STATE)["Policy"])["Statement"]
    assert [statement["Sid"] for statement in statements] == ["TlsOnly", "Audit"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=STATE)["Rules"]
    assert [rule["ID"] for rule in rules] == ["logs", buckets.RULE]
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=STATE)["TagSet"]}
    assert (tags["team"], tags["aspora:environment"]) == ("ops", "staging")


def test_aws_s_own_additions_are_no_drift() -> None:
    """S3 answers fields that nobody set: what encryption is refused, and sizes of transitions."""
    wanted = buckets.Wanted("state bucket", STATE, "arn:key", {})
    encryption = buckets._encryption(wanted, {})
    (rule,) = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    more = {"Rules": [rule | {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}]}
    now = {"ServerSideEncryptionConfiguration": more}
    assert buckets._encryption(wanted, now) == now
    now = buckets._lifecycle(wanted, {}) | {"TransitionDefaultMinimumObjectSize": "all_storage"}
    assert buckets._lifecycle(wanted, now) == now
    given = {"TagSet": [{"Key": "aws:cloudformation:stack-id", "Value": "x"}]}
    assert buckets._tags(buckets.Wanted("", STATE, None, {"a": "b"}), given) == {
        "TagSet": [{"Key": "a", "Value": "b"}]
    }


def test_rotation_is_put_back(everything: Callable[[], Any], aspora: Command) -> None:
    everything()
    kms = api("kms")
    key = kms.describe_key(KeyId=PULUMI_KEY)["KeyMetadata"]["KeyId"]
    kms.disable_key_rotation(KeyId=key)
    kms.untag_resource(KeyId=key, TagKeys=["domain"])
    _, out, _ = aspora("bootstrap", "--stack", "staging")
    assert f"changed  KMS key {PULUMI_KEY}: rotation, tags" in out
    _, out, _ = aspora("bootstrap", "--stack", "staging")
    assert set(states(out)) == {"found"}


OWN = {
    "Sid": "Account",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{NUMBER}:root"},
    "Action": "kms:*",
    "Resource": "*",
}
NAMED = OWN | {"Sid": "CI", "Principal": {"AWS": "arn:aws:iam::1:role/ci"}, "Action": "kms:Decrypt"}
PUBLIC = OWN | {"Sid": "All", "Principal": "*"}
LISTED = OWN | {"Sid": "All", "Principal": {"AWS": ["arn:aws:iam::1:role/ci", "*"]}}
CALLER = PUBLIC | {"Condition": {"StringEquals": {"kms:CallerAccount": NUMBER}}}
DENY = PUBLIC | {"Effect": "Deny", "Action": "kms:ScheduleKeyDeletion"}


@pytest.mark.parametrize(
    ("statements", "mended"),
    [
        ([OWN], None),
        (OWN, None),
        ([OWN, NAMED], None),
        ([OWN, CALLER, DENY], None),
        ([OWN, PUBLIC], [OWN]),
        ([PUBLIC, OWN, LISTED, NAMED], [OWN, NAMED]),
        ([NAMED], [OWN, NAMED]),
        ([], [OWN]),
    ],
)
def test_key_policies_are_closed_and_named_principals_stay(statements: Any, mended: Any) -> None:
    found = keys.closed({"Version": "2012-10-17", "Statement": statements}, NUMBER)
    assert (found and found["Statement"]) == mended


def test_an_open_key_policy_is_mended(everything: Callable[[], Any], aspora: Command) -> None:
    everything()
    kms = api("kms")
    key = kms.describe_key(KeyId=SECRETS_KEY)["KeyMetadata"]["KeyId"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [OWN, PUBLIC]})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    _, out, _ = aspora("bootstrap", "--stack", "staging")
    assert f"changed  KMS key {SECRETS_KEY}: key policy" in out


def test_a_key_that_was_made_without_its_alias_is_adopted(
    aws: Script, repo: Path, aspora: Command
) -> None:
    api("kms").create_key(Description="somebody else's")
    aws.deny("CreateAlias")
    code, out, err = aspora("bootstrap", "--stack", "staging")
    assert (code, states(out)) == (1, ["found"])
    assert err.splitlines()[-2:] == [
        (
            "error: key of Pulumi's state and secrets: kms:CreateAlias was refused:"
            " AccessDeniedException: not authorized"
        ),
        "  ask for the permission kms:CreateAlias, and run it again",
    ]
    aws.answers.clear()
    aspora("bootstrap", "--stack", "staging")
    assert len(api("kms").list_keys()["Keys"]) == 3
    assert [call for call in aws.calls if call == "CreateKey"] == ["CreateKey"] * 3


def test_a_key_that_may_not_be_looked_at_is_passed_over(
    aws: Script, repo: Path, aspora: Command
) -> None:
    api("kms").create_key(Description="with a policy that is not for us")
    aws.deny("ListResourceTags")
    run = Run(entered(), dry_run=True)
    assert [outcome.state for outcome in keys.ensure(run, "pulumi")] == ["made"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda kms, key: kms.disable_key(KeyId=key),
            [
                "error: the KMS key behind alias/aspora-staging-pulumi is Disabled: KEY",
                "  aws kms enable-key --key-id KEY",
            ],
        ),
        (
            lambda kms, key: kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7),
            [
                "error: the KMS key behind alias/aspora-staging-pulumi is PendingDeletion: KEY",
                "  aws kms cancel-key-deletion --key-id KEY",
                "  aws kms enable-key --key-id KEY",
            ],
        ),
    ],
)
def test_a_key_that_cannot_be_used_is_an_error(
    spoil: Any, said: list[str], everything: Callable[[], Any], aspora: Command
) -> None:
    everything()
    kms = api("kms")
    key = kms.describe_key(KeyId=PULUMI_KEY)["KeyMetadata"]["KeyId"]
    spoil(kms, key)
    code, _, err = aspora("bootstrap", "--stack", "staging")
    lines = [line.replace(key, "KEY") for line in err.splitlines()]
    assert (code, lines[-len(said) :]) == (1, said)


# -- the rest -----------------------------------------------------------------------------------


def test_prod_is_prepared_before_its_images_are_pinned(
    aws: Script, repo: Path, aspora: Command
) -> None:
    assert settings("prod").digests_required
    code, out, _ = aspora("bootstrap", "--stack", "prod", "--dry-run")
    assert code == 0
    assert any("aspora/prod/pets/openrouter" in line for line in out)


def test_bad_domain_files_stop_it(aws: Script, repo: Path, aspora: Command) -> None:
    path = repo / "domains/pets/domain.yaml"
    path.write_text(MINIMAL.replace("model:", "modell:"), "utf-8")
    code, out, err = aspora("bootstrap", "--stack", "staging", "--yes")
    assert (code, out, aws.calls) == (1, [], [])
    assert "domains/pets/domain.yaml:8:5: ASP201" in err


def test_help_and_import_need_no_boto3() -> None:
    code = (
        "import sys; from aspora.cli import run; run(['bootstrap', '--help']);"
        "import infra.bootstrap, infra.preflight;"
        "print(sorted({'boto3', 'botocore', 'pulumi'} & set(sys.modules)))"
    )
    assert python("-c", code).stdout.splitlines()[-1] == b"[]"
