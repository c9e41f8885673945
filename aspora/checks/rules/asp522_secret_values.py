"""ASP522: no secret stands in what is rendered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from aspora.checks.rule import DECISIONS, Hit, Rule
from aspora.checks.world import World
from aspora.problems import quoted
from aspora.render.objects import Object

SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS access keys
    r"|\bsk-(?:or-|ant-|proj-)?[A-Za-z0-9_-]{20,}"  # OpenRouter, Anthropic, OpenAI
    r"|\bgh[pousr]_[A-Za-z0-9]{36}\b"  # GitHub
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"  # Slack
)
MARKS = (
    *(b"PRIVATE KEY", b"AKIA", b"ASIA", b"sk-", b"xox"),
    *(b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"),
)
"""Each of SHAPES holds one of them."""
TELLING = re.compile(r"PASSWORD|SECRET|TOKEN|API_?KEY|CREDENTIAL", re.IGNORECASE)
POINTING = re.compile(r"_(?:FILE|HEADER|NAME|PATH|URL)$", re.IGNORECASE)
"""Ends of names that say where a secret is."""
SETTING = re.compile(r"[0-9.]{1,8}|true|false", re.IGNORECASE)
"""Values that say something about secrets or tokens: how many, how long, whether."""


def look(world: World) -> Iterator[Hit]:
    """Values of Secrets, variables that are called like one, and texts that look like one."""
    for obj in world.of("Secret"):
        for field in ("data", "stringData"):
            if obj.get(field):
                yield Hit(obj, f"the Secret's values stand in {field}")
    for pod, container in world.containers:
        for variable in container.get("env") or ():
            name, value = variable["name"], str(variable.get("value", ""))
            if value and _tells(name) and not SETTING.fullmatch(value):
                yield Hit(pod.owner, f"the value of the variable {quoted(name)} is written out")
    for obj in (obj for obj in world.objects if _may_hold(obj)):
        for path in sorted({path for path, text in _texts(obj, "") if SHAPES.search(text)}):
            yield Hit(obj, f"{path} looks like a key")


def _may_hold(obj: Object) -> bool:
    """Whether it holds one of the MARKS: few do, and a search for each is fast."""
    text = orjson.dumps(obj)
    return any(mark in text for mark in MARKS)


def _tells(name: str) -> bool:
    return bool(TELLING.search(name) and not POINTING.search(name))


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _texts(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, below in enumerate(value):
            yield from _texts(below, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value


RULE = Rule(
    "ASP522",
    "Secret in plain sight",
    "What is rendered stands in Git, in pull requests and in Pulumi's state. Secrets stand in AWS"
    " Secrets Manager and are referred to by name.",
    DECISIONS + "0009-secrets-by-name.md",
    look,
)
