"""`aspora bootstrap`: what has to stand in an account before Pulumi can, made once, found later.

Steps run in order, and each is safe to repeat: after a failure the next run goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aspora.named_secrets import NamedSecret
from infra.aws_account import Account
from infra.bootstrap import buckets, keys, linked_roles, runsc, secret_store
from infra.bootstrap.outcome import Outcome, Run


@dataclass(frozen=True)
class Wishes:
    """What the caller brings: the secrets to be there, where values come from, runsc's tarball."""

    secrets: Sequence[NamedSecret]
    filling: secret_store.Filling
    tarball: Path | None = None


def bootstrap(run: Run, wishes: Wishes) -> Iterator[Outcome]:
    """Make or mend everything, saying what was found. Raises AsporaError at the first failure."""
    account = run.account
    yield Outcome("found", "account", f"{account.number} in {account.region}, as {account.arn}")
    if wishes.tarball:
        runsc.verified(wishes.tarball, account)
    with run.step("key of Pulumi's state and secrets"):
        key_arn = yield from keys.ensure(run, "pulumi")
    with run.step("key of the named secrets"):
        yield from keys.ensure(run, "secrets")
    with run.step("state bucket"):
        yield from buckets.ensure(run, buckets.state(account, key_arn))
    with run.step("tools bucket"):
        yield from buckets.ensure(run, buckets.tools(account))
    with run.step("gVisor"):
        yield from runsc.ensure(run, wishes.tarball)
    with run.step("service roles"):
        yield from linked_roles.ensure(run)
    with run.step("named secrets"):
        yield from secret_store.fill(
            account.aws.client("secretsmanager"),
            wishes.secrets,
            settings=account.settings,
            kms_key=account.alias("secrets"),
            filling=wishes.filling,
        )


def next_commands(account: Account) -> tuple[str, ...]:
    """What to run next, ready to be copied."""
    region = f"region={account.region}"
    provider = f"awskms://{account.alias('pulumi')}?{region}"
    return (
        f"pulumi login 's3://{account.state_bucket}?{region}'",
        f"pulumi stack init {account.stack} --secrets-provider='{provider}'",
        f"aspora doctor --stack {account.stack}",
        f"pulumi up --stack {account.stack}",
    )
