"""The named secrets in Secrets Manager: those that are missing are made, the others left alone.

No value leaves this module but to AWS: not into an outcome, a message or a log.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aspora import names
from aspora.named_secrets import NamedSecret
from aspora.stack import StackSettings
from infra.aws_session import AwsError, call, pages
from infra.bootstrap.outcome import Outcome

GENERATED_BYTES = 32
"""Random bytes of a generated value: 256 bits, 43 characters."""

Ask = Callable[[NamedSecret], str]


@dataclass(frozen=True)
class Filling:
    """Where values come from. `ask` gives one, or nothing to leave the secret out for now.

    `replace` names secrets whose present value goes.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    ask: Ask | None = None
    replace: frozenset[str] = frozenset()
    dry_run: bool = False


def ensure_secrets(
    client: Any,
    wanted: Sequence[NamedSecret],
    *,
    settings: StackSettings,
    kms_key: str | None,
    values: Mapping[str, str],
    fill_asked_with: Ask | None = None,
) -> tuple[Outcome, ...]:
    """Make what is missing with a boto3 client of Secrets Manager, and say what was there.

    `kms_key` is an ARN or an alias, None for AWS's own key. Raises AwsError.
    """
    filling = Filling(values, fill_asked_with)
    return tuple(fill(client, wanted, settings=settings, kms_key=kms_key, filling=filling))


def fill(
    client: Any,
    wanted: Sequence[NamedSecret],
    *,
    settings: StackSettings,
    kms_key: str | None,
    filling: Filling,
) -> Iterator[Outcome]:
    """The same, one outcome after the other, with everything that `Filling` offers."""
    there = entries(client, settings)
    for secret in wanted:
        if secret.source != "pulumi":
            yield _one(_Entry(client, settings, kms_key, there.get(secret.name)), secret, filling)
    known = {secret.name for secret in wanted}
    for name, entry in sorted(there.items()):
        if name not in known and not entry.get("DeletedDate"):
            hint = f"nobody wants it any more; aws secretsmanager delete-secret --secret-id {name}"
            yield Outcome("extra", f"secret {name}", hint)


def entries(client: Any, settings: StackSettings) -> dict[str, dict[str, Any]]:
    """The stack's entries by name, those that are about to be deleted among them."""
    prefix = f"aspora/{settings.environment}/"
    found = pages(
        client,
        "list_secrets",
        "SecretList",
        IncludePlannedDeletion=True,
        Filters=[{"Key": "name", "Values": [prefix]}],
    )
    return {entry["Name"]: entry for entry in found if entry["Name"].startswith(prefix)}


def has_value(entry: Mapping[str, Any]) -> bool:
    """Whether somebody gave it a value: an entry may stand without one."""
    return bool(entry.get("SecretVersionsToStages"))


@dataclass(frozen=True)
class _Entry:
    """Where a secret goes, and what Secrets Manager has of it."""

    client: Any
    settings: StackSettings
    kms_key: str | None
    now: dict[str, Any] | None


def _one(entry: _Entry, secret: NamedSecret, filling: Filling) -> Outcome:
    name, now = f"secret {secret.name}", entry.now
    if now and now.get("DeletedDate"):
        restore = f"aws secretsmanager restore-secret --secret-id {secret.name}"
        return Outcome("missing", name, f"is being deleted; {restore}")
    if now and has_value(now):
        if secret.name in filling.replace:
            return _filled(entry, secret, filling) or Outcome("kept", name, "no new value given")
        if secret.name in filling.values:
            hint = f"has a value already; --replace {secret.name} gives it the new one"
            return Outcome("kept", name, hint)
        return Outcome("found", name, secret.purpose)
    nobody = Outcome("missing", name, f"{secret.purpose}: no value was given")
    return _filled(entry, secret, filling) or nobody


def _filled(entry: _Entry, secret: NamedSecret, filling: Filling) -> Outcome | None:
    """Give the secret its value; None when nobody has one."""
    done = Outcome("changed" if entry.now else "made", f"secret {secret.name}", secret.purpose)
    if filling.dry_run:
        return done if secret.source == "generated" or secret.name in filling.values else None
    value = _value(secret, filling)
    if not value:
        return None
    if not _write(entry, secret, value):
        return Outcome("found", done.what, "somebody else made it meanwhile")
    return done


def _value(secret: NamedSecret, filling: Filling) -> str:
    if secret.name in filling.values:
        return filling.values[secret.name]
    if secret.source == "generated":
        return secret.prefix + secrets.token_urlsafe(GENERATED_BYTES)
    return filling.ask(secret) if filling.ask else ""


def _write(entry: _Entry, secret: NamedSecret, value: str) -> bool:
    """Give it the value; False when somebody was faster."""
    if entry.now is not None:
        put = {"SecretId": secret.name, "SecretString": value}
        call(entry.client, "put_secret_value", secret=True, **put)
        return True
    owner = secret.name.split("/")[2]
    tags = names.tags(entry.settings.environment, owner)
    parameters: dict[str, Any] = {
        "Name": secret.name,
        "Description": secret.purpose,
        "SecretString": value,
        "Tags": [{"Key": key, "Value": text} for key, text in tags.items()],
    }
    if entry.kms_key:
        parameters["KmsKeyId"] = entry.kms_key
    try:
        call(entry.client, "create_secret", secret=True, **parameters)
    except AwsError as error:
        if error.code == "ResourceExistsException":
            return False
        raise
    return True
