"""Databases and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.providers.aws_context import refuse, remake
from local.providers.aws_entry import AwsType, Call, Lack, Part, Tagging

if TYPE_CHECKING:
    from local.providers.aws_context import Context

Values = dict[str, Any]

_RDS_TAGS = Tagging(
    "add_tags_to_resource",
    "remove_tags_from_resource",
    {"ResourceName": "{arn}"},
    Call("list_tags_for_resource", {"ResourceName": "{arn}"}, at="TagList"),
)
_RDS_ARN = "arn:aws:rds:{region}:{account}:"


def _delete_instance(context: Context) -> None:
    """Nothing with data goes without a last snapshot, unless the program says so."""
    values = context.values
    final = values.get("finalSnapshotIdentifier")
    last: Values = {"SkipFinalSnapshot": True}
    if not values.get("skipFinalSnapshot"):
        if not final:
            raise refuse(
                context.kind,
                f"{values['identifier']} cannot be deleted: it has neither"
                " finalSnapshotIdentifier nor skipFinalSnapshot",
            )
        last = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": final}
    context.ask("delete_db_instance", DBInstanceIdentifier=values["identifier"], **last)


def _instance(context: Context) -> Values:
    """Outputs that the SDK writes otherwise than the API."""
    found = context.raw
    place = found.get("Endpoint", {})
    made: Values = {"hostedZoneId": place.get("HostedZoneId"), "replicas": []}
    if place:
        made["address"] = place["Address"]
        made["endpoint"] = f"{place['Address']}:{context.inputs.get('port', place['Port'])}"
    secret = found.get("MasterUserSecret")
    if "manageMasterUserPassword" in context.inputs:
        made["manageMasterUserPassword"] = secret is not None
    if secret:
        names = {"SecretArn": "secretArn", "SecretStatus": "secretStatus", "KmsKeyId": "kmsKeyId"}
        made["masterUserSecrets"] = [{names[key]: secret[key] for key in names if key in secret}]
    return {name: value for name, value in made.items() if value is not None}


def _export_logs(context: Context, values: Values) -> None:
    """The API switches logs on and off by name."""
    identifier = context.values["identifier"]
    answer = context.ask("describe_db_instances", DBInstanceIdentifier=identifier)
    live = answer["DBInstances"][0].get("EnabledCloudwatchLogsExports", [])
    wanted = values["enabledCloudwatchLogsExports"] or []
    switches = {
        "EnableLogTypes": sorted(set(wanted) - set(live)),
        "DisableLogTypes": sorted(set(live) - set(wanted)),
    }
    context.ask(
        "modify_db_instance",
        DBInstanceIdentifier=identifier,
        CloudwatchLogsExportConfiguration=switches,
        ApplyImmediately=True,
    )


INSTANCE = AwsType(
    "aws:rds/instance:Instance",
    "rds",
    create=Call("create_db_instance", at="DBInstance"),
    identity="db-{unique}",
    read=Call("describe_db_instances", {"DBInstanceIdentifier": "{identifier}"}, at="DBInstances"),
    delete=_delete_instance,
    required=("identifier",),
    names={
        "identifier": "DBInstanceIdentifier",
        "instanceClass": "DBInstanceClass",
        "backupWindow": "PreferredBackupWindow",
        "caCertIdentifier": "CACertificateIdentifier",
        "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
        "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
        "maintenanceWindow": "PreferredMaintenanceWindow",
        "parameterGroupName": "DBParameterGroupName",
        "password": "MasterUserPassword",
        "performanceInsightsEnabled": "EnablePerformanceInsights",
        "username": "MasterUsername",
    },
    answers={
        "caCertIdentifier": "CACertificateIdentifier",
        "dbSubnetGroupName": "DBSubnetGroup.DBSubnetGroupName",
        "enabledCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
        "engineVersionActual": "EngineVersion",
        "arn": "DBInstanceArn",
        "iamDatabaseAuthenticationEnabled": "IAMDatabaseAuthenticationEnabled",
        "masterUserSecretKmsKeyId": "MasterUserSecret.KmsKeyId",
        "parameterGroupName": "DBParameterGroups.DBParameterGroupName",
        "performanceInsightsEnabled": "PerformanceInsightsEnabled",
        "port": "Endpoint.Port",
        "status": "DBInstanceStatus",
        "vpcSecurityGroupIds": "VpcSecurityGroups[].VpcSecurityGroupId",
        "tags": "TagList",
    },
    replaces=(
        *("identifier", "availabilityZone", "dbName", "engine", "kmsKeyId", "storageEncrypted"),
        *("username", "snapshotIdentifier", "timezone", "characterSetName"),
    ),
    computed=(
        *("address", "arn", "endpoint", "engineVersionActual", "hostedZoneId", "port"),
        *("listenerEndpoints", "masterUserSecrets", "replicas"),
        *("resourceId", "status", "upgradeRolloutOrder", "availabilityZone", "kmsKeyId"),
    ),
    made={"resourceId": "{id}"},
    asides=(
        *("applyImmediately", "allowMajorVersionUpgrade", "skipFinalSnapshot", "blueGreenUpdate"),
        *("finalSnapshotIdentifier", "deleteAutomatedBackups"),
    ),
    kept={
        "port": Lack("modify_db_instance", "moto does not change it"),
        **dict.fromkeys(
            (
                *("performanceInsightsEnabled", "performanceInsightsKmsKeyId", "networkType"),
                *("performanceInsightsRetentionPeriod", "databaseInsightsMode"),
                "dedicatedLogVolume",
            ),
            Lack("create_db_instance", "moto does not keep it"),
        ),
    },
    updates=(
        Call(
            "modify_db_instance", {"DBInstanceIdentifier": "{identifier}", "ApplyImmediately": True}
        ),
    ),
    parts=(Part(("enabledCloudwatchLogsExports",), _export_logs),),
    tagging=_RDS_TAGS,
    more=_instance,
    ready={"DBInstanceStatus": "available"},
    secrets=("password",),
)

_GROUP = {"DBSubnetGroupName": "{id}"}
SUBNET_GROUP = AwsType(
    "aws:rds/subnetGroup:SubnetGroup",
    "rds",
    create=Call("create_db_subnet_group", at="DBSubnetGroup"),
    identity="{name}",
    read=Call("describe_db_subnet_groups", _GROUP, at="DBSubnetGroups"),
    delete=Call("delete_db_subnet_group", _GROUP),
    required=("name",),
    names={"name": "DBSubnetGroupName", "description": "DBSubnetGroupDescription"},
    answers={"subnetIds": "Subnets[].SubnetIdentifier", "arn": "DBSubnetGroupArn"},
    replaces=("name",),
    computed=("arn", "supportedNetworkTypes", "vpcId"),
    defaults={"description": "Managed by Pulumi"},
    gaps={
        name: Lack("modify_db_subnet_group", "moto forgets a group that it modifies: made again")
        for name in ("description", "subnetIds")
    },
    updates=(remake,),
    tagging=_RDS_TAGS,
)


def _wanted_parameters(context: Context) -> Values:
    """Those that the program names: moto cannot take one back."""
    wanted = {one["name"] for one in context.inputs.get("parameters") or ()}
    answer = context.ask("describe_db_parameters", DBParameterGroupName=context.values["id"])
    live = {one["ParameterName"]: one for one in answer["Parameters"]}
    return {
        "parameters": [
            {**one, "value": live[one["name"]]["ParameterValue"]}
            for one in context.inputs.get("parameters") or ()
            if one["name"] in live.keys() & wanted
        ]
    }


_PARAMETERS = {"DBParameterGroupName": "{id}"}
PARAMETER_GROUP = AwsType(
    "aws:rds/parameterGroup:ParameterGroup",
    "rds",
    create=Call("create_db_parameter_group", at="DBParameterGroup"),
    identity="{name}",
    read=Call("describe_db_parameter_groups", _PARAMETERS, at="DBParameterGroups"),
    delete=Call("delete_db_parameter_group", _PARAMETERS),
    required=("name",),
    names={
        "name": "DBParameterGroupName",
        "family": "DBParameterGroupFamily",
        "parameters.name": "ParameterName",
        "parameters.value": "ParameterValue",
    },
    answers={"arn": "DBParameterGroupArn"},
    replaces=("name", "family", "description"),
    computed=("arn",),
    defaults={"description": "Managed by Pulumi"},
    asides=("skipDestroy",),
    gaps={"parameters": Lack("reset_db_parameter_group", "a parameter is never taken back")},
    parts=(
        Part(
            ("parameters",),
            Call("modify_db_parameter_group", _PARAMETERS),
            _wanted_parameters,
        ),
    ),
    tagging=_RDS_TAGS,
)

_SECRET = {"SecretId": "{id}"}
SECRET = AwsType(
    "aws:secretsmanager/secret:Secret",
    "secretsmanager",
    create=Call("create_secret"),
    identity="{ARN}",
    read=Call("describe_secret", _SECRET),
    find=Call("describe_secret", {"SecretId": "{name}"}),
    # At once: a name in its recovery window could not be made again.
    delete=Call("delete_secret", {**_SECRET, "ForceDeleteWithoutRecovery": True}),
    required=("name",),
    replaces=("name", "replicas"),
    names={"replicas": "AddReplicaRegions"},
    computed=("arn", "policy"),
    asides=("recoveryWindowInDays", "forceOverwriteReplicaSecret"),
    updates=(Call("update_secret", _SECRET),),
    parts=(
        Part(
            ("policy",),
            Call("put_resource_policy", _SECRET),
            Call("get_resource_policy", _SECRET),
            Call("delete_resource_policy", _SECRET),
        ),
    ),
    tagging=Tagging("tag_resource", "untag_resource", _SECRET),
)


def _version_id(context: Context) -> str:
    return str(context.values["id"]).rpartition("|")[2]


SECRET_VERSION = AwsType(
    "aws:secretsmanager/secretVersion:SecretVersion",
    "secretsmanager",
    create=Call("put_secret_value"),
    identity="{ARN}|{VersionId}",
    read=Call("describe_secret", {"SecretId": "{secretId}"}),
    replaces=("secretId", "secretString", "secretBinary", "versionStages"),
    computed=("arn", "secretArn", "versionId", "hasSecretStringWo"),
    made={"secretArn": "{secretId}", "versionId": _version_id, "hasSecretStringWo": False},
    secrets=("secretString", "secretBinary"),
)

KINDS = (INSTANCE, SUBNET_GROUP, PARAMETER_GROUP, SECRET, SECRET_VERSION)
