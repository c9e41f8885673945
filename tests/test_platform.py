"""The platform as a whole on the real engine and API server: what an edit changes, and what not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from aspora.errors import LocalPlatformError
from aspora.names import OWNER_LABEL
from infra.definitions import find
from local import platform
from local.discovery import Ref, ref_of
from local.progress import QuietProgress
from tests.core import ROOT
from tests.platform_lab import BIRDS, PETS, Lab, apart, of_domains, spoiled

pytestmark = pytest.mark.engine

Object = dict[str, Any]
Labs = Callable[[str], Lab]


# --- the whole repository -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def full(labs: Labs) -> Lab:
    """The repository itself."""
    return replace(labs("full"), root=ROOT)


def test_every_object_of_the_repository_is_accepted(full: Lab) -> None:
    wanted = full.wanted()
    definitions = find(os.environ, full.paths.cache, print)
    outcome = full.up()
    assert outcome.summary.created == len(full.state())
    assert sum(full.in_state().values()) == wanted.count + len(definitions.documents)
    assert {operation for operation, _ in outcome.summary.changes} == {"create"}
    full.assert_converged()


def test_again_it_changes_nothing_and_says_so(full: Lab) -> None:
    before = full.contents()
    result = full.command("up")
    assert result.returncode == 0, result.stderr
    count = len(full.state())
    assert f"nothing to change: {count} objects are as they should be\n" in result.stderr
    assert full.contents() == before
    preview = full.command("preview")
    assert (preview.returncode, preview.stdout) == (0, "")
    assert f"{count} unchanged\n" in preview.stderr
    assert full.contents() == before


def test_the_smoke_test_finds_all_of_it_well_and_misses_what_is_gone(full: Lab) -> None:
    result = full.command("smoke-test", "--seconds", "60")
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert f"{full.wanted().count} objects looked at, none not well\n" in result.stderr
    with full.client() as client:
        (quota,) = client.list("v1", "ResourceQuota", namespace="aspora-wealth")
        client.delete(quota)
        result = full.command("smoke-test", "--seconds", "0")
        kept = {"apiVersion": quota["apiVersion"], "kind": quota["kind"], "spec": quota["spec"]}
        meta = {key: quota["metadata"][key] for key in ("name", "namespace", "labels")}
        client.apply(kept | {"metadata": meta})
    assert result.returncode == 1
    assert result.stdout == f"ResourceQuota aspora-wealth/{meta['name']}: it is not there\n"


@pytest.mark.skipif(
    "ASPORA_CRDS" not in os.environ,
    reason="needs the projects' own CustomResourceDefinitions: ASPORA_CRDS names no folder",
)
def test_the_definitions_are_strict(full: Lab) -> None:
    outcome = platform.preview(full.wanted(), full.paths, QuietProgress())
    assert outcome.definitions.strict
    wanted = spoiled(full.wanted(), "ScaledObject", {"minReplicas": 1})
    with pytest.raises(LocalPlatformError, match=r"ScaledObject .*minReplicas: field not decl"):
        platform.preview(wanted, full.paths, QuietProgress())
    full.down()


# --- edits --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(labs: Labs) -> Iterator[Lab]:
    """One small platform for all edits; open schemas, which are faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ASPORA_CRDS", raising=False)
        yield labs("shared")


@pytest.fixture
def lab(shared: Lab) -> Lab:
    """The shared platform, with both domains as they are written in the lab."""
    shared.up(PETS, BIRDS)
    return shared


def test_an_edit_of_a_skill_changes_its_own_objects_alone(lab: Lab) -> None:
    before = lab.contents()
    more = "        image: aspora/pets-vet:v1.1.0\n        budget: {monthlyUSD: 40}\n"
    outcome = lab.up(PETS + more, BIRDS)
    below = "::aspora:platform:DomainNamespace$aspora:platform:SkillWorkload$kubernetes:"
    budget = "aspora-observability/aspora-budgets-pets"
    changes = of_domains(outcome.summary.changes)
    for operation, urn in changes:
        assert operation == "update"
        assert below in urn or urn.endswith(f"::{budget}")
    kinds = {
        (urn.rpartition("::")[0].rpartition(":")[2], urn.rpartition("::")[2]) for _, urn in changes
    }
    skill = "aspora-pets/pets-vet-remind"
    assert {("ConfigMap", skill), ("CronJob", skill), ("PrometheusRule", budget)} <= kinds
    assert {name for _, name in kinds} == {skill, budget}
    after = apart(lab.contents())
    changed = {
        (ref.kind, f"{ref.namespace}/{ref.name}") for ref in after if before[ref] != after[ref]
    }
    assert changed == kinds
    lab.assert_converged()


def of_birds(lab: Lab) -> dict[Ref, str]:
    """The domain's own objects, and what the platform's services have for it alone."""
    return lab.uids(f"{OWNER_LABEL}=birds") | lab.uids("domain=birds")


