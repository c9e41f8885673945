"""The brief's SkillExecutionTrace and ModelCall as typed records.

What a runtime knows when an execution ends, and nothing else: what follows from it (durations,
totals) is computed, and what others know (what the pod cost) comes from them. `BRIEF` says of each
field of the brief where it went. `aspora/telemetry/spans.py` turns records into spans and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from aspora.prices import PriceTable

Trigger = Literal["cron", "message", "alert", "command"]
Verdict = Literal["accepted", "corrected", "rejected"]
CostSource = Literal["provider", "list"]
TraceId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
SpanId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Count = Annotated[int, Field(ge=0)]
Usd = Annotated[Decimal, Field(ge=0)]
MILLION = Decimal(1_000_000)


class Frozen(BaseModel):
    """The base of every record: unknown fields refused, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tokens(Frozen):
    """Tokens of one call. `input` holds the cached ones too, `output` the reasoning
    (OpenTelemetry's meaning; some providers count cached tokens apart)."""

    input: Count
    output: Count
    cache_read: Count = 0
    cache_creation: Count = 0

    @model_validator(mode="after")
    def _cached_tokens_are_part_of_the_input(self) -> Tokens:
        if self.cache_read + self.cache_creation > self.input:
            raise ValueError("cached tokens are part of the input; add them to it")
        return self

    @property
    def total(self) -> int:
        """Everything read and written."""
        return self.input + self.output


class ModelCall(Frozen):
    """One try at one model. `cost` is None where nobody knows the price: never 0."""

    span_id: SpanId
    model: str = Field(min_length=1)
    provider: str = Field(min_length=1)
    started_at: AwareDatetime
    completed_at: AwareDatetime
    tokens: Tokens
    messages: tuple[Mapping[str, Any], ...] = ()
    temperature: float | None = None
    max_tokens: Count | None = None
    content: str | None = None
    finish_reason: str | None = None
    response_model: str | None = None
    time_to_first_token_ms: Count | None = None
    error_type: str | None = None
    cost: Usd | None = None
    cost_source: CostSource | None = None

    @property
    def priced(self) -> bool:
        """Whether the call has a cost."""
        return self.cost is not None

    @property
    def latency_ms(self) -> int:
        """From sending to the end of the answer."""
        return _milliseconds(self.completed_at - self.started_at)

    @model_validator(mode="after")
    def _holds_together(self) -> ModelCall:
        if self.completed_at < self.started_at:
            raise ValueError("completed_at lies before started_at")
        if (self.cost is None) != (self.cost_source is None):
            raise ValueError("cost and cost_source come together or not at all")
        return self


class Fault(Frozen):
    """What ended an execution."""

    type: str = Field(min_length=1)
    message: str = ""
    stack: str = ""


class Output(Frozen):
    """What came out."""

    data: Any = None
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    actions_taken: tuple[str, ...] = ()


class Feedback(Frozen):
    """What a person said of an execution, often long after it ended: a span of its own."""

    span_id: SpanId
    given_at: AwareDatetime
    accepted: bool
    rating: Annotated[int, Field(ge=1, le=5)] | None = None
    correction: str | None = None

    @property
    def verdict(self) -> Verdict:
        """One word for counting: a correction is neither yes nor no."""
        if self.correction:
            return "corrected"
        return "accepted" if self.accepted else "rejected"


class Evaluation(Frozen):
    """What a judge said of an execution: a span of its own as well."""

    span_id: SpanId
    made_at: AwareDatetime
    name: Literal["hallucination", "quality"]
    passed: bool
    score: float | None = None


class Resources(Frozen):
    """What the execution took of its pod: CPU time, the most memory, bytes in and out."""

    cpu_millis: Count
    memory_mb: Count
    io_bytes: Count


class SkillExecutionTrace(Frozen):
    """One execution of a skill, from what started it to what it cost."""

    trace_id: TraceId
    span_id: SpanId
    parent_span_id: SpanId | None = None
    domain: str = Field(min_length=1)
    agent_role: str = Field(min_length=1)
    skill_name: str = Field(min_length=1)
    skill_version: str = Field(min_length=1)
    trigger_type: Trigger
    user_id: str | None = None
    session_id: str | None = None
    started_at: AwareDatetime
    completed_at: AwareDatetime
    model_calls: tuple[ModelCall, ...] = ()
    error: Fault | None = None
    output: Output = Output()
    feedback: Feedback | None = None
    evaluations: tuple[Evaluation, ...] = ()
    resources: Resources | None = None

    @property
    def success(self) -> bool:
        """No error ended it."""
        return self.error is None

    @property
    def duration_ms(self) -> int:
        """From start to end."""
        return _milliseconds(self.completed_at - self.started_at)

    @property
    def total_tokens(self) -> Tokens:
        """Of all model calls together."""
        each = [call.tokens for call in self.model_calls]
        return Tokens(
            input=sum(tokens.input for tokens in each),
            output=sum(tokens.output for tokens in each),
            cache_read=sum(tokens.cache_read for tokens in each),
            cache_creation=sum(tokens.cache_creation for tokens in each),
        )

    @property
    def model_cost(self) -> Decimal | None:
        """USD of all model calls; None as soon as one of them has no price: a sum with a hole
        in it would look like a cheap execution."""
        costs = [call.cost for call in self.model_calls if call.cost is not None]
        return sum(costs, Decimal(0)) if len(costs) == len(self.model_calls) else None

    @model_validator(mode="after")
    def _holds_together(self) -> SkillExecutionTrace:
        if self.completed_at < self.started_at:
            raise ValueError("completed_at lies before started_at")
        return self


