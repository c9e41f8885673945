"""What a policy scan found, the skips that were agreed on, and what is left to mend.

Skips are taken here and not by the scanner, so that one which nothing needs any more is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from aspora.problems import CodeInfo, Position, Problem
from aspora.registered import Registered

SKIPS_FILE = "aspora/policy_skips.py"
EXPIRED = CodeInfo(
    "SKIP_EXPIRED", "Skip past its date", "A reason that held once is looked at again."
)
UNUSED = CodeInfo(
    "SKIP_UNUSED", "Skip that nothing needs", "It would hide the next finding of its kind."
)


@dataclass(frozen=True, order=True)
class Result:
    """One check on one resource, by its address in Terraform; `link` is where to read on."""

    check: str
    address: str
    title: str
    link: str = ""


@dataclass(frozen=True)
class Scan:
    """What a scanner looked at and what it said of it."""

    resources: int
    passed: tuple[Result, ...]
    failed: tuple[Result, ...]


@dataclass(frozen=True)
class Skip:
    """A check that does not count, for resources of a type and name, until a date.

    `resource` is the class in the SDK (`s3.Bucket`), `name` a pattern of the name it was given.
    """

    check: str
    resource: str
    reason: str
    expires: date
    name: str = "*"
    stacks: tuple[str, ...] = ("staging", "prod")

    def covers(self, check: str, resource: Registered) -> bool:
        """Whether this is the check and the resource that it speaks of."""
        return (
            self.check == check
            and self.resource == class_name(resource.type)
            and fnmatchcase(resource.name, self.name)
        )


@dataclass(frozen=True)
class Verdict:
    """What is left to mend, and what was skipped by which agreement."""

    scanned: int
    passed: int
    problems: tuple[Problem, ...]
    skipped: tuple[tuple[Result, Skip], ...]
    titles: Mapping[str, str]

    def info(self, code: str) -> CodeInfo:
        """What a code of `problems` stands for."""
        known = {EXPIRED.code: EXPIRED, UNUSED.code: UNUSED}
        return known.get(code) or CodeInfo(code, self.titles.get(code, code), "")


def judge(
    scan: Scan,
    resources: Mapping[str, Registered],
    skips: Sequence[Skip],
    stack: str,
    today: date,
) -> Verdict:
    """`resources` by address; problems stand at the stack's settings file, the one they share."""
    mine = [skip for skip in skips if stack in skip.stacks]
    place = Position(f"Pulumi.{stack}.yaml", 1, 1)
    skipped: list[tuple[Result, Skip]] = []
    problems: list[Problem] = []
    for result in scan.failed:
        resource = resources[result.address]
        covering = [skip for skip in mine if skip.covers(result.check, resource)]
        skipped += [(result, skip) for skip in covering]
        if not any(skip.expires >= today for skip in covering):
            problems.append(_problem(result, resource, place))
    used = {skip for _, skip in skipped}
    problems += _stale(mine, used, today, place)
    titles = {result.check: result.title for result in scan.failed}
    return Verdict(
        scan.resources,
        len(scan.passed),
        tuple(sorted(problems)),
        tuple((result, skip) for result, skip in skipped if skip.expires >= today),
        titles,
    )


def class_name(token: str) -> str:
    """`aws:s3/bucket:Bucket` as the SDK's `s3.Bucket`."""
    _, member, name = token.split(":")
    return f"{member.partition('/')[0]}.{name}"


def _problem(result: Result, resource: Registered, place: Position) -> Problem:
    where = f"{class_name(resource.type)} {resource.name}"
    component = resource.parent.rpartition("::")
    kind = component[0].rpartition("::")[2].rpartition("$")[2]
    hints = [f"declared in {kind} {component[2]}"] if kind.startswith("aspora:") else []
    hints += [result.link] if result.link else []
    return Problem(result.check, where, result.title, place, "\n".join(hints))


def _stale(
    skips: Sequence[Skip], used: set[Skip], today: date, place: Position
) -> Iterator[Problem]:
    for skip in skips:
        where = f"{skip.check} {skip.resource} {skip.name}"
        if skip not in used:
            hint = f"take it out of {SKIPS_FILE}, or this stack out of it"
            yield Problem(UNUSED.code, where, "the skip covers no finding", place, hint)
        elif skip.expires < today:
            hint = f"mend what it covers, or give it a new date in {SKIPS_FILE}: {skip.reason}"
            message = f"the skip ended on {skip.expires.isoformat()}"
            yield Problem(EXPIRED.code, where, message, place, hint)