def test_a_domain_that_goes_takes_its_own_objects_and_no_other(lab: Lab) -> None:
    everything, birds = apart(lab.uids()), of_birds(lab)
    assert {ref.kind for ref in birds} >= {"Namespace", "CronJob", "ResourceQuota"}
    outcome = lab.up(PETS)
    left = {ref: uid for ref, uid in everything.items() if ref not in birds}
    assert apart(lab.uids()) == left
    changes = of_domains(outcome.summary.changes)
    assert {operation for operation, _ in changes} == {"delete"}
    assert all("birds" in urn for _, urn in changes)
    lab.assert_converged()

    outcome = lab.up(PETS, BIRDS)
    assert {operation for operation, _ in of_domains(outcome.summary.changes)} == {"create"}
    after = apart(lab.uids())
    assert set(after) == set(everything)
    assert {ref: uid for ref, uid in after.items() if ref in left} == left
    assert not set(of_birds(lab).values()) & set(birds.values())
    lab.assert_converged()


def test_what_somebody_changed_by_hand_is_mended(lab: Lab) -> None:
    before = lab.contents()
    with lab.client() as client:
        quota = client.list("v1", "ResourceQuota", namespace="aspora-pets")[0]
        client.delete(quota)
        role = client.list("rbac.authorization.k8s.io/v1", "Role", namespace="aspora-pets")[0]
        wider = {**role, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
        wider["metadata"] = {"name": wider["metadata"]["name"], "namespace": "aspora-pets"}
        client.apply(wider, field_manager="kubectl")
    outcome = lab.up()
    assert (outcome.summary.created, outcome.summary.updated) == (1, 1)
    assert len(outcome.summary.changes) == 2
    after = lab.contents()
    assert after[ref_of(quota)]["spec"] == before[ref_of(quota)]["spec"]
    assert after[ref_of(role)]["rules"] == before[ref_of(role)]["rules"]
    lab.assert_converged()


# --- delivery -----------------------------------------------------------------------------------

BY_ARGO = PETS.replace("owner:", "delivery: argocd\nowner:", 1)
HANDOVER = {
    Ref("argoproj.io/v1alpha1", kind, "argocd", "aspora-pets")
    for kind in ("AppProject", "Application")
}


def workloads(lab: Lab) -> dict[Ref, Object]:
    """The objects of the skills of pets, which Argo CD may deliver."""
    (pets,) = (d for d in lab.wanted().rendered.domains if d.name == "pets")
    return {ref_of(obj): obj for skill in pets.skills for obj in skill.objects}


def sync_by_argo(lab: Lab) -> None:
    """What Argo CD does: it applies the workloads under its own name."""
    with lab.client() as client:
        for obj in workloads(lab).values():
            tracking = {"argocd.argoproj.io/tracking-id": f"aspora-pets:{obj['kind']}"}
            meta = {**obj["metadata"], "annotations": tracking}
            client.apply({**obj, "metadata": meta}, field_manager="argocd-controller")


def test_a_change_of_delivery_deletes_no_workload(lab: Lab) -> None:
    before, pods = lab.uids(), lab.pods("aspora-pets")
    assert {ref.kind for ref in workloads(lab)} >= {"Deployment", "CronJob"}
    assert len(pods) == 2

    there = lab.up(BY_ARGO, BIRDS)
    assert there.summary.deleted == there.summary.replaced == there.removed == 0
    after = lab.uids()
    assert {ref: uid for ref, uid in after.items() if ref not in HANDOVER} == before
    assert set(after) >= HANDOVER
    assert set(lab.in_state()) == set(after) - set(workloads(lab))
    sync_by_argo(lab)
    assert lab.up().summary.changes == ()
    assert (lab.uids(), lab.pods("aspora-pets")) == (after, pods)

    back = lab.up(PETS, BIRDS)
    gone = {
        urn.rpartition("$")[2] for operation, urn in back.summary.changes if operation == "delete"
    }
    assert gone == {
        f"kubernetes:argoproj.io/v1alpha1:{ref.kind}::argocd/aspora-pets" for ref in HANDOVER
    }
    assert (lab.uids(), lab.pods("aspora-pets")) == (before, pods)
    lab.assert_converged()


def test_killed_while_handing_over_no_workload_is_lost(lab: Lab) -> None:
    before, pods = lab.uids(), lab.pods("aspora-pets")
    lab.write(BY_ARGO, BIRDS)
    with lab.held("Handing pets over to Argo CD") as process:
        process.kill()
    assert lab.up().removed == 0
    assert set(lab.in_state()) == set(before) - set(workloads(lab)) | HANDOVER
    assert {ref: uid for ref, uid in lab.uids().items() if ref not in HANDOVER} == before
    assert lab.pods("aspora-pets") == pods
    assert lab.up().summary.changes == ()
