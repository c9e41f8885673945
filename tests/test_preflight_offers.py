"""`aspora doctor --stack`: quotas, and what AWS offers or has already in this region."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from botocore.stub import Stubber

from aspora.stack_aws import Addons
from infra.preflight import eks, instances, quotas, singletons, zone
from infra.preflight.check import Check, Look
from tests import account_lab as lab
from tests.account_lab import (
    Script,
    api,
    entered,
)
from tests.preflight_lab import (
    PINNED,
    TODAY,
    VERSION,
    ZONE,
    addon_versions,
    db_option,
    found,
    look,
    one,
    stubbed,
)

aws = lab.aws


# -- quotas -------------------------------------------------------------------------------------


def quota_of(code: str) -> quotas.Quota:
    return next(quota for quota in quotas.QUOTAS if quota.code == code)


def asked(quota: quotas.Quota, value: float) -> tuple[str, dict[str, Any], dict[str, Any]]:
    given = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    return "get_service_quota", {"Quota": {"Value": value}}, given


SMALL: dict[str, Any] = {
    "nodes__system__count": 2,
    "nodes__platform__cpu_limit": 8,
    "nodes__gvisor__cpu_limit": 16,
    "nodes__gvisor_spot__cpu_limit": 12,
    "network__nat": "per-zone",
}


@pytest.mark.parametrize(
    ("code", "limit", "state", "detail"),
    [
        ("L-1216C47A", 28, "pass", "28 of 28: 2 system nodes 4, platform 8, gvisor 16"),
        ("L-1216C47A", 5, "fail", "28 of 5: 2 system nodes 4, platform 8, gvisor 16"),
        ("L-34B43A08", 12, "pass", "12 of 12: gvisor-spot 12"),
        ("L-34B43A08", 0, "fail", "12 of 0: gvisor-spot 12"),
        ("L-0263D0A3", 5, "pass", "4 of 5: 3 for NAT gateways, 1 of others"),
        ("L-0263D0A3", 3, "fail", "4 of 3: 3 for NAT gateways, 1 of others"),
        ("L-F678F1CE", 5, "pass", "2 of 5: 1 for the stack, 1 of others"),
        ("L-F678F1CE", 1, "fail", "2 of 1: 1 for the stack, 1 of others"),
        ("L-29B6F2EB", 50, "pass", "6 of 50: 6 in aspora:aws.network.endpoints"),
        ("L-29B6F2EB", 4, "fail", "6 of 4: 6 in aspora:aws.network.endpoints"),
    ],
)
def test_quotas(code: str, limit: int, state: str, detail: str, aws: Script) -> None:
    """One Elastic IP is somebody's, one is this stack's own; the default VPC is somebody's."""
    quota, ec2 = quota_of(code), api("ec2")
    ec2.allocate_address(Domain="vpc")
    own = [{"Key": "aspora:environment", "Value": "staging"}]
    tagged = [{"ResourceType": "elastic-ip", "Tags": own}]
    ec2.allocate_address(Domain="vpc", TagSpecifications=tagged)
    endpoints = ("s3", "ecr.api", "ecr.dkr", "sts", "secretsmanager", "logs")
    given = look(**SMALL | {"network__endpoints": endpoints})
    stub = stubbed(given, "service-quotas", asked(quota, float(limit)))
    check = one(given, partial(quotas.quota, quota), stub)
    assert (check.state, check.what, check.detail) == (
        state,
        f"quota {code} ({quota.what})",
        detail,
    )
    increase = (
        "aws service-quotas request-service-quota-increase --service-code"
        f" {quota.service} --quota-code {code} --desired-value {detail.split(maxsplit=1)[0]}"
        " --region us-east-1"
    )
    assert check.way_out == ("" if state == "pass" else increase)


def test_one_nat_gateway_needs_one_address(aws: Script) -> None:
    need = quotas.addresses(entered(network__nat="single"))
    assert need == quotas.Need(1, "1 for NAT gateways, 0 of others")


def test_a_quota_that_nobody_ever_raised_has_aws_s_default(aws: Script) -> None:
    quota, given = quota_of("L-34B43A08"), look(**SMALL)
    stub = Stubber(given.account.aws.client("service-quotas"))
    stub.add_client_error("get_service_quota", "NoSuchResourceException")
    parameters = {"ServiceCode": "ec2", "QuotaCode": quota.code}
    stub.add_response("get_aws_default_service_quota", {"Quota": {"Value": 5.0}}, parameters)
    assert one(given, partial(quotas.quota, quota), stub).detail == "12 of 5: gvisor-spot 12"


