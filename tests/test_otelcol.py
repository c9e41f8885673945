"""The configuration on the real collector: it is valid, counts, masks, samples and exports.

Skipped where the collector has not been built: docs/telemetry.md says how.
"""

from __future__ import annotations

import copy
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from aspora.telemetry import metrics, spans
from aspora.telemetry.records import Fault, Feedback, SkillExecutionTrace
from tests import certificates, collectors
from tests.collectors import Config, Sink
from tests.core import repository, settings
from tests.executions import START, UNPRICED, call, execution
from tests.test_telemetry_collector import STACKS, TIERS, config

PROGRAM = collectors.program()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="the collector (otelcol) is not built")
SECRETS = "DE89370400440532013000 jane@example.com 4111111111111111 +971 50 123 4567"
WHO = '{agent_role="field",domain="ecm",skill_name="my-tickets"'


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("tier", TIERS)
def test_the_collector_finds_nothing_wrong(tier: str, stack: str, tmp_path: Path) -> None:
    assert PROGRAM
    assert collectors.validate(PROGRAM, config(tier, stack), tmp_path) == ""


@pytest.mark.parametrize(
    ("tier", "section", "component", "key"),
    [
        ("agent", "processors", "k8s_attributes", "pod_asociation"),
        ("agent", "exporters", "load_balancing/traces", "routing_keys"),
        ("gateway", "processors", "redaction", "block_values"),
        ("gateway", "processors", "tail_sampling", "decision_waits"),
        ("gateway", "connectors", "signal_to_metrics", "span"),
        ("gateway", "exporters", "prometheus", "translation"),
        ("gateway", "exporters", "clickhouse", "tracestable"),
        ("gateway", "exporters", "awss3", "s3upload"),
        ("gateway", "exporters", "otlp_http/langfuse", "header"),
    ],
)
def test_the_collector_finds_a_mistyped_key(
    tier: str, section: str, component: str, key: str, tmp_path: Path
) -> None:
    assert PROGRAM
    broken = copy.deepcopy(config(tier))
    broken[section][component][key] = "x"
    assert key in collectors.validate(PROGRAM, broken, tmp_path)


@dataclass
class Gateway:
    sink: Sink
    traces: int
    counts: int
    skills: int
    own: int = 0

    def send(self, trace: SkillExecutionTrace, **resource: str) -> None:
        """To both inputs, as the first tier does."""
        body = spans.request(trace, "ecm-field-my-tickets")
        held = body["resourceSpans"][0]["resource"]["attributes"]
        held += [{"key": key, "value": {"stringValue": text}} for key, text in resource.items()]
        for port in (self.traces, self.counts):
            collectors.post(port, "/v1/traces", body)


