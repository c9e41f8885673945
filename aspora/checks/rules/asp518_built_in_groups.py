"""ASP518: rights go to groups and roles of our own."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import RBAC_PRACTICE, Hit, Rule
from aspora.checks.world import World
from aspora.problems import quoted

ROLES = ("admin", "cluster-admin", "edit")


def look(world: World) -> Iterator[Hit]:
    """No binding to `system:` users and groups, and none of the built-in roles that write."""
    for binding in world.of("RoleBinding", "ClusterRoleBinding"):
        for subject in binding.get("subjects") or ():
            if subject["kind"] != "ServiceAccount" and subject["name"].startswith("system:"):
                yield Hit(binding, f"rights go to {quoted(subject['name'])}")
        role = binding["roleRef"]["name"]
        if role in ROLES or role.startswith("system:"):
            yield Hit(binding, f"the built-in role {quoted(role)} is bound")


RULE = Rule(
    "ASP518",
    "Built-in group or role bound",
    "system:authenticated is everybody who can log in, and system:masters is beyond every check."
    " The built-in roles read Secrets.",
    RBAC_PRACTICE + "#least-privilege",
    look,
)
