"""What NetworkPolicies open, held against what is promised.

Each lock is asked alone: an agent's policies for egress must let it reach what it was promised and
nothing else, whatever the other side admits, and so for its ingress, and for every platform service
towards agents. One policy gone wrong is then found before a second one makes it a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import ip_network

from aspora.isolation.addresses import Block, common, covered, shown
from aspora.isolation.given import Given
from aspora.isolation.model import Crossing, FindingKind, Reach
from aspora.isolation.network import Grant, Group, Network
from aspora.isolation.notes import Noted
from aspora.isolation.pods import Pods
from aspora.isolation.promises import (
    EGRESS,
    EXECUTE,
    INGRESS,
    OPEN_TO_AGENTS,
    PROMETHEUS,
    TO_THE_INTERNET,
    Ports,
    Promise,
    Service,
    into_agent,
    out_of_agent,
    tcp,
)

_CALLERS = (
    Promise(INGRESS, EXECUTE),
    Promise(PROMETHEUS, PROMETHEUS.ports),
)
"""The platform's services that call agents."""


def hold(given: Given, network: Network, noted: Noted) -> None:
    """Look at every group's two locks."""
    promises = _Promises(given)
    for group in network.groups:
        if group.one.domain:
            for pods in group.members:
                _agent(network, group, pods, promises, noted)
        elif group.one.namespace in given.rendered_spaces:
            _platform(given, network, group, noted)


