"""Who approves what: CODEOWNERS by the paths that changed, and the fields that made it so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from aspora import names
from aspora.changes.compare import compare
from aspora.changes.model import FieldChange

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, in its order."""
MAX_REASONS = 6
MAX_VALUE = 60
_NAMED = re.compile(r"(agents|skills)\[name=([^\]]*)\]\.?")


def approvers(codeowners: str, paths: Iterable[str]) -> tuple[str, ...]:
    """The owners of the paths, each once; the last line that matches a path decides."""
    found: dict[str, None] = {}
    rules = _rules(codeowners)
    for path in paths:
        owners: Sequence[str] = ()
        for pattern, whose in rules:
            if pattern.fullmatch(path):
                owners = whose
        found.update(dict.fromkeys(owners))
    return tuple(found)


@lru_cache(maxsize=8)
def _rules(codeowners: str) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    rules = []
    for line in codeowners.splitlines():
        words = line.partition("#")[0].split()
        if words:
            rules.append((_pattern(words[0]), tuple(words[1:])))
    return tuple(rules)


def _pattern(glob: str) -> re.Pattern[str]:
    """As .gitignore has it: a slash at the start or inside ties it to the root."""
    body, tied = glob.removesuffix("/"), "/" in glob.rstrip("/")
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", body.removeprefix("/"))
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(wild.get(part) or re.escape(part) for part in parts)
    # What matches a folder matches all in it; `docs/*` alone stops at one level.
    below = "" if body.endswith("/*") and not glob.endswith("/") else "(?:/.*)?"
    return re.compile(("" if tied else "(?:.*/)?") + text + below)


def reasons(
    domain: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, tuple[str, ...]]:
    """For each skill's ID, and "" for the domain itself: what changed in its file, in words."""
    found: dict[str, list[str]] = {}
    for change in compare("", "", before, after):
        scope, field = _scope(change.path)
        for skill in _skills(scope, domain, before, after):
            found.setdefault(skill, []).append(_words(field, change))
    return {skill: _some(words) for skill, words in found.items()}


def _scope(path: str) -> tuple[tuple[str, str], str]:
    """(agent, skill) of a path of a domain file, and the field below them."""
    names_in: dict[str, str] = {}
    rest = path
    while (match := _NAMED.match(rest)) is not None:
        names_in[match[1]] = match[2]
        rest = rest[match.end() :]
    return (names_in.get("agents", ""), names_in.get("skills", "")), rest


def _skills(
    scope: tuple[str, str], domain: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[str, ...]:
    agent, skill = scope
    if skill:
        return (names.skill_id(domain, agent or None, skill),)
    if not agent:
        return ("",)
    found: dict[str, None] = {}
    for data in (before, after):
        for one in data.get("agents") or ():
            if one.get("name") == agent:
                for below in one.get("skills") or ():
                    found[names.skill_id(domain, agent, below["name"])] = None
        for one in data.get("skills") or ():
            if one.get("agent") == agent:
                found[names.skill_id(domain, None, one["name"])] = None
    return tuple(found)


def _words(field: str, change: FieldChange) -> str:
    if not field:
        return "added" if change.before is None else "removed"
    if change.before is None:
        return f"{field}: {_value(change.after)} added"
    if change.after is None:
        return f"{field}: {_value(change.before)} removed"
    return f"{field}: {_value(change.before)} → {_value(change.after)}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        text = ", ".join(f"{key}: {_value(below)}" for key, below in value.items())
    elif isinstance(value, list | tuple):
        text = ", ".join(map(_value, value))
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = str(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _some(words: list[str]) -> tuple[str, ...]:
    if len(words) <= MAX_REASONS:
        return tuple(words)
    return (*words[: MAX_REASONS - 1], f"{len(words) - MAX_REASONS + 1} more")
