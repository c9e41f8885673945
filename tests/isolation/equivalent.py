"""Mutants that the proof need not catch, each kind with its reason.

A mutant is equivalent when no domain gets or loses a way by it. For NetworkPolicies that is not
believed but computed: every connection with a domain's workload at one end, what each side alone
admits of domains, and what may reach the Internet, must be what they were.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from aspora.isolation.given import Given
from aspora.isolation.network import Lock, Network
from aspora.isolation.pods import find_pods
from aspora.isolation.promises import Ports
from tests.isolation.lab import stack
from tests.isolation.mutants import Mutant

LOST = (
    *("Certificate", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "ExternalSecret", "Role"),
    *("ClusterIssuer", "RuntimeClass", "EC2NodeClass", "ServiceEntry", "Application"),
    *(
        "RoleBinding",
        "AWS AccessEntry",
        "AWS AccessPolicyAssociation",
        "AWS Role",
        "AWS RolePolicy",
    ),
    *("AWS RolePolicyAttachment", "AWS User", "AWS Policy", "AWS Key", "AWS BucketPolicy"),
    *(
        "AWS VpcEndpoint",
        "AWS PodIdentityAssociation",
        "AWS Cluster",
        "AWS Addon",
        "AWS LaunchTemplate",
    ),
)
"""Kinds that give: without one of them somebody of the platform can do less."""
RULES: tuple[tuple[str, str], ...] = (
    (
        r"AuthorizationPolicy \S+-nothing: dropped",
        "other ALLOW policies pick the same pods, and what none of them matches is refused",
    ),
    (
        r"AuthorizationPolicy istio-egress/\S+: principals of a whole namespace",
        "`egress` is the whole domain's: each of its workloads is listed already",
    ),
    (
        r"VirtualService istio-egress/\S+: http\[\d\]: every request",
        "policies at the gateway name host, port and caller: a wider route lets nobody more in",
    ),
    (
        r"Gateway \S+: https-(public|mesh): every host",
        "policies at the gateway name the hosts, and routes lead nowhere else",
    ),
    (
        r"SandboxTemplate \S+: networkPolicy unmanaged",
        "the namespace's own policies hold the same pods to the same peers",
    ),
    (
        r"EnvoyFilter \S+: dropped",
        "a limit less; Envoy takes the certificate headers of callers away by itself",
    ),
    (
        r"PeerAuthentication (?!istio-system/)\S+: dropped",
        "the mesh's own asks for certificates everywhere: an exception lost shuts its port",
    ),
    (
        r"DestinationRule (aspora-platform|aspora-observability|istio-egress)/[a-z-]+: dropped",
        "the proxy adds a certificate that this port does not take: the call fails",
    ),
    (
        r"Namespace \S+: no label istio-injection",
        "a proxy comes only where the label asks for one; where there has to be one, it is caught",
    ),
    (
        r"ValidatingAdmissionPolicy(Binding)? aspora-images: .+",
        "an image decides which code runs, and code has the ways of its pod",
    ),
    (
        r"ValidatingAdmissionPolicy aspora-hardening: validations\[7\].+",
        "a class of priority decides who waits",
    ),
    (
        r"(RolePolicy|RolePolicyAttachment) aspora-staging-deploy\S*: .+",
        "whoever deploys is the platform: trusted, by a trust that is looked at",
    ),
    (
        r"Role aspora-staging-\S+: Statement\[0\]: no condition aws:SourceAccount",
        "a service of AWS itself, not pods, takes the role",
    ),
    (
        r"RolePolicy aspora-staging-(aws-load-\S+|cert-\S+|external-dns|flow-log|karpenter): .+",
        "runs machines, load balancers, names or logs: nothing it may do reaches a domain's data",
    ),
    (
        r"RolePolicy \S+: Statement\[\d\]: \S+/platform/\*",
        "still below the platform's own prefix or name",
    ),
    (
        r"RolePolicy \S+: Statement\[\d\]: no condition kms:ViaService",
        "the platform's own key for its own prefix: which objects it reads, the prefix decides",
    ),
    (
        r"BucketPolicy \S+: Statement\[0\]: no condition aws:SecureTransport",
        "encryption on the way is no question of who reaches what",
    ),
    (
        r"BucketPolicy \S+-access-logs: .+",
        "no data of a domain is there, and S3's own service alone writes",
    ),
    (
        r"Key \S+: Statement\[\d\]: every Action",
        "the account's own IAM, or AWS's own service, uses the key, as before",
    ),
    (
        r"Policy \S+-boundary: Statement\[[1-3]\]: .+",
        "machines' own instance profiles: still no role can be made, changed or left without it",
    ),
)
"""(what the mutant's title is, why nobody gets a way by it)."""

View = dict[tuple[str, str, str], Ports]


def reason(mutant: Mutant) -> str:
    """Why a mutant need not be caught; empty when it should have been."""
    if mutant.kind == "NetworkPolicy":
        return _of_network(view(mutant.given), base_view())
    for pattern, why in RULES:
        if re.fullmatch(pattern, mutant.title.removeprefix("AWS ")):
            return why
    lost = mutant.what == "dropped" or mutant.what.endswith("left out")
    if lost and mutant.kind in LOST:
        return "the platform can do less, and nobody more"
    return ""


def _of_network(now: View, before: View) -> str:
    if now == before:
        return "no connection of a domain, and no way to the Internet, is other than before"
    less = all(ports <= before.get(key, frozenset()) for key, ports in now.items())
    return "a service of the platform can do less, and nobody more" if less else ""


@cache
def base_view() -> View:
    """Of the stack as it is."""
    return view(stack())


def view(given: Given) -> View:
    """All that NetworkPolicies say with a domain, or the Internet, at one end: of both sides
    together, and of each alone."""
    network = Network(given, find_pods(given))
    found: View = {}
    for source, target, ports, _ in network.pairs():
        if source.one.domain or target.one.domain:
            for one in source.members:
                for other in target.members:
                    found["both", one.id, other.id] = ports
    for group in network.groups:
        for side, lock in (("out", network.out[group.index]), ("into", network.into[group.index])):
            admitted = dict(_admitted(network, lock, domain=group.one.domain))
            for pods in group.members:
                found.update({(side, pods.id, name): ports for name, ports in admitted.items()})
    return found


def _admitted(network: Network, lock: Lock, *, domain: str | None) -> Iterator[tuple[str, Ports]]:
    for other, grants in lock.peers.items():
        if domain or network.groups[other].one.domain:
            for pods in network.groups[other].members:
                yield pods.id, frozenset(one for ports, _ in grants for one in ports)
    internet: Ports = frozenset()
    for block, grants in lock.blocks.items():
        ports = frozenset(one for found, _ in grants for one in found)
        if domain:
            yield block.title, ports
        elif block.public:
            internet |= ports
    if internet:
        yield "the Internet", internet
