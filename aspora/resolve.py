"""From what a team wrote to what holds: each skill with its agent's settings and the defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from aspora import names
from aspora.models import Agent, Amounts, Domain, Priority, Scaling, Skill, ToolServer
from aspora.quantities import parse_cpu, parse_memory

Kind = Literal["service", "cron", "sessions"]

DEFAULT_REQUESTS = Amounts(cpu="250m", memory="512Mi")
DEFAULT_LIMITS = Amounts(cpu="1", memory="2Gi")
DEFAULT_TIMEOUT_SECONDS = 300

Path = tuple[str | int, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Amount:
    """CPU in millicores and memory in bytes, beside the text that was written."""

    cpu: int
    memory: int
    cpu_text: str
    memory_text: str

    @property
    def kubernetes(self) -> dict[str, str]:
        """As a container's `requests` or `limits`."""
        return {"cpu": self.cpu_text, "memory": self.memory_text}


@dataclass(frozen=True, slots=True)
class Workload:
    """A skill with everything decided: what the renderer, the rules and the reports read.

    `path` is where the skill stands in its file, for messages that point there.
    """

    id: str
    name: str
    path: Path
    kind: Kind
    domain: Domain
    agent: Agent
    skill: Skill
    image: str | None
    model: str | None
    fallback_models: tuple[str, ...]
    tools: tuple[ToolServer, ...]
    requests: Amount
    limits: Amount
    scaling: Scaling
    spot: bool
    priority: Priority
    timeout_seconds: int

    @property
    def namespace(self) -> str:
        """The namespace its objects live in."""
        return names.namespace(self.domain.name)


_RESOLVED: dict[int, tuple[Domain, tuple[Workload, ...]]] = {}
_MOST_RESOLVED = 4096


def workloads(domain: Domain) -> tuple[Workload, ...]:
    """All skills of `domain`, in the order of the file; a skill of an unknown agent is left out.

    (That an agent is unknown is a problem which `aspora/rules.py` reports.) Domains are frozen, and
    a dozen builders ask for the skills of each: what was found is kept with the domain itself, so
    that no other can take its place.
    """
    kept = _RESOLVED.get(id(domain))
    if kept is None or kept[0] is not domain:
        if len(_RESOLVED) >= _MOST_RESOLVED:
            _RESOLVED.clear()
        kept = _RESOLVED[id(domain)] = (domain, _workloads(domain))
    return kept[1]


def _workloads(domain: Domain) -> tuple[Workload, ...]:
    found = [
        _resolve(domain, agent, skill, ("agents", a, "skills", s), agent.name)
        for a, agent in enumerate(domain.agents)
        for s, skill in enumerate(agent.skills)
    ]
    agents = {agent.name: agent for agent in domain.agents}
    found += [
        _resolve(domain, agents[skill.agent], skill, ("skills", s), None)
        for s, skill in enumerate(domain.skills)
        if skill.agent in agents
    ]
    return tuple(found)


def smallest(workload: Workload) -> Workload:
    """The same with one pod to begin with and one warm sandbox at most; what load adds stays."""
    sessions = workload.skill.sessions
    skill = workload.skill
    if sessions and sessions.warm_pool > 1:
        one = sessions.model_copy(update={"warm_pool": 1})
        skill = skill.model_copy(update={"sessions": one})
    scaling = workload.scaling.model_copy(update={"min": 1})
    return replace(workload, skill=skill, scaling=scaling)


def _resolve(
    domain: Domain, agent: Agent, skill: Skill, path: Path, id_agent: str | None
) -> Workload:
    skill_id = names.skill_id(domain.name, id_agent, skill.name)
    mine, theirs = skill.resources, agent.resources
    kind: Kind = "cron" if skill.schedule else "sessions" if skill.sessions else "service"
    return Workload(
        id=skill_id,
        name=names.workload(skill_id),
        path=path,
        kind=kind,
        domain=domain,
        agent=agent,
        skill=skill,
        image=skill.image or agent.image,
        model=skill.model or agent.model,
        fallback_models=_first(skill.fallback_models, agent.fallback_models, ()),
        tools=_first(skill.tools, agent.tools, ()),
        requests=_amount(
            mine.requests if mine else None, theirs.requests if theirs else None, DEFAULT_REQUESTS
        ),
        limits=_amount(
            mine.limits if mine else None, theirs.limits if theirs else None, DEFAULT_LIMITS
        ),
        scaling=_first(skill.scaling, agent.scaling, Scaling()),
        spot=_first(skill.spot, agent.spot, False),  # noqa: FBT003 - the field's default
        priority=_first(skill.priority, agent.priority, "batch" if kind == "cron" else "standard"),
        timeout_seconds=_first(
            skill.timeout_seconds, agent.timeout_seconds, DEFAULT_TIMEOUT_SECONDS
        ),
    )


def _first(mine: T | None, theirs: T | None, default: T) -> T:
    if mine is not None:
        return mine
    return default if theirs is None else theirs


def _amount(mine: Amounts | None, theirs: Amounts | None, default: Amounts) -> Amount:
    given = [amounts for amounts in (mine, theirs, default) if amounts is not None]
    cpu = next(amounts.cpu for amounts in given if amounts.cpu is not None)
    memory = next(amounts.memory for amounts in given if amounts.memory is not None)
    return Amount(parse_cpu(cpu), parse_memory(memory), cpu, memory)
