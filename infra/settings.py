"""The stack's settings as the engine knows them: the only reader of pulumi.Config.

The core reads the same keys from the file, to render without an engine; both end in one model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pulumi
from pydantic import ValidationError

from aspora import stack_rules
from aspora.errors import AsporaError
from aspora.model_keys import alias, allowed_keys
from aspora.problems import format_path, nearest
from aspora.stack import PREFIX, StackSettings


class SettingsError(AsporaError):
    """A setting is missing or wrong; the message names each key and the file."""


def read_settings(stack: str) -> StackSettings:
    """The settings of `stack`; raises SettingsError with every key that does not hold."""
    config = pulumi.Config(PREFIX.rstrip(":"))
    raw = {
        key: config.get(key.removeprefix(PREFIX))
        for key in (alias(name, field) for name, field in StackSettings.model_fields.items())
    }
    values = {key: _value(text) for key, text in raw.items() if text is not None}
    try:
        settings = StackSettings.model_validate(values)
    except ValidationError as error:
        raise _does_not_hold(stack, _lines(stack, error)) from None
    lines = _found(stack, (*stack_rules.named(stack, settings), *stack_rules.check(settings)))
    if lines:
        raise _does_not_hold(stack, lines)
    return settings


def unverified_lines(stack: str, settings: StackSettings) -> list[str]:
    """One line for each setting that a run on an account refuses until somebody looked it up."""
    return _found(stack, stack_rules.refused(settings))


def _found(stack: str, findings: Iterable[stack_rules.StackFinding]) -> list[str]:
    return [_line(stack, found.path, f"{found.message}; {found.hint}") for found in findings]


def _does_not_hold(stack: str, lines: list[str]) -> SettingsError:
    return SettingsError(
        f"Pulumi.{stack}.yaml does not hold:\n" + "\n".join(lines),
        hint="docs/reference/stack.md describes every setting",
    )


def _line(stack: str, path: tuple[str | int, ...], message: str) -> str:
    return f"  Pulumi.{stack}.yaml: config.{format_path(path)}: {message}"


def _value(text: str) -> Any:
    """Pulumi hands structured values over as JSON, and scalars as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _lines(stack: str, error: ValidationError) -> list[str]:
    lines = []
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            near = nearest(str(path[-1]), allowed_keys(StackSettings, path[:-1]))
            message = "unknown key" + (f'; did you mean "{near}"?' if near else "")
        elif detail["type"] == "missing":
            message = "missing"
        lines.append(_line(stack, path, message))
    return lines
