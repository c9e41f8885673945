"""Istio: which route of a gateway each workload may call, and where the route ends.

A call passes when five things agree: NetworkPolicies let the caller reach the gateway's port, the
gateway's server takes its certificate, an AuthorizationPolicy allows the request, a VirtualService
routes it, and NetworkPolicies let the gateway reach the destination. Conditions that narrow a rule
and that this module does not read count as met; a DENY policy counts as not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aspora.isolation.given import Given, Object, ref, space
from aspora.isolation.network import Network
from aspora.isolation.patterns import fits, overlap
from aspora.isolation.pods import Pods
from aspora.isolation.promises import PortRange
from aspora.isolation.selectors import selects

ROOT = "istio-system"
"""Policies of this namespace hold for the whole mesh."""
_BY_CERTIFICATE = ("MUTUAL", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL")
_TEMPLATE = re.compile(r"\{\*{1,2}\}")


@dataclass(frozen=True, slots=True)
class Call:
    """A request that AuthorizationPolicies and routes let through.

    `target` is a workload; None for a host outside, which `host` and `port` then name. `passes`
    when NetworkPolicies and the gateway's server let the caller in, too.
    """

    source: Pods
    gateway: Pods
    route: str
    target: Pods | None
    host: str
    port: int
    by: tuple[str, ...]
    passes: bool


@dataclass(frozen=True, slots=True)
class Route:
    """One match of a VirtualService: patterns of host, path and method, and where it leads."""

    hosts: tuple[str, ...]
    path: str
    method: str
    port: int | None
    gateways: tuple[str, ...]
    destinations: tuple[tuple[str, int | None], ...]
    namespace: str
    by: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of an ALLOW policy for one source; empty lists allow anything."""

    principals: tuple[str, ...] | None
    spaces: tuple[str, ...] | None
    tokens: tuple[str, ...]
    operations: tuple[Mapping[str, Any], ...]
    by: str


@dataclass(frozen=True, slots=True)
class Door:
    """A server of a Gateway, at the pods that it is for; `names` are those of certificates."""

    pods: Pods
    group: int
    port: int
    hosts: tuple[str, ...]
    mode: str
    names: tuple[str, ...] | None
    gateway: str
    by: str


