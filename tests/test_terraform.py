"""The bridge from registered AWS resources to Terraform's plan: names, blocks, references."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from aspora.registered import UNKNOWN, Registered
from aspora.terraform import addresses, plan
from aspora.terraform_types import Untranslatable
from infra.recording import record

BUCKET = "aws:s3/bucket:Bucket"
CLUSTER = "aws:eks/cluster:Cluster"


def resource(kind: str, name: str = "one", **more: Any) -> Registered:
    return Registered(type=kind, name=name, urn=f"urn:{kind}::{name}", inputs={}, **more)


def planned(kind: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one resource of that type in the plan."""
    made = plan([Registered(type=kind, name="one", urn="urn:one", inputs=inputs)])
    (found,) = made["planned_values"]["root_module"]["resources"]
    values: dict[str, Any] = found["values"]
    return values


def expressions(*resources: Registered) -> dict[str, Any]:
    made = plan(resources)["configuration"]["root_module"]["resources"]
    return {found["address"]: found["expressions"] for found in made}


@pytest.mark.parametrize("token", ["aws:dynamodb/table:Table", "aws:ec2/vpcs:X", "aws:ec2:Vpc"])
def test_a_type_nobody_looked_up_is_an_error(token: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        plan([resource(BUCKET), resource(token)])
    assert caught.value.message == f"the policy checks do not know {token}"
    assert caught.value.hint == (
        "add it to the tables of aspora/terraform_types.py, under its name in Terraform"
    )


def test_blocks_nobody_looked_up_are_an_error() -> None:
    inputs = {"loggingThings": [{"a": 1}]}
    with pytest.raises(Untranslatable) as caught:
        planned(BUCKET, inputs)
    assert caught.value.message == (
        "the policy checks do not know the blocks loggingThings of aws_s3_bucket"
    )
    nested = {"vpcConfig": {"things": ["plain", {"a": 1}]}}
    with pytest.raises(Untranslatable, match=r"blocks vpcConfig\.things of aws_eks_cluster"):
        planned(CLUSTER, nested)


def test_a_mapping_is_a_block_unless_its_keys_are_the_users() -> None:
    inputs = {
        "scalingConfig": {"minSize": 1.0, "maxSize": 3.0},
        "labels": {"nodePool": "system", "aspora.io/owner": "platform"},
        "tags": {"costCenter": "a", "Name": "b"},
        "taints": [{"key": "a", "effect": "NO_SCHEDULE"}, {"key": "b", "effect": "NO_EXECUTE"}],
        "subnetIds": ["subnet-1", "subnet-2"],
    }
    assert planned("aws:eks/nodeGroup:NodeGroup", inputs) == {
        "scaling_config": [{"min_size": 1, "max_size": 3}],
        "labels": {"nodePool": "system", "aspora.io/owner": "platform"},
        "tags": {"costCenter": "a", "Name": "b"},
        "taint": [{"key": "a", "effect": "NO_SCHEDULE"}, {"key": "b", "effect": "NO_EXECUTE"}],
        "subnet_ids": ["subnet-1", "subnet-2"],
    }


def test_blocks_in_blocks_have_singular_names() -> None:
    rule = {
        "id": "old",
        "filter": {"and": {"prefix": "a/", "tags": {"someKey": "x"}}},
        "noncurrentVersionTransitions": [{"noncurrentDays": 30.0, "storageClass": "GLACIER"}],
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7.0},
    }
    kind = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    assert planned(kind, {"bucket": "b", "rules": [rule, {"id": "second"}]}) == {
        "bucket": "b",
        "rule": [
            {
                "id": "old",
                "filter": [{"and": [{"prefix": "a/", "tags": {"someKey": "x"}}]}],
                "noncurrent_version_transition": [
                    {"noncurrent_days": 30, "storage_class": "GLACIER"}
                ],
                "abort_incomplete_multipart_upload": [{"days_after_initiation": 7}],
            },
            {"id": "second"},
        ],
    }


def test_whole_numbers_are_whole_and_text_stays_text() -> None:
    """The protocol knows floats alone; a check that asks for an int would not be made."""
    policy = '{"Statement": [{"Action": "*", "minVersion": 1.0}]}'
    values = planned(
        "aws:iam/policy:Policy", {"policy": policy, "count": 365.0, "ratio": 0.5, "on": True}
    )
    assert values == {"policy": policy, "count": 365, "ratio": 0.5, "on": True}
    assert [type(values[key]) for key in ("count", "ratio", "on")] == [int, float, bool]


def test_a_rule_for_every_protocol_is_one_for_every_port() -> None:
    kind = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    every = planned(kind, {"ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"})
    assert (every["from_port"], every["to_port"]) == (-1, -1)
    https = planned(kind, {"ipProtocol": "tcp", "fromPort": 443.0, "toPort": 443.0})
    assert (https["from_port"], https["to_port"]) == (443, 443)
    assert planned(kind, {"ipProtocol": "icmpv6"}) == {"ip_protocol": "icmpv6"}


def test_what_is_not_known_is_left_out() -> None:
    inputs = {
        "roleArn": UNKNOWN,
        "name": None,
        "vpcConfig": {"subnetIds": ["a", UNKNOWN], "publicAccessCidrs": UNKNOWN},
    }
    assert planned(CLUSTER, inputs) == {"vpc_config": [{"subnet_ids": ["a"]}]}


def test_secret_text_is_in_no_plan() -> None:
    def program() -> None:
        password = pulumi.Output.secret("geheim-0123456789")
        aws.secretsmanager.SecretVersion("text", secret_id="s", secret_string=password)

    made = plan(record(program, stack="staging", project="test"))
    assert "geheim" not in json.dumps(made)
    (found,) = made["planned_values"]["root_module"]["resources"]
    assert found["values"] == {"secret_id": "s", "secret_string": "[secret]"}


