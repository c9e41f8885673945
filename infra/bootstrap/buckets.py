"""The two buckets that exist before Pulumi: its state, and the tools that nodes fetch.

A bucket is a table of aspects. Each reads what is set, says what it should be and writes that;
what somebody added beside ours (tags, rules, statements) stays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aspora import iam
from aspora.errors import AsporaError
from aspora.services.stores import STATE_VERSION_DAYS
from infra.aws_account import Account
from infra.aws_session import AwsError
from infra.bootstrap.outcome import Outcome, Run

RULE = "aspora-versions"
Setting = dict[str, Any]


class NotOurs(AsporaError):
    """S3 answers 403: the bucket is another account's, or we may not look at it."""


class Elsewhere(AsporaError):
    """The bucket is ours, in another region."""


@dataclass(frozen=True)
class Wanted:
    """A bucket as it should be. Without a key, S3's own encrypts."""

    what: str
    name: str
    key_arn: str | None
    tags: dict[str, str]


def state(account: Account, key_arn: str) -> Wanted:
    """Pulumi's state, encrypted with the key of its secrets."""
    return Wanted("state bucket", account.state_bucket, key_arn, account.tags)


def tools(account: Account) -> Wanted:
    """What nodes fetch. Published files are no secret, so nodes need no right to any key."""
    return Wanted("tools bucket", account.tools_bucket, None, account.tags)


@dataclass(frozen=True)
class Aspect:
    """One setting: how it is read and written, and what it should be, given what it is.

    `absent` is S3's code when nothing is set; `wrap` the parameter that takes the whole of it.
    """

    what: str
    read: str
    absent: str
    write: str
    fit: Callable[[Wanted, Setting], Setting]
    wrap: str = ""


def _versioning(_: Wanted, now: Setting) -> Setting:
    return now if now.get("Status") == "Enabled" else {"Status": "Enabled"}


def _blocks(_: Wanted, __: Setting) -> Setting:
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    return {"PublicAccessBlockConfiguration": dict.fromkeys(names, True)}


def _ownership(_: Wanted, __: Setting) -> Setting:
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}


def _encryption(wanted: Wanted, now: Setting) -> Setting:
    default = {"SSEAlgorithm": "AES256"}
    if wanted.key_arn is not None:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": wanted.key_arn}
    rule: Setting = {"ApplyServerSideEncryptionByDefault": default}
    if wanted.key_arn is not None:
        rule["BucketKeyEnabled"] = True
    rules = now.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    if any(_within(rule, given) for given in rules):
        return now
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


def _policy(wanted: Wanted, now: Setting) -> Setting:
    ours = iam.bucket(wanted.name, by_domain=False)
    given = json.loads(now["Policy"])["Statement"] if "Policy" in now else []
    given = given if isinstance(given, list) else [given]
    if all(statement in given for statement in ours):
        return now
    sids = {statement["Sid"] for statement in ours}
    others = [statement for statement in given if statement.get("Sid") not in sids]
    return {"Policy": iam.document([*ours, *others])}


