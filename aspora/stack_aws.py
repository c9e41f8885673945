"""The AWS part of a stack's settings: what differs between a small staging and a safe prod.

Names follow the AWS service's own terms. What nobody could look up yet (versions of add-ons, the
AMI's release) stays null, with `verified: false` where a value is known by hearsay only: prod
refuses both (decision 16).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from aspora.fields import Checked, Cidr, Flag, Host, Model, Text, Usd, named, whole
from aspora.problems import found

AccountId = Annotated[str, named(r"^\d{12}$", "AWS account ID of 12 digits", '"111122223333"')]
BucketPrefix = Annotated[
    str,
    # 63 characters is S3's limit; the longest of our suffixes is "-training-data".
    named(r"^[a-z0-9][a-z0-9-]{1,40}[a-z0-9]$", "prefix of a bucket name", "aspora-staging"),
]
Zone = Annotated[str, named(r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$", "availability zone", "us-east-1a")]
InstanceType = Annotated[
    str, named(r"^[a-z][a-z0-9-]*\.[a-z0-9]+$", "EC2 instance type", "m6a.xlarge")
]
DatabaseClass = Annotated[
    str, named(r"^db\.[a-z0-9-]+\.[a-z0-9]+$", "RDS instance class", "db.t4g.small")
]
CacheType = Annotated[
    str, named(r"^cache\.[a-z0-9-]+\.[a-z0-9]+$", "ElastiCache node type", "cache.t4g.micro")
]
RoleArn = Annotated[
    str,
    named(
        r"^arn:aws:iam::\d{12}:role/[\w+=,.@/-]{1,512}$",
        "ARN of an IAM role",
        "arn:aws:iam::111122223333:role/platform-admin",
    ),
]
Email = Annotated[
    str, named(r"^[^@\s]+@[a-z0-9.-]+\.[a-z]{2,}$", "e-mail address", "platform@example.com")
]
Repository = Annotated[
    str, named(r"^[\w.-]+/[\w.-]+$", "GitHub repository <owner>/<name>", "octo-org/platform")
]
Sha256 = Annotated[str, named(r"^[0-9a-f]{64}$", "SHA-256 in hexadecimal", "3dd478770dd7…")]
Release = Annotated[str, named(r"^release-\d{8}\.\d+$", "release of gVisor", "release-20260921.0")]
AddonVersion = Annotated[
    str, named(r"^v\d+\.\d+\.\d+-eksbuild\.\d+$", "version of an EKS add-on", "v1.20.4-eksbuild.1")
]
AmiRelease = Annotated[
    str, named(r"^v?\d{8}$", "release of the EKS-optimised AL2023 AMI", "v20261110")
]
EngineVersion = Annotated[str, named(r"^\d+(\.\d+)?$", "engine version", '"17"')]
Endpoint = Literal[
    "s3", "ecr.api", "ecr.dkr", "sts", "secretsmanager", "logs", "ec2", "eks", "eks-auth", "sqs"
]
# What CloudWatch Logs takes (API reference of PutRetentionPolicy), up to two years.
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)


def _log_days(value: Any) -> int:
    if isinstance(value, bool) or value not in LOG_DAYS:
        choices = ", ".join(map(str, LOG_DAYS))
        raise ValueError(
            f"CloudWatch Logs keeps logs for {choices} days, not {found(value)}; for example 90"
        )
    return int(value)


LogDays = Annotated[int, Checked(_log_days, {"enum": list(LOG_DAYS), "examples": [90]})]


class AwsNetwork(Model):
    """Subnets and the ways out of the VPC; the ranges of the others stand in `network`."""

    zones: tuple[Zone, ...] = Field(
        min_length=3, description="Three availability zones; subnets are spread over them in order."
    )
    public_cidrs: tuple[Cidr, ...] = Field(
        min_length=3, description="Subnets of the load balancers and NAT gateways, one a zone."
    )
    nat: Literal["single", "per-zone"] = Field(
        "per-zone",
        description="One NAT gateway, or one a zone: with one, its zone's loss cuts the way out.",
    )
    endpoints: tuple[Endpoint, ...] = Field(
        ("s3", "ecr.api", "ecr.dkr", "sts", "secretsmanager", "logs"),
        description="AWS services that are reached by an interface endpoint in the VPC.",
    )
    endpoint_zones: Annotated[int, whole(1, 3, 3)] = Field(
        3, description="Zones that the interface endpoints stand in; each is paid for by the hour."
    )
    flow_log_days: LogDays = Field(90, description="Days that flow logs are kept.")
    dns_firewall: Flag = Field(
        default=True, description="Resolver DNS Firewall blocks tunnelling and generated domains."
    )


class Addons(Model):
    """Versions of the EKS add-ons; `aspora doctor --stack` lists those offered."""

    vpc_cni: AddonVersion | None = Field(None, description="vpc-cni: pod network and policies.")
    coredns: AddonVersion | None = Field(None, description="coredns: names in the cluster.")
    kube_proxy: AddonVersion | None = Field(None, description="kube-proxy: services.")
    pod_identity: AddonVersion | None = Field(
        None, description="eks-pod-identity-agent: AWS credentials of pods."
    )
    ebs_csi: AddonVersion | None = Field(None, description="aws-ebs-csi-driver: volumes.")
    metrics_server: AddonVersion | None = Field(None, description="metrics-server: CPU and memory.")


class ControlPlane(Model):
    """EKS itself."""

    public_access_cidrs: tuple[Cidr, ...] = Field(
        (), description="Networks that may reach the public endpoint; empty closes it."
    )
    private_access_cidrs: tuple[Cidr, ...] = Field(
        (),
        description="Networks that may reach the private endpoint beside the nodes: the runners',"
        " a VPN's.",
    )
    service_cidr: Cidr = Field(
        "172.20.0.0/16", description="Addresses of Services; they exist inside the cluster alone."
    )
    log_days: LogDays = Field(90, description="Days that control-plane logs are kept.")
    admins: tuple[RoleArn, ...] = Field(
        (), description="IAM roles of people who administer the cluster."
    )
    addons: Addons = Field(Addons(), description="Versions of the add-ons.")


class SystemNodes(Model):
    """The managed node group that runs what must be there before Karpenter."""

    instance_type: InstanceType = Field(description="Its instances.")
    count: Annotated[int, whole(2, 20, 3)] = Field(3, description="Nodes.")
    disk_gib: Annotated[int, whole(20, 1000, 50)] = Field(
        50, alias="diskGiB", description="GiB of the encrypted root volume."
    )


class Pool(Model):
    """A Karpenter NodePool."""

    instance_types: tuple[InstanceType, ...] = Field(
        min_length=1, description="Instances Karpenter may choose from, the cheapest that fits."
    )
    cpu_limit: Annotated[int, whole(0, 5000, 64)] = Field(
        description="Sum of vCPU it may grow to; 0 keeps the pool empty."
    )


class Gvisor(Model):
    """runsc, which the node fetches from our own bucket."""

    release: Release = Field("release-20260921.0", description="gVisor's release.")
    sha256: Sha256 | None = Field(
        None, description="Checksum of gvisor-x86_64.tar.bz2 of that release."
    )
    verified: Flag = Field(
        default=False, description="Whether somebody compared it with the release's SHA256SUMS."
    )


class Nodes(Model):
    """Worker nodes; the pools are Karpenter's."""

    ami_release: AmiRelease | None = Field(
        None, description="Release of the EKS-optimised AL2023 AMI; the latest when left out."
    )
    system: SystemNodes = Field(description="The managed node group.")
    platform: Pool = Field(description="Gateways, observability and other services.")
    gvisor: Pool = Field(description="Agents, in gVisor, on demand.")
    gvisor_spot: Pool = Field(description="Agents that may be interrupted, in gVisor, on spot.")
    gvisor_runtime: Gvisor = Field(Gvisor(), description="The runtime of the gvisor pools.")


