"""What a change does on AWS, as far as the domains decide it: identities and image repositories.

The resources themselves are declared by the Pulumi shell, which no report starts. What it makes of
a domain follows from its `Tenant`, so a difference of two of these says what a preview will show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aspora.models import Domain
from aspora.resolve import workloads
from aspora.stack import StackSettings
from aspora.tenants import Identity, Tenant, tenant


def differences(
    before: Domain | None, after: Domain | None, settings: StackSettings
) -> Iterator[str]:
    """In words, for one domain of a stack that has an AWS side."""
    if settings.aws is None:
        return
    old, new = (tenant(d, workloads(d)) if d is not None else None for d in (before, after))
    found = [
        *_named("the role and S3 prefix of", _accounts(old), _accounts(new)),
        *_named("repository", old.repositories if old else (), new.repositories if new else ()),
        *_databases(old, new),
    ]
    either = new or old
    if found and either is not None:
        yield f"{either.name} on AWS (`pulumi preview` shows all of it): {', '.join(found)}"


def _named(what: str, before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    yield from (f"{what} {name} added" for name in after if name not in before)
    yield from (f"{what} {name} removed" for name in before if name not in after)


def _accounts(one: Tenant | None) -> tuple[str, ...]:
    return tuple(identity.service_account for identity in one.identities) if one else ()


def _databases(before: Tenant | None, after: Tenant | None) -> Iterator[str]:
    had = {identity.service_account: identity for identity in before.identities} if before else {}
    for identity in after.identities if after else ():
        was: Identity | None = had.get(identity.service_account)
        if was is not None and was.database != identity.database:
            verb = "may" if identity.database else "may no longer"
            yield f"{identity.service_account} {verb} log in to the databases"
