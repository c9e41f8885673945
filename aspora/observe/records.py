"""Recording rules: what alerts and dashboards read, computed once.

Names are `level:what:operation`, as Prometheus recommends. Long windows are read from the raw
counters, so that an outage of Prometheus costs the minutes it lasted and no more; each group is
evaluated as seldom as its window allows, and never less than every five minutes, after which
Prometheus takes a series for gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aspora.telemetry import metrics as own

Level = Literal["skill", "agent", "domain", "platform"]

SKILL = ", ".join(own.SKILL)
"""For `by (…)` and `on (…)`: what tells one skill from another."""
AGENT = "domain, agent_role"
MONTH = "month"
"""The calendar month (UTC) of a spending rate: what belongs to an earlier one is not summed."""
LONGEST_MONTH_DAYS = 31
DAY_SECONDS = 120
"""How often the rules over a day are evaluated; month to date sums samples of this length."""


@dataclass(frozen=True, slots=True)
class Record:
    """One recording rule; `labels` are those of its series, `series` how many a level has."""

    name: str
    expr: str
    labels: tuple[str, ...]
    series: int = 1

    @property
    def level(self) -> str:
        """What has `series` of them: the first part of the name."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Group:
    """Rules evaluated one after the other, every `seconds`."""

    name: str
    seconds: int
    records: tuple[Record, ...]


SKILL_BUDGET = Record("aspora_skill_budget_usd", "", (*own.SKILL, "kind"))
"""USD a skill may spend in a calendar month, from its domain file; a rule for each skill."""
DOMAIN_BUDGET = Record("aspora_domain_budget_usd", "", ("domain",))
"""USD a domain may spend in a calendar month; a rule for each domain."""


def _skill(name: str, expr: str, *more: str) -> Record:
    return Record(f"skill:{name}", expr, (*own.SKILL, *more))


def _increase(metric: str, window: str, matcher: str = "") -> str:
    return f"sum by ({SKILL}) (increase({metric}{matcher}[{window}]))"


def _busy() -> Record:
    """Executions running as a share of those that the agent's pods can run, over five minutes.

    An agent with no pod at this moment, a CronJob between two runs, is idle: its skills are known
    from their budgets. The brief's query divided a rate of seconds by 300 (decision 15).
    """
    running, room = (
        f"sum by ({AGENT}) (avg_over_time({metric.name}[5m]))"
        for metric in (own.IN_PROGRESS, own.CAPACITY)
    )
    idle = f"0 * count by ({AGENT}) ({SKILL_BUDGET.name})"
    return Record("agent:busy:ratio5m", f"{running} / {room} or {idle}", ("domain", "agent_role"))


BUSY = _busy()
QUEUE = _skill("queue_depth:sum", f"sum by ({SKILL}) ({own.QUEUE_DEPTH.name})")
P95 = _skill(
    "duration_seconds:p95_15m",
    f"histogram_quantile(0.95, sum by (le, {SKILL}) (rate({own.DURATION.name}_bucket[15m])))",
)
ENDED_15M = _skill("executions:increase15m", _increase(f"{own.DURATION.name}_count", "15m"))

_OK = '{outcome="success"}'


def _executions(window: str) -> tuple[Record, Record, Record]:
    """Executions, those that succeeded, and the share; no success at all is a share of 0."""
    ended = _skill(f"executions:increase{window}", _increase(own.EXECUTIONS.name, window))
    good = _skill(
        f"successes:increase{window}",
        f"{_increase(own.EXECUTIONS.name, window, _OK)} or 0 * {ended.name}",
    )
    share = f"{good.name} / ({ended.name} > 0)"
    return ended, good, _skill(f"skill_success_rate:ratio{window}", share)


