"""Rules that look beyond one value: across a domain file, and across all of them.

Each is a generator of findings with a code of `aspora/problems.py`; a finding names the place by
its path in the file, which the loader turns into line and column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from aspora import capacity, names
from aspora.gateways.model import plan as model_plan
from aspora.models import Amounts, Domain, Work
from aspora.prices import model_prices
from aspora.problems import nearest
from aspora.quantities import format_cpu, format_memory, parse_cpu, parse_memory
from aspora.resolve import Path, Workload, workloads
from aspora.services.stores import OWN_PREFIXES
from aspora.stack import OPENROUTER, StackSettings, server_host

CANARY = "-canary"
"""What Services and DestinationRules of a new version add to their name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong: in which file (by index), where in it, and the way out."""

    file: int
    path: Path
    code: str
    message: str
    hint: str = ""
    other: int | None = None
    """The file that has the same thing, for the hint."""


class Context:
    """What the rules look at: all domains, their resolved skills, the stack they are meant for.

    `unread` are the domains whose files have problems of their own: what points at them is not
    judged.
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        settings: StackSettings,
        unread: frozenset[str] = frozenset(),
    ) -> None:
        self.domains = tuple(domains)
        self.settings = settings
        self.unread = unread
        self.workloads = tuple(workloads(domain) for domain in domains)
        self.by_id = {work.id: work for skills in self.workloads for work in skills}

    def each(self) -> Iterator[tuple[int, Workload]]:
        """Every skill, with the index of its file."""
        for file, skills in enumerate(self.workloads):
            for workload in skills:
                yield file, workload


Rule = Callable[[Context], Iterator[Finding]]


def unique_names(context: Context) -> Iterator[Finding]:
    """Domain, agent and skill names are told apart; so are the names of the objects they make."""
    seen: dict[str, int] = {}
    for file, domain in enumerate(context.domains):
        if domain.name in seen:
            yield Finding(
                file,
                ("name",),
                "ASP301",
                f'domain "{domain.name}" stands in two files',
                other=seen[domain.name],
            )
        seen.setdefault(domain.name, file)
        yield from _repeated(file, ("agents",), [agent.name for agent in domain.agents], "agent")
        for index, agent in enumerate(domain.agents):
            skills = [skill.name for skill in agent.skills]
            yield from _repeated(file, ("agents", index, "skills"), skills, "skill")
        yield from _repeated(file, ("skills",), [skill.name for skill in domain.skills], "skill")
        yield from _colliding(file, context.workloads[file], context.settings)
        hosts = [f"{host.host}:{host.port}" for host in domain.egress]
        yield from _repeated(file, ("egress",), hosts, "egress", "host")


def _repeated(
    file: int, path: Path, found: list[str], what: str, key: str = "name"
) -> Iterator[Finding]:
    for index, name in enumerate(found):
        first = found.index(name)
        if first != index:
            yield Finding(
                file,
                (*path, index, key),
                "ASP301",
                f'{what} "{name}" stands twice: {what} number {first + 1} has that {key} too',
                "rename one of them" if key == "name" else "take one of them out",
            )


def _colliding(file: int, skills: Sequence[Workload], settings: StackSettings) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for work in skills:
        taken = [work.name]
        if work.kind == "service" and settings.progressive_delivery:
            taken.append(f"{work.name}{CANARY}")
        for name in taken:
            other = owners.setdefault(name, work.id)
            if other != work.id:
                yield Finding(
                    file,
                    (*work.path, "name"),
                    "ASP301",
                    f'skills "{other}" and "{work.id}" would both have objects named "{name}"',
                    "rename one of them",
                )


