"""ASP533: what admission refuses is refused, also when the policy breaks down."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import DECISIONS, Hit, Rule
from aspora.checks.world import World


def look(world: World) -> Iterator[Hit]:
    """Each policy fails closed and is bound with `Deny`."""
    denied = {
        binding["spec"]["policyName"]
        for binding in world.of("ValidatingAdmissionPolicyBinding")
        if "Deny" in (binding["spec"].get("validationActions") or ())
    }
    for policy in world.of("ValidatingAdmissionPolicy"):
        if policy["spec"].get("failurePolicy", "Fail") != "Fail":
            yield Hit(policy, "what it cannot evaluate is let in (failurePolicy)")
        if policy["metadata"]["name"] not in denied:
            yield Hit(policy, "no binding denies what it finds")


RULE = Rule(
    "ASP533",
    "Admission policy without effect",
    "A policy that warns, or that is bound nowhere, looks the same in a list as one that holds.",
    DECISIONS + "0006-who-applies-what.md",
    look,
)
