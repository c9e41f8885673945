"""Whoever drops or widens a policy breaks the proof, or the mutant has a reason that is stated."""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from aspora.isolation.proof import prove
from tests.core import domains, repository
from tests.guardrails.texts import ADDED
from tests.isolation.equivalent import RULES, reason
from tests.isolation.lab import made, stack
from tests.isolation.mesh_mutants import BENT, DELIVERY
from tests.isolation.mutants import CHANGES, OFF_THE_NETWORK, Mutant, breaks, mutants

EACH = 61
"""The sample is each 61st, a prime: it meets every kind of change."""
NAMESPACES = 7
"""Labels of a namespace change connections, which takes longer: each 7th."""
AROUND = 3
"""Of what stands around the policies (`mesh_mutants`), each third."""


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


def test_mutants_off_the_network_are_caught_or_have_a_reason() -> None:
    """What is looked at object by object takes some milliseconds, so most are tried."""
    every = list(mutants(stack()))
    found = [one for one in every if one.kind in OFF_THE_NETWORK or one.kind.startswith("AWS ")]
    around = [one for one in found if one.kind in BENT]
    rights = [one for one in found if one.kind not in BENT]
    assert len(rights) > 1500
    assert len(around) > 600
    assert score((*rights, *around[::AROUND]))[-1] == []


def test_mutants_of_namespaces_are_caught_or_have_a_reason() -> None:
    found = [mutant for mutant in mutants(stack()) if mutant.kind == "Namespace"]
    assert len(found) > 90
    assert score(found[::NAMESPACES])[-1] == []


def test_every_mutant_of_what_argo_cd_applies_is_caught_or_has_a_reason() -> None:
    """The repository's domains are delivered by Pulumi; some of these are not."""
    with tempfile.TemporaryDirectory() as folder:
        given = made((*repository(), *domains(Path(folder), *ADDED)), "staging")
    found = [mutant for mutant in mutants(given) if mutant.kind in DELIVERY]
    assert {mutant.kind for mutant in found} == set(DELIVERY)
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
