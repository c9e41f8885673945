"""ASP503: no pod sees the node it runs on."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import POD_SECURITY, Hit, Rule
from aspora.checks.world import Pod, World
from aspora.problems import quoted

HOST = ("hostNetwork", "hostPID", "hostIPC")


def look(world: World) -> Iterator[Hit]:
    """Privileged containers, the node's namespaces, paths and ports."""
    for pod in world.pods:
        for what in _found(pod):
            yield Hit(pod.owner, what)


def _found(pod: Pod) -> Iterator[str]:
    yield from (f"the pod has {field}" for field in HOST if pod.spec.get(field))
    for volume in pod.spec.get("volumes") or ():
        if "hostPath" in volume:
            yield f"volume {quoted(volume['name'])} is a path of the node"
    for container in pod.containers:
        name = f"container {quoted(container['name'])}"
        if pod.security(container, "privileged"):
            yield f"{name} is privileged"
        if any(port.get("hostPort") for port in container.get("ports") or ()):
            yield f"{name} opens a port of the node"


RULE = Rule(
    "ASP503",
    "Pod with a hold on its node",
    "Whoever has the node has every pod on it, those of other domains too.",
    POD_SECURITY + "#baseline",
    look,
)
