"""The OpenTelemetry Collector's configuration, in two tiers, as plain dicts.

    agents ── 4318, mutual TLS ──> otel-collector ── by trace ────> otel-gateway: mask, sample
                                                  └─ by service ──> otel-gateway: count

All spans of a trace meet in one gateway, which alone can judge the whole; all spans of a skill meet
in one for counting, so that a skill has one set of series. Component names and keys are those of
the collector's version `VERSION`; tests run it where it has been built (local/tools/otelcol).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aspora import names
from aspora.flows import OTLP_GRPC_PORT, OTLP_PORT
from aspora.models import Domain
from aspora.resolve import workloads
from aspora.stack import StackSettings
from aspora.telemetry import attributes as a
from aspora.telemetry import counting, exporters, redaction

Object = dict[str, Any]

VERSION = "0.158.0"
"""Next: github.com/open-telemetry/opentelemetry-collector-releases/releases (otelcol-contrib)."""

AGENT, GATEWAY = "otel-collector", "otel-gateway"
MEETING_POINT = f"{GATEWAY}-pods"
"""The headless Service of the gateways; their chart has one of the tier's own name."""
TRACES_PORT, COUNT_PORT = 4317, 4319
HEALTH_PORT, OWN_METRICS_PORT, SKILL_METRICS_PORT = 13133, 8888, 8889
TLS_PATH = "/etc/otel/tls"
POD_IP = "${env:MY_POD_IP}"
"""Set by the chart; the health check and metrics listen there, not on every address."""

KEPT_TRIGGERS = ("command", "cron", "message")
"""Executions whose result a person reads, and so may rate, even a week later: kept whole. What
machines start, `alert`, comes in thousands and is sampled."""
SHARE = {"local": 100, "staging": 100, "prod": 25}
"""Per cent of the other traces that are kept."""
AFTER_ROOT = "30s"
DAYS_OF_SILENCE = "192h"
"""Eight days: a weekly skill's counters live on from one run to the next."""


def host_name(service: str) -> str:
    """The whole name of a Service beside the collectors; a tier's stands in its certificate."""
    return f"{service}.{names.OBSERVABILITY_NAMESPACE}.svc.cluster.local"


def tls_secret(tier: str) -> str:
    """The Secret mounted at TLS_PATH: tls.crt, tls.key, and ca.crt to check the other side."""
    return f"{tier}-tls"


def agent_config(settings: StackSettings, domains: Sequence[Domain]) -> Object:  # noqa: ARG001
    """The tier that agents talk to: says who they are, and sends each span where it belongs."""
    keeps_logs = settings.aws is not None
    identify = ["memory_limiter", "resource/identity", "k8s_attributes"]
    pipelines: Object = {
        "traces/in": _pipeline(["otlp"], identify, ["forward/keep", "forward/count"]),
        "traces/keep": _pipeline(["forward/keep"], ["batch"], ["load_balancing/traces"]),
        "traces/count": _pipeline(
            ["forward/count"],
            ["filter/records", "transform/numbers", "batch"],
            ["load_balancing/count"],
        ),
    }
    targets: Object = {
        "load_balancing/traces": _balanced("traceID", TRACES_PORT),
        "load_balancing/count": _balanced("service", COUNT_PORT),
    }
    if keeps_logs:
        pipelines["logs"] = _pipeline(["otlp"], [*identify, "batch"], ["otlp_grpc/gateway"])
        targets["otlp_grpc/gateway"] = {
            "endpoint": f"dns:///{host_name(MEETING_POINT)}:{TRACES_PORT}",
            "balancer_name": "round_robin",
            **_client(),
            **exporters.patience(),
        }
    return {
        "receivers": {
            "otlp": {
                "protocols": {
                    "http": {"endpoint": f"0.0.0.0:{OTLP_PORT}", **_server()},
                    # The gateways' proxies, by the mesh's own mutual TLS.
                    "grpc": {"endpoint": f"0.0.0.0:{OTLP_GRPC_PORT}"},
                }
            }
        },
        "processors": {
            "memory_limiter": memory_limiter(),
            "resource/identity": _forget_claims(),
            "k8s_attributes": _who_sent_it(),
            "filter/records": _records_only(),
            "transform/numbers": _numbers_only(),
            "batch": {"timeout": "1s", "send_batch_size": 1024, "send_batch_max_size": 2048},
        },
        "connectors": {"forward/keep": {}, "forward/count": {}},
        "exporters": targets,
        "extensions": health_check(),
        "service": service_section(pipelines),
    }