def references(context: Context) -> Iterator[Finding]:
    """A domain's own skill names an agent of the domain; an agent has something to do."""
    for file, domain in enumerate(context.domains):
        known = [agent.name for agent in domain.agents]
        used = {skill.agent for skill in domain.skills}
        for index, skill in enumerate(domain.skills):
            if skill.agent not in known:
                yield Finding(
                    file,
                    ("skills", index, "agent"),
                    "ASP302",
                    f'"{skill.agent}" is no agent of {domain.name}',
                    _suggest(skill.agent, known),
                )
        for index, agent in enumerate(domain.agents):
            if not agent.skills and agent.name not in used:
                yield Finding(
                    file,
                    ("agents", index),
                    "ASP303",
                    f'agent "{agent.name}" has no skills',
                    "give it one under `skills:` or take it out",
                )


def complete(context: Context) -> Iterator[Finding]:
    """Each skill knows its image and its model, and makes one kind of workload."""
    for file, work in context.each():
        for field, value in (("image", work.image), ("model", work.model)):
            if value is None:
                yield Finding(
                    file,
                    work.path,
                    "ASP304",
                    f'skill "{work.id}" has no {field}',
                    f"set `{field}` here or at its agent",
                )
        skill = work.skill
        if skill.schedule and skill.sessions:
            yield Finding(
                file,
                (*work.path, "sessions"),
                "ASP305",
                "a skill has a schedule or sessions, not both",
                "take one of them out, or make it two skills",
            )
        if skill.time_zone and not skill.schedule:
            yield Finding(
                file,
                (*work.path, "timeZone"),
                "ASP305",
                "a time zone means nothing without a schedule",
                "add `schedule`, or take `timeZone` out",
            )
        if skill.scaling and work.kind != "service":
            yield Finding(
                file,
                (*work.path, "scaling"),
                "ASP305",
                f"scaling is for skills that serve requests; this one has "
                f"{'a schedule' if work.kind == 'cron' else 'sessions'}",
                "take `scaling` out",
            )


def sandbox_reason(context: Context) -> Iterator[Finding]:
    """Loosening the sandbox takes a reason."""
    for file, domain in enumerate(context.domains):
        if domain.sandbox.runtime == "runc" and domain.sandbox.reason is None:
            yield Finding(
                file,
                ("sandbox", "runtime"),
                "ASP306",
                "runc shares the node's kernel and needs a `reason`",
                'for example reason: "needs a GPU driver gVisor does not know"',
            )


def known_models(context: Context) -> Iterator[Finding]:
    """Models have a price: without one no budget can hold."""
    table = model_prices()
    for file, domain in enumerate(context.domains):
        places: list[tuple[Path, str]] = []
        for path, work in _works(domain):
            if work.model is not None:
                places.append(((*path, "model"), work.model))
            places += [
                ((*path, "fallbackModels", index), model)
                for index, model in enumerate(work.fallback_models or ())
            ]
        for path, model in places:
            if model not in table.models:
                yield Finding(
                    file,
                    path,
                    "ASP307",
                    f'model "{model}" is not in the price table of {table.as_of}',
                    _suggest(model, list(model_plan.routes())),
                )
            elif (why := model_plan.unusable(model)) is not None:
                yield Finding(
                    file,
                    path,
                    "ASP307",
                    f'model "{model}" {why}',
                    f"the gateway offers {', '.join(model_plan.routes())}",
                )


def known_tool_servers(context: Context) -> Iterator[Finding]:
    """Every MCP server named is one the tool gateway knows."""
    known = [server.name for server in context.settings.tool_servers]
    for file, domain in enumerate(context.domains):
        for path, work in _works(domain):
            for index, server in enumerate(work.tools or ()):
                if server.server not in known:
                    yield Finding(
                        file,
                        (*path, "tools", index, "server"),
                        "ASP317",
                        f'"{server.server}" is no tool server of the {context.settings.environment}'
                        " stack",
                        _suggest(server.server, known)
                        or "the platform team adds it to aspora:toolServers",
                    )