@pytest.mark.parametrize(
    ("types", "others"),
    [
        (
            ("t3a.large", "m6a.xlarge", "c7i-flex.large", "i4i.large", "z1d.large", "im4gn.large"),
            [],
        ),
        (("g5.xlarge", "inf2.xlarge", "trn1.2xlarge", "dl1.24xlarge"), [0, 1, 2, 3]),
        (
            ("t3a.large", "hpc7a.12xlarge", "x2idn.16xlarge", "mac2.metal", "u7i-12tb.224xlarge"),
            [1, 2, 3, 4],
        ),
    ],
)
def test_families_with_quotas_of_their_own(
    types: tuple[str, ...], others: list[int], aws: Script
) -> None:
    said = found(quotas.other_families, look(nodes__platform__instance_types=types))
    if not others:
        assert said == []
        return
    names = ", ".join(sorted(types[index] for index in others))
    assert said == [
        Check(
            "warn",
            "quotas of other families",
            f"not counted above, their families have quotas of their own: {names}",
            "aws service-quotas list-service-quotas --service-code ec2",
        )
    ]


# -- EKS ----------------------------------------------------------------------------------------


def eks_version(**fields: Any) -> dict[str, Any]:
    return {"clusterVersions": [{"clusterVersion": "1.36"}, {"clusterVersion": VERSION} | fields]}


def until(year: int, month: int, day: int) -> dict[str, Any]:
    return {"endOfStandardSupportDate": datetime(year, month, day, tzinfo=UTC)}


RAISE = "raise aspora:cluster.version in Pulumi.staging.yaml by one minor"


@pytest.mark.parametrize(
    ("answer", "state", "detail", "way_out"),
    [
        (
            eks_version(versionStatus="STANDARD_SUPPORT", **until(2027, 2, 23)),
            *("pass", "in standard support until 2027-02-23", ""),
        ),
        (
            eks_version(versionStatus="STANDARD_SUPPORT", **until(2027, 2, 22)),
            *("warn", "standard support ends on 2027-02-22, in 89 days", RAISE),
        ),
        (
            eks_version(status="standard-support"),
            *("pass", "in standard support; AWS names no end yet", ""),
        ),
        (
            eks_version(versionStatus="EXTENDED_SUPPORT", **until(2026, 1, 1)),
            *("warn", "is past its standard support, which costs extra by the hour", RAISE),
        ),
        (
            {"clusterVersions": [{"clusterVersion": "1.36"}, {"clusterVersion": "1.35"}]},
            "fail",
            "is not offered in us-east-1; offered: 1.35, 1.36",
            "choose one of them as aspora:cluster.version in Pulumi.staging.yaml",
        ),
    ],
)
def test_the_version_of_eks(
    answer: dict[str, Any], state: str, detail: str, way_out: str, aws: Script
) -> None:
    given = look()
    stub = stubbed(given, "eks", ("describe_cluster_versions", answer, {}))
    assert one(given, eks.version, stub) == Check(state, f"EKS {VERSION}", detail, way_out)  # type: ignore[arg-type]


def test_every_add_on_of_the_settings_is_looked_at() -> None:
    assert list(eks.ADDONS) == list(Addons.model_fields)
    descriptions = [field.description or "" for field in Addons.model_fields.values()]
    named = zip(descriptions, eks.ADDONS.values(), strict=True)
    assert all(description.startswith(f"{name}: ") for description, name in named)


PIN = "aspora:aws.controlPlane.addons.{} in Pulumi.staging.yaml"


