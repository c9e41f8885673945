"""ASP516: no team and no person reads Secrets through the API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aspora.checks.rule import DECISIONS, Hit, Rule
from aspora.checks.world import World
from aspora.render.objects import Object

READS = ("get", "list", "watch", "*")
PEOPLE = ("Group", "User")


def look(world: World) -> Iterator[Hit]:
    """In roles of a domain's namespace, and in those that are bound to people anywhere."""
    bound = {
        (binding["roleRef"]["kind"], _space(binding), binding["roleRef"]["name"])
        for binding in world.of("RoleBinding", "ClusterRoleBinding")
        if any(subject["kind"] in PEOPLE for subject in binding.get("subjects") or ())
    }
    for role in world.of("Role", "ClusterRole"):
        space = role["metadata"].get("namespace", "")
        mine = world.domain(space) or (role["kind"], space, role["metadata"]["name"]) in bound
        if mine and any(_reads_secrets(rule) for rule in role.get("rules") or ()):
            yield Hit(role, "the role reads Secrets")


def _space(binding: Object) -> str:
    if binding["roleRef"]["kind"] == "ClusterRole":
        return ""
    return str(binding["metadata"].get("namespace", ""))


def _reads_secrets(rule: Object) -> bool:
    return (
        _holds(rule.get("apiGroups", ()), ("", "*"))
        and _holds(rule.get("resources", ()), ("secrets", "*"))
        and _holds(rule.get("verbs", ()), READS)
    )


def _holds(given: Sequence[str], some: Sequence[str]) -> bool:
    return any(item in some for item in given)


RULE = Rule(
    "ASP516",
    "People read Secrets",
    "A team's Secrets hold its keys for models and databases; people take them where taking them"
    " is written down. `list` and `watch` show the values too.",
    DECISIONS + "0006-who-applies-what.md",
    look,
)
