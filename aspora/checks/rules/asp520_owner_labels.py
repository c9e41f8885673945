"""ASP520: every object says whose it is."""

from __future__ import annotations

from collections.abc import Iterator

from aspora import names
from aspora.checks.rule import DECISIONS, Hit, Rule
from aspora.checks.world import World, labels_of


def look(world: World) -> Iterator[Hit]:
    """The owner on every object; domain, team and cost centre on all that is a domain's."""
    for obj in world.objects:
        labels = labels_of(obj)
        if not labels.get(names.OWNER_LABEL):
            yield Hit(obj, f"no label {names.OWNER_LABEL}")
        space = obj["metadata"].get("namespace", "")
        domain = world.domain(space)
        if domain:
            missing = [label for label in names.MANDATORY_LABELS if not labels.get(label)]
            if missing:
                yield Hit(obj, f"no label {', '.join(missing)}")
            elif labels[names.DOMAIN_LABEL] != domain:
                yield Hit(obj, f"labelled as another domain's than its namespace's, {domain}")
    for pod in world.pods:
        missing = [label for label in names.MANDATORY_LABELS if not pod.labels.get(label)]
        if missing and world.domain(pod.namespace):
            yield Hit(pod.owner, f"its pods have no label {', '.join(missing)}")


RULE = Rule(
    "ASP520",
    "No owner",
    "Who is paged, who pays and what `aspora down` may remove are all found by labels.",
    DECISIONS + "0014-owner-labels.md",
    look,
    ("owner",),
)
