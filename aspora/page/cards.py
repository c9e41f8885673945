"""Each domain as a folded card: owner, agents, skills, what they may call.

All that the picture says is here in words, and the links of the picture lead here.
"""

from __future__ import annotations

from aspora.models import Agent, Domain
from aspora.page.filters import Choice, filters
from aspora.page.markup import Markup, html, join
from aspora.page.quotas import amount
from aspora.page.state import State
from aspora.page.tables import folded, many, table, tag
from aspora.page.topology import KINDS, Topology, kinds
from aspora.resolve import Workload, workloads

COLUMNS = ("Skill", "Runs as", "Model", "May spend", "Tools")


def cards(state: State) -> Markup:
    """Every domain, under search and filters."""
    bar = filters(
        "domain-list",
        Choice("domain", "Domain", [(domain.name, domain.name) for domain in state.domains]),
        Choice("verb", "Runs as", [(kind, one) for kind, (one, _) in KINDS.items()]),
    )
    return html('{}<div id="domain-list">{}</div>', bar, join(map(_card, state.domains), "\n"))


def _card(domain: Domain) -> Markup:
    skills = workloads(domain)
    found = dict.fromkeys(skill.kind for skill in skills)
    return html(
        '<details class="item card" id="domain-{0}" data-item data-domain="{0}" data-verb="{1}">'
        '<summary><span class="what">{0}</span> <span class="muted">{2}</span>{3}</summary>'
        '<div class="inside">{4}</div></details>',
        domain.name,
        " ".join(found),
        f"{many(len(domain.agents), 'agent')}, {kinds(skills)}",
        html('<span class="why">{}</span>', domain.description) if domain.description else "",
        join([_facts(domain), *(_agent(agent, skills) for agent in domain.agents)]),
    )


def _facts(domain: Domain) -> Markup:
    rows = [
        ("Owner", html("{}, cost centre {}", domain.owner.team, domain.owner.cost_center)),
        ("Models", html("{} a month at most", amount(float(domain.budget.monthly_usd), "USD"))),
        ("Sandbox", _sandbox(domain)),
        ("Delivery", html("{}", {"pulumi": "Pulumi", "argocd": "Argo CD"}[domain.delivery])),
    ]
    if domain.egress:
        hosts = (html("{}: {}", f"{e.host}:{e.port}", e.reason) for e in domain.egress)
        rows.append(("Hosts outside", join(hosts, "; ")))
    return html(
        '<dl class="facts-list">{}</dl>', join(html("<dt>{}</dt><dd>{}</dd>", *row) for row in rows)
    )


def _sandbox(domain: Domain) -> Markup:
    if domain.sandbox.runtime == "gvisor":
        return html("gVisor: each pod has a kernel of its own")
    return html("{} {}", tag("attention", "runc"), domain.sandbox.reason or "")


def _agent(agent: Agent, all_skills: tuple[Workload, ...]) -> Markup:
    skills = [skill for skill in all_skills if skill.agent is agent]
    return html(
        "<h3>{}{}</h3>{}{}",
        agent.name,
        html(" <span>{}</span>", agent.description) if agent.description else "",
        _reaches(agent),
        _skills(agent, skills),
    )


def _reaches(agent: Agent) -> Markup:
    parts = []
    if agent.database:
        parts.append("connects to PostgreSQL and Valkey")
    if agent.calls:
        parts.append("calls " + ", ".join(agent.calls))
    return html('<p class="muted">{}</p>', "; ".join(parts)) if parts else html("")


def _skills(agent: Agent, skills: list[Workload]) -> Markup:
    rows = [(_name(s), _runs(s), _models(s), _budget(s), _tools(s)) for s in skills]
    return table(f"Skills of {agent.name}", COLUMNS, rows, quiet=True)


def _name(skill: Workload) -> Markup:
    callers = skill.skill.callers
    return html(
        '{}<br><small class="muted">{}</small>{}',
        skill.skill.name,
        skill.skill.description,
        html("<br><small>called by {}</small>", ", ".join(callers)) if callers else "",
    )


def _tools(skill: Workload) -> str:
    return "; ".join(f"{s.server}: {', '.join(s.tools)}" for s in skill.tools) or "none"


def _runs(skill: Workload) -> str:
    if skill.kind == "cron":
        return f"schedule {skill.skill.schedule}, {skill.skill.time_zone or 'Etc/UTC'}"
    sessions = skill.skill.sessions
    if sessions is not None:
        return f"sandbox pool: {sessions.warm_pool} warm, {sessions.max_sessions} at once"
    return f"service: {skill.scaling.min} to {skill.scaling.max} pods"


def _models(skill: Workload) -> str:
    return ", then ".join([skill.model or "none", *skill.fallback_models])


def _budget(skill: Workload) -> str:
    return f"{amount(float(skill.skill.budget.monthly_usd), 'USD')} a month"


def calls(topology: Topology) -> Markup:
    """The calls between agents, as the picture draws them."""
    if not topology.calls:
        return html('<p class="muted">No agent calls another.</p>')
    rows = [
        (call.caller, html("{} {}", ", ".join(call.skills), tag(call.mark) if call.mark else ""))
        for call in topology.calls
    ]
    inner = table("Who may call whom, through aspora-gateway", ("Caller", "May call"), rows)
    return folded("Calls between agents", len(rows), inner)
