"""Made-up executions of the repository's own skills, all from a seed: nothing here happened."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aspora.prices import model_prices
from aspora.resolve import Workload, workloads
from aspora.telemetry.records import (
    Evaluation,
    Fault,
    Feedback,
    ModelCall,
    Output,
    SkillExecutionTrace,
    Tokens,
    Trigger,
    priced,
)

if TYPE_CHECKING:
    from aspora.models import Domain

COUNT = 1000
SEED = 5
HOUR = timedelta(hours=1)
UNPRICED = "in-house-7b"
"""A model that no price list holds: its calls are counted as unpriced, never as free."""
PERSONAL = (
    "DE89370400440532013000",
    "jane.roe@example.com",
    "4111111111111111",
    "+971 50 123 4567",
)
"""Examples of personal data, of nobody; none may arrive as it was sent."""
TRIGGERS: tuple[Trigger, ...] = ("message", "alert", "command")
FAULTS = (
    ("ToolError", "the tool server did not answer"),
    ("ModelTimeout", "no answer within the time limit"),
    ("OutputInvalid", "the answer does not fit its schema"),
)
FAULTY_SHARES = (0.01, 0.02, 0.05, 0.2)
PACES = (1.0, 1.0, 1.0, 3.0)
Made = tuple[Workload, SkillExecutionTrace]


def make(domains: Sequence[Domain], end: datetime, count: int = COUNT) -> list[Made]:
    """`count` executions that ended in the hour before `end`, the same for the same seed."""
    dice = random.Random(SEED)  # noqa: S311 - not for secrets
    skills = [workload for domain in domains for workload in workloads(domain)]
    natures = {each.id: (dice.choice(FAULTY_SHARES), dice.choice(PACES)) for each in skills}
    busy = [workload.skill.executions_per_day or 10 for workload in skills]
    chosen = [*skills, *dice.choices(skills, busy, k=max(count - len(skills), 0))][:count]
    return [(each, _one(dice, each, natures[each.id], end)) for each in chosen]


def _one(
    dice: random.Random, skill: Workload, nature: tuple[float, float], end: datetime
) -> SkillExecutionTrace:
    """`nature` is how often the skill fails, and how slow it is."""
    faulty, pace = nature
    seconds = pace * dice.lognormvariate(1.0, 0.5)
    done = end - dice.random() * HOUR
    start = done - timedelta(seconds=seconds)
    personal = dice.choice(PERSONAL) if dice.random() < 0.1 else ""
    fault = Fault(**dict(zip(("type", "message"), dice.choice(FAULTS), strict=True)))
    failed = dice.random() < faulty
    judged = not failed and dice.random() < 0.3
    return SkillExecutionTrace(
        trace_id=_id(dice, 128),
        span_id=_id(dice, 64),
        domain=skill.domain.name,
        agent_role=skill.agent.name,
        skill_name=skill.skill.name,
        skill_version=_version(skill),
        trigger_type="cron" if skill.kind == "cron" else dice.choice(TRIGGERS),
        user_id=f"u-{dice.randrange(1, 40)}",
        session_id=f"s-{dice.randrange(1, 400)}",
        started_at=start,
        completed_at=done,
        model_calls=_calls(dice, skill, start, done, personal),
        error=fault if failed else None,
        output=Output(
            data=None if failed else {"summary": f"{skill.skill.name}: done"},
            confidence=None if failed else round(dice.betavariate(9, 2), 2),
        ),
        feedback=_feedback(dice, done) if judged else None,
        evaluations=_evaluations(dice, done) if judged else (),
    )


def _version(skill: Workload) -> str:
    """The tag of its image, without the v."""
    return (skill.image or "").rpartition(":")[2].removeprefix("v") or "unknown"


def _calls(
    dice: random.Random, skill: Workload, start: datetime, end: datetime, personal: str
) -> tuple[ModelCall, ...]:
    """One to three calls, one after the other."""
    count = dice.randrange(1, 4)
    step = (end - start) / count
    return tuple(
        _call(dice, skill, start + number * step, start + (number + 1) * step, personal)
        for number in range(count)
    )


def _call(
    dice: random.Random, skill: Workload, start: datetime, end: datetime, personal: str
) -> ModelCall:
    models = (skill.model or UNPRICED, *skill.fallback_models)
    model = models[0] if dice.random() < 0.95 else models[-1]
    if dice.random() < 0.02:
        model = UNPRICED
    task = f"{skill.skill.description or skill.skill.name} Case {dice.randrange(1, 9999)}."
    call = ModelCall(
        span_id=_id(dice, 64),
        model=model,
        provider="openrouter",
        started_at=start,
        completed_at=end,
        tokens=Tokens(input=dice.randrange(600, 6000), output=dice.randrange(40, 900)),
        messages=({"role": "user", "content": f"{task} {personal}".strip()},),
        content=f"Case closed. {personal}".strip(),
        finish_reason="stop",
        time_to_first_token_ms=dice.randrange(150, 900),
    )
    return priced(call, model_prices())


def _feedback(dice: random.Random, end: datetime) -> Feedback:
    accepted = dice.random() < 0.85
    return Feedback(
        span_id=_id(dice, 64),
        given_at=end,
        accepted=accepted,
        rating=dice.randrange(3, 6) if accepted else dice.randrange(1, 4),
        correction="the other ticket" if dice.random() < 0.1 else None,
    )


def _evaluations(dice: random.Random, end: datetime) -> tuple[Evaluation, ...]:
    passed = dice.random() < 0.95
    score = round(dice.uniform(0.7, 1.0) if passed else dice.uniform(0.1, 0.5), 2)
    return (
        Evaluation(
            span_id=_id(dice, 64), made_at=end, name="hallucination", passed=passed, score=score
        ),
    )


def _id(dice: random.Random, bits: int) -> str:
    """As random as real ones; never all zeros, which is no ID."""
    return f"{dice.randrange(1, 2**bits):0{bits // 4}x}"
