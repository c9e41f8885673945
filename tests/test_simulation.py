"""Staging on the real engine here: what a preview knows, what an edit changes, how it recovers.

The tests are one story: each goes on from where the one before left the platform.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from aspora.errors import LocalPlatformError
from local import platform, simulation
from local.engine import ResourcesFailed, Summary
from local.progress import QuietProgress
from local.providers.aws import AwsStandIn
from local.providers.base import ProviderError, Resource
from local.providers.values import holds_unknown
from tests.platform_lab import BIRDS, PETS, Lab, apart, assert_clear, of_domains, shared

pytestmark = pytest.mark.engine

Changes = set[tuple[str, str]]
FISH, CATS = (BIRDS.replace("birds", name) for name in ("fish", "cats"))


@pytest.fixture(scope="module")
def lab(engine_tools: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Staging with small domains; open schemas, which are faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASPORA_DOWNLOADS", "off")
        patch.delenv("ASPORA_CRDS", raising=False)
        lab = Lab.make(tmp_path_factory.mktemp("staging"), "staging")
        yield lab
        lab.down()


def preview(lab: Lab) -> Summary:
    return platform.preview(lab.wanted(), lab.paths, QuietProgress()).summary


def aws_in_state(lab: Lab, name: str = "") -> list[Any]:
    """The AWS resources the engine remembers, or those of one type, such as `Vpc`."""
    return [entry for entry in lab.state() if re.match(rf"aws:.*{name}$", entry["type"])]


def vpcs(lab: Lab) -> list[str]:
    """The VPCs that moto has beside the one that every account begins with."""
    found = lab.aws("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])
    return sorted(vpc["VpcId"] for vpc in found["Vpcs"])


# --- up -----------------------------------------------------------------------------------------

FIRST: Changes = set()


def test_the_first_preview_knows_no_outputs_and_makes_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.write(PETS)
    outputs: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    create = AwsStandIn.create

    def watched(self: AwsStandIn, resource: Resource, given: dict[str, Any]) -> Any:
        inputs[resource.urn] = given
        made = create(self, resource, given)
        outputs[resource.urn] = made[1]
        return made

    monkeypatch.setattr(AwsStandIn, "create", watched)
    summary = preview(lab)
    assert summary.created == len(summary.changes) > 50
    assert {operation for operation, _ in summary.changes} == {"create"}
    assert any(holds_unknown(values) for values in outputs.values())
    assert any(holds_unknown(values) for values in inputs.values())
    assert lab.live() == {}
    assert vpcs(lab) == []
    assert lab.aws("s3").list_buckets()["Buckets"] == []
    FIRST.update(summary.changes)


def test_up_makes_what_the_preview_said(lab: Lab) -> None:
    outcome = lab.up()
    assert set(outcome.summary.changes) == FIRST
    lab.assert_converged()
    assert vpcs(lab) == [entry["id"] for entry in aws_in_state(lab, ":Vpc")]
    assert not [entry["urn"] for entry in lab.state() if holds_unknown(entry["outputs"])]


def test_again_nothing_changes(lab: Lab) -> None:
    again = lab.up()
    assert (again.summary.changes, again.removed) == ((), 0)
    assert again.summary.unchanged == len(FIRST)


def test_the_screen_says_that_it_is_simulated(lab: Lab) -> None:
    banner = simulation.banner("staging")
    status = lab.command("status")
    assert (status.returncode, status.stderr) == (0, "")
    lines = status.stdout.splitlines()
    assert lines[0] == banner
    assert any(line.startswith("aspora-pets ") for line in lines)
    shown = lab.command("preview")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert shown.stderr.splitlines()[0] == banner
    assert shown.stderr.splitlines()[-1] == f"{len(FIRST)} unchanged"


# --- a domain more ------------------------------------------------------------------------------


def test_a_new_domain_changes_its_own_resources_alone(lab: Lab) -> None:
    before = {entry["urn"]: entry["id"] for entry in lab.state()}
    objects, servers = lab.uids(), vpcs(lab)
    lab.write(PETS, BIRDS)
    said = preview(lab)
    outcome = lab.up()
    assert said.changes == outcome.summary.changes
    changes = of_domains(outcome.summary.changes)
    assert {operation for operation, _ in changes} == {"create"}
    assert [urn for _, urn in changes if "birds" not in urn] == []
    after = {entry["urn"]: entry["id"] for entry in lab.state()}
    gone = [urn for urn in before if urn not in after]
    assert [urn for urn in gone if not shared(urn.rpartition("::")[2])] == []
    assert {urn: after[urn] for urn in before if urn in after} == {
        urn: before[urn] for urn in before if urn in after
    }
    objects = apart(objects)
    assert {ref: uid for ref, uid in lab.uids().items() if ref in objects} == objects
    assert vpcs(lab) == servers
    lab.assert_converged()


# --- failed and killed --------------------------------------------------------------------------


def refuse(urn: str) -> Callable[..., Any]:
    """A stand-in that refuses to make one resource."""
    create = AwsStandIn.create

    def refusing(self: AwsStandIn, resource: Resource, given: dict[str, Any]) -> Any:
        if resource.urn == urn and not resource.preview:
            raise ProviderError("the quota of this account is used up")
        return create(self, resource, given)

    return refusing


def test_a_failed_resource_leaves_a_state_that_the_next_up_finishes(lab: Lab) -> None:
    vpc = vpcs(lab)
    lab.write(PETS, BIRDS, FISH)
    everything = {urn for _, urn in of_domains(preview(lab).changes)}
    (victim,) = (urn for urn in everything if "aws:ecr/repository:Repository::" in urn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AwsStandIn, "create", refuse(victim))
        with pytest.raises(ResourcesFailed) as caught:
            lab.up()
    words = caught.value.message
    name = victim.rpartition("::")[2]
    assert words == f"up: 1 problem\n  {name}: the quota of this account is used up", words
    missing = everything - {entry["urn"] for entry in lab.state()}
    assert victim in missing
    assert missing < everything

    assert {urn for _, urn in of_domains(preview(lab).changes)} == missing
    outcome = lab.up()
    changes = of_domains(outcome.summary.changes)
    assert set(changes) == {("create", urn) for urn in missing}
    assert vpcs(lab) == vpc
    lab.assert_converged()


def test_a_killed_up_is_finished_by_the_next(lab: Lab) -> None:
    lab.write(PETS, BIRDS, FISH, CATS)
    with lab.held("aws", 2) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    assert_clear(
        lab.command("preview"),
        "error: the last `aspora up --stack staging --simulate` was cut short\n"
        "  run `aspora up --stack staging --simulate` first\n",
    )
    lab.up()
    lab.assert_converged()
    assert vpcs(lab) == [entry["id"] for entry in aws_in_state(lab, ":Vpc")]
    again = lab.up()
    assert (again.summary.changes, again.removed) == ((), 0)


# --- the end ------------------------------------------------------------------------------------


def unprotected(lab: Lab) -> None:
    """Write `protect: false` into the stack's settings."""
    file = lab.root / "Pulumi.staging.yaml"
    data = yaml.safe_load(file.read_text("utf-8"))
    data["config"]["aspora:aws"]["protect"] = False
    file.write_text(yaml.safe_dump(data), "utf-8")


