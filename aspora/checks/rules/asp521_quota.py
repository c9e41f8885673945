"""ASP521: each namespace has bounds."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import NSA_GUIDE, Hit, Rule
from aspora.checks.world import World

EVERYWHERE = ("services.loadbalancers", "requests.storage")
OF_A_DOMAIN = ("pods", "requests.cpu", "requests.memory")
NODE_PORTS = "services.nodeports"
"""Not counted where a load balancer may be: its Service takes some."""


def look(world: World) -> Iterator[Hit]:
    """A LimitRange, and a ResourceQuota that counts what matters."""
    ranges = {obj["metadata"]["namespace"] for obj in world.of("LimitRange")}
    hard: dict[str, dict[str, str]] = {}
    for quota in world.of("ResourceQuota"):
        hard.setdefault(quota["metadata"]["namespace"], {}).update(quota["spec"].get("hard", {}))
    for name, namespace in world.namespaces.items():
        if name not in ranges:
            yield Hit(namespace, "no LimitRange says what a container gets")
        mine = hard.get(name, {})
        wanted = EVERYWHERE + (OF_A_DOMAIN if world.domain(name) else ())
        wanted += (NODE_PORTS,) if mine.get(EVERYWHERE[0]) == "0" else ()
        missing = [what for what in wanted if what not in mine]
        if missing:
            yield Hit(namespace, f"no ResourceQuota of {', '.join(missing)}")


RULE = Rule(
    "ASP521",
    "Namespace without bounds",
    "One domain's mistake must not take the room of the others, nor open a way around the"
    " gateways.",
    NSA_GUIDE,
    look,
    ("quota",),
)
