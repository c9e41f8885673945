"""The collector's configuration: what leads where, with which keys."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from aspora import flows
from aspora.render import internal_ca
from aspora.render.collectors import collector_objects
from aspora.telemetry import attributes, collector, counting, exporters, metrics
from aspora.telemetry.collector import GATEWAY, tls_secret
from aspora.telemetry.records import Verdict
from tests.core import MINIMAL, domains, repository, settings

Config = dict[str, Any]
CRDS = os.environ.get("ASPORA_CRDS", "")
STACKS = ("local", "staging", "prod")
TIERS = {"agent": collector.agent_config, "gateway": collector.gateway_config}


def config(tier: str, stack: str = "prod") -> Config:
    found: Config = TIERS[tier](settings(stack), repository())
    return found


def pipelines(found: Config) -> dict[str, dict[str, list[str]]]:
    held: dict[str, dict[str, list[str]]] = found["service"]["pipelines"]
    return held


def ways(found: Config, signal: str) -> Iterator[list[str]]:
    """Every way from a receiver to an exporter, over the connectors between pipelines."""
    starts = [
        (name, part)
        for name, part in pipelines(found).items()
        if name.split("/")[0] == signal and not set(part["receivers"]) & set(found["connectors"])
    ]
    for name, part in starts:
        for receiver in part["receivers"]:
            yield from _onward(found, name, [receiver])


def _onward(found: Config, name: str, before: list[str]) -> Iterator[list[str]]:
    part = pipelines(found)[name]
    for exporter in part["exporters"]:
        way = [*before, *part["processors"], exporter]
        nexts = [n for n, p in pipelines(found).items() if exporter in p["receivers"]]
        if exporter in found["connectors"]:
            for following in nexts:
                yield from _onward(found, following, way)
        else:
            yield way


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("tier", TIERS)
def test_every_component_is_used_and_every_one_used_is_there(tier: str, stack: str) -> None:
    found = config(tier, stack)
    used: dict[str, set[str]] = {"receivers": set(), "processors": set(), "exporters": set()}
    for part in pipelines(found).values():
        for kind, names in part.items():
            used[kind] |= set(names)
    connectors = set(found["connectors"])
    assert used["receivers"] == set(found["receivers"]) | connectors
    assert used["exporters"] == set(found["exporters"]) | connectors
    assert used["processors"] == set(found["processors"])
    assert found["service"]["extensions"] == list(found["extensions"])


def test_the_ways_of_spans_through_the_agent_tier() -> None:
    known = ["memory_limiter", "resource/identity", "k8s_attributes"]
    assert list(ways(config("agent"), "traces")) == [
        ["otlp", *known, "forward/keep", "batch", "load_balancing/traces"],
        [
            *("otlp", *known, "forward/count", "filter/records", "transform/numbers", "batch"),
            "load_balancing/count",
        ],
    ]
    assert list(ways(config("agent"), "logs")) == [["otlp", *known, "batch", "otlp_grpc/gateway"]]


def test_the_ways_of_spans_through_the_gateway_tier() -> None:
    clean = ["otlp", "memory_limiter", "transform/types", "redaction", "transform/redaction"]
    clean += ["resource/stack", "transform/project"]
    products = ["otlp_http/langfuse", "otlp_http/opik", "otlp_http/phoenix"]
    sampled = ["forward/sample", "filter/work", "tail_sampling", "batch"]
    judged = ["forward/judgements", "filter/judgements", "batch"]
    tables = ["forward/records", "filter/records", "transform/content", "batch/clickhouse"]
    assert list(ways(config("gateway"), "traces")) == [
        *([*clean, *sampled, product] for product in products),
        *([*clean, *judged, product] for product in products),
        [*clean, *tables, "clickhouse"],
        [
            *("otlp/count", "memory_limiter", "resource/stack", "transform/labels", "batch"),
            *("signal_to_metrics", "delta_to_cumulative", "prometheus"),
        ],
    ]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_nothing_with_content_leaves_unmasked(signal: str, stack: str) -> None:
    found = config("gateway", stack)
    for way in ways(found, signal):
        if way[-1] != "prometheus":  # numbers and bounded labels alone
            assert "redaction" in way, way


def test_logs_go_to_s3_where_there_is_one() -> None:
    assert "logs" not in pipelines(config("gateway", "local"))
    assert "logs" not in pipelines(config("agent", "local"))
    assert "awss3" not in config("gateway", "local")["exporters"]
    found = config("gateway", "prod")
    assert next(ways(found, "logs"))[-1] == "awss3"
    s3 = found["exporters"]["awss3"]
    assert s3["marshaler"] == "otlp_json"
    assert s3["s3uploader"]["s3_bucket"].endswith("-raw-logs")
    assert s3["s3uploader"]["region"] == settings("prod").region
    assert s3["resource_attrs_to_s3"] == {"s3_prefix": "aspora.domain"}
    assert not {"access_key", "secret_key", "role_arn"} & set(s3["s3uploader"])  # Pod Identity
    with pytest.raises(ValueError, match="logs are kept in S3, and this stack has no `aws`"):
        exporters.logs(settings("local"))


def test_the_headers_that_each_product_needs() -> None:
    found = config("gateway")["exporters"]
    assert found["otlp_http/langfuse"]["headers"] == {
        "Authorization": "Basic ${env:LANGFUSE_BASIC_AUTH}",
        "x-langfuse-ingestion-version": "4",
    }
    assert found["otlp_http/opik"]["headers"] == {
        "Comet-Workspace": "default",
        "projectName": "aspora-prod",
    }
    assert found["otlp_http/phoenix"]["headers"] == {
        "Authorization": "Bearer ${env:PHOENIX_API_KEY}"
    }
    assert {name: found[name]["endpoint"].split(":", 2)[2] for name in list(found)[:3]} == {
        "otlp_http/langfuse": "3000/api/public/otel",
        "otlp_http/opik": "5173/api/v1/private/otel",
        "otlp_http/phoenix": "6006",
    }
    project = config("gateway")["processors"]["transform/project"]["trace_statements"]
    assert project[-1] == (
        'set(resource.attributes["openinference.project.name"], '
        'resource.attributes["aspora.domain"]) where resource.attributes["aspora.domain"] != nil'
    )


@pytest.mark.parametrize("tier", TIERS)
def test_secrets_come_from_the_environment_alone(tier: str) -> None:
    text = json.dumps(config(tier))
    asked = set(re.findall(r"\$\{env:([A-Z_]+)\}", text)) - {"MY_POD_IP"}
    assert asked == (set(exporters.SECRETS) if tier == "gateway" else set())
    assert re.sub(r"\$\{env:[A-Z_]+\}", "", text).count("$") == 0


@pytest.mark.parametrize("tier", TIERS)
def test_whatever_sends_waits_and_tries_again(tier: str) -> None:
    for name, exporter in config(tier)["exporters"].items():
        if name != "prometheus":
            assert exporter["sending_queue"]["enabled"], name
            assert exporter["retry_on_failure"]["max_elapsed_time"] == "300s", name


def test_agents_are_met_with_mutual_tls_where_their_flow_leads() -> None:
    http = config("agent")["receivers"]["otlp"]["protocols"]
    assert http == {
        "http": {
            "endpoint": f"0.0.0.0:{flows.OTLP_PORT}",
            "tls": {
                "cert_file": "/etc/otel/tls/tls.crt",
                "key_file": "/etc/otel/tls/tls.key",
                "min_version": "1.3",
                "reload_interval": "1h",
                "client_ca_file": "/etc/otel/tls/ca.crt",
                "client_ca_file_reload": True,
            },
        },
        # Inside the mesh: the gateways' proxies.
        "grpc": {"endpoint": f"0.0.0.0:{flows.OTLP_GRPC_PORT}"},
    }


def test_the_tiers_meet() -> None:
    sent, taken = config("agent")["exporters"], config("gateway")["receivers"]
    ports = {
        name: receiver["protocols"]["grpc"]["endpoint"].rpartition(":")[2]
        for name, receiver in taken.items()
    }
    host = "otel-gateway.aspora-observability.svc.cluster.local"
    pods = "otel-gateway-pods.aspora-observability.svc.cluster.local"
    for name, key, receiver in (
        ("load_balancing/traces", "traceID", "otlp"),
        ("load_balancing/count", "service", "otlp/count"),
    ):
        assert sent[name]["routing_key"] == key
        assert sent[name]["resolver"]["dns"]["hostname"] == pods
        assert sent[name]["resolver"]["dns"]["port"] == ports[receiver]
        assert sent[name]["protocol"]["otlp"]["tls"]["server_name_override"] == host
    assert sent["otlp_grpc/gateway"]["endpoint"] == f"dns:///{pods}:{ports['otlp']}"
    assert sent["otlp_grpc/gateway"]["tls"]["server_name_override"] == host
    for receiver in taken.values():
        assert receiver["protocols"]["grpc"]["tls"]["client_ca_file"]


def test_the_objects_around_the_collectors_fit_their_configuration() -> None:
    made = {obj["kind"]: obj for obj in collector_objects(repository(), settings("prod"))}
    assert list(made) == ["Service", "PodMonitor"]
    host = config("agent")["exporters"]["load_balancing/traces"]["protocol"]["otlp"]["tls"]
    (certificate,) = [
        obj["spec"]
        for obj in internal_ca.objects()
        if obj["kind"] == "Certificate" and obj["spec"]["secretName"] == tls_secret(GATEWAY)
    ]
    assert host["server_name_override"] in certificate["dnsNames"]
    assert certificate["issuerRef"]["name"] == "aspora-agents"
    service = made["Service"]
    resolver = config("agent")["exporters"]["load_balancing/traces"]["resolver"]["dns"]
    assert resolver["hostname"].split(".")[:2] == [
        service["metadata"]["name"],
        service["metadata"]["namespace"],
    ]
    assert service["spec"]["clusterIP"] == "None"
    assert [port["port"] for port in service["spec"]["ports"]] == [4317, 4319]
    scraped = made["PodMonitor"]["spec"]
    assert scraped["selector"] == {"matchLabels": service["spec"]["selector"]}
    ports = [str(endpoint["portNumber"]) for endpoint in scraped["podMetricsEndpoints"]]
    own = config("gateway")["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]
    skills = config("gateway")["exporters"]["prometheus"]["endpoint"].rpartition(":")[2]
    assert ports == [str(own["prometheus"]["port"]), skills]


@pytest.mark.skipif(not CRDS, reason="ASPORA_CRDS names no folder of definitions")
def test_the_objects_hold_to_their_definitions() -> None:
    for obj in collector_objects(repository(), settings("prod")):
        if obj["kind"] != "Service":
            plural = obj["kind"].lower() + "s"
            group = obj["apiVersion"].split("/")[0]
            crd = json.loads((Path(CRDS) / f"{plural}.{group}.json").read_text("utf-8"))
            version = next(v for v in crd["spec"]["versions"] if v["name"] == "v1")
            schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
            unknown = set(_keys(obj["spec"])) - set(_properties(schema))
            assert unknown == set()
            jsonschema.validate(obj["spec"], schema)


def _keys(value: Any) -> Iterator[str]:
    for key, held in value.items() if isinstance(value, dict) else ():
        if key != "matchLabels":
            yield key
            yield from _keys(held)
    for each in value if isinstance(value, list) else ():
        yield from _keys(each)


def _properties(schema: Config) -> Iterator[str]:
    for key, held in schema.get("properties", {}).items():
        yield key
        yield from _properties(held)
    if isinstance(schema.get("items"), dict):
        yield from _properties(schema["items"])


def test_who_sends_is_known_from_the_pod_and_not_from_what_it_says() -> None:
    processors = config("agent")["processors"]
    forgotten = processors["resource/identity"]["attributes"]
    labels = processors["k8s_attributes"]["extract"]["labels"]
    for name in attributes.IDENTITY:
        assert {"key": name, "action": "delete"} in forgotten
    assert {label["tag_name"]: (label["key"], label["from"]) for label in labels} == {
        "aspora.domain": ("domain", "namespace"),
        "aspora.agent.role": ("role", "pod"),
        "aspora.skill.name": ("skill", "pod"),
    }
    association = [{"sources": [{"from": "connection"}]}]
    assert processors["k8s_attributes"]["pod_association"] == association


def test_errors_and_what_people_read_are_kept() -> None:
    policies = config("gateway")["processors"]["tail_sampling"]["policies"]
    assert policies == [
        {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
        {
            "name": "read-by-people",
            "type": "string_attribute",
            "string_attribute": {
                "key": "aspora.trigger.type",
                "values": ["command", "cron", "message"],
            },
        },
        {
            "name": "share",
            "type": "probabilistic",
            "probabilistic": {"sampling_percentage": 25, "hash_salt": "aspora"},
        },
    ]


def test_the_decision_waits_for_the_longest_execution(tmp_path: Any) -> None:
    slow = domains(tmp_path, MINIMAL + "        timeoutSeconds: 1800\n")
    for held, wait in ((slow, "1860s"), ((), "360s")):
        found = collector.gateway_config(settings("prod"), held)
        assert found["processors"]["tail_sampling"]["decision_wait"] == wait


def entries() -> list[Config]:
    found: list[Config] = config("gateway")["connectors"]["signal_to_metrics"]["spans"]
    return found


def test_every_metric_of_the_table_is_made_with_its_labels_and_buckets() -> None:
    wanted = [m for m in metrics.METRICS if m.emitter == "collector"]
    assert list(dict.fromkeys(e["name"] for e in entries())) == [m.name for m in wanted]
    assert set(counting.RECIPES) == {m.name for m in wanted}
    for entry in entries():
        metric = next(m for m in wanted if m.name == entry["name"])
        assert tuple(a["key"] for a in entry["attributes"]) == metric.labels
        assert entry["description"] == metric.help
        if metric.kind == "histogram":
            assert tuple(entry["histogram"]["buckets"]) == metric.buckets
        else:
            assert entry["sum"]["monotonic"] is True
        assert entry["include_resource_attributes"] == [{"key": "deployment.environment.name"}]


def test_every_kind_of_token_is_counted_once() -> None:
    tokens = [e for e in entries() if e["name"] == "skill_model_tokens_total"]
    kinds = [a["default_value"] for e in tokens for a in e["attributes"] if "default_value" in a]
    assert kinds == ["input", "output", "cache_read", "cache_creation"]


def test_every_label_is_written_by_the_collector() -> None:
    processor = counting.labels_processor(repository())["trace_statements"]
    labels = {label for e in entries() for label in (a["key"] for a in e["attributes"])}
    for label in labels:
        assert f'delete_key(span.attributes, "{label}")' in processor
        if label != "token_type":
            assert any(s.startswith(f'set(span.attributes["{label}"],') for s in processor), label


def test_labels_have_the_values_that_the_table_counts_with() -> None:
    statements = counting.labels_processor(repository())["trace_statements"]
    counted = {"outcome": 2, "priced": 2, "verdict": 3, "evaluation": 2, "result": 2}
    table = {name: count for m in metrics.METRICS for name, count in m.values}
    assert {name: table[name] for name in counted} == counted
    for label, count in counted.items():
        written = re.compile(rf'set\(span\.attributes\["{label}"\], "(\w+)"\)')
        values = {found[1] for s in statements if (found := written.match(s))}
        assert len(values) == count, label
    verdicts = {s for s in statements if s.startswith('set(span.attributes["verdict"]')}
    for verdict in get_args(Verdict):
        assert any(f'"{verdict}") where' in statement for statement in verdicts)


def test_models_that_no_domain_names_are_one_series(tmp_path: Any) -> None:
    pets = domains(tmp_path, MINIMAL)
    assert counting.known_models(pets) == ("claude-haiku-4-5",)
    assert (
        'set(span.attributes["model"], span.attributes["gen_ai.request.model"]) '
        'where span.attributes["aspora.record"] == "model_call" and '
        'ContainsValue(["claude-haiku-4-5"], span.attributes["gen_ai.request.model"])'
    ) in counting.labels_processor(pets)["trace_statements"]


def test_names_of_metrics_are_passed_on_as_they_are() -> None:
    found = config("gateway")["exporters"]["prometheus"]
    assert found["translation_strategy"] == "UnderscoreEscapingWithoutSuffixes"
    silence = config("gateway")["processors"]["delta_to_cumulative"]["max_stale"]
    assert found["metric_expiration"] == silence == "192h"


def test_no_content_reaches_the_tables_or_the_counters() -> None:
    kept = config("agent")["processors"]["transform/numbers"]["trace_statements"][0]
    dropped = config("gateway")["processors"]["transform/content"]["trace_statements"]
    for name in attributes.CONTENT:
        assert f'"{name}"' not in kept
        assert f'delete_key(span.attributes, "{name}")' in dropped[0]["statements"]
    assert all("spanevent" not in statement for statement in dropped[0]["statements"])


def test_the_same_input_gives_the_same_bytes() -> None:
    for tier in TIERS:
        assert json.dumps(config(tier)) == json.dumps(config(tier))
