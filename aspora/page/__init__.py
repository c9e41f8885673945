"""A report, or a stack as it is, as one self-contained page of HTML.

It works without scripts, asks nobody for anything, and the same input makes the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aspora.changes.model import Report, Side
from aspora.estimate import Estimate
from aspora.estimate.words import usd
from aspora.isolation.model import Proof
from aspora.page import cards, costs, matrix, parts, quotas
from aspora.page.changes import change_list, group_id
from aspora.page.document import Part, document
from aspora.page.drawing import drawing
from aspora.page.markup import Markup, html, join
from aspora.page.state import State
from aspora.page.tables import many, tag
from aspora.page.topology import Topology, topology

__all__ = ["State", "page", "state_page"]

LEVELS = {
    "none": "No change",
    "routine": "Routine",
    "attention": "Look closely",
    "destructive": "Destructive",
    "invalid": "Does not hold",
}
KEY = (
    "number in a dot: models, tools or hosts; of a whole domain, its agents",
    "line with an arrow: may call, through aspora-gateway",
    "grey arrow: aspora-gateway brings requests",
)


def page(
    report: Report,
    *,
    base: State | None = None,
    head: State | None = None,
    proof: Proof | None = None,
) -> str:
    """The page of a change report.

    With the states that were compared it has the picture too, and with the head's proof of
    isolation the matrix; a report alone has neither.
    """
    found = [*_report_parts(report, base, head, proof)]
    title = f"{report.verdict.text} · {report.base.label} to {report.head.label}"
    foot = "Made by aspora diff --format html. This page asks nobody for anything."
    return document(title, _report_head(report), found, foot)


def state_page(state: State, proof: Proof | None = None, cost: Estimate | None = None) -> str:
    """The page of a stack as its files have it: no changes, all domains.

    Without a proof or an estimate it has no section of it.
    """
    stack = state.settings.environment
    found = [*_state_parts(state, proof, cost)]
    foot = "Made by aspora report. This page asks nobody for anything."
    return document(f"The platform: {stack}", _state_head(state, proof, cost), found, foot)


def _report_head(report: Report) -> Markup:
    level = report.verdict.level
    return html(
        '<p class="eyebrow">Change report · stack <b>{}</b> · {} → {}</p>'
        '<div class="verdict"><span class="tag {}">{}</span><h1>{}</h1></div>'
        '<ul class="facts">{}</ul>',
        report.stack,
        _side(report.base),
        _side(report.head),
        level,
        LEVELS[level],
        report.verdict.text,
        html("<li>{}</li>", parts.tags(report.counts)),
    )


def _side(side: Side) -> Markup:
    commit = html(" <code>{}</code>", side.commit[:10]) if side.commit else ""
    return html("<b>{}</b>{}", side.label, commit)


def _report_parts(
    report: Report, base: State | None, head: State | None, proof: Proof | None
) -> Iterator[Part]:
    if report.problems:
        yield Part("problems", "Problems", parts.problems(report.problems))
        return
    if report.loosened:
        yield Part(
            "loosened",
            "Loosened security",
            parts.loosened(report.loosened),
            count=str(len(report.loosened)),
        )
    if any(change.consequences for change in report.changes):
        yield Part("consequences", "What happens", parts.consequences(report.changes))
    if head is not None:
        yield _topology_part(topology(head, base), _changed(report))
    if report.owners:
        yield Part("owners", "Who and why", parts.owners(report.owners))
    if report.quotas:
        yield _quota_part(quotas.bars(report.quotas))
    yield from parts.section("cost", report.cost)
    yield from _isolation_part(report, proof)
    yield from parts.section("check", report.check)
    if report.shared:
        yield Part("shared", "Shared", parts.shared(report.shared))
    yield Part(
        "changes",
        "Changes",
        change_list(report),
        "Every object that is made, changed, made anew or deleted. Unfold one to see it before and"
        " after.",
        str(report.counts.total),
    )
    yield Part("untouched", "Untouched", parts.untouched(report))


def _isolation_part(report: Report, proof: Proof | None) -> Iterator[Part]:
    if proof is None:
        yield from parts.section("isolation", report.isolation)
        return
    yield Part("isolation", "Isolation", matrix.isolation(proof), matrix.verdict(proof))


def _changed(report: Report) -> dict[str, str]:
    return {change.domain: group_id(change.domain) for change in report.changes if change.domain}


def _topology_part(found: Topology, anchors: Mapping[str, str]) -> Part:
    picture = html(
        '<figure class="card picture"><div class="scroll" tabindex="0" role="region"'
        ' aria-label="Picture of the stack">{}</div>'
        '<figcaption><ul class="key">{}</ul></figcaption></figure>{}',
        drawing(found, anchors),
        join([*(html("<li>{}</li>", text) for text in KEY), *_marks(found)]),
        cards.calls(found),
    )
    return Part(
        "topology",
        "Topology",
        picture,
        "Who may call whom. An agent reaches another only through aspora-gateway, and what is"
        " outside only through the gateways above its column.",
    )


def _marks(found: Topology) -> Iterator[Markup]:
    """The key's words for what moved, where something did."""
    used = {call.mark for call in found.calls}
    used |= {row.mark for block in found.blocks for row in block.rows}
    for mark in ("new", "changed", "gone"):
        if mark in used:
            yield html('<li class="{0}">{0}</li>', mark)


def _quota_part(content: Markup) -> Part:
    return Part(
        "quotas",
        "Quotas and budgets",
        content,
        "The worst case: every service at its largest during a rollout, every schedule and every"
        " sandbox at once. Budgets are what skills may spend on models in a month.",
    )


def _state_head(state: State, proof: Proof | None, cost: Estimate | None) -> Markup:
    facts = []
    if proof is not None:
        facts.append(_proven(proof.ok))
    if cost is not None:
        facts.append(tag("plain", f"{usd(cost.total.expected)} USD a month expected"))
    agents = sum(len(domain.agents) for domain in state.domains)
    return html(
        '<p class="eyebrow">The platform as its files have it · stack <b>{}</b> · {}</p>'
        '<div class="verdict"><h1>{}, {}, {}</h1></div><ul class="facts">{}</ul>',
        state.settings.environment,
        state.settings.region,
        many(len(state.domains), "domain"),
        many(agents, "agent"),
        many(sum(1 for _ in state.skills()), "skill"),
        join(html("<li>{}</li>", fact) for fact in facts),
    )


def _proven(ok: bool) -> Markup:  # noqa: FBT001 - the proof's own word
    return tag("ok", "isolation proven") if ok else tag("failure", "isolation not proven")


def _state_parts(state: State, proof: Proof | None, cost: Estimate | None) -> Iterator[Part]:
    anchors = {domain.name: f"domain-{domain.name}" for domain in state.domains}
    yield _topology_part(topology(state), anchors)
    yield Part("domains", "Domains", cards.cards(state), count=str(len(state.domains)))
    yield _quota_part(quotas.bars(quotas.quota_rows(state)))
    if cost is not None:
        yield Part("cost", "Cost", costs.costs(cost), costs.LEAD)
    if proof is not None:
        yield Part("isolation", "Isolation", matrix.isolation(proof), matrix.verdict(proof))
