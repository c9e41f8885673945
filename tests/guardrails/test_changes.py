"""Changes of what is there: none slips past the policies, and none that is harmless is held up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aspora.render import Object
from tests.guardrails.attacks import (
    ELSEWHERE,
    OWNER,
    REGISTRY,
    account,
    container,
    holding,
    namespace,
    template,
)
from tests.guardrails.world import Impersonating, World, wait_for

pytestmark = pytest.mark.engine
POD = "/api/v1/namespaces/lab/pods/there"
DEPLOYMENT = "/apis/apps/v1/namespaces/lab/deployments/running"


@pytest.fixture(scope="module")
def lab(world: World) -> World:
    """A pod and a Deployment that run."""
    pod = holding(("v1", "Pod"), template(), "lab", "there")
    assert world.refusals([pod, deployment("lab")], dry_run=False) == []
    wait_for("the pod runs", lambda: (world.client.get(pod) or {})["status"]["phase"] == "Running")
    return world


def deployment(space: str, owner: dict[str, str] = OWNER) -> Object:
    return holding(("apps/v1", "Deployment"), template(owner), space, "running")


def late(**changes: Any) -> Object:
    """An ephemeral container, as `kubectl debug` adds one."""
    good = {key: value for key, value in container("late").items() if key != "resources"}
    return {"spec": {"ephemeralContainers": [good | changes]}}


def test_the_image_of_a_running_pod_stays_ours(lab: World) -> None:
    for image in ELSEWHERE:
        change = {"spec": {"containers": [container(image=image)]}}
        assert "'aspora-images'" in lab.patch_refusal(POD, change)
    change = {"spec": {"containers": [container(image=f"{REGISTRY}aspora/agent:v2")]}}
    assert lab.patch_refusal(POD, change) == ""


def test_ephemeral_containers_are_held_to_the_same_rules(lab: World) -> None:
    path = f"{POD}/ephemeralcontainers"
    assert lab.patch_refusal(path, late()) == ""
    for image in ELSEWHERE:
        assert "'aspora-images'" in lab.patch_refusal(path, late(image=image))
    privileged = late(securityContext={"privileged": True})
    assert "'aspora-hardening'" in lab.patch_refusal(path, privileged)


def test_the_labels_of_a_running_pod_stay_true(lab: World) -> None:
    for key in OWNER:
        for value in (None, "wealth"):
            change = {"metadata": {"labels": {key: value}}}
            assert "'aspora-labels'" in lab.patch_refusal(POD, change)
    assert lab.patch_refusal(POD, {"metadata": {"labels": {"skill": "other"}}}) == ""


@pytest.mark.parametrize("subresource", ["status", "resize", "ephemeralcontainers"])
def test_no_subresource_of_a_pod_changes_its_labels_or_image(lab: World, subresource: str) -> None:
    """Each refuses them or leaves them; `pods/status` would write labels if no policy saw it."""
    for change in (
        {"metadata": {"labels": {"domain": "wealth"}}},
        {"metadata": {"labels": {"domain": None}}},
        {"spec": {"containers": [container(image=ELSEWHERE[0])]}},
    ):
        if not lab.patch_refusal(f"{POD}/{subresource}", change):
            answer = lab.patch(f"{POD}/{subresource}", change)
            assert OWNER.items() <= answer["metadata"]["labels"].items()
            assert answer["spec"]["containers"][0]["image"] == container()["image"]


def test_the_kubelet_may_still_report(lab: World) -> None:
    change = {"status": {"message": "seen"}, "metadata": {"annotations": {"seen": "yes"}}}
    assert lab.patch_refusal(f"{POD}/status", change) == ""


def test_a_workload_changes_within_the_rules_only(lab: World) -> None:
    bad = {"spec": {"template": {"spec": {"containers": [container(image=ELSEWHERE[0])]}}}}
    assert "'aspora-images'" in lab.patch_refusal(DEPLOYMENT, bad)
    plain = {"spec": {"template": {"spec": {"runtimeClassName": None}}}}
    assert "'aspora-runtime'" in lab.patch_refusal(DEPLOYMENT, plain)
    good = {"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}
    assert lab.patch_refusal(DEPLOYMENT, good) == ""
    assert lab.patch_refusal(f"{DEPLOYMENT}/scale", {"spec": {"replicas": 3}}) == ""


# --- what was there before a namespace's labels changed -----------------------------------------


@pytest.fixture(scope="module")
def moved(world: World) -> Iterator[str]:
    """A namespace with a running Deployment and pod that changes its cost centre and runtime."""
    space = "lab-moved"
    before = namespace(space, OWNER | {"aspora.io/sandbox": "runc"})
    world.client.apply(before)
    world.client.apply(account(space, "agent"))
    for obj in (deployment(space), holding(("v1", "Pod"), template(), space, "there")):
        plain = obj["spec"] if obj["kind"] == "Pod" else obj["spec"]["template"]["spec"]
        del plain["runtimeClassName"]
        world.client.apply(obj)
    wait_for("rolled out", lambda: _rolled_out(world, space))
    world.client.apply(namespace(space, _after() | {"aspora.io/sandbox": "gvisor"}))
    wait_for(
        "the policies know the new labels",
        lambda: "'aspora-runtime'" in world.refusal(_plain_deployment(space)),
    )
    yield space
    world.client.delete(before, wait_seconds=0)


def _after() -> dict[str, str]:
    return OWNER | {"cost-center": "other"}


def _plain_deployment(space: str) -> Object:
    obj = holding(("apps/v1", "Deployment"), template(_after()), space, "second")
    del obj["spec"]["template"]["spec"]["runtimeClassName"]
    return obj


def _rolled_out(world: World, space: str) -> bool:
    live = world.client.get(deployment(space)) or {}
    status = live.get("status", {})
    return bool(
        status.get("observedGeneration") == live["metadata"]["generation"]
        and status.get("replicas") == status.get("updatedReplicas") == 1
        and status.get("availableReplicas") == 1
    )


def test_controllers_may_still_clean_up_what_was_there(world: World, moved: str) -> None:
    path = f"/api/v1/namespaces/{moved}/pods/there"
    assert world.patch_refusal(path, {"metadata": {"finalizers": ["aspora.io/test"]}}) == ""
    assert world.patch_refusal(path, {"metadata": {"annotations": {"seen": "yes"}}}) == ""
    change = {"spec": {"containers": [container(image=ELSEWHERE[0])]}}
    assert "ValidatingAdmissionPolicy" in world.patch_refusal(path, change)
    stays = {"spec": {"containers": [container(image=f"{REGISTRY}aspora/agent:v2")]}}
    assert "ValidatingAdmissionPolicy" in world.patch_refusal(path, stays)


def test_a_rollout_after_a_change_of_labels_comes_to_its_end(world: World, moved: str) -> None:
    """The controller scales the old ReplicaSet down, whose pods carry the old labels."""
    world.client.apply(deployment(moved, _after()))
    wait_for("rolled out", lambda: _rolled_out(world, moved))


# --- the team's own hands -----------------------------------------------------------------------


def test_the_team_is_held_by_the_policies_too(world: World) -> None:
    client = Impersonating(world.client, "someone", "wealth-team")
    owner = {"domain": "wealth", "owner-team": "wealth-team", "cost-center": "wealth-product"}
    own = holding(("apps/v1", "Deployment"), template(owner), "aspora-wealth", "by-hand")
    assert world.refusal(own, client) == ""
    for path, value, policy in (
        ("runtimeClassName", None, "runtime"),
        ("serviceAccountName", "secret-reader", "hardening"),
        ("hostNetwork", True, "hardening"),
        ("containers", [container(image=ELSEWHERE[0])], "images"),
    ):
        bad = holding(("apps/v1", "Deployment"), template(owner), "aspora-wealth", "by-hand")
        bad["spec"]["template"]["spec"][path] = value
        assert f"'aspora-{policy}'" in world.refusal(bad, client)
    elsewhere = own | {"metadata": own["metadata"] | {"namespace": "aspora-fraud"}}
    assert 'cannot create resource "deployments"' in world.refusal(elsewhere, client)
    pod = holding(("v1", "Pod"), template(owner), "aspora-wealth", "by-hand")
    assert 'cannot create resource "pods"' in world.refusal(pod, client)


def test_the_team_cannot_loosen_its_namespace(world: World) -> None:
    client = Impersonating(world.client, "someone", "wealth-team")
    as_team = World(client, world.definitions)
    for change in (
        {"metadata": {"labels": {"aspora.io/sandbox": "runc"}}},
        {"metadata": {"labels": {"domain": None}}},
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
    ):
        for path in ("", "/status", "/finalize"):
            url = f"/api/v1/namespaces/aspora-wealth{path}"
            assert "cannot patch resource" in as_team.patch_refusal(url, change)
