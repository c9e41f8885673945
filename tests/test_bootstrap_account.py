"""`aspora bootstrap`: the right account, and calls of AWS that fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from infra.aws_session import AwsError, call
from infra.bootstrap import buckets
from tests import account_lab as lab
from tests.account_lab import (
    ARN,
    NUMBER,
    REGION,
    STATE,
    Command,
    Script,
    api,
    person,
    states,
)

aws, repo, aspora, everything = lab.aws, lab.repo, lab.aspora, lab.everything

# -- the account --------------------------------------------------------------------------------


def test_credentials_of_another_account(aws: Script, repo: Path, aspora: Command) -> None:
    other = {"Account": "999988887777", "Arn": "arn:aws:iam::999988887777:user/x", "UserId": "x"}
    aws.answers["GetCallerIdentity"] = other
    code, out, err = aspora("bootstrap", "--stack", "staging", "--yes")
    assert (code, out) == (1, [])
    assert err.splitlines() == [
        (
            "error: these credentials belong to account 999988887777, and Pulumi.staging.yaml"
            f" expects {NUMBER}"
        ),
        "  name another profile (AWS_PROFILE=…), or correct aspora:aws.accountId",
    ]
    assert aws.changes == []


@pytest.fixture
def unnamed(repo: Path) -> Path:
    """The same repository, whose staging names no account."""
    path = repo / "Pulumi.staging.yaml"
    path.write_text(path.read_text("utf-8").replace(f'"{NUMBER}"', "null"), "utf-8")
    return repo


def test_an_account_that_nobody_named_needs_a_yes(
    aws: Script, unnamed: Path, aspora: Command
) -> None:
    code, out, err = aspora("bootstrap", "--stack", "staging")
    assert (code, out, aws.changes) == (2, [], [])
    assert err.splitlines() == [
        (
            "error: Pulumi.staging.yaml does not name its account; these credentials belong to"
            f" account {NUMBER} in {REGION}, as {ARN}"
        ),
        f'  --yes when it is the right one, or write accountId: "{NUMBER}" there',
    ]
    assert aspora("bootstrap", "--stack", "staging", "--dry-run")[0] == 0
    assert "made" in states(aspora("bootstrap", "--stack", "staging", "--yes")[1])


@pytest.mark.parametrize(("answer", "code"), [("n", 130), ("y", 1)])
def test_on_a_terminal_a_person_says_yes(
    answer: str, code: int, aws: Script, unnamed: Path, aspora: Command, monkeypatch: Any
) -> None:
    person(monkeypatch, confirms=answer)
    got, _, err = aspora("bootstrap", "--stack", "staging")
    assert got == code  # 1: gVisor and a value are missing
    assert f"these credentials belong to account {NUMBER}" in err
    assert bool(aws.changes) == (answer == "y")


def test_the_local_stack_has_no_account(repo: Path, aspora: Command) -> None:
    code, out, err = aspora("bootstrap")
    assert (code, out) == (2, [])
    assert err == (
        "error: the local stack has no AWS account\n  name one that has: --stack staging\n"
    )


# -- errors of AWS ------------------------------------------------------------------------------

REFUSALS = [
    (
        *("PutBucketEncryption", "AccessDenied", "User: x is not authorized"),
        "state bucket: s3:PutBucketEncryption was refused: AccessDenied: User: x is not authorized",
        "ask for the permission s3:PutEncryptionConfiguration, and run it again",
    ),
    (
        *("CreateKey", "ThrottlingException", "Rate exceeded"),
        (
            "key of Pulumi's state and secrets: kms:CreateKey was put off: ThrottlingException:"
            " Rate exceeded"
        ),
        "wait a minute and run it again",
    ),
    (
        *("CreateSecret", "ExpiredTokenException", "The security token included is expired"),
        # What was sent may stand in AWS's text, so a call with a value repeats the code alone.
        "named secrets: secretsmanager:CreateSecret failed: ExpiredTokenException",
        "sign in again (`aws sso login`), or name another profile: AWS_PROFILE=…",
    ),
    (
        *("GetCallerIdentity", "InvalidClientTokenId", "The security token is invalid."),
        (
            "account: sts:GetCallerIdentity failed: InvalidClientTokenId: The security token is"
            " invalid."
        ),
        (
            "the credentials are not valid, or the account has not enabled us-east-1: aws account"
            " enable-region --region-name us-east-1"
        ),
    ),
    (
        *("CreateBucket", "BucketAlreadyExists", "The requested bucket name is not available."),
        (
            "state bucket: s3:CreateBucket failed: BucketAlreadyExists: The requested bucket name"
            " is not available."
        ),
        "",
    ),
]


@pytest.mark.parametrize(
    ("operation", "code", "words", "said", "hint"), REFUSALS, ids=[case[1] for case in REFUSALS]
)
def test_a_failing_step_is_named_and_the_next_run_goes_on(
    operation: str,
    code: str,
    words: str,
    said: str,
    hint: str,
    aws: Script,
    everything: Callable[[], Any],
) -> None:
    aws.fail(code, operation, words=words)
    exit_code, out, err = everything()
    told = [f"error: {said}", *([f"  {hint}"] if hint else [])]
    assert (exit_code, err.splitlines()[-len(told) :]) == (1, told)
    assert not any(line.startswith("pulumi") for line in out)
    before = states(out)
    aws.answers.clear()
    exit_code, out, _ = everything()
    assert exit_code == 0
    # What was done stays done; a bucket that stood half-made is finished.
    assert states(out)[: len(before)] == ["found"] * len(before)
    assert set(states(out)[len(before) :]) <= {"made", "changed", "found", "kept"}


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (
            botocore.exceptions.NoCredentialsError(),
            "account: sts:GetCallerIdentity failed: Unable to locate credentials",
            "sign in again (`aws sso login`), or name another profile: AWS_PROFILE=…",
        ),
        (
            botocore.exceptions.UnauthorizedSSOTokenError(),
            (
                "account: sts:GetCallerIdentity failed: The SSO session associated with this"
                " profile has expired or is otherwise invalid. To refresh this SSO session run aws"
                " sso login with the corresponding profile."
            ),
            "sign in again (`aws sso login`), or name another profile: AWS_PROFILE=…",
        ),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url="https://sts"),
            (
                "account: sts:GetCallerIdentity failed: Could not connect to the endpoint URL:"
                ' "https://sts"'
            ),
            "look at the connection, HTTPS_PROXY and the region, and run it again",
        ),
        (
            botocore.exceptions.ReadTimeoutError(endpoint_url="https://sts"),
            'account: sts:GetCallerIdentity failed: Read timeout on endpoint URL: "https://sts"',
            "look at the connection, HTTPS_PROXY and the region, and run it again",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_fails_before_aws_answers(
    error: Exception, said: str, hint: str, aws: Script, repo: Path, aspora: Command
) -> None:
    aws.answers["GetCallerIdentity"] = error
    code, out, err = aspora("bootstrap", "--stack", "staging")
    assert (code, out, err) == (1, [], f"error: {said}\n  {hint}\n")


def test_a_profile_that_does_not_exist(
    repo: Path, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    code, out, err = aspora("bootstrap", "--stack", "staging")
    assert (code, out, err) == (
        1,
        [],
        (
            "error: account: a client of sts failed: The config profile (nobody) could not be"
            " found\n  sign in again (`aws sso login`), or name another profile: AWS_PROFILE=…\n"
        ),
    )


def test_a_long_text_of_aws_is_cut_and_stands_on_one_line(aws: Script) -> None:
    aws.fail("Odd", "GetCallerIdentity", words="a\nb " + "c" * 900)
    with pytest.raises(AwsError) as caught:
        call(api("sts"), "get_caller_identity")
    assert caught.value.message == f"sts:GetCallerIdentity failed: Odd: a b {'c' * 296}…"


def test_a_bucket_of_another_account(aws: Script, repo: Path, aspora: Command) -> None:
    aws.fail("403", "HeadBucket", words="Forbidden")
    code, out, err = aspora("bootstrap", "--stack", "staging")
    assert (code, states(out)) == (1, ["found", "made", "made"])
    assert err.splitlines()[-2:] == [
        (
            f"error: there is a bucket {STATE}, and S3 does not let account {NUMBER} look at it: it"
            " is another account's, or the permission s3:ListBucket is missing"
        ),
        (
            "  choose another aspora:aws.bucketPrefix in Pulumi.staging.yaml: names of buckets are"
            " unique in the whole world"
        ),
    ]


def test_a_bucket_in_another_region(aws: Script, repo: Path, aspora: Command) -> None:
    aws.answers["HeadBucket"] = {"BucketRegion": "eu-west-1"}
    code, _, err = aspora("bootstrap", "--stack", "staging")
    assert code == 1
    assert err.splitlines()[-2:] == [
        f"error: the bucket {STATE} is in eu-west-1, and the stack in us-east-1",
        "  choose another aspora:aws.bucketPrefix in Pulumi.staging.yaml",
    ]


def test_every_call_on_a_bucket_names_its_owner(aws: Script, everything: Callable[[], Any]) -> None:
    """A bucket of the same name in another account is never taken for ours."""
    seen: dict[str, bool] = {}

    def watch(name: str) -> Callable[[dict[str, Any]], None]:
        return lambda given: seen.__setitem__(name, given.get("ExpectedBucketOwner") == NUMBER)

    operations = ["HeadBucket", "HeadObject", "PutObject"]
    for aspect in buckets.ASPECTS:
        operations += [_api_name(aspect.read), _api_name(aspect.write)]
    aws.answers |= {name: watch(name) for name in operations}
    assert everything()[0] == 0
    del operations[operations.index("PutBucketOwnershipControls")]  # set as the bucket is made
    assert seen == dict.fromkeys(operations, True)


def _api_name(method: str) -> str:
    return str(api("s3").meta.method_to_api_mapping[method])
