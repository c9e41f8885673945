"""The tool gateway and the model gateway: what their own configuration lets each workload do.

The rules of agentgateway are CEL. Only the one form is read that says "this certificate, this
server, these tools"; any other rule is reported, since it may allow anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aspora.isolation.given import Given, Object, ref, space
from aspora.isolation.notes import Noted
from aspora.isolation.promises import MODELS, TOOLS, Service

_NAME = r'"([^"\\]*)"'
_RULE = re.compile(
    rf"{_NAME} in source\.subjectAltNames && mcp\.tool\.target == {_NAME}"
    r" && mcp\.tool\.name in \[([^\]]*)\]"
)
_CALLERS = re.compile(r"source\.subjectAltNames\.exists\(name, name in \[([^\]]*)\]\)")
_LISTED = re.compile(rf"\s*{_NAME}\s*")


@dataclass(frozen=True, slots=True)
class ToolGrant:
    """One identity may call tools of one server."""

    identity: str
    server: str
    tools: frozenset[str]
    by: str


@dataclass(frozen=True, slots=True)
class ToolGateway:
    """Its grants, the identities that it speaks with at all, and the host of each server."""

    grants: tuple[ToolGrant, ...] = ()
    known: frozenset[str] = frozenset()
    servers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ModelKey:
    """A key of the model gateway: whose it is, of which team, for which models."""

    workload: str
    team: str
    models: tuple[str, ...]
    by: str


def tool_gateway(given: Given, noted: Noted) -> ToolGateway:
    """What its ConfigMap says."""
    grants: list[ToolGrant] = []
    known: set[str] = set()
    servers: dict[str, str] = {}
    for obj, config in _configs(given, TOOLS, "config.yaml", noted):
        by = ref(obj)
        for listener in _listeners(config):
            if not (listener.get("tls") or {}).get("root"):
                noted.note(
                    "unread", TOOLS.title, "{} takes calls without a certificate", [by], [by]
                )
            for route in listener.get("routes") or ():
                policies = route.get("policies") or {}
                known |= set(_known(policies, by, noted))
                grants += _grants(policies, by, noted)
                servers |= _servers(route)
    return ToolGateway(tuple(grants), frozenset(known), servers)


def _configs(
    given: Given, service: Service, key: str, noted: Noted
) -> Iterator[tuple[Object, dict[str, Any]]]:
    """The parsed files of that name in ConfigMaps whose name begins with the service's."""
    for obj in given.kind("ConfigMap"):
        text = (obj.get("data") or {}).get(key)
        if text is None or space(obj) != service.namespace:
            continue
        if not obj["metadata"]["name"].startswith(service.label[1]):
            continue
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        if isinstance(parsed, dict):
            yield obj, parsed
        else:
            noted.note(
                "unread", service.title, "its configuration {} is not JSON", [key], [ref(obj)]
            )


def _listeners(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for bind in config.get("binds") or ():
        yield from bind.get("listeners") or ()


def _known(policies: Mapping[str, Any], by: str, noted: Noted) -> Iterator[str]:
    rules = (policies.get("authorization") or {}).get("rules") or ()
    if not rules:
        noted.note(
            "one side", TOOLS.title, "speaks with every certificate: {} has no rule", [by], [by]
        )
    for rule in rules:
        found = _CALLERS.fullmatch(rule) if isinstance(rule, str) else None
        if found is None:
            noted.note(
                "unread", TOOLS.title, "the rule {} may allow anybody", [str(rule)[:80]], [by]
            )
        else:
            yield from _items(found[1])


def _grants(policies: Mapping[str, Any], by: str, noted: Noted) -> Iterator[ToolGrant]:
    rules = (policies.get("mcpAuthorization") or {}).get("rules") or ()
    if not rules:
        noted.note(
            "outside", TOOLS.title, "lets every caller use every tool: {} has no rule", [by], [by]
        )
    for rule in rules:
        found = _RULE.fullmatch(rule) if isinstance(rule, str) else None
        if found is None:
            noted.note(
                "unread", TOOLS.title, "the rule {} may allow any tool", [str(rule)[:80]], [by]
            )
        else:
            yield ToolGrant(found[1], found[2], frozenset(_items(found[3])), by)


def _items(text: str) -> list[str]:
    return [found[1] for found in _LISTED.finditer(text)]


def _servers(route: Mapping[str, Any]) -> dict[str, str]:
    """The host of each MCP server behind a route."""
    return {
        target["name"]: urlsplit((target.get("mcp") or {}).get("host", "")).hostname or ""
        for backend in route.get("backends") or ()
        for target in (backend.get("mcp") or {}).get("targets") or ()
    }


def model_keys(given: Given, noted: Noted) -> Iterator[ModelKey]:
    """The keys that the model gateway is told to have."""
    for obj, wanted in _configs(given, MODELS, "desired.json", noted):
        for key in wanted.get("keys") or ():
            yield ModelKey(
                key.get("key_alias", ""),
                key.get("team_id", ""),
                tuple(key.get("models") or ()),
                ref(obj),
            )
        for team in wanted.get("teams") or ():
            yield ModelKey("", team.get("team_id", ""), tuple(team.get("models") or ()), ref(obj))
