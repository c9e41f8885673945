"""The names that agents put on spans, pinned in one place.

Two sources. `gen_ai.*`, `error.*`, `session.*` and the like are OpenTelemetry's; the GenAI part is
still "Development" and renames things, so its version stands here and every name is used from
here. `aspora.*` is ours: what no convention has a name for (domain, skill, cost).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SEMCONV = "1.41.0"
"""The last release of open-telemetry/semantic-conventions that holds the GenAI names; the GenAI
part has since moved. Next: github.com/open-telemetry/semantic-conventions-genai/releases (0.1.0
renames cache_creation to cache_write and merges invoke_workflow into invoke_agent)."""
SCHEMA_URL = f"https://opentelemetry.io/schemas/{SEMCONV}"

Record = Literal["execution", "model_call", "feedback", "evaluation"]
Place = Literal["resource", "execution", "model_call", "feedback", "evaluation"]
Type = Literal["string", "string[]", "int", "double", "boolean"]

# OpenTelemetry's.
SERVICE_NAME = "service.name"
ENVIRONMENT = "deployment.environment.name"
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
AGENT_NAME = "gen_ai.agent.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
EVALUATION_NAME = "gen_ai.evaluation.name"
EVALUATION_LABEL = "gen_ai.evaluation.score.label"
EVALUATION_SCORE = "gen_ai.evaluation.score.value"
USER_ID = "user.id"
SESSION_ID = "session.id"
ERROR_TYPE = "error.type"
EXCEPTION_EVENT = "exception"
EXCEPTION_TYPE = "exception.type"
EXCEPTION_MESSAGE = "exception.message"
EXCEPTION_STACK = "exception.stacktrace"

# Ours.
RECORD = "aspora.record"
DOMAIN = "aspora.domain"
AGENT_ROLE = "aspora.agent.role"
SKILL_NAME = "aspora.skill.name"
SKILL_VERSION = "aspora.skill.version"
TRIGGER = "aspora.trigger.type"
OUTPUT_DATA = "aspora.output.data"
CONFIDENCE = "aspora.output.confidence"
ACTIONS = "aspora.output.actions"
MODEL_COST = "aspora.cost.model_usd"
COST_SOURCE = "aspora.cost.source"
CPU_MILLIS = "aspora.resources.cpu_millis"
MEMORY_MB = "aspora.resources.memory_mb"
IO_BYTES = "aspora.resources.io_bytes"
RATING = "aspora.feedback.rating"
ACCEPTED = "aspora.feedback.accepted"
CORRECTION = "aspora.feedback.correction"
VERDICT = "aspora.feedback.verdict"

# Other products'.
PHOENIX_PROJECT = "openinference.project.name"

IDENTITY = (DOMAIN, AGENT_ROLE, SKILL_NAME)
"""Who speaks. The collector takes them from the pod's namespace and labels and throws away what
the sender says: no domain writes another's bill."""
CONTENT = (INPUT_MESSAGES, OUTPUT_MESSAGES, OUTPUT_DATA, CORRECTION)
"""What people and models wrote: redacted, sampled, and not kept in the tables of executions."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: where it stands, its type, whether it must be there, and what it says."""

    name: str
    places: tuple[Place, ...]
    type: Type
    required: bool
    says: str


def _need(name: str, place: Place, kind: Type, says: str, *more: Place) -> Attribute:
    return Attribute(name, (place, *more), kind, True, says)  # noqa: FBT003


def _may(name: str, place: Place, kind: Type, says: str, *more: Place) -> Attribute:
    return Attribute(name, (place, *more), kind, False, says)  # noqa: FBT003


