"""The two customer managed keys that exist before Pulumi: of its secrets, and of the named ones."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any, NamedTuple

from aspora import iam
from aspora.errors import AsporaError
from infra.aws_account import Account
from infra.aws_session import AwsError
from infra.bootstrap.outcome import Outcome, Run

PURPOSES = {
    "pulumi": "encrypts Pulumi's state and the secrets in it",
    "secrets": "encrypts the named secrets",
}
ALIAS_TAG = "aspora:alias"
"""Tells a key whose alias was still to be made when a run was cut short."""
UNUSABLE = {
    "PendingDeletion": "aws kms cancel-key-deletion --key-id {key}\n"
    "aws kms enable-key --key-id {key}",
    "Disabled": "aws kms enable-key --key-id {key}",
}


def ensure(run: Run, purpose: str) -> Generator[Outcome, None, str]:
    """Make or mend the key behind the alias; the value is its ARN, empty in a first dry run."""
    account = run.account
    alias = account.alias(purpose)
    what = f"KMS key {alias}"
    key = by_alias(account, alias)
    made = key is None
    if key is None:
        key = _adopted(account, alias) or _made(run, alias, purpose)
        if not key:
            yield Outcome("made", what, PURPOSES[purpose])
            return ""
        run.change("kms", "create_alias", AliasName=alias, TargetKeyId=key["KeyId"])
    refuse_unusable(key, alias)
    drifted = _drift(account, key["KeyId"], alias)
    for mend in drifted:
        run.change("kms", mend.operation, **mend.parameters)
    if made:
        yield Outcome("made", what, PURPOSES[purpose])
    elif drifted:
        yield Outcome("changed", what, ", ".join(mend.what for mend in drifted))
    else:
        yield Outcome("found", what, str(key["Arn"]))
    return str(key["Arn"])


def by_alias(account: Account, alias: str) -> dict[str, Any] | None:
    """KMS's description of the key behind `alias`, None when there is no such alias."""
    try:
        answer = account.aws.call("kms", "describe_key", KeyId=alias)
    except AwsError as error:
        if error.code == "NotFoundException":
            return None
        raise
    metadata: dict[str, Any] = answer["KeyMetadata"]
    return metadata


def refuse_unusable(key: dict[str, Any], alias: str) -> None:
    """Raise AsporaError for a key that is disabled or about to be deleted."""
    state = key.get("KeyState", "Enabled")
    if state != "Enabled":
        raise AsporaError(
            f"the KMS key behind {alias} is {state}: {key['KeyId']}",
            hint=UNUSABLE.get(state, "aws kms describe-key --key-id {key} says more").format(
                key=key["KeyId"]
            ),
        )


def drift(account: Account, key_id: str, alias: str) -> list[str]:
    """What is not as it should be with an existing key; looks only."""
    return [mend.what for mend in _drift(account, key_id, alias)]


class _Mend(NamedTuple):
    what: str
    operation: str
    parameters: dict[str, Any]


def _drift(account: Account, key_id: str, alias: str) -> list[_Mend]:
    found: list[_Mend] = []
    aws, key = account.aws, {"KeyId": key_id}
    if not aws.call("kms", "get_key_rotation_status", **key)["KeyRotationEnabled"]:
        found.append(_Mend("rotation", "enable_key_rotation", key))
    text = aws.call("kms", "get_key_policy", **key, PolicyName="default")["Policy"]
    policy = closed(json.loads(text), account.number)
    if policy is not None:
        put = {**key, "PolicyName": "default", "Policy": json.dumps(policy)}
        found.append(_Mend("key policy", "put_key_policy", put))
    missing = _tags(account, alias).items() - _tags_of(account, key_id).items()
    if missing:
        tags = [{"TagKey": name, "TagValue": value} for name, value in sorted(missing)]
        found.append(_Mend("tags", "tag_resource", {**key, "Tags": tags}))
    return found


def closed(policy: dict[str, Any], number: str) -> dict[str, Any] | None:
    """The policy without what is open to everybody and with the account's own IAM; None if it is.

    Statements that somebody added for named principals stay.
    """
    statements = policy.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    kept = [statement for statement in statements if not _public(statement)]
    (own,) = iam.key(number)
    if not any(_gives_account(statement, own) for statement in kept):
        kept.insert(0, own)
    return None if kept == statements else policy | {"Statement": kept}


def _public(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, dict) else principal
    everybody = named == "*" or (isinstance(named, list) and "*" in named)
    return statement.get("Effect") == "Allow" and everybody and not statement.get("Condition")


def _gives_account(statement: dict[str, Any], own: dict[str, Any]) -> bool:
    return all(statement.get(field) == own[field] for field in ("Effect", "Principal", "Action"))


def _adopted(account: Account, alias: str) -> dict[str, Any] | None:
    """The key that a cut-short run made, whose alias is still missing."""
    for entry in account.aws.pages("kms", "list_keys", "Keys"):
        key_id = entry["KeyId"]
        if _tag_or_nothing(account, key_id) == alias:
            answer = account.aws.call("kms", "describe_key", KeyId=key_id)["KeyMetadata"]
            if answer.get("KeyState") == "Enabled":
                found: dict[str, Any] = answer
                return found
    return None


def _tag_or_nothing(account: Account, key_id: str) -> str | None:
    """The alias in a key's tags; None for a key whose policy does not let us look."""
    try:
        return _tags_of(account, key_id).get(ALIAS_TAG)
    except AwsError as error:
        if error.kind == "denied":
            return None
        raise


def _tags_of(account: Account, key_id: str) -> dict[str, str]:
    tags = account.aws.pages("kms", "list_resource_tags", "Tags", KeyId=key_id)
    return {tag["TagKey"]: tag["TagValue"] for tag in tags}


def _tags(account: Account, alias: str) -> dict[str, str]:
    return account.tags | {ALIAS_TAG: alias}


def _made(run: Run, alias: str, purpose: str) -> dict[str, Any]:
    answer = run.change(
        "kms",
        "create_key",
        Description=f"Aspora {run.account.stack}: {PURPOSES[purpose]}",
        Policy=iam.document(iam.key(run.account.number)),
        Tags=[
            {"TagKey": key, "TagValue": value} for key, value in _tags(run.account, alias).items()
        ],
    )
    metadata: dict[str, Any] = answer.get("KeyMetadata", {})
    return metadata
