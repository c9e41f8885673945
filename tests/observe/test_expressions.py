"""Every name and label in an expression is one that somebody emits."""

from __future__ import annotations

import re

import pytest

from aspora.observe.rules import ALERTS, RECORDS
from aspora.telemetry import metrics as own
from aspora.telemetry.foreign import FOREIGN
from tests.observe import promql
from tests.observe.lab import expressions, of_kind
from tests.observe.promql import UnknownMetric, WrongLabels

ALL = tuple(expressions())


def test_expressions_are_found_at_all() -> None:
    assert len(ALL) > 39 + 27 + 50
    assert len({expr for _, expr in ALL}) > 100


@pytest.mark.parametrize(("where", "expr"), ALL, ids=[where for where, _ in ALL])
def test_an_expression_reads_what_is_emitted(where: str, expr: str) -> None:
    promql.labels(expr)


@pytest.mark.parametrize(
    ("expr", "error", "message"),
    [
        ("skill_executions", UnknownMetric, "skill_executions"),
        ("sum(rate(skill_executions_totals[5m]))", UnknownMetric, "skill_executions_totals"),
        ('skill_executions_total{results="x"}', WrongLabels, r"\['results'\]"),
        ("sum by (role) (skill_executions_total)", WrongLabels, r"\['role'\]"),
        ("sum by (le) (skill_execution_duration_seconds_count)", WrongLabels, r"\['le'\]"),
        ("skill:queue_depth:sum / agent:busy:ratio5m", WrongLabels, r"\['skill_name'\]"),
        ("skill:queue_depth:sum and agent:busy:ratio5m", WrongLabels, r"\['skill_name'\]"),
        ("skill:queue_depth:sum / on (kind) aspora_skill_budget_usd", WrongLabels, "kind"),
    ],
)
def test_the_check_itself(expr: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        promql.labels(expr)


@pytest.mark.parametrize("record", RECORDS[:-2], ids=lambda record: record.name)
def test_a_recording_rule_has_the_labels_it_says(record: object) -> None:
    assert promql.labels(record.expr) == frozenset(record.labels)  # type: ignore[attr-defined]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_leaves_the_labels_it_says_and_its_text_uses_no_others(alert: object) -> None:
    left = promql.labels(alert.expr) or frozenset()  # type: ignore[attr-defined]
    said = set(alert.labels)  # type: ignore[attr-defined]
    assert said <= left
    text = alert.summary + alert.description  # type: ignore[attr-defined]
    assert promql.template_labels(text) <= said | {"domain"} & left


def test_queries_inside_of_texts_read_what_is_emitted() -> None:
    seen = 0
    for alert in ALERTS:
        for found in re.findall(r'query \(printf "(.*?[^\\])" \$', alert.description):
            promql.labels(found.replace("%q", '"x"').replace('\\"', '"'))
            seen += 1
    assert seen == 2


def test_every_foreign_metric_and_every_record_is_used() -> None:
    read = {name for _, expr in ALL for name in promql.metrics(expr)}
    assert {metric.name for metric in FOREIGN} - read == set()
    unused = {record.name for record in RECORDS} - read
    assert unused == set()


def test_every_metric_of_ours_is_read_by_something() -> None:
    read = {name for _, expr in ALL for name in promql.metrics(expr)}
    missing = {
        metric.name
        for metric in own.METRICS
        if not any(re.fullmatch(rf"{metric.name}(_bucket|_sum|_count)?", name) for name in read)
    }
    assert missing == set()


def test_rules_are_written_as_the_tables_have_them() -> None:
    rules = [
        rule
        for obj in of_kind("PrometheusRule")
        for group in obj["spec"]["groups"]
        for rule in group["rules"]
    ]
    written = {rule.get("record") or rule["alert"] for rule in rules}
    assert written == {record.name for record in RECORDS} | {alert.name for alert in ALERTS}