def test_what_is_protected_refuses_to_be_destroyed(lab: Lab) -> None:
    before = lab.state()
    protected = [entry for entry in before if entry.get("protect")]
    assert {entry["type"].rpartition(":")[2] for entry in protected} >= {"Bucket", "Key"}
    with pytest.raises(LocalPlatformError) as caught:
        platform.destroy(lab.wanted(), lab.paths, QuietProgress())
    head, *lines = caught.value.message.splitlines()
    assert head == f"destroy: {len(protected)} resources are protected, so nothing was deleted"
    assert lines == sorted(
        f"  {entry['type']} {entry['urn'].rpartition('::')[2]}" for entry in protected
    )
    assert "`aspora:aws` with `protect: false`" in caught.value.hint
    assert lab.state() == before
    assert not lab.paths.dirty.exists()


def test_destroy_leaves_nothing(lab: Lab) -> None:
    unprotected(lab)
    lab.up()
    count = len(lab.state())
    assert not [entry["urn"] for entry in lab.state() if entry.get("protect")]
    summary = platform.destroy(lab.wanted(), lab.paths, QuietProgress())
    assert {operation for operation, _ in summary.changes} == {"delete"}
    assert summary.deleted == count
    assert lab.live() == {}
    assert vpcs(lab) == []
    assert lab.aws("s3").list_buckets()["Buckets"] == []
    assert lab.state() == []


def test_down_destroys_first_when_asked_to(lab: Lab) -> None:
    result = lab.command("down", "--destroy")
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    lines = result.stderr.splitlines()
    assert lines[0] == simulation.banner("staging")
    assert "nothing" in lines  # the test before left nothing
    assert lines[-1] == "the simulated staging platform is down"
    assert lab.processes() == []
    assert not lab.paths.state.exists()