def _lifecycle(_: Wanted, now: Setting) -> Setting:
    rule = {
        "ID": RULE,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": STATE_VERSION_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    given = now.get("Rules", [])
    if any(_within(rule, other) for other in given):
        return now
    return {"Rules": [*(other for other in given if other.get("ID") != RULE), rule]}


def _tags(wanted: Wanted, now: Setting) -> Setting:
    given = {tag["Key"]: tag["Value"] for tag in now.get("TagSet", [])}
    if wanted.tags.items() <= given.items():
        return now
    # AWS's own tags cannot be written, and stay without being named.
    tags = {key: value for key, value in given.items() if not key.startswith("aws:")} | wanted.tags
    return {"TagSet": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


ASPECTS = (
    Aspect(
        "public access blocked",
        "get_public_access_block",
        "NoSuchPublicAccessBlockConfiguration",
        "put_public_access_block",
        _blocks,
    ),
    Aspect(
        "owned by the account alone",
        "get_bucket_ownership_controls",
        "OwnershipControlsNotFoundError",
        "put_bucket_ownership_controls",
        _ownership,
    ),
    Aspect("TLS only", "get_bucket_policy", "NoSuchBucketPolicy", "put_bucket_policy", _policy),
    Aspect(
        "encryption",
        "get_bucket_encryption",
        "ServerSideEncryptionConfigurationNotFoundError",
        "put_bucket_encryption",
        _encryption,
    ),
    Aspect(
        "versioning",
        "get_bucket_versioning",
        "",
        "put_bucket_versioning",
        _versioning,
        "VersioningConfiguration",
    ),
    Aspect(
        f"old versions kept {STATE_VERSION_DAYS} days",
        "get_bucket_lifecycle_configuration",
        "NoSuchLifecycleConfiguration",
        "put_bucket_lifecycle_configuration",
        _lifecycle,
        "LifecycleConfiguration",
    ),
    Aspect("tags", "get_bucket_tagging", "NoSuchTagSet", "put_bucket_tagging", _tags, "Tagging"),
)


def ensure(run: Run, wanted: Wanted) -> Iterator[Outcome]:
    """Make the bucket or mend what is not as it should be."""
    what = f"{wanted.what} {wanted.name}"
    made = not exists(run.account, wanted.name)
    if made:
        run.change("s3", "create_bucket", **_creation(run.account, wanted))
        if run.dry_run:
            yield Outcome("made", what, _words(aspect.what for aspect in ASPECTS))
            return
    drifted = list(_drifted(run.account, wanted))
    for aspect, setting in drifted:
        parameters = {aspect.wrap: setting} if aspect.wrap else setting
        run.change("s3", aspect.write, **_named(run.account, wanted.name), **parameters)
    if made:
        yield Outcome("made", what, _words(aspect.what for aspect in ASPECTS))
    elif drifted:
        yield Outcome("changed", what, _words(aspect.what for aspect, _ in drifted))
    else:
        yield Outcome("found", what, "as it should be")


def exists(account: Account, name: str) -> bool:
    """Whether the account has the bucket, in the stack's region. Raises AsporaError otherwise."""
    try:
        answer = account.aws.call("s3", "head_bucket", **_named(account, name))
    except AwsError as error:
        if error.code in ("404", "NoSuchBucket"):
            return False
        if error.kind == "denied":
            raise _taken(account, name) from None
        raise
    region = answer.get("BucketRegion") or account.region
    if region != account.region:
        raise Elsewhere(
            f"the bucket {name} is in {region}, and the stack in {account.region}",
            hint=f"choose another aspora:aws.bucketPrefix in Pulumi.{account.stack}.yaml",
        )
    return True


def drift(account: Account, wanted: Wanted) -> list[str]:
    """What is not as it should be with an existing bucket; looks only."""
    return [aspect.what for aspect, _ in _drifted(account, wanted)]


def _drifted(account: Account, wanted: Wanted) -> Iterator[tuple[Aspect, Setting]]:
    for aspect in ASPECTS:
        now = _now(account, wanted.name, aspect)
        setting = aspect.fit(wanted, now)
        if setting != now:
            yield aspect, setting


def _now(account: Account, name: str, aspect: Aspect) -> Setting:
    try:
        return account.aws.call("s3", aspect.read, **_named(account, name))
    except AwsError as error:
        if aspect.absent and error.code == aspect.absent:
            return {}
        raise


def _taken(account: Account, name: str) -> NotOurs:
    return NotOurs(
        f"there is a bucket {name}, and S3 does not let account {account.number} look at it:"
        " it is another account's, or the permission s3:ListBucket is missing",
        hint=f"choose another aspora:aws.bucketPrefix in Pulumi.{account.stack}.yaml:"
        " names of buckets are unique in the whole world",
    )


def _creation(account: Account, wanted: Wanted) -> Setting:
    parameters: Setting = {"Bucket": wanted.name, "ObjectOwnership": "BucketOwnerEnforced"}
    if account.region != "us-east-1":  # S3 refuses the name of its first region here
        parameters["CreateBucketConfiguration"] = {"LocationConstraint": account.region}
    return parameters


def _named(account: Account, name: str) -> Setting:
    """The bucket, and only when it is ours: nobody can slip us one of the same name."""
    return {"Bucket": name, "ExpectedBucketOwner": account.number}


def _within(wanted: Any, given: Any) -> bool:
    """Whether `given` says all that `wanted` says; AWS adds fields of its own."""
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(
            key in given and _within(value, given[key]) for key, value in wanted.items()
        )
    return bool(wanted == given)


def _words(words: Iterator[str]) -> str:
    return ", ".join(words)
