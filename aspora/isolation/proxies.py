"""Objects that bend what Istio's proxies do: patches, tokens, who has to show a certificate and who
has to answer, which hosts there are, what a proxy may call.

None of them lets a pod past its NetworkPolicies. They are the second lock behind those, and they
decide who is taken for whom: so each may say what is promised here, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from aspora.isolation.addresses import Block
from aspora.isolation.given import Given, Object, ref, space
from aspora.isolation.mesh import ROOT, routes
from aspora.isolation.notes import Noted
from aspora.isolation.patterns import literal
from aspora.isolation.promises import (
    EGRESS,
    KEY_HOSTS,
    LIMITS,
    METRICS,
    MODEL_HOSTS,
    OF_THE_VPC,
    OWN_TLS,
    POD_IDENTITY,
    WITHOUT_PROXY,
    in_mesh,
)
from aspora.isolation.tools import tool_gateway

_CLUSTER = ".svc.cluster.local"
_TRAVEL = {"tls", "connectionPool", "outlierDetection", "loadBalancer", "portLevelSettings", "port"}
"""Fields of a DestinationRule's policy that lead nowhere else."""
Tls = tuple[int | None, Mapping[str, Any]]


def hold(given: Given, noted: Noted) -> None:
    """Look at each of them."""
    for obj in given.kind("EnvoyFilter"):
        _patches(obj, noted)
    _tokens(given, noted)
    _asked(given, noted)
    hosts = _hosts(given)
    _answered(given, hosts, noted)
    for obj in given.kind("ServiceEntry"):
        _entry(given, obj, hosts, noted)
    _called(given, noted)


# -- patches and tokens -------------------------------------------------------------------------


def _patches(obj: Object, noted: Noted) -> None:
    """An EnvoyFilter may do anything; what it does here is refuse."""
    for one in obj["spec"].get("configPatches") or ():
        patch = one.get("patch") or {}
        value = patch.get("value") or {}
        typed = value.get("typed_config")
        fields = set(value) if typed is None else set(typed) - {"@type"}
        kind = "" if typed is None else typed.get("@type", "")
        key = (one.get("applyTo", ""), patch.get("operation", ""), kind)
        rest = set() if typed is None else set(value) - {"name", "typed_config"}
        headers = (typed or {}).get("forward_client_cert_details", "SANITIZE_SET")
        if (
            not (fields and fields <= LIMITS.get(key, frozenset()))
            or rest
            or (headers != "SANITIZE_SET")
        ):
            shown = " ".join(part.rpartition(".")[2] for part in key if part)
            what = "changes proxies by {}, whose effect the proof does not know"
            noted.note("unread", ref(obj), what, [shown], [ref(obj)])


def _tokens(given: Given, noted: Noted) -> None:
    """Tokens count that a named issuer signs, for this gateway; agents are not handed them."""
    named = set(_issuers(given))
    checked = set()
    for obj in given.kind("RequestAuthentication"):
        for rule in obj["spec"].get("jwtRules") or ():
            issuer = rule.get("issuer", "")
            checked.add(issuer)
            for wrong in _wrong(rule, named):
                noted.note(
                    "rights", ref(obj), f"takes tokens of {issuer} {{}}", [wrong], [ref(obj)]
                )
    for issuer in sorted(named - checked):
        noted.note("closed", issuer, "signs tokens that {} checks", ["nothing"], ())


def _issuers(given: Given) -> Iterator[str]:
    for obj in given.kind("AuthorizationPolicy"):
        for rule in obj["spec"].get("rules") or ():
            for one in rule.get("from") or ():
                for name in (one.get("source") or {}).get("requestPrincipals") or ():
                    yield literal(name).rstrip("/")


