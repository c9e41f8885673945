"""ASP524: nothing is reachable from outside but the gateway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aspora.checks.rule import DECISIONS, Hit, Rule
from aspora.checks.world import World, where
from aspora.problems import quoted

LISTED: Mapping[str, str] = {
    "aspora-platform/aspora-gateway-clients": "the one way in: internal, and clients' port alone",
}
"""Services that a load balancer may stand before, and why."""


def look(world: World) -> Iterator[Hit]:
    """Types that open a port to the outside, addresses of the outside, and names of elsewhere."""
    for service in world.of("Service"):
        spec = service["spec"]
        kind = spec.get("type", "ClusterIP")
        if kind == "LoadBalancer" and where(service) in LISTED:
            continue
        if kind != "ClusterIP":
            yield Hit(service, f"the Service is of type {quoted(kind)}")
        if spec.get("externalIPs"):
            yield Hit(service, "the Service takes traffic of external addresses")


RULE = Rule(
    "ASP524",
    "Service open to the outside",
    "Callers come in through aspora-gateway, which knows who they are. externalIPs take over"
    " traffic of other pods (CVE-2020-8554).",
    DECISIONS + "0002-three-gateways.md",
    look,
)
