"""Routes, one by one: each leads where its path says, and does nothing on the way.

Which of them a caller may use is asked in `calls`. Here every route is looked at, used or not: a
domain may not take requests that are meant for another, nor send its own somewhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aspora.isolation.given import Given, ref
from aspora.isolation.mesh import Route
from aspora.isolation.model import Crossing, FindingKind
from aspora.isolation.notes import Noted
from aspora.isolation.patterns import literal
from aspora.isolation.promises import EGRESS, MESH_WAY_OUT, REWRITTEN

_CLUSTER = ".svc.cluster.local"
_READ = {"name", "match", "route", "timeout", "retries", "mirror", "mirrors", "mirrorPercentage"}
"""Fields of an HTTP rule that only say which requests, and where to."""


def hold(given: Given, routes: Iterable[Route], noted: Noted) -> None:
    """Look at each route's end, and at what happens to requests on it."""
    led: set[tuple[str, str]] = set()
    for route in routes:
        for host, _ in route.destinations:
            there = _place(given, host)
            led.add((route.path, there))
            if not _leads_home(given, route, host, there):
                _led_astray(given, route, host, there, noted)
    for namespace, _, skill in given.running:
        if skill.kind == "service" and (f"/execute/{skill.id}", namespace) not in led:
            noted.note("closed", skill.id, "has {}", ["no route"], ())
    for obj in given.kind("VirtualService"):
        for rule in obj["spec"].get("http") or ():
            if odd := sorted(_done(rule)):
                what = "does something to requests that the proof does not read: {}"
                noted.note("unread", ref(obj), what, odd, [ref(obj)])


def _place(given: Given, host: str) -> str:
    """The namespace of a Service's name, however short it is; empty for a host outside."""
    there = f"{host}.".split(".")[1]
    return there if host.endswith(_CLUSTER) or there in given.namespaces else ""


def _leads_home(given: Given, route: Route, host: str, there: str) -> bool:
    """To pods of the domain in its path, from its own namespace; or out, as the host says."""
    if "mesh" in route.gateways:
        hosts = {one.partition(":")[0] for one in route.hosts}
        named = not any("*" in one or _place(given, one) for one in hosts)
        return route.namespace == EGRESS.namespace and named and host == MESH_WAY_OUT
    if domain := given.domains.get(there):
        own = given.domains.get(route.namespace) in (None, domain)
        return own and literal(route.path).startswith(f"/execute/{domain}/")
    own = route.namespace == EGRESS.namespace
    return own and any(host == one.partition(":")[0] for one in route.hosts)


def _led_astray(given: Given, route: Route, host: str, there: str, noted: Noted) -> None:
    """A route that does not lead home: into a domain, it is a path from whoever may be meant."""
    asked = literal(route.path).split("/")
    path = asked[2] if len(asked) > 3 and asked[1] == "execute" else ""
    home, end = given.domains.get(route.namespace, ""), given.domains.get(there, "")
    if "mesh" in route.gateways:
        what = f"leads calls of the mesh itself for {', '.join(sorted(set(route.hosts)))} to {{}}"
        noted.note("outside", route.by, what, [host], [route.by])
        return
    kind: FindingKind = "crossing" if home or end else "outside"
    noted.note(kind, route.by, f"leads requests for {route.path} to {{}}", [host], [route.by])
    meant = {home, path} & set(given.declared_by_name) - {end}
    for other in sorted(meant) if end else ():
        noted.crossings.add(_crossing(other, end, route, host))


def _crossing(here: str, there: str, route: Route, host: str) -> Crossing:
    return Crossing(
        here,
        there,
        "call",
        route.by,
        host,
        f"{route.by} leads {route.path} to {host}",
        declared=False,
        why="a domain's route leads to its own pods",
        by=(route.by,),
    )


def _done(rule: Mapping[str, Any]) -> Iterator[str]:
    """What a rule does to requests beside leading them somewhere."""
    yield from set(rule) - _READ - {"rewrite", "headers"}
    if rule.get("rewrite", REWRITTEN) != REWRITTEN:
        yield "rewrite"
    ends = [rule, *(rule.get("route") or ())]
    if any(set(one.get("headers") or ()) - {"request"} for one in ends):
        yield "headers of answers"
    if any(set((one.get("headers") or {}).get("request") or ()) - {"remove"} for one in ends):
        yield "headers"