def on_this_machine(found: Config, sink: Sink, gateway: Gateway, health: int, own: int) -> Config:
    """The configuration with addresses of this machine, without TLS, and with little patience."""
    here = copy.deepcopy(found)
    for name, port in (("otlp", gateway.traces), ("otlp/count", gateway.counts)):
        here["receivers"][name] = {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}
    for name in ("langfuse", "opik", "phoenix"):
        exporter = here["exporters"][f"otlp_http/{name}"]
        path = exporter["endpoint"].split(":", 2)[2].partition("/")[2]
        exporter |= {"endpoint": f"{sink.url}/{name}/{path}".rstrip("/"), "encoding": "json"}
    here["exporters"]["clickhouse"] = None
    here["exporters"] = {
        "otlp_http/tables" if name == "clickhouse" else name: exporter
        or {"endpoint": f"{sink.url}/tables", "encoding": "json"}
        for name, exporter in here["exporters"].items()
    }
    here["service"]["pipelines"]["traces/records"]["exporters"] = ["otlp_http/tables"]
    here["exporters"]["awss3"]["s3uploader"] |= {
        "endpoint": sink.url,
        "s3_force_path_style": True,
        "compression": "",
    }
    here["exporters"]["prometheus"]["endpoint"] = f"127.0.0.1:{gateway.skills}"
    here["processors"]["tail_sampling"] |= {
        "decision_wait": "2s",
        "decision_wait_after_root_received": "1s",
    }
    for name in ("batch", "batch/clickhouse", "batch/logs"):
        here["processors"][name]["timeout"] = "200ms"
    here["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{health}"
    readers = here["service"]["telemetry"]["metrics"]["readers"]
    readers[0]["pull"]["exporter"]["prometheus"]["port"] = own
    return here


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    assert PROGRAM
    with collectors.sink() as taken:
        ports = [collectors.free_port() for _ in range(5)]
        found = Gateway(taken, ports[0], ports[1], ports[2], ports[4])
        here = on_this_machine(config("gateway", "prod"), taken, found, *ports[3:])
        with collectors.running(PROGRAM, here, tmp_path, ports[3]):
            yield found


def rated(number: int) -> SkillExecutionTrace:
    said = Feedback(span_id=f"{number:016x}", given_at=START, accepted=True, rating=5)
    return execution(number, feedback=said)


def test_executions_become_the_metrics_of_the_table(gateway: Gateway) -> None:
    gateway.send(rated(1))
    gateway.send(execution(2, error=Fault(type="ToolError", message="no"), trigger_type="alert"))
    gateway.send(execution(3, model_calls=(call(301, UNPRICED),), skill_version="not a version!"))
    collectors.until(
        lambda: (
            sum(
                value
                for name, value in collectors.scrape(gateway.skills).items()
                if name.startswith("skill_executions_total")
            )
            == 3
        )
    )
    found = collectors.scrape(gateway.skills)
    named = {_sorted(name): value for name, value in found.items()}
    wanted = {
        'skill_executions_total{%s,outcome="success",skill_version="1.2.0"}': 1,
        'skill_executions_total{%s,outcome="error",skill_version="1.2.0"}': 1,
        'skill_executions_total{%s,outcome="success",skill_version="unknown"}': 1,
        'skill_execution_duration_seconds_bucket{%s,le="2.5"}': 3,
        'skill_execution_duration_seconds_bucket{%s,le="1"}': 0,
        "skill_execution_duration_seconds_sum{%s}": 6,
        'skill_model_cost_usd_total{%s,model="claude-haiku-4-5"}': 0.00333,
        'skill_model_cost_usd_total{%s,model="claude-sonnet-4-5"}': 0.00999,
        'skill_model_calls_total{%s,model="claude-haiku-4-5",priced="true"}': 2,
        'skill_model_calls_total{%s,model="other",priced="false"}': 1,
        'skill_model_tokens_total{%s,model="claude-haiku-4-5",token_type="input"}': 1000,
        'skill_model_tokens_total{%s,model="claude-haiku-4-5",token_type="cache_read"}': 800,
        'skill_model_tokens_total{%s,model="claude-haiku-4-5",token_type="cache_creation"}': 200,
        'skill_model_tokens_total{%s,model="other",token_type="output"}': 200,
        'skill_feedback_total{%s,skill_version="1.2.0",verdict="accepted"}': 1,
        'skill_confidence_ratio_bucket{%s,le="0.9"}': 3,
        'skill_confidence_ratio_bucket{%s,le="0.8"}': 0,
    }
    for name, value in wanted.items():
        key = _sorted(name % WHO[1:])
        assert named.get(key) == pytest.approx(value), (key, sorted(named))
    assert not [name for name in named if "model_cost" in name and "other" in name]


def _sorted(series: str) -> str:
    """With its labels in order; le="1" and le="1.0" are one."""
    name, _, labels = series.partition("{")
    held = sorted(re.findall(r'(\w+)="([^"]*)"', labels))
    return name + str([(k, str(float(v)) if k == "le" else v) for k, v in held])


def test_series_have_the_labels_of_the_table_and_no_others(gateway: Gateway) -> None:
    gateway.send(rated(1), pod="ecm-field-1")
    gateway.send(rated(2), pod="ecm-field-2")
    collectors.until(lambda: any("feedback" in name for name in collectors.scrape(gateway.skills)))
    known = {m.name: set(m.labels) for m in metrics.METRICS}
    for series in collectors.scrape(gateway.skills):
        name = series.partition("{")[0]
        base = re.sub(r"_(bucket|sum|count)\Z", "", name)
        assert base in known, series
        labels = set(re.findall(r'(\w+)="', series)) - {"le"}
        assert labels == known[base], series


def test_the_collector_s_own_metrics_have_their_usual_names(gateway: Gateway) -> None:
    gateway.send(execution(1))
    wanted = {
        "otelcol_receiver_accepted_spans_total",
        "otelcol_receiver_refused_spans_total",
        "otelcol_exporter_sent_spans_total",
        "otelcol_exporter_queue_size",
    }
    # What was sent is counted when its answer is there, a moment after it has arrived.
    collectors.until(
        lambda: wanted <= {series.partition("{")[0] for series in collectors.scrape(gateway.own)}
    )
    assert "otel_scope" not in "".join(collectors.scrape(gateway.own))


def test_counts_add_up_over_many_requests(gateway: Gateway) -> None:
    for number in range(1, 41):
        gateway.send(execution(number))
    series = 'skill_model_calls_total{%s,model="claude-haiku-4-5",priced="true"}'
    key = _sorted(series % WHO[1:])
    collectors.until(
        lambda: {_sorted(n): v for n, v in collectors.scrape(gateway.skills).items()}.get(key) == 40
    )


def test_personal_data_is_masked_wherever_it_stands(gateway: Gateway) -> None:
    messages = ({"role": "user", "content": f"pay {SECRETS}"},)
    trace = execution(
        5,
        error=Fault(type="ToolError", message=f"refused {SECRETS}", stack=f"at {SECRETS}"),
        model_calls=(call(501, messages=messages, content=f"paid {SECRETS}"),),
        user_id="jane@example.com",
    )
    gateway.send(trace, note=SECRETS)
    for product in ("/langfuse", "/opik", "/phoenix", "/tables"):
        collectors.until(lambda product=product: len(gateway.sink.spans(product)) >= 2)
    everything = " ".join(body.decode("utf-8", "replace") for path, _, body in gateway.sink.taken)
    for secret in ("DE89370400440532013000", "jane@example.com", "4111111111111111", "123 4567"):
        assert secret not in everything
    kept = gateway.sink.spans("/langfuse")
    said = {k: v for span in kept for k, v in spans.decoded(span["attributes"]).items()}
    assert said["gen_ai.input.messages"] == (
        '[{"parts":[{"content":"pay **** **** **** ****","type":"text"}],"role":"user"}]'
    )
    assert said["aspora.cost.model_usd"] == 0.001665
    statuses = [span["status"].get("message") for span in kept if span["status"].get("message")]
    assert statuses == ["refused **** **** **** ****"]


def test_tables_get_every_record_and_no_content(gateway: Gateway) -> None:
    for number in range(1, 31):
        gateway.send(execution(number, trigger_type="alert"))
    collectors.until(lambda: len(gateway.sink.spans("/tables")) == 90)
    for span in gateway.sink.spans("/tables"):
        said = spans.decoded(span["attributes"])
        assert not {"gen_ai.input.messages", "gen_ai.output.messages", "aspora.output.data"} & set(
            said
        )
        assert spans.decoded(span["resource"]["attributes"])["deployment.environment.name"] == (
            "prod"
        )


def test_errors_and_what_people_read_are_kept_and_a_share_of_the_rest(gateway: Gateway) -> None:
    sent: dict[str, set[str]] = {"error": set(), "cron": set(), "alert": set()}
    for number in range(1, 61):
        kind = ("error", "cron", "alert")[number % 3]
        fault = Fault(type="x", message="y") if kind == "error" else None
        trigger: Any = "cron" if kind == "cron" else "alert"
        # As random as real ones: the share goes by a hash of the ID.
        chance = sha256(str(number).encode()).hexdigest()[:32]
        trace = execution(number, trace_id=chance, error=fault, trigger_type=trigger)
        sent[kind].add(trace.trace_id)
        gateway.send(trace)
    collectors.until(
        lambda: (
            sent["error"] | sent["cron"]
            <= {span["traceId"] for span in gateway.sink.spans("/phoenix")}
        )
    )
    kept = {span["traceId"] for span in gateway.sink.spans("/phoenix")}
    share = len(kept & sent["alert"]) / len(sent["alert"])
    assert 0 < share < 0.7


def test_a_rating_that_comes_late_is_kept(gateway: Gateway) -> None:
    trace = rated(9)
    only = spans.request(trace, "ecm-field-my-tickets")
    scope = only["resourceSpans"][0]["scopeSpans"][0]
    scope["spans"] = [s for s in scope["spans"] if s["name"] == "feedback"]
    collectors.post(gateway.traces, "/v1/traces", only)
    collectors.until(lambda: len(gateway.sink.spans("/langfuse")) == 1)


def test_products_get_their_headers_and_projects(gateway: Gateway) -> None:
    gateway.send(execution(4))
    paths = {
        "/langfuse/api/public/otel/v1/traces": {
            "Authorization": "Basic cGs6c2s=",
            "X-Langfuse-Ingestion-Version": "4",
        },
        "/opik/api/v1/private/otel/v1/traces": {
            "Comet-Workspace": "default",
            "Projectname": "aspora-prod",
        },
        "/phoenix/v1/traces": {"Authorization": "Bearer phoenix-key"},
    }
    collectors.until(lambda: set(paths) <= {path for path, _, _ in gateway.sink.taken})
    for path, headers, _ in gateway.sink.taken:
        for name, value in paths.get(path, {}).items():
            assert headers[name] == value
    span = gateway.sink.spans("/phoenix")[0]
    assert spans.decoded(span["resource"]["attributes"])["openinference.project.name"] == "ecm"


def test_logs_lie_masked_in_the_bucket_by_domain(gateway: Gateway) -> None:
    log = {"timeUnixNano": "1793658600000000000", "body": {"stringValue": f"for {SECRETS}"}}
    resource = {"attributes": [{"key": "aspora.domain", "value": {"stringValue": "ecm"}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [log]}]}]}
    collectors.post(gateway.traces, "/v1/logs", body)
    collectors.until(lambda: any("raw-logs" in path for path, _, _ in gateway.sink.taken))
    path, text = next((p, b) for p, _, b in gateway.sink.taken if "raw-logs" in p)
    bucket = config("gateway", "prod")["exporters"]["awss3"]["s3uploader"]["s3_bucket"]
    key = rf"/{bucket}/ecm/year=\d{{4}}/month=\d\d/day=\d\d/hour=\d\d/logs_"
    assert re.match(key, unquote(path))
    assert b"for **** **** **** ****" in text
    assert b"jane" not in text


