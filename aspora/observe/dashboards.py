"""The dashboards of the three questions: the brief's Activity, Quality and Cost."""

from __future__ import annotations

from aspora.observe.boards import (
    BLUE,
    DOMAIN_VARIABLE,
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    Board,
    Panel,
    Query,
    State,
    stat,
)
from aspora.observe.records import (
    ACCEPTED,
    BUDGET_USED,
    BUSY,
    CHECKED,
    CONFIDENCE_COUNT,
    CONFIDENCE_SUM,
    COST_24H,
    DOMAIN_BUDGET_USED,
    DOMAIN_COST_24H,
    DOMAIN_COST_MONTH,
    ENDED_7D,
    GOOD_7D,
    INVENTED,
    MODEL_COST_24H,
    P95,
    QUEUE,
    RATED,
    SKILL,
    SUCCESS_7D,
    SUCCESS_24H,
    Record,
)
from aspora.observe.skill_alerts import DROP, LATENCY_SECONDS
from aspora.telemetry import metrics as own

WHO = "{{domain}}/{{agent_role}}/{{skill_name}}"
AGENT = "{{domain}} / {{agent_role}}"
CHOSEN = f'{{{DOMAIN_VARIABLE}=~"$domain"}}'
SATURATED = 1.0
"""An agent whose pods are all full (the brief's 100 %)."""
LOAD_STEPS = ((0, GREEN), (0.7, YELLOW), (SATURATED, RED))
SPENT_STEPS = ((0, GREEN), (0.75, YELLOW), (0.9, RED))
SLOW_STEPS = ((0, GREEN), (LATENCY_SECONDS / 2, YELLOW), (LATENCY_SECONDS, RED))
SATURATED_STATE = (State(SATURATED, None, "SATURATED", RED),)


def activity() -> Board:
    """What are my agents doing right now?"""
    return Board(
        "aspora-activity",
        "Agent Activity Map",
        "What agents do now. Busy is executions running as a share of those the agent's pods can"
        " run at a time; an agent without pods (a schedule between two runs) is idle.",
        (
            stat("Executions running", f"sum({own.IN_PROGRESS.name})"),
            stat("Executions waiting", f"sum({QUEUE.name})", steps=((0, GREEN), (1, YELLOW))),
            stat(
                "Agents saturated",
                f"count({BUSY.name} >= {SATURATED:g}) or vector(0)",
                steps=((0, GREEN), (1, RED)),
            ),
            stat("Executions a minute", f"sum(rate({own.EXECUTIONS.name}[5m])) * 60"),
            Panel(
                "Busy, last five minutes",
                "bars",
                (Query(BUSY.name, AGENT),),
                "percentunit",
                LOAD_STEPS,
                SATURATED_STATE,
                width=12,
                height=14,
                most=1,
                runbook="latency-spike",
            ),
            Panel(
                "Executions a minute, by domain",
                "lines",
                (
                    Query(
                        f"sum by (domain) (rate({own.EXECUTIONS.name}[5m])) * 60",
                        "{{domain}}",
                    ),
                ),
                height=7,
            ),
            Panel(
                "Longest queues",
                "lines",
                (Query(f"topk(10, {QUEUE.name})", WHO),),
                height=7,
                traces=True,
            ),
            Panel(
                "Slowest skills: 95 % end within",
                "bars",
                (Query(f"topk(10, {P95.name})", WHO),),
                "s",
                SLOW_STEPS,
                runbook="latency-spike",
                traces=True,
            ),
            Panel(
                "Sandboxes that are ready",
                "bars",
                (
                    Query(
                        "sum by (namespace, warmpool_name)"
                        ' (agent_sandbox_warmpool_size{sandbox_status="ready"})',
                        "{{namespace}} / {{warmpool_name}}",
                    ),
                ),
                steps=((0, RED), (1, GREEN)),
                runbook="sandbox-pool-empty",
            ),
        ),
        refresh="30s",
        since="now-1h",
    )


def ratio(part: Record, whole: Record, chosen: str, offset: str = "") -> str:
    """A share of what many skills did together."""
    return f"sum({part.name}{chosen}{offset}) / sum({whole.name}{chosen}{offset})"


def _measure(
    title: str, part: Record, whole: Record, steps: tuple[tuple[float, str], ...], *, bad_up: bool
) -> tuple[Panel, Panel, Panel]:
    """A seven-day value, its change against the seven days before, and a word for the change."""
    now, before = ratio(part, whole, CHOSEN), ratio(part, whole, CHOSEN, " offset 7d")
    change = f"{now} - {before}"
    states = worse_up() if bad_up else worse_down()
    colours = tuple((0 if s.low is None else s.low, s.colour) for s in states)
    return (
        stat(f"{title}, 7 days", now, "percentunit", steps=steps),
        stat(f"{title}, change", change, "percentunit", steps=colours),
        stat(f"{title}, state", change, "percentunit", steps=colours, states=states, height=3),
    )


def worse_down() -> tuple[State, ...]:
    """Five points is what the alert means by a drop; half a point is more than a week's noise."""
    return (
        State(None, -DROP, "CRITICAL", RED),
        State(-DROP, -0.005, "DECLINING", ORANGE),
        State(-0.005, None, "HEALTHY", GREEN),
    )


def worse_up() -> tuple[State, ...]:
    """The brief calls four tenths of a point more hallucinations critical."""
    return (
        State(None, 0.001, "HEALTHY", GREEN),
        State(0.001, 0.004, "RISING", ORANGE),
        State(0.004, None, "CRITICAL", RED),
    )


