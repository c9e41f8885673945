"""The network: VPCs, subnets, routes, gateways, endpoints, flow logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.providers.aws_entry import AwsType, Call, Lack, Part, Tagging

if TYPE_CHECKING:
    from local.providers.aws_context import Context

Values = dict[str, Any]

EC2_TAGS = Tagging("create_tags", "delete_tags", {"Resources": "{id}"})
_ARN = "arn:aws:ec2:{region}:{account}:"


def _vpc_defaults(context: Context) -> Values:
    """What every VPC is born with."""
    of_vpc = {"Name": "vpc-id", "Values": [context.values["id"]]}
    default = {"Name": "default", "Values": ["true"]}
    main = {"Name": "association.main", "Values": ["true"]}
    named = {"Name": "group-name", "Values": ["default"]}
    acls = context.ask("describe_network_acls", Filters=[of_vpc, default])["NetworkAcls"]
    tables = context.ask("describe_route_tables", Filters=[of_vpc, main])["RouteTables"]
    groups = context.ask("describe_security_groups", Filters=[of_vpc, named])["SecurityGroups"]
    found = {
        "defaultNetworkAclId": acls and acls[0]["NetworkAclId"],
        "mainRouteTableId": tables and tables[0]["RouteTableId"],
        "defaultRouteTableId": tables and tables[0]["RouteTableId"],
        "defaultSecurityGroupId": groups and groups[0]["GroupId"],
    }
    return {name: value for name, value in found.items() if value}


def _delete_vpc(context: Context) -> None:
    """moto leaves network interfaces of its own behind; in life AWS's services remove theirs."""
    identity = context.values["id"]
    of_vpc = [{"Name": "vpc-id", "Values": [identity]}]
    for found in context.ask("describe_network_interfaces", Filters=of_vpc)["NetworkInterfaces"]:
        context.drop("delete_network_interface", NetworkInterfaceId=found["NetworkInterfaceId"])
    context.ask("delete_vpc", VpcId=identity)


VPC = AwsType(
    "aws:ec2/vpc:Vpc",
    "ec2",
    create=Call("create_vpc", at="Vpc"),
    identity="{VpcId}",
    read=Call("describe_vpcs", {"VpcIds": "{id}"}, at="Vpcs"),
    delete=_delete_vpc,
    names={"assignGeneratedIpv6CidrBlock": "AmazonProvidedIpv6CidrBlock"},
    replaces=("cidrBlock", "instanceTenancy"),
    computed=(
        *("arn", "defaultNetworkAclId", "defaultRouteTableId", "defaultSecurityGroupId"),
        *("dhcpOptionsId", "mainRouteTableId", "ownerId", "ipv6AssociationId"),
    ),
    made={"arn": _ARN + "vpc/{id}"},
    parts=(
        Part(
            ("enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics"),
            Call("modify_vpc_attribute", {"VpcId": "{id}"}, each=True),
            Call("describe_vpc_attribute", {"VpcId": "{id}", "Attribute": "{property}"}, each=True),
        ),
    ),
    tagging=EC2_TAGS,
    tag_resource="vpc",
    more=_vpc_defaults,
)


def _attach_gateway(context: Context, values: Values) -> None:
    _detach_gateway(context)
    if values["vpcId"]:
        identity = context.values["id"]
        context.ask("attach_internet_gateway", InternetGatewayId=identity, VpcId=values["vpcId"])


def _detach_gateway(context: Context) -> None:
    identity = context.values["id"]
    answer = context.ask("describe_internet_gateways", InternetGatewayIds=[identity])
    for found in answer["InternetGateways"][0].get("Attachments", ()):
        context.drop("detach_internet_gateway", InternetGatewayId=identity, VpcId=found["VpcId"])


def _delete_gateway(context: Context) -> None:
    _detach_gateway(context)
    context.ask("delete_internet_gateway", InternetGatewayId=context.values["id"])


INTERNET_GATEWAY = AwsType(
    "aws:ec2/internetGateway:InternetGateway",
    "ec2",
    create=Call("create_internet_gateway", at="InternetGateway"),
    identity="{InternetGatewayId}",
    read=Call("describe_internet_gateways", {"InternetGatewayIds": "{id}"}, at="InternetGateways"),
    delete=_delete_gateway,
    answers={"vpcId": "Attachments.VpcId"},
    computed=("arn", "ownerId"),
    made={"arn": _ARN + "internet-gateway/{id}", "ownerId": "{account}"},
    parts=(Part(("vpcId",), _attach_gateway),),
    tagging=EC2_TAGS,
    tag_resource="internet-gateway",
)

