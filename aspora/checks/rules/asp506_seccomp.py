"""ASP506: system calls are filtered."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import POD_SECURITY, Hit, Rule
from aspora.checks.world import World
from aspora.problems import quoted


def look(world: World) -> Iterator[Hit]:
    """A profile is named, and it is not `Unconfined`."""
    for pod, container in world.containers:
        profile = (pod.security(container, "seccompProfile") or {}).get("type")
        if profile not in ("RuntimeDefault", "Localhost"):
            has = f"the profile {quoted(str(profile))}" if profile else "no seccomp profile"
            yield Hit(pod.owner, f"container {quoted(container['name'])} has {has}")


RULE = Rule(
    "ASP506",
    "System calls not filtered",
    "Kubernetes filters none unless a profile is named, and holes of the kernel are reached by"
    " rare calls.",
    POD_SECURITY + "#restricted",
    look,
)
