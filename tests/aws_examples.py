"""One hardened resource of every AWS type of the platform, as the engine sends it.

`${vpc.id}` stands for an output of another example, which is made first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, Any]

ACCOUNT = "123456789012"
OWNED = {"aspora.io/owner": "platform"}
TAGS = {**OWNED, "aspora:environment": "staging", "domain": "platform"}
MORE_TAGS = {**OWNED, "aspora:environment": "staging", "cost-center": "cc-1"}

_REFERENCE = re.compile(r"\$\{([\w-]+)\.([\w.]+)\}")


@dataclass(frozen=True)
class Example:
    """A resource: `change` updates it in place (null takes a property away)."""

    kind: str
    inputs: Values
    change: Values = field(default_factory=dict)
    after: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """The type token: ec2.Vpc is aws:ec2/vpc:Vpc."""
        module, _, name = self.kind.partition(".")
        return f"aws:{module}/{name[0].lower()}{name[1:]}:{name}"

    @property
    def changed(self) -> Values:
        """The inputs after the change."""
        merged = {**self.inputs, **self.change}
        return {name: value for name, value in merged.items() if value is not None}


def references(value: Any) -> list[str]:
    """The names of the examples that a value refers to."""
    text = json.dumps(value)
    return list(dict.fromkeys(name for name, _ in _REFERENCE.findall(text)))


def resolved(value: Any, output: Callable[[str, str], Any]) -> Any:
    """A value with its references filled; a text that is one reference takes over its type."""
    if isinstance(value, dict):
        return {key: resolved(one, output) for key, one in value.items()}
    if isinstance(value, list):
        return [resolved(one, output) for one in value]
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        return output(*whole.groups())
    return _REFERENCE.sub(lambda match: str(output(*match.groups())), value)


def policy(*actions: str, resource: str = "*", **more: Any) -> str:
    """A policy document of one statement."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(service: str) -> str:
    """An assume-role policy for a service."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


NETWORK: Mapping[str, Example] = {
    "vpc": Example(
        "ec2.Vpc",
        {
            "cidrBlock": "10.40.0.0/16",
            "enableDnsSupport": True,
            "enableDnsHostnames": True,
            "tags": TAGS,
        },
        {"enableDnsHostnames": False, "tags": MORE_TAGS},
    ),
    "internet": Example(
        "ec2.InternetGateway", {"vpcId": "${vpc.id}", "tags": TAGS}, {"tags": MORE_TAGS}
    ),
    "subnet": Example(
        "ec2.Subnet",
        {
            "vpcId": "${vpc.id}",
            "cidrBlock": "10.40.0.0/20",
            "availabilityZone": "us-east-1a",
            "mapPublicIpOnLaunch": False,
            "tags": {**TAGS, "karpenter.sh/discovery": "aspora-staging"},
        },
        {"mapPublicIpOnLaunch": True, "tags": MORE_TAGS},
    ),
    "subnet-b": Example(
        "ec2.Subnet",
        {
            "vpcId": "${vpc.id}",
            "cidrBlock": "10.40.16.0/20",
            "availabilityZone": "us-east-1b",
            "tags": TAGS,
        },
        {"tags": MORE_TAGS},
    ),
    "routes": Example("ec2.RouteTable", {"vpcId": "${vpc.id}", "tags": TAGS}, {"tags": MORE_TAGS}),
    "route": Example(
        "ec2.Route",
        {
            "routeTableId": "${routes.id}",
            "destinationCidrBlock": "0.0.0.0/0",
            "natGatewayId": "${nat.id}",
        },
        {"natGatewayId": None, "gatewayId": "${internet.id}"},
    ),
    "association": Example(
        "ec2.RouteTableAssociation",
        {"routeTableId": "${routes.id}", "subnetId": "${subnet.id}"},
    ),
    "address": Example("ec2.Eip", {"domain": "vpc", "tags": TAGS}, {"tags": MORE_TAGS}),
    "nat": Example(
        "ec2.NatGateway",
        {
            "allocationId": "${address.id}",
            "subnetId": "${subnet.id}",
            "connectivityType": "public",
            "tags": TAGS,
        },
        {"tags": MORE_TAGS},
    ),
    "s3-endpoint": Example(
        "ec2.VpcEndpoint",
        {
            "vpcId": "${vpc.id}",
            "serviceName": "com.amazonaws.us-east-1.s3",
            "vpcEndpointType": "Gateway",
            "routeTableIds": ["${routes.id}"],
            "policy": policy("s3:*"),
            "tags": TAGS,
        },
        {"policy": policy("s3:GetObject"), "tags": MORE_TAGS},
    ),
    "sts-endpoint": Example(
        "ec2.VpcEndpoint",
        {
            "vpcId": "${vpc.id}",
            "serviceName": "com.amazonaws.us-east-1.sts",
            "vpcEndpointType": "Interface",
            "privateDnsEnabled": True,
            "subnetIds": ["${subnet.id}"],
            "securityGroupIds": ["${group.id}"],
            "tags": TAGS,
        },
        {"subnetIds": ["${subnet.id}", "${subnet-b.id}"], "securityGroupIds": ["${nodes.id}"]},
    ),
    "flow-log": Example(
        "ec2.FlowLog",
        {
            "vpcId": "${vpc.id}",
            "trafficType": "ALL",
            "logDestinationType": "cloud-watch-logs",
            "logDestination": "${logs.arn}",
            "iamRoleArn": "${role.arn}",
            "maxAggregationInterval": 60,
            "tags": TAGS,
        },
        {"tags": MORE_TAGS},
    ),
    "default-group": Example(
        "ec2.DefaultSecurityGroup", {"vpcId": "${vpc.id}", "tags": TAGS}, {"tags": MORE_TAGS}
    ),
    "group": Example(
        "ec2.SecurityGroup",
        {
            "name": "aspora-staging-endpoints",
            "description": "VPC endpoints",
            "vpcId": "${vpc.id}",
            "revokeRulesOnDelete": True,
            "tags": TAGS,
        },
        {"tags": MORE_TAGS},
    ),
    "nodes": Example(
        "ec2.SecurityGroup",
        {
            "name": "aspora-staging-nodes",
            "description": "nodes",
            "vpcId": "${vpc.id}",
            "egress": [
                {
                    "fromPort": 443,
                    "toPort": 443,
                    "protocol": "tcp",
                    "cidrBlocks": ["10.40.0.0/16"],
                    "description": "TLS",
                }
            ],
            "tags": TAGS,
        },
        {
            "egress": [
                {"fromPort": 0, "toPort": 0, "protocol": "-1", "cidrBlocks": ["10.40.0.0/16"]}
            ]
        },
    ),
    "ingress": Example(
        "vpc.SecurityGroupIngressRule",
        {
            "securityGroupId": "${group.id}",
            "ipProtocol": "tcp",
            "fromPort": 443,
            "toPort": 443,
            "cidrIpv4": "10.40.0.0/16",
            "description": "TLS from the VPC",
            "tags": TAGS,
        },
        {"cidrIpv4": "10.40.0.0/20", "description": "TLS", "tags": MORE_TAGS},
    ),
    "ingress-of-group": Example(
        "vpc.SecurityGroupIngressRule",
        {
            "securityGroupId": "${group.id}",
            "ipProtocol": "tcp",
            "fromPort": 5432,
            "toPort": 5432,
            "referencedSecurityGroupId": "${nodes.id}",
            "description": "nodes",
            "tags": TAGS,
        },
        {"description": "the nodes", "toPort": 5433, "tags": MORE_TAGS},
    ),
    "egress": Example(
        "vpc.SecurityGroupEgressRule",
        {
            "securityGroupId": "${group.id}",
            "ipProtocol": "-1",
            "cidrIpv4": "10.40.0.0/16",
            "description": "everywhere in the VPC",
            "tags": TAGS,
        },
        {"description": "in the VPC", "tags": MORE_TAGS},
    ),
    "template": Example(
        "ec2.LaunchTemplate",
        {
            "name": "aspora-staging-system",
            "updateDefaultVersion": True,
            "blockDeviceMappings": [
                {
                    "deviceName": "/dev/xvda",
                    "ebs": {
                        "encrypted": "true",
                        "deleteOnTermination": "true",
                        "kmsKeyId": "${key.arn}",
                        "volumeSize": 50,
                        "volumeType": "gp3",
                    },
                }
            ],
            "metadataOptions": {
                "httpEndpoint": "enabled",
                "httpTokens": "required",
                "httpPutResponseHopLimit": 1,
            },
            "monitoring": {"enabled": True},
            "tagSpecifications": [
                {"resourceType": "instance", "tags": TAGS},
                {"resourceType": "volume", "tags": TAGS},
            ],
            "vpcSecurityGroupIds": ["${group.id}"],
            "tags": TAGS,
        },
        {
            "metadataOptions": {
                "httpEndpoint": "enabled",
                "httpTokens": "required",
                "httpPutResponseHopLimit": 2,
            },
            "tags": MORE_TAGS,
        },
    ),
    "ebs": Example("ebs.EncryptionByDefault", {"enabled": True}, {"enabled": False}),
}

IDENTITY: Mapping[str, Example] = {
    "role": Example(
        "iam.Role",
        {
            "name": "aspora-staging-cluster",
            "path": "/aspora/staging/",
            "description": "the control plane",
            "assumeRolePolicy": trust("eks.amazonaws.com"),
            "maxSessionDuration": 3600,
            "permissionsBoundary": "${policy.arn}",
            "tags": TAGS,
        },
        {
            "description": "EKS",
            "assumeRolePolicy": trust("pods.eks.amazonaws.com"),
            "permissionsBoundary": None,
            "tags": MORE_TAGS,
        },
    ),
    "role-with-policies": Example(
        "iam.Role",
        {
            "name": "aspora-staging-nodes",
            "path": "/aspora/staging/",
            "assumeRolePolicy": trust("ec2.amazonaws.com"),
            "managedPolicyArns": [
                "${policy.arn}",
                "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
            ],
            "forceDetachPolicies": True,
            "tags": TAGS,
        },
        {"managedPolicyArns": ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]},
    ),
    "role-policy": Example(
        "iam.RolePolicy",
        {"role": "${role.name}", "name": "logs", "policy": policy("logs:PutLogEvents")},
        {"policy": policy("logs:PutLogEvents", "logs:CreateLogStream")},
    ),
    "attachment": Example(
        "iam.RolePolicyAttachment", {"role": "${role.name}", "policyArn": "${policy.arn}"}
    ),
    "aws-attachment": Example(
        "iam.RolePolicyAttachment",
        {
            "role": "${role.name}",
            "policyArn": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy",
        },
    ),
    "policy": Example(
        "iam.Policy",
        {
            "name": "aspora-staging-wealth",
            "path": "/aspora/staging/",
            "description": "wealth's prefix",
            "policy": policy("s3:GetObject", resource="arn:aws:s3:::artifacts/wealth/*"),
            "tags": TAGS,
        },
        {
            "policy": policy("s3:PutObject", resource="arn:aws:s3:::artifacts/wealth/*"),
            "tags": MORE_TAGS,
        },
    ),
    "oidc": Example(
        "iam.OpenIdConnectProvider",
        {
            "url": "https://token.actions.githubusercontent.com",
            "clientIdLists": ["sts.amazonaws.com"],
            "thumbprintLists": ["a" * 40],
            "tags": TAGS,
        },
        {"thumbprintLists": ["b" * 40], "tags": MORE_TAGS},
    ),
    "key": Example(
        "kms.Key",
        {
            "description": "secrets of the cluster",
            "enableKeyRotation": True,
            "rotationPeriodInDays": 180,
            "deletionWindowInDays": 30,
            "policy": policy("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
            "tags": TAGS,
        },
        {"description": "the cluster", "enableKeyRotation": False, "rotationPeriodInDays": None}
        | {
            "policy": policy("kms:*", Principal={"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]}),
            "tags": MORE_TAGS,
        },
    ),
    "alias": Example(
        "kms.Alias",
        {"name": "alias/aspora-staging", "targetKeyId": "${key.id}"},
    ),
}

CLUSTER: Mapping[str, Example] = {
    "cluster": Example(
        "eks.Cluster",
        {
            "name": "aspora-staging",
            "roleArn": "${role.arn}",
            "version": "1.34",
            "vpcConfig": {
                "subnetIds": ["${subnet.id}", "${subnet-b.id}"],
                "securityGroupIds": ["${group.id}"],
                "endpointPrivateAccess": True,
                "endpointPublicAccess": True,
                "publicAccessCidrs": ["203.0.113.0/24"],
            },
            "accessConfig": {
                "authenticationMode": "API",
                "bootstrapClusterCreatorAdminPermissions": False,
            },
            "bootstrapSelfManagedAddons": False,
            "deletionProtection": True,
            "enabledClusterLogTypes": ["api", "audit", "authenticator"],
            "encryptionConfig": {
                "provider": {"keyArn": "${key.arn}"},
                "resources": ["secrets"],
            },
            "kubernetesNetworkConfig": {
                "ipFamily": "ipv4",
                "serviceIpv4Cidr": "172.20.0.0/16",
            },
            "upgradePolicy": {"supportType": "STANDARD"},
            "tags": TAGS,
        },
        {
            "version": "1.35",
            "vpcConfig": {
                "subnetIds": ["${subnet.id}", "${subnet-b.id}"],
                "securityGroupIds": ["${group.id}"],
                "endpointPrivateAccess": True,
                "endpointPublicAccess": False,
            },
            "enabledClusterLogTypes": ["audit"],
            "deletionProtection": False,
            "tags": MORE_TAGS,
        },
    ),
    "node-group": Example(
        "eks.NodeGroup",
        {
            "clusterName": "${cluster.name}",
            "nodeGroupName": "system",
            "nodeRoleArn": "${role-with-policies.arn}",
            "subnetIds": ["${subnet.id}", "${subnet-b.id}"],
            "amiType": "AL2023_x86_64_STANDARD",
            "capacityType": "ON_DEMAND",
            "instanceTypes": ["m7i.large"],
            "labels": {"aspora.io/pool": "system"},
            "launchTemplate": {
                "id": "${template.id}",
                "version": "${template.latestVersion}",
            },
            "scalingConfig": {"desiredSize": 2, "maxSize": 3, "minSize": 2},
            "taints": [
                {"key": "CriticalAddonsOnly", "value": "true", "effect": "PREFER_NO_SCHEDULE"}
            ],
            "updateConfig": {"maxUnavailable": 1},
            "version": "1.34",
            "tags": TAGS,
        },
        {
            "labels": {"aspora.io/pool": "base"},
            "scalingConfig": {"desiredSize": 3, "maxSize": 4, "minSize": 3},
            "taints": [],
            "version": "1.35",
            "tags": MORE_TAGS,
        },
    ),
    "addon": Example(
        "eks.Addon",
        {
            "clusterName": "${cluster.name}",
            "addonName": "vpc-cni",
            "addonVersion": "v1.20.0-eksbuild.1",
            "configurationValues": json.dumps({"enableNetworkPolicy": "true"}),
            "podIdentityAssociations": [{"roleArn": "${role.arn}", "serviceAccount": "aws-node"}],
            "resolveConflictsOnCreate": "OVERWRITE",
            "resolveConflictsOnUpdate": "OVERWRITE",
            "preserve": False,
            "tags": TAGS,
        },
        {"addonVersion": "v1.20.1-eksbuild.1", "tags": MORE_TAGS},
    ),
    "access": Example(
        "eks.AccessEntry",
        {
            "clusterName": "${cluster.name}",
            "principalArn": f"arn:aws:iam::{ACCOUNT}:role/wealth-engineers",
            "kubernetesGroups": ["aspora:wealth"],
            "type": "STANDARD",
            "tags": TAGS,
        },
        {"kubernetesGroups": ["aspora:wealth", "aspora:fraud"], "tags": MORE_TAGS},
    ),
    "access-policy": Example(
        "eks.AccessPolicyAssociation",
        {
            "clusterName": "${cluster.name}",
            "principalArn": f"arn:aws:iam::{ACCOUNT}:role/platform-admins",
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            "accessScope": {"type": "cluster"},
        },
    ),
    "pod-identity": Example(
        "eks.PodIdentityAssociation",
        {
            "clusterName": "${cluster.name}",
            "namespace": "aspora-wealth",
            "serviceAccount": "wealth-advisor",
            "roleArn": "${role.arn}",
            "tags": TAGS,
        },
        {"roleArn": "${role-with-policies.arn}", "tags": MORE_TAGS},
    ),
}

_RULE = {
    "applyServerSideEncryptionByDefault": {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": "${key.arn}",
    },
    "bucketKeyEnabled": True,
}
STORAGE: Mapping[str, Example] = {
    "bucket": Example(
        "s3.Bucket",
        {"bucket": "aspora-staging-artifacts", "forceDestroy": False, "tags": TAGS},
        {"tags": MORE_TAGS},
    ),
    "audit-bucket": Example(
        "s3.Bucket",
        {
            "bucket": "aspora-staging-audit",
            "forceDestroy": True,
            "objectLockEnabled": True,
            "tags": TAGS,
        },
        {"tags": MORE_TAGS},
    ),
    "block": Example(
        "s3.BucketPublicAccessBlock",
        {
            "bucket": "${bucket.id}",
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
        {"restrictPublicBuckets": False},
    ),
    "versioning": Example(
        "s3.BucketVersioning",
        {"bucket": "${bucket.id}", "versioningConfiguration": {"status": "Enabled"}},
        {"versioningConfiguration": {"status": "Suspended"}},
    ),
    "encryption": Example(
        "s3.BucketServerSideEncryptionConfiguration",
        {"bucket": "${bucket.id}", "rules": [_RULE]},
        {"rules": [{**_RULE, "bucketKeyEnabled": False}]},
    ),
    "ownership": Example(
        "s3.BucketOwnershipControls",
        {"bucket": "${bucket.id}", "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
    ),
    "lifecycle": Example(
        "s3.BucketLifecycleConfiguration",
        {
            "bucket": "${bucket.id}",
            "rules": [
                {
                    "id": "old-versions",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "noncurrentVersionExpiration": {"noncurrentDays": 30},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                },
                {
                    "id": "logs",
                    "status": "Enabled",
                    "filter": {"prefix": "logs/"},
                    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
                    "expiration": {"days": 365},
                },
            ],
        },
        {
            "rules": [
                {
                    "id": "logs",
                    "status": "Enabled",
                    "filter": {"and": {"prefix": "logs/", "tags": {"a": "b"}}},
                    "expiration": {"days": 90},
                }
            ]
        },
    ),
    "bucket-policy": Example(
        "s3.BucketPolicy",
        {
            "bucket": "${bucket.id}",
            "policy": policy(
                "s3:*",
                resource="${bucket.arn}/*",
                Effect="Deny",
                Principal="*",
                Condition={"Bool": {"aws:SecureTransport": "false"}},
            ),
        },
        {"policy": policy("s3:GetObject", resource="${bucket.arn}/*", Principal="*")},
    ),
    "bucket-logging": Example(
        "s3.BucketLogging",
        {
            "bucket": "${bucket.id}",
            "targetBucket": "${audit-bucket.id}",
            "targetPrefix": "artifacts/",
        },
        {"targetPrefix": "artifacts/s3/"},
        after=("audit-policy",),
    ),
    "audit-policy": Example(
        "s3.BucketPolicy",
        {
            "bucket": "${audit-bucket.id}",
            "policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": "${audit-bucket.arn}/*",
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        },
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "logging.s3.amazonaws.com"},
                            "Action": "s3:PutObject",
                            "Resource": "${audit-bucket.arn}/*",
                        },
                    ],
                }
            ),
        },
    ),
    "repository": Example(
        "ecr.Repository",
        {
            "name": "aspora/agents",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": "${key.arn}"}],
            "forceDelete": True,
            "tags": TAGS,
        },
        {"imageTagMutability": "MUTABLE", "tags": MORE_TAGS},
    ),
    "lifecycle-policy": Example(
        "ecr.LifecyclePolicy",
        {
            "repository": "${repository.name}",
            "policy": json.dumps(
                {
                    "rules": [
                        {
                            "rulePriority": 1,
                            "selection": {
                                "tagStatus": "untagged",
                                "countType": "sinceImagePushed",
                                "countUnit": "days",
                                "countNumber": 14,
                            },
                            "action": {"type": "expire"},
                        }
                    ]
                }
            ),
        },
    ),
}

DATA: Mapping[str, Example] = {
    "database": Example(
        "rds.Instance",
        {
            "identifier": "aspora-staging",
            "engine": "postgres",
            "engineVersion": "17.6",
            "instanceClass": "db.t4g.medium",
            "allocatedStorage": 50,
            "maxAllocatedStorage": 200,
            "storageType": "gp3",
            "storageEncrypted": True,
            "kmsKeyId": "${key.arn}",
            "dbName": "aspora",
            "username": "aspora",
            "manageMasterUserPassword": True,
            "masterUserSecretKmsKeyId": "${key.arn}",
            "iamDatabaseAuthenticationEnabled": True,
            "multiAz": True,
            "dbSubnetGroupName": "${database-subnets.name}",
            "parameterGroupName": "${database-parameters.name}",
            "vpcSecurityGroupIds": ["${group.id}"],
            "publiclyAccessible": False,
            "port": 5432,
            "backupRetentionPeriod": 14,
            "backupWindow": "02:00-03:00",
            "maintenanceWindow": "sun:04:00-sun:05:00",
            "copyTagsToSnapshot": True,
            "deletionProtection": False,
            "skipFinalSnapshot": False,
            "finalSnapshotIdentifier": "aspora-staging-final",
            "performanceInsightsEnabled": True,
            "performanceInsightsKmsKeyId": "${key.arn}",
            "performanceInsightsRetentionPeriod": 7,
            "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
            "monitoringInterval": 60,
            "monitoringRoleArn": "${role.arn}",
            "autoMinorVersionUpgrade": True,
            "caCertIdentifier": "rds-ca-rsa2048-g1",
            "applyImmediately": True,
            "tags": TAGS,
        },
        {
            "instanceClass": "db.t4g.large",
            "allocatedStorage": 60,
            "backupRetentionPeriod": 7,
            "enabledCloudwatchLogsExports": ["postgresql"],
            "multiAz": False,
            "port": 5433,
            "tags": MORE_TAGS,
        },
    ),
    "database-subnets": Example(
        "rds.SubnetGroup",
        {
            "name": "aspora-staging",
            "description": "database subnets",
            "subnetIds": ["${subnet.id}", "${subnet-b.id}"],
            "tags": TAGS,
        },
        {"subnetIds": ["${subnet-b.id}"], "description": "databases", "tags": MORE_TAGS},
    ),
    "database-parameters": Example(
        "rds.ParameterGroup",
        {
            "name": "aspora-staging-postgres17",
            "family": "postgres17",
            "description": "TLS only",
            "parameters": [
                {"name": "rds.force_ssl", "value": "1", "applyMethod": "pending-reboot"},
                {"name": "log_min_duration_statement", "value": "500"},
            ],
            "tags": TAGS,
        },
        {
            "parameters": [
                {"name": "rds.force_ssl", "value": "1", "applyMethod": "pending-reboot"},
                {"name": "log_min_duration_statement", "value": "1000"},
            ],
            "tags": MORE_TAGS,
        },
    ),
    "cache": Example(
        "elasticache.ReplicationGroup",
        {
            "replicationGroupId": "aspora-staging",
            "description": "queues and rate limits",
            "engine": "valkey",
            "engineVersion": "8.1",
            "nodeType": "cache.t4g.small",
            "numCacheClusters": 2,
            "automaticFailoverEnabled": True,
            "multiAzEnabled": True,
            "atRestEncryptionEnabled": True,
            "kmsKeyId": "${key.arn}",
            "transitEncryptionEnabled": True,
            "transitEncryptionMode": "required",
            "subnetGroupName": "${cache-subnets.name}",
            "parameterGroupName": "${cache-parameters.name}",
            "securityGroupIds": ["${group.id}"],
            "logDeliveryConfigurations": [
                {
                    "destination": "${logs.name}",
                    "destinationType": "cloudwatch-logs",
                    "logFormat": "json",
                    "logType": "slow-log",
                }
            ],
            "snapshotRetentionLimit": 7,
            "snapshotWindow": "03:00-04:00",
            "maintenanceWindow": "sun:05:00-sun:06:00",
            "userGroupIds": ["${cache-users.id}"],
            "port": 6379,
            "applyImmediately": True,
            "autoMinorVersionUpgrade": True,
            "tags": TAGS,
        },
        {"description": "queues", "snapshotRetentionLimit": 3, "tags": MORE_TAGS},
    ),
    "cache-subnets": Example(
        "elasticache.SubnetGroup",
        {
            "name": "aspora-staging",
            "description": "caches",
            "subnetIds": ["${subnet.id}"],
            "tags": TAGS,
        },
        {"subnetIds": ["${subnet.id}", "${subnet-b.id}"], "tags": MORE_TAGS},
    ),
    "cache-parameters": Example(
        "elasticache.ParameterGroup",
        {
            "name": "aspora-staging-valkey8",
            "family": "valkey8",
            "description": "no eviction",
            "parameters": [{"name": "maxmemory-policy", "value": "noeviction"}],
            "tags": TAGS,
        },
        {"parameters": [{"name": "maxmemory-policy", "value": "allkeys-lru"}]},
    ),
    "cache-user": Example(
        "elasticache.User",
        {
            "userId": "aspora-staging-app",
            "userName": "aspora-staging-app",
            "engine": "valkey",
            "accessString": "on ~* +@all",
            "authenticationMode": {"type": "iam"},
            "tags": TAGS,
        },
        {"accessString": "on ~app:* +@all", "tags": MORE_TAGS},
    ),
    "cache-users": Example(
        "elasticache.UserGroup",
        {
            "userGroupId": "aspora-staging",
            "engine": "valkey",
            "userIds": ["${cache-user.id}"],
            "tags": TAGS,
        },
        {"tags": MORE_TAGS},
    ),
    "cache-member": Example(
        "elasticache.UserGroupAssociation",
        {"userGroupId": "aspora-staging", "userId": "${cache-user.id}"},
    ),
    "secret": Example(
        "secretsmanager.Secret",
        {
            "name": "aspora/staging/database",
            "description": "the database's endpoint",
            "kmsKeyId": "${key.arn}",
            "recoveryWindowInDays": 7,
            "tags": TAGS,
        },
        {"description": "where the database is", "tags": MORE_TAGS},
    ),
    "secret-version": Example(
        "secretsmanager.SecretVersion",
        {"secretId": "${secret.id}", "secretString": '{"host": "never-show-this"}'},
    ),
}

WATCH: Mapping[str, Example] = {
    "logs": Example(
        "cloudwatch.LogGroup",
        {
            "name": "/aws/eks/aspora-staging/cluster",
            "retentionInDays": 90,
            "kmsKeyId": "${key.arn}",
            "skipDestroy": False,
            "tags": TAGS,
        },
        {"retentionInDays": 30, "tags": MORE_TAGS},
    ),
    "rule": Example(
        "cloudwatch.EventRule",
        {
            "name": "aspora-staging-spot",
            "description": "spot interruptions",
            "eventPattern": json.dumps(
                {
                    "source": ["aws.ec2"],
                    "detail-type": ["EC2 Spot Instance Interruption Warning"],
                }
            ),
            "tags": TAGS,
        },
        {"description": "spot", "state": "DISABLED", "tags": MORE_TAGS},
    ),
    "target": Example(
        "cloudwatch.EventTarget",
        {
            "rule": "${rule.name}",
            "targetId": "karpenter",
            "arn": "${queue.arn}",
            "retryPolicy": {"maximumEventAgeInSeconds": 300, "maximumRetryAttempts": 3},
            "deadLetterConfig": {"arn": "${queue.arn}"},
        },
        {"input": '{"a": 1}', "retryPolicy": None},
    ),
    "queue": Example(
        "sqs.Queue",
        {
            "name": "aspora-staging-karpenter",
            "messageRetentionSeconds": 300,
            "visibilityTimeoutSeconds": 60,
            "sqsManagedSseEnabled": True,
            "tags": TAGS,
        },
        {"messageRetentionSeconds": 600, "tags": MORE_TAGS},
    ),
    "queue-policy": Example(
        "sqs.QueuePolicy",
        {
            "queueUrl": "${queue.url}",
            "policy": policy(
                "sqs:SendMessage",
                resource="${queue.arn}",
                Principal={"Service": ["events.amazonaws.com", "sqs.amazonaws.com"]},
            ),
        },
        {
            "policy": policy(
                "sqs:SendMessage",
                resource="${queue.arn}",
                Principal={"Service": "events.amazonaws.com"},
            )
        },
    ),
    "trail": Example(
        "cloudtrail.Trail",
        {
            "name": "aspora-staging",
            "s3BucketName": "${audit-bucket.id}",
            "kmsKeyId": "${key.arn}",
            "isMultiRegionTrail": True,
            "includeGlobalServiceEvents": True,
            "enableLogFileValidation": True,
            "cloudWatchLogsGroupArn": "${logs.arn}:*",
            "cloudWatchLogsRoleArn": "${role.arn}",
            "eventSelectors": [
                {
                    "readWriteType": "All",
                    "includeManagementEvents": True,
                    "dataResources": [{"type": "AWS::S3::Object", "values": ["${bucket.arn}/"]}],
                }
            ],
            "tags": TAGS,
        },
        {"enableLogging": False, "isMultiRegionTrail": False, "tags": MORE_TAGS},
    ),
    "detector": Example(
        "guardduty.Detector",
        {"enable": True, "findingPublishingFrequency": "FIFTEEN_MINUTES", "tags": TAGS},
        {"findingPublishingFrequency": "ONE_HOUR", "tags": MORE_TAGS},
    ),
    "detector-feature": Example(
        "guardduty.DetectorFeature",
        {
            "detectorId": "${detector.id}",
            "name": "EKS_AUDIT_LOGS",
            "status": "ENABLED",
        },
        {"status": "DISABLED"},
    ),
    "runtime-feature": Example(
        "guardduty.DetectorFeature",
        {
            "detectorId": "${detector.id}",
            "name": "RUNTIME_MONITORING",
            "status": "ENABLED",
            "additionalConfigurations": [{"name": "EKS_ADDON_MANAGEMENT", "status": "ENABLED"}],
        },
    ),
}

NAMES_AND_MONEY: Mapping[str, Example] = {
    "zone": Example(
        "route53.Zone",
        {"name": "staging.aspora.example", "comment": "public", "tags": TAGS},
        {"comment": "the public zone", "tags": MORE_TAGS},
    ),
    "private-zone": Example(
        "route53.Zone",
        {
            "name": "staging.aspora.example",
            "forceDestroy": True,
            "vpcs": [{"vpcId": "${vpc.id}"}],
            "tags": TAGS,
        },
        {"tags": MORE_TAGS},
    ),
    "firewall": Example(
        "route53.ResolverFirewallRuleGroup",
        {"name": "aspora-staging-tunnelling", "tags": TAGS},
        {"tags": MORE_TAGS},
    ),
    "firewall-domains": Example(
        "route53.ResolverFirewallDomainList",
        {"name": "allowed", "domains": ["openrouter.ai."], "tags": TAGS},
        {"domains": ["openrouter.ai.", "amazonaws.com."], "tags": MORE_TAGS},
    ),
    "firewall-rule": Example(
        "route53.ResolverFirewallRule",
        {
            "name": "tunnelling",
            "action": "BLOCK",
            "blockResponse": "NXDOMAIN",
            "dnsThreatProtection": "DNS_TUNNELING",
            "confidenceThreshold": "HIGH",
            "firewallRuleGroupId": "${firewall.id}",
            "priority": 100,
        },
        {"priority": 200},
    ),
    "firewall-association": Example(
        "route53.ResolverFirewallRuleGroupAssociation",
        {
            "name": "aspora-staging",
            "firewallRuleGroupId": "${firewall.id}",
            "priority": 101,
            "vpcId": "${vpc.id}",
            "tags": TAGS,
        },
        {"priority": 102, "tags": MORE_TAGS},
    ),
    "budget": Example(
        "budgets.Budget",
        {
            "name": "aspora-staging-wealth",
            "budgetType": "COST",
            "timeUnit": "MONTHLY",
            "limitAmount": "500",
            "limitUnit": "USD",
            "costFilters": [{"name": "TagKeyValue", "values": ["user:domain$wealth"]}],
            "notifications": [
                {
                    "comparisonOperator": "GREATER_THAN",
                    "notificationType": "ACTUAL",
                    "threshold": 80,
                    "thresholdType": "PERCENTAGE",
                    "subscriberEmailAddresses": ["platform@aspora.example"],
                }
            ],
            "tags": TAGS,
        },
        {"limitAmount": "600", "tags": MORE_TAGS},
    ),
    "cost-tag": Example(
        "costexplorer.CostAllocationTag",
        {"tagKey": "domain", "status": "Active"},
        {"status": "Inactive"},
    ),
}

EXAMPLES: Mapping[str, Example] = {
    **NETWORK,
    **IDENTITY,
    **CLUSTER,
    **STORAGE,
    **DATA,
    **WATCH,
    **NAMES_AND_MONEY,
}


def needed(names: list[str]) -> list[str]:
    """The examples of these names and all that they refer to, what comes first first."""
    ordered: dict[str, None] = {}

    def add(name: str) -> None:
        example = EXAMPLES[name]
        for other in (*references([example.inputs, example.change]), *example.after):
            if other not in ordered:
                add(other)
        ordered[name] = None

    for name in names:
        add(name)
    return list(ordered)
