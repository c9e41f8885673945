"""Whose an AWS resource is, by its ARN: the first part of a prefix, the third of a secret's name,
the user of a database, the keys that a user of the cache may touch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aspora.isolation.given import Given
from aspora.isolation.model import AccessKind
from aspora.isolation.patterns import literal
from aspora.isolation.roles import Statement, condition, many
from aspora.isolation.secrets import owner_of

ANYBODY = "*"
SHARED = ""
_KEYS = re.compile(r"~(\S+)")
_BUCKET = "arn:aws:s3:::"


@dataclass(frozen=True, slots=True)
class Thing:
    """What a statement's resource is: its kind, how people name it, and its owner.

    The owner is ANYBODY when the pattern may fit what several own, and SHARED for what belongs to
    all and gives nothing away by itself. `part` is what comes after the owner in a prefix.
    """

    kind: AccessKind
    name: str
    owner: str
    part: str = ""


def cache_users(given: Given) -> Mapping[str, str]:
    """The owner of each user of the cache, by the keys that it may touch."""
    found = {}
    for user in given.resources("aws:elasticache/user:User"):
        keys = _KEYS.findall(str(user.inputs.get("accessString", "")))
        owners = {key.partition(":")[0] for key in keys if ":" in key and "*" not in key[:-1]}
        whole = all(key.endswith(":*") and "*" not in key[:-1] for key in keys)
        name = str(user.inputs.get("userName", ""))
        found[name] = owners.pop() if whole and len(owners) == 1 else ANYBODY
    return found


def thing(action: str, arn: str, statement: Statement, users: Mapping[str, str]) -> Thing:
    """What an action on a resource of a statement is about."""
    service = arn.split(":")[2] if arn.count(":") > 4 else ANYBODY
    match service:
        case "s3":
            found = _in_bucket(action, arn.removeprefix(_BUCKET), statement)
        case "secretsmanager":
            found = _secret(arn.partition(":secret:")[2])
        case "rds-db":
            user = arn.rpartition("/")[2] if "/" in arn else ANYBODY
            found = Thing("database", f"database user {user}", _plain(user, arn))
        case "elasticache":
            found = _cache(arn, users)
        case "kms":
            found = _key(arn, statement)
        case _:
            found = Thing("role", arn, ANYBODY if "*" in arn else SHARED)
    return found


def _in_bucket(action: str, path: str, statement: Statement) -> Thing:
    """An object by its prefix; a listing by the prefix that the condition asks for."""
    bucket, slash, key = path.partition("/")
    if slash:
        return _prefix(bucket, [key])
    asked = condition(statement, "s3:prefix", "StringLike", "StringEquals")
    if action == "s3:ListBucket" and asked:
        return _prefix(bucket, list(asked))
    return Thing("bucket", f"bucket {path}", ANYBODY)


def _prefix(bucket: str, keys: list[str]) -> Thing:
    name = f"bucket {bucket}/{', '.join(sorted(keys))}"
    parts = [literal(key).split("/") for key in keys]
    owners = {found[0] or ANYBODY if len(found) > 1 else ANYBODY for found in parts}
    below = {found[1] if len(found) > 2 else "" for found in parts}
    if "*" in bucket or len(owners) != 1:
        return Thing("bucket", name, ANYBODY)
    return Thing("bucket", name, owners.pop(), below.pop() if len(below) == 1 else "")


def _secret(name: str) -> Thing:
    """A name ends in `/*`, or in `-*` for the six characters that Secrets Manager adds."""
    fixed = literal(name)
    return Thing(
        "secret", f"secret {name}", owner_of(f"{fixed}x" if fixed.endswith("/") else fixed)
    )


def _cache(arn: str, users: Mapping[str, str]) -> Thing:
    kind, _, name = arn.rpartition(":")
    if kind.endswith(":user"):
        return Thing("database", f"cache user {name}", users.get(name, ANYBODY))
    if kind.endswith(":replicationgroup") and "*" not in arn:
        return Thing("database", f"cache {name}", SHARED)
    return Thing("database", arn, ANYBODY)


def _key(arn: str, statement: Statement) -> Thing:
    """A key is used through one service alone, and is one key, by its ID or by its alias."""
    through = condition(statement, "kms:ViaService", "StringEquals", "StringLike")
    alias = condition(statement, "kms:ResourceAliases", "ForAnyValue:StringEquals")
    aliases = alias if alias and not any("*" in one for one in alias) else ()
    bound = through and all(literal(one).count(".") or not one.startswith("*") for one in through)
    part = "" if bound else "through any service"
    named = "*" not in arn or aliases
    name = ", ".join(sorted(aliases)) or arn.rpartition(":")[2]
    return Thing("key", f"key {name}", SHARED if named else ANYBODY, part)


def _plain(name: str, arn: str) -> str:
    return ANYBODY if any(mark in arn for mark in "*?") else name


def actions_of(statement: Statement) -> tuple[str, ...]:
    """What a statement allows; NotAction counts as everything."""
    return tuple(many(statement.get("Action"))) or (ANYBODY,)


def resources_of(statement: Statement) -> tuple[str, ...]:
    """On what; NotResource counts as everything."""
    return tuple(many(statement.get("Resource"))) or (ANYBODY,)
