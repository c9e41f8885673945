"""What every component of the AWS side is told: the stack's settings and the account."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from aspora import iam, names
from aspora.stack import StackSettings
from aspora.stack_aws import AwsSettings


@dataclass(frozen=True)
class Site:
    """One stack in one account.

    `account` is its ID, 12 digits; `boundary` the ARN of the policy that no role goes beyond.
    """

    settings: StackSettings
    aws: AwsSettings
    account: str
    boundary: pulumi.Input[str]

    @property
    def name(self) -> str:
        """What the names of AWS resources begin with: the cluster's name."""
        return self.settings.cluster.name

    @property
    def region(self) -> str:
        """The AWS region."""
        return self.settings.region

    @property
    def protect(self) -> bool:
        """Whether what must not be lost refuses to be deleted."""
        return self.aws.protect

    def bucket(self, purpose: str) -> str:
        """The full name of one of the stack's buckets."""
        return names.bucket(self.aws.bucket_prefix, purpose)

    def secrets_alias(self) -> str:
        """The alias of the key of the named secrets, which `aspora bootstrap` makes."""
        return f"alias/{self.aws.bucket_prefix}-secrets"

    def tags(self, name: str = "", owner: str = names.PLATFORM_OWNER) -> dict[str, str]:
        """Tags of a resource; `Name` is what the console shows."""
        return names.tags(self.settings.environment, owner) | ({"Name": name} if name else {})


def role(
    name: str,
    site: Site,
    trust: list[iam.Statement] | pulumi.Output[str],
    opts: pulumi.ResourceOptions,
    *,
    owner: str = names.PLATFORM_OWNER,
) -> aws.iam.Role:
    """An IAM role below the stack's path and within its boundary; `trust` as statements or JSON."""
    policy = iam.document(trust) if isinstance(trust, list) else trust
    return aws.iam.Role(
        name,
        name=names.fit(name, names.ROLE_LIMIT),
        path=names.role_path(site.settings.environment),
        assume_role_policy=policy,
        permissions_boundary=site.boundary,
        tags=site.tags(owner=owner),
        opts=opts,
    )


def attach(
    role_of: aws.iam.Role, name: str, policies: tuple[str, ...], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """AWS's managed policies, by name: AmazonEKSClusterPolicy, service-role/AmazonEBS…"""
    return [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy.rpartition('/')[2]}",
            role=role_of.name,
            policy_arn=f"arn:aws:iam::aws:policy/{policy}",
            opts=opts,
        )
        for policy in policies
    ]
