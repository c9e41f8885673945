"""What a skill spends on models: declared executions times declared tokens, within its budgets."""

from __future__ import annotations

from decimal import Decimal

from aspora.cron import runs_per_day
from aspora.estimate import assumptions as rules
from aspora.estimate.amounts import Part, cents
from aspora.prices import ModelPrice, PriceTable
from aspora.resolve import Workload
from aspora.snapshot import plain

MILLION = Decimal(1_000_000)
MODEL = "model."
"""Before the name of a model, as the key of its price."""


def part(work: Workload, prices: PriceTable, environment: str) -> Part | None:
    """The models of one skill; None when it names none."""
    if work.model is None:
        return None
    cap = cents(work.skill.budget.monthly_usd)
    why = _unknown(work, prices, environment)
    if why:
        return Part("models", f"budget of {cap} USD a month", high=cap, missing=why)
    executions = executions_a_month(work)
    listed = listed_usd(work, prices.models[work.model])
    each = min(listed, work.skill.budget.per_execution_usd)
    return Part(
        "models",
        f"{executions:.0f} executions a month with {work.model} at {plain(each)} USD",
        cents(min(executions * rules.QUIET_MONTH * each, cap)),
        cents(min(executions * each, cap)),
        cap,
        keys=(f"{MODEL}{work.model}",),
        remark=_remark(work, prices.models[work.model], listed, executions * each),
    )


def _unknown(work: Workload, prices: PriceTable, environment: str) -> str:
    """Why nothing can be expected; empty when it can."""
    if environment != "prod":
        return f"not estimated: executions are declared for prod, and this is {environment}"
    if work.model not in prices.models:
        return f"unpriced: {work.model} is not in the price table"
    if work.skill.executions_per_day is None and work.skill.schedule is None:
        return "not estimated: executionsPerDay is not declared"
    if work.skill.tokens_per_execution is None:
        return "not estimated: tokensPerExecution is not declared"
    return ""


def executions_a_month(work: Workload) -> Decimal:
    """As declared, else the runs of its schedule; 0 where neither says."""
    if work.skill.executions_per_day is not None:
        return work.skill.executions_per_day * rules.DAYS_A_MONTH
    if work.skill.schedule is None:
        return Decimal(0)
    return Decimal(str(runs_per_day(work.skill.schedule))) * rules.DAYS_A_MONTH


def listed_usd(work: Workload, price: ModelPrice) -> Decimal:
    """USD of one execution's tokens, none of them from a cache; 0 where none are declared."""
    tokens = work.skill.tokens_per_execution
    if tokens is None:
        return Decimal(0)
    sent = tokens.input * Decimal(str(price.input))
    return (sent + tokens.output * Decimal(str(price.output))) / MILLION


def _remark(work: Workload, price: ModelPrice, listed: Decimal, monthly: Decimal) -> str:
    """Where a budget and not the declaration sets the amount, and some of the work will be refused;
    and where a call may be so long that another price holds."""
    budget, tokens = work.skill.budget, work.skill.tokens_per_execution
    found = []
    for tier in price.tiers:
        if tokens is not None and tokens.input >= tier.prompt_tokens:
            found.append(f"calls of {tier.prompt_tokens} prompt tokens or more would cost more")
            break
    if listed > budget.per_execution_usd:
        found.append(f"an execution would cost {plain(listed)}, beyond perExecutionUSD")
    if monthly > budget.monthly_usd:
        found.append(f"a month would cost {monthly:.2f}, beyond monthlyUSD")
    return "; ".join(found)
