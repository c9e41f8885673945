"""Who may call whom, as rows and links: what the picture of a stack shows, before any geometry.

A row is an agent, or a whole domain where there are too many agents to look at. With a base, rows
and calls say what is new, changed or gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aspora.models import Agent, Domain
from aspora.page.state import State
from aspora.resolve import Kind, Workload, workloads

Mark = Literal["", "new", "changed", "gone"]
Way = Literal["models", "tools", "stores", "hosts"]
WAYS: tuple[Way, ...] = ("models", "tools", "stores", "hosts")
"""What lies beyond a domain: through which gateway, or which subnets."""

MOST_AGENTS = 40
"""Agents drawn one by one; with more, a row is a domain."""


@dataclass(frozen=True, slots=True)
class Row:
    """An agent or a domain: its ID, what stands beside it, and how many of what it may reach."""

    id: str
    name: str
    note: str
    reaches: Mapping[Way, int]
    serves: bool
    """Whether aspora-gateway calls it: it has a skill that serves requests or holds sessions."""
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A domain with its rows."""

    name: str
    note: str
    rows: tuple[Row, ...]
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Call:
    """`caller` may call `skills` of `callee`, through aspora-gateway; both are IDs of rows."""

    caller: str
    callee: str
    skills: tuple[str, ...]
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Topology:
    """A stack's domains and the calls between their agents, and the names of what is outside."""

    blocks: tuple[Block, ...]
    calls: tuple[Call, ...]
    outside: Mapping[Way, tuple[str, ...]]
    callers: str
    """The issuer whose tokens aspora-gateway takes from outside; empty when it takes none."""


def topology(head: State, base: State | None = None) -> Topology:
    """The picture of `head`; with a base, also what came and what went."""
    now = _one(head)
    shown = now if base is None else _compared(now, _one(base), head, base)
    count = sum(len(block.rows) for block in shown.blocks)
    return by_domain(shown) if count > MOST_AGENTS else shown


def by_domain(full: Topology) -> Topology:
    """The same with a row for each domain: its agents' links added up."""
    rows = {block.name: _summed(block) for block in full.blocks}
    found: dict[tuple[str, str], list[Call]] = {}
    for call in full.calls:
        ends = call.caller.split("/")[0], call.callee.split("/")[0]
        if ends[0] != ends[1]:
            found.setdefault(ends, []).append(call)
    return replace(
        full,
        blocks=tuple(replace(block, rows=(rows[block.name],)) for block in full.blocks),
        calls=tuple(_together(ends, calls) for ends, calls in found.items()),
    )


def _one(state: State) -> Topology:
    blocks = tuple(_block(domain) for domain in state.domains)
    issuer = state.settings.outside_callers
    return Topology(blocks, _calls(state), _outside(state), issuer.issuer if issuer else "")


def _block(domain: Domain) -> Block:
    skills = workloads(domain)
    rows = tuple(
        _row(domain, agent, [skill for skill in skills if skill.agent is agent])
        for agent in domain.agents
    )
    return Block(domain.name, f"{domain.owner.team} · {domain.sandbox.runtime}", rows)


def _row(domain: Domain, agent: Agent, skills: Sequence[Workload]) -> Row:
    tools = {(server.server, tool) for s in skills for server in s.tools for tool in server.tools}
    models = {model for s in skills for model in (s.model, *s.fallback_models) if model}
    return Row(
        f"{domain.name}/{agent.name}",
        agent.name,
        kinds(skills),
        {
            "models": len(models),
            "tools": len(tools),
            "stores": int(agent.database),
            "hosts": len(domain.egress),
        },
        any(skill.kind != "cron" for skill in skills),
    )


KINDS: dict[Kind, tuple[str, str]] = {
    "service": ("service", "services"),
    "cron": ("schedule", "schedules"),
    "sessions": ("sandbox pool", "sandbox pools"),
}


def kinds(skills: Iterable[Workload]) -> str:
    """`2 services, 1 schedule`: how the skills run."""
    counts = Counter(skill.kind for skill in skills)
    words = [
        f"{counts[k]} {one if counts[k] == 1 else more}"
        for k, (one, more) in KINDS.items()
        if counts[k]
    ]
    return ", ".join(words) or "no skills"