SUBNET = AwsType(
    "aws:ec2/subnet:Subnet",
    "ec2",
    create=Call("create_subnet", at="Subnet"),
    identity="{SubnetId}",
    read=Call("describe_subnets", {"SubnetIds": "{id}"}, at="Subnets"),
    delete=Call("delete_subnet", {"SubnetId": "{id}"}),
    answers={"privateDnsHostnameTypeOnLaunch": "PrivateDnsNameOptionsOnLaunch.HostnameType"},
    replaces=("vpcId", "cidrBlock", "availabilityZone"),
    computed=(
        *("arn", "availabilityZone", "availabilityZoneId", "ownerId"),
        "ipv6CidrBlockAssociationId",
    ),
    made={"arn": _ARN + "subnet/{id}"},
    parts=(
        Part(
            ("mapPublicIpOnLaunch", "assignIpv6AddressOnCreation"),
            Call("modify_subnet_attribute", {"SubnetId": "{id}"}, each=True),
        ),
    ),
    tagging=EC2_TAGS,
    tag_resource="subnet",
)


def _delete_table(context: Context) -> None:
    """What is still associated goes first; the engine may remove both at once."""
    answer = context.ask("describe_route_tables", RouteTableIds=[context.values["id"]])
    for found in answer["RouteTables"][0].get("Associations", ()):
        if not found.get("Main"):
            context.drop("disassociate_route_table", AssociationId=found["RouteTableAssociationId"])
    context.ask("delete_route_table", RouteTableId=context.values["id"])


ROUTE_TABLE = AwsType(
    "aws:ec2/routeTable:RouteTable",
    "ec2",
    create=Call("create_route_table", at="RouteTable"),
    identity="{RouteTableId}",
    read=Call("describe_route_tables", {"RouteTableIds": "{id}"}, at="RouteTables"),
    delete=_delete_table,
    replaces=("vpcId",),
    computed=("arn", "ownerId"),
    made={"arn": _ARN + "route-table/{id}", "ownerId": "{account}"},
    tagging=EC2_TAGS,
    tag_resource="route-table",
)

_ROUTE = {
    "RouteTableId": "{routeTableId}",
    "DestinationCidrBlock": "{destinationCidrBlock}",
    "DestinationIpv6CidrBlock": "{destinationIpv6CidrBlock}",
    "DestinationPrefixListId": "{destinationPrefixListId}",
}
ROUTE = AwsType(
    "aws:ec2/route:Route",
    "ec2",
    create=Call("create_route", {"RouteTableId": "{routeTableId}"}),
    identity="r-{routeTableId}-{unique}",
    read=Call(
        "describe_route_tables",
        {"RouteTableIds": "{routeTableId}"},
        at="RouteTables.Routes",
        where={name: value for name, value in _ROUTE.items() if name != "RouteTableId"},
    ),
    delete=Call("delete_route", _ROUTE),
    names={"egressOnlyGatewayId": "EgressOnlyInternetGatewayId"},
    replaces=tuple(value.strip("{}") for value in _ROUTE.values()),
    computed=("instanceId", "instanceOwnerId", "origin", "state"),
    updates=(Call("replace_route", _ROUTE),),
)

ROUTE_TABLE_ASSOCIATION = AwsType(
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "ec2",
    create=Call("associate_route_table"),
    identity="{AssociationId}",
    read=Call(
        "describe_route_tables",
        {"Filters": [{"Name": "association.route-table-association-id", "Values": ["{id}"]}]},
        at="RouteTables.Associations",
        where={"RouteTableAssociationId": "{id}"},
    ),
    delete=Call("disassociate_route_table", {"AssociationId": "{id}"}),
)

EIP = AwsType(
    "aws:ec2/eip:Eip",
    "ec2",
    create=Call("allocate_address"),
    identity="{AllocationId}",
    read=Call("describe_addresses", {"AllocationIds": "{id}"}, at="Addresses"),
    delete=Call("release_address", {"AllocationId": "{id}"}),
    replaces=("domain", "networkBorderGroup", "address", "publicIpv4Pool"),
    computed=(
        *("allocationId", "arn", "publicIp", "publicDns"),
        *("carrierIp", "customerOwnedIp", "ptrRecord"),
    ),
    made={"arn": _ARN + "elastic-ip/{id}"},
    tagging=EC2_TAGS,
    tag_resource="elastic-ip",
)


def _delete_nat(context: Context) -> None:
    """moto leaves the gateway's network interface; AWS removes it and frees the address."""
    identity = context.values["id"]
    answer = context.ask("describe_nat_gateways", NatGatewayIds=[identity])["NatGateways"]
    context.ask("delete_nat_gateway", NatGatewayId=identity)
    for address in answer[0].get("NatGatewayAddresses", ()) if answer else ():
        if address.get("AssociationId"):
            context.drop("disassociate_address", AssociationId=address["AssociationId"])
        context.drop("delete_network_interface", NetworkInterfaceId=address["NetworkInterfaceId"])


