"""Rules of stack settings that look beyond one value, and what prod refuses until it is verified.

Each finding names its place by the path below `config:`; the core turns it into line and column,
the engine's side into the key's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations
from typing import NamedTuple, get_args
from urllib.parse import urlsplit

from aspora.gateways import pins as programs
from aspora.gateways.model import plan
from aspora.services import pins
from aspora.stack import PREFIX, Environment, StackSettings, server_host
from aspora.stack_aws import AwsSettings

Path = tuple[str | int, ...]
AWS: Path = (f"{PREFIX}aws",)
PINS_FILE = "aspora/services/pins.py"
NETWORK: Path = (f"{PREFIX}network",)
IMAGES: Path = (f"{PREFIX}images",)
CALLERS: Path = (f"{PREFIX}outsideCallers",)
SERVERS: Path = (f"{PREFIX}toolServers",)
VPC_SIZES = (16, 28)
"""Prefix lengths of a VPC's range and of a subnet's: VPC user guide, "VPC CIDR blocks"."""
SERVICE_SIZES = (12, 24)
SERVICE_SPACES = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""EKS API, KubernetesNetworkConfigRequest.serviceIpv4Cidr."""


class StackFinding(NamedTuple):
    """One thing wrong with the settings, with the way out."""

    code: str
    path: Path
    message: str
    hint: str


def check(settings: StackSettings) -> tuple[StackFinding, ...]:
    """What does not hold together, whatever the stack is for."""
    common = (*_callers(settings), *_tool_servers(settings))
    if settings.aws is None:
        return (*_without_aws(settings), *common)
    return (
        *common,
        *_zones(settings, settings.aws),
        *_ranges(settings, settings.aws),
        *_sizes(settings, settings.aws),
        *_service_range(settings, settings.aws),
        *_twice(settings.aws),
        *_runtime(settings.aws),
    )


def named(stack: str, settings: StackSettings) -> tuple[StackFinding, ...]:
    """A stack that is called as an environment is of that one: prod's rules are not lost to a
    line that was copied."""
    if stack not in get_args(Environment) or stack == settings.environment:
        return ()
    message = f"the stack {stack} is of the environment {settings.environment}"
    return (StackFinding("ASP409", (f"{PREFIX}environment",), message, f"write {stack}"),)


def _callers(settings: StackSettings) -> Iterator[StackFinding]:
    """Nobody outside gets in without an issuer; prod has somebody to serve."""
    if settings.environment == "prod" and settings.outside_callers is None:
        yield StackFinding(
            "ASP411",
            CALLERS,
            "prod has no `aspora:outsideCallers`, so that aspora-gateway refuses every call from"
            " outside",
            "name the issuer of the callers' tokens, its jwksURI and the audiences",
        )


def _tool_servers(settings: StackSettings) -> Iterator[StackFinding]:
    """Each name once; and one port a host, for the egress gateway goes by the host."""
    seen: dict[str, int] = {}
    ports: dict[str, int] = {}
    for index, server in enumerate(settings.tool_servers):
        if server.name in seen:
            yield StackFinding(
                "ASP412",
                (*SERVERS, index, "name"),
                f'tool server "{server.name}" stands twice',
                "rename one of them",
            )
        seen[server.name] = index
        host, port = server_host(server.url), urlsplit(server.url).port or 443
        if ports.setdefault(host, port) != port:
            yield StackFinding(
                "ASP412",
                (*SERVERS, index, "url"),
                f"{host} has the port {ports[host]} already",
                "give the servers of one host one port, or each a host of its own",
            )


def unverified(settings: StackSettings) -> tuple[StackFinding, ...]:
    """What prod refuses: pins that nobody has looked up (decision 16). Empty for other stacks."""
    if settings.environment != "prod" or settings.aws is None:
        return ()
    return tuple(_pins(settings.aws))


def refused(settings: StackSettings) -> tuple[StackFinding, ...]:
    """What a run on a real account refuses: for every stack an account without a name, so that
    no run lands in another one, and for prod whatever is not verified."""
    found = unverified(settings)
    if settings.aws is not None and settings.environment != "prod":
        found += tuple(_account(settings.aws))
    return found


def _account(aws: AwsSettings) -> Iterator[StackFinding]:
    if aws.account_id is None:
        yield StackFinding(
            "ASP407", (*AWS, "accountId"), "the account is not named", "write its 12 digits"
        )


def _without_aws(settings: StackSettings) -> Iterator[StackFinding]:
    if settings.environment != "local":
        yield StackFinding(
            "ASP402",
            AWS,
            f"{settings.environment} has no `aspora:aws`",
            "describe its AWS side as Pulumi.staging.yaml does",
        )


def _zones(settings: StackSettings, aws: AwsSettings) -> Iterator[StackFinding]:
    for index, zone in enumerate(aws.network.zones):
        if not zone.startswith(settings.region):
            yield StackFinding(
                "ASP403",
                (*AWS, "network", "zones", index),
                f'zone "{zone}" is not in the region {settings.region}',
                f"for example {settings.region}{'abcdef'[index % 6]}",
            )
    wanted = len(aws.network.zones)
    for path, cidrs in _subnets(settings, aws):
        if len(cidrs) != wanted:
            yield StackFinding(
                "ASP404",
                path,
                f"{len(cidrs)} ranges for {wanted} zones",
                "name one range for each zone, in the same order",
            )


def _subnets(settings: StackSettings, aws: AwsSettings) -> list[tuple[Path, Sequence[str]]]:
    network = settings.network
    return [
        ((*NETWORK, "nodeCidrs"), network.node_cidrs),
        ((*NETWORK, "databaseCidrs"), network.database_cidrs),
        ((*NETWORK, "endpointCidrs"), network.endpoint_cidrs),
        ((*AWS, "network", "publicCidrs"), aws.network.public_cidrs),
    ]


