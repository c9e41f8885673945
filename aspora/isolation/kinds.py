"""Kinds of objects and types of AWS resources: those that the proof reads, and those that open
nothing, each with the reason.

What is named nowhere may open a path that this package knows nothing of: it breaks the proof until
somebody decides what it is. A kind is one of its own API group only: a NetworkPolicy of Calico's is
no NetworkPolicy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

READ: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("Namespace", "Service", "ConfigMap", "Pod"),
    "admissionregistration.k8s.io": (
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ),
    "apps": ("Deployment", "StatefulSet", "DaemonSet"),
    "argoproj.io": ("Application", "AppProject", "Rollout"),
    "batch": ("Job", "CronJob"),
    "cert-manager.io": ("Certificate", "ClusterIssuer"),
    "clickhouse.com": ("ClickHouseCluster", "KeeperCluster"),
    "extensions.agents.x-k8s.io": ("SandboxTemplate",),
    "external-secrets.io": ("SecretStore", "ExternalSecret"),
    "karpenter.k8s.aws": ("EC2NodeClass",),
    "networking.istio.io": (
        *("Gateway", "VirtualService", "DestinationRule", "ServiceEntry"),
        *("Sidecar", "EnvoyFilter"),
    ),
    "networking.k8s.io": ("NetworkPolicy",),
    "node.k8s.io": ("RuntimeClass",),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    "security.istio.io": ("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"),
}
OPEN_NOTHING: Final[Mapping[str, Mapping[str, str]]] = {
    "": {
        "LimitRange": "amounts",
        "ResourceQuota": "amounts",
        "ServiceAccount": "a name: what it may do, bindings and the trusts of roles say",
    },
    "extensions.agents.x-k8s.io": {"SandboxWarmPool": "how many pods of a template of its place"},
    "karpenter.sh": {"NodePool": "how many machines of an EC2NodeClass, and for which pods"},
    "keda.sh": {"ScaledObject": "how many pods of a Deployment of its place"},
    "monitoring.coreos.com": {
        "AlertmanagerConfig": "whom alerts go to; which addresses, NetworkPolicies say",
        "PodMonitor": "whom Prometheus asks; whether it may, NetworkPolicies say",
        "PrometheusRule": "arithmetic",
    },
    "opentelemetry.io": {
        "Instrumentation": "code and settings for pods that ask for them: with the pods' own ways",
    },
    "policy": {"PodDisruptionBudget": "amounts"},
    "scheduling.k8s.io": {"PriorityClass": "amounts"},
    "storage.k8s.io": {"StorageClass": "disks, each of one claim"},
    "telemetry.istio.io": {"Telemetry": "what proxies tell the collectors that the mesh names"},
}
"""Kinds that open no path by themselves, and why."""
_KNOWN: Final = {
    **{kind: group for group, kinds in READ.items() for kind in kinds},
    **{kind: group for group, kinds in OPEN_NOTHING.items() for kind in kinds},
}

AWS_READ: Final = frozenset(
    {
        *("aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy"),
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:eks/podIdentityAssociation:PodIdentityAssociation",
        "aws:eks/accessEntry:AccessEntry",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        *("aws:eks/cluster:Cluster", "aws:eks/addon:Addon"),
        *("aws:s3/bucket:Bucket", "aws:s3/bucketPolicy:BucketPolicy"),
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        *("aws:kms/key:Key", "aws:ec2/vpcEndpoint:VpcEndpoint"),
        *("aws:elasticache/user:User", "aws:ec2/launchTemplate:LaunchTemplate"),
    }
)
AWS_OPEN_NOTHING: Final[Mapping[str, tuple[str, ...]]] = {
    "the VPC's own lines: whom pods reach on them, NetworkPolicies say": (
        *("ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/routeTable:RouteTable", "ec2/route:Route"),
        "ec2/routeTableAssociation:RouteTableAssociation",
        *("ec2/internetGateway:InternetGateway", "ec2/natGateway:NatGateway", "ec2/eip:Eip"),
        *("ec2/securityGroup:SecurityGroup", "ec2/defaultSecurityGroup:DefaultSecurityGroup"),
        "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        *("rds/subnetGroup:SubnetGroup", "elasticache/subnetGroup:SubnetGroup"),
        *("route53/zone:Zone", "route53/resolverFirewallRule:ResolverFirewallRule"),
        "route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup",
        "route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation",
    ),
    "a store: who may do what in it, users and IAM say": (
        *("rds/instance:Instance", "rds/parameterGroup:ParameterGroup"),
        *("elasticache/replicationGroup:ReplicationGroup", "elasticache/userGroup:UserGroup"),
        "elasticache/userGroupAssociation:UserGroupAssociation",
        *("secretsmanager/secret:Secret", "secretsmanager/secretVersion:SecretVersion"),
        *("kms/alias:Alias", "ecr/repository:Repository", "ecr/lifecyclePolicy:LifecyclePolicy"),
    ),
    "how a bucket keeps what it has": (
        "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        *("s3/bucketVersioning:BucketVersioning", "s3/bucketLogging:BucketLogging"),
        "ebs/encryptionByDefault:EncryptionByDefault",
    ),
    "logs, alarms and amounts": (
        *("budgets/budget:Budget", "cloudwatch/logGroup:LogGroup", "ec2/flowLog:FlowLog"),
        *("cloudtrail/trail:Trail", "guardduty/detector:Detector"),
        "guardduty/detectorFeature:DetectorFeature",
    ),
    "news of machines that go away, for Karpenter": (
        *("cloudwatch/eventRule:EventRule", "cloudwatch/eventTarget:EventTarget"),
        *("sqs/queue:Queue", "sqs/queuePolicy:QueuePolicy"),
    ),
    "machines of a launch template, with a role that is looked at": ("eks/nodeGroup:NodeGroup",),
    "who signs tokens; whose are taken, the trusts of roles say": (
        "iam/openIdConnectProvider:OpenIdConnectProvider",
    ),
}
"""Why some types open nothing, and which; none of them may hold a policy of its own."""
AWS_KNOWN: Final = AWS_READ | {f"aws:{one}" for ones in AWS_OPEN_NOTHING.values() for one in ones}
WITH_POLICY: Final = AWS_READ | {
    *("aws:sqs/queuePolicy:QueuePolicy", "aws:ecr/lifecyclePolicy:LifecyclePolicy"),
}
"""Types whose policies are looked at; and that of Karpenter's queue, which holds no data, and those
that only say how long an image is kept."""


def kind_of(obj: Mapping[str, Any]) -> str:
    """The kind of an object, with its API group where that is not the one that we know."""
    kind, group = str(obj["kind"]), str(obj.get("apiVersion", "")).rpartition("/")[0]
    return kind if _KNOWN.get(kind, group) == group else f"{kind} of {group or 'the core group'}"


def is_known(kind: str) -> bool:
    """Whether somebody decided what it is."""
    return kind in _KNOWN
