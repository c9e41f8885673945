"""Alerts about skills and their money: one expression over labels, never a rule for each skill."""

from __future__ import annotations

from aspora.observe.alerts import WHO, Alert, checks
from aspora.observe.records import (
    AGENT,
    BUDGET_USED,
    BUSY,
    COST_7D,
    COST_24H,
    COST_MONTH,
    DOMAIN_BUDGET,
    DOMAIN_BUDGET_USED,
    DOMAIN_COST_7D,
    DOMAIN_COST_24H,
    DOMAIN_COST_MONTH,
    ENDED_7D,
    ENDED_15M,
    ENDED_24H,
    GOOD_7D,
    GOOD_24H,
    P95,
    SERIES,
    SKILL,
    SKILL_BUDGET,
    SUCCESS_7D,
    SUCCESS_24H,
)
from aspora.telemetry import metrics as own

ENOUGH_24H = 50
ENOUGH_7D = 200
"""Executions below which a success rate says nothing about a drop of five points."""
DROP = 0.05
ERRORS_APART = 5
"""Standard errors that the two rates must lie apart: at 1,000 skills, which all are looked at all
the time, fewer would page for chance alone (decision 49 has the numbers)."""
LATENCY_SECONDS = 10
ENOUGH_15M = 20
SPIKE = 2
SPIKE_USD = 5
"""A domain that spends less in a day is not worth a message."""
FAILED_OUTRIGHT = 3
SERIES_NEARLY = int(own.SERIES_LIMIT * 0.8)

_BY_SKILL = own.SKILL


def _day_before(name: str) -> str:
    return f"{name} offset 1d"


def _drop() -> str:
    """The last 24 hours against the seven days before them, if it cannot be chance.

    The standard error is that of two proportions with one rate in common.
    """
    n1, n2 = ENDED_24H.name, _day_before(ENDED_7D.name)
    rate = f"(({GOOD_24H.name} + {_day_before(GOOD_7D.name)}) / ({n1} + {n2}))"
    error = f"sqrt({rate} * (1 - {rate}) * (1 / {n1} + 1 / {n2}))"
    drop = f"({_day_before(SUCCESS_7D.name)} - {SUCCESS_24H.name})"
    return (
        f"{drop} > {DROP} and {drop} > {ERRORS_APART} * {error}"
        f" and {n1} >= {ENOUGH_24H} and {n2} >= {ENOUGH_7D}"
    )


def _quality() -> tuple[Alert, ...]:
    return (
        Alert(
            "skill_success_rate_drop",
            "quality",
            "high",
            _drop(),
            "15m",
            f"{WHO} succeeds {{{{ $value | humanizePercentage }}}} less often than last week",
            checks(
                "Of the last 24 hours "
                f'{{{{ with query (printf "{SUCCESS_24H.name}{{domain=%q, agent_role=%q, '
                'skill_name=%q}" $labels.domain $labels.agent_role $labels.skill_name) }}'
                "{{ . | first | value | humanizePercentage }}{{ end }} succeeded. Likely causes:",
                "a recent deployment: look at the canary's status",
                "a change of an API behind it: look at the integration's logs",
                "a regression of the prompt: run the evals",
            ),
            "quality-regression",
            _BY_SKILL,
            "1h",
        ),
        Alert(
            "skill_fails_outright",
            "quality",
            "high",
            f"{GOOD_24H.name} < 0.5 and {ENDED_24H.name} >= {FAILED_OUTRIGHT} - 0.5",
            "15m",
            f"No execution of {WHO} has succeeded in 24 hours",
            checks(
                "Skills that run seldom never reach the volume of skill_success_rate_drop. Check:",
                "the traces of the last executions: what error do they end with",
                "a recent deployment, and the secrets and the tools it needs",
            ),
            "quality-regression",
            _BY_SKILL,
            "1h",
        ),
    )


