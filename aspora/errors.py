"""What can go wrong, as one tree.

AsporaError                  shown as message + hint, never as a traceback
├── UsageError               the command was called wrongly (exit 2)
├── InvalidInput             files or settings hold problems, listed one by one (exit 1)
└── EnvironmentFailure       this machine cannot do what was asked (exit 1)
    ├── ToolUnavailable      a program cannot be found, downloaded or built
    ├── AlreadyRunning       another `aspora` holds the local platform
    └── LocalPlatformError   the control plane, the engine or moto failed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aspora.problems import Problem


class AsporaError(Exception):
    """An error a person can act on.

    `message` says what happened and where; `hint` says the way out, in one or more lines.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AsporaError):
    """The command line was wrong: an unknown stack, a folder that does not exist."""

    exit_code = 2


class InvalidInput(AsporaError):
    """Domain files or stack settings hold problems; `problems` lists every one of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = len(problems)
        super().__init__(f"{count} problem{'' if count == 1 else 's'} found")
        self.problems = problems


class EnvironmentFailure(AsporaError):
    """This machine cannot do what was asked."""


class ToolUnavailable(EnvironmentFailure):
    """A program the local platform needs cannot be found, downloaded or built."""


class AlreadyRunning(EnvironmentFailure):
    """Another `aspora` command is working on the local platform."""


class LocalPlatformError(EnvironmentFailure):
    """The control plane, the engine or moto failed."""
