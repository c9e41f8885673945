"""What moto does not play, by name; a list that must shrink when moto learns."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.providers.aws_clients import Clients
from local.providers.aws_types import TYPES, kept, kept_properties

_ASSOCIATION = (
    "aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation"
)
KEPT = {
    "aws:costexplorer/costAllocationTag:CostAllocationTag": "moto has no ce"
    " update_cost_allocation_tags_status",
    "aws:eks/accessEntry:AccessEntry": "moto has no eks create_access_entry",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": "moto has no eks"
    " associate_access_policy",
    "aws:eks/addon:Addon": "moto has no eks create_addon",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "moto has no eks"
    " create_pod_identity_association",
    "aws:elasticache/parameterGroup:ParameterGroup": "moto has no elasticache"
    " create_cache_parameter_group",
    "aws:elasticache/replicationGroup:ReplicationGroup": "moto never ends a deletion, so no id"
    " could be used again",
    "aws:elasticache/subnetGroup:SubnetGroup": "moto has no elasticache delete_cache_subnet_group",
    "aws:elasticache/userGroup:UserGroup": "moto has no elasticache create_user_group",
    "aws:elasticache/userGroupAssociation:UserGroupAssociation": (
        "moto has no elasticache modify_user_group"
    ),
    "aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList": "moto has no"
    " route53resolver create_firewall_domain_list",
    "aws:route53/resolverFirewallRule:ResolverFirewallRule": "moto has no route53resolver"
    " create_firewall_rule",
    "aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup": "moto has no"
    " route53resolver create_firewall_rule_group",
    _ASSOCIATION: "moto has no route53resolver associate_firewall_rule_group",
}

# Of types that moto plays: the properties, and why they are not played.
KEPT_PROPERTIES = [
    (
        "aws:budgets/budget:Budget",
        "costFilters",
        "a change makes the budget again",
    ),
    (
        "aws:budgets/budget:Budget",
        "notifications",
        "read from the engine's state alone",
    ),
    (
        "aws:budgets/budget:Budget",
        "tags",
        "moto has no budgets tag_resource",
    ),
    (
        "aws:cloudwatch/logGroup:LogGroup",
        "deletionProtectionEnabled",
        "moto has no logs put_log_group_deletion_protection",
    ),
    (
        "aws:cloudwatch/logGroup:LogGroup",
        "kmsKeyId",
        "moto has no logs associate_kms_key",
    ),
    (
        "aws:cloudwatch/logGroup:LogGroup",
        "logGroupClass",
        "moto does not keep it",
    ),
    (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "privateDnsEnabled",
        "moto does not change it",
    ),
    (
        "aws:eks/cluster:Cluster",
        (
            "accessConfig bootstrapSelfManagedAddons computeConfig deletionProtection "
            "storageConfig upgradePolicy zonalShiftConfig"
        ),
        "moto does not keep it",
    ),
    (
        "aws:eks/cluster:Cluster",
        "version",
        "moto has no eks update_cluster_version",
    ),
    (
        "aws:eks/nodeGroup:NodeGroup",
        "launchTemplate releaseVersion version",
        "moto has no eks update_nodegroup_version",
    ),
    (
        "aws:eks/nodeGroup:NodeGroup",
        "nodeRepairConfig updateConfig",
        "moto does not keep it",
    ),
    (
        "aws:eks/nodeGroup:NodeGroup",
        "tags",
        "moto changes the tags of clusters alone",
    ),
    (
        "aws:elasticache/user:User",
        "accessString authenticationMode noPasswordRequired passwords",
        "moto has no elasticache modify_user",
    ),
    (
        "aws:guardduty/detector:Detector",
        "tags",
        "moto has no guardduty tag_resource",
    ),
    (
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        "clientIdLists",
        "moto has no iam add_client_id_to_open_id_connect_provider",
    ),
    (
        "aws:iam/role:Role",
        "managedPolicyArns",
        "moto holds AWS's own policies only when started with MOTO_IAM_LOAD_MANAGED_POLICIES=true",
    ),
    (
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "policyArn",
        "moto holds AWS's own policies only when started with MOTO_IAM_LOAD_MANAGED_POLICIES=true",
    ),
    (
        "aws:kms/key:Key",
        "rotationPeriodInDays",
        "moto does not answer the period",
    ),
    (
        "aws:rds/instance:Instance",
        (
            "databaseInsightsMode dedicatedLogVolume networkType performanceInsightsEnabled "
            "performanceInsightsKmsKeyId performanceInsightsRetentionPeriod"
        ),
        "moto does not keep it",
    ),
    (
        "aws:rds/instance:Instance",
        "port",
        "moto does not change it",
    ),
    (
        "aws:rds/parameterGroup:ParameterGroup",
        "parameters",
        "a parameter is never taken back",
    ),
    (
        "aws:rds/subnetGroup:SubnetGroup",
        "description subnetIds",
        "moto forgets a group that it modifies: made again",
    ),
    (
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "cidrIpv6 prefixListId referencedSecurityGroupId",
        "moto changes IPv4 addresses alone: made anew",
    ),
    (
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "description",
        "moto answers it for rules of addresses alone",
    ),
    (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "cidrIpv6 prefixListId referencedSecurityGroupId",
        "moto changes IPv4 addresses alone: made anew",
    ),
    (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "description",
        "moto answers it for rules of addresses alone",
    ),
]

Probe = Callable[[], bool]
ROLE = "arn:aws:iam::123456789012:role/x"


def test_the_types_that_live_in_the_engine_alone() -> None:
    assert kept() == KEPT


def test_the_properties_that_are_not_played() -> None:
    assert kept_properties() == {
        f"{token}.{prop}": words
        for token, props, words in KEPT_PROPERTIES
        for prop in props.split()
    }


def lacks() -> list[tuple[str, str, bool]]:
    """(service, call, whether a reason says what else is wrong) of everything listed."""
    found = set()
    for kind in TYPES.values():
        for lack in (kind.lacks, *kind.kept.values(), *kind.gaps.values()):
            if lack is not None:
                found.add((kind.service, lack.call, bool(lack.reason)))
    return sorted(found)


def moto_has(service: str, call: str) -> bool:
    """Whether moto's responses have a method of that name."""
    module = importlib.import_module(f"moto.{service}.responses")
    classes = [found for _, found in inspect.getmembers(module, inspect.isclass)]
    return any(hasattr(found, call) for found in classes)


