"""`aspora doctor --stack`: what would stop a `pulumi up` halfway, found before it starts.

Nothing is changed. Checks look at the same time, and are told in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial

from aspora.errors import AsporaError
from aspora.named_secrets import NamedSecret
from aspora.stack import StackSettings
from infra.aws_account import Account, refuse_another, who
from infra.aws_session import Aws
from infra.preflight import access, eks, instances, quotas, singletons, storage, zone
from infra.preflight.check import Check, Look, Probe, guarded

AT_ONCE = 8

PROBES: tuple[tuple[str, Probe], ...] = (
    ("way to the API server", access.network),
    ("administrator of the cluster", access.administrator),
    ("availability zones", instances.zones),
    ("state bucket", storage.state_bucket),
    ("tools bucket", storage.tools_bucket),
    ("KMS key of Pulumi", partial(storage.key, "pulumi")),
    ("KMS key of the named secrets", partial(storage.key, "secrets")),
    ("named secrets", storage.named_secrets),
    ("gVisor", storage.gvisor),
    *(
        (f"quota {quota.code} ({quota.what})", partial(quotas.quota, quota))
        for quota in quotas.QUOTAS
    ),
    ("quotas of other families", quotas.other_families),
    ("EKS version", eks.version),
    ("add-ons", eks.addons),
    ("AL2023 AMI", eks.ami),
    ("instance types", instances.instance_types),
    ("architectures", instances.architectures),
    ("RDS class", instances.database),
    ("DNS zone", zone.delegated),
    ("GuardDuty detector", singletons.guardduty),
    ("GitHub OIDC provider", singletons.github_oidc),
)
"""What an error is told under, and the check; in the order of the report."""


def examine(
    aws: Aws,
    settings: StackSettings,
    secrets: Sequence[NamedSecret],
    *,
    today: date,
    name_servers: Callable[[str], frozenset[str] | None],
) -> Iterator[Check]:
    """Every finding. Without credentials of the right account there is only one."""
    try:
        account = who(aws, settings)
        refuse_another(account)
    except AsporaError as error:
        yield Check("fail", "identity", error.message, error.hint)
        yield Check("warn", "everything else", "not looked at without the right credentials")
        return
    yield from _identity(account)
    look = Look(account, secrets, today, name_servers)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(lambda named: guarded(named[0], named[1], look), PROBES):
            yield from found


def _identity(account: Account) -> Iterator[Check]:
    detail = f"account {account.number} in {account.region}, as {account.arn}"
    place = f"aspora:aws.accountId in Pulumi.{account.stack}.yaml"
    if account.arn.endswith(":root"):
        yield Check("warn", "identity", f"{detail}: the root user", "use a role: aws sso login")
    elif account.config.account_id is None:
        way_out = f'write {place}: "{account.number}"'
        yield Check("warn", "identity", f"{detail}; the stack does not name its account", way_out)
    else:
        yield Check("pass", "identity", f"{detail}, as {place} says")
