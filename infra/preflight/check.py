"""One finding of `aspora doctor --stack`, and what a check is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from aspora.named_secrets import NamedSecret
from infra.aws_account import Account
from infra.aws_session import AwsError

State = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One finding, with the command or the edit that mends it."""

    state: State
    what: str
    detail: str
    way_out: str = ""


@dataclass(frozen=True)
class Look:
    """What a check is told. `name_servers` answers a zone's NS records as the world sees them:
    None when nobody could be asked."""

    account: Account
    secrets: Sequence[NamedSecret]
    today: date
    name_servers: Callable[[str], frozenset[str] | None]

    @property
    def bootstrap(self) -> str:
        """The way out of what `aspora bootstrap` makes."""
        return f"aspora bootstrap --stack {self.account.stack}"

    def setting(self, name: str) -> str:
        """A setting of `aspora:aws` and its file, as a message names it."""
        return f"aspora:aws.{name} in Pulumi.{self.account.stack}.yaml"


Probe = Callable[[Look], Iterator[Check]]


def guarded(what: str, probe: Probe, look: Look) -> list[Check]:
    """The findings of one probe; a call that fails is a finding too, after those before it."""
    found: list[Check] = []
    try:
        for check in probe(look):
            found.append(check)  # noqa: PERF402 - what came before an error stays
    except AwsError as error:
        found.append(unseen(what, error))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        # An answer of another shape than AWS documents must not end all the other checks.
        odd = f"cannot look: AWS answered what nobody expects ({type(error).__name__}: {error})"
        found.append(Check("warn", what, odd, "look by hand; this is a bug of ours"))
    return found


def unseen(what: str, error: AwsError) -> Check:
    """Nobody could look: that is a warning, but for credentials that do not hold."""
    if error.kind == "denied":
        needs = f"cannot look: needs {error.permission}"
        return Check("warn", what, needs, f"ask for {error.permission}, or look by hand")
    state: State = "fail" if error.kind in ("credentials", "region") else "warn"
    return Check(state, what, f"cannot look: {error.message}", error.hint)
