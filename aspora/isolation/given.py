"""What the proof is made from: plain objects, AWS resources, what domain files declare.

Nothing here is a model of the platform: an object is a dict as the API server takes it, and an AWS
resource is its type with its inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from aspora.isolation.kinds import kind_of

Object = Mapping[str, Any]
Address = IPv4Network | IPv6Network
DOMAIN = "domain"
"""The label that makes a namespace a domain's."""
OWNER_TEAM = "owner-team"


@dataclass(frozen=True, slots=True)
class Resource:
    """An AWS resource as the program registers it: Pulumi's type and its inputs."""

    type: str
    name: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Skill:
    """What a domain file says of one skill: `calls` are its agent's, `tools` (server, tool)."""

    id: str
    agent: str
    kind: str
    tools: frozenset[tuple[str, str]]
    calls: tuple[str, ...]
    callers: tuple[str, ...]
    database: bool


@dataclass(frozen=True, slots=True)
class Declared:
    """What a domain file says; `egress` are (host, port)."""

    name: str
    team: str
    skills: tuple[Skill, ...]
    egress: tuple[tuple[str, int], ...]
    sidecars: bool


@dataclass(frozen=True, slots=True)
class Networks:
    """Address ranges of the stack: where pods and nodes are, and two kinds of subnets beside."""

    vpc: str
    nodes: tuple[str, ...]
    databases: tuple[str, ...]
    endpoints: tuple[str, ...]


@dataclass(frozen=True)
class Given:
    """All of it. `aws` is empty for a stack that has no AWS side."""

    stack: str
    objects: tuple[Object, ...]
    declared: tuple[Declared, ...]
    networks: Networks
    aws: tuple[Resource, ...] = field(default=())

    @cached_property
    def by_kind(self) -> Mapping[str, tuple[Object, ...]]:
        """Objects by their kind, in the order given; those of another API group apart."""
        found: dict[str, list[Object]] = {}
        for obj in self.objects:
            found.setdefault(kind_of(obj), []).append(obj)
        return {kind: tuple(objs) for kind, objs in found.items()}

    def kind(self, *kinds: str) -> Iterator[Object]:
        """The objects of these kinds."""
        for kind in kinds:
            yield from self.by_kind.get(kind, ())

    @cached_property
    def rendered_spaces(self) -> frozenset[str]:
        """Namespaces that the stack puts something into; of others it decides nothing."""
        return frozenset({space(obj) for obj in self.objects} - {""})

    @cached_property
    def namespaces(self) -> Mapping[str, Mapping[str, str]]:
        """Labels of every namespace, with the one that the API server adds (its name)."""
        names = {*self.rendered_spaces, *ALWAYS_THERE}
        found = {name: {METADATA_NAME: name} for name in sorted(names)}
        for obj in self.kind("Namespace"):
            name = obj["metadata"]["name"]
            found[name] = {**labels(obj), METADATA_NAME: name}
        return found

    @cached_property
    def domains(self) -> Mapping[str, str]:
        """The domain of each namespace that has one."""
        return {name: found[DOMAIN] for name, found in self.namespaces.items() if found.get(DOMAIN)}

    @cached_property
    def skills(self) -> Mapping[str, Skill]:
        """Every declared skill by its ID."""
        return {skill.id: skill for domain in self.declared for skill in domain.skills}

    @cached_property
    def running(self) -> tuple[tuple[str, str, Skill], ...]:
        """(namespace, name, skill) of each workload that runs a declared skill of its domain: its
        settings name the skill."""
        found = []
        for obj in self.kind("ConfigMap"):
            skill = self.skills.get((obj.get("data") or {}).get("SKILL_NAME", ""))
            domain = self.domains.get(space(obj))
            if skill and domain and skill.id.startswith(f"{domain}/"):
                found.append((space(obj), obj["metadata"]["name"], skill))
        return tuple(found)

    @cached_property
    def declared_by_name(self) -> Mapping[str, Declared]:
        """What each domain's file says."""
        return {domain.name: domain for domain in self.declared}

    @cached_property
    def pod_addresses(self) -> tuple[Address, ...]:
        """Where pods have their addresses: VPC CNI takes them from the nodes' subnets."""
        return tuple(ip_network(cidr) for cidr in self.networks.nodes)

    def resources(self, kind: str) -> Iterator[Resource]:
        """The AWS resources of one type, such as "aws:iam/role:Role"."""
        return (resource for resource in self.aws if resource.type == kind)


METADATA_NAME = "kubernetes.io/metadata.name"
ALWAYS_THERE = ("default", "kube-system")


def space(obj: Object) -> str:
    """The namespace of an object; empty for what has none."""
    return str(obj["metadata"].get("namespace", ""))


def labels(obj: Object) -> Mapping[str, str]:
    """Its labels."""
    return obj["metadata"].get("labels") or {}


def ref(obj: Object) -> str:
    """How findings name an object: `NetworkPolicy aspora-ecm/allow-dns`."""
    where = space(obj)
    name = obj["metadata"]["name"]
    return f"{obj['kind']} {where}/{name}" if where else f"{obj['kind']} {name}"


def declared(domains: Iterable[Mapping[str, Any]]) -> tuple[Declared, ...]:
    """What domain files say, from the files' own fields with their defaults filled in."""
    return tuple(_declared(domain) for domain in domains)


def _declared(domain: Mapping[str, Any]) -> Declared:
    name = domain["name"]
    agents = {agent["name"]: agent for agent in domain["agents"]}
    found = [
        _skill(f"{name}/{agent['name']}/{skill['name']}", name, agent, skill)
        for agent in domain["agents"]
        for skill in agent["skills"]
    ]
    found += [
        _skill(f"{name}/{skill['name']}", name, agents[skill["agent"]], skill)
        for skill in domain["skills"]
    ]
    return Declared(
        name,
        domain["owner"]["team"],
        tuple(found),
        tuple((one["host"], one["port"]) for one in domain["egress"]),
        domain["sandbox"]["runtime"] != "gvisor",
    )


def _skill(skill_id: str, domain: str, agent: Mapping[str, Any], skill: Mapping[str, Any]) -> Skill:
    tools = agent["tools"] if skill["tools"] is None else skill["tools"]
    kind = "cron" if skill["schedule"] else "sessions" if skill["sessions"] else "service"
    return Skill(
        skill_id,
        f"{domain}/{agent['name']}",
        kind,
        frozenset((one["server"], tool) for one in tools or () for tool in one["tools"]),
        tuple(agent["calls"]),
        tuple(skill["callers"]),
        bool(agent["database"]),
    )
