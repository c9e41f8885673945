"""Whoever drops or widens a policy breaks the proof, or the mutant has a reason that is stated."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable

import pytest

from aspora.isolation.proof import prove
from tests.isolation.equivalent import RULES, reason
from tests.isolation.lab import stack
from tests.isolation.mutants import CHANGES, Mutant, breaks, mutants

EACH = 61
"""The sample is each 61st, a prime: it meets every kind of change."""
RIGHTS = re.compile(
    "AWS .+|ClusterRole|ClusterRoleBinding|Role|RoleBinding|SecretStore|ExternalSecret|Certificate"
)
"""Kinds that are looked at object by object: some milliseconds a mutant, so each is tried."""


def score(found: Iterable[Mutant]) -> tuple[Counter[str], Counter[str], Counter[str], list[str]]:
    """(all, caught, equivalent by reason, missed) of some mutants."""
    every: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    equal: Counter[str] = Counter()
    missed = []
    for mutant in found:
        every[mutant.kind] += 1
        if breaks(mutant):
            caught[mutant.kind] += 1
        elif why := reason(mutant):
            equal[why] += 1
        else:
            missed.append(f"{mutant.kind}: {mutant.title}")
    return every, caught, equal, missed


def shown(every: Counter[str], caught: Counter[str], equal: Counter[str]) -> str:
    lines = [f"caught {caught.total()} of {every.total()} mutants, {equal.total()} are equivalent:"]
    lines += [f"  {kind}: {caught[kind]} of {count}" for kind, count in sorted(every.items())]
    lines += [f"  {count} equivalent: {why}" for why, count in equal.most_common()]
    return "\n".join(lines) + "\n"


def test_a_sample_of_mutants_is_caught_or_has_a_reason() -> None:
    found = list(mutants(stack()))
    assert len(found) > 4000
    assert {mutant.kind for mutant in found} >= set(CHANGES)
    every, caught, equal, missed = score(found[::EACH])
    sys.stdout.write(shown(every, caught, equal))
    assert missed == []
    assert caught.total() > 40


def test_every_mutant_of_what_gives_rights_is_caught_or_has_a_reason() -> None:
    found = [mutant for mutant in mutants(stack()) if RIGHTS.fullmatch(mutant.kind)]
    assert len(found) > 1500
    assert score(found)[-1] == []


def test_the_parts_that_a_mutant_is_shown_to_say_what_all_of_them_say() -> None:
    """`breaks` looks at fewer parts than `prove`, for speed: the verdict is the same."""
    for mutant in list(mutants(stack()))[::251]:
        assert breaks(mutant) == (not prove(mutant.given).ok), mutant.title


@pytest.mark.mutants
def test_every_mutant_is_caught_or_has_a_reason() -> None:
    every, caught, equal, missed = score(mutants(stack()))
    sys.stdout.write(shown(every, caught, equal))
    assert missed == []
    unused = [pattern for pattern, why in RULES if why not in equal]
    assert unused == [], "reasons that nothing needs"


def test_reasons_are_about_one_kind_of_change_each() -> None:
    """A reason that fits everything would excuse anything."""
    for pattern, why in RULES:
        assert not re.fullmatch(pattern, "NetworkPolicy aspora-ecm/default-deny: dropped"), why
        assert not re.fullmatch(pattern, "Role aspora-ecm/ecm-deployer: a rule for everything"), why
