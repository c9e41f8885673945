"""Route 53's zones and DNS Firewall; budgets and cost-allocation tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.providers.aws_context import remake
from local.providers.aws_entry import AwsType, Call, Lack, Part, Tagging
from local.providers.aws_shapes import MISSING

if TYPE_CHECKING:
    from local.providers.aws_context import Context

Values = dict[str, Any]


def _associate(context: Context, values: Values) -> None:
    """A private zone is made with its first VPC; the others come after."""
    live = _vpcs(context)
    wanted = values["vpcs"] or []
    for one in wanted:
        if one["vpcId"] not in live:
            context.ask(
                "associate_vpc_with_hosted_zone",
                HostedZoneId=context.values["id"],
                VPC=_vpc(context, one),
            )
    for identity in live.keys() - {one["vpcId"] for one in wanted}:
        context.ask(
            "disassociate_vpc_from_hosted_zone",
            HostedZoneId=context.values["id"],
            VPC={"VPCId": identity, "VPCRegion": live[identity]},
        )


def _vpcs(context: Context) -> dict[str, str]:
    answer = context.ask("get_hosted_zone", Id=context.values["id"])
    return {one["VPCId"]: one["VPCRegion"] for one in answer.get("VPCs", ())}


def _vpc(context: Context, one: Values) -> Values:
    return {"VPCId": one["vpcId"], "VPCRegion": one.get("vpcRegion") or context.region}


def _live_vpcs(context: Context) -> Values:
    live = _vpcs(context)
    wanted = [one for one in context.inputs.get("vpcs") or () if one["vpcId"] in live]
    known = {one["vpcId"] for one in wanted}
    return {"vpcs": wanted + [{"vpcId": one} for one in sorted(live.keys() - known)]}


def _first_vpc(context: Context) -> Any:
    vpcs = context.inputs.get("vpcs")
    return _vpc(context, vpcs[0]) if vpcs else MISSING


def _privacy(context: Context) -> Any:
    return {"PrivateZone": True} if context.inputs.get("vpcs") else MISSING


def _delete_zone(context: Context) -> None:
    """Records that the program did not make go with the zone only by force."""
    identity = context.values["id"]
    if context.values.get("forceDestroy"):
        answer = context.ask("list_resource_record_sets", HostedZoneId=identity)
        changes = [
            {"Action": "DELETE", "ResourceRecordSet": record}
            for record in answer["ResourceRecordSets"]
            if record["Type"] not in ("NS", "SOA")
        ]
        if changes:
            context.ask(
                "change_resource_record_sets",
                HostedZoneId=identity,
                ChangeBatch={"Changes": changes},
            )
    context.ask("delete_hosted_zone", Id=identity)


def _zone_id(context: Context) -> Any:
    """Route 53 answers /hostedzone/Z…."""
    return str(context.raw["Id"]).rpartition("/")[2]


def _zone(context: Context) -> Values:
    answer = context.ask("get_hosted_zone", Id=context.values["id"])
    servers = sorted(answer.get("DelegationSet", {}).get("NameServers", ()))
    return {"nameServers": servers, **({"primaryNameServer": servers[0]} if servers else {})}


ZONE = AwsType(
    "aws:route53/zone:Zone",
    "route53",
    create=Call(
        "create_hosted_zone",
        {
            "CallerReference": "{unique}-{name}",
            "VPC": _first_vpc,
            "HostedZoneConfig": _privacy,
        },
        uses=("vpcs",),
        inside="HostedZoneConfig",
        at="HostedZone",
    ),
    identity=_zone_id,
    read=Call("get_hosted_zone", {"Id": "{id}"}, at="HostedZone"),
    delete=_delete_zone,
    required=("name",),
    answers={"comment": "Config.Comment"},
    unread=("name",),
    replaces=("name", "delegationSetId"),
    computed=("arn", "nameServers", "primaryNameServer", "zoneId"),
    made={"arn": "arn:aws:route53:::hostedzone/{id}", "zoneId": "{id}"},
    defaults={"comment": "Managed by Pulumi"},
    asides=("forceDestroy",),
    updates=(Call("update_hosted_zone_comment", {"Id": "{id}"}),),
    parts=(Part(("vpcs",), _associate, _live_vpcs),),
    tagging=Tagging(
        "change_tags_for_resource",
        "change_tags_for_resource",
        {"ResourceType": "hostedzone", "ResourceId": "{id}"},
        Call(
            "list_tags_for_resource",
            {"ResourceType": "hostedzone", "ResourceId": "{id}"},
            at="ResourceTagSet.Tags",
        ),
    ),
    more=_zone,
)

_RESOLVER = "arn:aws:route53resolver:{region}:{account}:"
_RESOLVER_TAGS = Tagging("tag_resource", "untag_resource", {"ResourceArn": "{arn}"})

FIREWALL_RULE_GROUP = AwsType(
    "aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup",
    "route53resolver",
    create=Call("create_firewall_rule_group", {"CreatorRequestId": "{unique}"}),
    identity="rslvr-frg-{unique}",
    read=Call("get_firewall_rule_group"),
    lacks=Lack("create_firewall_rule_group"),
    required=("name",),
    replaces=("name",),
    computed=("arn", "ownerId", "shareStatus"),
    made={
        "arn": _RESOLVER + "firewall-rule-group/{id}",
        "ownerId": "{account}",
        "shareStatus": "NOT_SHARED",
    },
    tagging=_RESOLVER_TAGS,
)

FIREWALL_DOMAIN_LIST = AwsType(
    "aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList",
    "route53resolver",
    create=Call("create_firewall_domain_list", {"CreatorRequestId": "{unique}"}),
    identity="rslvr-fdl-{unique}",
    read=Call("get_firewall_domain_list"),
    lacks=Lack("create_firewall_domain_list"),
    required=("name",),
    replaces=("name",),
    computed=("arn",),
    made={"arn": _RESOLVER + "firewall-domain-list/{id}"},
    parts=(Part(("domains",), Call("update_firewall_domains")),),
    tagging=_RESOLVER_TAGS,
)

FIREWALL_RULE = AwsType(
    "aws:route53/resolverFirewallRule:ResolverFirewallRule",
    "route53resolver",
    create=Call("create_firewall_rule", {"CreatorRequestId": "{unique}"}),
    identity="{firewallRuleGroupId}:{unique}",
    read=Call("list_firewall_rules"),
    lacks=Lack("create_firewall_rule"),
    required=("name",),
    replaces=(
        *("firewallRuleGroupId", "firewallDomainListId", "dnsThreatProtection"),
        "confidenceThreshold",
    ),
    computed=("firewallThreatProtectionId",),
    made={"firewallThreatProtectionId": "rslvr-ftp-{unique}"},
)

FIREWALL_ASSOCIATION = AwsType(
    "aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation",
    "route53resolver",
    create=Call("associate_firewall_rule_group", {"CreatorRequestId": "{unique}"}),
    identity="rslvr-frgassoc-{unique}",
    read=Call("get_firewall_rule_group_association"),
    lacks=Lack("associate_firewall_rule_group"),
    required=("name",),
    replaces=("firewallRuleGroupId", "vpcId"),
    computed=("arn",),
    defaults={"mutationProtection": "DISABLED"},
    made={"arn": _RESOLVER + "firewall-rule-group-association/{id}"},
    tagging=_RESOLVER_TAGS,
)


def _filters(context: Context) -> Any:
    """A list of named blocks in the SDK, a map in the API."""
    filters = context.inputs.get("costFilters")
    return {one["name"]: one["values"] for one in filters} if filters else MISSING


def _notifications(context: Context) -> Any:
    """Each with those whom it tells."""
    made = [_notification(one) for one in context.inputs.get("notifications") or ()]
    return made or MISSING


def _notification(one: Values) -> Values:
    addresses = {
        "EMAIL": one.get("subscriberEmailAddresses") or (),
        "SNS": one.get("subscriberSnsTopicArns") or (),
    }
    return {
        "Notification": {
            "NotificationType": one["notificationType"],
            "ComparisonOperator": one["comparisonOperator"],
            "Threshold": one["threshold"],
            "ThresholdType": one["thresholdType"],
        },
        "Subscribers": [
            {"SubscriptionType": kind, "Address": address}
            for kind, found in addresses.items()
            for address in found
        ],
    }


def _live_filters(context: Context) -> Values:
    """The map of the API as the SDK's list, in the program's order."""
    live = context.raw.get("CostFilters", {})
    wanted = [one["name"] for one in context.inputs.get("costFilters") or ()]
    names = sorted(live, key=lambda name: (name not in wanted, name))
    return {"costFilters": [{"name": name, "values": live[name]} for name in names]}


_BUDGET = {"AccountId": "{account}", "BudgetName": "{name}"}
BUDGET = AwsType(
    "aws:budgets/budget:Budget",
    "budgets",
    create=Call(
        "create_budget",
        {
            "AccountId": "{account}",
            "Budget": {
                "BudgetName": "{name}",
                "BudgetLimit": {"Amount": "{limitAmount}", "Unit": "{limitUnit}"},
                "CostFilters": _filters,
            },
            "NotificationsWithSubscribers": _notifications,
        },
        inside="Budget",
        uses=("costFilters", "notifications"),
    ),
    identity="{account}:{name}",
    read=Call("describe_budget", _BUDGET, at="Budget"),
    delete=Call("delete_budget", _BUDGET),
    required=("name",),
    answers={"limitAmount": "BudgetLimit.Amount", "limitUnit": "BudgetLimit.Unit"},
    replaces=("name", "accountId"),
    computed=("arn", "accountId"),
    made={"arn": "arn:aws:budgets::{account}:budget/{name}", "accountId": "{account}"},
    kept={"tags": Lack("tag_resource")},
    updates=(remake,),
    gaps={
        "notifications": Lack("create_subscriber", "read from the engine's state alone"),
        "costFilters": Lack("update_budget", "a change makes the budget again"),
    },
    tagging=Tagging("tag_resource", "untag_resource", {"ResourceARN": "{arn}"}),
    more=_live_filters,
)

COST_ALLOCATION_TAG = AwsType(
    "aws:costexplorer/costAllocationTag:CostAllocationTag",
    "ce",
    create=Call(
        "update_cost_allocation_tags_status",
        {"CostAllocationTagsStatus": [{"TagKey": "{tagKey}", "Status": "{status}"}]},
    ),
    identity="{tagKey}",
    read=Call("list_cost_allocation_tags"),
    lacks=Lack("update_cost_allocation_tags_status"),
    replaces=("tagKey",),
    computed=("type",),
    made={"type": "UserDefined"},
)

KINDS = (
    *(ZONE, FIREWALL_RULE_GROUP, FIREWALL_DOMAIN_LIST, FIREWALL_RULE, FIREWALL_ASSOCIATION),
    *(BUDGET, COST_ALLOCATION_TAG),
)
