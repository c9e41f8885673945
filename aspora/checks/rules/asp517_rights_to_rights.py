"""ASP517: no rights that lead to more rights."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import RBAC_PRACTICE, Hit, Rule
from aspora.checks.world import World

VERBS = ("bind", "escalate", "impersonate")
RESOURCES = (
    *("pods/attach", "pods/ephemeralcontainers", "pods/exec", "pods/portforward"),
    *("nodes/proxy", "serviceaccounts/token", "certificatesigningrequests/approval"),
)
WRITTEN = ("clusterrolebindings", "clusterroles", "rolebindings", "roles")
CHANGES = ("create", "delete", "patch", "update")


def look(world: World) -> Iterator[Hit]:
    """Verbs that lift RBAC's own bounds, ways into pods and nodes, and writing of rights."""
    for role in world.of("Role", "ClusterRole"):
        found: set[str] = set()
        for rule in role.get("rules") or ():
            verbs, resources = rule.get("verbs", ()), rule.get("resources", ())
            found |= {verb for verb in verbs if verb in VERBS}
            found |= {name for name in resources if name in RESOURCES}
            if any(verb in CHANGES for verb in verbs):
                found |= {f"changing {name}" for name in resources if name in WRITTEN}
        for what in sorted(found):
            yield Hit(role, f"the role allows {what}")


RULE = Rule(
    "ASP517",
    "Rights that lead to more",
    "Who runs commands in a pod has its identity, who makes tokens has any account's, and who"
    " writes rights has all of them.",
    RBAC_PRACTICE + "#privilege-escalation-risks",
    look,
)
