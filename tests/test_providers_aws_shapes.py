"""The converter between the SDK's properties and boto3's parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from local.providers.aws_clients import Clients
from local.providers.aws_shapes import (
    camel,
    find_member,
    from_pairs,
    like,
    pick,
    plain,
    to_parameter,
    unknown_names,
)
from local.providers.values import UNKNOWN

CLIENTS = Clients(None)


def taken(service: str, call: str) -> Any:
    return CLIENTS.operation(service, call).input_shape


def answered(service: str, call: str) -> Any:
    return CLIENTS.operation(service, call).output_shape


@pytest.mark.parametrize(
    ("service", "call", "name", "member"),
    [
        ("ec2", "create_vpc", "cidrBlock", "CidrBlock"),
        ("ec2", "create_vpc_endpoint", "subnetIds", "SubnetIds"),
        ("iam", "create_open_id_connect_provider", "clientIdLists", "ClientIDList"),
        ("iam", "create_open_id_connect_provider", "thumbprintLists", "ThumbprintList"),
        ("ecr", "create_repository", "encryptionConfigurations", "encryptionConfiguration"),
        ("rds", "create_db_instance", "multiAz", "MultiAZ"),
        ("sqs", "create_queue", "queueName", "QueueName"),
        ("ec2", "create_vpc", "nothing", None),
    ],
)
def test_members_are_found_without_case_singular_or_plural(
    service: str, call: str, name: str, member: str | None
) -> None:
    assert find_member(taken(service, call), name) == member


@pytest.mark.parametrize(
    ("service", "call", "member", "value", "expected"),
    [
        ("eks", "create_cluster", "encryptionConfig", {"resources": ["secrets"]}, "list"),
        ("ecr", "create_repository", "encryptionConfiguration", [{"encryptionType": "KMS"}], "one"),
    ],
)
def test_a_block_is_a_list_of_one_and_a_list_of_one_a_block(
    service: str, call: str, member: str, value: Any, expected: str
) -> None:
    made = to_parameter(taken(service, call).members[member], value)
    assert made == ([{"resources": ["secrets"]}] if expected == "list" else value[0])


def test_a_scalar_may_be_the_value_inside_a_block() -> None:
    shape = taken("ec2", "modify_vpc_attribute").members["EnableDnsSupport"]
    assert to_parameter(shape, True) == {"Value": True}
    assert like(True, {"Value": False}, shape) is False


@pytest.mark.parametrize(
    ("service", "call", "member", "expected"),
    [
        ("iam", "create_role", "Tags", [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]),
        ("ecr", "create_repository", "tags", [{"Key": "a", "Value": "1"}]),
        ("kms", "create_key", "Tags", [{"TagKey": "a", "TagValue": "1"}]),
        ("eks", "create_cluster", "tags", {"a": "1"}),
    ],
)
def test_tags_take_the_form_of_the_shape(
    service: str, call: str, member: str, expected: Any
) -> None:
    tags = {"b": "2", "a": "1"} if len(expected) > 1 else {"a": "1"}
    shape = taken(service, call).members[member]
    assert to_parameter(shape, tags) == expected
    assert unknown_names(shape, tags) == []
    assert from_pairs(expected) == tags


def test_tags_of_aws_itself_are_nobodys() -> None:
    assert from_pairs([{"Key": "aws:x", "Value": "1"}, {"Key": "a", "Value": "2"}]) == {"a": "2"}
    assert from_pairs({"aws:x": "1", "a": "2"}) == {"a": "2"}
    assert from_pairs(None) == {}


@pytest.mark.parametrize(
    ("call", "member", "value", "expected"),
    [
        ("create_db_instance", "AllocatedStorage", "20", 20),
        ("create_db_instance", "MultiAZ", "true", True),
        ("create_db_instance", "MultiAZ", "False", False),
        ("create_db_instance", "EngineVersion", 17.6, "17.6"),
        ("create_db_instance", "EngineVersion", True, "true"),
        ("create_db_instance", "EngineVersion", {"b": 1, "a": 2}, '{"a": 2, "b": 1}'),
        ("create_db_instance", "VpcSecurityGroupIds", "sg-1", ["sg-1"]),
        ("create_db_instance", "AllocatedStorage", UNKNOWN, UNKNOWN),
    ],
)
def test_scalars_take_the_type_of_the_shape(
    call: str, member: str, value: Any, expected: Any
) -> None:
    made = to_parameter(taken("rds", call).members[member], value)
    assert made == expected
    assert type(made) is type(expected)


def test_what_is_null_is_left_out_however_deep() -> None:
    shape = taken("eks", "create_cluster").members["resourcesVpcConfig"]
    value = {"subnetIds": ["a"], "publicAccessCidrs": None}
    assert to_parameter(shape, value) == {"subnetIds": ["a"]}
    assert unknown_names(shape, {"nothing": None, "else": None}) == ["nothing", "else"]


def test_attributes_are_members_where_the_keys_of_a_map_are_known() -> None:
    shape = taken("sqs", "create_queue").members["Attributes"]
    assert to_parameter(shape, {"delaySeconds": 5}) == {"DelaySeconds": "5"}
    assert unknown_names(shape, {"delaySeconds": 5, "colour": 1}) == ["colour"]


def test_unknown_names_are_told_with_their_way_and_once() -> None:
    shape = taken("s3", "put_bucket_lifecycle_configuration").members["LifecycleConfiguration"]
    rules = [{"id": "a", "weeks": 1}, {"id": "b", "weeks": 2, "expiration": {"years": 1}}]
    assert unknown_names(shape, {"rules": rules}) == ["rules.weeks", "rules.expiration.years"]
    assert unknown_names(shape, {"rules": UNKNOWN}) == []


def test_names_may_be_given_by_their_way() -> None:
    shape = taken("rds", "modify_db_parameter_group")
    names = {"parameters.name": "ParameterName", "parameters.value": "ParameterValue"}
    value = {"parameters": [{"name": "a", "value": 1}]}
    assert unknown_names(shape, value) == ["parameters.name", "parameters.value"]
    assert unknown_names(shape, value, names) == []
    assert to_parameter(shape, value, names) == {
        "Parameters": [{"ParameterName": "a", "ParameterValue": "1"}]
    }


LIFECYCLE = answered("s3", "get_bucket_lifecycle_configuration")
CLUSTER = answered("eks", "describe_cluster").members["cluster"]
ROLE = answered("iam", "get_role").members["Role"]


def test_an_answer_takes_the_form_in_which_the_program_wrote_it() -> None:
    template = {"encryptionConfig": {"resources": ["secrets"], "provider": {"keyArn": "k"}}}
    live = {"encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": "other"}}]}
    assert like(template, live, CLUSTER) == {
        "encryptionConfig": {"resources": ["secrets"], "provider": {"keyArn": "other"}}
    }


def test_what_aws_adds_is_no_drift_and_what_is_gone_is() -> None:
    template = {"subnetIds": ["a"], "publicAccessCidrs": ["b"], "securityGroupIds": []}
    live = {"subnetIds": ["a"], "vpcId": "v"}
    shape = CLUSTER.members["resourcesVpcConfig"]
    assert like(template, live, shape) == {"subnetIds": ["a"], "securityGroupIds": []}


@pytest.mark.parametrize(
    ("template", "live", "expected"),
    [
        (["b", "a"], ["a", "b"], ["b", "a"]),
        (["a"], ["a", "b"], ["a", "b"]),
        (["a", "b"], ["b"], ["b"]),
        (["a"], ["c"], ["c"]),
        ([], ["c"], ["c"]),
        (["a"], [], []),
    ],
)
def test_lists_are_sets_in_the_order_of_the_program(
    template: Any, live: Any, expected: Any
) -> None:
    shape = CLUSTER.members["resourcesVpcConfig"].members["subnetIds"]
    assert like(template, live, shape) == expected


def test_blocks_of_a_list_are_matched_whatever_their_order() -> None:
    template = [{"id": "a", "status": "Enabled"}, {"id": "b", "expiration": {"days": 1}}]
    live = [
        {"ID": "b", "Status": "Enabled", "Expiration": {"Days": 1}},
        {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}},
    ]
    shape = LIFECYCLE.members["Rules"]
    assert like(template, live, shape) == template
    live[0]["Expiration"] = {"Days": 2}
    assert like(template, live, shape) != template


def test_policies_that_say_the_same_are_the_same_text() -> None:
    template = '{"Version":  "2012-10-17", "Statement": []}'
    shape = ROLE.members["AssumeRolePolicyDocument"]
    same: dict[str, Any] = {"Statement": [], "Version": "2012-10-17"}
    assert like(template, same, shape) == template
    assert like(template, '{"Statement": [], "Version": "2012-10-17"}', shape) == template
    assert like(template, {"Statement": [1]}, shape) == '{"Statement": [1]}'


@pytest.mark.parametrize(
    ("template", "live", "expected"),
    [("5", 5, "5"), (5, "5", 5), (1.5, "2.5", 2.5), (True, "true", True), (True, "Enabled", True)],
)
def test_numbers_and_flags_keep_the_type_of_the_program(
    template: Any, live: Any, expected: Any
) -> None:
    made = like(template, live, ROLE.members["RoleName"])
    assert made == expected
    assert type(made) is type(expected)


def test_an_answer_that_nobody_asked_for_is_plain() -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    live = {"ARN": "a", "VpcId": "b", "DNSName": [{"HostedZoneId": 1}], "CreatedAt": when}
    assert plain(live) == {
        "arn": "a",
        "vpcId": "b",
        "dnsName": [{"hostedZoneId": 1}],
        "createdAt": "2026-01-02T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [("VpcId", "vpcId"), ("ARN", "arn"), ("DNSName", "dnsName"), ("id", "id"), ("KeyId", "keyId")],
)
def test_camel_case(name: str, expected: str) -> None:
    assert camel(name) == expected


def test_lists_are_walked_through_on_the_way() -> None:
    shape = answered("ec2", "describe_route_tables")
    answer = {"RouteTables": [{"Routes": [{"State": "a"}]}, {"Routes": [{"State": "b"}]}, {}]}
    found = [value for _, value in pick(shape, answer, "RouteTables.Routes")]
    assert found == [{"State": "a"}, {"State": "b"}]
    assert list(pick(shape, {}, "RouteTables.Routes")) == []


def test_a_model_is_parsed_once_and_a_call_that_is_none_is_a_mistake() -> None:
    assert CLIENTS.operation("ec2", "create_vpc") is CLIENTS.operation("ec2", "create_vpc")
    with pytest.raises(KeyError):
        CLIENTS.operation("ec2", "create_castle")