def _cost() -> tuple[Alert, ...]:
    usual = f"{_day_before(DOMAIN_COST_7D.name)} / 7"
    top = f"topk(5, {COST_24H.name}{{domain=%q}})"
    return (
        Alert(
            "daily_cost_spike",
            "cost",
            "medium",
            f"{DOMAIN_COST_24H.name} > {SPIKE} * ({usual}) and {DOMAIN_COST_24H.name} > {SPIKE_USD}"
            f" and {DOMAIN_COST_24H.name} offset 7d",
            "15m",
            '{{ $labels.domain }} spent {{ printf "%.2f" $value }} USD in 24 hours,'
            f" over {SPIKE} times its usual",
            checks(
                f'Top contributors:{{{{ range query (printf "{top}" $labels.domain) }}}}'
                " {{ .Labels.agent_role }}/{{ .Labels.skill_name }}"
                ' {{ printf "%.2f" .Value }} USD;{{ end }} possible causes:',
                "an agent in a recursive loop: look for cycles in its traces",
                "a spike in traffic: look at the number of executions",
                "a dearer model without a review of its cost",
            ),
            "cost-spike",
            ("domain",),
            "1h",
        ),
        *_burn("skill", BUDGET_USED.name, COST_MONTH.name, COST_7D.name, SKILL_BUDGET.name),
        *_burn(
            "domain",
            DOMAIN_BUDGET_USED.name,
            DOMAIN_COST_MONTH.name,
            DOMAIN_COST_7D.name,
            DOMAIN_BUDGET.name,
        ),
        Alert(
            "unpriced_model_calls",
            "cost",
            "medium",
            f'sum by ({SKILL}, model) (increase({own.MODEL_CALLS.name}{{priced="false"}}[1h])) > 0',
            "10m",
            f"{WHO} calls {{{{ $labels.model }}}}, which has no price",
            checks(
                "What these calls cost is not known, and no sum of ours contains it. Check:",
                "the model's name against the price table: a typing error, or a new model",
                "whether the model gateway should have refused it",
            ),
            "unpriced-model-calls",
            (*_BY_SKILL, "model"),
            "1h",
            own.MODELS[1],
        ),
    )


DAYS_LEFT = "(days_in_month() - day_of_month() + 1 - hour() / 24)"
"""Of the calendar month, in UTC, as budgets have it."""


def _burn(level: str, used: str, month: str, week: str, budget: str) -> tuple[Alert, Alert]:
    """The month's spending, and what it will be at the pace of the last seven days."""
    who = WHO if level == "skill" else "{{ $labels.domain }}"
    labels = _BY_SKILL if level == "skill" else ("domain",)
    on = ", ".join(labels)
    limit = f"sum by ({on}) ({budget})"
    projected = f"({month} + {week} / 7 * on () group_left () {DAYS_LEFT})"
    return (
        Alert(
            f"{level}_budget_burn",
            "cost",
            "medium",
            f"{projected} / on ({on}) {limit} > 1 and {used} > 0.25 and {used} < 0.9",
            "1h",
            f"{who} will have spent {{{{ $value | humanizePercentage }}}} of its budget"
            " at the end of the month",
            checks(
                "At the pace of the last seven days. The model gateway refuses calls beyond the"
                " budget. Check:",
                "which skills and models the money goes to (dashboard: Cost Breakdown)",
                "whether traffic has grown, or each execution has become dearer",
            ),
            "budget-burn",
            labels,
            "2h",
        ),
        Alert(
            f"{level}_budget_nearly_spent",
            "cost",
            "high",
            f"{used} >= 0.9",
            "10m",
            f"{who} has spent {{{{ $value | humanizePercentage }}}} of this month's budget",
            checks(
                "At 100 % the model gateway refuses its calls until the month ends. Check:",
                "whether the spending is wanted: raise the budget in the domain file",
                "whether a loop or a wrong model spends it: stop that first",
            ),
            "budget-burn",
            labels,
            "1h",
        ),
    )


def _load() -> tuple[Alert, ...]:
    served = f'on ({SKILL}) {SKILL_BUDGET.name}{{kind!="cron"}}'
    return (
        Alert(
            "p95_latency_spike",
            "latency",
            "medium",
            f"({P95.name} > {LATENCY_SECONDS} and {ENDED_15M.name} >= {ENOUGH_15M}) and {served}",
            "10m",
            f"95 % of {WHO}'s executions take up to {{{{ $value | humanizeDuration }}}}",
            checks(
                f"The threshold is {LATENCY_SECONDS} s; skills that run by schedule are not"
                " watched. Check:",
                "slow queries of the database (pg_stat_statements)",
                "time-outs of APIs outside (tool gateway)",
                "an outage of the model's provider (OpenRouter's status page)",
            ),
            "latency-spike",
            _BY_SKILL,
            "30m",
        ),
        Alert(
            "agent_saturated",
            "latency",
            "medium",
            f"{BUSY.name} >= 0.99 and on ({AGENT}) sum by ({AGENT}) ({own.QUEUE_DEPTH.name}) > 0",
            "15m",
            "{{ $labels.domain }}/{{ $labels.agent_role }} is saturated, and executions wait",
            checks(
                "All pods are full. Check:",
                "whether the skill is at its most pods (`scaling.max`) or the quota is used up",
                "whether executions have become slower",
            ),
            "latency-spike",
            ("domain", "agent_role"),
        ),
        Alert(
            "skill_series_nearly_too_many",
            "platform",
            "medium",
            f"{SERIES.name} > {SERIES_NEARLY}",
            "30m",
            f"{WHO} has {{{{ $value }}}} series; {own.SERIES_LIMIT} is the limit",
            checks(
                "Some label has more values than it should. Check:",
                "which metric of it has grown (dashboard of Prometheus, Status, TSDB)",
                "whether several collectors count the same skill",
            ),
            "too-many-series",
            _BY_SKILL,
        ),
    )


SKILL_ALERTS = (*_quality(), *_cost(), *_load())