def first_tier(folder: Path, gateway: Gateway, ports: list[int]) -> Config:
    """The first tier on this machine, with its own TLS. There is no Kubernetes to ask, so a pod
    of ecm is taken for granted where `k8s_attributes` stands."""
    found = copy.deepcopy(config("agent", "prod"))
    text = (
        json.dumps(found)
        .replace("/etc/otel/tls", str(folder))
        .replace("k8s_attributes", "resource/pod")
    )
    here: Config = json.loads(text)
    labels = {
        "aspora.domain": "ecm",
        "aspora.agent.role": "field",
        "aspora.skill.name": "my-tickets",
    }
    here["processors"]["resource/pod"] = {
        "attributes": [
            {"key": key, "value": value, "action": "insert"} for key, value in labels.items()
        ]
    }
    here["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = f"127.0.0.1:{ports[0]}"
    for name, port in (("traces", gateway.traces), ("count", gateway.counts)):
        exporter = here["exporters"][f"load_balancing/{name}"]
        exporter["resolver"] = {"static": {"hostnames": [f"127.0.0.1:{port}"]}}
    here["exporters"]["otlp_grpc/gateway"]["endpoint"] = f"127.0.0.1:{gateway.traces}"
    here["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{ports[1]}"
    readers = here["service"]["telemetry"]["metrics"]["readers"]
    readers[0]["pull"]["exporter"]["prometheus"]["port"] = ports[2]
    return here


def test_from_an_agent_with_a_certificate_through_both_tiers(tmp_path: Path) -> None:
    assert PROGRAM
    host = config("agent")["exporters"]["load_balancing/count"]["protocol"]["otlp"]["tls"]
    certificates.write(tmp_path, host["server_name_override"])
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    ports = [collectors.free_port() for _ in range(8)]
    with collectors.sink() as taken:
        found = Gateway(taken, ports[0], ports[1], ports[2])
        behind = on_this_machine(config("gateway", "prod"), taken, found, ports[3], ports[4])
        for name, port in (("otlp", found.traces), ("otlp/count", found.counts)):
            grpc = copy.deepcopy(config("gateway")["receivers"][name]["protocols"]["grpc"])
            grpc["endpoint"] = f"127.0.0.1:{port}"
            behind["receivers"][name] = {"protocols": {"grpc": grpc}}
        behind = json.loads(json.dumps(behind).replace("/etc/otel/tls", str(tmp_path)))
        before = first_tier(tmp_path, found, ports[5:])
        with (
            collectors.running(PROGRAM, behind, two, ports[3]),
            collectors.running(PROGRAM, before, one, ports[6]),
        ):
            body = spans.request(execution(3, domain="fraud"), "ecm-field-my-tickets")
            with pytest.raises(OSError, match=r"(?i)certificate.required|reset|EOF"):
                collectors.post(ports[5], "/v1/traces", body, _tls(tmp_path, known=False))
            collectors.post(ports[5], "/v1/traces", body, _tls(tmp_path, known=True))
            collectors.until(lambda: len(taken.spans("/langfuse")) == 3)
            collectors.until(lambda: any("executions" in s for s in collectors.scrape(ports[2])))
    held = taken.spans("/langfuse")[0]["resource"]["attributes"]
    assert spans.decoded(held)["aspora.domain"] == "ecm"  # whatever it called itself
    assert {span["traceId"] for span in taken.spans("/tables")} == {f"{3:032x}"}


def _tls(folder: Path, *, known: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    if known:
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


def test_the_configuration_under_test_is_the_platform_s() -> None:
    assert config("gateway", "prod") == TIERS["gateway"](settings("prod"), repository())