ENDED_24H, GOOD_24H, SUCCESS_24H = _executions("24h")
ENDED_7D, GOOD_7D, SUCCESS_7D = _executions("7d")
COST_24H = _skill("cost_usd:increase24h", _increase(own.MODEL_COST.name, "24h"))
COST_7D = _skill("cost_usd:increase7d", _increase(own.MODEL_COST.name, "7d"))
COST_RATE = _skill(
    "cost_usd_per_second:rate1h",
    f"sum by ({SKILL}) (rate({own.MODEL_COST.name}[1h]))"
    f' * on () group_left ({MONTH}) count_values("{MONTH}", month())',
    MONTH,
)
COST_MONTH = _skill(
    "cost_usd:month_to_date",
    f"sum by ({SKILL}) (sum_over_time({COST_RATE.name}[{LONGEST_MONTH_DAYS}d]) * {DAY_SECONDS}"
    f' and on ({MONTH}) count_values("{MONTH}", month()))',
)
BUDGET_USED = _skill(
    "budget_used:ratio",
    f"{COST_MONTH.name} / on ({SKILL}) sum by ({SKILL}) ({SKILL_BUDGET.name})",
)


def _share_7d(name: str, part: str, whole: str) -> tuple[Record, Record]:
    """Numerator and denominator: shares of skills cannot be added, these can."""
    all_of = _skill(f"{name}_all:increase7d", _increase(whole, "7d"))
    return _skill(f"{name}:increase7d", f"{_increase(part, '7d')} or 0 * {all_of.name}"), all_of


ACCEPTED, RATED = _share_7d(
    "accepted", f'{own.FEEDBACK.name}{{verdict="accepted"}}', own.FEEDBACK.name
)
INVENTED, CHECKED = _share_7d(
    "hallucinations",
    f'{own.EVALUATIONS.name}{{evaluation="hallucination", result="fail"}}',
    f'{own.EVALUATIONS.name}{{evaluation="hallucination"}}',
)
CONFIDENCE_SUM = _skill("confidence_sum:increase7d", _increase(f"{own.CONFIDENCE.name}_sum", "7d"))
CONFIDENCE_COUNT = _skill(
    "confidence_all:increase7d", _increase(f"{own.CONFIDENCE.name}_count", "7d")
)

PER_POD = "|".join(metric.name for metric in own.METRICS if metric.emitter == "agent")
SERIES = _skill("series:count", f'count by ({SKILL}) ({{skill_name!="", __name__!~"{PER_POD}"}})')
"""Series of a skill as Prometheus has them now, without those of its pods."""


def _domain(name: str, expr: str) -> Record:
    return Record(f"domain:{name}", expr, ("domain",))


DOMAIN_COST_24H = _domain("cost_usd:increase24h", f"sum by (domain) ({COST_24H.name})")
DOMAIN_COST_7D = _domain("cost_usd:increase7d", f"sum by (domain) ({COST_7D.name})")
DOMAIN_COST_MONTH = _domain("cost_usd:month_to_date", f"sum by (domain) ({COST_MONTH.name})")
DOMAIN_BUDGET_USED = _domain(
    "budget_used:ratio", f"{DOMAIN_COST_MONTH.name} / on (domain) {DOMAIN_BUDGET.name}"
)

MODEL_COST_24H = Record(
    "model:cost_usd:increase24h",
    f"sum by (domain, model) (increase({own.MODEL_COST.name}[24h]))",
    ("domain", "model"),
)

SKILL_GROUPS = (
    Group("aspora-skills-now", 60, (BUSY, QUEUE, P95, ENDED_15M)),
    Group(
        "aspora-skills-day",
        DAY_SECONDS,
        (
            *(ENDED_24H, GOOD_24H, SUCCESS_24H),
            *(COST_24H, COST_RATE, COST_MONTH, BUDGET_USED),
            *(DOMAIN_COST_24H, DOMAIN_COST_MONTH, DOMAIN_BUDGET_USED, MODEL_COST_24H),
        ),
    ),
    Group(
        "aspora-skills-week",
        240,
        (
            *(ENDED_7D, GOOD_7D, SUCCESS_7D, COST_7D, DOMAIN_COST_7D),
            *(RATED, ACCEPTED, CHECKED, INVENTED, CONFIDENCE_SUM, CONFIDENCE_COUNT, SERIES),
        ),
    ),
)