def egress_around_a_gateway(context: Context) -> Iterator[Finding]:
    """Models and tools are called through their gateways, with budgets and lists of tools."""
    behind = {server_host(server.url): server.name for server in context.settings.tool_servers}
    for file, domain in enumerate(context.domains):
        for index, egress in enumerate(domain.egress):
            if egress.host == OPENROUTER:
                what, hint = "models are called", "name them in `model` and `fallbackModels`"
            elif egress.host in behind:
                what = f'the tool server "{behind[egress.host]}" is called'
                hint = "name it and its tools in `tools`"
            else:
                continue
            yield Finding(
                file,
                ("egress", index, "host"),
                "ASP318",
                f"{what} through the gateway, not by {egress.host} itself",
                hint,
            )


def _works(domain: Domain) -> Iterator[tuple[Path, Work]]:
    for a, agent in enumerate(domain.agents):
        yield ("agents", a), agent
        for s, skill in enumerate(agent.skills):
            yield ("agents", a, "skills", s), skill
    for s, own in enumerate(domain.skills):
        yield ("skills", s), own


def budgets(context: Context) -> Iterator[Finding]:
    """An execution costs no more than the month, the skills together no more than the domain, and
    the domain no more than its key at the provider lets through."""
    for file, work in context.each():
        budget = work.skill.budget
        if budget.per_execution_usd > budget.monthly_usd:
            yield Finding(
                file,
                (*work.path, "budget"),
                "ASP308",
                f"one execution may cost {usd(budget.per_execution_usd)}, more than the month's "
                f"{usd(budget.monthly_usd)}",
                "lower perExecutionUSD or raise monthlyUSD",
            )
    for file, (domain, skills) in enumerate(zip(context.domains, context.workloads, strict=True)):
        sum_usd = sum((work.skill.budget.monthly_usd for work in skills), Decimal(0))
        if sum_usd > domain.budget.monthly_usd:
            yield Finding(
                file,
                ("budget",),
                "ASP308",
                f"the skills' monthly budgets add up to {usd(sum_usd)}, "
                f"{usd(sum_usd - domain.budget.monthly_usd)} more than the domain's "
                f"{usd(domain.budget.monthly_usd)}",
                "raise the domain's monthlyUSD or lower the skills'",
            )
        limit = domain.budget.provider_limit_usd
        if limit is not None and limit < domain.budget.monthly_usd:
            yield Finding(
                file,
                ("budget", "providerLimitUSD"),
                "ASP308",
                f"the key at OpenRouter stops at {usd(limit)}, before the domain's "
                f"{usd(domain.budget.monthly_usd)} are spent",
                "raise providerLimitUSD, and the key's limit at OpenRouter, or lower monthlyUSD",
            )


def quota(context: Context) -> Iterator[Finding]:
    """The quota is enough for the worst moment; says by how much it falls short."""
    for file, (domain, skills) in enumerate(zip(context.domains, context.workloads, strict=True)):
        need = capacity.total(skills, context.settings)
        have = domain.quota
        for field, wanted, given, show in (
            ("cpu", need.cpu, parse_cpu(have.cpu), format_cpu),
            ("memory", need.memory, parse_memory(have.memory), format_memory),
            ("storage", need.storage, parse_memory(have.storage), format_memory),
            ("pods", need.pods, have.pods, str),
        ):
            if wanted > given:
                yield Finding(
                    file,
                    ("quota", field),
                    "ASP309",
                    f"too small by {show(wanted - given)}: all skills at their largest need "
                    f"{show(wanted)}, the quota is {show(given)}",
                    _largest(skills, field, context.settings, show),
                )


def _largest(
    skills: Sequence[Workload], field: str, settings: StackSettings, show: Callable[[int], str]
) -> str:
    needs = [(getattr(capacity.demand(work, settings), field), work.id) for work in skills]
    top = sorted(needs, key=lambda need: (-need[0], need[1]))[:3]
    shown = ", ".join(f"{skill} {show(amount)}" for amount, skill in top if amount)
    return f"most goes to {shown}; raise quota.{field}, or lower scaling, sessions or requests"


UNITS: tuple[tuple[str, Callable[[str], int], Callable[[int], str]], ...] = (
    ("cpu", parse_cpu, format_cpu),
    ("memory", parse_memory, format_memory),
)


