"""ASP519: agents run in gVisor, or a reason stands in the domain file."""

from __future__ import annotations

from collections.abc import Iterator

from aspora import names
from aspora.checks.rule import DECISIONS, Hit, Rule
from aspora.checks.world import World, labels_of

RUNTIME = "gvisor"
REASON = "aspora.io/sandbox-reason"


def look(world: World) -> Iterator[Hit]:
    """Pods of a domain have gVisor's runtime class; the exception is the namespace's, with why."""
    shared = {
        name: namespace
        for name, namespace in world.namespaces.items()
        if world.domain(name) and labels_of(namespace).get(names.SANDBOX_LABEL) == "runc"
    }
    for namespace in shared.values():
        if not (namespace["metadata"].get("annotations") or {}).get(REASON):
            yield Hit(namespace, "its pods share the node's kernel, and no reason says why")
    for pod in world.pods:
        mine = world.domain(pod.namespace) and pod.namespace not in shared
        if mine and pod.spec.get("runtimeClassName") != RUNTIME:
            yield Hit(pod.owner, "the pod does not run in gVisor")


RULE = Rule(
    "ASP519",
    "Agent outside of gVisor",
    "An agent does what a text told it to. Between it and the kernel that all pods of a node"
    " share stands gVisor.",
    DECISIONS + "0001-gvisor-pods-stay-outside-the-mesh.md",
    look,
    ("sandbox",),
)
