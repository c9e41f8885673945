"""ASP530: a sandbox has a network policy of its own."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import DECISIONS, Hit, Rule
from aspora.checks.world import World


def look(world: World) -> Iterator[Hit]:
    """The controller manages it, and it says both directions."""
    for template in world.of("SandboxTemplate"):
        spec = template["spec"]
        if spec.get("networkPolicyManagement", "Managed") != "Managed":
            yield Hit(template, "nobody manages the network policy of its sandboxes")
        missing = [way for way in ("ingress", "egress") if way not in spec.get("networkPolicy", {})]
        if missing:
            yield Hit(template, f"networkPolicy says nothing of {' and '.join(missing)}")


RULE = Rule(
    "ASP530",
    "Sandbox without network policy",
    "agent-sandbox fills in what is left out, and what it fills in opens the whole Internet to"
    " code that nobody has read.",
    DECISIONS + "0003-agent-sandbox-api.md",
    look,
    ("sessions",),
)