class _Promises:
    """What each workload of a domain was promised, out and in."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._all: dict[str, tuple[list[Promise], list[Promise]]] = {}

    def of(self, pods: Pods) -> tuple[list[Promise], list[Promise]] | None:
        """(out, in); pods of any labels may have what any of their domain may. None: undeclared."""
        declared = self._given.declared_by_name.get(pods.domain or "")
        if declared is None:
            return None
        networks = self._given.networks
        if pods.free:
            if declared.name not in self._all:
                out = [p for s in declared.skills for p in out_of_agent(s, declared, networks)]
                into = [p for s in declared.skills for p in into_agent(s)]
                self._all[declared.name] = list(dict.fromkeys(out)), list(dict.fromkeys(into))
            return self._all[declared.name]
        skill = self._given.skills.get(pods.skill)
        if skill is None or not skill.id.startswith(f"{declared.name}/"):
            return None
        return list(out_of_agent(skill, declared, networks)), list(into_agent(skill))


def _agent(network: Network, group: Group, pods: Pods, promises: _Promises, noted: Noted) -> None:
    promised = promises.of(pods)
    if promised is None:
        noted.note(
            "unread",
            pods.id,
            "runs in a domain's namespace, and {} declares it",
            ["no domain file"],
            (),
        )
        return
    out, into = promised
    _leaves(network, group, pods, out, noted)
    _enters(network, group, pods, into, noted)
    if not pods.free:
        _possible(network, group, pods, (out, into), noted)


def _leaves(
    network: Network, group: Group, pods: Pods, promised: list[Promise], noted: Noted
) -> None:
    lock = network.out[group.index]
    for target, grants in lock.peers.items():
        other = network.groups[target]
        ports, by = _beyond(grants, other.one, promised)
        if ports:
            both, _ = network.between(group.index, target)
            noted.note(
                _kind(pods, other, both=bool(both)),
                pods.id,
                f"may open connections to {{}} ({shown(ports)}), which nothing promises",
                (member.id for member in other.members),
                by,
            )
    for block, grants in lock.blocks.items():
        ports, by = _beyond_block(grants, block, promised)
        if ports:
            noted.note(
                "outside",
                pods.id,
                f"may open connections to {{}} ({shown(ports)}), which nothing promises",
                [block.title],
                by,
            )


def _kind(pods: Pods, other: Group, *, both: bool) -> FindingKind:
    """How bad it is that one side, or both, let pass what nothing promises."""
    if not both:
        return "one side"
    return "outside" if other.one.domain in (None, pods.domain) else "crossing"


def _enters(
    network: Network, group: Group, pods: Pods, promised: list[Promise], noted: Noted
) -> None:
    lock = network.into[group.index]
    for source, grants in lock.peers.items():
        other = network.groups[source]
        ports, by = _beyond(grants, other.one, promised)
        if ports:
            both, _ = network.between(source, group.index)
            noted.note(
                _kind(pods, other, both=bool(both)),
                pods.id,
                f"admits {{}} ({shown(ports)}), which nothing promises",
                (member.id for member in other.members),
                by,
            )
    for block, grants in lock.blocks.items():
        noted.note(
            "outside",
            pods.id,
            "admits addresses of {}, which nothing promises",
            [block.title],
            (by for _, by in grants),
        )


def _possible(
    network: Network,
    group: Group,
    pods: Pods,
    promised: tuple[list[Promise], list[Promise]],
    noted: Noted,
) -> None:
    out, into = promised
    for promise in out:
        if isinstance(promise.to, Service):
            if not _connects(network, promise.to, promise.ports, lambda it: (group.index, it)):
                noted.note(
                    "closed", pods.id, "cannot reach {}, which it needs", [promise.title], ()
                )
        else:
            _addressed(network, group, pods, promise.to, promise.ports, noted)
    for promise in into:
        if isinstance(promise.to, Service) and not _connects(
            network, promise.to, promise.ports, lambda it: (it, group.index)
        ):
            what = "cannot be reached by {}, which it needs"
            noted.note("closed", pods.id, what, [promise.title], ())


def _addressed(
    network: Network,
    group: Group,
    pods: Pods,
    ranges: tuple[str, ...],
    ports: Ports,
    noted: Noted,
) -> None:
    granted = network.out[group.index].blocks
    for cidr in ranges:
        held = [g for block, gs in granted.items() if Block(cidr).within(block.cidr) for g in gs]
        if not covered(ports, _union(held)):
            noted.note("closed", pods.id, "cannot reach {}, which it needs", [cidr], ())


def _connects(
    network: Network, service: Service, ports: Ports, ends: Callable[[int], tuple[int, int]]
) -> bool:
    """Whether some pods of a service may talk with somebody on every promised port."""
    return any(
        covered(ports, network.between(*ends(other.index))[0]) for other in network.behind(service)
    )


def _platform(given: Given, network: Network, group: Group, noted: Noted) -> None:
    pods = group.one
    admits = [
        Promise(one, one.ports) for one in OPEN_TO_AGENTS if one.is_pod(pods.namespace, pods.labels)
    ]
    may_call = [
        p
        for p in _CALLERS
        if isinstance(p.to, Service) and p.to.is_pod(pods.namespace, pods.labels)
    ]
    for side, lock, allowed in (
        ("admits", network.into[group.index], admits),
        ("may open connections to", network.out[group.index], may_call),
    ):
        for index, grants in lock.peers.items():
            other = network.groups[index]
            if other.one.domain is None:
                continue
            ports, by = _beyond(grants, pods, allowed)
            if ports:
                noted.note(
                    "one side",
                    pods.id,
                    f"{side} {{}} ({shown(ports)}), which nothing promises",
                    (member.id for member in other.members),
                    by,
                )
    _to_addresses(given, network, group, may_call, noted)


def _to_addresses(
    given: Given, network: Network, group: Group, may_call: Sequence[Promise], noted: Noted
) -> None:
    pods = group.one
    for block, grants in network.out[group.index].blocks.items():
        if block.public:
            inside = block.holds((ip_network(given.networks.vpc),))
            allowed = frozenset() if inside else _may_leave(given, pods)
            more, by = _uncovered(grants, allowed)
            if more:
                what = f"may open connections to {{}} ({shown(more)}), which nothing promises"
                noted.note("outside", pods.id, what, [block.title], by)
        if block.holds(given.pod_addresses):
            ports, by_address = _listened(network, grants, may_call)
            if ports:
                noted.note(
                    "one side",
                    pods.id,
                    f"may reach agents by their addresses ({shown(ports)}) in {{}}",
                    [block.title],
                    by_address,
                )
    for block, grants in network.into[group.index].blocks.items():
        if not block.within(given.networks.vpc):
            noted.note(
                "outside",
                pods.id,
                "admits addresses of {}, which nothing promises",
                [block.title],
                (by for _, by in grants),
            )


def _listened(
    network: Network, grants: Iterable[Grant], may_call: Sequence[Promise]
) -> tuple[Ports, list[str]]:
    """Of `grants`, the ports that some agent listens on and that were not promised."""
    agents = frozenset(
        ("TCP", port, port)
        for group in network.groups
        if group.one.domain
        for pods in group.members
        for _, port in pods.ports
    )
    allowed = _union((promise.ports, "") for promise in may_call)
    found: set[tuple[str, int, int]] = set()
    names = []
    for ports, by in grants:
        more = frozenset(
            one for one in common(agents, ports) if not covered(frozenset({one}), allowed)
        )
        if more:
            found |= more
            names.append(by)
    return frozenset(found), names


def _may_leave(given: Given, pods: Pods) -> Ports:
    """The ports on which pods of the platform may reach public addresses."""
    found = [
        ports
        for namespace, key, value, ports in TO_THE_INTERNET
        if pods.namespace == namespace and (not key or pods.labels.get(key) == value)
    ]
    if EGRESS.is_pod(pods.namespace, pods.labels):
        found += [tcp(port) for domain in given.declared for _, port in domain.egress]
    return frozenset(one for ports in found for one in ports)


def _beyond(
    grants: Iterable[Grant], pods: Pods, promised: Iterable[Promise]
) -> tuple[Ports, list[str]]:
    """Ports of `grants` that no promise about `pods` covers, and the objects that grant them."""
    allowed = _union(
        (promise.ports, "")
        for promise in promised
        if isinstance(promise.to, Service) and promise.to.is_pod(pods.namespace, pods.labels)
    )
    return _uncovered(grants, allowed)


def _beyond_block(
    grants: Iterable[Grant], block: Block, promised: Iterable[Promise]
) -> tuple[Ports, list[str]]:
    allowed = _union(
        (promise.ports, "")
        for promise in promised
        if not isinstance(promise.to, Service) and any(block.within(cidr) for cidr in promise.to)
    )
    return _uncovered(grants, allowed)


def _uncovered(grants: Iterable[Grant], allowed: Ports) -> tuple[Ports, list[str]]:
    found: set[tuple[str, int, int]] = set()
    names = []
    for ports, by in grants:
        more = {one for one in ports if not covered(frozenset({one}), allowed)}
        if more:
            found |= more
            names.append(by)
    return frozenset(found), names


def _union(grants: Iterable[Grant]) -> Ports:
    return frozenset(one for ports, _ in grants for one in ports)


def reaches(network: Network) -> Iterator[Reach]:
    """Every pair of workloads that may connect directly."""
    for source, target, ports, by in network.pairs():
        port = shown(ports)
        for one in source.members:
            for other in target.members:
                if one is not other:
                    yield Reach(one.id, other.id, port, (), by)


def to_addresses(network: Network) -> Iterator[Reach]:
    """What agents may reach by address."""
    for group in network.groups:
        if group.one.domain:
            for block, grants in network.out[group.index].blocks.items():
                by = tuple(sorted({by for _, by in grants}))
                for pods in group.members:
                    yield Reach(pods.id, block.title, shown(_union(grants)), (), by)


def crossings(network: Network) -> Iterator[Crossing]:
    """Direct connections from one domain into another; no file can declare any."""
    for source, target, ports, by in network.pairs():
        here, there = source.one.domain, target.one.domain
        if here and there and here != there:
            for one in source.members:
                for other in target.members:
                    yield Crossing(
                        here,
                        there,
                        "network",
                        one.id,
                        other.id,
                        f"{one.id} to {other.id}, {shown(ports)}",
                        declared=False,
                        why="pods of two domains never connect directly",
                        by=by,
                    )
