"""ASP529: namespaces hold pods to the strictest level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aspora.checks.rule import DECISIONS, Hit, Rule
from aspora.checks.world import World, labels_of
from aspora.problems import quoted

ENFORCE = "pod-security.kubernetes.io/enforce"
LISTED: Mapping[str, str] = {
    "aspora-node-agents": "privileged",  # the node exporter reads the node's own files
    "istio-cni": "privileged",  # it sets up the network of meshed pods
}
"""Namespaces of the platform that need a lower level."""


def look(world: World) -> Iterator[Hit]:
    """`restricted` is enforced, or the level that is listed."""
    for name, namespace in world.namespaces.items():
        level = labels_of(namespace).get(ENFORCE)
        wanted = LISTED.get(name, "restricted")
        if level not in ("restricted", wanted):
            enforced = quoted(level) if level else "nothing"
            yield Hit(namespace, f"Pod Security enforces {enforced}, not {wanted}")


RULE = Rule(
    "ASP529",
    "Pod Security not enforced",
    "The API server itself then refuses pods that reach for the node, whoever makes them: charts"
    " and operators too.",
    DECISIONS + "0012-selectors-time-zones-pod-security.md",
    look,
)