class Mesh:
    """Every gateway with its doors, rules and routes."""

    def __init__(self, given: Given, network: Network) -> None:
        self._network = network
        self._place = {pods.id: group.index for group in network.groups for pods in group.members}
        self._pods = [pods for group in network.groups for pods in group.members]
        self._homes: dict[str, list[Pods]] = {}
        for pods in self._pods:
            self._homes.setdefault(pods.namespace, []).append(pods)
        self.routes = tuple(routes(given))
        self._routes = _Routes(self.routes)
        self._services = {
            f"{obj['metadata']['name']}.{space(obj)}": obj for obj in given.kind("Service")
        }
        self._policies = tuple(given.kind("AuthorizationPolicy"))
        self.doors = tuple(door for obj in given.kind("Gateway") for door in self._doors(obj))
        self._rules = {door.pods.id: self._rules_of(door.pods) for door in self.doors}

    def _doors(self, obj: Object) -> Iterator[Door]:
        wanted = {"matchLabels": obj["spec"].get("selector") or {}}
        for pods in self._pods:
            if pods.domain is not None or not selects(wanted, pods.labels):
                continue
            for server in obj["spec"].get("servers") or ():
                tls = server.get("tls") or {}
                names = tls.get("subjectAltNames")
                yield Door(
                    pods,
                    self._place[pods.id],
                    server["port"]["number"],
                    tuple(host.rpartition("/")[2] for host in server.get("hosts") or ("*",)),
                    tls.get("mode", "PASSTHROUGH"),
                    None if names is None else tuple(names),
                    f"{space(obj)}/{obj['metadata']['name']}",
                    ref(obj),
                )

    def _rules_of(self, pods: Pods) -> _Rules:
        """The rules that allow something at these pods."""
        mine = [
            obj
            for obj in self._policies
            if space(obj) in (pods.namespace, ROOT)
            and obj["spec"].get("action", "ALLOW") == "ALLOW"
            and _is_for(obj["spec"], pods)
        ]
        return _Rules(tuple(rule for obj in mine for rule in _rules(obj)), guarded=bool(mine))

    def calls(self, callers: Iterable[Pods]) -> Iterator[Call]:
        """Every request of `callers` that policies and routes of a gateway allow."""
        for pods in callers:
            for door in self.doors:
                passes = self.lets_in(door, pods) and self._reaches(self._place[pods.id], door)
                yield from self._through(pods, door, passes=passes)

    def lets_in(self, door: Door, pods: Pods) -> bool:
        """Whether the server takes the caller's certificate: one without client certificates takes
        everybody, and one without names every certificate of the CA."""
        if door.mode not in _BY_CERTIFICATE or door.names is None:
            return True
        return any(fits(name, f"spiffe://{pods.principal}") for name in door.names)

    def workload_rules(self) -> Iterator[tuple[Pods, Rule]]:
        """Rules for callers with a certificate."""
        pods = {door.pods.id: door.pods for door in self.doors}
        for name, rules in self._rules.items():
            yield from ((pods[name], rule) for rule in rules.all if not rule.tokens)

    def token_rules(self) -> Iterator[tuple[Pods, Rule]]:
        """Rules for people outside, who come with a token."""
        pods = {door.pods.id: door.pods for door in self.doors}
        for name, rules in self._rules.items():
            yield from ((pods[name], rule) for rule in rules.all if rule.tokens)

    def _reaches(self, source: int, door: Door) -> bool:
        ports, _ = self._network.between(source, door.group)
        return _has(ports, door.port)

    def _through(self, pods: Pods, door: Door, *, passes: bool) -> Iterator[Call]:
        seen: set[tuple[str, str, int]] = set()
        for route, reasons in self._routes.allowed(self._rules[door.pods.id], pods, door):
            for call in self._ends(pods, door, route, reasons, passes=passes):
                key = (call.target.id if call.target else call.host, call.route, call.port)
                if key not in seen:
                    seen.add(key)
                    yield call

    def _ends(
        self, pods: Pods, door: Door, route: Route, reasons: tuple[str, ...], *, passes: bool
    ) -> Iterator[Call]:
        """Where a route leads: pods of a Service that the gateway may reach, or a host outside."""
        by = (*reasons, route.by, door.by)
        for host, port in route.destinations:
            shown = f"{route.method} {host if route.path == '*' else route.path}"
            service = self._services.get(".".join(host.split(".")[:2]))
            if service is None:
                yield Call(pods, door.pods, shown, None, host, port or 443, by, passes)
                continue
            number = _target_port(service, port)
            for other in self._behind(service):
                ports, allowed = self._network.between(door.group, self._place[other.id])
                if _has(ports, number):
                    on_the_way = (*by, *allowed)
                    yield Call(pods, door.pods, shown, other, host, number, on_the_way, passes)

    def _behind(self, service: Object) -> Iterator[Pods]:
        """The pods of a Service."""
        wanted = service["spec"].get("selector")
        for pods in self._homes.get(space(service), ()):
            if wanted and not pods.free and selects({"matchLabels": wanted}, pods.labels):
                yield pods


class _Rules:
    """Rules by whom they are for, so that a thousand callers do not read all of them."""

    def __init__(self, rules: tuple[Rule, ...], *, guarded: bool) -> None:
        self.guarded = guarded
        self.all = rules
        self._by_name: dict[str, list[Rule]] = {}
        self._others: list[Rule] = []
        for rule in rules:
            if rule.principals is None or any("*" in one for one in rule.principals):
                self._others.append(rule)
                continue
            for name in rule.principals:
                self._by_name.setdefault(name, []).append(rule)

    def of(self, pods: Pods) -> Iterator[Rule]:
        """The rules that may match a workload's certificate; no agent has a person's token."""
        for rule in (*self._by_name.get(pods.principal, ()), *self._others):
            named = rule.principals is None or any(
                fits(one, pods.principal) for one in rule.principals
            )
            here = rule.spaces is None or any(fits(one, pods.namespace) for one in rule.spaces)
            if named and here and not rule.tokens:
                yield rule


class _Routes:
    """Routes by their path, where it is a plain one."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._all = routes
        self._exact: dict[str, list[Route]] = {}
        self._open = [route for route in routes if "*" in route.path]
        for route in routes:
            if "*" not in route.path:
                self._exact.setdefault(route.path, []).append(route)

    def allowed(
        self, rules: _Rules, pods: Pods, door: Door
    ) -> Iterator[tuple[Route, tuple[str, ...]]]:
        """Routes of a door that a caller may use, with the policies that say so."""
        if not rules.guarded:
            by = (f"no AuthorizationPolicy guards {door.pods.id}",)
            yield from ((route, by) for route in self._all if _at(route, door))
            return
        for rule in rules.of(pods):
            for operation in rule.operations:
                for route in self._candidates(operation.get("paths")):
                    if _at(route, door) and _matches(operation, route, door):
                        yield route, (rule.by,)

    def _candidates(self, paths: Sequence[str] | None) -> Iterable[Route]:
        if not paths or any("*" in _plain(path) for path in paths):
            return self._all
        return [*(route for path in paths for route in self._exact.get(path, ())), *self._open]


def _is_for(spec: Mapping[str, Any], pods: Pods) -> bool:
    return "targetRefs" in spec or selects(spec.get("selector") or {}, pods.labels)


def _at(route: Route, door: Door) -> bool:
    """Whether the route is one of the door's gateway, its port and its hosts."""
    return (
        door.gateway in route.gateways
        and route.port in (None, door.port)
        and any(overlap(_host(one), other) for one in route.hosts for other in door.hosts)
    )


