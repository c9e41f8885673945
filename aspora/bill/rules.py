"""How each AWS resource type is paid for: by the hour, the month or use, or not at all.

A type without a rule is an error, so that nothing is free because it was forgotten. Free by
itself does not mean free in use: what flows through is counted where AWS counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aspora.bill.lines import Charge, Free
from aspora.errors import AsporaError
from aspora.registered import Registered
from aspora.services.releases import Release
from aspora.stack import StackSettings
from aspora.stack_aws import AwsSettings

ONE = Decimal(1)
ALL_MONTH = "730 h a month"
MONTHLY = "a month"

Found = Iterator[Charge | Free]


@dataclass(frozen=True)
class Stack:
    """What a rule may look at: all resources by type, the settings and the assumed amounts."""

    resources: Mapping[str, Sequence[Registered]]
    aws: AwsSettings
    usage: Mapping[str, Decimal]
    settings: StackSettings
    installed: tuple[Release, ...] = ()

    def of(self, token: str) -> Sequence[Registered]:
        """The resources of a type, in the order they were registered."""
        return self.resources.get(token, ())

    def used(self, what: str, key: str, amount: str, times: int = 1) -> Charge:
        """A charge by use: the assumed `amount`, twice where both sides pay."""
        basis = "assumed" if times == 1 else "assumed, both ways"
        return Charge(what, key, self.usage[amount] * times, basis)


Rule = Callable[[Stack, Sequence[Registered]], Found]


def charges(stack: Stack) -> Found:
    """What all resources of the stack cost, type by type; raises AsporaError without a rule."""
    forgotten = [token for token in stack.resources if token not in {*PRICED, *FREE}]
    if forgotten:
        raise AsporaError(
            f"the bill has no rule for {', '.join(sorted(forgotten))}",
            hint="say in aspora/bill/rules.py what it costs, or why it is free",
        )
    for token, rule in PRICED.items():
        if found := stack.of(token):
            yield from rule(stack, found)
    for token, why in FREE.items():
        if found := stack.of(token):
            yield Free(token.rpartition(":")[2], len(found), why)


def _cluster(_: Stack, found: Sequence[Registered]) -> Found:
    basis = f"{ALL_MONTH}, version in standard support"
    yield Charge("EKS control plane", "eks.cluster", Decimal(len(found)), basis)


def _node_group(stack: Stack, found: Sequence[Registered]) -> Found:
    for group in found:
        types = _items(group.inputs.get("instanceTypes")) or ["?"]
        nodes = Decimal(_number(group.inputs.get("scalingConfig", {}).get("desiredSize")))
        yield Charge(f"system nodes {types[0]}", f"ec2.{types[0]}", nodes, ALL_MONTH)
        disk = stack.aws.nodes.system.disk_gib
        yield Charge(
            "root volumes of the system nodes", "ebs.gp3", nodes * disk, f"{disk} GiB a node"
        )


def _nat(stack: Stack, found: Sequence[Registered]) -> Found:
    yield Charge("NAT gateway", "nat.gateway", Decimal(len(found)), ALL_MONTH)
    yield stack.used("data through NAT", "nat.data", "nat")


def _addresses(_: Stack, found: Sequence[Registered]) -> Found:
    yield Charge("public IPv4 address", "ipv4.public", Decimal(len(found)), ALL_MONTH)


def _endpoints(stack: Stack, found: Sequence[Registered]) -> Found:
    interfaces = [e for e in found if e.inputs.get("vpcEndpointType") == "Interface"]
    if interfaces:
        zones = sum(len(_items(endpoint.inputs.get("subnetIds"))) for endpoint in interfaces)
        basis = f"{ALL_MONTH}, in each zone of {len(interfaces)} services"
        yield Charge("interface endpoint", "endpoint.interface", Decimal(zones), basis)
        yield stack.used("data through interface endpoints", "endpoint.data", "endpoint")
    if gateways := len(found) - len(interfaces):
        yield Free("VpcEndpoint (gateway)", gateways, "a gateway endpoint costs nothing")


def _traffic(stack: Stack, found: Sequence[Registered]) -> Found:
    yield stack.used("traffic between zones", "transfer.zone", "zone", 2)
    yield stack.used("traffic to the Internet", "transfer.internet", "internet")
    yield Free("Vpc", len(found), "its traffic is counted above")


def _databases(stack: Stack, found: Sequence[Registered]) -> Found:
    for database in found:
        inputs = database.inputs
        zones = "multi" if inputs.get("multiAz") else "single"
        engine, size = inputs.get("engine", "?"), inputs.get("instanceClass", "?")
        what = f"RDS {engine} {size}" + (" with a standby" if zones == "multi" else "")
        yield Charge(what, f"rds.{engine}.{size}.{zones}", ONE, ALL_MONTH)
        storage = Decimal(_number(inputs.get("allocatedStorage")))
        kind = inputs.get("storageType", "gp3")
        yield Charge("RDS storage", f"rds.{kind}.{zones}", storage, "as allocated")
        if inputs.get("manageMasterUserPassword"):
            yield Charge("secret of RDS' master user", "secret.entry", ONE, MONTHLY)
        if _number(inputs.get("performanceInsightsRetentionPeriod")) > 7:
            yield Charge("Performance Insights beyond 7 days", "rds.insights.long", ONE, MONTHLY)
    yield stack.used("backups of RDS", "rds.backup", "database-backup")


def _caches(stack: Stack, found: Sequence[Registered]) -> Found:
    for cache in found:
        inputs = cache.inputs
        groups = _number(inputs.get("numNodeGroups")) or 1
        replicas = _number(inputs.get("replicasPerNodeGroup"))
        nodes = _number(inputs.get("numCacheClusters")) or groups * (1 + replicas)
        engine, size = inputs.get("engine", "redis"), inputs.get("nodeType", "?")
        key = f"elasticache.{engine}.{size}"
        yield Charge(f"ElastiCache {engine} {size}", key, Decimal(nodes), ALL_MONTH)
    if any(_number(cache.inputs.get("snapshotRetentionLimit")) > 1 for cache in found):
        yield stack.used("backups of ElastiCache", "elasticache.backup", "cache-backup")


def _keys(stack: Stack, found: Sequence[Registered]) -> Found:
    basis = "a month; each of the first two rotations adds 1 USD a month"
    yield Charge("KMS key", "kms.key", Decimal(len(found)), basis)
    yield stack.used("requests to KMS", "kms.requests", "key-requests")


def _secrets(_: Stack, found: Sequence[Registered]) -> Found:
    yield Charge("secret of endpoints", "secret.entry", Decimal(len(found)), MONTHLY)


def _logs(stack: Stack, _: Sequence[Registered]) -> Found:
    yield stack.used("logs written to CloudWatch", "logs.ingested", "logs")
    yield stack.used("logs kept in CloudWatch", "logs.stored", "logs-kept")


def _buckets(stack: Stack, _: Sequence[Registered]) -> Found:
    yield stack.used("objects in S3", "s3.storage", "objects")
    yield stack.used("writes to S3", "s3.writes", "object-writes")
    yield stack.used("reads from S3", "s3.reads", "object-reads")


def _images(stack: Stack, _: Sequence[Registered]) -> Found:
    yield stack.used("images in ECR", "ecr.storage", "images")


def _queues(stack: Stack, _: Sequence[Registered]) -> Found:
    yield stack.used("requests to SQS", "sqs.requests", "queue-requests")


def _zones(stack: Stack, found: Sequence[Registered]) -> Found:
    yield Charge("Route 53 zone", "route53.zone", Decimal(len(found)), MONTHLY)
    yield stack.used("DNS queries", "route53.queries", "dns-queries")


def _dns_firewall(stack: Stack, found: Sequence[Registered]) -> Found:
    """Queries of each VPC, and the hourly price where a group looks for tunnels."""
    yield stack.used("queries through DNS Firewall", "dns-firewall.queries", "firewall-queries")
    advanced = {
        rule.inputs.get("firewallRuleGroupId")
        for rule in stack.of(_token("route53", "ResolverFirewallRule"))
        if rule.inputs.get("dnsThreatProtection")
    }
    hourly = sum(a.inputs.get("firewallRuleGroupId") in advanced for a in found)
    if hourly:
        yield Charge("DNS Firewall Advanced", "dns-firewall.advanced", Decimal(hourly), ALL_MONTH)


def _detectors(stack: Stack, _: Sequence[Registered]) -> Found:
    yield stack.used("GuardDuty, calls to AWS", "guardduty.events", "api-events")
    yield stack.used("GuardDuty, flow and DNS logs", "guardduty.flows", "flows")


DETECTIONS: Mapping[str, tuple[str, str, str]] = {
    "EKS_AUDIT_LOGS": ("GuardDuty, Kubernetes audit log", "guardduty.eks-audit", "audit-events"),
    "RDS_LOGIN_EVENTS": ("GuardDuty, logins to RDS", "guardduty.rds", "database-vcpu"),
    "S3_DATA_EVENTS": ("GuardDuty, objects of S3", "guardduty.s3-data", "object-events"),
}


def _features(stack: Stack, found: Sequence[Registered]) -> Found:
    for feature in found:
        name = str(feature.inputs.get("name", "?"))
        if feature.inputs.get("status") != "ENABLED":
            yield Free(f"DetectorFeature {name}", 1, "switched off")
        elif name in DETECTIONS:
            yield stack.used(*DETECTIONS[name])
        else:
            yield Charge(f"GuardDuty, {name}", f"guardduty.{name}", ONE, MONTHLY)


def _trails(stack: Stack, found: Sequence[Registered]) -> Found:
    if any(_selects_data(trail) for trail in found):
        yield stack.used("CloudTrail, objects of S3", "cloudtrail.data", "object-events")
    yield Free("Trail", len(found), "the first copy of management events costs nothing")


def _selects_data(trail: Registered) -> bool:
    """By either way of selecting; advanced selectors count as such whatever they name."""
    simple = _items(trail.inputs.get("eventSelectors"))
    advanced = _items(trail.inputs.get("advancedEventSelectors"))
    return bool(advanced) or any(selector.get("dataResources") for selector in simple)


def _number(value: Any) -> int:
    """An input as a whole number; what is missing or only AWS can know counts as 0."""
    return int(value) if isinstance(value, int | float) else 0


def _items(value: Any) -> Sequence[Any]:
    """An input as a list; what is missing or only AWS can know counts as empty."""
    return value if isinstance(value, list | tuple) else ()


def _token(module: str, name: str) -> str:
    return f"aws:{module}/{name[0].lower()}{name[1:]}:{name}"


def _tokens(rules: Iterable[tuple[str, str, Rule]]) -> Mapping[str, Rule]:
    return {_token(module, name): rule for module, name, rule in rules}


PRICED: Mapping[str, Rule] = _tokens(
    (
        ("eks", "Cluster", _cluster),
        ("eks", "NodeGroup", _node_group),
        ("ec2", "NatGateway", _nat),
        ("ec2", "Eip", _addresses),
        ("ec2", "VpcEndpoint", _endpoints),
        ("ec2", "Vpc", _traffic),
        ("rds", "Instance", _databases),
        ("elasticache", "ReplicationGroup", _caches),
        ("kms", "Key", _keys),
        ("secretsmanager", "Secret", _secrets),
        ("cloudwatch", "LogGroup", _logs),
        ("s3", "Bucket", _buckets),
        ("ecr", "Repository", _images),
        ("sqs", "Queue", _queues),
        ("route53", "Zone", _zones),
        ("route53", "ResolverFirewallRuleGroupAssociation", _dns_firewall),
        ("guardduty", "Detector", _detectors),
        ("guardduty", "DetectorFeature", _features),
        ("cloudtrail", "Trail", _trails),
    )
)
"""In the order of the bill."""

_IAM = "IAM costs nothing"
_OF_BUCKET = "a setting of its bucket"
_OF_NETWORK = "the network's parts cost nothing; gateways, addresses and traffic do"

FREE: Mapping[str, str] = {
    _token(module, name): why
    for module, named, why in (
        (
            "ec2",
            "InternetGateway Subnet RouteTable Route RouteTableAssociation",
            _OF_NETWORK,
        ),
        ("ec2", "DefaultSecurityGroup SecurityGroup", _OF_NETWORK),
        ("vpc", "SecurityGroupIngressRule SecurityGroupEgressRule", _OF_NETWORK),
        ("ec2", "FlowLog", "what it writes is counted with the logs"),
        ("ec2", "LaunchTemplate", "the instances it starts are counted"),
        ("ebs", "EncryptionByDefault", "a setting of the account"),
        ("iam", "Role RolePolicy RolePolicyAttachment Policy OpenIdConnectProvider", _IAM),
        ("kms", "Alias", "a name of its key"),
        ("cloudwatch", "EventRule EventTarget", "events that AWS itself sends cost nothing"),
        ("sqs", "QueuePolicy", "a setting of its queue"),
        (
            "eks",
            "Addon AccessEntry AccessPolicyAssociation PodIdentityAssociation",
            "in the control plane's price",
        ),
        (
            "s3",
            "BucketVersioning BucketServerSideEncryptionConfiguration BucketPublicAccessBlock",
            _OF_BUCKET,
        ),
        (
            "s3",
            "BucketOwnershipControls BucketLifecycleConfiguration BucketPolicy BucketLogging",
            _OF_BUCKET,
        ),
        ("rds", "SubnetGroup ParameterGroup", "a setting of its database"),
        (
            "elasticache",
            "SubnetGroup ParameterGroup User UserGroup UserGroupAssociation",
            "a setting of its cache",
        ),
        ("secretsmanager", "SecretVersion", "in the price of its secret"),
        ("ecr", "LifecyclePolicy", "a setting of its repository"),
        (
            "route53",
            "ResolverFirewallRuleGroup ResolverFirewallRule",
            "paid for where it is associated",
        ),
        ("budgets", "Budget", "a budget without actions costs nothing"),
        ("costexplorer", "CostAllocationTag", "a tag of the bill costs nothing"),
    )
    for name in named.split()
}