def container_limits(context: Context) -> Iterator[Finding]:
    """Requests stay below limits, and both within the domain's LimitRange."""
    for file, work in context.each():
        domain = context.domains[file]
        for unit, parse, show in UNITS:
            asked, most = getattr(work.requests, unit), getattr(work.limits, unit)
            top = _bound(domain.limits.max, unit, parse)
            low = _bound(domain.limits.min, unit, parse)
            if asked > most:
                text = f"asks for {show(asked)} of {unit}, more than its limit of {show(most)}"
                hint = f"lower resources.requests.{unit} or raise resources.limits.{unit}"
            elif top is not None and most > top:
                text = f"has a {unit} limit of {show(most)}; the domain allows {show(top)}"
                hint = f"lower resources.limits.{unit}, or raise the domain's limits.max.{unit}"
            elif low is not None and asked < low:
                text = f"asks for {show(asked)} of {unit}; the domain's least is {show(low)}"
                hint = f"raise resources.requests.{unit}, or lower the domain's limits.min.{unit}"
            else:
                continue
            yield Finding(file, work.path, "ASP310", f'skill "{work.id}" {text}', hint)


def limits_order(context: Context) -> Iterator[Finding]:
    """A LimitRange holds together: min, defaultRequest, default and max, each at least the last."""
    for file, domain in enumerate(context.domains):
        for unit, parse, show in UNITS:
            bounds = [
                (name, bound)
                for name, amounts in (
                    ("min", domain.limits.min),
                    ("defaultRequest", domain.limits.default_request),
                    ("default", domain.limits.default),
                    ("max", domain.limits.max),
                )
                if (bound := _bound(amounts, unit, parse)) is not None
            ]
            for (lower, less), (upper, more) in pairwise(bounds):
                if less > more:
                    yield Finding(
                        file,
                        ("limits", lower, unit),
                        "ASP310",
                        f"limits.{lower} of {show(less)} {unit} is more than limits.{upper} of "
                        f"{show(more)}",
                        f"what is left out has a default: set both {lower} and {upper}",
                    )


def _bound(amounts: Amounts, unit: str, parse: Callable[[str], int]) -> int | None:
    text = getattr(amounts, unit)
    return None if text is None else parse(text)


def scaling_order(context: Context) -> Iterator[Finding]:
    """The fewest pods are not more than the most."""
    for file, work in context.each():
        if work.kind == "service" and work.scaling.min > work.scaling.max:
            yield Finding(
                file,
                (*work.path, "scaling"),
                "ASP311",
                f"scaling.min {work.scaling.min} is more than scaling.max {work.scaling.max}",
                "set both; left out, min is 2 and max is 4",
            )


def calls(context: Context) -> Iterator[Finding]:
    """An agent reaches another's skill only where both sides declare it."""
    for file, domain in enumerate(context.domains):
        for a, agent in enumerate(domain.agents):
            me = f"{domain.name}/{agent.name}"
            for c, called in enumerate(agent.calls):
                path: Path = ("agents", a, "calls", c)
                target = context.by_id.get(called)
                if target is None and called.split("/")[0] in context.unread:
                    continue
                if target is None:
                    yield Finding(
                        file,
                        path,
                        "ASP312",
                        f'there is no skill "{called}"',
                        _suggest(called, sorted(context.by_id)),
                    )
                elif target.kind != "service":
                    yield Finding(
                        file,
                        path,
                        "ASP312",
                        f'"{called}" serves no requests and cannot be called',
                        "only skills without `schedule` and `sessions` can be called",
                    )
                elif me not in target.skill.callers:
                    yield Finding(
                        file,
                        path,
                        "ASP312",
                        f'"{called}" does not list {me} in its callers',
                        f"its team adds {me} to `callers` of {called}",
                    )
    yield from _unused_callers(context)