def gateway_config(settings: StackSettings, domains: Sequence[Domain]) -> Object:
    """The tier behind it: counts every execution, masks personal data, samples whole traces, and
    is the only one that exports."""
    keeps_logs = settings.aws is not None
    clean = ["memory_limiter", "transform/types", "redaction", "transform/redaction"]
    judgements = ["filter/judgements", "batch"]
    products = ["otlp_http/langfuse", "otlp_http/opik", "otlp_http/phoenix"]
    pipelines: Object = {
        "traces/in": _pipeline(
            ["otlp"],
            [*clean, "resource/stack", "transform/project"],
            ["forward/sample", "forward/judgements", "forward/records"],
        ),
        "traces/sample": _pipeline(
            ["forward/sample"], ["filter/work", "tail_sampling", "batch"], products
        ),
        "traces/judgements": _pipeline(["forward/judgements"], judgements, products),
        "traces/records": _pipeline(
            ["forward/records"],
            ["filter/records", "transform/content", "batch/clickhouse"],
            ["clickhouse"],
        ),
        "traces/count": _pipeline(
            ["otlp/count"],
            ["memory_limiter", "resource/stack", "transform/labels", "batch"],
            ["signal_to_metrics"],
        ),
        "metrics/count": _pipeline(["signal_to_metrics"], ["delta_to_cumulative"], ["prometheus"]),
    }
    targets: Object = {**exporters.products(settings), "clickhouse": exporters.clickhouse()}
    targets["prometheus"] = exporters.prometheus(f"{POD_IP}:{SKILL_METRICS_PORT}", DAYS_OF_SILENCE)
    processors = _gateway_processors(settings, domains)
    if keeps_logs:
        pipelines["logs"] = _pipeline(
            ["otlp"], ["memory_limiter", "redaction", "resource/stack", "batch/logs"], ["awss3"]
        )
        targets["awss3"] = exporters.logs(settings)
        processors["batch/logs"] = {"timeout": "60s", "send_batch_size": 10000}
    return {
        "receivers": {"otlp": _grpc(TRACES_PORT), "otlp/count": _grpc(COUNT_PORT)},
        "processors": processors,
        "connectors": {
            "forward/sample": {},
            "forward/judgements": {},
            "forward/records": {},
            "signal_to_metrics": counting.connector(),
        },
        "exporters": targets,
        "extensions": health_check(),
        "service": service_section(pipelines),
    }


def _gateway_processors(settings: StackSettings, domains: Sequence[Domain]) -> Object:
    return {
        "memory_limiter": memory_limiter(),
        "transform/types": redaction.numbers_processor(),
        "redaction": redaction.processor(),
        "transform/redaction": redaction.rest_processor(),
        "resource/stack": {
            "attributes": [
                {"key": a.ENVIRONMENT, "value": settings.environment, "action": "upsert"}
            ]
        },
        "transform/project": _phoenix_project(),
        "filter/work": {"error_mode": "ignore", "trace_conditions": [_is_judgement()]},
        "filter/judgements": {
            "error_mode": "ignore",
            "trace_conditions": [f"not ({_is_judgement()})"],
        },
        "filter/records": _records_only(),
        "tail_sampling": _sampling(settings, domains),
        "transform/content": _without_content(),
        "transform/labels": counting.labels_processor(domains),
        "delta_to_cumulative": {"max_stale": DAYS_OF_SILENCE},
        # Its one worker also keeps counts in order: deltas out of order would be thrown away.
        "batch": {"timeout": "1s", "send_batch_size": 1024, "send_batch_max_size": 2048},
        "batch/clickhouse": {"timeout": "5s", "send_batch_size": 5000},
    }


def _pipeline(receivers: list[str], processors: list[str], exporters: list[str]) -> Object:
    return {"receivers": receivers, "processors": processors, "exporters": exporters}


def service_section(pipelines: Object) -> Object:
    """What a collector says of itself: logs as JSON, its own metrics, and whether it is well."""
    # Counters end in _total, as everywhere else; left out, they do not.
    suffixes = {"without_type_suffix": False, "without_scope_info": True}
    prometheus = {"host": POD_IP, "port": OWN_METRICS_PORT, **suffixes}
    return {
        "extensions": ["health_check"],
        "pipelines": pipelines,
        "telemetry": {
            "logs": {"encoding": "json", "level": "info"},
            "metrics": {"readers": [{"pull": {"exporter": {"prometheus": prometheus}}}]},
        },
    }


def health_check() -> Object:
    """Where kubelet's probes ask."""
    return {"health_check": {"endpoint": f"{POD_IP}:{HEALTH_PORT}"}}


def memory_limiter() -> Object:
    """It refuses before the kernel kills."""
    return {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 25}


# Towards agents and between the tiers: certificates of the internal CA, renewed daily.


def _files() -> Object:
    return {
        "cert_file": f"{TLS_PATH}/tls.crt",
        "key_file": f"{TLS_PATH}/tls.key",
        "min_version": "1.3",
        "reload_interval": "1h",
    }


def _server() -> Object:
    """Only who has a certificate of the internal CA may send."""
    authority = {"client_ca_file": f"{TLS_PATH}/ca.crt", "client_ca_file_reload": True}
    return {"tls": _files() | authority}


