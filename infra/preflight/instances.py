"""Zones, EC2 instance types and the RDS class: does AWS offer them where the stack wants them?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from infra.preflight.check import Check, Look

ARCHITECTURE = "x86_64"
"""Of the AMI of the system nodes and of gVisor's tarball."""


WITHOUT_EKS = ("use1-az3", "usw1-az2", "cac1-az3")
"""Zones in which EKS makes no control plane, by the IDs that are the same in every account (EKS
user guide, "VPC and subnet requirements")."""


def zones(look: Look) -> Iterator[Check]:
    """The availability zones exist, the account may use them, and EKS takes subnets there."""
    wanted = look.account.config.network.zones
    filters = [{"Name": "state", "Values": ["available"]}]
    answer = look.account.aws.call("ec2", "describe_availability_zones", Filters=filters)
    offered = {zone["ZoneName"]: zone["ZoneId"] for zone in answer["AvailabilityZones"]}
    missing = [zone for zone in wanted if zone not in offered]
    refused = [zone for zone in wanted if offered.get(zone) in WITHOUT_EKS]
    way_out = f"choose others in {look.setting('network.zones')}"
    if missing:
        detail = f"not available: {', '.join(missing)}; offered: {', '.join(sorted(offered))}"
        yield Check("fail", "availability zones", detail, way_out)
    elif refused:
        named = ", ".join(f"{zone} (here {offered[zone]})" for zone in refused)
        detail = f"EKS takes no subnet in {named}"
        yield Check("fail", "availability zones", detail, way_out)
    else:
        yield Check("pass", "availability zones", ", ".join(wanted))


def instance_types(look: Look) -> Iterator[Check]:
    """Each pool finds an instance in every zone; the system nodes have one type only."""
    nodes = look.account.config.nodes
    pools: Mapping[str, Sequence[str]] = {
        "system": (nodes.system.instance_type,),
        "platform": nodes.platform.instance_types,
        "gvisor": nodes.gvisor.instance_types,
        "gvisorSpot": nodes.gvisor_spot.instance_types,
    }
    offered = _offered(look, sorted({name for types in pools.values() for name in types}))
    for pool, types in pools.items():
        yield _pool(look, pool, types, offered)


def architectures(look: Look) -> Iterator[Check]:
    """The system nodes' AMI and runsc are built for one architecture."""
    nodes = look.account.config.nodes
    wanted = {
        nodes.system.instance_type,
        *nodes.gvisor.instance_types,
        *nodes.gvisor_spot.instance_types,
    }
    types = sorted(wanted)
    found = look.account.aws.pages(
        "ec2",
        "describe_instance_types",
        "InstanceTypes",
        Filters=[{"Name": "instance-type", "Values": types}],
    )
    others = sorted(
        item["InstanceType"]
        for item in found
        if ARCHITECTURE not in item["ProcessorInfo"]["SupportedArchitectures"]
    )
    if others:
        detail = f"not {ARCHITECTURE}: {', '.join(others)}"
        yield Check("fail", "architectures", detail, f"choose others in {look.setting('nodes')}")
    else:
        yield Check("pass", "architectures", ARCHITECTURE)


def _offered(look: Look, types: Sequence[str]) -> set[tuple[str, str]]:
    found = look.account.aws.pages(
        "ec2",
        "describe_instance_type_offerings",
        "InstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": list(types)}],
    )
    return {(item["InstanceType"], item["Location"]) for item in found}


def _pool(look: Look, pool: str, types: Sequence[str], offered: set[tuple[str, str]]) -> Check:
    zones = look.account.config.network.zones
    what = f"instance types of {pool}"
    gaps = [f"{name} in {zone}" for zone in zones for name in types if (name, zone) not in offered]
    empty = [zone for zone in zones if not any((name, zone) in offered for name in types)]
    way_out = f"choose others in {look.setting(f'nodes.{pool}')}"
    if empty:
        return Check("fail", what, f"none is offered in {', '.join(empty)}", way_out)
    if gaps:
        return Check("warn", what, f"not offered: {', '.join(gaps)}", way_out)
    return Check("pass", what, f"{', '.join(types)} in {', '.join(zones)}")


def database(look: Look) -> Iterator[Check]:
    """RDS sells the class with that PostgreSQL, on gp3, in two of the zones and as multi-AZ."""
    wanted = look.account.config.database
    what = f"RDS class {wanted.instance_class}"
    options = [
        option
        for option in look.account.aws.pages(
            "rds",
            "describe_orderable_db_instance_options",
            "OrderableDBInstanceOptions",
            Engine="postgres",
            DBInstanceClass=wanted.instance_class,
            Vpc=True,
        )
        if _is_version(option["EngineVersion"], wanted.engine_version)
        and option.get("StorageType") == "gp3"
    ]
    zones = {
        zone["Name"] for option in options for zone in option.get("AvailabilityZones", [])
    } & set(look.account.config.network.zones)
    way_out = f"choose another in {look.setting('database.instanceClass')}"
    if not options:
        detail = f"not offered with PostgreSQL {wanted.engine_version} on gp3"
        yield Check("fail", what, detail, way_out)
    elif wanted.multi_az and not any(option.get("MultiAZCapable") for option in options):
        yield Check("fail", what, "not offered as multi-AZ", way_out)
    elif len(zones) < 2:
        detail = f"offered in {len(zones)} of the stack's zones, a subnet group needs 2"
        yield Check("fail", what, detail, way_out)
    else:
        detail = f"PostgreSQL {wanted.engine_version} in {', '.join(sorted(zones))}"
        yield Check("pass", what, detail)


def _is_version(offered: str, wanted: str) -> bool:
    return offered == wanted or offered.startswith(f"{wanted}.")
