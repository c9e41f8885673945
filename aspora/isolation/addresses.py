"""Address ranges and ports of NetworkPolicies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import IPv4Network, ip_network
from typing import Any

from aspora.isolation.given import Address
from aspora.isolation.promises import Ports

FIRST, LAST = 1, 65535
ALL_PORTS: Ports = frozenset((name, FIRST, LAST) for name in ("TCP", "UDP", "SCTP"))
_LOCAL: tuple[Address, ...] = tuple(
    ip_network(cidr)
    for cidr in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
        *("127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128"),
    )
)
"""Never routed on the Internet: RFC 1918, 6598, 3927, 1122, 4193, 4291."""


@dataclass(frozen=True, slots=True)
class Block:
    """An ipBlock."""

    cidr: str
    besides: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """As a workload's name: `0.0.0.0/0 without 10.0.0.0/8`."""
        return f"{self.cidr} without {', '.join(self.besides)}" if self.besides else self.cidr

    def holds(self, ranges: tuple[Address, ...]) -> bool:
        """Whether an address of `ranges` may be in it."""
        return _holds(self, ranges)

    def within(self, other: str) -> bool:
        """Whether all of it lies in `other`."""
        return _within(_network(self.cidr), _network(other))

    @property
    def public(self) -> bool:
        """Whether it may hold an address of the Internet."""
        mine = _network(self.cidr)
        return not any(_within(mine, one) for one in _LOCAL)


ANYWHERE = (Block("0.0.0.0/0"), Block("::/0"))


@cache
def _network(cidr: str) -> Address:
    return ip_network(cidr, strict=False)


@lru_cache(maxsize=65536)
def _holds(block: Block, ranges: tuple[Address, ...]) -> bool:
    mine = _network(block.cidr)
    without = [_network(one) for one in block.besides]
    return any(
        mine.overlaps(one) and not any(_within(one, hole) for hole in without)
        for one in ranges
        if one.version == mine.version
    )


@lru_cache(maxsize=65536)
def _within(one: Address, other: Address) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.subnet_of(other)
    return not isinstance(other, IPv4Network) and one.subnet_of(other)


def ports_of(listed: Sequence[Mapping[str, Any]] | None) -> Ports:
    """The `ports` of a rule; a port by name counts as all of its protocol."""
    return frozenset(_range(one) for one in listed) if listed else ALL_PORTS


def _range(port: Mapping[str, Any]) -> tuple[str, int, int]:
    protocol, first = port.get("protocol", "TCP"), port.get("port")
    if not isinstance(first, int):
        return protocol, FIRST, LAST
    return protocol, first, port.get("endPort") or first


@lru_cache(maxsize=65536)
def common(one: Ports, other: Ports) -> Ports:
    """Ports that are in both."""
    if other in (one, ALL_PORTS):
        return one
    return frozenset(
        (protocol, max(first, begin), min(last, end))
        for protocol, first, last in one
        for its, begin, end in other
        if protocol == its and max(first, begin) <= min(last, end)
    )


@lru_cache(maxsize=65536)
def covered(ports: Ports, by: Ports) -> bool:
    """Whether each of `ports` is in `by`."""
    return all(
        any(protocol == its and begin <= first and last <= end for its, begin, end in by)
        for protocol, first, last in ports
    )


def shown(ports: Ports) -> str:
    """For people: `TCP 53, UDP 53`, `TCP 1000-2000`, or `any port`."""
    if ports == ALL_PORTS:
        return "any port"
    return ", ".join(_shown(one) for one in sorted(ports))


def _shown(one: tuple[str, int, int]) -> str:
    protocol, first, last = one
    if (first, last) == (FIRST, LAST):
        return f"{protocol} any"
    return f"{protocol} {first}" if first == last else f"{protocol} {first}-{last}"