def _ranges(settings: StackSettings, aws: AwsSettings) -> Iterator[StackFinding]:
    """Subnets lie in the VPC and do not overlap: AWS would refuse them halfway through an `up`."""
    vpc = ip_network(settings.network.vpc_cidr)
    placed = [
        ((*path, index), ip_network(cidr))
        for path, cidrs in _subnets(settings, aws)
        for index, cidr in enumerate(cidrs)
    ]
    for path, subnet in placed:
        if not _within(subnet, vpc):
            yield StackFinding(
                "ASP405",
                path,
                f"{subnet} does not lie in the VPC's {vpc}",
                "choose a range inside of it, or widen network.vpcCidr",
            )
    for (_, first), (path, second) in combinations(placed, 2):
        if first.overlaps(second):
            yield StackFinding(
                "ASP406", path, f"{second} overlaps {first}", "each address has one subnet"
            )


def _sizes(settings: StackSettings, aws: AwsSettings) -> Iterator[StackFinding]:
    """A VPC and its subnets have a size between two that AWS sets."""
    ranges = [((*NETWORK, "vpcCidr"), settings.network.vpc_cidr)] + [
        ((*path, index), cidr)
        for path, cidrs in _subnets(settings, aws)
        for index, cidr in enumerate(cidrs)
    ]
    largest, smallest = VPC_SIZES
    for path, cidr in ranges:
        if not largest <= ip_network(cidr).prefixlen <= smallest:
            yield StackFinding(
                "ASP413",
                path,
                f"{cidr} is not of a size that AWS takes",
                f"from /{largest} to /{smallest}",
            )


def _service_range(settings: StackSettings, aws: AwsSettings) -> Iterator[StackFinding]:
    """Services' addresses are private ones that no node or database has."""
    path: Path = (*AWS, "controlPlane", "serviceCidr")
    services, vpc = (
        ip_network(aws.control_plane.service_cidr),
        ip_network(settings.network.vpc_cidr),
    )
    largest, smallest = SERVICE_SIZES
    if services.overlaps(vpc):
        yield StackFinding(
            "ASP406", path, f"{services} overlaps the VPC's {vpc}", "each address has one meaning"
        )
    private = any(_within(services, space) for space in SERVICE_SPACES)
    if not private or not largest <= services.prefixlen <= smallest:
        spaces = ", ".join(map(str, SERVICE_SPACES))
        yield StackFinding(
            "ASP413",
            path,
            f"{services} is not a range that EKS takes for Services",
            f"one from /{largest} to /{smallest} in {spaces}",
        )


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False


def _twice(aws: AwsSettings) -> Iterator[StackFinding]:
    """What the engine would refuse as two resources of one name."""
    access = aws.control_plane
    for path, values in (
        (("network", "zones"), aws.network.zones),
        (("network", "endpoints"), aws.network.endpoints),
        (("controlPlane", "privateAccessCidrs"), access.private_access_cidrs),
        (("controlPlane", "admins"), access.admins),
    ):
        for index, value in enumerate(values):
            if value in values[:index]:
                yield StackFinding(
                    "ASP410", (*AWS, *path, index), f"{value} stands there twice", "name it once"
                )
    if aws.dns.public_zone == aws.dns.private_zone:
        yield StackFinding(
            "ASP410",
            (*AWS, "dns", "privateZone"),
            f"{aws.dns.private_zone} is the public zone as well",
            "give the private one a name of its own",
        )


def _runtime(aws: AwsSettings) -> Iterator[StackFinding]:
    """Nodes install nothing that they cannot check: without a checksum there is no node class."""
    runtime = aws.nodes.gvisor_runtime
    if runtime.sha256 is None:
        yield StackFinding(
            "ASP408",
            (*AWS, "nodes", "gvisorRuntime"),
            f"gVisor {runtime.release} has no sha256, and nodes install nothing unchecked",
            "write the checksum of gvisor-x86_64.tar.bz2 from the release's SHA256SUMS",
        )


def _pins(aws: AwsSettings) -> Iterator[StackFinding]:
    doctor = "`aspora doctor --stack prod` lists what AWS offers; pin one of those"
    yield from _account(aws)
    for program in programs.unverified():
        yield StackFinding(
            "ASP407",
            IMAGES,
            f"the image of {program.name} {program.tag} has no verified digest",
            f"look it up at {program.repository}, write it to aspora/gateways/pins.py",
        )
    if not plan.routes_verified():
        yield StackFinding(
            "ASP407",
            IMAGES,
            "the models' names at OpenRouter are not verified",
            "compare aspora/data/openrouter-models.json with OpenRouter's list of models",
        )
    if aws.nodes.ami_release is None:
        yield StackFinding("ASP407", (*AWS, "nodes"), "nodes.amiRelease is not pinned", doctor)
    for name, version in aws.control_plane.addons.model_dump(by_alias=True).items():
        if version is None:
            where = (*AWS, "controlPlane")
            yield StackFinding("ASP407", where, f"addons.{name} is not pinned", doctor)
    runtime = aws.nodes.gvisor_runtime
    if runtime.sha256 is None or not runtime.verified:
        yield StackFinding(
            "ASP407",
            (*AWS, "nodes", "gvisorRuntime"),
            f"the checksum of gVisor {runtime.release} is not verified",
            "compare it with the release's SHA256SUMS, then set verified: true",
        )
    for name, why in pins.unseen():
        look = pins.by_name()[name].look
        yield StackFinding(
            "ASP407", AWS, f"release {name}: {why}", f"look at {look}, then write it in {PINS_FILE}"
        )
