"""What a policy scan found, the skips that were agreed on, and what is left to mend.

Skips are taken here and not by the scanner, so that one which nothing needs any more is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from aspora.problems import CodeInfo, Position, Problem

SKIPS_FILE = "aspora/policy_skips.py"
EXPIRED = CodeInfo(
    "SKIP_EXPIRED", "Skip past its date", "A reason that held once is looked at again."
)
UNUSED = CodeInfo(
    "SKIP_UNUSED", "Skip that nothing needs", "It would hide the next finding of its kind."
)


@dataclass(frozen=True, order=True)
class Result:
    """One check on one resource, by the scanner's address of it; `link` is where to read on."""

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
class Subject:
    """What a finding is about.

    `kind` is the class in the SDK (`s3.Bucket`) or the Kubernetes kind, `name` the one it was given
    (`namespace/name` for an object). `place` answers where a finding of a check stands.
    """

    kind: str
    name: str
    place: Callable[[str], Position]
    hint: str = ""


@dataclass(frozen=True)
class Skip:
    """A check that does not count, for what is of a kind and name, until a date.

    `resource` and `name` are patterns of a Subject's `kind` and `name`.
    """

    check: str
    resource: str
    reason: str
    expires: date
    name: str = "*"
    stacks: tuple[str, ...] = ("staging", "prod")

    def covers(self, check: str, subject: Subject) -> bool:
        """Whether this is the check and the resource that it speaks of."""
        return (
            self.check == check
            and fnmatchcase(subject.kind, self.resource)
            and fnmatchcase(subject.name, self.name)
        )


@dataclass(frozen=True)
class ScanInput:
    """What a scanner is given: a text in the language of one of its frameworks.

    `given` is how many resources it must say it looked at, `subjects` what its addresses stand
    for, and `looked_at` are the addresses that must have a result: a scanner that steps over what
    it does not understand is green, too. `skips` are those of its checks.
    """

    framework: str
    what: str
    text: str
    given: int
    subjects: Mapping[str, Subject]
    skips: tuple[Skip, ...]
    looked_at: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """What is left to mend, and what was skipped by which agreement."""

    scanned: int
    passed: int
    problems: tuple[Problem, ...]
    skipped: tuple[tuple[Result, Skip], ...]
    results: Mapping[str, Result]

    def info(self, code: str) -> CodeInfo:
        """What a code of `problems` stands for, as far as the scanner said it."""
        known = {EXPIRED.code: EXPIRED, UNUSED.code: UNUSED}
        if code in known or code not in self.results:
            return known.get(code) or CodeInfo(code, code, "")
        result = self.results[code]
        return CodeInfo(code, result.title, "", link=result.link)


def judge(
    scan: Scan,
    subjects: Mapping[str, Subject],
    skips: Sequence[Skip],
    stack: str,
    today: date,
) -> Verdict:
    """`subjects` by address; a skip that is out of date stands at the stack's settings file."""
    mine = [skip for skip in skips if stack in skip.stacks]
    skipped: list[tuple[Result, Skip]] = []
    problems: set[Problem] = set()
    for result in scan.failed:
        subject = subjects[result.address]
        covering = [skip for skip in mine if skip.covers(result.check, subject)]
        skipped += [(result, skip) for skip in covering]
        if not any(skip.expires >= today for skip in covering):
            problems.add(_problem(result, subject))
    used = {skip for _, skip in skipped}
    problems.update(_stale(mine, used, today, Position(f"Pulumi.{stack}.yaml", 1, 1)))
    return Verdict(
        scan.resources,
        len(scan.passed),
        tuple(sorted(problems)),
        tuple((result, skip) for result, skip in skipped if skip.expires >= today),
        {result.check: result for result in scan.failed},
    )


def _problem(result: Result, subject: Subject) -> Problem:
    where = f"{subject.kind} {subject.name}"
    hint = "\n".join(line for line in (subject.hint, result.link) if line)
    return Problem(result.check, where, result.title, subject.place(result.check), hint)


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
