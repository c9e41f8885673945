"""ASP513: some policy chooses every pod, for both directions."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import NETWORK_POLICIES, Hit, Rule
from aspora.checks.world import World, selects
from aspora.render.objects import Object

DIRECTIONS = (("Ingress", "comes in"), ("Egress", "goes out"))


def look(world: World) -> Iterator[Hit]:
    """Also where the namespace is not ours and so has no default: kube-system."""
    for pod in world.pods:
        chosen = {
            direction
            for policy in world.within("NetworkPolicy", pod.namespace)
            if selects(policy["spec"]["podSelector"], pod.labels)
            for direction in _types(policy["spec"])
        }
        for direction, what in DIRECTIONS:
            if direction not in chosen:
                yield Hit(pod.owner, f"no NetworkPolicy says what {what}")


def _types(spec: Object) -> tuple[str, ...]:
    """As the API server fills them in when they are left out."""
    given = spec.get("policyTypes")
    return tuple(given) if given else ("Ingress", "Egress") if "egress" in spec else ("Ingress",)


RULE = Rule(
    "ASP513",
    "Pod that no policy holds",
    "Kubernetes allows everything to a pod that no policy chooses.",
    NETWORK_POLICIES + "#the-two-sorts-of-pod-isolation",
    look,
)