def test_add_ons(aws: Script) -> None:
    """Pinned, not pinned, pinned to what is not offered, not offered at all, and refused."""
    pins = {"vpc_cni": PINNED, "kube_proxy": "v1.0.0-eksbuild.1", "pod_identity": PINNED}
    addons = Addons().model_copy(update=pins)
    given = look(control_plane__addons=addons)
    offered = addon_versions(
        ("v1.21.0-eksbuild.1", False),
        (PINNED, True),
        ("v1.19.0-eksbuild.1", False),
        ("v1.1.0-eksbuild.1", False),
    )
    other = addon_versions((PINNED, True))
    other["addons"][0]["addonVersions"][0]["compatibilities"][0]["clusterVersion"] = "1.30"
    answers = {
        "vpc-cni": offered,
        "coredns": offered,
        "kube-proxy": offered,
        "eks-pod-identity-agent": other,
        "aws-ebs-csi-driver": {"addons": []},
    }
    stub = Stubber(given.account.aws.client("eks"))
    for name, answer in answers.items():
        expected = {"addonName": name, "kubernetesVersion": VERSION}
        stub.add_response("describe_addon_versions", answer, expected)
    stub.add_client_error("describe_addon_versions", "AccessDeniedException")
    with stub:
        said = found(eks.addons, given)
    nothing = f"no version is offered for Kubernetes {VERSION}"
    assert said == [
        Check("pass", "add-on vpc-cni", PINNED),
        Check(
            "warn",
            "add-on coredns",
            f"is not pinned; AWS's default is {PINNED}",
            f"write {PIN.format('coredns')}: {PINNED}",
        ),
        Check(
            "fail",
            "add-on kube-proxy",
            "v1.0.0-eksbuild.1 is not offered; newest: v1.21.0-eksbuild.1, v1.20.4-eksbuild.1,"
            " v1.19.0-eksbuild.1",
            f"write {PIN.format('kubeProxy')}: {PINNED}",
        ),
        Check("fail", "add-on eks-pod-identity-agent", nothing),
        Check("fail", "add-on aws-ebs-csi-driver", nothing),
        Check(
            "warn",
            "add-on metrics-server",
            "cannot look: needs eks:DescribeAddonVersions",
            "ask for eks:DescribeAddonVersions, or look by hand",
        ),
    ]


AMI = f"/aws/service/eks/optimized-ami/{VERSION}/amazon-linux-2023/x86_64/standard"