class Database(Model):
    """RDS for PostgreSQL: the registry and metadata."""

    instance_class: DatabaseClass = Field(description="Its size.")
    storage_gib: Annotated[int, whole(20, 16384, 50)] = Field(
        alias="storageGiB", description="GiB of gp3, encrypted; grows by itself to four times that."
    )
    multi_az: Flag = Field(default=True, description="A standby in another zone.")
    backup_days: Annotated[int, whole(1, 35, 14)] = Field(
        14, description="Days one can go back to any second of (PITR)."
    )
    engine_version: EngineVersion = Field("17", description="PostgreSQL's major version.")


class Cache(Model):
    """ElastiCache for Valkey."""

    node_type: CacheType = Field(description="Its size.")
    replicas: Annotated[int, whole(0, 5, 1)] = Field(
        1, description="Replicas in other zones, which take over when the primary is lost."
    )
    engine_version: EngineVersion = Field("8.0", description="Valkey's version.")


class Dns(Model):
    """Route 53."""

    public_zone: Host = Field(description="The public zone, delegated to Route 53.")
    private_zone: Host = Field(description="The zone that only the VPC sees.")


class GithubActions(Model):
    """Who may deploy from CI."""

    repository: Repository = Field(description="The repository whose workflows are trusted.")
    owner_id: Annotated[int, whole(1, 10**12, 9919)] | None = Field(
        None,
        description="GitHub's number of the owner: tokens of repositories made or renamed since"
        " July 2026 carry it, and a name that somebody else takes later is then worth nothing.",
    )
    repository_id: Annotated[int, whole(1, 10**12, 1296269)] | None = Field(
        None, description="GitHub's number of the repository; both or none."
    )

    @property
    def subject(self) -> str:
        """How a token names the repository: owner/name, or owner@id/name@id."""
        if self.owner_id is None or self.repository_id is None:
            return self.repository
        owner, _, name = self.repository.partition("/")
        return f"{owner}@{self.owner_id}/{name}@{self.repository_id}"


