"""The dashboard of the platform's service level, and the one that each domain has."""

from __future__ import annotations

from aspora import names
from aspora.observe.boards import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    Board,
    Panel,
    Query,
    stat,
)
from aspora.observe.dashboards import (
    LOAD_STEPS,
    SATURATED_STATE,
    SLOW_STEPS,
    SPENT_STEPS,
    activity,
    cost,
    quality,
    ratio,
)
from aspora.observe.records import (
    BUDGET_USED,
    BUSY,
    COST_MONTH,
    DOMAIN_BUDGET_USED,
    DOMAIN_COST_24H,
    ENDED_7D,
    GOOD_7D,
    P95,
    QUEUE,
    SUCCESS_24H,
)
from aspora.observe.slo import (
    BUDGET,
    BUDGET_LEFT,
    BURN_WINDOWS,
    BURNS,
    ERRORS,
    GATEWAYS,
    RATIOS,
    REQUESTS,
)
from aspora.telemetry import metrics as own

UID_LIMIT = 40
"""Of a dashboard in Grafana."""


def slo() -> Board:
    """Does the platform hold 99.9 %?"""
    return Board(
        "aspora-slo",
        "Platform SLO",
        "99.9 % of the requests that the three gateways carry, in 30 days. A request failed when"
        " the gateway's proxy answered 5xx by itself; what a skill answers is the skill's.",
        (
            stat(
                "Available, 30 days",
                f"1 - {RATIOS['30d'].name}",
                "percentunit",
                steps=((0, RED), (1 - BUDGET, GREEN)),
                runbook="platform-slo",
            ),
            stat(
                "Error budget left",
                BUDGET_LEFT.name,
                "percentunit",
                steps=((0, RED), (0.25, ORANGE), (0.5, GREEN)),
                runbook="platform-slo",
            ),
            stat("Requests a second", REQUESTS.name, "reqps"),
            stat("Failed requests a second", ERRORS.name, "reqps", steps=((0, GREEN), (0.1, RED))),
            *_burning(),
        ),
        since="now-30d",
        refresh="5m",
    )


def _burning() -> tuple[Panel, ...]:
    """How fast the budget goes, and by what."""
    factors = tuple(Query(f"{RATIOS[window].name} / {BUDGET}", window) for window in BURN_WINDOWS)
    carried = f'reporter="source", source_workload=~"{"|".join(GATEWAYS)}"'
    return (
        Panel(
            "How many times too fast the budget burns, by window",
            "lines",
            factors,
            steps=((0, GREEN), (1, YELLOW), (BURNS[0].factor, RED)),
            width=24,
            runbook="platform-slo",
        ),
        Panel(
            "Error budget left",
            "lines",
            (Query(BUDGET_LEFT.name, "left"),),
            "percentunit",
        ),
        Panel(
            "5xx by gateway and response flags",
            "lines",
            (
                Query(
                    "sum by (source_workload, response_flags)"
                    f' (rate(istio_requests_total{{{carried}, response_code=~"5.."}}[5m]))',
                    "{{source_workload}} {{response_flags}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Pods of the gateways that are available",
            "bars",
            (
                Query(
                    "max by (deployment) (kube_deployment_status_replicas_available"
                    f'{{namespace="{names.PLATFORM_NAMESPACE}"}})',
                    "{{deployment}}",
                ),
            ),
            steps=((0, RED), (1, GREEN)),
        ),
        Panel(
            "Alerts that fire",
            "table",
            (Query('ALERTS{alertstate="firing", severity!="info"}'),),
        ),
    )


def domain_uid(domain: str) -> str:
    """The address of a domain's dashboard."""
    return names.fit(f"aspora-domain-{domain}", UID_LIMIT)


def domain(name: str) -> Board:
    """All three questions, for the team of one domain."""
    return Board(
        domain_uid(name),
        f"Domain: {name}",
        f"What {name}'s agents do, how well, and what it costs.",
        (
            *_glance(name),
            *_work(name),
            *_means(name),
        ),
        since="now-24h",
    )


def _glance(name: str) -> tuple[Panel, ...]:
    """Four numbers."""
    mine = f'{{domain="{name}"}}'
    return (
        stat("Spent in 24 hours", f"{DOMAIN_COST_24H.name}{mine}", "currencyUSD"),
        stat(
            "Spent of the month's budget",
            f"{DOMAIN_BUDGET_USED.name}{mine}",
            "percentunit",
            steps=SPENT_STEPS,
            runbook="budget-burn",
        ),
        stat(
            "Success rate, 7 days",
            ratio(GOOD_7D, ENDED_7D, mine),
            "percentunit",
            steps=((0, RED), (0.9, ORANGE), (0.95, GREEN)),
            runbook="quality-regression",
        ),
        stat(
            "Alerts that fire",
            f'count(ALERTS{{domain="{name}", alertstate="firing"}}) or vector(0)',
            steps=((0, GREEN), (1, RED)),
        ),
    )


def _work(name: str) -> tuple[Panel, ...]:
    """How busy its agents are, how well and how fast they work."""
    mine = f'{{domain="{name}"}}'
    skill = "{{agent_role}}/{{skill_name}}"
    return (
        Panel(
            "Busy, last five minutes",
            "bars",
            (Query(f"{BUSY.name}{mine}", "{{agent_role}}"),),
            "percentunit",
            LOAD_STEPS,
            SATURATED_STATE,
            most=1,
            runbook="latency-spike",
        ),
        Panel(
            "Success rate, 24 hours, by skill",
            "bars",
            (Query(f"{SUCCESS_24H.name}{mine}", skill),),
            "percentunit",
            ((0, RED), (0.9, ORANGE), (0.95, GREEN)),
            most=1,
            runbook="quality-regression",
            traces=True,
        ),
        Panel(
            "95 % of executions end within",
            "lines",
            (Query(f"{P95.name}{mine}", skill),),
            "s",
            SLOW_STEPS,
            runbook="latency-spike",
            traces=True,
        ),
        Panel("Executions waiting", "lines", (Query(f"{QUEUE.name}{mine}", skill),)),
    )


def _means(name: str) -> tuple[Panel, ...]:
    """What it costs, and what is left of the quota."""
    mine = f'{{domain="{name}"}}'
    space = names.namespace(name)
    skill = "{{agent_role}}/{{skill_name}}"
    used, hard = (
        f'max by (resource) (kube_resourcequota{{namespace="{space}", type="{kind}"}})'
        for kind in ("used", "hard")
    )
    return (
        Panel(
            "USD this month, by skill",
            "bars",
            (Query(f"{COST_MONTH.name}{mine}", skill),),
            "currencyUSD",
            ((0, BLUE),),
            runbook="cost-spike",
        ),
        Panel(
            "Spent of the month's budget, by skill",
            "bars",
            (Query(f"{BUDGET_USED.name}{mine}", skill),),
            "percentunit",
            SPENT_STEPS,
            most=1,
            runbook="budget-burn",
        ),
        Panel(
            "Quota used",
            "bars",
            (Query(f"{used} / ({hard} > 0)", "{{resource}}"),),
            "percentunit",
            SPENT_STEPS,
            most=1,
            runbook="quota-nearly-used",
        ),
        Panel(
            "Tokens a minute, by model",
            "lines",
            (
                Query(
                    f"sum by (model, token_type) (rate({own.MODEL_TOKENS.name}{mine}[5m])) * 60",
                    "{{model}} {{token_type}}",
                ),
            ),
        ),
    )


COMMON = (activity(), quality(), cost(), slo())
"""Those that exist once."""
