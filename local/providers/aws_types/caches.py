"""Caches. moto keeps their users alone: a group of any kind cannot be taken away again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.providers.aws_entry import AwsType, Call, Lack, Part, Tagging
from local.providers.aws_shapes import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.providers.aws_context import Context

Values = dict[str, Any]

_CACHE_ARN = "arn:aws:elasticache:{region}:{account}:"
_CACHE_TAGS = Tagging(
    "add_tags_to_resource",
    "remove_tags_from_resource",
    {"ResourceName": "{arn}"},
    Call("list_tags_for_resource", {"ResourceName": "{arn}"}, at="TagList"),
)


def _address(role: str) -> Callable[[Context], Any]:
    """Where clients go; with cluster mode that is the configuration's endpoint alone."""

    def address(context: Context) -> Any:
        clustered = role == "clustercfg"
        if _clustered(context) is not clustered:
            return MISSING
        return context.fill(f"{role}.{{id}}.{{unique}}.cache.amazonaws.com")

    return address


def _clustered(context: Context) -> bool:
    return int(context.inputs.get("numNodeGroups") or 1) > 1


def _members(context: Context) -> list[str]:
    count = int(context.inputs.get("numCacheClusters") or 1)
    return [f"{context.values['id']}-{number:03}" for number in range(1, count + 1)]


def _deliveries(context: Context) -> Any:
    """Where the engine's and the slow log go: a name in the SDK, a block of its kind in the API."""
    kinds = {
        "cloudwatch-logs": ("CloudWatchLogsDetails", "LogGroup"),
        "kinesis-firehose": ("KinesisFirehoseDetails", "DeliveryStream"),
    }
    made = []
    for one in context.inputs.get("logDeliveryConfigurations") or ():
        block, member = kinds[one["destinationType"]]
        made.append(
            {
                "LogType": one["logType"],
                "LogFormat": one["logFormat"],
                "DestinationType": one["destinationType"],
                "DestinationDetails": {block: {member: one["destination"]}},
            }
        )
    return made or MISSING


REPLICATION_GROUP = AwsType(
    "aws:elasticache/replicationGroup:ReplicationGroup",
    "elasticache",
    create=Call(
        "create_replication_group",
        {"LogDeliveryConfigurations": _deliveries},
        uses=("logDeliveryConfigurations",),
    ),
    identity="{replicationGroupId}",
    read=Call("describe_replication_groups"),
    lacks=Lack(
        "delete_replication_group", "moto never ends a deletion, so no id could be used again"
    ),
    required=("replicationGroupId",),
    names={
        "description": "ReplicationGroupDescription",
        "maintenanceWindow": "PreferredMaintenanceWindow",
        "nodeType": "CacheNodeType",
        "parameterGroupName": "CacheParameterGroupName",
        "subnetGroupName": "CacheSubnetGroupName",
        "securityGroupNames": "CacheSecurityGroupNames",
    },
    replaces=(
        *("replicationGroupId", "atRestEncryptionEnabled", "kmsKeyId", "port", "subnetGroupName"),
        *("dataTieringEnabled", "snapshotName", "globalReplicationGroupId", "networkType"),
        *("securityGroupNames", "snapshotArns"),
    ),
    computed=(
        *("arn", "clusterEnabled", "configurationEndpointAddress", "engineVersionActual"),
        *("memberClusters", "primaryEndpointAddress", "readerEndpointAddress"),
    ),
    made={
        "arn": _CACHE_ARN + "replicationgroup:{id}",
        "clusterEnabled": _clustered,
        "configurationEndpointAddress": _address("clustercfg"),
        "engineVersionActual": "{engineVersion}",
        "memberClusters": _members,
        "primaryEndpointAddress": _address("master"),
        "readerEndpointAddress": _address("replica"),
    },
    defaults={"port": 6379},
    asides=("applyImmediately", "finalSnapshotIdentifier", "authTokenUpdateStrategy"),
    tagging=_CACHE_TAGS,
    secrets=("authToken",),
)

