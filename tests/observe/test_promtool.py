"""Real Prometheus reads our rules: they are valid, they fire, they stay quiet."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aspora.observe.alerts import Alert
from aspora.observe.records import DAY_SECONDS
from aspora.observe.rules import ALERTS
from aspora.observe.slo import SLO_GROUP, seconds
from tests.core import ROOT
from tests.observe.lab import of_kind

CASES = ROOT / "tests/promtool"
BUDGETS = "budgets.yaml"
FILES = sorted(path.name for path in CASES.glob("*.yaml") if path.name != BUDGETS)


def write_rules(folder: Path, seconds: int | None = None) -> list[Path]:
    """A rule file for each PrometheusRule, as the operator writes them.

    With `seconds` every group is evaluated as often as the case says, else weeks take minutes;
    the two expressions that multiply by their own interval follow.
    """
    written = []
    for obj in of_kind("PrometheusRule"):
        path = folder / f"{obj['metadata']['name']}.yaml"
        spec = obj["spec"] if seconds is None else slower(obj["spec"], seconds)
        path.write_text(yaml.safe_dump(spec, width=1000), "utf-8")
        written.append(path)
    return written


def slower(spec: dict[str, Any], seconds: int) -> dict[str, Any]:
    groups = []
    for group in spec["groups"]:
        rules = [
            rule
            | {
                "expr": rule["expr"]
                .replace(f"[31d]) * {DAY_SECONDS}", f"[31d]) * {seconds}")
                .replace(f"* {SLO_GROUP.seconds} >=", f"* {seconds} >=")
            }
            for rule in group["rules"]
        ]
        groups.append(group | {"rules": rules, "interval": f"{seconds}s"})
    return {"groups": groups}


def run(promtool: Path, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [promtool, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.promtool
def test_every_rule_is_valid(promtool: Path, tmp_path: Path) -> None:
    files = write_rules(tmp_path)
    said = run(promtool, tmp_path, "check", "rules", "--lint=all", "--lint-fatal", *map(str, files))
    assert said.count("SUCCESS") == len(files) == 4 + 4


def prepared(folder: Path, file: str) -> None:
    every = yaml.safe_load((CASES / file).read_text("utf-8")).get("evaluation_interval")
    write_rules(folder, every and seconds(every))
    for name in (file, BUDGETS):
        (folder / name).write_text((CASES / name).read_text("utf-8"), "utf-8")


@pytest.mark.promtool
@pytest.mark.parametrize("file", FILES)
def test_rules_fire_and_stay_quiet(promtool: Path, tmp_path: Path, file: str) -> None:
    prepared(tmp_path, file)
    assert "SUCCESS" in run(promtool, tmp_path, "test", "rules", file)


@pytest.mark.promtool
def test_a_case_can_fail(promtool: Path, tmp_path: Path) -> None:
    prepared(tmp_path, "platform.yaml")
    broken = tmp_path / "aspora-platform-alerts.yaml"
    text = broken.read_text("utf-8")
    assert "== 0 and" in text
    broken.write_text(text.replace("== 0 and", "== 9 and"), "utf-8")
    with pytest.raises(AssertionError, match="sandbox_pool_empty"):
        run(promtool, tmp_path, "test", "rules", "platform.yaml")


# -- every alert has both cases ------------------------------------------------------------------


def asked(kind: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Each question of all cases, and what it expects."""
    for file in FILES:
        for case in yaml.safe_load((CASES / file).read_text("utf-8"))["tests"]:
            for question in case.get(kind, []):
                yield question, str(question.get("exp_samples", question.get("exp_alerts")))


def covers(question: str, name: str, topic: str) -> bool:
    """Whether a question about ALERTS would show this one, if it fired."""
    if not question.startswith("ALERTS{"):
        return False
    wanted = {"alertname": name, "topic": topic, "alertstate": "firing"}
    for label, op, value in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', question):
        have = wanted[label]
        fits = have == value if op != "=~" else re.fullmatch(value, have) is not None
        if fits is (op == "!="):
            return False
    return True


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_has_a_case_that_fires_and_one_that_stays_quiet(alert: Alert) -> None:
    fires, quiet = 0, 0
    for question, expected in asked("promql_expr_test"):
        named = f'alertname="{alert.name}", alertstate="firing"' in expected
        fires += named
        quiet += not named and covers(question["expr"], alert.name, alert.topic)
    for question, expected in asked("alert_rule_test"):
        fires += question["alertname"] == alert.name and expected != "[]"
        quiet += question["alertname"] == alert.name and expected == "[]"
    assert fires, "no case fires"
    assert quiet or alert.name == "dead_mans_switch", "no case stays quiet"
