"""Values of secrets from standard input: a JSON object {name: value}, every problem at once.

Messages name entries, never values. A name is repeated only when it looks like one of ours:
somebody may have put the value in its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aspora.errors import UsageError
from aspora.named_secrets import NamedSecret
from aspora.problems import nearest

LIMIT = 65536
"""Bytes of a value that Secrets Manager takes (AWS Secrets Manager quotas)."""
_OURS = re.compile(r"aspora/[a-z0-9/-]{1,200}", re.ASCII)
_KINDS = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}


def parse(text: str, wanted: Sequence[NamedSecret], stack: str) -> dict[str, str]:
    """The values by name. Raises UsageError with every problem."""
    pairs = _pairs(text, stack)
    names = {secret.name: secret.source for secret in wanted}
    problems = [line for line in _problems(pairs, names) if line]
    if problems:
        count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        lines = "\n".join(f"  {line}" for line in problems)
        raise UsageError(f"standard input holds {count}:\n{lines}", hint=_hint(stack))
    return {name: str(value) for name, value in pairs}


def unknown(given: Iterable[str], wanted: Sequence[NamedSecret], stack: str) -> None:
    """Raise UsageError for a `--replace` that names no secret that has a value from us."""
    names = {secret.name: secret.source for secret in wanted}
    for name in given:
        if problem := _unknown(name, names, "what --replace names"):
            raise UsageError(problem, hint=_hint(stack))


def _hint(stack: str) -> str:
    return f"`aspora bootstrap --stack {stack} --dry-run` lists the names"


def _pairs(text: str, stack: str) -> list[tuple[str, Any]]:
    if not text.strip():
        raise UsageError("standard input is empty", hint=f"{_example(stack)}\n{_hint(stack)}")
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        place = ""
        if isinstance(error, json.JSONDecodeError):
            place = f" (line {error.lineno}, column {error.colno})"
        raise UsageError(
            f"standard input is no JSON{place}", hint=f"{_example(stack)}\n{_hint(stack)}"
        ) from None
    if not isinstance(pairs, _Pairs):
        raise UsageError(
            f"standard input is {_kind(pairs)}, and no JSON object", hint=_example(stack)
        )
    if not pairs:
        raise UsageError("the JSON object on standard input is empty", hint=_example(stack))
    return list(pairs)


class _Pairs(list[tuple[str, Any]]):
    """An object's members in order: a plain dict would hide a name that stands there twice."""


def _example(stack: str) -> str:
    return f'for example {{"aspora/{stack}/wealth/openrouter": "…"}}'


def _problems(pairs: list[tuple[str, Any]], names: Mapping[str, str]) -> Iterator[str]:
    seen: set[str] = set()
    for number, (name, value) in enumerate(pairs, start=1):
        if problem := _unknown(name, names, f"the name of entry {number}"):
            yield problem
            continue
        if name in seen:
            yield f"{name}: stands there twice"
        seen.add(name)
        yield f"{name}: {problem}" if (problem := _wrong(value)) else ""


def _unknown(name: str, names: Mapping[str, str], place: str) -> str:
    if names.get(name) == "pulumi":
        return f"{name}: `pulumi up` writes it, nobody gives it a value"
    if name in names:
        return ""
    if not _OURS.fullmatch(name):
        return f"{place} is no name of a secret"
    near = nearest(name, names)
    return f"{name}: there is no such secret" + (f'; did you mean "{near}"?' if near else "")


def _wrong(value: Any) -> str:
    if not isinstance(value, str):
        return f"expected text, found {_kind(value)}"
    if not value.strip():
        return "the value is empty"
    if value != value.strip():
        return "the value begins or ends with white space"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "the value holds half of a surrogate pair"
    if len(value.encode()) > LIMIT:
        return f"the value has more than {LIMIT} bytes"
    return ""


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, _Pairs):
        return "an object"
    return "text" if isinstance(value, str) else _KINDS[type(value)]
