"""ASP526: whoever is allowed has a name."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import Hit, Rule
from aspora.checks.world import STATUS_PORT, World
from aspora.render.objects import Object

NAMED = ("principals", "requestPrincipals", "namespaces", "serviceAccounts")


def look(world: World) -> Iterator[Hit]:
    """Each rule of an ALLOW policy has a `from` with identities; no rules at all allow nothing.

    Probes and scrapes of a domain's pods are the exception: by port, and nothing else.
    """
    for policy in world.of("AuthorizationPolicy"):
        spec = policy.get("spec") or {}
        if spec.get("action", "ALLOW") != "ALLOW":
            continue
        for rule in spec.get("rules") or ():
            sources = [item.get("source") or {} for item in rule.get("from") or ()]
            status = world.domain(policy["metadata"]["namespace"]) and _is_status(rule)
            if not status and not (sources and all(_is_named(source) for source in sources)):
                yield Hit(policy, "a rule allows callers without saying who they are")


def _is_named(source: Object) -> bool:
    """Whether it names identities. `*` is anyone who has one, which is everyone in the mesh."""
    return any(source.get(field) and "*" not in source[field] for field in NAMED)


def _is_status(rule: Object) -> bool:
    operations = [item.get("operation") or {} for item in rule.get("to") or ()]
    return bool(operations) and all(one.get("ports") == [STATUS_PORT] for one in operations)


RULE = Rule(
    "ASP526",
    "Anyone is allowed",
    "An ALLOW rule without `from` lets in everybody who reaches the port, with or without an"
    " identity. Addresses are no identities.",
    "https://istio.io/latest/docs/reference/config/security/authorization-policy/",
    look,
    ("callers",),
)
