"""ASP534: gateways speak TLS, and none that is broken."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import Hit, Rule
from aspora.checks.world import World
from aspora.render.objects import Object

OLD = ("TLS_AUTO", "TLSV1_0", "TLSV1_1")
CLIENT_KNOWN = ("ISTIO_MUTUAL", "MUTUAL", "OPTIONAL_MUTUAL", "SIMPLE")


def look(world: World) -> Iterator[Hit]:
    """Every server of an Istio Gateway ends TLS itself."""
    for gateway in world.of("Gateway"):
        if not gateway["apiVersion"].startswith("networking.istio.io/"):
            continue
        for server in gateway["spec"].get("servers") or ():
            for what in _found(server):
                yield Hit(gateway, f"port {server['port']['number']} {what}")


def _found(server: Object) -> Iterator[str]:
    tls = server.get("tls") or {}
    if tls.get("mode") not in CLIENT_KNOWN:
        yield "ends no TLS"
    if tls.get("minProtocolVersion") in OLD:
        yield "takes versions of TLS before 1.2"


RULE = Rule(
    "ASP534",
    "Gateway without TLS",
    "Requests carry tokens and customers' data from the first hop on.",
    "https://istio.io/latest/docs/reference/config/networking/gateway/#ServerTLSSettings",
    look,
)
