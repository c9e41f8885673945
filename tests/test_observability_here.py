"""`up --observability`: our configurations on one machine, made-up executions, and processes."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from aspora.errors import LocalPlatformError, ToolUnavailable, UsageError
from aspora.observe.rules import rules
from aspora.resolve import workloads
from aspora.telemetry import metrics, spans
from aspora.telemetry.collector import agent_config, gateway_config
from local import commands, platform, processes, report, screens
from local.environments import PHOENIX
from local.observability import configs, executions, flow, results, sending, servers
from local.observability.configs import Ports
from local.observability.results import Results, Row
from local.observability.servers import Programs
from local.paths import Paths
from local.progress import QuietProgress
from local.toolchain import OPTIONAL, where
from tests import collectors
from tests.core import ROOT, repository, settings

PORTS = Ports(*range(21001, 21012))
TLS = Path("/state/tls")
END = datetime(2026, 11, 2, 12, tzinfo=UTC)
TIERS = {"agent": configs.agent, "gateway": configs.gateway}
HERE = Paths.from_environment(os.environ)
TOOLS = where(("otelcol", "prometheus", "promtool"), HERE, tools=OPTIONAL)


def config(tier: str, tls: Path = TLS) -> dict[str, Any]:
    return TIERS[tier](settings(), repository(), PORTS, tls)


# Configurations.


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.skipif(TOOLS["otelcol"] is None, reason="the collector (otelcol) is not built")
def test_the_collector_finds_nothing_wrong(tier: str, tmp_path: Path) -> None:
    assert TOOLS["otelcol"]
    assert collectors.validate(TOOLS["otelcol"], config(tier), tmp_path) == ""


@pytest.mark.promtool
@pytest.mark.skipif(TOOLS["promtool"] is None, reason="promtool is not built")
def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    file, rules_file = tmp_path / "prometheus.json", tmp_path / "rules.json"
    file.write_text(json.dumps(configs.prometheus(PORTS, rules_file)), "utf-8")
    rules_file.write_text(json.dumps(configs.rule_groups(settings(), repository())), "utf-8")
    done = subprocess.run(
        [str(TOOLS["promtool"]), "check", "config", file],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"SUCCESS: (\d+) rules found", done.stdout)


@pytest.mark.parametrize("tier", TIERS)
def test_every_address_is_of_this_machine(tier: str) -> None:
    text = json.dumps(config(tier))
    assert not re.search(
        r"svc\.cluster|0\.0\.0\.0|/etc/otel|\$\{env:|https?://(?!127\.0\.0\.1)", text
    )
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) <= {
        str(port) for port in dataclasses.asdict(PORTS).values()
    }


@pytest.mark.parametrize("tier", TIERS)
def test_every_component_is_used_and_defined(tier: str) -> None:
    found = config(tier)
    pipelines = found["service"]["pipelines"].values()
    connectors = set(found["connectors"])
    for section in ("receivers", "processors", "exporters"):
        used = {name for each in pipelines for name in each[section]}
        both_ways = connectors if section != "processors" else set()
        assert used == set(found[section]) | both_ways, section


def test_what_masks_and_counts_is_the_platform_s() -> None:
    ours, here = gateway_config(settings(), repository()), config("gateway")
    assert set(ours["processors"]) - set(here["processors"]) == {
        "filter/records",
        "transform/content",
        "batch/clickhouse",
    }
    changed = {
        name for name, each in here["processors"].items() if each != ours["processors"][name]
    }
    assert changed == {"tail_sampling"}
    assert here["connectors"]["signal_to_metrics"] == ours["connectors"]["signal_to_metrics"]
    assert set(here["exporters"]) == {"otlp_http/phoenix", "prometheus"}
    before = agent_config(settings(), repository())["processors"]
    assert set(before) - set(config("agent")["processors"]) == {
        "resource/identity",
        "k8s_attributes",
    }


def test_both_tiers_ask_for_certificates() -> None:
    listening = [
        protocol
        for tier in TIERS
        for receiver in config(tier)["receivers"].values()
        for protocol in receiver["protocols"].values()
    ]
    assert len(listening) == 3
    assert {each["tls"]["client_ca_file"] for each in listening} == {"/state/tls/ca.crt"}


def test_the_rules_are_the_platform_s_unchanged() -> None:
    wanted = [group for each in rules(repository(), settings()) for group in each["spec"]["groups"]]
    assert configs.rule_groups(settings(), repository()) == {"groups": wanted}


def test_the_page_asks_for_metrics_of_the_table() -> None:
    page = (ROOT / "local/observability/consoles/index.html").read_text("utf-8")
    known = {m.name for m in metrics.METRICS} | {f"{m.name}_bucket" for m in metrics.METRICS}
    labels = {"skill_name"}
    asked = set(re.findall(r"\bskill_\w+", page))
    assert len(asked) > 4
    assert asked - labels <= known


# Executions.


def test_the_same_executions_for_the_same_seed() -> None:
    first, second = (executions.make(repository(), END) for _ in range(2))
    assert first == second
    moved = executions.make(repository(), END + timedelta(days=1))
    assert [t.trace_id for _, t in moved] == [t.trace_id for _, t in first]


def test_they_are_of_every_skill_and_hold_what_is_to_be_shown() -> None:
    made = executions.make(repository(), END)
    assert len(made) == 1000
    assert {skill.id for skill, _ in made} == {w.id for d in repository() for w in workloads(d)}
    traces = [trace for _, trace in made]
    ids = [t.trace_id for t in traces] + [s["spanId"] for t in traces for s in spans.spans(t)]
    assert len(ids) == len(set(ids))
    assert 20 < sum(not t.success for t in traces) < 200
    assert sum(t.feedback is not None for t in traces) > 100
    calls = Counter((c.model, c.priced) for t in traces for c in t.model_calls)
    assert calls[executions.UNPRICED, False] > 10
    assert all(priced for model, priced in calls if model != executions.UNPRICED)
    text = json.dumps([spans.spans(t) for t in traces])
    for example in executions.PERSONAL:
        assert example in text
    assert max(t.completed_at for t in traces) <= END
    assert min(t.completed_at for t in traces) >= END - executions.HOUR


def test_all_of_them_are_sent_in_requests_of_some() -> None:
    made = executions.make(repository(), END, count=60)
    bodies = list(sending.requests(made))
    assert [len(body["resourceSpans"]) for body in bodies] == [25, 25, 10]
    held = bodies[0]["resourceSpans"][0]["resource"]["attributes"]
    assert spans.decoded(held)["service.name"] == made[0][0].name


@pytest.mark.parametrize("count", [1, 50, 51, 1000])
def test_waves_are_all_of_them_and_the_first_is_small(count: int) -> None:
    made = executions.make(repository(), END, count=count)
    found = flow.waves(made)
    assert [each for wave in found for each in wave] == made
    assert len(found[0]) <= flow.FIRST
    assert len(found) <= flow.WAVES
    assert all(found)


# What the screen shows.

ROWS = (Row("ecm", 168, 6, 1.98, 10, 49, 1623), Row("wealth", 75, 0, 0.5, 0, 6, 257))


def test_the_table_and_what_follows_it() -> None:
    found = Results(ROWS, 0, ("dead_mans_switch (firing)",))
    assert flow.shown(found) == [
        "",
        "Synthetic executions, as Prometheus (spans: Phoenix) has them:",
        "DOMAIN  EXECUTIONS  ERRORS  MODEL USD  UNPRICED CALLS  RATED  SPANS",
        "ecm            168       6       1.98              10     49  1,623",
        "wealth          75       0       0.50               0      6    257",
        "all            243       6       2.48              10     55  1,880",
        "Personal data found unmasked in Phoenix: 0",
        "Alerts: dead_mans_switch (firing)",
    ]
    assert flow.shown(Results((), 0, ()))[-1] == (
        "Alerts: none yet; rules are read every 1 to 4 minutes"
    )


def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(LocalPlatformError) as caught:
        results.counted(dataclasses.replace(PORTS, prometheus=1))
    assert caught.value.message.startswith(
        "http://127.0.0.1:1/api/v1/query does not answer as it should:"
    )
    assert caught.value.hint == "run `aspora up --observability` again"


def test_executions_that_do_not_arrive_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "SECONDS", 0.0)
    with QuietProgress().step("x") as step, pytest.raises(LocalPlatformError) as caught:
        flow._wait(lambda: 3, 1000, "executions", "Prometheus", step)
    assert caught.value.message == ("of 1,000 executions, 3 arrived in Prometheus within 0 s")


def test_the_collector_refusing_is_an_error(tmp_path: Path) -> None:
    from local.pki import Authority

    Authority(tmp_path, "ca").issue("agent", "aspora/agent")
    with pytest.raises(LocalPlatformError, match="the collector does not take executions: "):
        sending.send(executions.make(repository(), END, count=1), 1, tmp_path)


def _status(observability: dict[str, str]) -> report.Status:
    return report.Status("local", "s", "k", "a", "x", (), observability=observability)


def test_status_lists_them_with_their_addresses() -> None:
    found = _status({"Phoenix": "http://127.0.0.1:1", "Prometheus": report.NOT_RUNNING})
    assert screens._observability(found) == [
        "",
        "Observability, with synthetic data:",
        "  Phoenix         http://127.0.0.1:1",
        "  Prometheus      not running",
        "  `aspora up --observability` starts all of it again",
    ]
    assert screens._observability(_status({})) == []


# Processes, with scripts in the place of programs.


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    paths = Paths(tmp_path / "cache", tmp_path / "state")
    yield paths
    servers.down(paths, QuietProgress())


def programs(folder: Path, text: str) -> Programs:
    """A program of each name that runs `text` in Python."""
    folder.mkdir()
    for name in ("otelcol", "prometheus", "python"):
        file = folder / name
        file.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return Programs(folder / "otelcol", folder / "prometheus", folder / "python")


def up(paths: Paths, found: Programs) -> Ports:
    return servers.up(found, settings(), repository(), paths, QuietProgress())


def test_a_program_that_ends_is_told_with_its_last_words(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(LocalPlatformError) as caught:
        up(paths, programs(tmp_path / "bin", "echo no room; exit 1"))
    assert caught.value.message == "Phoenix did not start"
    assert caught.value.hint == f"no room\nIts log: {paths.logs / 'phoenix.log'}"
    assert servers.status(paths) == {}
    servers.down(paths, QuietProgress())
    assert not paths.observability.exists()
    assert not (paths.logs / "phoenix.log").exists()


def test_one_that_listens_to_the_world_is_stopped(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import socket,sys,time; s=socket.create_server(('0.0.0.0', 0)); time.sleep(60)"
    found = programs(tmp_path / "bin", f'exec {sys.executable} -c "{code}" "$@"')
    monkeypatch.setattr(servers, "_answers", lambda _: _listens(paths))
    with pytest.raises(LocalPlatformError, match=r"^Phoenix listens on 0\.0\.0\.0, port \d+, not"):
        up(paths, found)
    assert not _ours(paths)


def _ours(paths: Paths) -> list[psutil.Process]:
    marked = f"aspora_state={paths.state}"
    found = []
    for process in psutil.process_iter():
        try:
            if marked in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def _listens(paths: Paths) -> bool:
    return any(process.net_connections("tcp") for process in _ours(paths))


def test_what_was_recorded_and_does_not_run_is_not_up(paths: Paths) -> None:
    paths.observability.mkdir(parents=True)
    record = paths.observability / "ports.json"
    record.write_text(json.dumps(dataclasses.asdict(PORTS)))
    assert set(servers.status(paths).values()) == {report.NOT_RUNNING}
    assert servers.ports(paths) is None
    record.write_text("{")
    assert servers.status(paths) == {}


def test_nothing_to_stop_is_fine(paths: Paths) -> None:
    progress = QuietProgress()
    servers.down(paths, progress)
    assert progress.lines == []


def test_down_of_the_platform_takes_it_down(paths: Paths) -> None:
    paths.observability.mkdir(parents=True)
    assert platform.down(paths, QuietProgress())
    assert not paths.state.exists()


# The command.


def test_it_is_for_this_machine() -> None:
    for more in ([], ["--simulate"]):
        result = CliRunner().invoke(
            commands.up, ["--observability", "--stack", "staging", *more], standalone_mode=False
        )
        assert isinstance(result.exception, UsageError)
        assert result.exception.message == (
            "`--observability` is for this machine; staging has its own"
        )


def test_a_failure_leaves_the_platform_up_and_says_so(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ToolUnavailable("otelcol cannot be had", hint="build it")

    monkeypatch.setattr(flow, "up", fail)
    wanted: Any = None
    with pytest.raises(ToolUnavailable) as caught:
        commands._observed(wanted, paths, QuietProgress())
    assert caught.value.message == (
        "the platform is up, its observability is not: otelcol cannot be had"
    )
    assert caught.value.hint == "build it"


def test_nothing_of_it_is_imported_without_the_option() -> None:
    code = (
        "import sys, local.commands, local.platform, local.report, local.screens;"
        " print([m for m in sys.modules if 'observability' in m])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("given", "flag"), [("OBSERVABILITY=1", True), ("OBSERVABILITY=0", False), ("X=1", False)]
)
def test_make_passes_it_on(given: str, flag: bool) -> None:
    # `make test` hands its own flags down; one that prints folders would be in the answer.
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-n", "-o", ".venv/.runtime", "up", given],
        cwd=ROOT,
        env=outside,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip().endswith("up --observability") == flag, done.stdout


def test_the_lock_file_pins_phoenix() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", PHOENIX.version)
    assert "--hash=sha256:" in PHOENIX.lock.read_text("utf-8")


# All of it.


def _missing() -> list[str]:
    missing = [name for name in ("otelcol", "prometheus") if TOOLS[name] is None]
    return missing + ([] if any((HERE.cache / "phoenix").glob("*/bin/python")) else ["phoenix"])


@pytest.mark.engine
@pytest.mark.skipif(bool(_missing()), reason=f"not installed: {', '.join(_missing())}")
def test_executions_are_counted_masked_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executions, "make", partial(executions.make, count=150))
    paths = Paths(HERE.cache, tmp_path / "state")
    wanted, progress = platform.read(ROOT), QuietProgress()
    try:
        found = flow.up(wanted, paths, progress)
        assert sum(row.executions for row in found.rows) == 150
        assert {row.domain for row in found.rows} == {d.name for d in repository()}
        assert all(row.spans > row.executions > 0 for row in found.rows)
        assert sum(row.unpriced for row in found.rows) > 0
        assert found.unmasked == 0
        assert report.NOT_RUNNING not in servers.status(paths).values()
        again = flow.up(wanted, paths, progress)
        assert again.rows == found.rows
        assert progress.lines[-1] == (
            "the collector, Prometheus and Phoenix were up already; nothing is sent"
        )
        processes.stop(servers._running(paths)[:1])
        assert servers.ports(paths) is None
    finally:
        servers.down(paths, progress)
    assert servers._running(paths) == []
    assert not paths.observability.exists()
