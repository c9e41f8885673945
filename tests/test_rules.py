"""Rules beyond one value, against cases worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from aspora import capacity
from aspora.models import Domain
from aspora.resolve import workloads
from tests.core import MINIMAL, domains, loaded, settings

MIB = 1024**2
GIB = 1024**3


def domain(folder: Path, text: str) -> Domain:
    (found,) = domains(folder, text)
    return found


def demand(folder: Path, text: str) -> capacity.Demand:
    """What the first skill of a domain can ask for, gVisor taking 100m and 128Mi a pod."""
    return capacity.demand(workloads(domain(folder, text))[0], settings())


def skill(extra: str) -> str:
    """The smallest domain, its skill with more lines."""
    return MINIMAL + "".join(f"        {line}\n" for line in extra.splitlines())


REQUESTS = "resources: {requests: {cpu: 200m, memory: 256Mi}}"


@pytest.mark.parametrize(("largest", "pods"), [(1, 2), (4, 5), (5, 7), (8, 10), (20, 25)])
def test_a_service_needs_its_largest_scale_and_a_quarter_more(
    tmp_path: Path, largest: int, pods: int
) -> None:
    text = "quota: {cpu: 32, memory: 64Gi, pods: 50}\n" + skill(
        f"scaling: {{min: 1, max: {largest}}}\n{REQUESTS}"
    )
    need = demand(tmp_path, text)
    assert need == capacity.Demand(
        cpu=pods * (200 + 100), memory=pods * (256 + 128) * MIB, storage=0, pods=pods
    )


def test_a_sidecar_counts_instead_of_gvisor_in_runc(tmp_path: Path) -> None:
    text = "sandbox: {runtime: runc, reason: Needs a driver gVisor lacks.}\n" + skill(REQUESTS)
    # 4 pods and 1 more in a rollout; istio-proxy asks for 100m and 128Mi.
    assert demand(tmp_path, text) == capacity.Demand(5 * 300, 5 * 384 * MIB, 0, 5)


def test_a_bigger_overhead_counts(tmp_path: Path) -> None:
    (work,) = workloads(domain(tmp_path, skill(REQUESTS)))
    stack = settings()
    bigger = stack.sandbox_overhead.model_copy(update={"cpu_millis": 250, "memory_mib": 512})
    need = capacity.demand(work, stack.model_copy(update={"sandbox_overhead": bigger}))
    assert need == capacity.Demand(5 * 450, 5 * 768 * MIB, 0, 5)


def test_sessions_need_the_warm_pool_beside_them_and_a_volume_each(tmp_path: Path) -> None:
    text = skill(f"sessions: {{warmPool: 2, maxSessions: 3, storage: 4Gi}}\n{REQUESTS}")
    assert demand(tmp_path, text) == capacity.Demand(5 * 300, 5 * 384 * MIB, 20 * GIB, 5)


def test_sessions_without_storage_need_none(tmp_path: Path) -> None:
    need = demand(tmp_path, skill("sessions: {warmPool: 0, maxSessions: 1}"))
    assert (need.storage, need.pods) == (0, 1)


def test_a_schedule_runs_one_pod(tmp_path: Path) -> None:
    need = demand(tmp_path, skill(f'schedule: "0 7 * * *"\n{REQUESTS}'))
    assert need == capacity.Demand(300, 384 * MIB, 0, 1)


@pytest.mark.parametrize(
    ("quota", "fits"),
    [("1750m", True), ("1749m", False)],
)
def test_the_quota_is_enough_to_the_last_millicore(tmp_path: Path, quota: str, fits: bool) -> None:
    # 5 pods of 250m and gVisor's 100m.
    problems = loaded(tmp_path, f"quota: {{cpu: {quota}}}\n{MINIMAL}").problems
    assert [problem.code for problem in problems] == ([] if fits else ["ASP309"])
    assert fits or "too small by 1m" in problems[0].message


def test_the_shortfall_names_the_skill_that_takes_most(tmp_path: Path) -> None:
    text = "quota: {pods: 8}\n" + skill("scaling: {min: 1, max: 8}")
    (problem,) = loaded(tmp_path, text).problems
    assert problem.path == "quota.pods"
    assert problem.message.startswith("too small by 2: ")
    assert problem.hint.startswith("most goes to pets/vet/advise 10;")


@pytest.mark.parametrize(("monthly", "codes"), [("50", []), ("49.99", ["ASP308"])])
def test_budgets_of_skills_fit_the_domain_to_the_cent(
    tmp_path: Path, monthly: str, codes: list[str]
) -> None:
    problems = loaded(tmp_path, f"budget: {{monthlyUSD: {monthly}}}\n{MINIMAL}").problems
    assert [problem.code for problem in problems] == codes


def test_amounts_of_money_are_exact(tmp_path: Path) -> None:
    text = skill("budget: {perExecutionUSD: 0.1, monthlyUSD: 0.3}")
    budget = domain(tmp_path, text).agents[0].skills[0].budget
    assert budget.per_execution_usd * 3 == Decimal("0.3") == budget.monthly_usd


CATS = MINIMAL.replace("pets", "cats")
CALL = "    calls: [cats/vet/advise]\n    skills:\n"


@pytest.mark.parametrize(
    ("calls", "callers", "where"),
    [
        (True, True, []),
        (True, False, ["agents[0].calls[0]"]),
        (False, True, ["agents[0].skills[0].callers[0]"]),
        (False, False, []),
    ],
)
def test_a_call_takes_both_sides(
    tmp_path: Path, calls: bool, callers: bool, where: list[str]
) -> None:
    pets = MINIMAL.replace("    skills:\n", CALL) if calls else MINIMAL
    cats = CATS + ("        callers: [pets/vet]\n" if callers else "")
    problems = loaded(tmp_path, pets, cats).problems
    assert [problem.code for problem in problems] == ["ASP312"] * len(where)
    assert [problem.path for problem in problems] == where


@pytest.mark.parametrize("broken", ["agents: [\n", "owner: {team: x}\n", "colour: red\n"])
def test_a_broken_file_is_no_problem_of_the_others(tmp_path: Path, broken: str) -> None:
    pets = MINIMAL.replace("    skills:\n", CALL) + "        callers: [cats/vet]\n"
    problems = loaded(tmp_path, pets, "name: cats\n" + broken).problems
    assert problems
    assert {Path(problem.position.file).parent.name for problem in problems} == {"cats"}


def test_nothing_is_resolved_of_a_skill_whose_agent_is_unknown(tmp_path: Path) -> None:
    own = "skills:\n  - {name: groom, agent: vat, description: Washes.}\n"
    assert [problem.code for problem in loaded(tmp_path, MINIMAL + own).problems] == ["ASP302"]


def test_digests_are_asked_for_in_prod_only(tmp_path: Path) -> None:
    codes = {
        stack: [p.code for p in loaded(tmp_path, MINIMAL, stack=settings(stack)).problems]
        for stack in ("local", "staging", "prod")
    }
    assert codes == {"local": [], "staging": [], "prod": ["ASP313"]}


def test_a_skill_takes_what_it_sets_before_its_agent_s(tmp_path: Path) -> None:
    agent = "    resources: {requests: {cpu: 100m}, limits: {memory: 1Gi}}\n    skills:\n"
    text = MINIMAL.replace("    skills:\n", agent) + (
        "        resources: {requests: {memory: 256Mi}}\n"
    )
    (work,) = workloads(domain(tmp_path, text))
    assert work.requests.kubernetes == {"cpu": "100m", "memory": "256Mi"}
    assert work.limits.kubernetes == {"cpu": "1", "memory": "1Gi"}
