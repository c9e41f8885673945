"""Whoever puts an object beside the others breaks the proof, and is named by it."""

from __future__ import annotations

import pytest

from tests.isolation.additions import Addition, additions
from tests.isolation.lab import stack
from tests.isolation.mutants import findings


@pytest.mark.parametrize("one", additions(), ids=lambda one: one.what)
def test_what_is_added_is_found(one: Addition) -> None:
    found = findings(one.kind, one.to(stack()))
    mine = [f for f in found if one.name in " ".join((f.subject, f.message, *f.by))]
    assert one.finds in {f.kind for f in mine}, [f"{f.kind}: {f.message}" for f in found]


def test_each_addition_is_another() -> None:
    every = additions()
    assert len({one.what for one in every}) == len(every) > 130
