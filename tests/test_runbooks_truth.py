"""What a runbook says of this platform follows from its program, or a test fails."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from aspora.render import render
from aspora.render.nodes import POOLS
from aspora.upgrade import UpgradeRefused, check_upgrade
from aspora.user_data import archive_key
from infra.bootstrap.keys import UNUSABLE
from infra.recording import SECRET
from tests.core import repository, settings
from tests.runbook_lab import STACKS, account, commands, objects, resources, text_of, the
from tests.test_docs import source_texts


def refusal(before: str, after: str) -> UpgradeRefused:
    with pytest.raises(UpgradeRefused) as caught:
        check_upgrade("staging", before, after)
    return caught.value


def test_refused_upgrades_are_quoted_as_they_are() -> None:
    jump, back = refusal("1.37", "1.39"), refusal("1.38", "1.37")
    shown = [line for command in commands("aspora") for line in command.shown]
    at = shown.index(f"error: {jump.message}")
    assert shown[at + 1] == f"  {jump.hint}"
    assert f"`{back.message}`" in text_of("kubernetes-upgrade")
    assert settings("staging").cluster.version == "1.37", "quote the next step in the runbook"


@pytest.mark.parametrize("stack", STACKS)
def test_the_group_of_system_nodes_follows_the_cluster(stack: str) -> None:
    assert the(stack, "NodeGroup")["version"] == settings(stack).cluster.version
    assert "to which the program gives the cluster's version" in text_of("kubernetes-upgrade")


@pytest.mark.parametrize("stack", STACKS)
def test_zonal_shift_is_on(stack: str) -> None:
    assert the(stack, "Cluster")["zonalShiftConfig"] == {"enabled": True}
    assert "EKS's zonal shift is on in both stacks" in text_of("lose-a-zone")


def test_other_gaps_that_the_pages_admit() -> None:
    policies = [str(r.inputs) for r in resources("prod") if r.name == "aspora-prod-karpenter"]
    assert policies
    assert not any("arc-zonal-shift" in policy for policy in policies)
    assert "`arc-zonal-shift:GetManagedResource`; ours may not" in text_of("lose-a-zone")
    assert not any(settings(stack).aws.control_plane.admins for stack in STACKS)  # type: ignore[union-attr]
    assert "both stacks name none yet" in text_of("README")
    read = json.dumps([obj for obj in objects("prod") if obj["kind"] == "ExternalSecret"])
    assert "aspora/prod/wealth/openrouter" in read
    assert "The model gateway reads it at its start" in text_of("rotate-keys")


def test_what_a_zone_takes_away_follows_from_the_settings() -> None:
    staging, prod = settings("staging").aws, settings("prod").aws
    assert staging
    assert prod
    assert (prod.network.nat, staging.network.nat) == ("per-zone", "single")
    assert (prod.network.endpoint_zones, staging.network.endpoint_zones) == (3, 1)
    assert staging.network.zones[0] == "us-east-1a"
    assert (prod.database.multi_az, staging.database.multi_az) == (True, False)
    assert prod.cache.replicas > 0 == staging.cache.replicas
    assert settings("staging").minimal_replicas
    days = f"(prod {prod.database.backup_days}, staging {staging.database.backup_days})"
    assert days in text_of("restore-database")


def patched(pool: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """JSON Patch's `test` and `replace` (RFC 6902)."""
    made: dict[str, Any] = json.loads(json.dumps(pool))
    for step in patch:
        *way, last = step["path"].strip("/").split("/")
        at: Any = made
        for key in way:
            at = at[int(key)] if key.isdigit() else at[key]
        if step["op"] == "test":
            assert at[last] == step["value"]
        else:
            assert last in at
            at[last] = step["value"]
    return made


def test_a_zone_is_taken_from_the_pools_and_given_back() -> None:
    patches = [c.options()["--patch"] for c in commands("kubectl") if "nodepool" in c.words]
    away, back = map(json.loads, patches)
    pools = [obj for obj in objects("prod") if obj["kind"] == "NodePool"]
    assert len(pools) == len(POOLS)
    for pool in pools:
        without = patched(pool, away)
        assert '"us-east-1a"' not in json.dumps(without)
        assert without != pool
        assert patched(without, back) == pool


