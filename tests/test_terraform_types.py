"""Terraform's names for Pulumi's types: the rule, its exceptions, and nothing forgotten."""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
from collections.abc import Iterator
from typing import Any

import pulumi._types as sdk_types
import pytest

from aspora.terraform_types import MAPS, PROPERTIES, known_tokens, terraform_type


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("aws:ec2/vpc:Vpc", "aws_vpc"),
        ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "aws_default_security_group"),
        (
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            "aws_vpc_security_group_ingress_rule",
        ),
        ("aws:rds/instance:Instance", "aws_db_instance"),
        ("aws:rds/subnetGroup:SubnetGroup", "aws_db_subnet_group"),
        ("aws:elasticache/subnetGroup:SubnetGroup", "aws_elasticache_subnet_group"),
        (
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            "aws_s3_bucket_server_side_encryption_configuration",
        ),
        ("aws:ebs/encryptionByDefault:EncryptionByDefault", "aws_ebs_encryption_by_default"),
        ("aws:costexplorer/costAllocationTag:CostAllocationTag", "aws_ce_cost_allocation_tag"),
        (
            "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
            "aws_iam_openid_connect_provider",
        ),
        ("aws:cloudtrail/trail:Trail", "aws_cloudtrail"),
        ("aws:route53/zone:Zone", "aws_route53_zone"),
        ("aws:budgets/budget:Budget", "aws_budgets_budget"),
    ],
)
def test_a_token_has_terraforms_name(token: str, expected: str) -> None:
    assert terraform_type(token) == expected


def test_no_two_types_share_a_name() -> None:
    names = [terraform_type(f"aws:{member}:X") for member in known_tokens()]
    assert len(set(names)) == len(names) > 60


def sdk_class(member: str) -> Any:
    """The class in Pulumi's SDK for `module/resource`."""
    module, _, name = member.partition("/")
    found = getattr(importlib.import_module(f"pulumi_aws.{module}"), name[0].upper() + name[1:])
    assert found.pulumi_type == f"aws:{member}:{found.__name__}"
    return found


def sdk_properties(arguments: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Paths of properties that are maps or lists of blocks, as the SDK declares them."""
    for name, hint in sdk_types.input_type_types(arguments).items():
        origin = typing.get_origin(hint)
        inner = hint if origin is None else _inside(hint)
        here = f"{path}{name}"
        if origin is not None and origin.__name__ == "Mapping":
            yield "map", here
        elif inspect.isclass(inner) and sdk_types.is_input_type(inner):
            if origin is not None:
                yield "blocks", here
            if path.count(".") < 4:  # a budget's filters stand in one another without end
                yield from sdk_properties(inner, f"{here}.")


def _inside(hint: Any) -> Any:
    """The class that a list holds, or nothing."""
    if typing.get_origin(hint).__name__ != "Sequence":
        return None
    item = typing.get_args(hint)[0]
    classes = [item, *typing.get_args(item)]
    return next((c for c in classes if inspect.isclass(c) and sdk_types.is_input_type(c)), None)


def sdk_table() -> dict[str, dict[str, set[str]]]:
    """Maps and lists of blocks of every type there is a translation for."""
    table: dict[str, dict[str, set[str]]] = {}
    for member in known_tokens():
        cls = sdk_class(member)
        scope = vars(sys.modules[cls.__module__])
        # A nested type of the same name takes the plain one.
        arguments = scope.get(f"{cls.__name__}InitArgs") or scope[f"{cls.__name__}Args"]
        row = table.setdefault(terraform_type(cls.pulumi_type), {"map": set(), "blocks": set()})
        for kind, path in sdk_properties(arguments):
            row[kind].add(path)
    return table


NOT_TRANSLATED = {
    "aws_budgets_budget": {"ands", "ors"},
    "aws_cloudwatch_event_target": {
        "capacityProviderStrategies",
        "orderedPlacementStrategies",
        "pipelineParameterLists",
        "placementConstraints",
        "runCommandTargets",
    },
    "aws_eks_cluster": {"resources"},
    "aws_flow_log": {"tagFieldSpecifications"},
    "aws_launch_template": {"secondaryInterfaces"},
    "aws_nat_gateway": {"availabilityZoneAddresses"},
    "aws_s3_bucket": {
        "corsRules",
        "grants",
        "lifecycleRules",
        "noncurrentVersionTransitions",
        "rules",
        "transitions",
    },
    "aws_s3_bucket_logging": {"targetGrants"},
}
"""Lists of blocks that nothing here uses: whoever uses one gets an error with its name."""


def test_the_tables_hold_every_map_and_block_of_the_sdk() -> None:
    """A map taken for a block has its keys rewritten; a block under a wrong name is never seen."""
    table = sdk_table()
    unknown: dict[str, set[str]] = {}
    for kind, row in table.items():
        blocks = {path.rpartition(".")[2] for path in row["blocks"]}
        if missing := blocks - PROPERTIES.get(kind, {}).keys():
            unknown[kind] = missing
        below = tuple(
            f"{path}."
            for path in row["blocks"]
            if path.rpartition(".")[2] in NOT_TRANSLATED.get(kind, ())
        )
        reached = {path for path in row["map"] if not path.startswith(below or "-")}
        assert reached - {"tags"} - MAPS.get(kind, frozenset()) == set(), kind
        assert MAPS.get(kind, frozenset()) <= row["map"], kind
    assert unknown == NOT_TRANSLATED
    assert PROPERTIES.keys() | MAPS.keys() <= table.keys()
