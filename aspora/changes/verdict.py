"""The first line: how careful a reviewer has to be, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aspora.changes.model import Counts, Level, Report, Verdict

_RANK: tuple[Level, ...] = ("none", "routine", "attention", "destructive", "invalid")
MAX_NAMED = 3
"""Reasons that the first line repeats."""


def verdict(report: Report) -> Verdict:
    """The highest level that anything in the report has."""
    destructive = list(_texts(report, "destructive"))
    if destructive:
        return Verdict("destructive", _joined(destructive))
    attention = [*_loosened(report), *_short(report), *_texts(report, "attention")]
    if attention:
        return Verdict("attention", _joined(attention))
    if report.counts.total:
        routine = list(_texts(report, "routine"))
        return Verdict("routine", _joined(routine) if routine else "nothing restarts or goes")
    if report.reordered:
        return Verdict("none", "nothing but the order of items changes")
    return Verdict("none", "nothing changes")


def rank(level: Level) -> int:
    """Higher is graver."""
    return _RANK.index(level)


def counted(counts: Counts) -> str:
    """`3 created, 1 updated`."""
    parts = [
        f"{count} {word}"
        for count, word in (
            (counts.create, "created"),
            (counts.update, "updated"),
            (counts.replace, "made anew"),
            (counts.delete, "deleted"),
        )
        if count
    ]
    return ", ".join(parts) or "nothing"


def _texts(report: Report, level: Level) -> Iterator[str]:
    for change in report.changes:
        for found in change.consequences:
            if found.level == level:
                yield found.text


def _loosened(report: Report) -> Iterator[str]:
    if report.loosened:
        count = len(report.loosened)
        first = report.loosened[0]
        whose = f"{first.domain}: " if first.domain else ""
        more = f" and {count - 1} more" if count > 1 else ""
        yield f"security is loosened ({whose}{first.what}{more})"


def _short(report: Report) -> Iterator[str]:
    """Quotas that the skills can exceed."""
    for row in report.quotas:
        limit, used = row.limit_after, row.used_after
        if limit is not None and used is not None and used > limit:
            yield f"{row.domain} can ask for more {row.resource} than its quota has"


def _joined(texts: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    text = "; ".join(distinct[:MAX_NAMED])
    more = len(distinct) - MAX_NAMED
    return f"{text}; and {more} more" if more > 0 else text