def list_cost(model: str, tokens: Tokens, table: PriceTable) -> Decimal | None:
    """USD of `tokens` by the price table; None for a model it does not hold.

    Cached tokens without a price of their own count as plain input, as providers bill them.
    """
    price = table.models.get(model)
    if price is None:
        return None
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    plain = tokens.input - tokens.cache_read - tokens.cache_creation
    parts = (
        (plain, price.input),
        (tokens.cache_read, read),
        (tokens.cache_creation, write),
        (tokens.output, price.output),
    )
    return sum((count * Decimal(str(usd)) for count, usd in parts), Decimal(0)) / MILLION


def priced(call: ModelCall, table: PriceTable) -> ModelCall:
    """The call with its cost: what the provider said, else by the table, else none."""
    if call.priced:
        return call
    cost = list_cost(call.model, call.tokens, table)
    source = None if cost is None else "list"
    return call.model_copy(update={"cost": cost, "cost_source": source})


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def nanoseconds(moment: datetime) -> int:
    """Since 1970, as OTLP wants it; exact, where a float would not be."""
    epoch = datetime.fromtimestamp(0, moment.tzinfo)
    return (moment - epoch) // timedelta(microseconds=1) * 1000


BRIEF: Mapping[str, str] = {
    "trace_id": "trace_id",
    "span_id": "span_id",
    "parent_span_id": "parent_span_id",
    "domain": "domain",
    "agent_role": "agent_role",
    "skill_name": "skill_name",
    "skill_version": "skill_version",
    "trigger_type": "trigger_type",
    "user_id": "user_id",
    "session_id": "session_id",
    "started_at": "started_at",
    "completed_at": "completed_at",
    "duration_ms": "duration_ms",
    "model_calls": "model_calls",
    "total_tokens.prompt": "total_tokens.input",
    "total_tokens.completion": "total_tokens.output",
    "total_tokens.total": "total_tokens.total",
    "success": "success",
    "error.type": "error.type",
    "error.message": "error.message",
    "error.stack": "error.stack",
    "output.data": "output.data",
    "output.confidence": "output.confidence",
    "output.actions_taken": "output.actions_taken",
    "feedback.rating": "feedback.rating",
    "feedback.correction": "feedback.correction",
    "feedback.accepted": "feedback.accepted",
    "cost.model_cost": "model_cost",
    "cost.compute_cost": "",
    "cost.total_cost": "",
    "resources.cpu_millis": "resources.cpu_millis",
    "resources.memory_mb": "resources.memory_mb",
    "resources.io_bytes": "resources.io_bytes",
    "model_calls.model": "model_calls.model",
    "model_calls.provider": "model_calls.provider",
    "model_calls.request.messages": "model_calls.messages",
    "model_calls.request.temperature": "model_calls.temperature",
    "model_calls.request.max_tokens": "model_calls.max_tokens",
    "model_calls.response.content": "model_calls.content",
    "model_calls.response.finish_reason": "model_calls.finish_reason",
    "model_calls.response.tokens.prompt": "model_calls.tokens.input",
    "model_calls.response.tokens.completion": "model_calls.tokens.output",
    "model_calls.timing.latency_ms": "model_calls.latency_ms",
    "model_calls.timing.time_to_first_token_ms": "model_calls.time_to_first_token_ms",
    "model_calls.cost": "model_calls.cost",
}
"""Each field of the brief and where it is here; empty where it is left out."""

LEFT_OUT: Mapping[str, str] = {
    "cost.compute_cost": "A pod does not know what it costs; OpenCost does. `aspora cost --actual` "
    "joins the two by skill and day.",
    "cost.total_cost": "The sum of the two, where both are known: in `aspora cost --actual`.",
}
"""Why a field of the brief is not in the record."""
