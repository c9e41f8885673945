"""What tests of the gateways share: objects, two domains that meet, and how Istio judges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aspora.models import Domain
from aspora.render import Object, Rendered
from tests.core import domains

TWO = (
    """\
name: cats
owner: {team: cats-team, costCenter: cats}
budget: {monthlyUSD: 100}
egress:
  - {host: api.example.com, reason: Both of them need the calendar.}
  - {host: api.example.com, port: 8443, reason: The calendar's other door.}
agents:
  - name: vet
    image: aspora/cats-vet:v1.0.0
    model: claude-sonnet-4-5
    fallbackModels: [claude-haiku-4-5]
    tools:
      - {server: tickets, tools: [list_tickets, close_ticket]}
    calls: [dogs/vet/advise]
    skills:
      - {name: advise, description: Says whether a cat should see a vet.}
      - name: scan
        description: Reads an X-ray.
        tools: [{server: portfolio, tools: [get_positions]}]
""",
    """\
name: dogs
owner: {team: dogs-team, costCenter: dogs}
egress:
  - {host: api.example.com, reason: Both of them need the calendar.}
  - {host: dogs.example.com, reason: Where dogs are registered.}
agents:
  - name: vet
    image: aspora/dogs-vet:v1.0.0
    model: claude-haiku-4-5
    skills:
      - {name: advise, description: Says whether a dog should see a vet., callers: [cats/vet]}
""",
)


def two(tmp_path: Path) -> tuple[Domain, ...]:
    """cats calls dogs; both may reach one host, and dogs one more."""
    return domains(tmp_path, *TWO)


def kinds(objects: Iterable[Object], kind: str, namespace: str | None = None) -> list[Object]:
    """All of a kind."""
    return [
        obj
        for obj in objects
        if obj["kind"] == kind and namespace in (None, obj["metadata"].get("namespace"))
    ]


def one(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The one of that kind and name."""
    (found,) = (obj for obj in kinds(objects, kind) if obj["metadata"]["name"] == name)
    return found


def policies(rendered: Rendered, gateway: tuple[str, str]) -> list[Object]:
    """The AuthorizationPolicies at a gateway, wherever they come from."""
    key, value = gateway
    return [
        obj
        for obj in kinds(rendered, "AuthorizationPolicy")
        if obj["spec"]["selector"]["matchLabels"].get(key) == value
    ]


def allowed(found: Iterable[Object], **asks: str) -> bool:
    """Whether Istio lets a request through: any rule of any ALLOW policy that matches it."""
    return any(_matches(rule, asks) for policy in found for rule in policy["spec"].get("rules", ()))


def _matches(rule: Object, asks: dict[str, str]) -> bool:
    return all(
        any(
            all(_listed(values, asks.get(field, "")) for field, values in part.items())
            for part in _parts(rule[side], inner)
        )
        for side, inner in (("from", "source"), ("to", "operation"))
        if side in rule
    )


def _parts(listed: list[Object], inner: str) -> Iterator[Object]:
    for part in listed:
        yield part[inner]


def _listed(values: list[str], asked: str) -> bool:
    return any(
        asked == value or (value.endswith("*") and bool(asked) and asked.startswith(value[:-1]))
        for value in values
    )


def routes(virtual_service: Object) -> list[dict[str, Any]]:
    """Its HTTP routes."""
    found: list[dict[str, Any]] = virtual_service["spec"]["http"]
    return found
