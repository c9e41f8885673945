"""The gate on the real checkov: what it must catch, and that staging and prod are clean."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from copy import deepcopy
from datetime import date
from pathlib import Path

import pytest

from aspora.aws_scan import aws_input
from aspora.checks.manifests import kubernetes_input
from aspora.checks.world import CLICKHOUSE, World
from aspora.policy import Scan, ScanInput
from aspora.problems import Position
from aspora.registered import Registered
from aspora.render import Object, Ref
from aspora.terraform import plan
from aspora.terraform_types import known_tokens, terraform_type
from infra.recording import record
from infra.registered_stack import registered
from local.checkov import gate, scan
from local.environments import CHECKOV, python_of
from local.paths import Paths
from local.progress import QuietProgress
from tests.core import ROOT, platform, settings
from tests.policy_cases import CASES, declare_all, twin

pytestmark = pytest.mark.engine

PRIVILEGED = "CKV_K8S_16"
UNCHECKED = {
    "aws_budgets_budget",
    "aws_ce_cost_allocation_tag",
    "aws_cloudwatch_event_rule",
    "aws_db_subnet_group",
    "aws_ecr_lifecycle_policy",
    "aws_eks_access_entry",
    "aws_eks_access_policy_association",
    "aws_eks_addon",
    "aws_eks_pod_identity_association",
    "aws_elasticache_parameter_group",
    "aws_elasticache_subnet_group",
    "aws_elasticache_user",
    "aws_elasticache_user_group",
    "aws_elasticache_user_group_association",
    "aws_guardduty_detector_feature",
    "aws_iam_openid_connect_provider",
    "aws_internet_gateway",
    "aws_route53_resolver_firewall_rule",
    "aws_route53_resolver_firewall_rule_group",
    "aws_route53_resolver_firewall_rule_group_association",
    "aws_route_table_association",
}
"""Types that this checkov names nowhere: their rules stand in the tests of the components."""


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of checkov's environment; installed on first use and cached for the user."""
    return python_of(CHECKOV, Paths.from_environment(os.environ), QuietProgress(), os.environ)


@pytest.fixture(scope="module")
def twins() -> tuple[Registered, ...]:
    return record(declare_all, stack="staging", project="test")


@pytest.fixture(scope="module")
def privileged() -> ScanInput:
    """An object of each kind that makes pods, with a container that has the node."""
    broken: dict[str, Object] = {}
    for pod in World(deepcopy(list(platform("staging"))), settings("staging")).pods:
        container = next(iter(pod.containers))
        container["securityContext"] = {"privileged": True}
        if pod.kind in CLICKHOUSE:
            pod.owner["spec"]["containerTemplate"]["securityContext"] = {"privileged": True}
        broken[pod.kind] = pod.owner
    return kubernetes_input(broken.values(), nowhere, ())


@pytest.fixture(scope="module")
def scans(python: Path, twins: tuple[Registered, ...], privileged: ScanInput) -> dict[str, Scan]:
    """One run for all twins and the objects above."""
    return scan({"terraform_plan": json.dumps(plan(twins)), "kubernetes": privileged.text}, python)


@pytest.fixture(scope="module")
def found(scans: dict[str, Scan]) -> Scan:
    return scans["terraform_plan"]


def results(found: Scan, check: str, *, good: bool) -> list[str]:
    """`passed` or `failed` for each resource of the twin that the check looked at."""
    name = f".{twin(CASES[check], good=good)}"
    return sorted(
        {
            outcome
            for outcome in ("passed", "failed")
            for result in getattr(found, outcome)
            if result.check == check and result.address.endswith(name)
        }
    )


def test_every_twin_was_looked_at(found: Scan, twins: tuple[Registered, ...]) -> None:
    assert found.resources == len(twins) == 88
    assert len(CASES) >= 50


@pytest.mark.parametrize("check", CASES)
def test_the_gate_catches_what_is_wrong_and_passes_its_twin(found: Scan, check: str) -> None:
    assert results(found, check, good=False) == ["failed"]
    assert results(found, check, good=True) == ["passed"]


def test_the_gate_looks_into_pods_of_every_kind(
    scans: dict[str, Scan], privileged: ScanInput
) -> None:
    about = privileged.subjects
    caught = {about[r.address].kind for r in scans["kubernetes"].failed if r.check == PRIVILEGED}
    assert caught == {one.kind for one in about.values()}
    assert {"CronJob", "KeeperCluster", "Rollout", "SandboxTemplate"} <= caught


def aws(stack: str) -> ScanInput:
    return aws_input(registered(stack, ROOT), stack)


def objects(stack: str) -> ScanInput:
    return kubernetes_input(platform(stack), nowhere)


def nowhere(ref: Ref, check: str) -> Position:
    return Position(" ".join(ref), 1, 1)


# Prod's objects are checked by the README's own command (tests/test_readme.py).
@pytest.mark.parametrize(
    ("stack", "inputs", "at_least"),
    [("staging", (aws, objects), (270, 500)), ("prod", (aws,), (290,))],
)
def test_what_a_stack_declares_is_clean(
    python: Path,
    stack: str,
    inputs: tuple[Callable[[str], ScanInput], ...],
    at_least: tuple[int, ...],
) -> None:
    verdicts = gate([make(stack) for make in inputs], python, stack, date(2026, 12, 1))
    for verdict, fewest in zip(verdicts, at_least, strict=True):
        assert [f"{p.code} {p.path}: {p.message}" for p in verdict.problems] == []
        assert verdict.scanned >= fewest
        assert verdict.passed > 2 * verdict.scanned


def test_the_types_that_checkov_does_not_know_are_listed(python: Path) -> None:
    """A misspelt type would be one that no check ever looks at."""
    (package,) = python.parent.parent.glob("lib/python*/site-packages/checkov/terraform")
    sources = [*package.rglob("*.py"), *package.rglob("*.json"), *package.rglob("*.yaml")]
    known = {
        name
        for source in sources
        for name in re.findall(r"\baws_[a-z0-9_]+\b", source.read_text("utf-8"))
    }
    types = {terraform_type(f"aws:{member}:X") for member in known_tokens()}
    assert types - known == UNCHECKED
