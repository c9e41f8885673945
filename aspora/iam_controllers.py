"""IAM policies of the controllers that act on AWS for the cluster: Karpenter, load balancers, DNS.

What a controller may change is bounded by the cluster's own tag, so that two clusters in one
account do not touch each other's machines. The sets of actions follow each project's published
policy (Karpenter's CloudFormation template, the controllers' installation pages), narrowed.
"""

from __future__ import annotations

from collections.abc import Sequence

from aspora.iam import Statement, allow

KARPENTER_READS = (
    "ec2:DescribeCapacityReservations",
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
)
LOAD_BALANCERS_READ = (
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstances",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVpcs",
    "ec2:GetSecurityGroupsForVpc",
    "elasticloadbalancing:DescribeListenerAttributes",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
)
LOAD_BALANCERS_CHANGE = (
    "elasticloadbalancing:CreateListener",
    "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteTargetGroup",
    "elasticloadbalancing:DeregisterTargets",
    "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "elasticloadbalancing:ModifyTargetGroup",
    "elasticloadbalancing:ModifyTargetGroupAttributes",
    "elasticloadbalancing:RegisterTargets",
    "elasticloadbalancing:SetIpAddressType",
    "elasticloadbalancing:SetSecurityGroups",
    "elasticloadbalancing:SetSubnets",
)
"""Of load balancers and target groups that are the cluster's already."""


