"""What a step of `aspora bootstrap` found or did, and how it changes things, or only says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from infra.aws_account import Account
from infra.aws_session import AwsError

State = Literal["found", "made", "changed", "kept", "missing", "extra"]


@dataclass(frozen=True)
class Outcome:
    """One line of the result: `made  state bucket aspora-staging-pulumi-state: …`."""

    state: State
    what: str
    detail: str


def nothing(_: str) -> None:
    """Says nothing: for callers that show no progress."""


@dataclass(frozen=True)
class Run:
    """One call of the command. `note` shows what is being looked at."""

    account: Account
    dry_run: bool = False
    note: Callable[[str], None] = nothing

    def change(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """One call that changes something; nothing and an empty answer in a dry run."""
        if self.dry_run:
            return {}
        return self.account.aws.call(service, operation, **parameters)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Name the step in progress and in the error of a call that fails in it."""
        self.note(title)
        try:
            yield
        except AwsError as error:
            raise error.during(title) from None