def _unused_callers(context: Context) -> Iterator[Finding]:
    agents = {
        f"{domain.name}/{agent.name}": agent
        for domain in context.domains
        for agent in domain.agents
    }
    for file, work in context.each():
        for index, caller in enumerate(work.skill.callers):
            agent = agents.get(caller)
            if agent is None and caller.split("/")[0] in context.unread:
                continue
            if agent is None or work.id not in agent.calls:
                what = (
                    f'there is no agent "{caller}"'
                    if agent is None
                    else f"{caller} does not list {work.id} in its calls"
                )
                yield Finding(
                    file,
                    (*work.path, "callers", index),
                    "ASP312",
                    what,
                    _suggest(caller, sorted(agents))
                    if agent is None
                    else "take it out until that side declares it too",
                )


def image_places(context: Context) -> Iterator[Finding]:
    """Images come from where the stack lets domains' pods come from."""
    settings = context.settings
    allowed = settings.allowed_registries
    for file, work in context.each():
        if work.image is None:
            continue
        image = f"{settings.images.registry}/{work.image}"
        if not image.startswith(allowed):
            yield Finding(
                file,
                work.path,
                "ASP316",
                f'skill "{work.id}" runs {image}; images come from {", ".join(allowed)} only',
                "publish it there, or have the platform team add its prefix to images.allowed",
            )


def image_digests(context: Context) -> Iterator[Finding]:
    """Prod runs what was tested: every image is pinned by its digest."""
    if not context.settings.digests_required:
        return
    for file, work in context.each():
        if work.image is not None and "@sha256:" not in work.image:
            yield Finding(
                file,
                work.path,
                "ASP313",
                f'skill "{work.id}" runs {work.image}, which is not pinned by digest',
                "add @sha256:… as the registry shows it for that tag",
            )


OWN_GROUPS = ("system-", "platform-", "aspora-")
"""How the names of Kubernetes' and the platform's own groups begin."""


def group_names(context: Context) -> Iterator[Finding]:
    """A domain takes neither the platform's namespaces and accounts nor its groups."""
    for file, domain in enumerate(context.domains):
        if names.namespace(domain.name) in names.PLATFORM_NAMESPACES:
            yield Finding(
                file,
                ("name",),
                "ASP314",
                f'"{domain.name}" is the platform\'s own: it has the namespace '
                f"{names.namespace(domain.name)}",
                "choose another name",
            )
        if domain.name in OWN_PREFIXES:
            yield Finding(
                file,
                ("name",),
                "ASP314",
                f'"{domain.name}" is a product\'s own: its objects stand in the bucket of'
                f" artifacts, below {OWN_PREFIXES[domain.name]}",
                "choose another name",
            )
        if domain.owner.team.startswith(OWN_GROUPS):
            yield Finding(
                file,
                ("owner", "team"),
                "ASP314",
                f'group "{domain.owner.team}" is not a domain team\'s',
                "name the group of the people who edit this file",
            )
    for file, work in context.each():
        if work.name == names.READER_ACCOUNT:
            yield Finding(
                file,
                (*work.path, "name"),
                "ASP314",
                f'skill "{work.id}" would have the platform\'s own ServiceAccount "{work.name}"',
                "choose another name",
            )


RULES: tuple[Rule, ...] = (
    unique_names,
    references,
    complete,
    sandbox_reason,
    known_models,
    known_tool_servers,
    egress_around_a_gateway,
    budgets,
    quota,
    container_limits,
    limits_order,
    scaling_order,
    calls,
    image_places,
    image_digests,
    group_names,
)


def check(
    domains: Sequence[Domain],
    settings: StackSettings,
    unread: frozenset[str] = frozenset(),
) -> list[Finding]:
    """Every rule's findings, in the order of RULES."""
    context = Context(domains, settings, unread)
    return [finding for rule in RULES for finding in rule(context)]


def usd(amount: Decimal) -> str:
    """`1,250.00 USD`."""
    return f"{amount:,.2f} USD"


def _suggest(word: str, known: Sequence[str]) -> str:
    near = nearest(word, known)
    if near:
        return f'did you mean "{near}"?'
    return ("known are " + ", ".join(known)) if known and len(known) <= 12 else ""
