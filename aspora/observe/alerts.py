"""What an alert is, and how its rule is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from aspora.telemetry import metrics as own

Object = dict[str, Any]
Severity = Literal["critical", "high", "medium", "info"]
"""critical wakes the platform team, high wakes the owner, medium waits for the morning."""
Topic = Literal["quality", "cost", "latency", "platform", "watch"]
"""Where it goes: see `aspora/observe/routing.py`."""

RUNBOOKS = "docs/runbooks"
WHO = "{{ $labels.domain }}/{{ $labels.agent_role }}/{{ $labels.skill_name }}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `labels` are those that its expression leaves; the owner's domain is among them,
    or `domain` says `platform`.

    `summary` is one line; `description` says what to check, as the brief does. `runbook` is the
    page's name without its ending, `each` how many of it one skill can have at a time.
    """

    name: str
    topic: Topic
    severity: Severity
    expr: str
    lasts: str
    summary: str
    description: str
    runbook: str
    labels: tuple[str, ...] = ()
    keeps: str = ""
    each: int = 1

    @property
    def skill_level(self) -> bool:
        """Whether every skill may have one of its own firing."""
        return set(own.SKILL) <= set(self.labels)

    def rule(self, repository: str) -> Object:
        """The rule in a PrometheusRule; `repository` is where the runbooks are read."""
        fixed = {"severity": self.severity, "topic": self.topic}
        if "domain" not in self.labels:
            fixed["domain"] = "platform"
        rule: Object = {"alert": self.name, "expr": self.expr, "for": self.lasts}
        if self.keeps:
            rule["keep_firing_for"] = self.keeps
        return rule | {
            "labels": fixed,
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": runbook_url(repository, self.runbook),
            },
        }


def runbook_url(repository: str, page: str) -> str:
    """Where a person reads it: in the repository, on its main branch."""
    return f"{repository.removesuffix('.git')}/blob/main/{RUNBOOKS}/{page}.md"


def checks(first: str, *items: str) -> str:
    """A sentence and a list of what to look at."""
    return "\n".join((first, *(f"- {item}" for item in items)))


def owned(expr: str) -> str:
    """With the label `domain`, taken from a namespace aspora-<domain>."""
    return f'label_replace({expr}, "domain", "$1", "namespace", "aspora-(.+)")'
