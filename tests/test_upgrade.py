"""Kubernetes goes up one minor version at a time, and the program says so before AWS would."""

from __future__ import annotations

import pytest

from aspora.load import load_or_raise, load_stack
from aspora.render import render
from aspora.upgrade import UpgradeRefused, check_upgrade
from infra.program import PROJECT, Platform, declare
from infra.recording import record
from tests.core import ROOT


@pytest.mark.parametrize("before", [None, "1.36", "1.37"])
def test_the_first_run_the_same_and_the_next_are_fine(before: str | None) -> None:
    check_upgrade("staging", before, "1.37")


@pytest.mark.parametrize(
    ("before", "after", "message", "instead"),
    [
        (
            "1.35",
            "1.37",
            "staging runs Kubernetes 1.35; cluster.version 1.37 skips 1 of them",
            "1.36",
        ),
        (
            "1.37",
            "1.36",
            "staging runs Kubernetes 1.37; cluster.version 1.36 goes back",
            "1.37",
        ),
    ],
)
def test_a_jump_and_a_way_back_are_refused(
    before: str, after: str, message: str, instead: str
) -> None:
    with pytest.raises(UpgradeRefused) as caught:
        check_upgrade("staging", before, after)
    assert caught.value.message == message
    assert caught.value.hint == (
        f'EKS takes one minor version at a time: set "{instead}" in Pulumi.staging.yaml'
        " (docs/runbooks/kubernetes-upgrade.md)"
    )


def test_the_program_refuses_before_it_registers_anything() -> None:
    settings = load_stack("staging", ROOT)
    domains = load_or_raise([ROOT / "domains"], settings)
    platform = Platform(settings, render(domains, settings), ())
    with pytest.raises(UpgradeRefused, match=r"runs Kubernetes 1\.35"):
        record(
            lambda: declare(platform),
            stack="staging",
            project=PROJECT,
            last_outputs={"kubernetesVersion": "1.35"},
        )
