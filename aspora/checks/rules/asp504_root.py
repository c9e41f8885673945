"""ASP504: nothing runs as root."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import POD_SECURITY, Hit, Rule
from aspora.checks.world import World
from aspora.problems import quoted


def look(world: World) -> Iterator[Hit]:
    """`runAsNonRoot` is said, and no user 0."""
    for pod, container in world.containers:
        name = f"container {quoted(container['name'])}"
        if pod.security(container, "runAsUser") == 0:
            yield Hit(pod.owner, f"{name} runs as user 0")
        elif pod.security(container, "runAsNonRoot") is not True:
            yield Hit(pod.owner, f"{name} does not say runAsNonRoot: true")


RULE = Rule(
    "ASP504",
    "Container may run as root",
    "Root in a container is root to every bug of the runtime and to every volume it mounts.",
    POD_SECURITY + "#restricted",
    look,
)
