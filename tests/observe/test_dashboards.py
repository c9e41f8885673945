"""Dashboards: the brief's three, one for the service level, one for each domain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from aspora import names
from aspora.observe import owners_dashboards as boards
from aspora.observe.dashboards import worse_down, worse_up
from aspora.observe.grafana import DATASOURCE, dashboard_json, domain_json
from aspora.observe.skill_alerts import LATENCY_SECONDS
from tests.core import ROOT, python, repository
from tests.observe.lab import dashboards, of_kind, panel_queries

LIMIT = 1 << 20
"""Of a ConfigMap's data (Kubernetes API reference)."""


def panels(uid: str) -> dict[str, Any]:
    return {panel["title"]: panel for panel in dashboards()[uid]["panels"]}


def test_every_dashboard_is_there_and_has_its_address() -> None:
    wanted = {"aspora-activity", "aspora-quality", "aspora-cost", "aspora-slo"}
    assert set(dashboards()) == wanted | {f"aspora-domain-{d.name}" for d in repository()}
    for uid, board in dashboards().items():
        assert board["uid"] == uid
        assert len(uid) <= boards.UID_LIMIT
        assert not board["editable"]
        assert board["timezone"] == "utc"
    assert len(boards.domain_uid("x" * 63)) == boards.UID_LIMIT


@pytest.mark.parametrize("name", ["fraud", "a", "x" * 63])
def test_a_domains_dashboard_is_the_one_that_the_sdk_writes_for_it(name: str) -> None:
    assert domain_json(name, "repo", "traces") == dashboard_json(
        boards.domain(name), "repo", "traces"
    )


def test_the_sidecar_finds_them() -> None:
    found = [obj for obj in of_kind("ConfigMap") if obj["metadata"]["name"].startswith("dashboard")]
    assert len(found) == len(dashboards())
    for obj in found:
        meta = obj["metadata"]
        assert meta["namespace"] == names.OBSERVABILITY_NAMESPACE
        assert meta["labels"]["grafana_dashboard"] == "1"
        assert sum(map(len, obj["data"].values())) < LIMIT / 10


@pytest.mark.parametrize("uid", sorted(dashboards()))
def test_a_dashboard_is_whole(uid: str) -> None:
    board = dashboards()[uid]
    numbers = [panel["id"] for panel in board["panels"]]
    assert numbers == list(range(1, len(numbers) + 1))
    for panel in board["panels"]:
        assert panel["datasource"] == {"type": "prometheus", "uid": DATASOURCE}
        assert panel["fieldConfig"]["defaults"]["unit"]
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[0]["value"] is None
        assert all(
            target["datasource"] == panel["datasource"] and target["instant"] ^ target["range"]
            for target in panel["targets"]
        )
        for link in panel.get("links", []):
            assert link["url"].startswith("https://")


def test_panels_do_not_overlap() -> None:
    for uid, board in dashboards().items():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken, (uid, panel["title"])
            assert at["x"] + at["w"] <= 24
            taken |= cells


def test_an_agent_at_100_percent_is_saturated() -> None:
    for uid in ("aspora-activity", "aspora-domain-ecm"):
        field = panels(uid)["Busy, last five minutes"]["fieldConfig"]["defaults"]
        assert field["thresholds"]["steps"][-1] == {"color": "red", "value": 1.0}
        (mapping,) = field["mappings"]
        assert mapping["options"]["from"] == 1.0
        assert mapping["options"]["result"]["text"] == "SATURATED"


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ("Success rate", ["CRITICAL", "DECLINING", "HEALTHY"]),
        ("User acceptance", ["CRITICAL", "DECLINING", "HEALTHY"]),
        ("Confidence", ["CRITICAL", "DECLINING", "HEALTHY"]),
        ("Hallucination rate", ["HEALTHY", "RISING", "CRITICAL"]),
    ],
)
def test_a_measure_of_quality_has_its_words(measure: str, words: list[str]) -> None:
    state = panels("aspora-quality")[f"{measure}, state"]["fieldConfig"]["defaults"]
    assert [m["options"]["result"]["text"] for m in state["mappings"]] == words
    change = panels("aspora-quality")[f"{measure}, change"]
    assert " offset 7d" in change["targets"][0]["expr"]


