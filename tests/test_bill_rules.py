"""The price table, and what each resource type costs by it, reckoned by hand."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

import pytest

from aspora.aws_prices import NOT_LISTED, aws_prices
from aspora.bill import Free
from aspora.bill.rules import FREE, PRICED
from aspora.errors import AsporaError
from aspora.named_secrets import NamedSecret
from aspora.registered import UNKNOWN, Registered
from tests.bills import STACKS, line, lines_of, priced, raw_table, resource
from tests.core import settings

TYPES: Mapping[str, str] = {
    "ec2": "Vpc InternetGateway Subnet RouteTable Route RouteTableAssociation Eip NatGateway "
    "VpcEndpoint FlowLog DefaultSecurityGroup SecurityGroup LaunchTemplate",
    "vpc": "SecurityGroupIngressRule SecurityGroupEgressRule",
    "ebs": "EncryptionByDefault",
    "iam": "Role RolePolicy RolePolicyAttachment Policy OpenIdConnectProvider",
    "kms": "Key Alias",
    "cloudwatch": "LogGroup EventRule EventTarget",
    "sqs": "Queue QueuePolicy",
    "eks": "Cluster NodeGroup Addon AccessEntry AccessPolicyAssociation PodIdentityAssociation",
    "s3": "Bucket BucketVersioning BucketServerSideEncryptionConfiguration "
    "BucketPublicAccessBlock BucketOwnershipControls BucketLifecycleConfiguration BucketPolicy "
    "BucketLogging",
    "rds": "Instance SubnetGroup ParameterGroup",
    "elasticache": (
        "ReplicationGroup SubnetGroup ParameterGroup User UserGroup UserGroupAssociation"
    ),
    "secretsmanager": "Secret SecretVersion",
    "ecr": "Repository LifecyclePolicy",
    "route53": "Zone ResolverFirewallRuleGroup ResolverFirewallRule "
    "ResolverFirewallRuleGroupAssociation",
    "budgets": "Budget",
    "costexplorer": "CostAllocationTag",
    "guardduty": "Detector DetectorFeature",
    "cloudtrail": "Trail",
}
"""Every type that the program may register."""


def test_every_price_has_a_source_and_its_day() -> None:
    entries = raw_table()["prices"]
    assert len(entries) > 50
    for key, entry in entries.items():
        assert entry["source"], key
        assert entry["per"], key
        assert entry["asOf"] is None or date.fromisoformat(entry["asOf"]).year >= 2025, key
        if entry["usd"] is None:
            assert entry["verified"] is False, key
        else:
            assert entry["usd"] > 0, key
            assert "verified" not in entry, key


def test_prices_are_exact() -> None:
    prices = aws_prices()
    assert prices.region == "us-east-1"
    assert prices.price("nat.gateway").usd == Decimal("0.045")
    assert prices.price("ec2.m6a.xlarge").usd == Decimal("0.1728")
    assert prices.price("ec2.m6a.xlarge").as_of == "2026-07-20"
    assert prices.price("kms.key").usd == 1
    # Twice the price of one zone would be 0.336.
    assert prices.price("rds.postgres.db.m7g.large.multi").usd == Decimal("0.337")


def test_what_is_not_listed_has_no_price() -> None:
    found = aws_prices().price("ec2.x9.nano")
    assert (found.usd, found.source) == (None, NOT_LISTED)
    assert aws_prices().price("ec2.spot").usd is None


@pytest.mark.parametrize("stack", STACKS)
def test_every_size_in_the_stacks_settings_has_a_price(stack: str) -> None:
    aws = settings(stack).aws
    assert aws is not None
    pools = (aws.nodes.platform, aws.nodes.gvisor, aws.nodes.gvisor_spot)
    types = {kind for pool in pools for kind in pool.instance_types}
    types.add(aws.nodes.system.instance_type)
    prices = aws_prices()
    assert [kind for kind in sorted(types) if prices.price(f"ec2.{kind}").usd is None] == []
    assert types <= set(prices.instances)
    zones = "multi" if aws.database.multi_az else "single"
    assert prices.price(f"rds.postgres.{aws.database.instance_class}.{zones}").usd
    assert prices.price(f"elasticache.valkey.{aws.cache.node_type}").usd


def tokens() -> Iterator[tuple[str, str]]:
    for module, kinds in TYPES.items():
        for kind in kinds.split():
            package = importlib.import_module(f"pulumi_aws.{module}")
            yield f"{module}.{kind}", getattr(package, kind).pulumi_type


def test_every_type_has_exactly_one_rule() -> None:
    known = dict(tokens())
    assert [name for name, token in known.items() if token not in {*PRICED, *FREE}] == []
    assert set(PRICED) & set(FREE) == set()
    assert {*PRICED, *FREE} == set(known.values())
    assert all(FREE.values())


def test_a_type_without_a_rule_is_an_error() -> None:
    with pytest.raises(AsporaError) as caught:
        priced(resource("sns.Topic"), resource("ec2.Vpc"), resource("dynamodb.Table"))
    assert caught.value.message == (
        "the bill has no rule for aws:dynamodb/table:Table, aws:sns/topic:Topic"
    )
    assert caught.value.hint == "say in aspora/bill/rules.py what it costs, or why it is free"


def test_components_and_kubernetes_objects_are_not_billed() -> None:
    others = [
        Registered("aspora:aws:Network", "network", "urn:1", {}),
        Registered("kubernetes:core/v1:Namespace", "aspora-ecm", "urn:2", {}),
    ]
    assert priced(*others) == priced()


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        # 0.10 x 730
        ([resource("eks.Cluster")], {"EKS control plane": ("1", "73.00")}),
        (
            # 2 x 0.0752 x 730 = 109.792; 2 nodes x 50 GiB x 0.08
            [
                resource(
                    "eks.NodeGroup", instanceTypes=["t3a.large"], scalingConfig={"desiredSize": 2}
                )
            ],
            {
                "system nodes t3a.large": ("2", "109.79"),
                "root volumes of the system nodes": ("100", "8.00"),
            },
        ),
        (
            # 1 x 0.045 x 730; 100 GB x 0.045
            [resource("ec2.NatGateway")],
            {"NAT gateway": ("1", "32.85"), "data through NAT": ("100", "4.50")},
        ),
        # 3 x 0.005 x 730
        ([resource("ec2.Eip", n) for n in "abc"], {"public IPv4 address": ("3", "10.95")}),
        (
            # (2 + 1) x 0.01 x 730; 50 GB x 0.01; the gateway endpoint costs nothing
            [
                resource("ec2.VpcEndpoint", "a", vpcEndpointType="Interface", subnetIds=["1", "2"]),
                resource("ec2.VpcEndpoint", "b", vpcEndpointType="Interface", subnetIds=["1"]),
                resource("ec2.VpcEndpoint", "c", vpcEndpointType="Gateway"),
            ],
            {
                "interface endpoint": ("3", "21.90"),
                "data through interface endpoints": ("50", "0.50"),
            },
        ),
        (
            # 50 GB x 2 sides x 0.01
            [resource("ec2.Vpc")],
            {"traffic between zones": ("100", "1.00"), "traffic to the Internet": ("0", "0.00")},
        ),
        (
            # 0.016 x 730; 20 GB x 0.115; RDS keeps the password in a secret of 0.40
            [
                resource(
                    "rds.Instance",
                    engine="postgres",
                    instanceClass="db.t4g.micro",
                    allocatedStorage=20,
                    storageType="gp3",
                    manageMasterUserPassword=True,
                )
            ],
            {
                "RDS postgres db.t4g.micro": ("1", "11.68"),
                "RDS storage": ("20", "2.30"),
                "secret of RDS' master user": ("1", "0.40"),
                "backups of RDS": ("0", "0.00"),
            },
        ),
        (
            # One group of a primary and two replicas: 3 x 0.052 x 730
            [
                resource(
                    "elasticache.ReplicationGroup",
                    engine="valkey",
                    nodeType="cache.t4g.medium",
                    numNodeGroups=1,
                    replicasPerNodeGroup=2,
                )
            ],
            {"ElastiCache valkey cache.t4g.medium": ("3", "113.88")},
        ),
        (
            # 4 x 1; 0.5 million requests x 3
            [resource("kms.Key", n) for n in "abcd"],
            {"KMS key": ("4", "4.00"), "requests to KMS": ("0.5", "1.50")},
        ),
        # 2 x 0.40
        (
            [resource("secretsmanager.Secret", n) for n in "ab"],
            {"secret of endpoints": ("2", "0.80")},
        ),
        (
            # 20 GB x 0.50; 5 GB x 0.03: the same for one group or for two
            [resource("cloudwatch.LogGroup", n) for n in "ab"],
            {
                "logs written to CloudWatch": ("20", "10.00"),
                "logs kept in CloudWatch": ("5", "0.15"),
            },
        ),
        (
            # 50 GB x 0.023; 0.2 million x 5; 1 million x 0.40
            [resource("s3.Bucket")],
            {
                "objects in S3": ("50", "1.15"),
                "writes to S3": ("0.2", "1.00"),
                "reads from S3": ("1", "0.40"),
            },
        ),
        ([resource("ecr.Repository")], {"images in ECR": ("10", "1.00")}),
        ([resource("sqs.Queue")], {"requests to SQS": ("0.2", "0.08")}),
        (
            # 2 x 0.50; 1 million queries x 0.40
            [resource("route53.Zone", n) for n in "ab"],
            {"Route 53 zone": ("2", "1.00"), "DNS queries": ("1", "0.40")},
        ),
        ([resource("iam.Role"), resource("budgets.Budget")], {}),
    ],
    ids=lambda value: value[0].type.rpartition(":")[2] if isinstance(value, list) else "",
)
def test_what_a_resource_costs(
    resources: list[Registered], expected: dict[str, tuple[str, str]]
) -> None:
    assert lines_of(*resources) == expected


def firewall(*, advanced: bool) -> list[Registered]:
    rules = [resource("route53.ResolverFirewallRule", "list", firewallRuleGroupId="g")]
    if advanced:
        rules.append(
            resource(
                "route53.ResolverFirewallRule",
                "tunnels",
                firewallRuleGroupId="g",
                dnsThreatProtection="DNS_TUNNELING",
            )
        )
    return [
        resource("route53.ResolverFirewallRuleGroup"),
        *rules,
        resource("route53.ResolverFirewallRuleGroupAssociation", firewallRuleGroupId="g"),
    ]


def test_looking_for_tunnels_is_paid_by_the_hour() -> None:
    queries = {"queries through DNS Firewall": ("30", "18.00")}  # 30 million x 0.60
    assert lines_of(*firewall(advanced=False), stack="prod") == queries
    assert lines_of(*firewall(advanced=True), stack="prod") == queries | {
        "DNS Firewall Advanced": ("1", "116.80")  # 0.16 x 730
    }


def test_guardduty_is_paid_for_what_it_reads() -> None:
    features = [
        resource("guardduty.DetectorFeature", "a", name="EKS_AUDIT_LOGS", status="ENABLED"),
        resource("guardduty.DetectorFeature", "b", name="S3_DATA_EVENTS", status="DISABLED"),
        resource("guardduty.DetectorFeature", "c", name="TEA_LEAVES", status="ENABLED"),
    ]
    assert lines_of(resource("guardduty.Detector"), *features, stack="prod") == {
        "GuardDuty, calls to AWS": ("3", "12.00"),  # 3 million x 4
        "GuardDuty, flow and DNS logs": ("100", "100.00"),  # 100 GB x 1
        "GuardDuty, Kubernetes audit log": ("30", "48.00"),  # 30 million x 1.60
        "GuardDuty, TEA_LEAVES": ("1", "None"),
    }
    found = priced(resource("guardduty.Detector"), *features, stack="prod")
    assert Free("DetectorFeature S3_DATA_EVENTS", 1, "switched off") in found.free
    assert [item.what for item in found.unpriced] == ["GuardDuty, TEA_LEAVES"]


def test_a_trail_costs_something_when_it_follows_data() -> None:
    assert lines_of(resource("cloudtrail.Trail"), stack="prod") == {}
    selectors = [{"dataResources": [{"type": "AWS::S3::Object", "values": ["arn:aws:s3"]}]}]
    follows = resource("cloudtrail.Trail", eventSelectors=selectors)
    assert lines_of(follows, stack="prod") == {"CloudTrail, objects of S3": ("20", "20.00")}


def test_a_standby_and_what_nobody_priced() -> None:
    database = resource(
        "rds.Instance",
        engine="postgres",
        instanceClass="db.m7g.large",
        multiAz=True,
        allocatedStorage=100,
        performanceInsightsRetentionPeriod=731,
    )
    found = priced(database, stack="prod")
    standby = line(found, "RDS postgres db.m7g.large with a standby")
    assert standby.usd == Decimal("246.01")  # 0.337 x 730
    assert standby.price.source.endswith("/aws/AmazonRDS/current/us-east-1/index.json")
    assert line(found, "RDS storage").usd == Decimal("23.00")  # 100 GB x 0.23
    assert [item.what for item in found.unpriced] == ["Performance Insights beyond 7 days"]
    assert found.total == sum(item.usd for item in found.lines if item.usd is not None)


@pytest.mark.parametrize(
    ("found", "what", "key"),
    [
        (
            resource("rds.Instance", engine="mysql", instanceClass="db.t4g.micro"),
            "RDS mysql db.t4g.micro",
            "rds.mysql.db.t4g.micro.single",
        ),
        (
            resource("elasticache.ReplicationGroup", nodeType="cache.t4g.micro"),
            "ElastiCache redis cache.t4g.micro",
            "elasticache.redis.cache.t4g.micro",
        ),
        (
            resource("eks.NodeGroup", instanceTypes=["x9.nano"], scalingConfig={"desiredSize": 1}),
            "system nodes x9.nano",
            "ec2.x9.nano",
        ),
        (
            resource("eks.NodeGroup", instanceTypes=UNKNOWN, scalingConfig={"desiredSize": 1}),
            "system nodes ?",
            "ec2.?",
        ),
    ],
)
def test_a_price_that_is_not_listed_is_unpriced_and_never_0(
    found: Registered, what: str, key: str
) -> None:
    unpriced = line(priced(found), what)
    assert (unpriced.price.key, unpriced.usd) == (key, None)
    assert unpriced in priced(found).unpriced


def test_secrets_of_bootstrap_are_paid_for_and_those_of_pulumi_once() -> None:
    secrets = (
        NamedSecret("aspora/staging/ecm/openrouter", "asked", ""),
        NamedSecret("aspora/staging/ecm/model-gateway/a", "generated", ""),
        NamedSecret("aspora/staging/platform/database", "pulumi", ""),
    )
    found = line(priced(secrets=secrets), "secret made by bootstrap")
    assert (found.count, found.usd) == (Decimal(2), Decimal("0.80"))
