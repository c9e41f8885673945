"""ASP527: the mesh takes mutual TLS alone, except on ports that are listed."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import DECISIONS, Hit, Rule
from aspora.checks.world import STATUS_PORT, World, where
from aspora.problems import quoted

LISTED: frozenset[tuple[str, str]] = frozenset(
    {
        ("aspora-platform/model-gateway", "8443"),  # agents, over its own TLS
        ("aspora-platform/tool-gateway", "8443"),  # agents, over its own TLS
        ("aspora-observability/otel-collector", "4318"),  # agents, over its own TLS
        ("aspora-observability/otel-collector", "8888"),  # Prometheus: figures alone
        ("aspora-observability/otel-gateway", "8888"),
        ("aspora-observability/otel-gateway", "8889"),
        ("aspora-observability/clickhouse", "9363"),
        ("aspora-observability/phoenix", "9090"),
        ("clickhouse-operator/clickhouse-operator", "8080"),
        ("clickhouse-operator/clickhouse-operator", "9443"),  # the API server, over webhooks' TLS
    }
)
"""Ports that somebody without a mesh identity calls. A reviewer reads a new one twice: here and in
`aspora/gateways/mesh.py`, which knows why."""


def look(world: World) -> Iterator[Hit]:
    """STRICT where the mode is set, and exceptions by port alone."""
    for peers in world.of("PeerAuthentication"):
        spec = peers.get("spec") or {}
        mode = (spec.get("mtls") or {}).get("mode")
        if mode != "STRICT":
            yield Hit(peers, f"the mode is {quoted(mode) if mode else 'left open'}, not STRICT")
        for port, setting in (spec.get("portLevelMtls") or {}).items():
            status = port == STATUS_PORT and world.domain(peers["metadata"]["namespace"])
            if (
                setting.get("mode") != "STRICT"
                and not status
                and (where(peers), port) not in LISTED
            ):
                yield Hit(peers, f"port {port} takes plain text, and is not listed")


RULE = Rule(
    "ASP527",
    "Plain text in the mesh",
    "A port that takes plain text does not know who calls, and AuthorizationPolicies by identity"
    " mean nothing there.",
    DECISIONS + "0001-gvisor-pods-stay-outside-the-mesh.md",
    look,
)
