"""The public DNS zone: does it exist, and does the world find it?"""

from __future__ import annotations

from collections.abc import Iterator

from infra.preflight.check import Check, Look


def delegated(look: Look) -> Iterator[Check]:
    """The name servers that the world sees are those of the zone in Route 53."""
    name = look.account.config.dns.public_zone
    what = f"DNS zone {name}"
    zones = _zones(look, name)
    if not zones:
        detail = "is not in Route 53 yet; `pulumi up` makes it"
        way_out = "then put its NS records into the parent zone, and look again"
        yield Check("warn", what, detail, way_out)
        return
    if len(zones) > 1:
        yield Check(
            "fail",
            what,
            f"there are {len(zones)} public zones of that name: {', '.join(zones)}",
            "keep the one that Pulumi made: aws route53 delete-hosted-zone --id ID",
        )
        return
    answer = look.account.aws.call("route53", "get_hosted_zone", Id=zones[0])
    own = frozenset(_plain(server) for server in answer["DelegationSet"]["NameServers"])
    yield _compared(what, name, own, look.name_servers(name))


def _compared(what: str, name: str, own: frozenset[str], world: frozenset[str] | None) -> Check:
    wanted = f"NS {' '.join(sorted(own))}"
    if world is None:
        detail = "no resolver of this machine could be asked"
        return Check("warn", what, detail, f"compare by hand: dig NS {name} shows {wanted}")
    if world == own:
        return Check("pass", what, f"delegated to {wanted}")
    seen = " ".join(sorted(world)) or "none"
    return Check(
        "fail", what, f"the world sees the name servers {seen}", f"in the parent zone: {wanted}"
    )


def _zones(look: Look, name: str) -> list[str]:
    found = look.account.aws.call("route53", "list_hosted_zones_by_name", DNSName=f"{name}.")
    return [
        zone["Id"].removeprefix("/hostedzone/")
        for zone in found["HostedZones"]
        if _plain(zone["Name"]) == name and not zone.get("Config", {}).get("PrivateZone")
    ]


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