def test_the_brief_s_examples_get_the_brief_s_words() -> None:
    """Its panel 2: confidence 0.87 down by 0.05 is DECLINING, hallucinations up by 0.4 CRITICAL."""
    declining = worse_down()[1]
    assert declining.low == -0.05
    assert worse_up()[-1].low == 0.004


def test_slow_is_what_the_alert_calls_slow() -> None:
    field = panels("aspora-activity")["Slowest skills: 95 % end within"]["fieldConfig"]["defaults"]
    assert field["thresholds"]["steps"][-1] == {"color": "red", "value": LATENCY_SECONDS}


def test_links_go_to_runbooks_that_exist_and_to_traces() -> None:
    urls = {
        link["url"]
        for board in dashboards().values()
        for panel in board["panels"]
        for link in panel.get("links", [])
    }
    books = {url.rpartition("/")[2] for url in urls if "/docs/runbooks/" in url}
    assert len(books) >= 7
    assert all((ROOT / "docs/runbooks" / book).exists() for book in books)
    assert urls - {url for url in urls if "/docs/runbooks/" in url} == {
        "https://langfuse.prod.aspora.internal"
    }
    local = json.dumps(dashboards("local"))
    assert "langfuse" not in local


def test_the_reader_chooses_a_domain() -> None:
    for uid in ("aspora-quality", "aspora-cost"):
        (variable,) = dashboards()[uid]["templating"]["list"]
        assert variable["name"] == "domain"
        assert variable["allValue"] == ".+"
        text = json.dumps(dashboards()[uid])
        assert text.count("$domain") >= 10


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_bytes_are_the_same(seed: str) -> None:
    code = (
        "from tests.observe.lab import of_kind; import hashlib, json;"
        "print(hashlib.sha256(json.dumps(of_kind('ConfigMap')).encode()).hexdigest())"
    )
    outcome = python("-c", code, env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)})
    here = python("-c", code, env={"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)})
    assert outcome.stdout == here.stdout != b""


# -- evaluated by real Prometheus ----------------------------------------------------------------


@pytest.mark.promtool
def test_no_panel_is_empty(promtool: Path, tmp_path: Path) -> None:
    """Every expression of every panel has an answer when the platform has worked for 15 days."""
    from tests.observe.test_promtool import run, write_rules

    others = tuple(f"aspora-domain-{d.name}:" for d in repository() if d.name != "ecm")
    files = [path.name for path in write_rules(tmp_path, 1800)]
    samples = yaml.safe_load((ROOT / "tests/promtool/samples/all.yaml").read_text("utf-8"))
    queries = [(at, expr) for at, expr in panel_queries() if not at.startswith(others)]
    asked = sorted({expr for _, expr in queries})
    assert len(asked) > 50
    case = {
        "interval": "2m",
        "input_series": samples["input_series"],
        "promql_expr_test": [
            {
                "expr": f"count({expr}) > 0 or vector(0)",
                "eval_time": "15d",
                "exp_samples": [{"labels": "{}", "value": 0}],
            }
            for expr in asked
        ],
    }
    budgets = [name for name in files if "budgets" in name]
    order = [name.removesuffix(".yaml") for name in budgets]
    groups = ["aspora-skills-now", "aspora-skills-day", "aspora-skills-week", "aspora-slo"]
    text = {
        "rule_files": [*budgets, *(name for name in files if name not in budgets)],
        "evaluation_interval": "30m",
        "group_eval_order": [*order, *groups, "aspora-skill-alerts", "aspora-platform-alerts"],
        "tests": [case],
    }
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump(text), "utf-8")
    empty = _answers_of_nothing(promtool, tmp_path, run)
    where = {expr: place for place, expr in queries}
    assert [where[expr] for expr in asked if f"count({expr}) > 0 or vector(0)" in empty] == []


def _answers_of_nothing(promtool: Path, folder: Path, run: Any) -> set[str]:
    """Each question expects 0, the answer of an empty panel: those that promtool lets pass."""
    import subprocess

    done = subprocess.run(
        [promtool, "test", "rules", "panels.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "parse error" not in said
    cases = yaml.safe_load((folder / "panels.yaml").read_text("utf-8"))["tests"][0]
    failed = {
        json.loads(line.strip().removeprefix("expr: ").rpartition(", time:")[0])
        for line in said.splitlines()
        if line.strip().startswith("expr: ")
    }
    return {each["expr"] for each in cases["promql_expr_test"]} - failed