def test_a_restored_instance_is_as_the_program_declares_it() -> None:
    (command,) = [c for c in commands("aws") if "restore-db-instance-to-point-in-time" in c.words]
    inputs, given = the("prod", "Instance"), command.options()
    assert given["--source-db-instance-identifier"] == inputs["identifier"]
    assert given["--db-subnet-group-name"] == inputs["dbSubnetGroupName"]
    assert given["--db-parameter-group-name"] == inputs["parameterGroupName"]
    flags = {
        "--multi-az": "multiAz",
        "--no-publicly-accessible": "publiclyAccessible",
        "--enable-iam-database-authentication": "iamDatabaseAuthenticationEnabled",
        "--copy-tags-to-snapshot": "copyTagsToSnapshot",
        "--deletion-protection": "deletionProtection",
    }
    for flag, key in flags.items():
        assert flag in given
        assert inputs[key] is not flag.startswith("--no-")
    assert f"dbname={inputs['dbName']} user={inputs['username']}" in text_of("restore-database")


def test_a_restored_cache_is_as_the_program_declares_it() -> None:
    (command,) = [c for c in commands("aws") if "create-replication-group" in c.words]
    inputs, given = the("prod", "ReplicationGroup"), command.options()
    same = {
        "--replication-group-id": "replicationGroupId",
        "--replication-group-description": "description",
        "--engine": "engine",
        "--cache-node-type": "nodeType",
        "--cache-subnet-group-name": "subnetGroupName",
    }
    assert {key: given[key] for key in same} == {key: inputs[same[key]] for key in same}
    assert int(given["--num-cache-clusters"]) == inputs["numCacheClusters"]
    assert [given["--user-group-ids"]] == inputs["userGroupIds"]
    for flag in ("automatic-failover", "multi-az", "at-rest-encryption", "transit-encryption"):
        assert f"--{flag}-enabled" in given


def test_every_customer_managed_key_is_listed_and_rotates() -> None:
    listed = set(re.findall(r"alias/aspora-prod-[a-z]+", text_of("rotate-keys")))
    made = {r.inputs["name"] for r in resources("prod") if r.type.endswith(":Alias")}
    assert listed == made | {account("prod").alias(purpose) for purpose in ("pulumi", "secrets")}
    assert all(r.inputs["enableKeyRotation"] for r in resources("prod") if r.type.endswith(":Key"))
    for line in UNUSABLE["PendingDeletion"].splitlines():
        assert line.format(key="KEY_ID") in text_of("restore-state")


def test_the_state_holds_no_secret_but_endpoints() -> None:
    secret = {r.type for r in resources("prod") if SECRET in json.dumps(r.inputs)}
    assert secret == {"aws:secretsmanager/secretVersion:SecretVersion"}


def test_a_new_runsc_changes_one_object() -> None:
    before = settings("staging")
    assert before.aws
    runtime = before.aws.nodes.gvisor_runtime.model_copy(update={"release": "release-20991231.0"})
    nodes = before.aws.nodes.model_copy(update={"gvisor_runtime": runtime})
    after = before.model_copy(update={"aws": before.aws.model_copy(update={"nodes": nodes})})
    changed = [
        (new["kind"], new["metadata"]["name"])
        for old, new in zip(objects("staging"), render(repository(), after), strict=True)
        if old != new
    ]
    assert changed == [("EC2NodeClass", "gvisor")]
    place = f"s3://{account('staging').tools_bucket}/{archive_key('RELEASE')}"
    assert place in text_of("runsc-update")


def test_what_a_node_says_when_it_gives_up_is_quoted() -> None:
    shown = [line for command in commands("aws") for line in command.shown]
    (line,) = [line for line in shown if "gVisor" in line]
    assert any(f'echo "{line}"' in text for text in source_texts())
