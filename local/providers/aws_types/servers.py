"""What machines need on EC2: security groups and their rules, launch templates, encryption."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.providers.aws_entry import AwsType, Call, Lack, Part
from local.providers.aws_types.network import EC2_TAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.providers.aws_context import Context

Values = dict[str, Any]

_ARN = "arn:aws:ec2:{region}:{account}:"
_DIRECTIONS = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}


def _describe(context: Context) -> Values:
    answer = context.ask("describe_security_groups", GroupIds=[context.values["id"]])
    return dict(answer["SecurityGroups"][0])


def _put_rules(context: Context, values: Values) -> None:
    """The rules of a direction as a whole: what is there goes, what is wanted comes."""
    group = _describe(context)
    for direction, member in _DIRECTIONS.items():
        if direction not in values:
            continue
        if group.get(member):
            context.drop(
                f"revoke_security_group_{direction}",
                GroupId=context.values["id"],
                IpPermissions=group[member],
            )
        for rule in values[direction] or ():
            context.ask(
                f"authorize_security_group_{direction}",
                GroupId=context.values["id"],
                IpPermissions=[_permission(context, rule)],
            )


def _permission(context: Context, rule: Values) -> Values:
    """One rule in the form of the API."""
    words = {"Description": rule["description"]} if rule.get("description") else {}
    groups = [*(rule.get("securityGroups") or ())]
    if rule.get("self"):
        groups.append(context.values["id"])
    every = rule.get("protocol") == "-1"
    return {
        "IpProtocol": rule["protocol"],
        **({} if every else {"FromPort": rule["fromPort"], "ToPort": rule["toPort"]}),
        "IpRanges": [{"CidrIp": one, **words} for one in rule.get("cidrBlocks") or ()],
        "Ipv6Ranges": [{"CidrIpv6": one, **words} for one in rule.get("ipv6CidrBlocks") or ()],
        "PrefixListIds": [
            {"PrefixListId": one, **words} for one in rule.get("prefixListIds") or ()
        ],
        "UserIdGroupPairs": [{"GroupId": one, **words} for one in groups],
    }


def _empty_group(context: Context) -> None:
    """Before it goes: its own rules, and those of other groups that name it."""
    identity = context.values["id"]
    _put_rules(context, {"ingress": [], "egress": []})
    for direction, member in _DIRECTIONS.items():
        for group in context.ask("describe_security_groups")["SecurityGroups"]:
            stale = [
                {**rule, "UserIdGroupPairs": pairs, "IpRanges": [], "Ipv6Ranges": []}
                for rule in group.get(member, ())
                if (pairs := [p for p in rule["UserIdGroupPairs"] if p["GroupId"] == identity])
            ]
            for rule in stale:
                context.drop(
                    f"revoke_security_group_{direction}",
                    GroupId=group["GroupId"],
                    IpPermissions=[rule],
                )


def _delete_group(context: Context) -> None:
    _empty_group(context)
    context.ask("delete_security_group", GroupId=context.values["id"])


Rule = tuple[str, Any, Any, str, str]
_SOURCES = {
    "cidrBlocks": ("IpRanges", "CidrIp"),
    "ipv6CidrBlocks": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListIds": ("PrefixListIds", "PrefixListId"),
    "securityGroups": ("UserIdGroupPairs", "GroupId"),
}


def _get_rules(context: Context) -> Values:
    """Inline rules: as the program wrote them if the same are live, else one for each source."""
    found: Values = {}
    for direction, member in _DIRECTIONS.items():
        if direction in context.inputs:
            wanted = context.inputs[direction] or []
            live = _sources(_describe(context).get(member, ()))
            same = live == _sources([_permission(context, rule) for rule in wanted])
            found[direction] = wanted if same else [_rule(one) for one in sorted(live, key=str)]
    return found


def _sources(permissions: Any) -> set[Rule]:
    return {
        (one["IpProtocol"], one.get("FromPort"), one.get("ToPort"), name, source[key])
        for one in permissions
        for name, (member, key) in _SOURCES.items()
        for source in one.get(member, ())
    }


def _rule(source: Rule) -> Values:
    protocol, low, high, name, value = source
    return {"protocol": protocol, "fromPort": low or 0, "toPort": high or 0, name: [value]}


def _close(context: Context) -> None:
    """A new group lets everything out; the provider takes that rule away."""
    _put_rules(context, {"ingress": None, "egress": None})


_RULES = Part(("ingress", "egress"), _put_rules, _get_rules)
_READ_GROUP = Call("describe_security_groups", {"GroupIds": "{id}"}, at="SecurityGroups")
_GROUP_ARN = {"arn": _ARN + "security-group/{id}", "ownerId": "{account}"}

SECURITY_GROUP = AwsType(
    "aws:ec2/securityGroup:SecurityGroup",
    "ec2",
    create=Call("create_security_group"),
    identity="{GroupId}",
    read=_READ_GROUP,
    find=Call(
        "describe_security_groups",
        {
            "Filters": [
                {"Name": "group-name", "Values": ["{name}"]},
                {"Name": "vpc-id", "Values": ["{vpcId}"]},
            ]
        },
        at="SecurityGroups",
    ),
    delete=_delete_group,
    required=("name",),
    names={"name": "GroupName"},
    replaces=("name", "description", "vpcId"),
    computed=("arn", "ownerId", "vpcId"),
    made=_GROUP_ARN,
    defaults={"description": "Managed by Pulumi"},
    asides=("revokeRulesOnDelete",),
    parts=(_RULES,),
    tagging=EC2_TAGS,
    tag_resource="security-group",
    after=_close,
)

DEFAULT_SECURITY_GROUP = AwsType(
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    "ec2",
    create=Call(
        "describe_security_groups",
        {
            "Filters": [
                {"Name": "group-name", "Values": ["default"]},
                {"Name": "vpc-id", "Values": ["{vpcId}"]},
            ]
        },
        at="SecurityGroups",
    ),
    identity="{GroupId}",
    read=_READ_GROUP,
    names={"name": "GroupName"},
    replaces=("vpcId",),
    computed=("arn", "ownerId", "vpcId", "description", "name", "namePrefix"),
    made=_GROUP_ARN,
    asides=("revokeRulesOnDelete",),
    parts=(_RULES,),
    tagging=EC2_TAGS,
    after=_close,
)


def _port(name: str) -> Callable[[Context], Any]:
    """A port; -1 is every one, and moto wants to be told so."""
    return lambda context: context.inputs.get(name, -1)


def _rule_type(direction: str) -> AwsType:
    """A rule of its own. moto changes IPv4 rules in place, the others are made anew."""
    title = direction.title()
    words = {"Description": "{description}"}
    span = {"IpProtocol": "{ipProtocol}", "FromPort": "{fromPort}", "ToPort": "{toPort}"}
    permission = {
        **span,
        "IpRanges": [{"CidrIp": "{cidrIpv4}", **words}],
        "Ipv6Ranges": [{"CidrIpv6": "{cidrIpv6}", **words}],
        "PrefixListIds": [{"PrefixListId": "{prefixListId}", **words}],
        "UserIdGroupPairs": [{"GroupId": "{referencedSecurityGroupId}", **words}],
    }
    changed = {
        "IpProtocol": "{ipProtocol}",
        "FromPort": _port("fromPort"),
        "ToPort": _port("toPort"),
        "CidrIpv4": "{cidrIpv4}",
        "CidrIpv6": "{cidrIpv6}",
        "PrefixListId": "{prefixListId}",
        "ReferencedGroupId": "{referencedSecurityGroupId}",
        **words,
    }
    group = {"GroupId": "{securityGroupId}"}
    return AwsType(
        f"aws:vpc/securityGroup{title}Rule:SecurityGroup{title}Rule",
        "ec2",
        create=Call(
            f"authorize_security_group_{direction}",
            {**group, "IpPermissions": [permission]},
            at="SecurityGroupRules",
        ),
        identity="{SecurityGroupRuleId}",
        read=Call(
            "describe_security_group_rules",
            {"SecurityGroupRuleIds": "{id}"},
            at="SecurityGroupRules",
        ),
        delete=Call(
            f"revoke_security_group_{direction}", {**group, "SecurityGroupRuleIds": "{id}"}
        ),
        answers={
            "securityGroupId": "GroupId",
            "referencedSecurityGroupId": "ReferencedGroupInfo.GroupId",
        },
        replaces=("securityGroupId", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"),
        computed=("arn", "securityGroupRuleId"),
        gaps={
            "description": Lack(
                "describe_security_group_rules", "moto answers it for rules of addresses alone"
            ),
            **dict.fromkeys(
                ("cidrIpv6", "prefixListId", "referencedSecurityGroupId"),
                Lack("modify_security_group_rules", "moto changes IPv4 addresses alone: made anew"),
            ),
        },
        made={"arn": _ARN + "security-group-rule/{id}"},
        updates=(
            Call(
                "modify_security_group_rules",
                {
                    **group,
                    "SecurityGroupRules": [
                        {"SecurityGroupRuleId": "{id}", "SecurityGroupRule": changed}
                    ],
                },
                whole=True,
                uses=("fromPort", "toPort"),
            ),
        ),
        tagging=EC2_TAGS,
        tag_resource="security-group-rule",
    )


def _new_version(context: Context, values: Values) -> None:
    """A template never changes: a new version does."""
    data = context.parameters(LAUNCH_TEMPLATE.create, values)["LaunchTemplateData"]
    words = {"VersionDescription": values["description"]} if values.get("description") else {}
    identity = context.values["id"]
    answer = context.ask(
        "create_launch_template_version",
        LaunchTemplateId=identity,
        LaunchTemplateData=data,
        **words,
    )
    number = str(answer["LaunchTemplateVersion"]["VersionNumber"])
    if values.get("updateDefaultVersion"):
        context.ask("modify_launch_template", LaunchTemplateId=identity, DefaultVersion=number)


def _versions(context: Context) -> Values:
    answer = context.ask("describe_launch_templates", LaunchTemplateIds=[context.values["id"]])
    found = answer["LaunchTemplates"][0]
    more: Values = {
        "latestVersion": found["LatestVersionNumber"],
        "defaultVersion": found["DefaultVersionNumber"],
    }
    if "tagSpecifications" in context.inputs:  # moto adds the tags of the template itself
        specified = context.values.get("tagSpecifications") or []
        more["tagSpecifications"] = [
            one for one in specified if one["resourceType"] != "launch-template"
        ]
    return more


LAUNCH_TEMPLATE = AwsType(
    "aws:ec2/launchTemplate:LaunchTemplate",
    "ec2",
    create=Call("create_launch_template", inside="LaunchTemplateData", at="LaunchTemplate"),
    identity="{LaunchTemplateId}",
    read=Call(
        "describe_launch_template_versions",
        {"LaunchTemplateId": "{id}", "Versions": ["$Latest"]},
        inside="LaunchTemplateData",
        at="LaunchTemplateVersions",
    ),
    find=Call(
        "describe_launch_templates",
        {"Filters": [{"Name": "launch-template-name", "Values": ["{name}"]}]},
        at="LaunchTemplates",
    ),
    delete=Call("delete_launch_template", {"LaunchTemplateId": "{id}"}),
    required=("name",),
    names={
        "name": "LaunchTemplateName",
        "description": "VersionDescription",
        "vpcSecurityGroupIds": "SecurityGroupIds",
        "securityGroupNames": "SecurityGroups",
        "networkInterfaces.securityGroups": "Groups",
    },
    replaces=("name",),
    computed=("arn", "latestVersion", "defaultVersion"),
    moving=("latestVersion", "defaultVersion"),
    made={"arn": _ARN + "launch-template/{id}"},
    asides=("updateDefaultVersion",),
    updates=(_new_version,),
    tagging=replace(
        EC2_TAGS,
        listed=Call("describe_tags", {"Filters": [{"Name": "resource-id", "Values": ["{id}"]}]}),
    ),
    tag_resource="launch-template",
    more=_versions,
)


def _switch(context: Context, values: Values) -> None:
    verb = "disable" if values.get("enabled") is False else "enable"
    context.ask(f"{verb}_ebs_encryption_by_default")


ENCRYPTION_BY_DEFAULT = AwsType(
    "aws:ebs/encryptionByDefault:EncryptionByDefault",
    "ec2",
    create=Call("enable_ebs_encryption_by_default"),
    identity="ebs-encryption-{region}",
    read=Call("get_ebs_encryption_by_default"),
    delete=Call("disable_ebs_encryption_by_default"),
    answers={"enabled": "EbsEncryptionByDefault"},
    defaults={"enabled": True},
    parts=(Part(("enabled",), _switch),),
)

KINDS = (
    *(SECURITY_GROUP, DEFAULT_SECURITY_GROUP, LAUNCH_TEMPLATE, ENCRYPTION_BY_DEFAULT),
    *(_rule_type("ingress"), _rule_type("egress")),
)