CACHE_SUBNET_GROUP = AwsType(
    "aws:elasticache/subnetGroup:SubnetGroup",
    "elasticache",
    create=Call("create_cache_subnet_group"),
    identity="{name}",
    read=Call("describe_cache_subnet_groups"),
    lacks=Lack("delete_cache_subnet_group"),
    required=("name",),
    names={"name": "CacheSubnetGroupName", "description": "CacheSubnetGroupDescription"},
    replaces=("name",),
    computed=("arn", "vpcId"),
    defaults={"description": "Managed by Pulumi"},
    made={"arn": _CACHE_ARN + "subnetgroup:{name}"},
    tagging=_CACHE_TAGS,
)

CACHE_PARAMETER_GROUP = AwsType(
    "aws:elasticache/parameterGroup:ParameterGroup",
    "elasticache",
    create=Call("create_cache_parameter_group"),
    identity="{name}",
    read=Call("describe_cache_parameter_groups"),
    lacks=Lack("create_cache_parameter_group"),
    required=("name",),
    names={
        "name": "CacheParameterGroupName",
        "family": "CacheParameterGroupFamily",
        "parameters": "ParameterNameValues",
        "parameters.name": "ParameterName",
        "parameters.value": "ParameterValue",
    },
    replaces=("name", "family", "description"),
    computed=("arn",),
    defaults={"description": "Managed by Pulumi"},
    made={"arn": _CACHE_ARN + "parametergroup:{name}"},
    parts=(Part(("parameters",), Call("modify_cache_parameter_group")),),
    tagging=_CACHE_TAGS,
)


def _delete_user(context: Context) -> None:
    """moto ends the deletion when somebody looks."""
    context.ask("delete_user", UserId=context.values["id"])
    context.ask("describe_users", UserId=context.values["id"])


USER = AwsType(
    "aws:elasticache/user:User",
    "elasticache",
    create=Call("create_user"),
    identity="{userId}",
    read=Call("describe_users", {"UserId": "{id}"}, at="Users"),
    delete=_delete_user,
    required=("userId",),
    answers={"arn": "ARN"},
    replaces=("userId", "userName", "engine"),
    computed=("arn",),
    kept={
        **dict.fromkeys(("accessString", "authenticationMode"), Lack("modify_user")),
        **dict.fromkeys(("passwords", "noPasswordRequired"), Lack("modify_user")),
    },
    tagging=_CACHE_TAGS,
    secrets=("passwords", "authenticationMode.passwords"),
)

USER_GROUP = AwsType(
    "aws:elasticache/userGroup:UserGroup",
    "elasticache",
    create=Call("create_user_group"),
    identity="{userGroupId}",
    read=Call("describe_user_groups"),
    lacks=Lack("create_user_group"),
    required=("userGroupId",),
    replaces=("userGroupId", "engine"),
    computed=("arn",),
    made={"arn": _CACHE_ARN + "usergroup:{userGroupId}"},
    tagging=_CACHE_TAGS,
)

USER_GROUP_ASSOCIATION = AwsType(
    "aws:elasticache/userGroupAssociation:UserGroupAssociation",
    "elasticache",
    create=Call("modify_user_group", {"UserGroupId": "{userGroupId}", "UserIdsToAdd": "{userId}"}),
    identity="{userGroupId},{userId}",
    read=Call("describe_user_groups"),
    lacks=Lack("modify_user_group"),
    required=("userGroupId", "userId"),
    names={"userId": "userIdsToAdd"},
    replaces=("userGroupId", "userId"),
)

KINDS = (
    *(REPLICATION_GROUP, CACHE_SUBNET_GROUP, CACHE_PARAMETER_GROUP, USER, USER_GROUP),
    USER_GROUP_ASSOCIATION,
)
