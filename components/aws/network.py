"""The VPC: public, node, database and endpoint subnets over the zones, and every way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from aspora import iam, names
from components.aws.site import Site, role


@dataclass(frozen=True)
class NetworkArgs:
    """`log_key` encrypts the flow logs (an ARN)."""

    site: Site
    log_key: pulumi.Input[str]


class Network(pulumi.ComponentResource):
    """Ids of the VPC and its subnets, each list in the order of the zones.

    Nodes have a way out through NAT; databases and interface endpoints have none.
    """

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Network", name, None, opts)
        self._site = args.site
        self._child = pulumi.ResourceOptions(parent=self)
        ranges = args.site.settings.network
        self.vpc = self._vpc(ranges.vpc_cidr)
        self.public = self._subnets(
            "public", args.site.aws.network.public_cidrs, {"kubernetes.io/role/elb": "1"}
        )
        self.nodes = self._subnets(
            "nodes",
            ranges.node_cidrs,
            {"kubernetes.io/role/internal-elb": "1", names.DISCOVERY_TAG: args.site.name},
        )
        self.databases = self._subnets("databases", ranges.database_cidrs, {})
        self.endpoints = self._subnets("endpoints", ranges.endpoint_cidrs, {})
        self._ways_out()
        self._closed()
        self._interface_endpoints()
        self._flow_log(args.log_key)
        self.register_outputs({"vpcId": self.vpc.id})

    def _named(self, part: str) -> str:
        return f"{self._site.name}-{part}"

    def _vpc(self, cidr: str) -> aws.ec2.Vpc:
        vpc = aws.ec2.Vpc(
            self._named("vpc"),
            cidr_block=cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self._site.tags(self._named("vpc")),
            opts=self._child,
        )
        # Whatever names no security group of its own may talk to nobody.
        aws.ec2.DefaultSecurityGroup(
            self._named("default"),
            vpc_id=vpc.id,
            tags=self._site.tags(self._named("default")),
            opts=self._child,
        )
        return vpc

    def _subnets(
        self, kind: str, cidrs: Sequence[str], tags: dict[str, str]
    ) -> list[aws.ec2.Subnet]:
        return [
            aws.ec2.Subnet(
                self._named(f"{kind}-{zone}"),
                vpc_id=self.vpc.id,
                cidr_block=cidr,
                availability_zone=zone,
                map_public_ip_on_launch=False,
                tags=self._site.tags(self._named(f"{kind}-{zone}")) | tags,
                opts=self._child,
            )
            for zone, cidr in zip(self._site.aws.network.zones, cidrs, strict=True)
        ]

    def _ways_out(self) -> None:
        """The Internet for public subnets; NAT for nodes, one for all or one a zone."""
        zones = self._site.aws.network.zones
        gateway = aws.ec2.InternetGateway(
            self._named("internet"),
            vpc_id=self.vpc.id,
            tags=self._site.tags(self._named("internet")),
            opts=self._child,
        )
        self._route("public", self.public, gateway_id=gateway.id)
        count = 1 if self._site.aws.network.nat == "single" else len(zones)
        nats = [
            self._nat(zone, subnet, gateway)
            for zone, subnet in zip(zones[:count], self.public[:count], strict=True)
        ]
        for index, (zone, subnet) in enumerate(zip(zones, self.nodes, strict=True)):
            nat = nats[index % len(nats)]
            self._route(f"nodes-{zone}", [subnet], nat_gateway_id=nat.id)

    def _nat(
        self, zone: str, subnet: aws.ec2.Subnet, gateway: aws.ec2.InternetGateway
    ) -> aws.ec2.NatGateway:
        name = self._named(f"nat-{zone}")
        address = aws.ec2.Eip(name, domain="vpc", tags=self._site.tags(name), opts=self._child)
        return aws.ec2.NatGateway(
            name,
            allocation_id=address.id,
            subnet_id=subnet.id,
            tags=self._site.tags(name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway]),
        )

    def _closed(self) -> None:
        """Databases and endpoints: local routes alone."""
        self._route("closed", [*self.databases, *self.endpoints])

    def _route(
        self,
        kind: str,
        subnets: Sequence[aws.ec2.Subnet],
        *,
        gateway_id: pulumi.Input[str] | None = None,
        nat_gateway_id: pulumi.Input[str] | None = None,
    ) -> None:
        """A route table of its own for `subnets`, with a default route when a gateway is given."""
        name = self._named(kind)
        table = aws.ec2.RouteTable(
            name, vpc_id=self.vpc.id, tags=self._site.tags(name), opts=self._child
        )
        if gateway_id is not None or nat_gateway_id is not None:
            aws.ec2.Route(
                name,
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                gateway_id=gateway_id,
                nat_gateway_id=nat_gateway_id,
                opts=self._child,
            )
        for index, subnet in enumerate(subnets):
            aws.ec2.RouteTableAssociation(
                f"{name}-{index}",
                route_table_id=table.id,
                subnet_id=subnet.id,
                opts=self._child,
            )

    def _interface_endpoints(self) -> None:
        """AWS services inside the VPC, so that NetworkPolicies can name where they are."""
        name = self._named("endpoints")
        group = aws.ec2.SecurityGroup(
            name,
            name=name,
            description="HTTPS from nodes and pods to the interface endpoints",
            vpc_id=self.vpc.id,
            tags=self._site.tags(name),
            opts=self._child,
        )
        for cidr in self._site.settings.network.node_cidrs:
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-{cidr}",
                security_group_id=group.id,
                description="HTTPS from nodes and pods",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                cidr_ipv4=cidr,
                tags=self._site.tags(),
                opts=self._child,
            )
        subnets = self.endpoints[: self._site.aws.network.endpoint_zones]
        for service in self._site.aws.network.endpoints:
            aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=self.vpc.id,
                service_name=f"com.amazonaws.{self._site.region}.{service}",
                vpc_endpoint_type="Interface",
                # S3's needs to be told that pods, not only on-premises resolvers, use the name.
                dns_options={"private_dns_only_for_inbound_resolver_endpoint": False}
                if service == "s3"
                else None,
                private_dns_enabled=True,
                policy=iam.document(iam.endpoint(service, self._site.region, self._site.account)),
                subnet_ids=[subnet.id for subnet in subnets],
                security_group_ids=[group.id],
                tags=self._site.tags(f"{self._site.name}-{service}"),
                opts=self._child,
            )

    def _flow_log(self, log_key: pulumi.Input[str]) -> None:
        """Accepted and refused connections, kept for as long as the stack says."""
        name = self._named("flow-log")
        group = aws.cloudwatch.LogGroup(
            name,
            name=f"/aws/vpc/{self._site.name}",
            retention_in_days=self._site.aws.network.flow_log_days,
            kms_key_id=log_key,
            tags=self._site.tags(),
            opts=self._child,
        )
        writer = role(
            name,
            self._site,
            iam.trust_service("vpc-flow-logs.amazonaws.com", self._site.account),
            self._child,
        )
        rights = aws.iam.RolePolicy(
            name,
            name=name,
            role=writer.id,
            policy=group.arn.apply(lambda arn: iam.document(iam.write_logs(arn))),
            opts=self._child,
        )
        aws.ec2.FlowLog(
            name,
            vpc_id=self.vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=writer.arn,
            max_aggregation_interval=60,
            tags=self._site.tags(name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rights]),
        )