def _client() -> Object:
    return {
        "tls": {
            **_files(),
            "ca_file": f"{TLS_PATH}/ca.crt",
            # Pods are addressed by IP; the certificate holds the Service's name.
            "server_name_override": host_name(GATEWAY),
        }
    }


def _grpc(port: int) -> Object:
    return {"protocols": {"grpc": {"endpoint": f"0.0.0.0:{port}", **_server()}}}


def _balanced(key: str, port: int) -> Object:
    return {
        "routing_key": key,
        "protocol": {"otlp": {**_client(), "timeout": "10s"}},
        "resolver": {
            "dns": {"hostname": host_name(MEETING_POINT), "port": str(port), "interval": "10s"}
        },
        **exporters.patience(),
    }


# Who speaks.


def _forget_claims() -> Object:
    """What a sender says of its own identity goes; the next processor writes what is known."""
    claimed = [*a.IDENTITY, a.ENVIRONMENT, a.PHOENIX_PROJECT]
    return {
        "attributes": [
            *({"key": key, "action": "delete"} for key in claimed),
            {"pattern": r"^k8s\.", "action": "delete"},
        ]
    }


def _who_sent_it() -> Object:
    """By the address of the connection: the pod's labels, and the domain of its namespace, whose
    labels no team can change."""
    return {
        "auth_type": "serviceAccount",
        "wait_for_metadata": True,
        "wait_for_metadata_timeout": "60s",
        "pod_association": [{"sources": [{"from": "connection"}]}],
        "extract": {
            "metadata": ["k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid", "k8s.node.name"],
            "labels": [
                {"tag_name": a.DOMAIN, "key": names.DOMAIN_LABEL, "from": "namespace"},
                {"tag_name": a.AGENT_ROLE, "key": "role", "from": "pod"},
                {"tag_name": a.SKILL_NAME, "key": "skill", "from": "pod"},
            ],
        },
    }


def _attribute(name: str) -> str:
    return f'span.attributes["{name}"]'


def _records_only() -> Object:
    """Drops what is no record of a known sender: the conditions say what goes."""
    conditions = [f"{_attribute(a.RECORD)} == nil", f'resource.attributes["{a.DOMAIN}"] == nil']
    return {"error_mode": "ignore", "trace_conditions": conditions}


def _numbers_only() -> Object:
    """No content on the way that only counts."""
    kept = dict.fromkeys(each.name for each in a.ATTRIBUTES if each.name not in a.CONTENT)
    listed = ", ".join(f'"{name}"' for name in kept)
    return {
        "error_mode": "propagate",
        "trace_statements": [f"keep_keys(span.attributes, [{listed}])"],
    }


def _without_content() -> Object:
    """Tables hold what happened and what it cost; what was said stays with the traces."""
    # Groups of their own: statements of one group run only where the lowest of their places is,
    # and a span without events would keep everything.
    return {
        "error_mode": "propagate",
        "trace_statements": [
            {"statements": [f'delete_key(span.attributes, "{name}")' for name in a.CONTENT]},
            {"statements": [f'delete_key(spanevent.attributes, "{a.EXCEPTION_STACK}")']},
        ],
    }


def _phoenix_project() -> Object:
    """A project a domain in Phoenix."""
    project = f'resource.attributes["{a.PHOENIX_PROJECT}"]'
    domain = f'resource.attributes["{a.DOMAIN}"]'
    return {
        "error_mode": "ignore",
        "trace_statements": [
            f'set({project}, "{names.PLATFORM_OWNER}")',
            f"set({project}, {domain}) where {domain} != nil",
        ],
    }


# What is kept.


def _is_judgement() -> str:
    """Ratings and evaluations come long after the decision on their trace, so they go around it:
    each is kept."""
    kinds = ("feedback", "evaluation")
    return " or ".join(f'{_attribute(a.RECORD)} == "{kind}"' for kind in kinds)


def _sampling(settings: StackSettings, domains: Sequence[Domain]) -> Object:
    """Errors and what people read are kept whole, and a share of the rest. The decision waits for
    the trace's root, or as long as the longest execution may take."""
    longest = max(
        (workload.timeout_seconds for domain in domains for workload in workloads(domain)),
        default=300,
    )
    traces = 10_000 if settings.minimal_replicas else 50_000
    kept = {"key": a.TRIGGER, "values": list(KEPT_TRIGGERS)}
    share = {"sampling_percentage": SHARE[settings.environment], "hash_salt": "aspora"}
    return {
        "decision_wait": f"{longest + 60}s",
        "decision_wait_after_root_received": AFTER_ROOT,
        "num_traces": traces,
        "decision_cache": {
            "sampled_cache_size": 10 * traces,
            "non_sampled_cache_size": 10 * traces,
        },
        "policies": [
            {
                "name": "errors",
                "type": "status_code",
                "status_code": {"status_codes": ["ERROR"]},
            },
            {"name": "read-by-people", "type": "string_attribute", "string_attribute": kept},
            {"name": "share", "type": "probabilistic", "probabilistic": share},
        ],
    }
