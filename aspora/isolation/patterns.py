"""Patterns with `*`, as Istio, IAM and RBAC write them."""

from __future__ import annotations

import re
from functools import lru_cache

STAR = "*"


@lru_cache(maxsize=65536)
def overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns; `*` stands for any number of characters."""
    if STAR not in one and STAR not in other:
        return one == other
    reachable = {(0, 0)}
    todo = [(0, 0)]
    while todo:
        here, there = todo.pop()
        if here == len(one) and there == len(other):
            return True
        for step in _steps(one, other, here, there):
            if step not in reachable:
                reachable.add(step)
                todo.append(step)
    return False


def _steps(one: str, other: str, here: int, there: int) -> list[tuple[int, int]]:
    """From a place in both patterns: a star may end, or take what the other side has next."""
    mine = one[here] if here < len(one) else ""
    theirs = other[there] if there < len(other) else ""
    steps = []
    if mine == STAR:
        steps.append((here + 1, there))
        if theirs and theirs != STAR:
            steps.append((here, there + 1))
    if theirs == STAR:
        steps.append((here, there + 1))
        if mine and mine != STAR:
            steps.append((here + 1, there))
    if mine and mine == theirs:
        steps.append((here + 1, there + 1))
    return steps


def literal(pattern: str) -> str:
    """What every text that fits begins with."""
    ends = [at for at in (pattern.find(mark) for mark in "*?") if at >= 0]
    return pattern[: min(ends)] if ends else pattern


def fits(pattern: str, text: str) -> bool:
    """Whether a text fits; of a text with stars of its own, whether all that fits it does."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=65536)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split(STAR))), re.DOTALL)
