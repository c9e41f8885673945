"""Service quotas of the account against what the stack may grow to.

Codes: the quota pages of the EC2 and VPC user guides link to them, for example
docs.aws.amazon.com/vpc/latest/privatelink/vpc-limits-endpoints.html for L-29B6F2EB.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.aws_account import Account
from infra.aws_session import AwsError
from infra.preflight.check import Check, Look

# What L-1216C47A and L-34B43A08 count: families A, C, D, H, I, M, R, T and Z. Others that begin
# with one of these letters have quotas of their own.
_STANDARD = re.compile(r"(?!dl|hpc|inf|trn|mac)[acdhimrtz][a-z0-9-]*\.", re.ASCII)


@dataclass(frozen=True)
class Need:
    """What is needed, in the quota's unit, and of what it is the sum."""

    amount: int
    words: str


@dataclass(frozen=True)
class Quota:
    """A quota of one region: its service, code and name, and what the stack needs of it."""

    service: str
    code: str
    what: str
    need: Callable[[Account], Need]


def on_demand(account: Account) -> Need:
    """vCPU: the system nodes, and the most that the pools on demand may grow to."""
    nodes = account.config.nodes
    each = _vcpus(account, nodes.system.instance_type)
    parts = {
        f"{nodes.system.count} system nodes": nodes.system.count * each,
        "platform": nodes.platform.cpu_limit,
        "gvisor": nodes.gvisor.cpu_limit,
    }
    return Need(sum(parts.values()), ", ".join(f"{name} {n}" for name, n in parts.items()))


def spot(account: Account) -> Need:
    """vCPU: the most that the spot pool may grow to."""
    limit = account.config.nodes.gvisor_spot.cpu_limit
    return Need(limit, f"gvisor-spot {limit}")


def addresses(account: Account) -> Need:
    """Elastic IPs: one for each NAT gateway, and those that others hold already."""
    network = account.config.network
    own = 1 if network.nat == "single" else len(network.zones)
    others = _others(account, "describe_addresses", "Addresses")
    return Need(own + others, f"{own} for NAT gateways, {others} of others")


def vpcs(account: Account) -> Need:
    """VPCs: ours, and those that are there already."""
    others = _others(account, "describe_vpcs", "Vpcs")
    return Need(1 + others, f"1 for the stack, {others} of others")


def endpoints(account: Account) -> Need:
    """Interface endpoints in the VPC."""
    count = len(account.config.network.endpoints)
    return Need(count, f"{count} in aspora:aws.network.endpoints")


QUOTAS = (
    Quota("ec2", "L-1216C47A", "vCPU on demand, standard families", on_demand),
    Quota("ec2", "L-34B43A08", "vCPU on spot, standard families", spot),
    Quota("ec2", "L-0263D0A3", "Elastic IPs", addresses),
    Quota("vpc", "L-F678F1CE", "VPCs in the region", vpcs),
    Quota("vpc", "L-29B6F2EB", "interface endpoints in a VPC", endpoints),
)


def quota(wanted: Quota, look: Look) -> Iterator[Check]:
    """One quota against what is needed of it."""
    what = f"quota {wanted.code} ({wanted.what})"
    need = wanted.need(look.account)
    limit = int(_applied(look.account, wanted))
    detail = f"{need.amount} of {limit}: {need.words}"
    if need.amount <= limit:
        yield Check("pass", what, detail)
        return
    way_out = (
        f"aws service-quotas request-service-quota-increase --service-code {wanted.service}"
        f" --quota-code {wanted.code} --desired-value {need.amount} --region {look.account.region}"
    )
    yield Check("fail", what, detail, way_out)


def other_families(look: Look) -> Iterator[Check]:
    """Instance types that those quotas do not count; nothing to say is nothing to see."""
    nodes = look.account.config.nodes
    types = {
        nodes.system.instance_type,
        *nodes.platform.instance_types,
        *nodes.gvisor.instance_types,
        *nodes.gvisor_spot.instance_types,
    }
    others = sorted(name for name in types if not _STANDARD.match(name))
    if others:
        detail = f"not counted above, their families have quotas of their own: {', '.join(others)}"
        way_out = "aws service-quotas list-service-quotas --service-code ec2"
        yield Check("warn", "quotas of other families", detail, way_out)


def _applied(account: Account, wanted: Quota) -> float:
    """The account's own value; AWS's default where it never had one."""
    parameters = {"ServiceCode": wanted.service, "QuotaCode": wanted.code}
    try:
        answer = account.aws.call("service-quotas", "get_service_quota", **parameters)
    except AwsError as error:
        if error.code != "NoSuchResourceException":
            raise
        operation = "get_aws_default_service_quota"
        answer = account.aws.call("service-quotas", operation, **parameters)
    return float(answer["Quota"]["Value"])


def _vcpus(account: Account, instance_type: str) -> int:
    answer = account.aws.call("ec2", "describe_instance_types", InstanceTypes=[instance_type])
    return int(answer["InstanceTypes"][0]["VCpuInfo"]["DefaultVCpus"])


def _others(account: Account, operation: str, key: str) -> int:
    """How many of them are not this stack's: after an `up` its own are there too."""
    tag = {"Key": "aspora:environment", "Value": account.stack}
    found: list[dict[str, Any]] = account.aws.call("ec2", operation)[key]
    return sum(tag not in item.get("Tags", []) for item in found)