def quality() -> Board:
    """Why did quality drop last week?"""
    measures = (
        _measure(
            *("Success rate", GOOD_7D, ENDED_7D),
            ((0, RED), (0.9, ORANGE), (0.95, GREEN)),
            bad_up=False,
        ),
        _measure(
            *("User acceptance", ACCEPTED, RATED),
            ((0, RED), (0.8, ORANGE), (0.9, GREEN)),
            bad_up=False,
        ),
        _measure(
            *("Confidence", CONFIDENCE_SUM, CONFIDENCE_COUNT),
            ((0, RED), (0.7, ORANGE), (0.85, GREEN)),
            bad_up=False,
        ),
        _measure(
            *("Hallucination rate", INVENTED, CHECKED),
            ((0, GREEN), (0.01, ORANGE), (0.02, RED)),
            bad_up=True,
        ),
    )
    rows = tuple(panel for row in zip(*measures, strict=True) for panel in row)
    drop = f"{SUCCESS_7D.name}{CHOSEN} offset 1d - {SUCCESS_24H.name}{CHOSEN}"
    return Board(
        "aspora-quality",
        "Quality Regression Detector",
        "Seven-day values against the seven days before, and which skill and version it comes"
        " from. Rates of few executions jump: the alerts ask for a volume, these panels do not.",
        (
            *rows,
            Panel(
                "Regressions: alerts that fire",
                "table",
                (Query('ALERTS{topic="quality", alertstate="firing"}'),),
                runbook="quality-regression",
                traces=True,
            ),
            Panel(
                "Largest drops: 24 hours against the week before",
                "bars",
                (Query(f"topk(10, {drop})", WHO),),
                "percentunit",
                ((0, GREEN), (0.01, ORANGE), (DROP, RED)),
                runbook="quality-regression",
                traces=True,
            ),
            Panel(
                "Success rate by version, one hour, the ten lowest",
                "lines",
                (
                    Query(
                        f"bottomk(10, sum by ({SKILL}, {own.SKILL_VERSION})"
                        f" (rate({own.EXECUTIONS.name}"
                        '{outcome="success", domain=~"$domain"}[1h]))'
                        f" / sum by ({SKILL}, {own.SKILL_VERSION})"
                        f" (rate({own.EXECUTIONS.name}{CHOSEN}[1h])))",
                        WHO + " {{skill_version}}",
                    ),
                ),
                "percentunit",
                width=24,
                traces=True,
            ),
        ),
        choose=True,
        since="now-7d",
        refresh="5m",
    )


def cost() -> Board:
    """How much is this costing me?"""
    return Board(
        "aspora-cost",
        "Cost Breakdown",
        "USD of model calls that have a price. Calls without one are counted beside, never as 0."
        " Months are calendar months in UTC, as budgets have them.",
        (
            *_spent(),
            *_spenders(),
        ),
        choose=True,
        since="now-7d",
        refresh="5m",
    )


def _spent() -> tuple[Panel, ...]:
    """In all, by domain and by model."""
    day, month = f"{DOMAIN_COST_24H.name}{CHOSEN}", f"{DOMAIN_COST_MONTH.name}{CHOSEN}"
    unpriced = f'{own.MODEL_CALLS.name}{{priced="false", domain=~"$domain"}}'
    return (
        stat("Last 24 hours", f"sum({day})", "currencyUSD"),
        stat("This month", f"sum({month})", "currencyUSD"),
        stat(
            "A successful execution, 7 days",
            f"sum(skill:cost_usd:increase7d{CHOSEN}) / sum({GOOD_7D.name}{CHOSEN})",
            "currencyUSD",
        ),
        stat(
            "Calls without a price, 24 hours",
            f"sum(increase({unpriced}[24h])) or vector(0)",
            steps=((0, GREEN), (1, RED)),
            runbook="unpriced-model-calls",
        ),
        Panel(
            "By domain, 24 hours",
            "bars",
            (Query(day, "{{domain}}"),),
            "currencyUSD",
            ((0, BLUE),),
            width=8,
        ),
        Panel(
            "By domain, share",
            "bars",
            (Query(f"{day} / on () group_left () sum({day})", "{{domain}}"),),
            "percentunit",
            ((0, BLUE),),
            width=8,
            most=1,
        ),
        Panel(
            "By model, 24 hours",
            "bars",
            (Query(f"sum by (model) ({MODEL_COST_24H.name}{CHOSEN})", "{{model}}"),),
            "currencyUSD",
            ((0, BLUE),),
            width=8,
        ),
    )


def _spenders() -> tuple[Panel, ...]:
    """Who spends most, and how much of which budget."""
    return (
        Panel(
            "Top spenders, 24 hours",
            "bars",
            (Query(f"topk(10, {COST_24H.name}{CHOSEN})", WHO),),
            "currencyUSD",
            ((0, BLUE),),
            runbook="cost-spike",
            traces=True,
        ),
        Panel(
            "Spent of the month's budget: domains",
            "bars",
            (Query(f"{DOMAIN_BUDGET_USED.name}{CHOSEN}", "{{domain}}"),),
            "percentunit",
            SPENT_STEPS,
            most=1,
            runbook="budget-burn",
        ),
        Panel(
            "Spent of the month's budget: the ten highest skills",
            "bars",
            (Query(f"topk(10, {BUDGET_USED.name}{CHOSEN})", WHO),),
            "percentunit",
            SPENT_STEPS,
            most=1,
            runbook="budget-burn",
        ),
        Panel(
            "USD in 24 hours, by domain",
            "lines",
            (Query(f"{DOMAIN_COST_24H.name}{CHOSEN}", "{{domain}}"),),
            "currencyUSD",
            runbook="cost-spike",
        ),
    )
