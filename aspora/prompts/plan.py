"""What Langfuse should have: a prompt for each file, and which of its versions this stack uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from aspora.prompts.files import Prompt
from aspora.stack import StackSettings

MANAGED_BY = "aspora"
PRODUCTION = "production"
"""The label that Langfuse serves to whoever names none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One prompt as Langfuse's API takes it; `config` belongs to the version, as its text does."""

    name: str
    text: str
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    config: dict[str, Any]

    @property
    def message(self) -> str:
        """What Langfuse shows beside the version."""
        return f"from the skill's file, sha256 {self.config['sha256'][:12]}"


def checksum(text: str) -> str:
    """By which one version is told from another."""
    return sha256(text.encode()).hexdigest()


def labels(settings: StackSettings) -> tuple[str, ...]:
    """A label a stack, so that two of them can share a Langfuse."""
    own = (settings.environment,)
    return (*own, PRODUCTION) if settings.environment == "prod" else own


def plan(prompts: Sequence[Prompt], settings: StackSettings) -> tuple[Wanted, ...]:
    """Every prompt, sorted by name: `wealth/advisor/answer/system`."""
    return tuple(
        Wanted(
            name=f"{prompt.skill}/{prompt.name}",
            text=prompt.text,
            labels=labels(settings),
            tags=(MANAGED_BY, prompt.skill.partition("/")[0]),
            config={
                "managed_by": MANAGED_BY,
                "skill": prompt.skill,
                "sha256": checksum(prompt.text),
            },
        )
        for prompt in sorted(prompts, key=lambda each: (each.skill, each.name))
    )
