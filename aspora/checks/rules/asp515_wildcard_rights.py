"""ASP515: rights name what they are for."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import RBAC_PRACTICE, Hit, Rule
from aspora.checks.world import World

FIELDS = ("apiGroups", "resources", "verbs", "nonResourceURLs")


def look(world: World) -> Iterator[Hit]:
    """No `*` in a Role or ClusterRole."""
    for role in world.of("Role", "ClusterRole"):
        found = {
            field
            for rule in role.get("rules") or ()
            for field in FIELDS
            if "*" in rule.get(field, ())
        }
        for field in sorted(found):
            yield Hit(role, f"{field} holds a wildcard")


RULE = Rule(
    "ASP515",
    "Wildcard in rights",
    "A wildcard also means what does not exist yet: the next custom resource, the next"
    " subresource.",
    RBAC_PRACTICE + "#least-privilege",
    look,
)
