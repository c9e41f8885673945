"""Rules on rendered Kubernetes objects: what a platform team asks of them beside admission.

Admission sees one object at a time, in domains' namespaces, and late. These rules see all objects
of a stack together, the platform's too, before a change is merged. They are pure: no cluster, no
clock, no scanner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aspora.checks.rule import Rule
from aspora.checks.rules import RULES
from aspora.checks.world import World
from aspora.render.objects import Object, Ref, ref
from aspora.stack import StackSettings

__all__ = ["BY_ID", "RULES", "Finding", "findings"]

BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One object that breaks a rule. Equal findings are the same finding in two revisions.

    `message` is plain text and repeats what strangers wrote: whoever shows it escapes it.
    """

    code: str
    ref: Ref
    message: str

    @property
    def rule(self) -> Rule:
        """Which rule it is: its title, why and link."""
        return BY_ID[self.code]


def findings(
    objects: Iterable[Object], settings: StackSettings, rules: Sequence[Rule] = RULES
) -> tuple[Finding, ...]:
    """What our rules find in all objects of a stack; sorted, each once, skips not taken off.

    Give it the whole of what is rendered: some rules join objects (a pod and the policies that
    choose it), and what is left out looks as if it did not exist.

    For a change report, findings of both revisions are sets to be compared:

        before = set(findings(render(base, base_settings), base_settings))
        after = set(findings(render(head, head_settings), head_settings))
        new, mended = sorted(after - before), sorted(before - after)

    `Finding.ref` is the object's identity, as `aspora.render.ref` gives it; `Finding.rule` has
    title, why and link. `aspora.checks.verdict.unskipped` takes off what was agreed on, and
    `aspora.checks.origins.Origins` knows the line in the domain file.
    """
    world = World(objects, settings)
    found = {
        Finding(rule.id, ref(hit.obj), hit.message) for rule in rules for hit in rule.look(world)
    }
    return tuple(sorted(found))
