"""Records to spans and back, as plain dicts in the shape of OTLP/JSON.

Identity is a matter of the resource, and the collector writes it anew from the pod; it stands here
for whoever has no collector before them (tests, a laptop).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from aspora.telemetry import attributes as a
from aspora.telemetry.records import (
    Evaluation,
    Fault,
    Feedback,
    ModelCall,
    Output,
    Resources,
    SkillExecutionTrace,
    Tokens,
    nanoseconds,
)

Span = dict[str, Any]
INTERNAL, CLIENT = 1, 3
OK, ERROR = 1, 2


def resource(trace: SkillExecutionTrace, service: str) -> Span:
    """The resource of the execution's spans: `service` is the workload's name."""
    return {
        "attributes": _encoded(
            {
                a.SERVICE_NAME: service,
                a.DOMAIN: trace.domain,
                a.AGENT_ROLE: trace.agent_role,
                a.SKILL_NAME: trace.skill_name,
            }
        )
    }


def spans(trace: SkillExecutionTrace) -> list[Span]:
    """The execution, its model calls, and what was said of it."""
    found = [_execution(trace)]
    found += [_model_call(trace, call) for call in trace.model_calls]
    if trace.feedback:
        found.append(_feedback(trace, trace.feedback))
    return found + [_evaluation(trace, each) for each in trace.evaluations]


def request(trace: SkillExecutionTrace, service: str) -> Span:
    """The body of POST /v1/traces."""
    scope = {"scope": {"name": "aspora"}, "spans": spans(trace)}
    return {
        "resourceSpans": [
            {
                "resource": resource(trace, service),
                "scopeSpans": [scope],
                "schemaUrl": a.SCHEMA_URL,
            }
        ]
    }


def _execution(trace: SkillExecutionTrace) -> Span:
    tokens, used, fault = trace.total_tokens, trace.resources, trace.error
    cost = trace.model_cost
    span = _span(
        trace,
        trace.span_id,
        trace.parent_span_id,
        f"invoke_agent {trace.agent_role}/{trace.skill_name}",
        (trace.started_at, trace.completed_at),
        {
            a.RECORD: "execution",
            a.OPERATION: "invoke_agent",
            a.AGENT_NAME: trace.agent_role,
            a.SKILL_VERSION: trace.skill_version,
            a.TRIGGER: trace.trigger_type,
            a.USER_ID: trace.user_id,
            a.SESSION_ID: trace.session_id,
            a.INPUT_TOKENS: tokens.input,
            a.OUTPUT_TOKENS: tokens.output,
            a.MODEL_COST: None if cost is None else float(cost),
            a.OUTPUT_DATA: None if trace.output.data is None else _json(trace.output.data),
            a.CONFIDENCE: trace.output.confidence,
            a.ACTIONS: trace.output.actions_taken or None,
            a.CPU_MILLIS: used.cpu_millis if used else None,
            a.MEMORY_MB: used.memory_mb if used else None,
            a.IO_BYTES: used.io_bytes if used else None,
            a.ERROR_TYPE: fault.type if fault else None,
        },
    )
    if fault:
        span["status"] = {"code": ERROR, "message": fault.message}
        span["events"] = [_exception(trace, fault)]
    return span


def _exception(trace: SkillExecutionTrace, fault: Fault) -> Span:
    return {
        "name": a.EXCEPTION_EVENT,
        "timeUnixNano": str(nanoseconds(trace.completed_at)),
        "attributes": _encoded(
            {
                a.EXCEPTION_TYPE: fault.type,
                a.EXCEPTION_MESSAGE: fault.message,
                a.EXCEPTION_STACK: fault.stack,
            }
        ),
    }


def _model_call(trace: SkillExecutionTrace, call: ModelCall) -> Span:
    first = call.time_to_first_token_ms
    answer = {"role": "assistant", "content": call.content}
    ended = {"finish_reason": call.finish_reason or "unknown"}
    span = _span(
        trace,
        call.span_id,
        trace.span_id,
        f"chat {call.model}",
        (call.started_at, call.completed_at),
        {
            a.RECORD: "model_call",
            a.OPERATION: "chat",
            a.SKILL_VERSION: trace.skill_version,
            a.PROVIDER: call.provider,
            a.REQUEST_MODEL: call.model,
            a.REQUEST_TEMPERATURE: call.temperature,
            a.REQUEST_MAX_TOKENS: call.max_tokens,
            a.RESPONSE_MODEL: call.response_model,
            a.FINISH_REASONS: (call.finish_reason,) if call.finish_reason else None,
            a.FIRST_CHUNK: None if first is None else first / 1000,
            a.INPUT_TOKENS: call.tokens.input,
            a.OUTPUT_TOKENS: call.tokens.output,
            a.CACHE_READ_TOKENS: call.tokens.cache_read,
            a.CACHE_CREATION_TOKENS: call.tokens.cache_creation,
            a.MODEL_COST: None if call.cost is None else float(call.cost),
            a.COST_SOURCE: call.cost_source,
            a.INPUT_MESSAGES: _json([*map(_message, call.messages)]) if call.messages else None,
            a.OUTPUT_MESSAGES: (
                None if call.content is None else _json([{**_message(answer), **ended}])
            ),
            a.ERROR_TYPE: call.error_type,
        },
    )
    span["kind"] = CLIENT
    if call.error_type:
        span["status"] = {"code": ERROR}
    return span


def _message(held: Mapping[str, Any]) -> Mapping[str, Any]:
    """In parts, as OpenTelemetry has it: products show no other shape. A message of more than a
    role and a text goes as it is."""
    if held.keys() != {"role", "content"} or not isinstance(held["content"], str):
        return held
    return {"role": held["role"], "parts": [{"type": "text", "content": held["content"]}]}


def _read_message(held: Mapping[str, Any]) -> Mapping[str, Any]:
    parts = held.get("parts", ())
    if held.keys() != {"role", "parts"} or [each.keys() for each in parts] != [_TEXT.keys()]:
        return held
    return {"role": held["role"], "content": parts[0]["content"]}


_TEXT = {"type": "text", "content": ""}


def _feedback(trace: SkillExecutionTrace, said: Feedback) -> Span:
    return _span(
        trace,
        said.span_id,
        trace.span_id,
        "feedback",
        (said.given_at, said.given_at),
        {
            a.RECORD: "feedback",
            a.SKILL_VERSION: trace.skill_version,
            a.VERDICT: said.verdict,
            a.ACCEPTED: said.accepted,
            a.RATING: said.rating,
            a.CORRECTION: said.correction,
        },
    )


def _evaluation(trace: SkillExecutionTrace, made: Evaluation) -> Span:
    return _span(
        trace,
        made.span_id,
        trace.span_id,
        f"evaluation {made.name}",
        (made.made_at, made.made_at),
        {
            a.RECORD: "evaluation",
            a.SKILL_VERSION: trace.skill_version,
            a.EVALUATION_NAME: made.name,
            a.EVALUATION_LABEL: "pass" if made.passed else "fail",
            a.EVALUATION_SCORE: made.score,
        },
    )


def _span(
    trace: SkillExecutionTrace,
    span_id: str,
    parent: str | None,
    name: str,
    times: tuple[datetime, datetime],
    said: Mapping[str, Any],
) -> Span:
    span: Span = {
        "traceId": trace.trace_id,
        "spanId": span_id,
        "name": name,
        "kind": INTERNAL,
        "startTimeUnixNano": str(nanoseconds(times[0])),
        "endTimeUnixNano": str(nanoseconds(times[1])),
        "attributes": _encoded(said),
        "status": {"code": OK},
    }
    return span | {"parentSpanId": parent} if parent else span


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _encoded(values: Mapping[str, Any]) -> list[Span]:
    """OTLP's list of keys and typed values; what is None is left out."""
    return [{"key": key, "value": _value(v)} for key, v in values.items() if v is not None]


