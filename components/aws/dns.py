"""Route 53: the stack's zones, the roles that write to them, and the DNS Firewall."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from aspora import iam, iam_controllers
from components.aws.identity import PodRole, PodRoleArgs
from components.aws.site import Site

THREATS = ("DNS_TUNNELING", "DGA")
"""What DNS Firewall Advanced looks for: data carried out in queries, and generated domains."""


@dataclass(frozen=True)
class ZonesArgs:
    """The VPC that sees the private zone."""

    site: Site
    vpc_id: pulumi.Input[str]


class Zones(pulumi.ComponentResource):
    """The public zone, to be delegated by its name servers, and the private one."""

    def __init__(
        self, name: str, args: ZonesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Zones", name, None, opts)
        site, wanted = args.site, args.site.aws.dns
        self.public = aws.route53.Zone(
            wanted.public_zone,
            name=wanted.public_zone,
            comment=f"{site.name}: public",
            force_destroy=not site.protect,
            tags=site.tags(),
            opts=pulumi.ResourceOptions(parent=self, protect=site.protect),
        )
        self.private = aws.route53.Zone(
            wanted.private_zone,
            name=wanted.private_zone,
            comment=f"{site.name}: inside the VPC alone",
            force_destroy=not site.protect,
            vpcs=[{"vpc_id": args.vpc_id}],
            tags=site.tags(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"nameServers": self.public.name_servers})

    @property
    def arns(self) -> pulumi.Output[list[str]]:
        """Of both zones."""
        return pulumi.Output.all(self.public.arn, self.private.arn)


@dataclass(frozen=True)
class ControllersArgs:
    """The controllers that act on AWS for the cluster, and the zones two of them write to."""

    site: Site
    cluster: aws.eks.Cluster
    zones: Zones


class Controllers(pulumi.ComponentResource):
    """A role of its own for the load balancer controller, external-dns and cert-manager."""

    def __init__(
        self, name: str, args: ControllersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Controllers", name, None, opts)
        site = args.site
        balancers = iam.document(
            iam_controllers.load_balancers(site.name, site.region, site.account)
        )
        records = args.zones.arns.apply(lambda arns: iam.document(iam_controllers.dns(arns)))
        challenges = args.zones.arns.apply(
            lambda arns: iam.document(iam_controllers.challenges(arns))
        )
        for namespace, account, policy in (
            ("kube-system", "aws-load-balancer-controller", balancers),
            ("external-dns", "external-dns", records),
            ("cert-manager", "cert-manager", challenges),
        ):
            PodRole(
                f"{site.name}-{account}",
                PodRoleArgs(site, args.cluster, namespace, account, policy),
                pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


@dataclass(frozen=True)
class DnsFirewallArgs:
    """The VPC whose queries are looked at."""

    site: Site
    vpc_id: pulumi.Input[str]


class DnsFirewall(pulumi.ComponentResource):
    """Resolver DNS Firewall Advanced: queries that look like tunnelling are blocked."""

    def __init__(
        self, name: str, args: DnsFirewallArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:DnsFirewall", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        full = f"{site.name}-dns"
        group = aws.route53.ResolverFirewallRuleGroup(full, name=full, tags=site.tags(), opts=child)
        for priority, threat in enumerate(THREATS, start=1):
            aws.route53.ResolverFirewallRule(
                f"{full}-{threat.lower()}",
                name=f"{full}-{threat.lower().replace('_', '-')}",
                firewall_rule_group_id=group.id,
                priority=priority * 100,
                action="BLOCK",
                block_response="NODATA",
                dns_threat_protection=threat,
                confidence_threshold="HIGH",
                opts=child,
            )
        aws.route53.ResolverFirewallRuleGroupAssociation(
            full,
            name=full,
            firewall_rule_group_id=group.id,
            vpc_id=args.vpc_id,
            priority=101,
            mutation_protection="ENABLED" if site.protect else "DISABLED",
            tags=site.tags(),
            opts=child,
        )
        self.register_outputs({})
