"""Terraform's names for the AWS types the program registers, where no rule gives them.

Pulumi's AWS provider is made from Terraform's: a token `aws:rds/instance:Instance` stands for
`aws_db_instance`, a list of blocks `rules` for the block `rule`. Names are those of the pages
"Resource: aws_…" in the documentation of Terraform's AWS provider.
"""

from __future__ import annotations

from collections.abc import Mapping

from aspora.errors import AsporaError

TABLES = "aspora/terraform_types.py"


class Untranslatable(AsporaError):
    """A resource or a property whose name in Terraform is not in these tables."""


_REGISTERED: Mapping[str, str] = {
    "budgets": "budget",
    "cloudtrail": "trail",
    "cloudwatch": "eventRule eventTarget logGroup",
    "costexplorer": "costAllocationTag",
    "ebs": "encryptionByDefault",
    "ec2": (
        "defaultSecurityGroup eip flowLog internetGateway launchTemplate natGateway route "
        "routeTable routeTableAssociation securityGroup subnet vpc vpcEndpoint"
    ),
    "ecr": "lifecyclePolicy repository",
    "eks": "accessEntry accessPolicyAssociation addon cluster nodeGroup podIdentityAssociation",
    "elasticache": (
        "parameterGroup replicationGroup subnetGroup user userGroup userGroupAssociation"
    ),
    "guardduty": "detector detectorFeature",
    "iam": "openIdConnectProvider policy role rolePolicy rolePolicyAttachment",
    "kms": "alias key",
    "rds": "instance parameterGroup subnetGroup",
    "route53": (
        "resolverFirewallRule resolverFirewallRuleGroup resolverFirewallRuleGroupAssociation zone"
    ),
    "s3": (
        "bucket bucketLifecycleConfiguration bucketLogging bucketOwnershipControls bucketPolicy "
        "bucketPublicAccessBlock bucketServerSideEncryptionConfiguration bucketVersioning"
    ),
    "secretsmanager": "secret secretVersion",
    "sqs": "queue queuePolicy",
    "vpc": "securityGroupEgressRule securityGroupIngressRule",
}
"""Every type there is a translation for: Pulumi's module, and the resources in it."""

_PREFIXES: Mapping[str, str] = {"costexplorer": "aws_ce", "ec2": "aws", "rds": "aws_db"}
"""Terraform's prefix where it is not `aws_` and Pulumi's module."""

_RENAMED: Mapping[str, str] = {
    "cloudtrail/trail": "aws_cloudtrail",
    "iam/openIdConnectProvider": "aws_iam_openid_connect_provider",
}
"""Terraform's name where the rule gives another."""

PROPERTIES: Mapping[str, Mapping[str, str]] = {
    "aws_budgets_budget": {
        "costFilters": "cost_filter",
        "notifications": "notification",
        "plannedLimits": "planned_limit",
    },
    "aws_cloudtrail": {
        "advancedEventSelectors": "advanced_event_selector",
        "dataResources": "data_resource",
        "endsWiths": "ends_with",
        "eventSelectors": "event_selector",
        "fieldSelectors": "field_selector",
        "insightSelectors": "insight_selector",
        "notEndsWiths": "not_ends_with",
        "notStartsWiths": "not_starts_with",
        "startsWiths": "starts_with",
    },
    "aws_db_parameter_group": {"parameters": "parameter"},
    "aws_default_security_group": {"egress": "egress", "ingress": "ingress"},
    "aws_ecr_repository": {
        "encryptionConfigurations": "encryption_configuration",
        "imageTagMutabilityExclusionFilters": "image_tag_mutability_exclusion_filter",
    },
    "aws_eks_addon": {"podIdentityAssociations": "pod_identity_association"},
    "aws_eks_node_group": {
        "nodeRepairConfigOverrides": "node_repair_config_overrides",
        "taints": "taint",
    },
    "aws_elasticache_parameter_group": {"parameters": "parameter"},
    "aws_elasticache_replication_group": {
        "logDeliveryConfigurations": "log_delivery_configuration",
        "nodeGroupConfigurations": "node_group_configuration",
    },
    "aws_guardduty_detector_feature": {"additionalConfigurations": "additional_configuration"},
    "aws_iam_openid_connect_provider": {
        "clientIdLists": "client_id_list",
        "thumbprintLists": "thumbprint_list",
    },
    "aws_iam_role": {"inlinePolicies": "inline_policy"},
    "aws_launch_template": {
        "blockDeviceMappings": "block_device_mappings",
        "licenseSpecifications": "license_specification",
        "networkInterfaces": "network_interfaces",
        "tagSpecifications": "tag_specifications",
    },
    "aws_route53_zone": {"vpcs": "vpc"},
    "aws_route_table": {"routes": "route"},
    "aws_s3_bucket_lifecycle_configuration": {
        "noncurrentVersionTransitions": "noncurrent_version_transition",
        "rules": "rule",
        "transitions": "transition",
    },
    "aws_s3_bucket_server_side_encryption_configuration": {"rules": "rule"},
    "aws_secretsmanager_secret": {"replicas": "replica"},
    "aws_security_group": {"egress": "egress", "ingress": "ingress"},
    "aws_vpc_endpoint": {"subnetConfigurations": "subnet_configuration"},
}
"""Names of properties for which snake case does not do. Every list of blocks stands here, so that
one nobody has looked up is an error and not a block that no check ever sees."""

MAPS: Mapping[str, frozenset[str]] = {
    "aws_cloudwatch_event_target": frozenset(
        {
            "ecsTarget.tags",
            "httpTarget.headerParameters",
            "httpTarget.queryStringParameters",
            "inputTransformer.inputPaths",
        }
    ),
    "aws_eks_node_group": frozenset({"labels"}),
    "aws_launch_template": frozenset({"tagSpecifications.tags"}),
    "aws_s3_bucket_lifecycle_configuration": frozenset({"rules.filter.and.tags"}),
}
"""Properties whose keys are the user's, besides `tags`; all other mappings are single blocks."""


def terraform_type(token: str) -> str:
    """`aws:s3/bucketVersioning:BucketVersioning` as `aws_s3_bucket_versioning`.

    Raises Untranslatable for a type nobody has looked up.
    """
    member = token.split(":")[1] if token.count(":") == 2 else ""
    module, _, resource = member.partition("/")
    if resource not in _REGISTERED.get(module, "").split():
        raise Untranslatable(
            f"the policy checks do not know {token}",
            hint=f"add it to the tables of {TABLES}, under its name in Terraform",
        )
    prefix = _PREFIXES.get(module, f"aws_{module}")
    return _RENAMED.get(member) or f"{prefix}_{snake_case(resource)}"


def known_tokens() -> tuple[str, ...]:
    """Every `module/resource` there is a translation for."""
    return tuple(
        f"{module}/{name}" for module, names in _REGISTERED.items() for name in names.split()
    )


def snake_case(name: str) -> str:
    """`cidrIpv4` as `cidr_ipv4`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
