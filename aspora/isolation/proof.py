"""The proof of a stack: every part looks, and what they saw becomes one."""

from __future__ import annotations

from collections import Counter

from aspora.isolation import (
    admission,
    certificates,
    connections,
    containers,
    proxies,
    rights,
    secrets,
    unread,
)
from aspora.isolation.calls import Calls
from aspora.isolation.cloud import Cloud
from aspora.isolation.given import Given
from aspora.isolation.model import Cell, Crossing, Proof, Workload
from aspora.isolation.network import Network
from aspora.isolation.notes import Noted
from aspora.isolation.pods import Pods, find_pods

COUNTED = {
    "networkPolicies": ("NetworkPolicy", "SandboxTemplate"),
    "authorizationPolicies": ("AuthorizationPolicy",),
    "routes": ("VirtualService",),
    "roles": ("Role", "ClusterRole"),
    "bindings": ("RoleBinding", "ClusterRoleBinding"),
    "secretStores": ("SecretStore",),
    "externalSecrets": ("ExternalSecret",),
    "certificates": ("Certificate",),
}


def prove(given: Given) -> Proof:
    """Look at everything once."""
    noted = Noted()
    pods = find_pods(given)
    network = Network(given, pods)
    look_at_network(given, network, noted)
    look_at_objects(given, noted)
    Cloud(given, noted).hold()
    return _proof(given, pods, network, noted)


def look_at_network(given: Given, network: Network, noted: Noted) -> None:
    """Connections, and what gateways make of them."""
    connections.hold(given, network, noted)
    Calls(given, network, noted).hold()
    noted.crossings |= set(connections.crossings(network))


def look_at_objects(given: Given, noted: Noted) -> None:
    """What needs no network: certificates, rights, secrets, pods by themselves, kinds."""
    admission.hold(given, noted)
    certificates.hold(given, noted)
    containers.hold(given, noted)
    proxies.hold(given, noted)
    rights.hold(given, noted)
    secrets.hold(given, noted)
    unread.hold(given, noted)


def _proof(given: Given, pods: tuple[Pods, ...], network: Network, noted: Noted) -> Proof:
    direct = set(connections.reaches(network))
    known = {one.id for one in pods}
    ways = {reach for reach in noted.reaches if reach.target in known}
    outside = (noted.reaches - ways) | set(connections.to_addresses(network))
    beyond = {Workload("", reach.target, "outside") for reach in outside}
    workloads = tuple(sorted({one.workload for one in pods} | beyond, key=lambda work: work.id))
    crossings = tuple(sorted(noted.crossings))
    domains = tuple(sorted(given.declared_by_name))
    return Proof(
        given.stack,
        domains,
        workloads,
        tuple(sorted(direct | ways)),
        tuple(sorted(outside)),
        tuple(sorted(noted.accesses, key=repr)),
        crossings,
        tuple(noted.findings()),
        _matrix(domains, crossings),
        _counts(given, network, crossings),
    )


def _matrix(domains: tuple[str, ...], crossings: tuple[Crossing, ...]) -> tuple[Cell, ...]:
    counted = Counter((one.from_domain, one.to_domain, one.declared) for one in crossings)
    return tuple(
        Cell(here, there, counted[here, there, True], counted[here, there, False])
        for here in domains
        for there in domains
        if here != there
    )


def _counts(given: Given, network: Network, crossings: tuple[Crossing, ...]) -> dict[str, int]:
    counts = {name: sum(1 for _ in given.kind(*kinds)) for name, kinds in COUNTED.items()}
    return {
        **counts,
        "objects": len(given.objects),
        "awsResources": len(given.aws),
        "iamRoles": sum(1 for _ in given.resources("aws:iam/role:Role")),
        "domains": len(given.declared),
        "skills": len(given.skills),
        "groups": len(network.groups),
        "declaredCrossings": sum(one.declared for one in crossings),
        "undeclaredCrossings": sum(not one.declared for one in crossings),
    }