def _value(value: Any) -> Span:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, tuple):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": value}


def decoded(encoded: Sequence[Span]) -> dict[str, Any]:
    """The attributes of a span or a resource as plain values."""
    return {pair["key"]: _plain(pair["value"]) for pair in encoded}


def _plain(value: Span) -> Any:
    kind, held = next(iter(value.items()))
    if kind == "intValue":
        return int(held)
    if kind == "arrayValue":
        return tuple(_plain(each) for each in held.get("values", ()))
    return held


def execution(held: Span, found: Sequence[Span]) -> SkillExecutionTrace:
    """The record of one execution, from its resource and its spans in any order.

    Raises ValueError when none or several of them are executions.
    """
    who = decoded(held["attributes"])
    by_record: dict[str, list[tuple[Span, dict[str, Any]]]] = {}
    for span in found:
        said = decoded(span["attributes"])
        by_record.setdefault(said.get(a.RECORD, ""), []).append((span, said))
    roots = by_record.get("execution", [])
    if len(roots) != 1:
        raise ValueError(f"expected the spans of one execution, found {len(roots)}")
    span, said = roots[0]
    feedback = [_read_feedback(*each) for each in by_record.get("feedback", [])]
    return SkillExecutionTrace(
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_span_id=span.get("parentSpanId"),
        domain=who[a.DOMAIN],
        agent_role=who[a.AGENT_ROLE],
        skill_name=who[a.SKILL_NAME],
        skill_version=said[a.SKILL_VERSION],
        trigger_type=said[a.TRIGGER],
        user_id=said.get(a.USER_ID),
        session_id=said.get(a.SESSION_ID),
        started_at=_moment(span["startTimeUnixNano"]),
        completed_at=_moment(span["endTimeUnixNano"]),
        model_calls=tuple(_read_call(*each) for each in by_record.get("model_call", [])),
        error=_read_fault(span, said),
        output=_read_output(said),
        feedback=feedback[-1] if feedback else None,
        evaluations=tuple(_read_evaluation(*each) for each in by_record.get("evaluation", [])),
        resources=_read_resources(said),
    )


