"""NetworkPolicies: which pods may open connections to which, and to which addresses.

A connection needs two keys: the source's policies for egress and the target's for ingress. Both are
kept apart here, since the proof asks of each whether it would hold alone. Pods that every selector
treats alike make one group, so that the work grows with the policies and not with the pods.

An ipBlock counts for pods too when it may hold their addresses: with VPC CNI a pod has an address
of the nodes' subnets, and the rules are enforced by address.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from aspora.isolation.addresses import ALL_PORTS, ANYWHERE, Block, common, ports_of
from aspora.isolation.given import Given, Object, ref, space
from aspora.isolation.pods import Pods
from aspora.isolation.promises import Ports, Service
from aspora.isolation.selectors import Selector, is_everything, selects

Grant = tuple[Ports, str]
"""Ports, and the object that grants them."""
BOTH = ("Ingress", "Egress")


@dataclass(frozen=True, slots=True)
class Group:
    """Workloads that no selector tells apart; `index` is its place in the network's list."""

    index: int
    members: tuple[Pods, ...]

    @property
    def one(self) -> Pods:
        """A member to speak of them all."""
        return self.members[0]


@dataclass(slots=True)
class Lock:
    """What one side alone allows a group, to or from other groups and addresses.

    `peers` are by selectors; `near` by addresses that pods may have.
    """

    open: bool
    peers: dict[int, list[Grant]] = field(default_factory=dict)
    blocks: dict[Block, list[Grant]] = field(default_factory=dict)
    near: list[Grant] = field(default_factory=list)

    def grants(self, index: int) -> list[Grant]:
        """All for one group, by selector or by address."""
        return self.peers.get(index, []) + self.near


@dataclass(frozen=True, slots=True)
class _Rule:
    """`peers` is None for everybody."""

    peers: tuple[Mapping[str, Any], ...] | None
    ports: Ports


@dataclass(frozen=True, slots=True)
class _Policy:
    """A NetworkPolicy, or what a SandboxTemplate makes one of."""

    by: str
    namespace: str
    selector: Selector
    types: frozenset[str]
    ingress: tuple[_Rule, ...]
    egress: tuple[_Rule, ...]

    def rules(self, direction: str) -> tuple[_Rule, ...]:
        """Of one direction; nothing when the policy does not speak of it."""
        if direction not in self.types:
            return ()
        return self.ingress if direction == "Ingress" else self.egress


class Network:
    """All groups, with both locks of each."""

    def __init__(self, given: Given, pods: Sequence[Pods]) -> None:
        self._given = given
        self.policies = tuple(_policies(given))
        self.groups = _groups(pods, self.policies)
        self._resolved: dict[tuple[str, str], frozenset[int]] = {}
        self._services: dict[Service, tuple[Group, ...]] = {}
        self._at_home: dict[str, list[_Policy]] = {}
        for policy in self.policies:
            self._at_home.setdefault(policy.namespace, []).append(policy)
        self.out = [self._lock(group, "Egress") for group in self.groups]
        self.into = [self._lock(group, "Ingress") for group in self.groups]

    def between(self, source: int, target: int) -> tuple[Ports, tuple[str, ...]]:
        """Ports on which `source` may reach `target`, and the objects that allow it."""
        leave, enter = self.out[source].grants(target), self.into[target].grants(source)
        ports: set[tuple[str, int, int]] = set()
        by: set[str] = set()
        for mine, allows in leave:
            for theirs, admits in enter:
                if both := common(mine, theirs):
                    ports |= both
                    by |= {allows, admits}
        return frozenset(ports), tuple(sorted(by))

    def pairs(self) -> Iterator[tuple[Group, Group, Ports, tuple[str, ...]]]:
        """Every pair of groups that may connect."""
        for source in self.groups:
            lock = self.out[source.index]
            targets = range(len(self.groups)) if lock.near else sorted(lock.peers)
            for target in targets:
                ports, by = self.between(source.index, target)
                if ports:
                    yield source, self.groups[target], ports, by

    def behind(self, service: Service) -> tuple[Group, ...]:
        """The groups of a platform service's pods."""
        if service not in self._services:
            self._services[service] = tuple(
                group
                for group in self.groups
                if service.is_pod(group.one.namespace, group.one.labels)
            )
        return self._services[service]

    def _lock(self, group: Group, direction: str) -> Lock:
        mine = [one for one in self._at_home.get(group.one.namespace, ()) if direction in one.types]
        picking = [policy for policy in mine if group.one.picked(policy.selector)]
        if not _shut(group.one, picking):
            return self._open(group.one, direction)
        lock = Lock(open=False)
        for policy in picking:
            for rule in policy.rules(direction):
                self._add(lock, policy, rule)
        return lock

    def _open(self, pods: Pods, direction: str) -> Lock:
        by = f"no NetworkPolicy of {pods.namespace} shuts {direction.lower()} of {pods.id}"
        grant = [(ALL_PORTS, by)]
        every = {group.index: list(grant) for group in self.groups}
        blocks = {block: list(grant) for block in ANYWHERE}
        return Lock(open=True, peers=every, blocks=blocks, near=list(grant))

    def _add(self, lock: Lock, policy: _Policy, rule: _Rule) -> None:
        grant = (rule.ports, policy.by)
        if rule.peers is None:
            found: Iterable[int] = range(len(self.groups))
            blocks: Sequence[Block] = ANYWHERE
        else:
            named = [peer for peer in rule.peers if "ipBlock" not in peer]
            found = sorted({one for peer in named for one in self._peers(policy.namespace, peer)})
            blocks = [_block(peer["ipBlock"]) for peer in rule.peers if "ipBlock" in peer]
        for index in found:
            lock.peers.setdefault(index, []).append(grant)
        for block in blocks:
            lock.blocks.setdefault(block, []).append(grant)
            if block.holds(self._given.pod_addresses):
                lock.near.append(grant)

    def _peers(self, home: str, peer: Mapping[str, Any]) -> frozenset[int]:
        """The groups that a peer picks; an empty peer counts as everybody."""
        key = (home if "namespaceSelector" not in peer else "", json.dumps(peer, sort_keys=True))
        if key not in self._resolved:
            spaces = self._spaces(home, peer)
            wanted = peer.get("podSelector") or {}
            self._resolved[key] = frozenset(
                group.index
                for group in self.groups
                if group.one.namespace in spaces and group.one.picked(wanted)
            )
        return self._resolved[key]

    def _spaces(self, home: str, peer: Mapping[str, Any]) -> frozenset[str]:
        if "namespaceSelector" in peer:
            wanted = peer["namespaceSelector"] or {}
            found = self._given.namespaces.items()
            return frozenset(name for name, its in found if selects(wanted, its))
        if "podSelector" in peer:
            return frozenset({home})
        return frozenset(self._given.namespaces)


