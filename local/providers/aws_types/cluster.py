"""EKS: the cluster and its node groups, and what moto does not know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.providers.aws_entry import AwsType, Call, Lack, Part, Tagging

if TYPE_CHECKING:
    from local.providers.aws_context import Context

Values = dict[str, Any]

NEVER = "1970-01-01T00:00:00Z"
"""A time that nobody takes for a real one: what the stand-in keeps was made nowhere."""

_ARN = "arn:aws:eks:{region}:{account}:"
_CLUSTER_GROUP = "eks-cluster-sg-{id}"


def _logging(context: Context) -> Values:
    """Which logs are on; the API takes them as a block of their own."""
    types = context.inputs.get("enabledClusterLogTypes") or []
    return {"clusterLogging": [{"types": types, "enabled": bool(types)}]}


def _logged(context: Context) -> Values:
    answer = context.ask("describe_cluster", name=context.values["id"])["cluster"]
    found = [
        one
        for block in answer.get("logging", {}).get("clusterLogging", ())
        if block.get("enabled")
        for one in block["types"]
    ]
    wanted = context.inputs.get("enabledClusterLogTypes") or []
    return {"enabledClusterLogTypes": wanted if sorted(wanted) == sorted(found) else found}


def _group(context: Context) -> Values | None:
    """The security group that EKS makes for a cluster."""
    named = {"Name": "group-name", "Values": [context.fill(_CLUSTER_GROUP)]}
    answer = context.ask("describe_security_groups", "ec2", Filters=[named])["SecurityGroups"]
    return answer[0] if answer else None


def _make_group(context: Context) -> None:
    """moto makes none, and rules name it."""
    subnets = context.inputs["vpcConfig"]["subnetIds"]
    vpc = context.ask("describe_subnets", "ec2", SubnetIds=subnets)["Subnets"][0]["VpcId"]
    name = context.fill(_CLUSTER_GROUP)
    tags = [{"Key": f"kubernetes.io/cluster/{context.values['id']}", "Value": "owned"}]
    context.ask(
        "create_security_group",
        "ec2",
        GroupName=name,
        Description="EKS created security group",
        VpcId=vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
    )


def _seen(context: Context) -> Values:
    """Outputs that the SDK writes otherwise than the API."""
    answer = context.raw
    group = _group(context) or {}
    network = {
        **context.inputs["vpcConfig"],
        **context.values.get("vpcConfig", {}),
        "clusterSecurityGroupId": group.get("GroupId"),
        "vpcId": group.get("VpcId"),
    }
    return {
        "vpcConfig": {name: value for name, value in network.items() if value is not None},
        "identities": [{"oidcs": [{"issuer": answer["identity"]["oidc"]["issuer"]}]}],
    }


def _delete_cluster(context: Context) -> None:
    group = _group(context)
    context.ask("delete_cluster", name=context.values["id"])
    if group:
        context.drop("delete_security_group", "ec2", GroupId=group["GroupId"])


_LOGS = ("enabledClusterLogTypes",)
_IGNORED = "moto does not keep it"

CLUSTER = AwsType(
    "aws:eks/cluster:Cluster",
    "eks",
    create=Call("create_cluster", {"logging": _logging}, at="cluster", uses=_LOGS),
    identity="{name}",
    read=Call("describe_cluster", {"name": "{id}"}, at="cluster"),
    delete=_delete_cluster,
    required=("name",),
    names={"vpcConfig": "resourcesVpcConfig"},
    replaces=(
        *("name", "roleArn", "encryptionConfig", "bootstrapSelfManagedAddons", "outpostConfig"),
        *("accessConfig.bootstrapClusterCreatorAdminPermissions", "kubernetesNetworkConfig"),
    ),
    computed=(
        *("arn", "certificateAuthority", "clusterId", "createdAt", "endpoint", "identities"),
        *("platformVersion", "status", "version", "kubernetesNetworkConfig"),
        *("vpcConfig.clusterSecurityGroupId", "vpcConfig.vpcId"),
    ),
    asides=("forceUpdateVersion", "defaultAddonsToRemoves"),
    kept={
        "version": Lack("update_cluster_version"),
        **dict.fromkeys(
            (
                *("accessConfig", "bootstrapSelfManagedAddons", "deletionProtection"),
                *("upgradePolicy", "zonalShiftConfig", "computeConfig", "storageConfig"),
            ),
            Lack("create_cluster", _IGNORED),
        ),
    },
    updates=(Call("update_cluster_config", {"name": "{id}"}),),
    parts=(
        Part(
            _LOGS,
            Call("update_cluster_config", {"name": "{id}", "logging": _logging}, uses=_LOGS),
            _logged,
        ),
    ),
    tagging=Tagging("tag_resource", "untag_resource", {"resourceArn": "{arn}"}),
    after=_make_group,
    more=_seen,
    ready={"status": "ACTIVE"},
)


def _relabel(context: Context, values: Values) -> None:
    """The API adds and removes labels and taints by name."""
    answer = context.ask(
        "describe_nodegroup",
        clusterName=context.values["clusterName"],
        nodegroupName=context.values["nodeGroupName"],
    )["nodegroup"]
    changes: Values = {}
    if "labels" in values:
        wanted, live = values["labels"] or {}, answer.get("labels", {})
        changes["labels"] = {
            "addOrUpdateLabels": wanted,
            "removeLabels": sorted(live.keys() - wanted.keys()),
        }
    if "taints" in values:
        wanted, live = values["taints"] or [], answer.get("taints", [])
        changes["taints"] = {
            "addOrUpdateTaints": wanted,
            "removeTaints": [taint for taint in live if taint not in wanted],
        }
    context.ask(
        "update_nodegroup_config",
        clusterName=context.values["clusterName"],
        nodegroupName=context.values["nodeGroupName"],
        **changes,
    )


def _resources(context: Context) -> Values:
    """A block in the API, a list of one in the SDK."""
    groups = context.raw.get("resources", {}).get("autoScalingGroups", ())
    return {"resources": [{"autoscalingGroups": [{"name": one["name"]} for one in groups]}]}


_NODES = {"clusterName": "{clusterName}", "nodegroupName": "{nodeGroupName}"}

NODE_GROUP = AwsType(
    "aws:eks/nodeGroup:NodeGroup",
    "eks",
    create=Call("create_nodegroup", at="nodegroup"),
    identity="{clusterName}:{nodeGroupName}",
    read=Call("describe_nodegroup", _NODES, at="nodegroup"),
    delete=Call("delete_nodegroup", _NODES),
    required=("nodeGroupName",),
    names={"nodeRoleArn": "nodeRole", "subnetIds": "subnets"},
    answers={"arn": "nodegroupArn"},
    replaces=(
        *("clusterName", "nodeGroupName", "nodeRoleArn", "subnetIds", "amiType"),
        *("capacityType", "diskSize", "instanceTypes", "remoteAccess"),
        *("launchTemplate.id", "launchTemplate.name"),
    ),
    computed=("arn", "resources", "status", "version", "releaseVersion"),
    asides=("forceUpdateVersion",),
    kept={
        **dict.fromkeys(
            ("version", "releaseVersion", "launchTemplate"), Lack("update_nodegroup_version")
        ),
        **dict.fromkeys(("updateConfig", "nodeRepairConfig"), Lack("create_nodegroup", _IGNORED)),
        "tags": Lack("tag_resource", "moto changes the tags of clusters alone"),
    },
    updates=(Call("update_nodegroup_config", _NODES),),
    parts=(Part(("labels", "taints"), _relabel),),
    more=_resources,
    tagging=Tagging("tag_resource", "untag_resource", {"resourceArn": "{arn}"}),
    ready={"status": "ACTIVE"},
)

ADDON = AwsType(
    "aws:eks/addon:Addon",
    "eks",
    create=Call("create_addon"),
    identity="{clusterName}:{addonName}",
    read=Call("describe_addon"),
    lacks=Lack("create_addon"),
    names={"resolveConflictsOnCreate": "resolveConflicts"},
    asides=("preserve", "resolveConflictsOnUpdate"),
    replaces=("clusterName", "addonName", "namespaceConfig"),
    computed=("arn", "createdAt", "modifiedAt"),
    made={
        "arn": _ARN + "addon/{clusterName}/{addonName}/{unique}",
        "createdAt": NEVER,
        "modifiedAt": NEVER,
    },
    tagging=Tagging("tag_resource", "untag_resource", {"resourceArn": "{arn}"}),
)

ACCESS_ENTRY = AwsType(
    "aws:eks/accessEntry:AccessEntry",
    "eks",
    create=Call("create_access_entry"),
    identity="{clusterName}:{principalArn}",
    read=Call("describe_access_entry"),
    lacks=Lack("create_access_entry"),
    names={"userName": "username"},
    replaces=("clusterName", "principalArn", "type"),
    computed=("accessEntryArn", "createdAt", "modifiedAt", "kubernetesGroups", "userName"),
    defaults={"type": "STANDARD"},
    made={
        "accessEntryArn": _ARN + "access-entry/{clusterName}/{unique}",
        "createdAt": NEVER,
        "modifiedAt": NEVER,
    },
    tagging=Tagging("tag_resource", "untag_resource", {"resourceArn": "{accessEntryArn}"}),
)

ACCESS_POLICY_ASSOCIATION = AwsType(
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    "eks",
    create=Call("associate_access_policy"),
    identity="{clusterName}#{principalArn}#{policyArn}",
    read=Call("list_associated_access_policies"),
    lacks=Lack("associate_access_policy"),
    replaces=("clusterName", "principalArn", "policyArn", "accessScope"),
    computed=("associatedAt", "modifiedAt"),
    made={"associatedAt": NEVER, "modifiedAt": NEVER},
)

POD_IDENTITY_ASSOCIATION = AwsType(
    "aws:eks/podIdentityAssociation:PodIdentityAssociation",
    "eks",
    create=Call("create_pod_identity_association"),
    identity="a-{unique}",
    read=Call("describe_pod_identity_association"),
    lacks=Lack("create_pod_identity_association"),
    replaces=("clusterName", "namespace", "serviceAccount"),
    computed=("associationArn", "associationId", "externalId"),
    made={
        "associationId": "{id}",
        "associationArn": _ARN + "podidentityassociation/{clusterName}/{id}",
    },
    tagging=Tagging("tag_resource", "untag_resource", {"resourceArn": "{associationArn}"}),
)

KINDS = (
    *(CLUSTER, NODE_GROUP, ADDON, ACCESS_ENTRY, ACCESS_POLICY_ASSOCIATION),
    POD_IDENTITY_ASSOCIATION,
)
