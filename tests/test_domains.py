"""The repository's own domains: they hold, and carry the brief's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from aspora.load import load
from aspora.render import render
from aspora.resolve import workloads
from tests.core import MINIMAL, ROOT, domains, of, platform, repository, settings

BRIEF_SKILLS = {
    "ecm/manager/triage-and-assign",
    "ecm/field/my-tickets",
    "fraud/detect-velocity",
    "fraud/risk/analyze-transaction",
    "wealth/advisor/suggest-allocation",
}


def skill_ids() -> list[str]:
    return [work.id for domain in repository() for work in workloads(domain)]


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_the_repository_holds(stack: str) -> None:
    assert load([ROOT / "domains"], settings(stack)).problems == ()


def test_prod_refuses_each_skill_for_its_missing_digest_and_for_nothing_else() -> None:
    problems = load([ROOT / "domains"], settings("prod")).problems
    assert {problem.code for problem in problems} == {"ASP313"}
    named = [problem.message.split('"')[1] for problem in problems]
    assert sorted(named) == sorted(skill_ids())


def test_four_domains_of_twelve_skills_or_more() -> None:
    assert [domain.name for domain in repository()] == ["ecm", "fraud", "support", "wealth"]
    assert len(skill_ids()) >= 12
    assert len(set(skill_ids())) == len(skill_ids())


def test_the_skills_of_the_brief_are_there() -> None:
    assert set(skill_ids()) >= BRIEF_SKILLS


def test_ids_have_two_or_three_parts() -> None:
    assert {len(skill.split("/")) for skill in skill_ids()} == {2, 3}


def test_the_agents_of_the_brief_are_there() -> None:
    agents = {f"{domain.name}/{agent.name}" for domain in repository() for agent in domain.agents}
    assert agents >= {
        "wealth/manager",
        "wealth/advisor",
        "fraud/risk",
        "fraud/compliance",
        "ecm/manager",
        "ecm/field",
    }


def test_wealth_has_the_quota_of_the_brief() -> None:
    hard = of(platform(), "ResourceQuota", "wealth-quota")["spec"]["hard"]
    assert hard == {
        "requests.cpu": "20",
        "requests.memory": "40Gi",
        "requests.storage": "100Gi",
        "pods": "50",
        "services.loadbalancers": "2",
        # Beyond the brief: a NodePort would go around the gateways.
        "services.nodeports": "0",
    }


def test_wealth_has_the_limits_of_the_brief() -> None:
    (limits,) = of(platform(), "LimitRange", "wealth-limits")["spec"]["limits"]
    assert limits["type"] == "Container"
    assert limits["max"] == {"cpu": "4", "memory": "8Gi"}
    assert limits["min"] == {"cpu": "100m", "memory": "128Mi"}


def test_ecm_triage_runs_at_the_hours_of_the_brief() -> None:
    spec = of(platform(), "CronJob", "ecm-manager-triage-and-assign")["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 7,14,20 * * *", "Asia/Dubai")


def test_a_new_domain_takes_fifteen_lines_or_less(tmp_path: Path) -> None:
    assert len(MINIMAL.splitlines()) <= 15
    found = domains(tmp_path, MINIMAL)
    kinds = [obj["kind"] for obj in render(found, settings()).domains[0]]
    assert {"Namespace", "ResourceQuota", "NetworkPolicy", "Deployment"} <= set(kinds)


def test_every_file_is_wired_to_the_editor_schema() -> None:
    for path in sorted((ROOT / "domains").glob("*/domain.yaml")):
        first = path.read_text("utf-8").splitlines()[0]
        prefix = "# yaml-language-server: $schema="
        assert first.startswith(prefix)
        assert (path.parent / first.removeprefix(prefix)).resolve() == (
            ROOT / "docs/reference/domain.schema.json"
        )
