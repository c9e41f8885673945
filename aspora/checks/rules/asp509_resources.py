"""ASP509: a container says what it needs, and takes no more memory than it may."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import Hit, Rule
from aspora.checks.world import World
from aspora.problems import quoted

NEEDED = (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))
"""No limit of CPU: it would slow a container down while its node stands idle."""


def look(world: World) -> Iterator[Hit]:
    """Requests of both, a limit of memory."""
    for pod, container in world.containers:
        resources = container.get("resources") or {}
        missing = [f"{a}.{b}" for a, b in NEEDED if not (resources.get(a) or {}).get(b)]
        if missing:
            yield Hit(
                pod.owner, f"container {quoted(container['name'])} has no {', '.join(missing)}"
            )


RULE = Rule(
    "ASP509",
    "No requests or limits",
    "Without requests a pod is placed where there is no room for it, and is the first to be"
    " killed; without a limit it takes the memory of its neighbours.",
    "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
    look,
    ("resources",),
)
