"""Our rules and checkov's on one stack: what is given, what it is about, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from aspora.checks import BY_ID, Finding, findings
from aspora.checks.world import where
from aspora.policy import Result, Scan, Skip, Subject, Verdict, judge
from aspora.policy_skips import RULE_SKIPS
from aspora.problems import CodeInfo, Position
from aspora.render.objects import Object, Ref, ref
from aspora.stack import StackSettings

Place = Callable[[Ref, str], Position]
"""Where a finding of a check on an object stands."""


def subject(obj: Object, place: Place) -> Subject:
    """An object as findings name it."""
    identity = ref(obj)
    return Subject(obj["kind"], where(obj), lambda check: place(identity, check))


def verdict(
    objects: Iterable[Object],
    settings: StackSettings,
    place: Place,
    today: date,
    skips: Sequence[Skip] = RULE_SKIPS,
) -> Verdict:
    """Our rules on all objects of a stack."""
    every = tuple(objects)
    found = findings(every, settings)
    subjects = {_address(ref(obj)): subject(obj, place) for obj in every}
    failed = tuple(_result(one) for one in found)
    return judge(Scan(len(every), (), failed), subjects, skips, settings.environment, today)


def unskipped(
    found: Iterable[Finding],
    stack: str,
    today: date,
    skips: Sequence[Skip] = RULE_SKIPS,
) -> tuple[Finding, ...]:
    """Findings without those that were agreed on: what `aspora check` would show on a stack.

    A change report calls this on the findings of each revision before it compares them.
    """
    holding = [skip for skip in skips if stack in skip.stacks and skip.expires >= today]
    return tuple(
        one
        for one in found
        if not any(skip.covers(one.code, _subject(one.ref)) for skip in holding)
    )


def info(code: str) -> CodeInfo | None:
    """What one of our rules stands for."""
    rule = BY_ID.get(code)
    return rule.info if rule else None


def _subject(obj: Ref) -> Subject:
    name = f"{obj.namespace}/{obj.name}" if obj.namespace else obj.name
    return Subject(obj.kind, name, lambda _: Position("", 1, 1))


def _address(obj: Ref) -> str:
    return " ".join(obj)


def _result(found: Finding) -> Result:
    return Result(found.code, _address(found.ref), found.message, found.rule.link)