def _wrong(rule: Mapping[str, Any], named: set[str]) -> Iterator[str]:
    issuer = urlsplit(rule.get("issuer", ""))
    keys = urlsplit(rule.get("jwksUri", ""))
    if rule.get("issuer") not in named:
        yield "that no rule names"
    home = KEY_HOSTS.get(issuer.hostname or "", issuer.hostname)
    if "jwks" in rule or keys.scheme != "https" or keys.hostname != home:
        yield "by keys that are not its own"
    if not rule.get("audiences"):
        yield "for any application"
    if rule.get("forwardOriginalToken"):
        yield "and hands them on"


# -- certificates of callers --------------------------------------------------------------------


def _asked(given: Given, noted: Noted) -> None:
    """In the mesh every caller shows a certificate, but at ports for those that have no proxy."""
    strict = False
    for obj in given.kind("PeerAuthentication"):
        spec = obj["spec"]
        wanted = (spec.get("selector") or {}).get("matchLabels") or {}
        mode = (spec.get("mtls") or {}).get("mode", "UNSET")
        strict |= space(obj) == ROOT and not wanted and mode == "STRICT"
        open_ports = {
            str(port)
            for port, one in (spec.get("portLevelMtls") or {}).items()
            if one.get("mode", "UNSET") not in ("STRICT", "UNSET")
        }
        more = sorted(open_ports - _without_proxy(given, space(obj), wanted))
        ways = [f"port {port}" for port in more]
        ways += ["every port"] if mode not in ("STRICT", "UNSET") else []
        if ways:
            what = "takes calls without a certificate at {}"
            noted.note("one side", ref(obj), what, ways, [ref(obj)])
    if not strict:
        noted.note("one side", ROOT, "asks no caller for {}", ["a certificate"], ())


def _without_proxy(given: Given, where: str, wanted: Mapping[str, str]) -> set[str]:
    """The ports that may take calls without a certificate, of pods with one label."""
    if len(wanted) != 1:
        return set()
    key, value = next(iter(wanted.items()))
    if given.domains.get(where) == value and key == "domain":
        return {str(METRICS)}
    return {str(port) for port in WITHOUT_PROXY.get((where, key, value), ())}


# -- certificates of those who answer -----------------------------------------------------------


def _hosts(given: Given) -> frozenset[str]:
    """Every host outside that may be called: of models, of tools, of domains' `egress`."""
    servers = tool_gateway(given, Noted()).servers or {}
    declared = [host for domain in given.declared for host, _ in domain.egress]
    return frozenset((*(host for host, _ in MODEL_HOSTS), *servers.values(), *declared))


def _answered(given: Given, hosts: frozenset[str], noted: Noted) -> None:
    """A gateway checks who answers: the skill that was asked, or the host by its own name."""
    checked: set[str] = set()
    for obj in given.kind("DestinationRule"):
        spec = obj["spec"]
        policies = [spec.get("trafficPolicy") or {}]
        policies += [one.get("trafficPolicy") or {} for one in spec.get("subsets") or ()]
        policies += [one for each in policies for one in each.get("portLevelSettings") or ()]
        if odd := {name for one in policies for name in one} - _TRAVEL:
            what = "sends calls by {}, which the proof does not read"
            noted.note("unread", ref(obj), what, odd, [ref(obj)])
        settings = [
            ((one.get("port") or {}).get("number"), one["tls"]) for one in policies if "tls" in one
        ]
        if settings:
            checked.add(spec["host"])
        if not all(_checks(given, obj, one) for one in settings):
            what = "does not check who answers for {}"
            noted.note("one side", ref(obj), what, [spec["host"]], [ref(obj)])
    led = {host for route in routes(given) for host, _ in route.destinations}
    for host in sorted((led | hosts) - checked):
        noted.note("one side", host, "is called without a check of who {}", ["answers"], ())


