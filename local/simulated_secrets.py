"""Plays `aspora bootstrap` on moto, for the named secrets that no program declares (decision 9)."""

from __future__ import annotations

from collections.abc import Sequence

from aspora.models import Domain
from aspora.named_secrets import NamedSecret, named_secrets
from aspora.stack import StackSettings

ASKED = "simulated"
"""The value of what a person would be asked for."""


def ensure(domains: Sequence[Domain], settings: StackSettings, url: str) -> None:
    """Make the entries that are missing on the moto at `url`. Raises AwsError."""
    from infra.bootstrap.secret_store import ensure_secrets
    from local.providers.aws_clients import Clients

    ensure_secrets(
        Clients(url).api("secretsmanager", settings.region),
        named_secrets(domains, settings),
        settings=settings,
        kms_key=None,
        values={},
        fill_asked_with=_say_so,
    )


def prune(domains: Sequence[Domain], settings: StackSettings, url: str) -> None:
    """Remove the stack's entries that nobody wants any more, at once. Raises AwsError.

    In life `aspora bootstrap` names them and a person decides; what is played needs no window in
    which it could be brought back.
    """
    from infra.aws_session import call
    from infra.bootstrap.secret_store import entries
    from local.providers.aws_clients import Clients

    client = Clients(url).api("secretsmanager", settings.region)
    wanted = {secret.name for secret in named_secrets(domains, settings)}
    for name in sorted(entries(client, settings).keys() - wanted):
        call(client, "delete_secret", SecretId=name, ForceDeleteWithoutRecovery=True)


def _say_so(_: NamedSecret) -> str:
    return ASKED