ATTRIBUTES: tuple[Attribute, ...] = (
    _need(SERVICE_NAME, "resource", "string", "The workload: OTEL_SERVICE_NAME of the pod."),
    _may(ENVIRONMENT, "resource", "string", "The stack; set by the collector."),
    _may(DOMAIN, "resource", "string", "The namespace's label `domain`; set by the collector."),
    _may(AGENT_ROLE, "resource", "string", "The pod's label `role`; set by the collector."),
    _may(SKILL_NAME, "resource", "string", "The pod's label `skill`; set by the collector."),
    _may(PHOENIX_PROJECT, "resource", "string", "Phoenix's project; set by the collector."),
    _need(
        RECORD,
        "execution",
        "string",
        "Which record the span is: execution, model_call, feedback or evaluation. A span without "
        "it is a detail of the trace and never counted, so that no library's own span of the same "
        "call counts twice.",
        "model_call",
        "feedback",
        "evaluation",
    ),
    _need(
        SKILL_VERSION,
        "execution",
        "string",
        "The skill's version: 1.2.0.",
        "model_call",
        "feedback",
        "evaluation",
    ),
    _need(OPERATION, "execution", "string", "invoke_agent, or chat on a model call.", "model_call"),
    _may(AGENT_NAME, "execution", "string", "The agent's role, for products that know no domain."),
    _need(TRIGGER, "execution", "string", "What started it: cron, message, alert or command."),
    _may(USER_ID, "execution", "string", "Who asked: an internal ID, never a name or an address."),
    _may(SESSION_ID, "execution", "string", "The conversation it belongs to."),
    _may(INPUT_TOKENS, "execution", "int", "Tokens read, cached ones included.", "model_call"),
    _may(OUTPUT_TOKENS, "execution", "int", "Tokens written, reasoning included.", "model_call"),
    _may(CACHE_READ_TOKENS, "model_call", "int", "Of the tokens read: found in the cache."),
    _may(CACHE_CREATION_TOKENS, "model_call", "int", "Of the tokens read: put into the cache."),
    _may(
        MODEL_COST,
        "execution",
        "double",
        "USD. Left out where the price is not known: a missing cost is not 0.",
        "model_call",
    ),
    _may(
        COST_SOURCE,
        "model_call",
        "string",
        "provider (the answer said it) or list (tokens times the price table).",
    ),
    _may(OUTPUT_DATA, "execution", "string", "The skill's output as JSON."),
    _may(CONFIDENCE, "execution", "double", "How sure the agent was, 0 to 1."),
    _may(ACTIONS, "execution", "string[]", "What it did in the world, one name each."),
    _may(CPU_MILLIS, "execution", "int", "Milliseconds of CPU time used."),
    _may(MEMORY_MB, "execution", "int", "The most memory held, in MB."),
    _may(IO_BYTES, "execution", "int", "Bytes read and written."),
    _may(ERROR_TYPE, "execution", "string", "What kind of error ended it.", "model_call"),
    _need(PROVIDER, "model_call", "string", "Who was asked: openrouter, anthropic."),
    _need(
        REQUEST_MODEL,
        "model_call",
        "string",
        "The model asked for; after a fallback the one fallen back to, one span a try.",
    ),
    _may(REQUEST_TEMPERATURE, "model_call", "double", "As sent."),
    _may(REQUEST_MAX_TOKENS, "model_call", "int", "As sent."),
    _may(RESPONSE_MODEL, "model_call", "string", "The model that answered, dated name and all."),
    _may(FINISH_REASONS, "model_call", "string[]", "Why the answer ended."),
    _may(FIRST_CHUNK, "model_call", "double", "Seconds to the first piece of the answer."),
    _may(INPUT_MESSAGES, "model_call", "string", "The messages sent, as JSON: role and parts."),
    _may(OUTPUT_MESSAGES, "model_call", "string", "The answer, as JSON: role and parts."),
    _may(RATING, "feedback", "int", "1 to 5."),
    _need(ACCEPTED, "feedback", "boolean", "Whether the person took the result."),
    _may(CORRECTION, "feedback", "string", "What the person changed."),
    _need(VERDICT, "feedback", "string", "accepted, corrected or rejected."),
    _need(EVALUATION_NAME, "evaluation", "string", "What was looked at: hallucination or quality."),
    _need(EVALUATION_LABEL, "evaluation", "string", "pass or fail."),
    _may(EVALUATION_SCORE, "evaluation", "double", "The score behind it."),
)