def karpenter(
    cluster: str, region: str, account: str, node_role_arn: str, queue_arn: str
) -> list[Statement]:
    """Start, tag and end instances of this cluster, and hear of interruptions."""
    return [
        *_machines(cluster, region, account),
        allow(
            KARPENTER_READS,
            ["*"],
            {"StringEquals": {"aws:RequestedRegion": region}},
        ),
        allow(["ssm:GetParameter"], [f"arn:aws:ssm:{region}::parameter/aws/service/*"]),
        allow(["pricing:GetProducts"], ["*"]),
        allow(["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], [queue_arn]),
        allow(
            ["iam:PassRole"],
            [node_role_arn],
            {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        ),
        *_profiles(cluster, account),
        allow(["eks:DescribeCluster"], [f"arn:aws:eks:{region}:{account}:cluster/{cluster}"]),
    ]


def _machines(cluster: str, region: str, account: str) -> list[Statement]:
    """Start and tag instances in the cluster's name, and end those that carry it."""
    ec2 = f"arn:aws:ec2:{region}"
    owned, ours = _tags(cluster)
    pooled = {"aws:RequestTag/karpenter.sh/nodepool": "*"}
    return [
        allow(
            ["ec2:RunInstances", "ec2:CreateFleet"],
            [
                *(f"{ec2}::{kind}/*" for kind in ("image", "snapshot")),
                *(
                    f"{ec2}:{account}:{kind}/*"
                    for kind in ("security-group", "subnet", "capacity-reservation")
                ),
            ],
        ),
        allow(
            ["ec2:RunInstances", "ec2:CreateFleet"],
            [f"{ec2}:{account}:launch-template/*"],
            {"StringEquals": ours},
        ),
        allow(
            ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate"],
            [
                f"{ec2}:{account}:{kind}/*"
                for kind in (
                    "fleet",
                    "instance",
                    "volume",
                    "network-interface",
                    "launch-template",
                    "spot-instances-request",
                )
            ],
            {"StringEquals": owned, "StringLike": pooled},
        ),
        allow(
            ["ec2:CreateTags"],
            [f"{ec2}:{account}:*/*"],
            {
                "StringEquals": {
                    **owned,
                    "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"],
                }
            },
        ),
        allow(
            ["ec2:CreateTags"],
            [f"{ec2}:{account}:instance/*"],
            {
                "StringEquals": ours,
                "ForAllValues:StringEquals": {
                    "aws:TagKeys": ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"]
                },
            },
        ),
        allow(
            ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
            [f"{ec2}:{account}:{kind}/*" for kind in ("instance", "launch-template")],
            {"StringEquals": ours},
        ),
    ]


def _profiles(cluster: str, account: str) -> list[Statement]:
    """Instance profiles, which give a machine its role."""
    profile = f"arn:aws:iam::{account}:instance-profile/*"
    owned, ours = _tags(cluster)
    return [
        allow(["iam:CreateInstanceProfile"], [profile], {"StringEquals": owned}),
        allow(
            ["iam:TagInstanceProfile"],
            [profile],
            {"StringEquals": ours | owned},
        ),
        allow(
            [
                "iam:AddRoleToInstanceProfile",
                "iam:RemoveRoleFromInstanceProfile",
                "iam:DeleteInstanceProfile",
            ],
            [profile],
            {"StringEquals": ours},
        ),
        allow(["iam:GetInstanceProfile"], [profile]),
        allow(["iam:ListInstanceProfiles"], ["*"]),
    ]


def _tags(cluster: str) -> tuple[dict[str, str], dict[str, str]]:
    """Conditions: what is made gets the cluster's tag; what is changed has it."""
    tag = f"kubernetes.io/cluster/{cluster}"
    return {f"aws:RequestTag/{tag}": "owned"}, {f"aws:ResourceTag/{tag}": "owned"}


def load_balancers(cluster: str, region: str, account: str) -> list[Statement]:
    """Network load balancers and target groups of this cluster (AWS Load Balancer Controller)."""
    elb = f"arn:aws:elasticloadbalancing:{region}:{account}"
    balancers = [f"{elb}:{kind}/*" for kind in ("loadbalancer/net", "loadbalancer/app")]
    everything = [*balancers, f"{elb}:targetgroup/*/*"]
    owned = {"StringEquals": {"aws:RequestTag/elbv2.k8s.aws/cluster": cluster}}
    ours = {"StringEquals": {"aws:ResourceTag/elbv2.k8s.aws/cluster": cluster}}
    return [
        allow(
            LOAD_BALANCERS_READ,
            ["*"],
            {"StringEquals": {"aws:RequestedRegion": region}},
        ),
        allow(
            [
                "elasticloadbalancing:CreateLoadBalancer",
                "elasticloadbalancing:CreateTargetGroup",
            ],
            everything,
            owned,
        ),
        allow(
            LOAD_BALANCERS_CHANGE,
            everything,
            ours,
        ),
        allow(
            [
                "elasticloadbalancing:DeleteListener",
                "elasticloadbalancing:ModifyListener",
                "elasticloadbalancing:ModifyListenerAttributes",
            ],
            [f"{elb}:listener/net/*", f"{elb}:listener/app/*"],
            ours,
        ),
        allow(["elasticloadbalancing:AddTags"], [*everything, f"{elb}:listener/*"], owned),
        allow(
            ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"],
            [*everything, f"{elb}:listener/*"],
            ours,
        ),
        *_security_groups(cluster, region, account, owned, ours),
    ]


def _security_groups(
    cluster: str, region: str, account: str, owned: Statement, ours: Statement
) -> list[Statement]:
    groups = f"arn:aws:ec2:{region}:{account}:security-group/*"
    return [
        allow(["ec2:CreateSecurityGroup"], [f"arn:aws:ec2:{region}:{account}:vpc/*"]),
        allow(["ec2:CreateSecurityGroup", "ec2:CreateTags"], [groups], owned),
        allow(
            [
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupIngress",
                "ec2:DeleteSecurityGroup",
            ],
            [groups],
            ours,
        ),
        # And the nodes' own group, which EKS makes and tags, so that targets are reached.
        allow(
            ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"],
            [groups],
            {"StringEquals": {f"aws:ResourceTag/kubernetes.io/cluster/{cluster}": "owned"}},
        ),
    ]


def dns(zone_arns: Sequence[str]) -> list[Statement]:
    """Records of the stack's own zones: external-dns."""
    return [
        allow(
            [
                "route53:ChangeResourceRecordSets",
                "route53:ListResourceRecordSets",
                "route53:ListTagsForResources",
            ],
            list(zone_arns),
        ),
        allow(["route53:ListHostedZones", "route53:ListHostedZonesByName"], ["*"]),
        allow(["route53:GetChange"], ["arn:aws:route53:::change/*"]),
    ]


def challenges(zone_arns: Sequence[str]) -> list[Statement]:
    """cert-manager's DNS-01: TXT records below _acme-challenge of the stack's own zones."""
    return [
        allow(
            ["route53:ChangeResourceRecordSets"],
            list(zone_arns),
            {
                "ForAllValues:StringEquals": {
                    "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"]
                },
                "ForAllValues:StringLike": {
                    "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["_acme-challenge.*"]
                },
            },
        ),
        allow(["route53:ListResourceRecordSets"], list(zone_arns)),
        allow(["route53:ListHostedZonesByName"], ["*"]),
        allow(["route53:GetChange"], ["arn:aws:route53:::change/*"]),
    ]