def _calls(state: State) -> tuple[Call, ...]:
    """By caller and callee; a call that only one side declares is refused, so it is none."""
    homes = {skill.id: skill for skill in state.skills()}
    found: dict[tuple[str, str], list[str]] = {}
    for domain in state.domains:
        for agent in domain.agents:
            caller = f"{domain.name}/{agent.name}"
            for called in agent.calls:
                home = homes.get(called)
                if home is not None and caller in home.skill.callers:
                    callee = f"{home.domain.name}/{home.agent.name}"
                    found.setdefault((caller, callee), []).append(called)
    return tuple(Call(*ends, tuple(skills)) for ends, skills in found.items())


def _outside(state: State) -> dict[Way, tuple[str, ...]]:
    used = {server.server for skill in state.skills() for server in skill.tools}
    hosts = {egress.host for domain in state.domains for egress in domain.egress}
    return {
        "models": ("openrouter.ai",),
        "tools": tuple(sorted(used)),
        "stores": ("PostgreSQL", "Valkey"),
        "hosts": tuple(sorted(hosts)),
    }


def _compared(now: Topology, then: Topology, head: State, base: State) -> Topology:
    was, gone = _marked_agents(head, base)
    old = {block.name: block for block in then.blocks}
    new = {block.name: block for block in now.blocks}
    blocks = [_block_against(block, old.get(block.name), was, gone) for block in now.blocks]
    blocks += [_all_gone(block) for name, block in old.items() if name not in new]
    return Topology(
        tuple(sorted(blocks, key=lambda block: block.name)),
        _calls_against(now.calls, then.calls),
        {way: tuple(sorted({*now.outside[way], *then.outside[way]})) for way in WAYS},
        now.callers,
    )


def _marked_agents(head: State, base: State) -> tuple[dict[str, Mark], frozenset[str]]:
    """The mark of each agent of the head, and the agents that only the base has."""
    now, then = _written(head), _written(base)
    marks: dict[str, Mark] = {
        name: "new" if name not in then else "" if then[name] == text else "changed"
        for name, text in now.items()
    }
    return marks, frozenset(then.keys() - now.keys())


def _written(state: State) -> dict[str, object]:
    """What the domain file says of each agent, by its ID."""
    return {
        f"{domain.name}/{agent.name}": (
            agent,
            [skill for skill in domain.skills if skill.agent == agent.name],
            domain.egress,
            domain.sandbox,
        )
        for domain in state.domains
        for agent in domain.agents
    }


def _block_against(
    block: Block, old: Block | None, marks: Mapping[str, Mark], gone: frozenset[str]
) -> Block:
    rows = [replace(row, mark=marks[row.id]) for row in block.rows]
    if old is None:
        return replace(block, rows=tuple(rows), mark="new")
    rows += [replace(row, mark="gone") for row in old.rows if row.id in gone]
    changed = block.note != old.note or any(row.mark for row in rows)
    return replace(block, rows=tuple(rows), mark="changed" if changed else "")


def _all_gone(block: Block) -> Block:
    rows = tuple(replace(row, mark="gone") for row in block.rows)
    return replace(block, rows=rows, mark="gone")


def _calls_against(now: Sequence[Call], then: Sequence[Call]) -> tuple[Call, ...]:
    old = {(call.caller, call.callee): call for call in then}
    new = {(call.caller, call.callee): call for call in now}
    kept = [replace(call, mark=_mark_of(call, old.get(ends))) for ends, call in new.items()]
    return (*kept, *(replace(call, mark="gone") for ends, call in old.items() if ends not in new))


def _mark_of(call: Call, old: Call | None) -> Mark:
    if old is None:
        return "new"
    return "" if old.skills == call.skills else "changed"


def _summed(block: Block) -> Row:
    """A domain's row: `4 agents`, and of each link how many of them have it."""
    agents = len(block.rows)
    reaches = {way: sum(row.reaches[way] > 0 for row in block.rows) for way in WAYS}
    serves = any(row.serves for row in block.rows)
    note = f"{agents} {'agent' if agents == 1 else 'agents'}"
    return Row(block.name, block.name, note, reaches, serves, block.mark)


def _together(ends: tuple[str, str], calls: Sequence[Call]) -> Call:
    marks = {call.mark for call in calls}
    skills = tuple(dict.fromkeys(skill for call in calls for skill in call.skills))
    return Call(*ends, skills, marks.pop() if len(marks) == 1 else "changed")
