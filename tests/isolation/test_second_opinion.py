"""network-config-analyzer says of our NetworkPolicies what we say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from aspora.isolation.given import Given
from local.environments import NCA, python_of
from local.paths import Paths
from local.progress import QuietProgress
from tests.isolation.lab import changed, stack
from tests.isolation.second_opinion import of_domains, ours, pods_of, theirs

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def analyser() -> Path:
    """Its Python; installed on first use and cached for the user."""
    return python_of(NCA, Paths.from_environment(os.environ), QuietProgress(), os.environ)


def test_both_read_two_domains_policies_alike(analyser: Path, tmp_path: Path) -> None:
    given = of_domains(stack(aws=False), "ecm", "support")
    mine = ours(given)
    assert len(pods_of(given)) > 15
    assert len(mine) > 60
    assert theirs(given, analyser, tmp_path) == mine


@pytest.mark.mutants
def test_both_read_the_repositorys_policies_alike(analyser: Path, tmp_path: Path) -> None:
    given = stack(aws=False)
    mine = ours(given)
    assert len(pods_of(given)) > 25
    assert len(mine) > 80
    assert theirs(given, analyser, tmp_path) == mine


def no_pod_selector(obj: dict[str, Any]) -> None:
    del obj["spec"]["egress"][0]["to"][0]["podSelector"]


def every_pod(obj: dict[str, Any]) -> None:
    obj["spec"]["podSelector"] = {}


def empty_rule(obj: dict[str, Any]) -> None:
    obj["spec"]["ingress"].append({})


def range_of_ports(obj: dict[str, Any]) -> None:
    obj["spec"]["egress"][0]["ports"][0]["endPort"] = 9000


def ingress_alone(obj: dict[str, Any]) -> None:
    obj["spec"]["policyTypes"] = ["Ingress"]


def mutated(given: Given) -> list[Given]:
    """Five sets in which something else is open."""
    return [
        changed(given, "NetworkPolicy aspora-ecm/allow-telemetry", no_pod_selector),
        changed(given, "NetworkPolicy aspora-ecm/allow-execute", every_pod),
        changed(given, "NetworkPolicy aspora-support/allow-execute", empty_rule),
        changed(given, "NetworkPolicy aspora-support/allow-model-gateway", range_of_ports),
        changed(given, "NetworkPolicy aspora-observability/aspora-default-deny", ingress_alone),
    ]


@pytest.mark.mutants
@pytest.mark.parametrize("number", range(5))
def test_both_read_mutated_policies_alike(number: int, analyser: Path, tmp_path: Path) -> None:
    given = of_domains(stack(aws=False), "ecm", "support")
    mutant = mutated(given)[number]
    assert theirs(mutant, analyser, tmp_path) == ours(mutant)