@pytest.mark.parametrize(
    ("service", "call"), [(service, call) for service, call, reason in lacks() if not reason]
)
def test_moto_has_not_learned_the_call(service: str, call: str) -> None:
    assert Clients(None).operation(service, call), "botocore must know it"
    assert not moto_has(service, call), "moto has learned it: play it, and take it off the list"


def test_moto_is_looked_at_in_the_right_place() -> None:
    assert moto_has("eks", "create_cluster")
    assert moto_has("ec2", "create_vpc")
    assert not moto_has("eks", "no_such_call")


# --- calls that moto has and plays otherwise than AWS ---------------------------------------------


def client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1")


def vpc_endpoint_changes_its_dns() -> bool:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName="com.amazonaws.us-east-1.sts",
        VpcEndpointType="Interface",
        PrivateDnsEnabled=False,
    )["VpcEndpoint"]["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=made, PrivateDnsEnabled=True)
    (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"]
    return bool(found.get("PrivateDnsEnabled"))


def rule_of_a_group() -> dict[str, Any]:
    """A rule that names a group, as moto answers it once it was changed."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ids = [
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("a", "b", "c")
    ]
    span = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1}
    pair = {"GroupId": ids[1], "Description": "words"}
    answer = ec2.authorize_security_group_ingress(
        GroupId=ids[0], IpPermissions=[{**span, "UserIdGroupPairs": [pair]}]
    )
    rule = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    ec2.modify_security_group_rules(
        GroupId=ids[0],
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": rule,
                "SecurityGroupRule": {**span, "ReferencedGroupId": ids[2]},
            }
        ],
    )
    (found,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"]
    moved = found["ReferencedGroupInfo"]["GroupId"] == ids[2]
    return {"description": found.get("Description"), "moved": moved}


def cluster_keeps_its_settings() -> bool:
    eks = client("eks")
    eks.create_cluster(
        name="c",
        roleArn=ROLE,
        resourcesVpcConfig={},
        accessConfig={"authenticationMode": "API"},
        deletionProtection=True,
        upgradePolicy={"supportType": "STANDARD"},
    )
    found = eks.describe_cluster(name="c")["cluster"]
    return bool({"accessConfig", "deletionProtection", "upgradePolicy"} & found.keys())


def node_group() -> dict[str, Any]:
    eks = client("eks")
    eks.create_cluster(name="c", roleArn=ROLE, resourcesVpcConfig={})
    eks.create_nodegroup(
        clusterName="c",
        nodegroupName="n",
        nodeRole=ROLE,
        subnets=["s"],
        updateConfig={"maxUnavailable": 1},
    )
    return dict(eks.describe_nodegroup(clusterName="c", nodegroupName="n")["nodegroup"])


def node_groups_are_tagged() -> bool:
    eks = client("eks")
    try:
        eks.tag_resource(resourceArn=node_group()["nodegroupArn"], tags={"a": "b"})
    except eks.exceptions.ClientError:
        return False
    return True


def replication_group_ends() -> bool:
    cache = client("elasticache")
    cache.create_replication_group(ReplicationGroupId="r", ReplicationGroupDescription="d")
    cache.delete_replication_group(ReplicationGroupId="r")
    try:
        cache.describe_replication_groups(ReplicationGroupId="r")
    except cache.exceptions.ClientError:
        return True
    return False


def aws_policies_are_there() -> bool:
    iam = client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    try:
        iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    except iam.exceptions.NoSuchEntityException:
        return False
    return True


def rotation_answers_its_period() -> bool:
    kms = client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    return "RotationPeriodInDays" in kms.get_key_rotation_status(KeyId=key)


def log_group_keeps_its_class() -> bool:
    logs = client("logs")
    logs.create_log_group(logGroupName="g", logGroupClass="INFREQUENT_ACCESS")
    (found,) = logs.describe_log_groups()["logGroups"]
    return bool(found.get("logGroupClass") == "INFREQUENT_ACCESS")


def database(**settings: Any) -> dict[str, Any]:
    rds = client("rds")
    made = {"DBInstanceIdentifier": "d", "DBInstanceClass": "db.t4g.small", "Engine": "postgres"}
    rds.create_db_instance(**made, **settings)
    return dict(rds.describe_db_instances()["DBInstances"][0])


def database_keeps_its_insights() -> bool:
    return bool(database(EnablePerformanceInsights=True).get("PerformanceInsightsEnabled"))


def database_moves_to_another_port() -> bool:
    database(Port=5432)
    rds = client("rds")
    rds.modify_db_instance(DBInstanceIdentifier="d", DBPortNumber=5433)
    return bool(rds.describe_db_instances()["DBInstances"][0]["Endpoint"]["Port"] == 5433)


def subnet_group_survives_a_change() -> bool:
    ec2, rds = client("ec2"), client("rds")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = {"DBSubnetGroupName": "g", "SubnetIds": [subnet]}
    rds.create_db_subnet_group(**group, DBSubnetGroupDescription="d")
    rds.modify_db_subnet_group(**group)
    try:
        rds.describe_db_subnet_groups(DBSubnetGroupName="g")
    except rds.exceptions.ClientError:
        return False
    return True


PLAYED_OTHERWISE: dict[tuple[str, str], Probe] = {
    ("ec2", "describe_security_group_rules"): lambda: bool(rule_of_a_group()["description"]),
    ("ec2", "modify_security_group_rules"): lambda: bool(rule_of_a_group()["moved"]),
    ("ec2", "modify_vpc_endpoint"): vpc_endpoint_changes_its_dns,
    ("eks", "create_cluster"): cluster_keeps_its_settings,
    ("eks", "create_nodegroup"): lambda: bool(node_group().get("updateConfig")),
    ("eks", "tag_resource"): node_groups_are_tagged,
    ("elasticache", "delete_replication_group"): replication_group_ends,
    ("iam", "attach_role_policy"): aws_policies_are_there,
    ("kms", "get_key_rotation_status"): rotation_answers_its_period,
    ("logs", "create_log_group"): log_group_keeps_its_class,
    ("rds", "create_db_instance"): database_keeps_its_insights,
    ("rds", "modify_db_instance"): database_moves_to_another_port,
    ("rds", "modify_db_subnet_group"): subnet_group_survives_a_change,
}


def test_every_reason_has_a_probe() -> None:
    explained = {(service, call) for service, call, reason in lacks() if reason}
    assert {one for one in explained if moto_has(*one)} == PLAYED_OTHERWISE.keys()


@pytest.mark.parametrize("probed", sorted(PLAYED_OTHERWISE))
def test_moto_still_plays_it_otherwise(probed: tuple[str, str]) -> None:
    with mock_aws():
        assert not PLAYED_OTHERWISE[probed](), "moto has learned it: play it"
