"""Made-up executions for the tests of telemetry, all from a seed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from aspora.prices import model_prices
from aspora.telemetry.records import (
    Evaluation,
    Fault,
    Feedback,
    ModelCall,
    Output,
    Resources,
    SkillExecutionTrace,
    Tokens,
    priced,
)

START = datetime(2026, 11, 2, 22, 30, tzinfo=UTC)
SKILLS = (
    ("ecm", "manager", "triage-and-assign"),
    ("ecm", "field", "my-tickets"),
    ("fraud", "risk", "detect-velocity"),
)
MODELS = ("claude-haiku-4-5", "claude-sonnet-4-5", "in-house-7b")
UNPRICED = "in-house-7b"


def call(number: int = 1, model: str = "claude-haiku-4-5", **changes: Any) -> ModelCall:
    """A model call with its cost."""
    fields: dict[str, Any] = {
        "span_id": f"{number:016x}",
        "model": model,
        "provider": "openrouter",
        "started_at": START,
        "completed_at": START + timedelta(milliseconds=1200),
        "tokens": Tokens(input=1000, output=200, cache_read=400, cache_creation=100),
        "messages": ({"role": "user", "content": "Which ticket first?"},),
        "temperature": 0.2,
        "max_tokens": 1024,
        "content": "Ticket 7.",
        "finish_reason": "stop",
        "response_model": f"{model}-20251001",
        "time_to_first_token_ms": 350,
    }
    return priced(ModelCall(**fields | changes), model_prices())


def execution(number: int = 1, **changes: Any) -> SkillExecutionTrace:
    """An execution with everything in it."""
    fields: dict[str, Any] = {
        "trace_id": f"{number:032x}",
        "span_id": f"{number * 100:016x}",
        "parent_span_id": None,
        "domain": "ecm",
        "agent_role": "field",
        "skill_name": "my-tickets",
        "skill_version": "1.2.0",
        "trigger_type": "message",
        "user_id": "u-17",
        "session_id": "s-4",
        "started_at": START,
        "completed_at": START + timedelta(seconds=2),
        "model_calls": (call(number * 100 + 1), call(number * 100 + 2, "claude-sonnet-4-5")),
        "output": Output(data={"ticket": 7}, confidence=0.87, actions_taken=("assign", "note")),
        "resources": Resources(cpu_millis=40, memory_mb=210, io_bytes=9000),
    }
    return SkillExecutionTrace(**fields | changes)


def many(count: int, seed: int = 1) -> list[SkillExecutionTrace]:
    """Executions of several skills over three days, with errors, ratings and unpriced models."""
    dice = random.Random(seed)
    return [_one(dice, number) for number in range(1, count + 1)]


def _one(dice: random.Random, number: int) -> SkillExecutionTrace:
    domain, role, skill = dice.choice(SKILLS)
    start = START + timedelta(seconds=dice.randrange(3 * 86400), microseconds=dice.randrange(10**6))
    end = start + timedelta(milliseconds=dice.randrange(100, 20000))
    calls = tuple(
        call(
            number * 100 + index,
            dice.choice(MODELS),
            started_at=start,
            completed_at=end,
            tokens=Tokens(input=dice.randrange(500, 5000), output=dice.randrange(10, 900)),
            error_type="timeout" if dice.random() < 0.05 else None,
        )
        for index in range(1, dice.randrange(2, 5))
    )
    rated = dice.random() < 0.3
    return execution(
        number,
        domain=domain,
        agent_role=role,
        skill_name=skill,
        skill_version=dice.choice(("1.2.0", "1.3.0")),
        started_at=start,
        completed_at=end,
        model_calls=calls,
        trigger_type=dice.choice(("cron", "message", "alert", "command")),
        error=Fault(type="ToolError", message="no answer") if dice.random() < 0.1 else None,
        output=Output(confidence=round(dice.random(), 2) if dice.random() < 0.8 else None),
        feedback=_feedback(dice, number, end) if rated else None,
        evaluations=_evaluations(dice, number, end),
    )


def _feedback(dice: random.Random, number: int, end: datetime) -> Feedback:
    return Feedback(
        span_id=f"{number * 100 + 50:016x}",
        given_at=end + timedelta(minutes=dice.randrange(300)),
        accepted=dice.random() < 0.8,
        rating=dice.choice((None, 1, 2, 3, 4, 5)),
        correction="other ticket" if dice.random() < 0.2 else None,
    )


def _evaluations(dice: random.Random, number: int, end: datetime) -> tuple[Evaluation, ...]:
    if dice.random() < 0.5:
        return ()
    return tuple(
        Evaluation(
            span_id=f"{number * 100 + place:016x}",
            made_at=end,
            name=name,
            passed=dice.random() < 0.9,
            score=0.5,
        )
        for place, name in ((60, "hallucination"), (61, "quality"))
    )


def usd(text: str) -> Decimal:
    """A cost."""
    return Decimal(text)
