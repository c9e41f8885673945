"""Every metric of our own making: its name, its labels, and who emits it.

Alerts, dashboards and queries take names from here, so that a renamed metric breaks a test and no
panel. Metrics of other people's programs stand in `aspora/telemetry/foreign.py`.

Executions are counted where their spans arrive, in the collector, before any are sampled away: a
CronJob's pod is gone before Prometheus could scrape it. What a pod knows about itself at this
moment, its queue, is scraped from the pod.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Emitter = Literal["agent", "collector"]

SKILL = ("domain", "agent_role", "skill_name")
"""What tells one skill from another in every metric: the parts of its ID, as in the brief."""
SKILL_VERSION = "skill_version"
"""On counters of executions alone: during a canary there are two, and each series counts."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `values` are the most values that each further label has for one skill.

    `name` is the whole name in Prometheus, unit and `_total` included; a histogram's series end
    in `_bucket`, `_sum` and `_count`.
    """

    name: str
    kind: Kind
    emitter: Emitter
    help: str
    values: tuple[tuple[str, int], ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, the skill's first."""
        return (*SKILL, *(name for name, _ in self.values))

    @property
    def series(self) -> int:
        """The most series of one skill; of one pod, where a pod emits it."""
        count = 1 if self.kind != "histogram" else len(self.buckets) + 3  # +Inf, sum, count
        for _, values in self.values:
            count *= values
        return count


VERSIONS = (SKILL_VERSION, 2)
MODELS = ("model", 4)
"""A skill's own model and three fallbacks; `aspora validate` does not bound them, the series do."""

QUEUE_DEPTH = Metric(
    "skill_execution_queue_depth",
    "gauge",
    "agent",
    "Executions accepted and not yet started, of one pod.",
)
IN_PROGRESS = Metric(
    "skill_executions_in_progress", "gauge", "agent", "Executions running, of one pod."
)
CAPACITY = Metric(
    "skill_execution_capacity",
    "gauge",
    "agent",
    "Executions that one pod runs at a time: what busy is a share of.",
)
EXECUTIONS = Metric(
    "skill_executions_total",
    "counter",
    "collector",
    "Executions that ended; `outcome` is success or error.",
    (VERSIONS, ("outcome", 2)),
)
DURATION = Metric(
    "skill_execution_duration_seconds",
    "histogram",
    "collector",
    "Seconds from start to end of an execution.",
    buckets=(0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 900),
)
MODEL_COST = Metric(
    "skill_model_cost_usd_total",
    "counter",
    "collector",
    "USD of model calls that have a price.",
    (MODELS,),
)
MODEL_CALLS = Metric(
    "skill_model_calls_total",
    "counter",
    "collector",
    "Model calls; `priced` is false where nobody knows the price, which is never counted as 0.",
    (MODELS, ("priced", 2)),
)
MODEL_TOKENS = Metric(
    "skill_model_tokens_total",
    "counter",
    "collector",
    "Tokens of model calls; `token_type` is input, output, cache_read or cache_creation.",
    (MODELS, ("token_type", 4)),
)
FEEDBACK = Metric(
    "skill_feedback_total",
    "counter",
    "collector",
    "What people said: `verdict` is accepted, corrected or rejected.",
    (VERSIONS, ("verdict", 3)),
)
EVALUATIONS = Metric(
    "skill_evaluations_total",
    "counter",
    "collector",
    "Evaluations of answers: `evaluation` is hallucination or quality, `result` pass or fail.",
    (VERSIONS, ("evaluation", 2), ("result", 2)),
)
CONFIDENCE = Metric(
    "skill_confidence_ratio",
    "histogram",
    "collector",
    "How sure the agent was of its output, 0 to 1.",
    buckets=(0.5, 0.7, 0.8, 0.9, 0.95, 1),
)

METRICS: tuple[Metric, ...] = (
    QUEUE_DEPTH,
    IN_PROGRESS,
    CAPACITY,
    EXECUTIONS,
    DURATION,
    MODEL_COST,
    MODEL_CALLS,
    MODEL_TOKENS,
    FEEDBACK,
    EVALUATIONS,
    CONFIDENCE,
)
SERIES_LIMIT = 150
"""The most series a skill may have in Prometheus, all of them together."""