def _matches(operation: Mapping[str, Any], route: Route, door: Door) -> bool:
    """Whether some request fits both; what an operation leaves out, it allows."""
    paths, methods = operation.get("paths"), operation.get("methods")
    hosts, ports = operation.get("hosts"), operation.get("ports")
    return (
        (not paths or any(overlap(_plain(path), route.path) for path in paths))
        and (not methods or route.method == "*" or any(fits(one, route.method) for one in methods))
        and (not ports or str(door.port) in map(str, ports))
        and (not hosts or any(overlap(one.lower(), two) for one in hosts for two in route.hosts))
    )


def _host(pattern: str) -> str:
    """Without a port: servers of a Gateway name none."""
    return re.sub(r":[\d*]+$", "", pattern)


def _written(hosts: Sequence[str]) -> tuple[str, ...]:
    """How requests may write the hosts of a VirtualService: with or without a port."""
    return tuple(text for host in hosts for text in (host.lower(), f"{host.lower()}:*"))


def _plain(path: str) -> str:
    return _TEMPLATE.sub("*", path)


def _rules(obj: Object) -> Iterator[Rule]:
    anybody: Sequence[Mapping[str, Any]] = ({},)
    for rule in obj["spec"].get("rules") or ():
        operations = tuple(to.get("operation") or {} for to in rule.get("to") or anybody)
        for source in rule.get("from") or anybody:
            said = source.get("source") or {}
            yield Rule(
                _some(said.get("principals")),
                _some(said.get("namespaces")),
                tuple(said.get("requestPrincipals") or ()),
                operations,
                ref(obj),
            )


def _some(listed: Sequence[str] | None) -> tuple[str, ...] | None:
    return tuple(listed) if listed else None


def routes(given: Given) -> Iterator[Route]:
    """Every match of every VirtualService."""
    anything: Sequence[Mapping[str, Any]] = ({},)
    for obj in given.kind("VirtualService"):
        spec = obj["spec"]
        hosts = _written(spec.get("hosts") or ("*",))
        every = tuple(_gateway(name, space(obj)) for name in spec.get("gateways") or ("mesh",))
        for kind in ("http", "tls", "tcp"):
            for rule in spec.get(kind) or ():
                ends = tuple(_destination(one, space(obj)) for one in _ends(rule))
                for match in rule.get("match") or anything:
                    named = tuple(_gateway(one, space(obj)) for one in match.get("gateways") or ())
                    authority = match.get("authority")
                    yield Route(
                        (_text(authority).lower(),)
                        if authority
                        else tuple(match.get("sniHosts") or hosts),
                        "*" if match.get("ignoreUriCase") else _text(match.get("uri")),
                        _text(match.get("method")),
                        match.get("port"),
                        named or every,
                        ends,
                        space(obj),
                        ref(obj),
                    )


def _ends(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where requests go, and where copies of them do."""
    yield from rule.get("route") or ()
    yield from rule.get("mirrors") or ()
    if "mirror" in rule:
        yield {"destination": rule["mirror"]}


def _text(match: Mapping[str, str] | None) -> str:
    """A string match as a pattern; a regular expression counts as anything."""
    if not match:
        return "*"
    if "exact" in match:
        return match["exact"]
    return f"{match['prefix']}*" if "prefix" in match else "*"


def _gateway(name: str, home: str) -> str:
    return name if "/" in name or name == "mesh" else f"{home}/{name}"


def _destination(route: Mapping[str, Any], home: str) -> tuple[str, int | None]:
    end = route["destination"]
    host = end["host"] if "." in end["host"] else f"{end['host']}.{home}.svc.cluster.local"
    return host, (end.get("port") or {}).get("number")


def _target_port(service: Object, port: int | None) -> int:
    """Of a Service's port, the one that its pods listen on; a port by name is taken as the same."""
    listed = service["spec"].get("ports") or ()
    for one in listed:
        if port in (None, one["port"]):
            target = one.get("targetPort", one["port"])
            return target if isinstance(target, int) else int(one["port"])
    return port or 0


def _has(ports: Iterable[PortRange], port: int) -> bool:
    return any(name == "TCP" and first <= port <= last for name, first, last in ports)