class Spending(Model):
    """AWS Budgets: they warn, they do not stop anything."""

    monthly_usd: Usd = Field(alias="monthlyUSD", description="USD a month of the whole stack.")
    domain_monthly_usd: Usd = Field(
        alias="domainMonthlyUSD", description="USD a month of each domain's tagged resources."
    )
    activate_tags: Flag = Field(
        default=False,
        description="Activate the cost-allocation tags. Only where the account pays for itself, and"
        " a day after the first run: before, AWS does not know the tags and refuses.",
    )
    emails: tuple[Email, ...] = Field(
        min_length=1,
        description="Who is told at 80 % forecast and 100 % spent, and of alerts about cost.",
    )
    smtp_user: Text | None = Field(
        None,
        description="The Amazon SES SMTP user that alerts are mailed as, an access key ID; without"
        " it alerts about cost go to Slack alone.",
        examples=["AKIAIOSFODNN7EXAMPLE"],
    )


class Detection(Model):
    """What watches the account; leave out what the organisation runs for all accounts."""

    guardduty: Flag = Field(default=True, description="GuardDuty with EKS audit-log protection.")
    cloudtrail: Flag = Field(
        default=True, description="A CloudTrail trail into a bucket of its own."
    )


class AwsSettings(Model):
    """Everything the AWS side needs to know; the `local` stack has none of it."""

    account_id: AccountId | None = Field(
        None, description="The account; `aspora doctor --stack` and prod compare it."
    )
    bucket_prefix: BucketPrefix = Field(
        description="What bucket names begin with: they are unique in the whole world."
    )
    protect: Flag = Field(
        default=True,
        description="Databases, buckets and keys refuse to be deleted, and leave a snapshot.",
    )
    network: AwsNetwork = Field(description="Subnets and ways out.")
    control_plane: ControlPlane = Field(ControlPlane(), description="EKS.")
    nodes: Nodes = Field(description="Worker nodes.")
    database: Database = Field(description="PostgreSQL.")
    cache: Cache = Field(description="Valkey.")
    dns: Dns = Field(description="Zones.")
    github: GithubActions = Field(description="CI.")
    spending: Spending = Field(description="Budgets that warn.")
    detection: Detection = Field(Detection(), description="Detection.")
