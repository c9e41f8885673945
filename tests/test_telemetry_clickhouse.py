"""Migrations, tables and sums, on a real ClickHouse engine."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest

from aspora.errors import EnvironmentFailure
from aspora.telemetry import attributes, migrations
from aspora.telemetry.exporters import DATABASE, SPANS_TABLE
from aspora.telemetry.migrations import Migration
from aspora.telemetry.records import ModelCall, SkillExecutionTrace
from tests.clickhouse import Engine, engine
from tests.core import platform, repository
from tests.executions import call as model_call
from tests.executions import execution, many

TRACES = many(300)
FILES = ("0001_spans.sql", "0002_records.sql", "0003_rollups.sql")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory, "filled") as found:
        assert migrations.apply(found.run) == FILES
        found.insert(TRACES[:100])
        found.insert(TRACES[100:])
        yield found


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory, "empty") as found:
        yield found


def skill(trace: SkillExecutionTrace) -> tuple[str, ...]:
    return (trace.domain, trace.agent_role, trace.skill_name, trace.skill_version)


def period(moment: datetime, by: str) -> str:
    return f"{moment:%Y-%m-%d %H:00:00}" if by == "hour" else f"{moment:%Y-%m-%d}"


def test_migrations_are_applied_once(filled: Engine) -> None:
    assert migrations.apply(filled.run) == ()
    rows = filled.rows("SELECT number, name, checksum FROM schema_migrations ORDER BY number")
    assert [row["name"] for row in rows] == list(FILES)
    assert [row["checksum"] for row in rows] == [m.checksum for m in migrations.migrations()]


def test_every_statement_can_be_repeated(filled: Engine) -> None:
    before = filled.rows("SELECT count() AS n FROM executions")
    for migration in migrations.migrations():
        for statement in migration.statements():
            filled.run(statement)
    assert filled.rows("SELECT count() AS n FROM executions") == before


def test_executions_hold_what_the_records_say(filled: Engine) -> None:
    rows = {row["trace_id"]: row for row in filled.rows("SELECT * FROM executions")}
    assert len(rows) == len(TRACES)
    for trace in TRACES:
        row = rows[trace.trace_id]
        assert (row["domain"], row["agent_role"], row["skill_name"], row["skill_version"]) == skill(
            trace
        )
        assert row["started_at"] == f"{trace.started_at:%Y-%m-%d %H:%M:%S.%f}"
        assert int(row["duration_ms"]) == trace.duration_ms
        assert row["success"] is trace.success
        assert row["error_type"] == (trace.error.type if trace.error else "")
        assert row["trigger_type"] == trace.trigger_type
        assert (row["model_cost_usd"] is None) == (trace.model_cost is None)
        if trace.model_cost is not None:
            assert Decimal(str(row["model_cost_usd"])) == trace.model_cost
        assert row["confidence"] == trace.output.confidence
        assert int(row["input_tokens"]) == trace.total_tokens.input
        assert (row["environment"], row["user_id"], row["session_id"]) == ("staging", "u-17", "s-4")


def test_a_whole_execution_and_call_as_they_stand_in_the_tables(empty: Engine) -> None:
    migrations.apply(empty.run)
    empty.insert([execution(7)])
    row = empty.rows("SELECT * FROM executions")[0]
    assert (row["actions_taken"], row["cpu_millis"], row["memory_mb"], row["io_bytes"]) == (
        ["assign", "note"],
        40,
        210,
        9000,
    )
    call = empty.rows("SELECT * FROM model_calls ORDER BY span_id")[0]
    assert call == {
        "started_at": "2026-11-02 22:30:00.000000",
        "trace_id": f"{7:032x}",
        "span_id": f"{701:016x}",
        "execution_span_id": f"{700:016x}",
        "environment": "staging",
        "domain": "ecm",
        "agent_role": "field",
        "skill_name": "my-tickets",
        "skill_version": "1.2.0",
        "provider": "openrouter",
        "model": "claude-haiku-4-5",
        "response_model": "claude-haiku-4-5-20251001",
        "finish_reasons": ["stop"],
        "latency_ms": 1200,
        "time_to_first_token_ms": 350,
        "input_tokens": 1000,
        "output_tokens": 200,
        "cache_read_tokens": 400,
        "cache_creation_tokens": 100,
        "cost_usd": 0.001665,
        "cost_source": "list",
        "error_type": "",
    }


def test_the_smallest_costs_are_not_lost(empty: Engine) -> None:
    migrations.apply(empty.run)
    tiny = model_call(1, cost=Decimal("0.0000005"), cost_source="provider")  # as text: 5e-07
    empty.insert([execution(7, model_calls=(tiny,))])
    assert empty.rows("SELECT toString(cost_usd) AS usd FROM model_calls") == [{"usd": "0.0000005"}]
    assert empty.rows("SELECT toString(sum(cost_usd)) AS usd FROM cost_by_day") == [
        {"usd": "0.0000005"}
    ]


@pytest.mark.parametrize("by", ["hour", "day"])
def test_cost_sums_equal_a_plain_computation(filled: Engine, by: str) -> None:
    wanted: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    cost: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for trace in TRACES:
        for call in trace.model_calls:
            key = (period(call.started_at, by), *skill(trace), call.provider, call.model)
            wanted[key].update(_counted(call))
            cost[key] += call.cost or 0
    columns = (
        *("calls", "unpriced_calls", "errors"),
        *("input_tokens", "output_tokens", "unpriced_tokens"),
    )
    sums = ", ".join(f"sum({name}) AS {name}" for name in columns)
    keys = f"{by}, domain, agent_role, skill_name, skill_version, provider, model"
    rows = filled.rows(
        f"SELECT {keys}, {sums}, toString(sum(cost_usd)) AS cost FROM cost_by_{by} GROUP BY {keys}"
    )
    assert len(rows) == len(wanted) > 20
    for row in rows:
        key = tuple(row[name] for name in keys.split(", "))
        assert {name: int(row[name]) for name in columns} == {
            name: wanted[key][name] for name in columns
        }
        assert Decimal(row["cost"]) == cost[key]
    assert any(row["unpriced_calls"] for row in rows)


def _counted(call: ModelCall) -> dict[str, int]:
    return {
        "calls": 1,
        "unpriced_calls": not call.priced,
        "errors": call.error_type is not None,
        "input_tokens": call.tokens.input,
        "output_tokens": call.tokens.output,
        "unpriced_tokens": 0 if call.priced else call.tokens.total,
    }


@pytest.mark.parametrize("by", ["hour", "day"])
def test_quality_sums_equal_a_plain_computation(filled: Engine, by: str) -> None:
    wanted: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for trace in TRACES:
        for moment, counts in _judged(trace):
            wanted[period(moment, by), *skill(trace)].update(counts)
    columns = (
        *("executions", "errors", "confidence_count", "accepted", "corrected", "rejected"),
        *("rating_sum", "rating_count", "hallucination_checks", "hallucinations"),
        *("quality_checks", "quality_failures"),
    )
    sums = ", ".join(f"sum({name}) AS {name}" for name in columns)
    keys = f"{by}, domain, agent_role, skill_name, skill_version"
    rows = filled.rows(f"SELECT {keys}, {sums} FROM quality_by_{by} GROUP BY {keys}")
    assert len(rows) == len(wanted) > 10
    for row in rows:
        key = tuple(row[name] for name in keys.split(", "))
        assert {name: int(row[name]) for name in columns} == {
            name: wanted[key][name] for name in columns
        }


def _judged(trace: SkillExecutionTrace) -> Iterator[tuple[datetime, dict[str, int]]]:
    confident = trace.output.confidence is not None
    counts = {"executions": 1, "errors": not trace.success, "confidence_count": confident}
    yield trace.started_at, {name: int(count) for name, count in counts.items()}
    said = trace.feedback
    if said:
        rated = said.rating is not None
        yield (
            said.given_at,
            {said.verdict: 1, "rating_sum": said.rating or 0, "rating_count": int(rated)},
        )
    for made in trace.evaluations:
        failed = "hallucinations" if made.name == "hallucination" else "quality_failures"
        yield made.made_at, {f"{made.name}_checks": 1, failed: int(not made.passed)}


def test_quantiles_come_from_the_merged_states(filled: Engine) -> None:
    rows = filled.rows(
        "SELECT quantilesTDigestMerge(0.5, 0.95, 0.99)(duration_ms) AS q FROM quality_by_day"
    )
    durations = sorted(trace.duration_ms for trace in TRACES)
    for share, found in zip((0.5, 0.95, 0.99), rows[0]["q"], strict=True):
        assert abs(found - durations[int(share * len(durations))]) < 600


def test_a_changed_migration_is_refused_before_anything_runs(filled: Engine) -> None:
    first, *rest = migrations.migrations()
    changed = Migration(first.number, first.name, first.text + "\n-- better")
    more = Migration(9, "0009_more.sql", "CREATE TABLE more (x UInt8) ENGINE = Memory;")
    with pytest.raises(EnvironmentFailure) as caught:
        migrations.apply(filled.run, [changed, *rest, more])
    assert caught.value.message == (
        "migration 0001_spans.sql was changed after it had been applied"
    )
    assert caught.value.hint == (
        "restore the file as it was, and write the change as a migration of its own"
    )
    assert filled.run("EXISTS TABLE more") == [["0"]]


def test_a_database_of_a_newer_version_is_left_alone(filled: Engine) -> None:
    with pytest.raises(EnvironmentFailure) as caught:
        migrations.apply(filled.run, migrations.migrations()[:2])
    assert caught.value.message == (
        "the database has migration 0003_rollups.sql, which this version of aspora does not know"
    )
    assert caught.value.hint == "use the version that applied it, or a newer one"


def test_a_run_that_died_halfway_goes_on(empty: Engine) -> None:
    left = [10]

    def dying(sql: str) -> list[list[str]]:
        left[0] -= 1
        if left[0] == 0:
            raise ConnectionError("gone")
        return empty.run(sql)

    with pytest.raises(ConnectionError):
        migrations.apply(dying)
    assert migrations.apply(empty.run) == FILES[1:]
    assert migrations.apply(empty.run) == ()


def test_numbers_are_in_order_and_each_once() -> None:
    assert [migration.number for migration in migrations.migrations()] == [1, 2, 3]
    assert tuple(migration.name for migration in migrations.migrations()) == FILES


def test_in_a_cluster_every_table_is_replicated() -> None:
    for migration in migrations.migrations():
        alone = "\n".join(migration.statements())
        copied = "\n".join(migration.statements(replicated=True))
        engines = re.findall(r"ENGINE = (\w+)", alone)
        assert re.findall(r"ENGINE = (\w+)", copied) == [f"Replicated{name}" for name in engines]


def test_every_table_forgets_and_none_keeps_content(filled: Engine) -> None:
    tables = filled.rows(
        "SELECT name, engine_full FROM system.tables WHERE database = 'filled' "
        "AND engine NOT IN ('MaterializedView') AND name != 'schema_migrations'"
    )
    days = {
        row["name"]: re.findall(r"toIntervalDay\((\d+)\)", row["engine_full"]) for row in tables
    }
    assert days == {
        "otel_traces": ["30"],
        "executions": ["400"],
        "model_calls": ["400"],
        "feedback": ["400"],
        "evaluations": ["400"],
        "cost_by_hour": ["90"],
        "cost_by_day": ["1827"],
        "quality_by_hour": ["90"],
        "quality_by_day": ["1827"],
    }
    text = "".join(migration.text for migration in migrations.migrations())
    assert [name for name in attributes.CONTENT if name in text] == []


def test_views_read_attributes_that_agents_send() -> None:
    pinned = {each.name for each in attributes.ATTRIBUTES}
    text = "".join(migration.text for migration in migrations.migrations())
    used = set(re.findall(r"Attributes\['([^']+)'\]", text))
    assert used <= pinned
    unread = pinned - used - set(attributes.CONTENT)
    assert unread == {
        "service.name",
        "openinference.project.name",
        "gen_ai.operation.name",
        "gen_ai.agent.name",
        "gen_ai.request.temperature",
        "gen_ai.request.max_tokens",
    }
    assert f"FROM {SPANS_TABLE}" in text


def test_access_is_by_domain(filled: Engine) -> None:
    domains = repository()
    statements = migrations.access(domains)
    for statement in statements:
        filled.run(f"EXPLAIN AST {statement}")  # chdb has no users: the grammar alone is checked
    for domain in domains:
        for table in migrations.READ_BY_TEAMS:
            assert (
                f"CREATE ROW POLICY OR REPLACE `{domain.name}` ON {table} "
                f"USING domain = '{domain.name}' TO `aspora-team-{domain.name}`"
            ) in statements
    granted = [s for s in statements if s.startswith("GRANT") and "`aspora-collector`" in s]
    assert granted == ["GRANT INSERT ON otel_traces TO `aspora-collector`"]
    assert [s for s in statements if "otel_traces" in s and "team" in s] == []


# -- in the cluster ------------------------------------------------------------------------------


def test_every_statement_of_a_migration_may_be_repeated() -> None:
    """The Job that runs them knows of no ledger."""
    for one in migrations.migrations():
        for statement in one.statements():
            assert re.match(r"CREATE (TABLE|MATERIALIZED VIEW) IF NOT EXISTS ", statement), one.name


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_a_job_makes_the_tables_in_the_database_the_collector_writes_to(stack: str) -> None:
    objects = {(obj["kind"], obj["metadata"]["name"]): obj for obj in platform(stack).stores}
    (name,) = [name for kind, name in objects if kind == "Job" and "tables" in name]
    text = objects["ConfigMap", name]["data"]["tables.sql"]
    for table in (SPANS_TABLE, *migrations.READ_BY_TEAMS):
        assert f"CREATE TABLE IF NOT EXISTS {table} (" in text
    assert "ENGINE = ReplicatedMergeTree" in text
    (container,) = objects["Job", name]["spec"]["template"]["spec"]["containers"]
    assert f"--database={DATABASE}" in container["command"]
    (databases,) = objects["Job", "clickhouse-databases"]["spec"]["template"]["spec"]["containers"]
    replicated = f"{DATABASE} ON CLUSTER default ENGINE = Replicated("
    assert replicated in databases["command"][-1]
