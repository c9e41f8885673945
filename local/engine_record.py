"""What the engine tells while it works: progress, a summary, and why it failed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aspora.errors import LocalPlatformError
from local.processes import out_of_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi.automation.events import DiagnosticEvent, EngineEvent, StepEventMetadata

REFRESH = "refresh"
_CHANGES = ("create", "update", "replace", "delete")
_ENGINE_ONLY = "pulumi:"  # the stack itself, providers
_STACK = "::pulumi:pulumi:Stack::"
_PREFIXES = ("Preview failed: ", "an unhandled error occurred: ", "error: ")
_PROTECTED = "because it is protected. To unprotect"
_NO_PROVIDER = re.compile(r"unknown provider '\S+' for resource ")
_NO_NEWS = frozenset(("preview failed", "update failed", "destroy failed", "refresh failed"))


class ResourcesFailed(LocalPlatformError):
    """Resources could not be made, changed or deleted; the engine has ended and told its state."""


@dataclass(frozen=True)
class Summary:
    """What a run changed, or a preview would: counts, and (operation, URN) of each change.

    The stack itself, the providers and the components are not counted.
    """

    created: int = 0
    updated: int = 0
    deleted: int = 0
    replaced: int = 0
    unchanged: int = 0
    changes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Tick:
    """One resource began (`finished` False) or ended.

    `done` counts those that ended so far; those that were only looked at (the operation
    `refresh`) are counted apart.
    """

    operation: str
    urn: str
    finished: bool
    done: int

    @property
    def name(self) -> str:
        """The resource's name, the last part of its URN."""
        return self.urn.rpartition("::")[2]


@dataclass
class Record:
    """Takes the engine's events as they come, in the engine's thread."""

    listener: Callable[[Tick], None] | None = None
    operations: dict[str, str] = field(default_factory=dict)
    looked_at: dict[str, str] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, event: EngineEvent) -> None:
        """Note one event and tell the listener."""
        if event.diagnostic_event:
            self._diagnose(event.diagnostic_event)
        elif event.resource_pre_event:
            self._step(event.resource_pre_event.metadata, finished=False)
        elif event.res_outputs_event:
            self._step(event.res_outputs_event.metadata, finished=True)

    def summary(self) -> Summary:
        """Counts and changes; meaningful once the engine has ended."""
        found = list(self.operations.values())
        changes = [(op, urn) for urn, op in self.operations.items() if op in _CHANGES]
        return Summary(
            created=found.count("create"),
            updated=found.count("update"),
            deleted=found.count("delete"),
            replaced=found.count("replace"),
            unchanged=found.count("same"),
            changes=tuple(sorted(changes, key=lambda change: change[1])),
        )

    def failure(self, command: str, words: str, *, ended: bool = True) -> LocalPlatformError:
        """The failed resources and why; `words` is all the CLI printed, used when it says no more.

        A provider's message names its object, so the resource is named only where it does not.
        What failed only because its provider could not be made is left out beside the reason.
        `ended` says that the engine came to its own end.
        """
        reasons = [error for error in self.errors if not _NO_PROVIDER.match(error[1])]
        found = reasons or self.errors
        lines = list(dict.fromkeys(_line(urn, message) for urn, message in found))
        if not lines:
            return LocalPlatformError(f"the Pulumi engine failed: {_last_lines(words)}")
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        whole = (
            ended and not out_of_space(words) and all(_of_resource(urn) for urn, _ in self.errors)
        )
        kind = ResourcesFailed if whole else LocalPlatformError
        return kind("\n  ".join((f"{command}: {count}", *lines)))

    def _step(self, step: StepEventMetadata, *, finished: bool) -> None:
        state = step.new or step.old
        is_object = bool(state and state.custom)  # a component is none, it only groups them
        if not step.logical or not is_object or step.type.startswith(_ENGINE_ONLY):
            return
        operation = step.op.value
        ended = self.looked_at if operation == REFRESH else self.operations
        if finished:
            ended[step.urn] = operation
        if self.listener:
            self.listener(Tick(operation, step.urn, finished, len(ended)))

    def _diagnose(self, event: DiagnosticEvent) -> None:
        message = event.message.strip()
        if event.severity == "error" and message not in _NO_NEWS:
            self.errors.append((event.urn or "", message))


def _of_resource(urn: str) -> bool:
    """Whether an error is that of a resource, not of the program or of the engine itself."""
    return bool(urn) and _STACK not in urn


def _unprotect(urn: str) -> str:
    return f"`pulumi state unprotect '{urn}'` lifts that for a real stack"


def _line(urn: str, message: str) -> str:
    if _PROTECTED in message:
        return f"{urn.rpartition('::')[2]} is protected, so it was not deleted; {_unprotect(urn)}"
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    head, trace, rest = message.partition("\nTraceback ")
    if trace:
        head = f"{head} ({rest.strip().splitlines()[-1]})"
    name = urn.rpartition("::")[2]
    return head if not name or name in head or _names_its_object(head) else f"{name}: {head}"


def _names_its_object(message: str) -> bool:
    """Whether it begins like "ConfigMap wealth/settings: "."""
    words = message.partition(": ")[0].split()
    return len(words) == 2 and words[0][:1].isupper()


def _last_lines(words: str) -> str:
    """The error lines among all the CLI printed."""
    lines = [line.strip().removeprefix("stderr: ") for line in words.splitlines() if line.strip()]
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return "; ".join(told or lines[-3:])