def _read_call(span: Span, said: Mapping[str, Any]) -> ModelCall:
    cost, first = said.get(a.MODEL_COST), said.get(a.FIRST_CHUNK)
    reasons = said.get(a.FINISH_REASONS, ())
    answers = json.loads(said.get(a.OUTPUT_MESSAGES, "[]"))
    return ModelCall(
        span_id=span["spanId"],
        model=said[a.REQUEST_MODEL],
        provider=said[a.PROVIDER],
        started_at=_moment(span["startTimeUnixNano"]),
        completed_at=_moment(span["endTimeUnixNano"]),
        tokens=Tokens(
            input=said.get(a.INPUT_TOKENS, 0),
            output=said.get(a.OUTPUT_TOKENS, 0),
            cache_read=said.get(a.CACHE_READ_TOKENS, 0),
            cache_creation=said.get(a.CACHE_CREATION_TOKENS, 0),
        ),
        messages=tuple(map(_read_message, json.loads(said.get(a.INPUT_MESSAGES, "[]")))),
        temperature=said.get(a.REQUEST_TEMPERATURE),
        max_tokens=said.get(a.REQUEST_MAX_TOKENS),
        content=answers[0]["parts"][0]["content"] if answers else None,
        finish_reason=reasons[0] if reasons else None,
        response_model=said.get(a.RESPONSE_MODEL),
        time_to_first_token_ms=None if first is None else round(first * 1000),
        error_type=said.get(a.ERROR_TYPE),
        cost=None if cost is None else Decimal(str(cost)),
        cost_source=said.get(a.COST_SOURCE),
    )


def _read_fault(span: Span, said: Mapping[str, Any]) -> Fault | None:
    if span.get("status", {}).get("code") != ERROR:
        return None
    events = [decoded(each["attributes"]) for each in _exceptions(span)]
    event = events[-1] if events else {}
    return Fault(
        type=said.get(a.ERROR_TYPE) or "unknown",
        message=span["status"].get("message", ""),
        stack=event.get(a.EXCEPTION_STACK, ""),
    )


def _exceptions(span: Span) -> Iterator[Span]:
    return (event for event in span.get("events", ()) if event["name"] == a.EXCEPTION_EVENT)


def _read_output(said: Mapping[str, Any]) -> Output:
    data = said.get(a.OUTPUT_DATA)
    return Output(
        data=None if data is None else json.loads(data),
        confidence=said.get(a.CONFIDENCE),
        actions_taken=said.get(a.ACTIONS, ()),
    )


def _read_feedback(span: Span, said: Mapping[str, Any]) -> Feedback:
    return Feedback(
        span_id=span["spanId"],
        given_at=_moment(span["startTimeUnixNano"]),
        accepted=said[a.ACCEPTED],
        rating=said.get(a.RATING),
        correction=said.get(a.CORRECTION),
    )


def _read_evaluation(span: Span, said: Mapping[str, Any]) -> Evaluation:
    return Evaluation(
        span_id=span["spanId"],
        made_at=_moment(span["startTimeUnixNano"]),
        name=said[a.EVALUATION_NAME],
        passed=said[a.EVALUATION_LABEL] == "pass",
        score=said.get(a.EVALUATION_SCORE),
    )


def _read_resources(said: Mapping[str, Any]) -> Resources | None:
    if a.CPU_MILLIS not in said:
        return None
    return Resources(
        cpu_millis=said[a.CPU_MILLIS], memory_mb=said[a.MEMORY_MB], io_bytes=said[a.IO_BYTES]
    )


def _moment(nano: str) -> datetime:
    epoch = datetime.fromtimestamp(0, UTC)
    return epoch + timedelta(microseconds=int(nano) // 1000)
