"""Each admission policy refuses what it must and accepts what it must, on each kind it covers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from aspora.render import Object
from tests.guardrails.attacks import (
    ATTACKS,
    CUSTOM_HOLDERS,
    GOOD,
    HOLDERS,
    holding,
    refused,
    template,
)
from tests.guardrails.world import POLICIES, THREADS, World, wait_for

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("kind", HOLDERS, ids=lambda kind: kind[1])
def test_each_kind_is_accepted_when_it_is_as_it_should_be(
    world: World, kind: tuple[str, str]
) -> None:
    good = template()
    assert world.refusal(holding(kind, good, "lab")) == ""
    for name, change in GOOD.items():
        assert world.refusal(holding(kind, change.on(good), "lab")) == "", name


@pytest.mark.parametrize("kind", HOLDERS, ids=lambda kind: kind[1])
def test_each_kind_is_refused_for_each_attack(world: World, kind: tuple[str, str]) -> None:
    tried = [attack for attack in ATTACKS if not attack.kinds or kind[1] in attack.kinds]
    with ThreadPoolExecutor(THREADS) as threads:
        outcome = list(threads.map(lambda attack: refused(world, attack, kind), tried))
    assert [attack.name for attack, held in zip(tried, outcome, strict=True) if not held] == []
    assert len(tried) == len(ATTACKS) - 2 * (kind[1] not in CUSTOM_HOLDERS)


def test_every_kind_of_the_policies_is_tried(world: World) -> None:
    plural = {resource.kind: resource.plural for resource in world.client.discover()}
    tried = {plural[kind] for _, kind in HOLDERS}
    for policy in _policies(world):
        rules = policy["spec"]["matchConstraints"]["resourceRules"]
        assert {name for rule in rules for name in rule["resources"]} == tried | {
            "pods/ephemeralcontainers",
            "pods/resize",
            "pods/status",
        }


@pytest.mark.parametrize("kind", HOLDERS, ids=lambda kind: kind[1])
def test_runc_is_accepted_only_where_the_namespace_says_so(
    world: World, kind: tuple[str, str]
) -> None:
    for attack in ATTACKS[:2]:
        plain = attack.on(template())
        assert world.refusal(holding(kind, plain, "lab-runc")) == ""
        for space in ("lab", "lab-unsaid"):
            assert refused(world, attack, kind, space)
    assert refused(world, ATTACKS[2], kind, "lab-runc")


@pytest.mark.parametrize("kind", HOLDERS, ids=lambda kind: kind[1])
def test_namespaces_that_are_no_domains_are_left_alone(world: World, kind: tuple[str, str]) -> None:
    for attack in ATTACKS:
        if not attack.kinds or kind[1] in attack.kinds:
            assert world.refusal(holding(kind, attack.on(template()), "lab-free")) == ""


def test_what_cannot_be_evaluated_isrefused(world: World) -> None:
    said = world.refusal(holding(("v1", "Pod"), template(), "lab-headless"))
    assert "no such key: owner-team" in said
    by_reference = holding(("argoproj.io/v1alpha1", "Rollout"), template(), "lab")
    del by_reference["spec"]["template"], by_reference["spec"]["selector"]
    by_reference["spec"]["workloadRef"] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "agent",
    }
    assert "no such key: template" in world.refusal(by_reference)


def test_expressions_name_fields_that_exist(world: World) -> None:
    """The server's type check stops at variables; here they are written out, for pods."""
    spelled = {
        "variables.containers": "object.spec.containers",
        "variables.ephemeral": "object.spec.ephemeralContainers",
        "variables.volumes": "object.spec.volumes",
        "variables.unchanged": "false",
        "variables.labels": "object.metadata.labels",
        "variables.spec": "object.spec",
    }
    checked = 0
    for policy in [*_policies(world), _misspelt()]:
        name = policy["metadata"]["name"]
        spec = policy["spec"] | {"variables": []}
        spec["validations"] = [dict(validation) for validation in spec["validations"]]
        pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
        spec["matchConstraints"] = {"resourceRules": [pods | {"resources": ["pods"]}]}
        for validation in spec["validations"]:
            for variable, meaning in spelled.items():
                validation["expression"] = validation["expression"].replace(variable, meaning)
            assert "variables." not in validation["expression"]
            checked += 1
        copy = {
            "apiVersion": policy["apiVersion"],
            "kind": policy["kind"],
            "metadata": {"name": f"{name}-copy"},
            "spec": spec,
        }
        world.client.apply(copy)
        wait_for("type check", lambda copy=copy: "typeChecking" in _status(world, copy))  # type: ignore[misc]
        found = _status(world, copy)["typeChecking"].get("expressionWarnings", [])
        assert ["undefined field" in w["warning"] for w in found] == [True] * (name == "misspelt")
        world.client.delete(copy)
    assert checked > 12


def test_policies_have_no_type_warnings(world: World) -> None:
    found = _policies(world)
    assert len(found) == len(POLICIES)
    for policy in found:
        wait_for("type check", lambda policy=policy: "typeChecking" in _status(world, policy))  # type: ignore[misc]
        assert _status(world, policy)["typeChecking"] == {}
        assert policy["spec"]["failurePolicy"] == "Fail"


def _policies(world: World) -> list[Object]:
    kind = "ValidatingAdmissionPolicy"
    found = world.client.list("admissionregistration.k8s.io/v1", kind)
    return [p for p in found if p["metadata"]["name"] in {f"aspora-{name}" for name in POLICIES}]


def _misspelt() -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "misspelt"},
        "spec": {"validations": [{"expression": "!has(variables.spec.hostNetwrok)"}]},
    }


def _status(world: World, obj: Object) -> Object:
    live = world.client.get(obj) or {}
    return dict(live.get("status", {}))
