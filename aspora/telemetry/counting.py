"""From spans to the metrics of `aspora/telemetry/metrics.py`, in the collector.

A span's attributes are first turned into labels of a bounded number of values: a model that no
domain file names is `other`, a version that is no version `unknown`. The domain, the role and the
skill come from the resource, where the collector itself wrote them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aspora.models import Domain
from aspora.resolve import workloads
from aspora.telemetry import attributes as a
from aspora.telemetry import metrics

Object = dict[str, Any]

OTHER = "other"
UNKNOWN = "unknown"
PLAIN_TOKENS = "aspora.tokens.input"
"""Tokens read and not from the cache: input, cached ones taken off."""
VERSION = r"^[0-9A-Za-z][0-9A-Za-z._+-]{0,31}\z"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one metric comes from spans: of which records, with which value, on which condition.

    `fixed` are labels that the recipe itself says. A metric may have several recipes.
    """

    record: a.Record
    value: str
    present: str = ""
    fixed: Mapping[str, str] | None = None


def _attribute(name: str) -> str:
    return f"span.attributes[{json.dumps(name)}]"


def _number(name: str) -> str:
    """A double, also where the sender wrote a whole number as one."""
    return f"Double({_attribute(name)})"


def _tokens(token_type: str, name: str) -> Recipe:
    value = f"Int({_attribute(name)})"
    return Recipe("model_call", value, name, {"token_type": token_type})


ONE = "1"
RECIPES: Mapping[str, tuple[Recipe, ...]] = {
    metrics.EXECUTIONS.name: (Recipe("execution", ONE),),
    metrics.DURATION.name: (Recipe("execution", "Seconds(span.end_time - span.start_time)"),),
    metrics.MODEL_COST.name: (Recipe("model_call", _number(a.MODEL_COST), a.MODEL_COST),),
    metrics.MODEL_CALLS.name: (Recipe("model_call", ONE),),
    metrics.MODEL_TOKENS.name: (
        _tokens("input", PLAIN_TOKENS),
        _tokens("output", a.OUTPUT_TOKENS),
        _tokens("cache_read", a.CACHE_READ_TOKENS),
        _tokens("cache_creation", a.CACHE_CREATION_TOKENS),
    ),
    metrics.FEEDBACK.name: (Recipe("feedback", ONE),),
    metrics.EVALUATIONS.name: (Recipe("evaluation", ONE),),
    metrics.CONFIDENCE.name: (Recipe("execution", _number(a.CONFIDENCE), a.CONFIDENCE),),
}
"""Every metric of the table that the collector emits, by its name."""

LABELS_OF_RESOURCE = dict(zip(metrics.SKILL, a.IDENTITY, strict=True))
LABELS_OF_SPAN = ("skill_version", "model", "outcome", "priced", "verdict", "evaluation", "result")


def connector() -> Object:
    """The `signal_to_metrics` connector."""
    return {
        # A span that cannot be counted takes no other with it.
        "error_mode": "ignore",
        "spans": [
            _entry(metric, recipe)
            for metric in metrics.METRICS
            if metric.emitter == "collector"
            for recipe in RECIPES[metric.name]
        ],
    }


def _entry(metric: metrics.Metric, recipe: Recipe) -> Object:
    fixed = recipe.fixed or {}
    condition = f"{_attribute(a.RECORD)} == {json.dumps(recipe.record)}"
    if recipe.present:
        condition += f" and {_attribute(recipe.present)} != nil"
    entry: Object = {
        "name": metric.name,
        "description": metric.help,
        # Without one the attributes of every pod would make series of their own.
        "include_resource_attributes": [{"key": a.ENVIRONMENT}],
        "attributes": [
            {"key": label} | ({"default_value": fixed[label]} if label in fixed else {})
            for label in metric.labels
        ],
        "conditions": [condition],
    }
    if metric.kind == "histogram":
        return entry | {"histogram": {"buckets": list(metric.buckets), "value": recipe.value}}
    return entry | {"sum": {"value": recipe.value, "monotonic": True}}


def known_models(domains: Sequence[Domain]) -> tuple[str, ...]:
    """The models that domain files name: the only values of the label `model` beside `other`."""
    found = {
        model
        for domain in domains
        for workload in workloads(domain)
        for model in (workload.model, *workload.fallback_models)
        if model
    }
    return tuple(sorted(found))


def labels_processor(domains: Sequence[Domain]) -> Object:
    """The `transform` processor that writes the labels; what the sender wrote there goes first."""
    labels = [*LABELS_OF_RESOURCE, *LABELS_OF_SPAN, "token_type", PLAIN_TOKENS]
    statements = [f"delete_key(span.attributes, {json.dumps(label)})" for label in labels]
    statements += [
        f"set({_attribute(label)}, resource.attributes[{json.dumps(name)}])"
        for label, name in LABELS_OF_RESOURCE.items()
    ]
    statements += [*_version(), *_outcome(), *_model(domains), *_plain_tokens(), *_judgements()]
    return {"error_mode": "ignore", "trace_statements": statements}


def _is(record: a.Record) -> str:
    return f"{_attribute(a.RECORD)} == {json.dumps(record)}"


def _version() -> list[str]:
    label, said = _attribute("skill_version"), _attribute(a.SKILL_VERSION)
    good = f"{said} != nil and IsMatch({said}, {json.dumps(VERSION)})"
    return [f"set({label}, {json.dumps(UNKNOWN)})", f"set({label}, {said}) where {good}"]


def _outcome() -> list[str]:
    label = _attribute("outcome")
    return [
        f'set({label}, "success")',
        f'set({label}, "error") where span.status.code == STATUS_CODE_ERROR',
    ]


def _model(domains: Sequence[Domain]) -> list[str]:
    label, said, priced = _attribute("model"), _attribute(a.REQUEST_MODEL), _attribute("priced")
    call = _is("model_call")
    names = f"[{', '.join(json.dumps(name) for name in known_models(domains))}]"
    return [
        f"set({label}, {json.dumps(OTHER)}) where {call}",
        f"set({label}, {said}) where {call} and ContainsValue({names}, {said})",
        f'set({priced}, "false") where {call}',
        f'set({priced}, "true") where {call} and {_attribute(a.MODEL_COST)} != nil',
    ]


def _plain_tokens() -> list[str]:
    """`input` holds the cached tokens; the label's values must not overlap."""
    plain, call = _attribute(PLAIN_TOKENS), _is("model_call")
    return [
        f"set({plain}, Int({_attribute(a.INPUT_TOKENS)})) where {call}",
        *(
            f"set({plain}, {plain} - Int({_attribute(name)})) "
            f"where {call} and {_attribute(name)} != nil and {plain} != nil"
            for name in (a.CACHE_READ_TOKENS, a.CACHE_CREATION_TOKENS)
        ),
    ]


def _judgements() -> list[str]:
    """Only the values that the table knows; a span with another has no label and is not counted."""
    rows = (
        ("verdict", a.VERDICT, ("accepted", "corrected", "rejected")),
        ("evaluation", a.EVALUATION_NAME, ("hallucination", "quality")),
        ("result", a.EVALUATION_LABEL, ("pass", "fail")),
    )
    return [
        f"set({_attribute(label)}, {json.dumps(value)}) "
        f"where {_attribute(name)} == {json.dumps(value)}"
        for label, name, values in rows
        for value in values
    ]