def _shut(pods: Pods, picking: Sequence[_Policy]) -> bool:
    """Whether a policy surely picks the pods: of any labels, only one that picks everything."""
    if pods.free:
        return any(is_everything(policy.selector) for policy in picking)
    return bool(picking)


def _groups(pods: Sequence[Pods], policies: Sequence[_Policy]) -> tuple[Group, ...]:
    """Pods of a namespace that each selector picks alike, of the policies there and of peers."""
    at_home: dict[str, dict[str, Selector]] = {}
    of_peers: dict[str, Selector] = {}
    for policy in policies:
        key = json.dumps(policy.selector, sort_keys=True)
        at_home.setdefault(policy.namespace, {})[key] = policy.selector
        for rule in chain(policy.ingress, policy.egress):
            for peer in rule.peers or ():
                if selector := peer.get("podSelector"):
                    of_peers[json.dumps(selector, sort_keys=True)] = selector
    found: dict[tuple[Any, ...], list[Pods]] = {}
    for one in pods:
        wanted = chain(at_home.get(one.namespace, {}).values(), of_peers.values())
        alike = tuple(one.picked(selector) for selector in wanted)
        found.setdefault((one.namespace, one.free, alike), []).append(one)
    return tuple(Group(index, tuple(members)) for index, members in enumerate(found.values()))


def _policies(given: Given) -> Iterator[_Policy]:
    for obj in given.kind("NetworkPolicy"):
        spec = obj["spec"]
        types = spec.get("policyTypes") or (BOTH if "egress" in spec else BOTH[:1])
        yield _policy(obj, spec.get("podSelector") or {}, frozenset(types), spec)
    for obj in given.kind("SandboxTemplate"):
        yield _of_template(obj)


def _of_template(obj: Object) -> _Policy:
    """The controller makes a policy of it for the template's pods; where the template has none, one
    that leaves the whole Internet open (agent-sandbox, SandboxTemplate.networkPolicy)."""
    spec = obj["spec"]
    its_labels = spec["podTemplate"]["metadata"].get("labels") or {}
    made = spec.get("networkPolicy")
    if spec.get("networkPolicyManagement") == "Unmanaged":
        return _policy(obj, {"matchLabels": its_labels}, frozenset(), {})
    if made is None:
        made = {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}
    return _policy(obj, {"matchLabels": its_labels}, frozenset(BOTH), made)


def _policy(
    obj: Object, selector: Selector, types: frozenset[str], spec: Mapping[str, Any]
) -> _Policy:
    return _Policy(
        ref(obj),
        space(obj),
        selector,
        types,
        tuple(_rule(rule, "from") for rule in spec.get("ingress") or ()),
        tuple(_rule(rule, "to") for rule in spec.get("egress") or ()),
    )


def _rule(rule: Mapping[str, Any], side: str) -> _Rule:
    peers = rule.get(side)
    return _Rule(tuple(peers) if peers else None, ports_of(rule.get("ports")))


def _block(made: Mapping[str, Any]) -> Block:
    return Block(made["cidr"], tuple(made.get("except") or ()))