def parameter(name: str, value: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    return "get_parameter", {"Parameter": {"Value": value}}, {"Name": f"{AMI}/{name}"}


@pytest.mark.parametrize("pinned", ["v20261001", "20261001"])
def test_a_pinned_ami_that_exists(pinned: str, aws: Script) -> None:
    given = look(nodes__ami_release=pinned)
    image = f"amazon-eks-node-al2023-x86_64-standard-{VERSION}-v20261001/image_id"
    stub = stubbed(
        given,
        "ssm",
        parameter("recommended/release_version", f"{VERSION}.2-20261110"),
        parameter(image, "ami-1"),
    )
    detail = f"{pinned}; the recommended one is v20261110"
    assert one(given, eks.ami, stub) == Check("pass", "AL2023 AMI", detail)


def test_an_ami_that_is_not_pinned(aws: Script) -> None:
    given = look(nodes__ami_release=None)
    stub = stubbed(given, "ssm", parameter("recommended/release_version", f"{VERSION}.2-20261110"))
    assert one(given, eks.ami, stub) == Check(
        "warn",
        "AL2023 AMI",
        "is not pinned; the recommended one is v20261110",
        "write aspora:aws.nodes.amiRelease in Pulumi.staging.yaml: v20261110",
    )


def test_an_ami_that_does_not_exist(aws: Script) -> None:
    given = look(nodes__ami_release="v20200101")
    stub = stubbed(given, "ssm", parameter("recommended/release_version", f"{VERSION}.2-20261110"))
    stub.add_client_error("get_parameter", "ParameterNotFound")
    assert one(given, eks.ami, stub) == Check(
        "fail",
        "AL2023 AMI",
        f"there is no release v20200101 for Kubernetes {VERSION}",
        "write aspora:aws.nodes.amiRelease in Pulumi.staging.yaml: v20261110",
    )


def test_a_version_without_an_ami(aws: Script) -> None:
    (check,) = found(eks.ami, look())  # moto has no such parameter
    assert (check.state, check.detail) == ("fail", f"none for Kubernetes {VERSION} in us-east-1")


# -- instances ----------------------------------------------------------------------------------


def test_zones_that_are_not_there(aws: Script) -> None:
    (check,) = found(
        instances.zones, look(network__zones=("us-east-1a", "us-east-1z", "us-west-2a"))
    )
    assert check == Check(
        "fail",
        "availability zones",
        "not available: us-east-1z, us-west-2a; offered: us-east-1a, us-east-1b, us-east-1c,"
        " us-east-1d, us-east-1e, us-east-1f",
        "choose others in aspora:aws.network.zones in Pulumi.staging.yaml",
    )


def test_a_zone_that_eks_does_not_take(aws: Script) -> None:
    """Which letter the zone has differs from account to account: its ID is asked for."""
    (check,) = found(
        instances.zones, look(network__zones=("us-east-1a", "us-east-1b", "us-east-1e"))
    )
    assert check == Check(
        "fail",
        "availability zones",
        "EKS takes no subnet in us-east-1e (here use1-az3)",
        "choose others in aspora:aws.network.zones in Pulumi.staging.yaml",
    )


def offerings(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {
        "InstanceTypeOfferings": [
            {"InstanceType": name, "Location": place} for name, place in pairs
        ]
    }


def test_instance_types_by_pool_and_zone(aws: Script) -> None:
    a, b, c = "us-east-1a", "us-east-1b", "us-east-1c"
    given = look(
        nodes__system__instance_type="t3a.large",
        nodes__platform__instance_types=("m6a.xlarge", "m6i.xlarge"),
        nodes__gvisor__instance_types=("m6i.xlarge",),
        nodes__gvisor_spot__instance_types=("m7i.2xlarge",),
    )
    answer = offerings(
        *(("t3a.large", zone) for zone in (a, b)),
        *(("m6a.xlarge", zone) for zone in (a, b)),
        *(("m6i.xlarge", zone) for zone in (a, b, c)),
    )
    types = ["m6a.xlarge", "m6i.xlarge", "m7i.2xlarge", "t3a.large"]
    expected = {
        "LocationType": "availability-zone",
        "Filters": [{"Name": "instance-type", "Values": types}],
    }
    with stubbed(given, "ec2", ("describe_instance_type_offerings", answer, expected)):
        said = found(instances.instance_types, given)
    place = "choose others in aspora:aws.nodes.{} in Pulumi.staging.yaml"
    assert said == [
        Check(
            "fail",
            "instance types of system",
            "none is offered in us-east-1c",
            place.format("system"),
        ),
        Check(
            "warn",
            "instance types of platform",
            "not offered: m6a.xlarge in us-east-1c",
            place.format("platform"),
        ),
        Check("pass", "instance types of gvisor", f"m6i.xlarge in {a}, {b}, {c}"),
        Check(
            "fail",
            "instance types of gvisorSpot",
            f"none is offered in {a}, {b}, {c}",
            place.format("gvisorSpot"),
        ),
    ]


def test_gvisor_runs_on_one_architecture(aws: Script) -> None:
    given = look(nodes__gvisor_spot__instance_types=("t4g.large", "m6a.xlarge"))
    assert found(instances.architectures, given) == [
        Check(
            "fail",
            "architectures",
            "not x86_64: t4g.large",
            "choose others in aspora:aws.nodes in Pulumi.staging.yaml",
        )
    ]


@pytest.mark.parametrize(
    ("options", "changes", "state", "detail"),
    [
        ([db_option()], {}, "pass", "PostgreSQL 17 in us-east-1a, us-east-1b"),
        ([db_option(EngineVersion="17")], {}, "pass", "PostgreSQL 17 in us-east-1a, us-east-1b"),
        ([], {}, "fail", "not offered with PostgreSQL 17 on gp3"),
        (
            [db_option(EngineVersion="170.1"), db_option(StorageType="gp2")],
            *({}, "fail", "not offered with PostgreSQL 17 on gp3"),
        ),
        (
            [db_option(MultiAZCapable=False)],
            *({"database__multi_az": True}, "fail", "not offered as multi-AZ"),
        ),
        (
            [db_option(AvailabilityZones=[{"Name": "us-east-1a"}, {"Name": "us-east-1f"}])],
            *({}, "fail", "offered in 1 of the stack's zones, a subnet group needs 2"),
        ),
    ],
)
def test_the_class_of_the_database(
    options: list[dict[str, Any]],
    changes: dict[str, Any],
    state: str,
    detail: str,
    aws: Script,
) -> None:
    given = look(database__instance_class="db.t4g.small", database__engine_version="17", **changes)
    expected = {"Engine": "postgres", "DBInstanceClass": "db.t4g.small", "Vpc": True}
    answer = {"OrderableDBInstanceOptions": options}
    stub = stubbed(given, "rds", ("describe_orderable_db_instance_options", answer, expected))
    check = one(given, instances.database, stub)
    assert (check.state, check.what, check.detail) == (state, "RDS class db.t4g.small", detail)
    place = "choose another in aspora:aws.database.instanceClass in Pulumi.staging.yaml"
    assert check.way_out == ("" if state == "pass" else place)


# -- DNS ----------------------------------------------------------------------------------------


def made_zone(name: str, *, private: bool = False) -> frozenset[str]:
    """A zone in Route 53; its name servers."""
    where = {"VPC": {"VPCRegion": "us-east-1", "VPCId": "vpc-1"}} if private else {}
    answer = api("route53").create_hosted_zone(
        Name=name,
        CallerReference=f"{name}{private}",
        HostedZoneConfig={"PrivateZone": private, "Comment": ""},
        **where,
    )
    return frozenset(answer.get("DelegationSet", {}).get("NameServers", []))


@pytest.mark.parametrize(
    ("world", "state", "detail", "way_out"),
    [
        (lambda own: own, "pass", "delegated to NS {own}", ""),
        (
            lambda own: frozenset({"ns.other.example", "a.other.example"}),
            "fail",
            "the world sees the name servers a.other.example ns.other.example",
            "in the parent zone: NS {own}",
        ),
        (
            lambda own: frozenset(),
            "fail",
            "the world sees the name servers none",
            "in the parent zone: NS {own}",
        ),
        (
            lambda own: None,
            "warn",
            "no resolver of this machine could be asked",
            f"compare by hand: dig NS {ZONE} shows NS {{own}}",
        ),
    ],
)
def test_the_delegation_of_the_zone(
    world: Callable[[frozenset[str]], Any], state: str, detail: str, way_out: str, aws: Script
) -> None:
    own = made_zone(ZONE)
    made_zone(ZONE, private=True)
    made_zone(f"a.{ZONE}")
    assert own
    given = Look(entered(), (), TODAY, lambda name: world(own) if name == ZONE else None)
    servers = " ".join(sorted(own))
    (check,) = found(zone.delegated, given)
    assert (check.state, check.what) == (state, f"DNS zone {ZONE}")
    assert check.detail == detail.format(own=servers)
    assert check.way_out == way_out.format(own=servers)


def test_two_zones_of_one_name(aws: Script) -> None:
    made_zone(ZONE)
    api("route53").create_hosted_zone(Name=ZONE, CallerReference="again")
    (check,) = found(zone.delegated, look())
    assert check.state == "fail"
    assert check.detail.startswith("there are 2 public zones of that name: ")
    assert check.way_out == "keep the one that Pulumi made: aws route53 delete-hosted-zone --id ID"


# -- what an account has only once --------------------------------------------------------------


def detector(**tags: str) -> str:
    return str(api("guardduty").create_detector(Enable=True, Tags=tags)["DetectorId"])


def test_a_detector_of_the_organisation(aws: Script) -> None:
    made = detector(owner="security")
    (check,) = found(singletons.guardduty, look(detection__guardduty=True))
    assert check == Check(
        "fail",
        "GuardDuty detector",
        f"{made} is there already, and a region has only one",
        "set aspora:aws.detection.guardduty in Pulumi.staging.yaml: false",
    )
    (check,) = found(singletons.guardduty, look(detection__guardduty=False))
    assert (check.state, check.detail) == ("pass", f"{made} is not this stack's")


def test_a_detector_of_ours(aws: Script) -> None:
    aws.answers["ListDetectors"] = {"DetectorIds": ["d1"]}
    tags = {"aspora:environment": "staging"}
    aws.answers["GetDetector"] = {"ServiceRole": "r", "Status": "ENABLED", "Tags": tags}
    (check,) = found(singletons.guardduty, look(detection__guardduty=True))
    assert (check.state, check.detail) == ("pass", "d1, made by this stack")


def test_no_detector_yet(aws: Script) -> None:
    (check,) = found(singletons.guardduty, look(detection__guardduty=True))
    assert (check.state, check.detail) == ("pass", "none yet; `pulumi up` makes it")


@pytest.mark.parametrize(
    ("tags", "state"), [([], "warn"), ([{"Key": "aspora:environment", "Value": "staging"}], "pass")]
)
def test_github_s_provider(tags: list[dict[str, str]], state: str, aws: Script) -> None:
    arn = api("iam").create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com",
        ClientIDList=["sts.amazonaws.com"],
        ThumbprintList=[],
        Tags=tags,
    )["OpenIDConnectProviderArn"]
    (check,) = found(singletons.github_oidc, look())
    if state == "pass":
        assert check == Check("pass", "GitHub OIDC provider", f"{arn}, made by this stack")
        return
    assert check == Check(
        "warn",
        "GitHub OIDC provider",
        f"{arn} is there already, and an account has only one",
        "after a first `pulumi up`: pulumi import --stack staging"
        " aws:iam/openIdConnectProvider:OpenIdConnectProvider aspora-staging-github"
        f" {arn} --parent github=URN (`pulumi stack --show-urns` shows it)",
    )
