"""Rules as objects: their labels, sizes, numbers, and what a page says to whoever is woken."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml

from aspora import names
from aspora.load import load
from aspora.observe import skill_alerts as limits
from aspora.observe.alerts import runbook_url
from aspora.observe.grafana import config_maps
from aspora.observe.records import COST_MONTH, COST_RATE, DAY_SECONDS, SKILL_GROUPS
from aspora.observe.routing import routing
from aspora.observe.rules import ALERTS, RELEASE, series_of_a_skill
from aspora.observe.rules import rules as rule_objects
from aspora.observe.slo import BUDGET, BURNS, OBJECTIVE, RATIOS, SLO_GROUP, seconds
from aspora.render.services import PARTS
from aspora.resolve import workloads
from aspora.services.stores import METRICS_DAYS
from aspora.services.values.metrics import prometheus_stack
from aspora.telemetry.metrics import SERIES_LIMIT
from benchmarks.generate import repository as generated
from tests.core import ROOT, repository, settings
from tests.observe.lab import groups, of_kind, panel_queries
from tests.pages import table

PAGE = ROOT / "docs/observability.md"


def rules(key: str) -> dict[str, dict[str, object]]:
    return {rule[key]: rule for group in groups() for rule in group["rules"] if key in rule}


def days_back(expr: str) -> int:
    """How many days an expression looks back; 0 where its windows are shorter than one."""
    windows = [int(days) for days in re.findall(r"\[(\d+)d", expr)]
    offsets = [int(days) for days in re.findall(r"offset (\d+)d", expr)]
    return max(windows, default=0) + max(offsets, default=0)


def test_nothing_looks_further_back_than_prometheus_keeps() -> None:
    expressions = [rule["expr"] for group in groups() for rule in group["rules"]]
    expressions += [expr for _, expr in panel_queries()]
    longest = max(map(days_back, expressions))
    assert 30 <= longest < METRICS_DAYS
    assert prometheus_stack(settings("prod"))["prometheus"]["prometheusSpec"]["retention"] == (
        f"{METRICS_DAYS}d"
    )


def test_the_parts_are_wired() -> None:
    assert {rule_objects, routing, config_maps} <= set(PARTS)
    assert len(of_kind("PrometheusRule")) == 4 + len(repository())


def test_the_operator_picks_them() -> None:
    for obj in of_kind("PrometheusRule"):
        assert obj["metadata"]["namespace"] == names.OBSERVABILITY_NAMESPACE
        assert obj["metadata"]["labels"]["release"] == RELEASE


def test_every_budget_of_the_domain_files_is_a_series() -> None:
    written = {
        tuple(rule["labels"].values()): rule["expr"]
        for group in groups()
        for rule in group["rules"]
        if rule.get("record", "").startswith("aspora_")
    }
    for domain in repository():
        assert written[domain.name,] == f"vector({domain.budget.monthly_usd})"
        for one in workloads(domain):
            key = (domain.name, one.agent.name, one.skill.name, one.kind)
            assert written[key] == f"vector({one.skill.budget.monthly_usd})"
    assert written["wealth", "advisor", "suggest-allocation", "service"] == "vector(900)"


def test_no_rule_is_made_for_each_skill_but_its_budget() -> None:
    names_of = [rule.get("alert") for group in groups() for rule in group["rules"]]
    alerts = [name for name in names_of if name]
    assert len(alerts) == len(set(alerts)) == len(ALERTS)


def test_series_of_a_skill_are_bounded() -> None:
    counted = series_of_a_skill()
    assert counted == {"collector": 70, "recording rules": 23, "alerts": 20}
    assert sum(counted.values()) < SERIES_LIMIT == 150
    said = {row[0]: row[1] for row in table(PAGE, "Series of one skill")}
    assert said == {name: str(count) for name, count in counted.items()} | {
        "all": str(sum(counted.values()))
    }


def test_objects_stay_small_at_a_thousand_skills(tmp_path: Path) -> None:
    assert generated(tmp_path, 50) == 1000
    found = load([tmp_path / "domains"], settings("prod"))
    ours = (part(found.domains, settings("prod")) for part in (rule_objects, routing, config_maps))
    services = [obj for made in ours for obj in made]
    sizes = {obj["metadata"]["name"]: len(yaml.safe_dump(obj)) for obj in services}
    assert len(services) >= 4 + 50 + 2 + 4 + 50
    assert max(sizes.values()) < 1 << 20
    assert max(size for name, size in sizes.items() if name != "aspora") < 40_000


def test_windows_are_read_before_they_are_gone() -> None:
    """Prometheus takes a series for gone after five minutes."""
    assert all(group.seconds < 300 for group in (*SKILL_GROUPS, SLO_GROUP))
    (day,) = [group for group in SKILL_GROUPS if COST_RATE in group.records]
    assert day.seconds == DAY_SECONDS
    assert f"* {DAY_SECONDS} and" in COST_MONTH.expr


# -- what pages, and what does not ---------------------------------------------------------------


def alarms(share: float, executions: int, *, before: int, share_before: float) -> bool:
    """The condition of skill_success_rate_drop, in Python."""
    drop = share_before - share
    pooled = (share * executions + share_before * before) / (executions + before)
    error = math.sqrt(pooled * (1 - pooled) * (1 / executions + 1 / before))
    enough = executions >= limits.ENOUGH_24H and before >= limits.ENOUGH_7D
    return enough and drop > limits.DROP and drop > limits.ERRORS_APART * error


def false_alarm(executions: int, share: float) -> float:
    """How likely chance alone fires, for a skill that is as good as ever (exact binomial)."""
    return sum(
        math.comb(executions, good) * share**good * (1 - share) ** (executions - good)
        for good in range(executions + 1)
        if alarms(good / executions, executions, before=7 * executions, share_before=share)
    )


@pytest.mark.parametrize("executions", [50, 100, 200, 400, 900])
@pytest.mark.parametrize("share", [0.8, 0.9, 0.95, 0.97, 0.99])
def test_chance_does_not_page(executions: int, share: float) -> None:
    """At most one false page a month for 1,000 skills at this volume, looked at five times a day:
    a rolling day holds about as many looks that are independent."""
    assert false_alarm(executions, share) * 1000 * 5 * 30 < 1


def test_a_drop_that_is_real_pages() -> None:
    assert alarms(0.85, 200, before=1400, share_before=0.97)
    assert alarms(0.91, 1000, before=7000, share_before=0.97)
    assert not alarms(0.93, 1000, before=7000, share_before=0.97)
    assert not alarms(0.5, 49, before=1400, share_before=0.97)


def test_burns_are_the_workbook_s() -> None:
    """Table 5-8: the share of a month's budget that is gone when it fires."""
    shares = [burn.factor * seconds(burn.long) / (30 * 86400) for burn in BURNS]
    assert [round(share, 3) for share in shares] == [0.02, 0.05, 0.1, 0.1]
    assert [seconds(b.long) // seconds(b.short) for b in BURNS] == [12, 12, 12, 12]
    assert pytest.approx(1 - OBJECTIVE) == BUDGET
    assert set(RATIOS) == {"5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"}


# -- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_what_to_do(alert: object) -> None:
    rule = rules("alert")[alert.name]  # type: ignore[attr-defined]
    labels, notes = rule["labels"], rule["annotations"]
    assert labels["severity"] in ("critical", "high", "medium", "info")  # type: ignore[index]
    assert labels["topic"] in ("quality", "cost", "latency", "platform", "watch")  # type: ignore[index]
    assert set(notes) == {"summary", "description", "runbook_url"}  # type: ignore[call-overload]
    page = notes["runbook_url"].rpartition("/blob/main/")[2]  # type: ignore[index]
    assert (ROOT / page).exists()
    if labels["severity"] != "info":  # type: ignore[index]
        assert "\n- " in notes["description"]  # type: ignore[index]


def test_runbooks_are_read_in_the_repository() -> None:
    at = "https://github.com/aspora/platform/blob/main/docs/runbooks/collector.md"
    assert runbook_url("https://github.com/aspora/platform.git", "collector") == at
    assert runbook_url("https://github.com/aspora/platform", "collector") == at


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("skill_success_rate_drop", ["canary", "integration's logs", "evals"]),
        ("daily_cost_spike", ["recursive loop", "spike in traffic", "dearer model"]),
        ("p95_latency_spike", ["pg_stat_statements", "time-outs", "OpenRouter"]),
    ],
)
def test_the_brief_s_checks_are_in_the_text(name: str, words: list[str]) -> None:
    text = rules("alert")[name]["annotations"]["description"]  # type: ignore[index]
    assert [word for word in words if word not in text] == []


def test_the_page_lists_every_alert() -> None:
    listed = {row[0].strip("`"): tuple(row[1:3]) for row in table(PAGE, "Alert")}
    assert listed == {alert.name: (alert.severity, alert.topic) for alert in ALERTS}
