"""The labels that an expression's series have, by the tables of metrics: a type check of PromQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import promql_parser as promql

from aspora.observe.rules import RECORDS
from aspora.telemetry.foreign import FOREIGN, TARGET_LABELS
from aspora.telemetry.metrics import METRICS

Labels = frozenset[str]
SCALAR_FUNCTIONS = {"time", "vector", "days_in_month", "day_of_month", "hour", "month"}
KEEP_ALL = {"topk", "bottomk"}


class UnknownMetric(AssertionError):
    """Nobody emits it."""


class WrongLabels(AssertionError):
    """A label is matched or grouped by that the series do not have."""


@cache
def known() -> Mapping[str, Labels]:
    """Every series that somebody emits, with its labels."""
    target = frozenset(TARGET_LABELS)
    series: dict[str, Labels] = {}
    for metric in METRICS:
        series |= _series(metric.name, metric.kind, frozenset(metric.labels) | target)
    for foreign in FOREIGN:
        series |= _series(foreign.name, foreign.kind, frozenset(foreign.labels) | target)
    series["ALERTS"] |= {"domain", "agent_role", "skill_name"}
    return series | {record.name: frozenset(record.labels) for record in RECORDS}


def _series(name: str, kind: str, labels: Labels) -> dict[str, Labels]:
    if kind != "histogram":
        return {name: labels}
    counts = {f"{name}_{end}": labels for end in ("sum", "count")}
    return counts | {f"{name}_bucket": labels | {"le"}}


def metrics(expr: str) -> set[str]:
    """The names of the series an expression reads; `.*` for a selector without a name."""
    found: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            found.add(node.name or ".*")

    promql.walk(promql.parse(expr), look)
    return found


def labels(expr: str) -> Labels | None:
    """The labels that the result may have; None for a number. Raises what is wrong."""
    return _of(promql.parse(expr))


def _of(node: Any) -> Labels | None:
    if isinstance(node, promql.VectorSelector | promql.MatrixSelector):
        return _selected(getattr(node, "vector_selector", node))
    if isinstance(node, promql.NumberLiteral):
        return None
    if isinstance(node, promql.ParenExpr | promql.SubqueryExpr | promql.UnaryExpr):
        return _of(node.expr)
    if isinstance(node, promql.AggregateExpr):
        return _aggregated(node)
    if isinstance(node, promql.BinaryExpr):
        return _binary(node)
    return _called(node)


def _selected(node: Any) -> Labels:
    if node.name is None:
        have = frozenset().union(*known().values())
    elif node.name in known():
        have = known()[node.name]
    else:
        raise UnknownMetric(node.name)
    matched = {matcher.name for matcher in node.matchers.matchers} - {"__name__"}
    _have(matched, have, node.name)
    return have


def _have(wanted: Iterable[str], have: Labels | None, where: object) -> None:
    if missing := set(wanted) - (have or frozenset()):
        raise WrongLabels(f"{sorted(missing)} in {where}")


def _aggregated(node: Any) -> Labels:
    inner, op = _of(node.expr), str(node.op)
    assert inner is not None, node.prettify()
    if op in KEEP_ALL:
        return inner
    if op == "count_values":
        return frozenset({node.param.val})
    if node.modifier is None:
        return frozenset()
    assert node.modifier.type == promql.AggModifierType.By
    _have(node.modifier.labels, inner, node.prettify())
    return frozenset(node.modifier.labels)


def _called(node: Any) -> Labels | None:
    name = node.func.name
    if name == "time":
        return None
    if name in SCALAR_FUNCTIONS:
        return frozenset()
    inner = next((_of(a) for a in node.args if not _literal(a)), frozenset())
    if name == "label_replace":
        _have([node.args[3].val], inner, node.prettify())
        return (inner or frozenset()) | {node.args[1].val}
    if name == "absent":
        return frozenset()
    return (inner or frozenset()) - ({"le"} if name == "histogram_quantile" else set())


def _literal(node: Any) -> bool:
    return isinstance(node, promql.NumberLiteral | promql.StringLiteral)


def _binary(node: Any) -> Labels | None:
    left, right = _of(node.lhs), _of(node.rhs)
    if left is None or right is None:
        return right if left is None else left
    modifier, op = node.modifier, str(node.op)
    if op == "or":
        return left | right
    joined = _joined(modifier.matching, left, right, node) if modifier else None
    if op in ("and", "unless"):
        if joined is None and left != right:
            raise WrongLabels(f"{sorted(left ^ right)} on one side of `{op}` alone")
        return left
    if joined is None:
        if left != right:
            raise WrongLabels(f"{sorted(left ^ right)} on one side of `{op}` alone")
        return left
    return _arithmetic(modifier, joined, left, right)


def _joined(matching: Any, left: Labels, right: Labels, node: Any) -> Labels | None:
    if matching is None:
        return None
    named = frozenset(matching.labels)
    if matching.type == promql.LabelModifierType.Include:
        _have(named, left, node.prettify())
        _have(named, right, node.prettify())
        return named
    if left - named != right - named:
        raise WrongLabels(f"{sorted((left ^ right) - named)} on one side alone")
    return left - named


def _arithmetic(modifier: Any, joined: Labels, left: Labels, right: Labels) -> Labels:
    many = {"ManyToOne": left, "OneToMany": right}.get(str(modifier.card).rpartition(".")[2])
    if many is None:
        return joined
    return many | frozenset(modifier.group_labels or ())


TEMPLATE = re.compile(r"\$labels\.(\w+)")


def template_labels(text: str) -> set[str]:
    """The labels that an annotation speaks of."""
    return set(TEMPLATE.findall(text))
