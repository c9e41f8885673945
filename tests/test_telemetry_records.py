"""Executions as records, as spans, and back."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from aspora.prices import model_prices
from aspora.telemetry import attributes, records, spans
from aspora.telemetry.records import (
    Evaluation,
    Fault,
    Feedback,
    SkillExecutionTrace,
    Tokens,
    list_cost,
)
from tests.executions import START, UNPRICED, call, execution, many, usd

FULL = execution(
    parent_span_id="00000000000000aa",
    error=Fault(type="ToolError", message="no answer", stack="at line 7"),
    feedback=Feedback(
        span_id="00000000000000f1",
        given_at=START + timedelta(hours=5),
        accepted=False,
        rating=2,
        correction="Ticket 9 was first.",
    ),
    evaluations=(
        Evaluation(
            span_id="00000000000000e1", made_at=START, name="quality", passed=False, score=0.25
        ),
    ),
)


def attributes_of(span: dict[str, Any]) -> dict[str, Any]:
    return spans.decoded(span["attributes"])


@pytest.mark.parametrize("trace", [FULL, execution(), *many(40)])
def test_a_record_survives_the_way_through_spans(trace: SkillExecutionTrace) -> None:
    made = spans.spans(trace)
    back = spans.execution(spans.resource(trace, "ecm-field-my-tickets"), list(reversed(made)))
    assert back.model_copy(update={"model_calls": (), "evaluations": ()}) == trace.model_copy(
        update={"model_calls": (), "evaluations": ()}
    )
    assert list(reversed(back.model_calls)) == list(trace.model_calls)
    assert list(reversed(back.evaluations)) == list(trace.evaluations)


def test_every_span_says_what_it_is_and_belongs_to_the_execution() -> None:
    made = spans.spans(FULL)
    kinds = [attributes_of(span)[attributes.RECORD] for span in made]
    assert kinds == ["execution", "model_call", "model_call", "feedback", "evaluation"]
    assert {span["traceId"] for span in made} == {FULL.trace_id}
    assert [span.get("parentSpanId") for span in made] == [
        "00000000000000aa",
        *[FULL.span_id] * 4,
    ]
    assert "parentSpanId" not in spans.spans(execution())[0]


def test_the_execution_span_whole() -> None:
    span = spans.spans(FULL)[0]
    assert span["startTimeUnixNano"] == "1793658600000000000"
    assert span["endTimeUnixNano"] == "1793658602000000000"
    assert span["status"] == {"code": 2, "message": "no answer"}
    assert attributes_of(span) == {
        "aspora.record": "execution",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "field",
        "aspora.skill.version": "1.2.0",
        "aspora.trigger.type": "message",
        "user.id": "u-17",
        "session.id": "s-4",
        "gen_ai.usage.input_tokens": 2000,
        "gen_ai.usage.output_tokens": 400,
        "aspora.cost.model_usd": 0.00666,
        "aspora.output.data": '{"ticket":7}',
        "aspora.output.confidence": 0.87,
        "aspora.output.actions": ("assign", "note"),
        "aspora.resources.cpu_millis": 40,
        "aspora.resources.memory_mb": 210,
        "aspora.resources.io_bytes": 9000,
        "error.type": "ToolError",
    }
    assert attributes_of(span["events"][0]) == {
        "exception.type": "ToolError",
        "exception.message": "no answer",
        "exception.stacktrace": "at line 7",
    }


def test_every_attribute_written_is_in_the_table_at_its_place_and_of_its_type() -> None:
    types = {str: "string", tuple: "string[]", int: "int", float: "double", bool: "boolean"}
    table = {(each.name, place): each for each in attributes.ATTRIBUTES for place in each.places}
    seen = set()
    for span in spans.spans(FULL):
        said = attributes_of(span)
        for name, value in said.items():
            entry = table[name, said[attributes.RECORD]]
            assert types[type(value)] == entry.type, name
            seen.add((name, said[attributes.RECORD]))
        needed = {
            n for (n, place), e in table.items() if place == said["aspora.record"] and e.required
        }
        assert needed <= set(said)
    of_spans = {key for key in table if key[1] != "resource"}
    assert of_spans - seen == {("error.type", "model_call")}


def test_names_are_pinned_to_a_release_of_the_conventions() -> None:
    body = spans.request(FULL, "ecm-field-my-tickets")["resourceSpans"][0]
    assert body["schemaUrl"] == "https://opentelemetry.io/schemas/1.41.0"
    assert attributes_of(body["resource"]) == {
        "service.name": "ecm-field-my-tickets",
        "aspora.domain": "ecm",
        "aspora.agent.role": "field",
        "aspora.skill.name": "my-tickets",
    }


def test_an_unknown_price_is_no_price_and_never_zero() -> None:
    dear, unknown = call(1), call(2, UNPRICED)
    assert (dear.cost, dear.cost_source, dear.priced) == (usd("0.001665"), "list", True)
    assert (unknown.cost, unknown.cost_source, unknown.priced) == (None, None, False)
    trace = execution(model_calls=(dear, unknown))
    assert trace.model_cost is None
    for span in (spans.spans(trace)[0], spans.spans(trace)[2]):
        assert attributes.MODEL_COST not in attributes_of(span)
    assert execution(model_calls=()).model_cost == usd("0")


def test_cached_tokens_have_their_own_prices() -> None:
    table = model_prices()
    tokens = Tokens(input=1_000_000, output=0, cache_read=400_000, cache_creation=100_000)
    # 0.5 M at 1, 0.4 M at 0.1, 0.1 M at 1.25
    assert list_cost("claude-haiku-4-5", tokens, table) == usd("0.665")
    # No price for writing: as plain input.
    assert list_cost("gpt-4.1", tokens, table) == usd("1.40")
    assert list_cost("nobody/knows", tokens, table) is None


def test_what_the_provider_says_goes_before_the_list() -> None:
    assert call(cost=usd("0.5"), cost_source="provider").cost == usd("0.5")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cost": usd("1")}, "cost and cost_source come together or not at all"),
        ({"cost": usd("-1"), "cost_source": "list"}, "greater than or equal to 0"),
        ({"completed_at": START - timedelta(1)}, "completed_at lies before started_at"),
        ({"span_id": "0x1"}, "String should match pattern"),
        ({"price": 3}, "Extra inputs are not permitted"),
    ],
)
def test_bad_calls_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        records.ModelCall(**call().model_dump() | {"cost": None, "cost_source": None} | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trigger_type": "whim"}, "Input should be 'cron', 'message', 'alert' or 'command'"),
        ({"trace_id": "xyz"}, "String should match pattern"),
        ({"started_at": START.replace(tzinfo=None)}, "Input should have timezone info"),
        ({"completed_at": START - timedelta(1)}, "completed_at lies before started_at"),
        ({"output": {"confidence": 87}}, "less than or equal to 1"),
        (
            {"feedback": {"span_id": "1" * 16, "given_at": START, "accepted": True, "rating": 6}},
            "less than or equal to 5",
        ),
    ],
)
def test_bad_executions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        execution(**changes)


def test_cached_tokens_beyond_the_input_are_refused() -> None:
    with pytest.raises(
        ValidationError, match="cached tokens are part of the input; add them to it"
    ):
        Tokens(input=10, output=1, cache_read=11)


@pytest.mark.parametrize(
    ("accepted", "correction", "verdict"),
    [(True, None, "accepted"), (False, None, "rejected"), (True, "x", "corrected")],
)
def test_one_word_for_each_judgement(accepted: bool, correction: str | None, verdict: str) -> None:
    said = Feedback(span_id="1" * 16, given_at=START, accepted=accepted, correction=correction)
    assert said.verdict == verdict


def test_spans_of_two_executions_are_no_record() -> None:
    both = [*spans.spans(execution(1)), *spans.spans(execution(2))]
    with pytest.raises(ValueError, match="expected the spans of one execution, found 2"):
        spans.execution(spans.resource(execution(1), "x"), both)


def test_every_field_of_the_brief_is_somewhere_or_left_out_with_a_reason() -> None:
    for field, place in records.BRIEF.items():
        assert bool(place) != (field in records.LEFT_OUT), field
        if place:
            assert _reaches(SkillExecutionTrace, place.split(".")), place
    assert set(records.LEFT_OUT) == {"cost.compute_cost", "cost.total_cost"}
    assert len(records.BRIEF) == 45


def _reaches(model: type[BaseModel], path: list[str]) -> bool:
    held: Any = execution(
        error=Fault(type="x"), feedback=FULL.feedback, evaluations=FULL.evaluations
    )
    for name in path:
        held = held[0] if isinstance(held, tuple) else held
        if not hasattr(held, name):
            return False
        held = getattr(held, name)
    return True


def test_names_stand_in_one_module() -> None:
    """A name written out elsewhere would not follow when the conventions change."""
    pinned = {each.name for each in attributes.ATTRIBUTES} - {
        "service.name",
        "error.type",
    }  # a field of the brief too
    folder = Path(attributes.__file__).parents[1]
    for path in folder.rglob("*.py"):
        if path.name != "attributes.py":
            text = path.read_text("utf-8")
            assert [name for name in pinned if f'"{name}"' in text] == [], path