def _checks(given: Given, obj: Object, found: Tls) -> bool:
    port, tls = found
    host, home, mode = obj["spec"]["host"], space(obj), tls.get("mode")
    names = tuple(tls.get("subjectAltNames") or ())
    if tls.get("insecureSkipVerify") or "*" in host:
        return False
    if not host.endswith(_CLUSTER):
        return home == EGRESS.namespace and mode in ("SIMPLE", "MUTUAL") and names == (host,)
    there = host.removesuffix(_CLUSTER).rpartition(".")[2]
    domain = given.declared_by_name.get(given.domains.get(there, ""))
    if domain is None:
        own = home not in given.domains
        return own and (mode == "ISTIO_MUTUAL" or (mode == "DISABLE" and OWN_TLS.get(host) == port))
    if domain.sidecars:
        return home == there and mode == "ISTIO_MUTUAL"
    prefix = f"spiffe://cluster.local/ns/{there}/sa/"
    own = bool(names) and all(name.startswith(prefix) for name in names)
    return home == there and mode == "MUTUAL" and own


# -- hosts, and what proxies call ---------------------------------------------------------------


def _entry(given: Given, obj: Object, hosts: frozenset[str], noted: Noted) -> None:
    """A host that was declared, by its own name; or address ranges that were promised."""
    spec = obj["spec"]
    wrong = [f"a {field}" for field in ("endpoints", "workloadSelector") if spec.get(field)]
    if spec.get("location") != "MESH_EXTERNAL":
        wrong.append("a place in the mesh")
    ranges = spec.get("addresses") or ()
    if ranges:
        known = (*given.networks.databases, *given.networks.endpoints, POD_IDENTITY)
        wrong += [one for one in ranges if not any(Block(one).within(cidr) for cidr in known)]
        wrong += [one for one in spec.get("hosts") or () if not one.endswith(OF_THE_VPC)]
        wrong += [] if space(obj) == ROOT else ["addresses of its own"]
    else:
        wrong += [host for host in spec.get("hosts") or ("nothing",) if host not in hosts]
        wrong += [] if space(obj) == EGRESS.namespace else ["a host of its own"]
    seen = spec.get("exportTo") or ("*",)
    wrong += [f"{one} as a reader" for one in seen if one == "*" or _beside(given, one, ranges)]
    if wrong:
        noted.note("one side", ref(obj), "names {}, which nothing promises", wrong, [ref(obj)])


def _beside(given: Given, where: str, ranges: Sequence[str]) -> bool:
    """A domain's proxies know address ranges that its pods were promised, and no host."""
    return where in given.domains and not ranges


def _called(given: Given, noted: Noted) -> None:
    """A proxy calls what the registry has of the platform, and no domain's."""
    held = set()
    for obj in given.kind("Sidecar"):
        spec, where = obj["spec"], space(obj)
        if odd := set(spec) - {"workloadSelector", "outboundTrafficPolicy", "egress"}:
            noted.note("unread", ref(obj), "has {}, which the proof does not read", odd, [ref(obj)])
        loose = [] if _registered(spec) else ["whatever there is"]
        for listener in spec.get("egress") or ({"hosts": ["*/*"]},):
            loose += [one for one in listener.get("hosts") or () if not _of_platform(given, one)]
            loose += [f"by {name}" for name in set(listener) - {"hosts"}]
        if loose:
            noted.note("one side", ref(obj), "lets proxies call {}", loose, [ref(obj)])
        if _is_whole(given, where, spec):
            held.add(where)
    for where in sorted(in_mesh(given) - held):
        noted.note("one side", where, "has proxies that call {}", ["whatever there is"], ())


def _registered(spec: Mapping[str, Any]) -> bool:
    return bool((spec.get("outboundTrafficPolicy") or {}).get("mode") == "REGISTRY_ONLY")


def _of_platform(given: Given, host: str) -> bool:
    where = host.partition("/")[0]
    return where != "*" and where not in given.domains


def _is_whole(given: Given, where: str, spec: Mapping[str, Any]) -> bool:
    """Whether it is for every pod there; those of a domain all have its label."""
    wanted = (spec.get("workloadSelector") or {}).get("labels") or {}
    return not wanted or wanted == {"domain": given.domains.get(where)}
