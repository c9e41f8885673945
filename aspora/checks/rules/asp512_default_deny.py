"""ASP512: each namespace begins with nothing allowed."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import NETWORK_POLICIES, Hit, Rule
from aspora.checks.world import World
from aspora.render.objects import Object


def look(world: World) -> Iterator[Hit]:
    """A policy that chooses all pods, for both directions, and allows nothing."""
    denied = {
        policy["metadata"]["namespace"]
        for policy in world.of("NetworkPolicy")
        if _denies_all(policy["spec"])
    }
    for name, namespace in world.namespaces.items():
        if name not in denied:
            yield Hit(namespace, "no NetworkPolicy denies all traffic by default")


def _denies_all(spec: Object) -> bool:
    return (
        not spec["podSelector"]
        and {"Ingress", "Egress"} <= set(spec.get("policyTypes") or ())
        and not spec.get("ingress")
        and not spec.get("egress")
    )


RULE = Rule(
    "ASP512",
    "Namespace without default deny",
    "A pod that no policy chooses may talk to everything, so the pod that somebody forgets must"
    " be a pod without connections.",
    NETWORK_POLICIES + "#default-policies",
    look,
)
