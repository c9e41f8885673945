"""What the gateways pass on, held against what domain files declare.

A call from one domain into another is declared when the caller's agent lists the skill in `calls`
and the skill lists the agent in `callers`. Hosts outside are declared by `egress`, and tools by
`tools`.
The policies at a gateway are asked alone: they must refuse an undeclared call even from a caller
that NetworkPolicies and the gateway's certificates would let in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from aspora.isolation import ways
from aspora.isolation.given import Declared, Given, Skill, ref, space
from aspora.isolation.mesh import Call, Mesh
from aspora.isolation.model import Crossing, FindingKind, Reach
from aspora.isolation.network import Network
from aspora.isolation.notes import Noted
from aspora.isolation.patterns import literal
from aspora.isolation.pods import Pods
from aspora.isolation.promises import (
    DOORS,
    EGRESS,
    INGRESS,
    MODEL_HOSTS,
    MODELS,
    TOOLS,
    Service,
)
from aspora.isolation.tools import ToolGrant, model_keys, tool_gateway

Hosts = frozenset[tuple[str, int]]
OUTSIDE: Mapping[str, Callable[[Sequence[str] | None], bool]] = {
    "hosts": lambda found: bool(found) and not any("*" in one for one in found or ()),
    "ports": lambda found: list(map(str, found or ())) == ["443"],
    "methods": lambda found: list(found or ()) == ["POST"],
    "paths": lambda found: bool(found) and all(one.startswith("/execute/") for one in found or ()),
}
"""What a rule for people outside has to say of their requests."""
BY_HOST, BY_PATH = ("hosts", "ports"), ("methods", "paths")
"""What a rule for workloads has to name, at the way out and at the way to agents."""


class Calls:
    """One look at the gateways of a stack."""

    def __init__(self, given: Given, network: Network, noted: Noted) -> None:
        self._given = given
        self._noted = noted
        self._network = network
        self._mesh = Mesh(given, network)
        self._pods = [pods for group in network.groups for pods in group.members]
        self._place = {pods.id: group.index for group in network.groups for pods in group.members}
        self._agents = [pods for pods in self._pods if pods.domain and not pods.free]
        self._runs = {pods.id: pods.skill for pods in self._agents}
        self._tools = tool_gateway(given, noted)

    def hold(self) -> None:
        """Look at routes, tools, models and doors."""
        ways.hold(self._given, self._mesh.routes, self._noted)
        self._outside()
        self._guards()
        self._routes()
        self._platform()
        self._used_tools()
        self._keys()
        self._doors()

    # -- routes of agents -------------------------------------------------------------------

    def _routes(self) -> None:
        made: dict[str, set[str]] = {}
        for call in self._mesh.calls(self._agents):
            if call.passes:
                made.setdefault(call.source.id, set()).add(_end(call))
                self._noted.reaches.add(_reach(call))
            self._route(call)
        for pods in self._agents:
            skill = self._skill(pods)
            if skill is not None:
                self._promised(pods, skill, made.get(pods.id, set()))

    def _route(self, call: Call) -> None:
        declared, why = self._declared(call)
        here, there = call.source.domain, call.target.domain if call.target else None
        between = bool(here and there and here != there)
        if here and there and between and call.passes:
            self._noted.crossings.add(
                Crossing(
                    here,
                    there,
                    "call",
                    call.source.id,
                    _end(call),
                    f"{call.source.id} by {call.gateway.id} to {_end(call)}, {call.route}",
                    declared=declared,
                    why=why,
                    by=call.by,
                )
            )
        if not declared:
            kind: FindingKind = "crossing" if between else "outside"
            self._noted.note(
                kind if call.passes else "one side",
                call.source.id,
                f"may call {{}} through {call.gateway.id}: {why}",
                [_end(call)],
                call.by,
            )

    def _declared(self, call: Call) -> tuple[bool, str]:
        caller = self._skill(call.source)
        if caller is None:
            return False, "nothing declares the caller"
        if call.target is None:
            domain = self._given.declared_by_name[call.source.domain or ""]
            listed = (call.host, call.port) in domain.egress
            return listed, f"`egress` of {domain.name} {'names' if listed else 'does not name'} it"
        called = self._skill(call.target)
        if called is None:
            return False, "it is no skill"
        return _both_sides(caller, called)

    def _promised(self, pods: Pods, skill: Skill, made: set[str]) -> None:
        """What is declared must be possible, too."""
        domain = self._given.declared_by_name[pods.domain or ""]
        wanted = {f"{host}:{port}" for host, port in domain.egress}
        for name in skill.calls:
            if name in self._given.skills:
                wanted.add(name)
        reached = made | {self._runs[one] for one in made if one in self._runs}
        for name in sorted(wanted - reached):
            self._noted.note("closed", pods.id, "declares {}, which it cannot call", [name], ())

    def _skill(self, pods: Pods) -> Skill | None:
        skill = self._given.skills.get(pods.skill)
        return skill if skill and skill.id.startswith(f"{pods.domain}/") else None

    # -- the platform's own calls -----------------------------------------------------------

    def _platform(self) -> None:
        """Only the model gateway and the tool gateway call hosts, each its own."""
        servers = frozenset((host, 443) for host in (self._tools.servers or {}).values())
        callers = [pods for pods in self._pods if not pods.domain]
        made: dict[str, set[tuple[str, int]]] = {}
        for call in self._mesh.calls(callers):
            allowed: Hosts = frozenset()
            if _is(call.source, MODELS):
                allowed = frozenset(MODEL_HOSTS)
            elif _is(call.source, TOOLS):
                allowed = servers
            if call.target is None and (call.host, call.port) in allowed:
                if call.passes:
                    made.setdefault(call.source.id, set()).add((call.host, call.port))
                continue
            self._noted.note(
                "outside" if call.passes else "one side",
                call.source.id,
                f"may call {{}} through {call.gateway.id}, which nothing promises",
                [_end(call)],
                call.by,
            )
        self._through(MODELS, frozenset(MODEL_HOSTS), made)
        if servers:
            self._through(TOOLS, servers, made)

    def _through(
        self, service: Service, wanted: Hosts, made: dict[str, set[tuple[str, int]]]
    ) -> None:
        """What a gateway passes on is an agent's way out, too."""
        for gateway in self._pods:
            if not _is(gateway, service):
                continue
            for host, port in sorted(wanted - made.get(gateway.id, set())):
                lacking = [f"{host}:{port}"]
                self._noted.note(
                    "closed", gateway.id, "cannot reach {}, which it needs", lacking, ()
                )
            if service is MODELS:
                for pods in self._agents:
                    if self._connects(pods, gateway):
                        self._models(pods, gateway, made.get(gateway.id, set()))

    def _models(self, pods: Pods, gateway: Pods, hosts: Iterable[tuple[str, int]]) -> None:
        for host, port in hosts:
            via = (gateway.id, EGRESS.title)
            self._noted.reaches.add(Reach(pods.id, f"{host}:{port}", "model calls", via))

    def _connects(self, pods: Pods, gateway: Pods) -> bool:
        return bool(self._network.between(self._place[pods.id], self._place[gateway.id])[0])

    # -- tools ------------------------------------------------------------------------------

    def _used_tools(self) -> None:
        given: dict[str, set[tuple[str, str]]] = {}
        agents = {f"spiffe://{pods.principal}": pods for pods in self._agents}
        for grant in self._tools.grants:
            pods = agents.get(grant.identity)
            if pods is None:
                self._noted.note(
                    "outside",
                    TOOLS.title,
                    f"lets {{}} use tools of {grant.server}, and nothing declares it",
                    [grant.identity],
                    [grant.by],
                )
                continue
            self._grant(pods, grant)
            given.setdefault(pods.id, set()).update((grant.server, tool) for tool in grant.tools)
        for pods in self._agents:
            skill = self._skill(pods)
            self._spoken_with(pods, skill)
            for server, tool in sorted(
                (skill.tools if skill else set()) - given.get(pods.id, set())
            ):
                self._noted.note(
                    "closed",
                    pods.id,
                    "declares the tool {}, which it cannot use",
                    [f"{server}/{tool}"],
                    (),
                )

    def _grant(self, pods: Pods, grant: ToolGrant) -> None:
        skill = self._skill(pods)
        declared = {
            tool for server, tool in (skill.tools if skill else ()) if server == grant.server
        }
        if more := grant.tools - declared:
            self._noted.note(
                "outside",
                pods.id,
                f"may use {{}} of {grant.server}, which its domain file does not list",
                more,
                [grant.by],
            )
        host = (self._tools.servers or {}).get(grant.server)
        if host:
            port = f"tools of {grant.server}: {', '.join(sorted(grant.tools))}"
            via = (TOOLS.title, EGRESS.title)
            self._noted.reaches.add(Reach(pods.id, f"{host}:443", port, via, (grant.by,)))

    def _spoken_with(self, pods: Pods, skill: Skill | None) -> None:
        """The tool gateway speaks with those alone that have tools."""
        known = f"spiffe://{pods.principal}" in self._tools.known
        if known and not (skill and skill.tools):
            self._noted.note(
                "one side", TOOLS.title, "speaks with {}, which has no tools", [pods.id], ()
            )
        if skill and skill.tools and not known:
            self._noted.note(
                "closed", pods.id, "has tools, and {} does not know it", [TOOLS.title], ()
            )

    # -- models and doors -------------------------------------------------------------------

    def _keys(self) -> None:
        """A key spends its own domain's money, at models that its domain's provider key pays."""
        domains = {pods.workload.name: pods.domain for pods in self._agents}
        for key in model_keys(self._given, self._noted):
            owner = domains.get(key.workload, key.team) if key.workload else key.team
            foreign = [model for model in key.models if not model.startswith(f"{owner}/")]
            if key.team != owner:
                foreign.append(f"the budget of {key.team}")
            if foreign:
                subject = key.workload or f"team {key.team}"
                self._noted.note(
                    "crossing",
                    subject,
                    "may use {} at the model gateway, of another domain",
                    foreign,
                    [key.by],
                )

    def _doors(self) -> None:
        """There are the promised doors; that for agents takes the certificates of those alone that
        declare calls."""
        for obj in self._given.kind("Gateway"):
            if home := self._given.domains.get(space(obj)):
                what = "is a door of {}, beside the platform's"
                self._noted.note("one side", ref(obj), what, [home], [ref(obj)])
        for door in self._mesh.doors:
            service = next((one for one in (INGRESS, EGRESS) if _is(door.pods, one)), None)
            if DOORS.get((service.title if service else "", door.port)) != door.mode:
                what = f"opens port {door.port} ({door.mode}) of {{}}, which nothing promises"
                self._noted.note("one side", door.by, what, [door.pods.id], [door.by])
            if service is None or not any(first == door.port for _, first, _ in service.ports):
                continue
            if any("*" in host for host in door.hosts):
                what = "takes requests for {} at the door of agents"
                self._noted.note("one side", door.pods.id, what, ["every host"], [door.by])
            for pods in self._agents:
                skill = self._skill(pods)
                domain = self._given.declared_by_name.get(pods.domain or "")
                needed = _needs(service, skill, domain)
                if self._mesh.lets_in(door, pods) and not needed:
                    self._noted.note(
                        "one side",
                        door.pods.id,
                        "takes the certificate of {}, which declares nothing there",
                        [pods.id],
                        [door.by],
                    )

    def _guards(self) -> None:
        """A rule for workloads says which requests it is about, whatever routes there are."""
        for pods, rule in self._mesh.workload_rules():
            asked = BY_HOST if _is(pods, EGRESS) else BY_PATH
            for operation in rule.operations:
                for name in asked:
                    found = operation.get(name)
                    if not found or any("*" in one for one in found):
                        whose = ", ".join(rule.principals or ("anybody",))
                        what = f"has a rule for any {{}} of {whose}"
                        self._noted.note("one side", pods.id, what, [name], [rule.by])

    def _outside(self) -> None:
        """People outside come with a token, to the public door, to execute skills."""
        for pods, rule in self._mesh.token_rules():
            loose = [one for one in rule.tokens if not literal(one).startswith("https://")]
            for operation in rule.operations:
                loose += [name for name, fine in OUTSIDE.items() if not fine(operation.get(name))]
            for what in loose:
                self._noted.note(
                    "rights", pods.id, "lets people outside in by any {}", [what], [rule.by]
                )


def _needs(service: Service, skill: Skill | None, domain: Declared | None) -> bool:
    if service is EGRESS:
        return bool(domain and domain.egress)
    return bool(skill and skill.calls)


def _both_sides(caller: Skill, called: Skill) -> tuple[bool, str]:
    calls, callers = called.id in caller.calls, caller.agent in called.callers
    if calls and callers:
        return True, f"{caller.agent} lists it in `calls`, and it lists {caller.agent} in `callers`"
    if calls:
        return False, f"it does not list {caller.agent} in `callers`"
    return False, f"{caller.agent} does not list it in `calls`"


def _is(pods: Pods, service: Service) -> bool:
    return service.is_pod(pods.namespace, pods.labels)


def _end(call: Call) -> str:
    return call.target.id if call.target else f"{call.host}:{call.port}"


def _reach(call: Call) -> Reach:
    return Reach(
        call.source.id, _end(call), call.route, (call.gateway.id,), tuple(sorted(set(call.by)))
    )
