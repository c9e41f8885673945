"""Security that a domain file or a stack's settings loosen, with the reason they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from aspora import names
from aspora.changes.model import Loosened
from aspora.models import Agent, Domain
from aspora.quantities import parse_cpu, parse_memory
from aspora.resolve import Workload, workloads
from aspora.stack import StackSettings

T = TypeVar("T")


def of_domain(before: Domain | None, after: Domain) -> Iterator[Loosened]:
    """What a domain may do at the head that it may not at the base; all it may when it is new.

    New ways first, more of what there was last: the first is what the verdict names."""
    yield from _sandbox(before, after)
    yield from _egress(before, after)
    yield from _agents(before, after)
    yield from _callers(before, after)
    yield from _tools(before, after)
    if before is not None:
        yield from _quota(before, after)


def _found(domain: Domain, what: str, path: str, reason: str | None = None) -> Loosened:
    return Loosened(domain.name, what, reason or "", None, path)


def _sandbox(before: Domain | None, after: Domain) -> Iterator[Loosened]:
    was = before.sandbox.runtime if before else "gvisor"
    if after.sandbox.runtime == "runc" and was != "runc":
        what = "pods run in runc and share the node's kernel, not in gVisor"
        yield _found(after, what, "sandbox.runtime", after.sandbox.reason)


def _egress(before: Domain | None, after: Domain) -> Iterator[Loosened]:
    known = {(way.host, way.port) for way in before.egress} if before else set()
    for index, way in enumerate(after.egress):
        if (way.host, way.port) not in known:
            what = f"may call {way.host}:{way.port} on the Internet"
            yield _found(after, what, f"egress[{index}]", way.reason)


def _quota(before: Domain, after: Domain) -> Iterator[Loosened]:
    old, new = before.quota, after.quota
    for name, was, now, value in (
        ("cpu", old.cpu, new.cpu, parse_cpu),
        ("memory", old.memory, new.memory, parse_memory),
        ("storage", old.storage, new.storage, parse_memory),
    ):
        if value(now) > value(was):
            yield _found(after, f"quota of {name} raised from {was} to {now}", f"quota.{name}")
    for name, fewer, more in (
        ("pods", old.pods, new.pods),
        ("loadBalancers", old.load_balancers, new.load_balancers),
    ):
        if more > fewer:
            yield _found(after, f"quota of {name} raised from {fewer} to {more}", f"quota.{name}")
    yield from _largest(before, after)
    was_usd, now_usd = before.budget.monthly_usd, after.budget.monthly_usd
    if now_usd > was_usd:
        what = f"budget raised from {was_usd} to {now_usd} USD a month"
        yield _found(after, what, "budget.monthlyUSD")


def _largest(before: Domain, after: Domain) -> Iterator[Loosened]:
    old, new = before.limits.max, after.limits.max
    if _more(old.cpu, new.cpu, parse_cpu):
        what = f"the largest container grows from {old.cpu} to {new.cpu or 'any number of'} CPU"
        yield _found(after, what, "limits.max.cpu")
    if _more(old.memory, new.memory, parse_memory):
        what = f"the largest container grows from {old.memory} to {new.memory or 'any'} memory"
        yield _found(after, what, "limits.max.memory")


def _more(was: str | None, now: str | None, value: Callable[[str], int]) -> bool:
    """Whether a bound was raised or dropped."""
    if was is None:
        return False
    return now is None or value(now) > value(was)


def _agents(before: Domain | None, after: Domain) -> Iterator[Loosened]:
    known = {agent.name: agent for agent in before.agents} if before else {}
    for agent in after.agents:
        was: Agent | None = known.get(agent.name)
        for called in agent.calls:
            if was is None or called not in was.calls:
                yield _found(after, f"agent {agent.name} may call {called}", _at(agent, "calls"))
        if agent.database and not (was and was.database):
            what = f"agent {agent.name} may connect to the databases"
            yield _found(after, what, _at(agent, "database"))


def _at(agent: Agent, field: str) -> str:
    return f"agents[name={agent.name}].{field}"


def _callers(before: Domain | None, after: Domain) -> Iterator[Loosened]:
    known = {skill.id: skill for skill in workloads(before)} if before else {}
    for workload in workloads(after):
        was = known.get(workload.id)
        for caller in workload.skill.callers:
            if was is None or caller not in was.skill.callers:
                what = f"{workload.id} may be called by {caller}"
                yield _found(after, what, f"{_skill_path(workload)}.callers")


def _tools(before: Domain | None, after: Domain) -> Iterator[Loosened]:
    """More tools for a skill that was there; a new skill begins with those its file names."""
    known = {skill.id: skill for skill in workloads(before)} if before else {}
    for workload in workloads(after):
        was = known.get(workload.id)
        if was is None:
            continue
        had = {(server.server, tool) for server in was.tools for tool in server.tools}
        more = [
            f"{server.server}/{tool}"
            for server in workload.tools
            for tool in server.tools
            if (server.server, tool) not in had
        ]
        if more:
            what = f"{workload.id} may use {', '.join(more)}"
            yield _found(after, what, f"{_skill_path(workload)}.tools")


def _skill_path(workload: Workload) -> str:
    skill = f"skills[name={workload.skill.name}]"
    own = workload.id == names.skill_id(workload.domain.name, None, workload.skill.name)
    return skill if own else f"agents[name={workload.agent.name}].{skill}"


def of_settings(before: StackSettings, after: StackSettings) -> Iterator[Loosened]:
    """What a stack allows everybody at the head and not at the base."""
    for prefix in _new(before.allowed_registries, after.allowed_registries):
        yield Loosened("", f"images may come from {prefix}", "", None, "images.allowed")
    known = {server.name for server in before.tool_servers}
    for server in after.tool_servers:
        if server.name not in known:
            what = f"the tool gateway may call {server.url}"
            yield Loosened("", what, "", None, "toolServers")
    old = before.outside_callers
    new = after.outside_callers
    if new is not None and (old is None or old.issuer != new.issuer):
        what = f"callers from outside with tokens of {new.issuer} are let in"
        yield Loosened("", what, "", None, "outsideCallers")


def _new(before: tuple[T, ...], after: tuple[T, ...]) -> Iterator[T]:
    return (item for item in after if item not in before)
