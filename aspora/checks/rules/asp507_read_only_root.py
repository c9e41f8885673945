"""ASP507: a container cannot change its own image."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import NSA_GUIDE, Hit, Rule
from aspora.checks.world import World
from aspora.problems import quoted


def look(world: World) -> Iterator[Hit]:
    """`readOnlyRootFilesystem` in each container."""
    for pod, container in world.containers:
        if pod.security(container, "readOnlyRootFilesystem") is not True:
            yield Hit(
                pod.owner, f"container {quoted(container['name'])} can write to its root filesystem"
            )


RULE = Rule(
    "ASP507",
    "Root filesystem can be written to",
    "What an attacker brings along has nowhere to lie, and what runs stays what was scanned.",
    NSA_GUIDE,
    look,
)