NAT_GATEWAY = AwsType(
    "aws:ec2/natGateway:NatGateway",
    "ec2",
    create=Call("create_nat_gateway", at="NatGateway"),
    identity="{NatGatewayId}",
    read=Call("describe_nat_gateways", {"NatGatewayIds": "{id}"}, at="NatGateways"),
    delete=_delete_nat,
    names={"privateIp": "PrivateIpAddress"},
    answers={
        "allocationId": "NatGatewayAddresses.AllocationId",
        "associationId": "NatGatewayAddresses.AssociationId",
        "networkInterfaceId": "NatGatewayAddresses.NetworkInterfaceId",
        "privateIp": "NatGatewayAddresses.PrivateIp",
        "publicIp": "NatGatewayAddresses.PublicIp",
    },
    computed=(
        *("associationId", "networkInterfaceId", "privateIp", "publicIp", "vpcId"),
        *("autoProvisionZones", "autoScalingIps", "regionalNatGatewayAddresses"),
        *("regionalNatGatewayAutoMode", "routeTableId"),
    ),
    tagging=EC2_TAGS,
    tag_resource="natgateway",
    gone={"State": ("deleting", "deleted")},
    ready={"State": "available"},
)


def _modify_endpoint(context: Context, values: Values) -> None:
    """The API adds and removes members of each set."""
    identity = context.values["id"]
    answer = context.ask("describe_vpc_endpoints", VpcEndpointIds=[identity])["VpcEndpoints"][0]
    groups = [group["GroupId"] for group in answer.get("Groups", ())]
    sets = {
        "routeTableIds": ("RouteTableIds", answer.get("RouteTableIds", ())),
        "subnetIds": ("SubnetIds", answer.get("SubnetIds", ())),
        "securityGroupIds": ("SecurityGroupIds", groups),
    }
    parameters: Values = {}
    for name in values.keys() & sets.keys():
        member, live = sets[name]
        wanted = values[name] or []
        parameters[f"Add{member}"] = sorted(set(wanted) - set(live))
        parameters[f"Remove{member}"] = sorted(set(live) - set(wanted))
    if values.get("policy"):
        parameters["PolicyDocument"] = values["policy"]
    given = {name: value for name, value in parameters.items() if value}
    context.ask("modify_vpc_endpoint", VpcEndpointId=identity, **given)


def _prefix_list(context: Context) -> Values:
    """The addresses of a gateway endpoint's service, which security groups name."""
    named = [{"Name": "prefix-list-name", "Values": [context.values["serviceName"]]}]
    found = context.ask("describe_prefix_lists", Filters=named)["PrefixLists"]
    gateway = context.raw.get("VpcEndpointType") == "Gateway"
    return {"prefixListId": found[0]["PrefixListId"]} if gateway and found else {}


VPC_ENDPOINT = AwsType(
    "aws:ec2/vpcEndpoint:VpcEndpoint",
    "ec2",
    create=Call("create_vpc_endpoint", at="VpcEndpoint"),
    identity="{VpcEndpointId}",
    read=Call("describe_vpc_endpoints", {"VpcEndpointIds": "{id}"}, at="VpcEndpoints"),
    delete=Call("delete_vpc_endpoints", {"VpcEndpointIds": "{id}"}),
    names={"policy": "PolicyDocument"},
    answers={"securityGroupIds": "Groups[].GroupId"},
    kept={"privateDnsEnabled": Lack("modify_vpc_endpoint", "moto does not change it")},
    computed=(
        *("arn", "cidrBlocks", "dnsEntries", "networkInterfaceIds", "ownerId", "policy"),
        *("prefixListId", "requesterManaged", "state"),
    ),
    made={"arn": _ARN + "vpc-endpoint/{id}", "ownerId": "{account}"},
    parts=(Part(("routeTableIds", "subnetIds", "securityGroupIds", "policy"), _modify_endpoint),),
    more=_prefix_list,
    tagging=EC2_TAGS,
    tag_resource="vpc-endpoint",
    gone={"State": ("deleting", "deleted")},
)

FLOW_LOG = AwsType(
    "aws:ec2/flowLog:FlowLog",
    "ec2",
    create=Call(
        "create_flow_logs", {"ResourceIds": "{vpcId}", "ResourceType": "VPC"}, at="FlowLogIds"
    ),
    identity="",
    read=Call("describe_flow_logs", {"FlowLogIds": "{id}"}, at="FlowLogs"),
    delete=Call("delete_flow_logs", {"FlowLogIds": "{id}"}),
    names={"iamRoleArn": "DeliverLogsPermissionArn"},
    answers={"vpcId": "ResourceId"},
    computed=("arn", "logDestination", "logFormat"),
    made={"arn": _ARN + "vpc-flow-log/{id}"},
    tagging=EC2_TAGS,
    tag_resource="vpc-flow-log",
)

KINDS = (
    *(VPC, INTERNET_GATEWAY, SUBNET, ROUTE_TABLE, ROUTE, ROUTE_TABLE_ASSOCIATION),
    *(EIP, NAT_GATEWAY, VPC_ENDPOINT, FLOW_LOG),
)