def test_references_go_by_address() -> None:
    bucket, key = resource(BUCKET, "artifacts"), resource("aws:kms/key:Key", "data")
    block = resource(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "artifacts",
        dependencies={"bucket": (bucket.urn,)},
    )
    encryption = resource(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "artifacts",
        dependencies={"rules": (key.urn,), "bucket": (bucket.urn, "urn:of:a:component")},
    )
    assert expressions(encryption, block, key, bucket) == {
        "aws_kms_key.data": {},
        "aws_s3_bucket.artifacts": {},
        "aws_s3_bucket_public_access_block.artifacts": {
            "bucket": {"references": ["aws_s3_bucket.artifacts.id", "aws_s3_bucket.artifacts"]}
        },
        "aws_s3_bucket_server_side_encryption_configuration.artifacts": {
            "bucket": {"references": ["aws_s3_bucket.artifacts.id", "aws_s3_bucket.artifacts"]},
            "rule": {"references": ["aws_kms_key.data.id", "aws_kms_key.data"]},
        },
    }


def test_references_of_a_block_are_all_that_stand_in_it() -> None:
    group = resource("aws:ec2/securityGroup:SecurityGroup", "nodes")
    subnet = resource("aws:ec2/subnet:Subnet", "a")
    cluster = resource(CLUSTER, dependencies={"vpcConfig": (subnet.urn, group.urn)})
    assert expressions(group, subnet, cluster)["aws_eks_cluster.one"] == {
        "vpc_config": {
            "references": [
                "aws_security_group.nodes.id",
                "aws_security_group.nodes",
                "aws_subnet.a.id",
                "aws_subnet.a",
            ]
        }
    }


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("artifacts", "artifacts"),
        ("aspora-staging_x", "aspora-staging_x"),
        ("aspora/staging/ecm.db", "aspora_staging_ecm_db"),
        ("3-zones", "_3-zones"),
        ("-x", "_-x"),
        ("späti", "sp_ti"),
        ("a[0]", "a_0_"),
    ],
)
def test_a_name_is_an_identifier_of_terraform(name: str, identifier: str) -> None:
    assert list(addresses([resource(BUCKET, name)])) == [f"aws_s3_bucket.{identifier}"]


def test_two_names_that_become_one_stay_two() -> None:
    slash, dot = resource(BUCKET, "a/b"), resource(BUCKET, "a.b")
    other = resource("aws:kms/key:Key", "a/b")
    found = addresses([slash, other, dot])
    assert {address: kept.name for address, kept in found.items()} == {
        "aws_kms_key.a_b": "a/b",
        "aws_s3_bucket.a_b-751d7018": "a.b",
        "aws_s3_bucket.a_b-a3ea8e00": "a/b",
    }
    assert list(found.items()) == list(addresses([dot, other, slash]).items())


def test_what_is_not_of_aws_is_not_in_the_plan() -> None:
    others = [
        resource("kubernetes:core/v1:Namespace"),
        resource("aspora:aws:Buckets"),
        resource("pulumi:providers:aws"),
    ]
    made = plan([*others, resource(BUCKET)])
    assert [r["address"] for r in made["resource_changes"]] == ["aws_s3_bucket.one"]
    assert len(made["planned_values"]["root_module"]["resources"]) == 1
    assert len(made["configuration"]["root_module"]["resources"]) == 1


def test_a_recorded_program_is_a_plan() -> None:
    def program() -> None:
        bucket = aws.s3.Bucket("logs", bucket="aspora-logs", tags={"Name": "logs"})
        aws.s3.BucketVersioning(
            "logs", bucket=bucket.id, versioning_configuration={"status": "Enabled"}
        )

    same = [plan(record(program, stack="staging", project="test")) for _ in range(2)]
    assert (
        same[0]
        == same[1]
        == {
            "format_version": "1.2",
            "terraform_version": "1.0.0",
            "planned_values": {
                "root_module": {
                    "resources": [
                        {
                            "address": "aws_s3_bucket.logs",
                            "mode": "managed",
                            "type": "aws_s3_bucket",
                            "name": "logs",
                            "values": {"bucket": "aspora-logs", "tags": {"Name": "logs"}},
                        },
                        {
                            "address": "aws_s3_bucket_versioning.logs",
                            "mode": "managed",
                            "type": "aws_s3_bucket_versioning",
                            "name": "logs",
                            "values": {
                                "bucket": "logs-id",
                                "versioning_configuration": [{"status": "Enabled"}],
                            },
                        },
                    ]
                }
            },
            "resource_changes": [
                {
                    "address": f"{kind}.logs",
                    "mode": "managed",
                    "type": kind,
                    "name": "logs",
                    "change": {"actions": ["create"], "before": None, "after": None},
                }
                for kind in ("aws_s3_bucket", "aws_s3_bucket_versioning")
            ],
            "configuration": {
                "root_module": {
                    "resources": [
                        {
                            "address": "aws_s3_bucket.logs",
                            "mode": "managed",
                            "type": "aws_s3_bucket",
                            "name": "logs",
                            "expressions": {},
                        },
                        {
                            "address": "aws_s3_bucket_versioning.logs",
                            "mode": "managed",
                            "type": "aws_s3_bucket_versioning",
                            "name": "logs",
                            "expressions": {
                                "bucket": {
                                    "references": ["aws_s3_bucket.logs.id", "aws_s3_bucket.logs"]
                                }
                            },
                        },
                    ]
                }
            },
        }
    )
