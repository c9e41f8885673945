"""ASP514: a policy names whom it means; the Internet only where it is listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network

from aspora.checks.rule import NETWORK_POLICIES, Hit, Rule
from aspora.checks.world import World, where
from aspora.problems import quoted
from aspora.render.objects import Object

INTERNET: Mapping[str, str] = {
    "kube-system/aspora-aws-apis": "EC2, IAM and pricing have no endpoint in the VPC",
    "aspora-observability/aspora-opencost": "it asks for AWS's price list",
    "aspora-observability/aspora-alertmanager": "it calls the pager and the chat",
    "istio-system/aspora-istiod": "it fetches the public keys of the tokens' issuer",
    "istio-egress/aspora-egressgateway": "it is the one way out, by lists of hosts",
    "cert-manager/aspora-every-pod": "it answers the certificate authority",
    "external-dns/aspora-every-pod": "Route 53 has no endpoint in the VPC",
    "argocd/aspora-every-pod": "it reads the Git repository",
}
"""Who may call hosts outside, and why."""
EVERYBODY: Mapping[str, str] = {
    "kube-system/aspora-kube-dns": "every pod asks for names",
    "istio-system/aspora-istiod": "every proxy gets its configuration there",
}
"""Whom every pod of the cluster may call, and why."""
INSIDE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
"""What is no Internet (RFC 1918 and 3927): pods, nodes, databases, credentials of the node."""


def look(world: World) -> Iterator[Hit]:
    """Rules without peers, of every namespace, and of more addresses than a network of ours."""
    for policy in world.of("NetworkPolicy"):
        for what in _found(policy["spec"], where(policy)):
            yield Hit(policy, what)
    for template in world.of("SandboxTemplate"):
        for what in _found(template["spec"].get("networkPolicy") or {}, ""):
            yield Hit(template, what)


def _found(spec: Object, policy: str) -> Iterator[str]:
    for direction, field, verb in (("ingress", "from", "comes in"), ("egress", "to", "goes out")):
        for rule in spec.get(direction) or ():
            if not rule.get(field):
                yield f"a rule of what {verb} names nobody, which means everybody"
            for peer in rule.get(field) or ():
                yield from _peer(peer, direction, policy)
            if direction == "egress" and not rule.get("ports") and _wide(rule):
                yield "every port of the Internet is open"


def _peer(peer: Object, direction: str, policy: str) -> Iterator[str]:
    everyone = "namespaceSelector" in peer and not peer["namespaceSelector"]
    if everyone and not peer.get("podSelector") and policy not in EVERYBODY:
        yield f"{direction} names every pod of every namespace"
    if "ipBlock" not in peer or not _is_wide(peer["ipBlock"]["cidr"]):
        return
    cidr = peer["ipBlock"]["cidr"]
    if direction == "ingress" or policy not in INTERNET:
        yield f"{direction} names {quoted(cidr)}, and the policy is not listed as open"
    missing = [net for net in INSIDE if net not in (peer["ipBlock"].get("except") or ())]
    if missing and ":" not in cidr:
        yield f"{direction} names {quoted(cidr)} without leaving out {', '.join(missing)}"


def _wide(rule: Object) -> bool:
    return any("ipBlock" in p and _is_wide(p["ipBlock"]["cidr"]) for p in rule.get("to") or ())


def _is_wide(cidr: str) -> bool:
    """More addresses than any network of ours has."""
    network = ip_network(cidr, strict=False)
    return network.prefixlen < (8 if network.version == 4 else 32)


RULE = Rule(
    "ASP514",
    "Policy open to everybody",
    "Data leaves by the one rule that nobody read. The way out is the egress gateway, which knows"
    " hosts; who goes around it stands in a list with a reason.",
    NETWORK_POLICIES,
    look,
    ("egress",),
)
