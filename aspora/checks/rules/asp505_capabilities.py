"""ASP505: no capabilities, and no way to gain some."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import POD_SECURITY, Hit, Rule
from aspora.checks.world import Pod, World
from aspora.problems import quoted
from aspora.render.objects import Object

ADDED = ("NET_BIND_SERVICE",)
"""What Pod Security's level `restricted` lets a container add."""


def look(world: World) -> Iterator[Hit]:
    """All are dropped, none is added but one, and setuid binaries have no effect."""
    for pod, container in world.containers:
        for what in _found(pod, container):
            yield Hit(pod.owner, f"container {quoted(container['name'])} {what}")


def _found(pod: Pod, container: Object) -> Iterator[str]:
    capabilities = (container.get("securityContext") or {}).get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "does not drop ALL capabilities"
    more = [name for name in capabilities.get("add") or () if name not in ADDED]
    if more:
        yield f"adds the capabilities {quoted(', '.join(more))}"
    if pod.security(container, "allowPrivilegeEscalation") is not False:
        yield "does not say allowPrivilegeEscalation: false"


RULE = Rule(
    "ASP505",
    "Container with capabilities",
    "Each capability is a part of root, and the default set holds some that reach other pods"
    " (NET_RAW).",
    POD_SECURITY + "#restricted",
    look,
)
