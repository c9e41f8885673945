"""Metrics of other people's programs that our rules and dashboards read: name, emitter, labels.

What is not in this table, in `aspora/telemetry/metrics.py` or among our recording rules is not
used: a test parses every expression. `labels` are those that we match or group by, and those
that Prometheus adds to each target are in TARGET_LABELS. Sources are the emitters' own code or
documentation, named beside each group.

Several of these programs name the object they speak of in a label `namespace`, which is the
target's own too. Their ServiceMonitor has to say `honorLabels: true`, else Prometheus renames it to
`exported_namespace` and our rules find nothing: `honor_labels` marks them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

TARGET_LABELS = ("job", "instance", "namespace", "pod", "service", "container")
"""What the operator's scrape configuration adds to every series."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """One metric as Prometheus stores it; a histogram's series end in `_bucket` and so on."""

    name: str
    kind: Kind
    emitter: str
    labels: tuple[str, ...]
    honor_labels: bool = False


def _of(
    emitter: str, *rows: tuple[str, Kind, tuple[str, ...]], honor: bool = False
) -> tuple[Foreign, ...]:
    return tuple(Foreign(name, kind, emitter, labels, honor) for name, kind, labels in rows)


FOREIGN: tuple[Foreign, ...] = (
    # istio.io, "Istio Standard Metrics"; gateways report as the source.
    *_of(
        "istio",
        (
            "istio_requests_total",
            "counter",
            ("reporter", "source_workload", "response_code", "response_flags"),
        ),
    ),
    # cert-manager, internal/collectors/certificate_collector.go
    *_of(
        "cert-manager",
        (
            "certmanager_certificate_expiration_timestamp_seconds",
            "gauge",
            ("name", "namespace", "issuer_name", "issuer_kind", "issuer_group"),
        ),
        (
            "certmanager_certificate_ready_status",
            "gauge",
            ("name", "namespace", "condition", "issuer_name", "issuer_kind", "issuer_group"),
        ),
        honor=True,
    ),
    # external-secrets.io, "Metrics"
    *_of(
        "external-secrets",
        (
            "externalsecret_status_condition",
            "gauge",
            ("name", "namespace", "condition", "status"),
        ),
        honor=True,
    ),
    # agent-sandbox, internal/metrics/warmpool_collector.go
    *_of(
        "agent-sandbox",
        (
            "agent_sandbox_warmpool_size",
            "gauge",
            ("namespace", "warmpool_name", "sandbox_template", "sandbox_status"),
        ),
        honor=True,
    ),
    # kube-state-metrics' own pages on resource quotas and Deployments
    *_of(
        "kube-state-metrics",
        ("kube_resourcequota", "gauge", ("namespace", "resourcequota", "resource", "type")),
        ("kube_deployment_status_replicas_available", "gauge", ("namespace", "deployment")),
        honor=True,
    ),
    # karpenter.sh, "Metrics"
    *_of(
        "karpenter",
        ("karpenter_nodeclaims_created_total", "counter", ("nodepool", "reason")),
        ("karpenter_nodeclaims_terminated_total", "counter", ("nodepool", "capacity_type")),
    ),
    # opentelemetry.io, "Internal telemetry"; `_total` as the collector's Prometheus endpoint has it
    *_of(
        "otel-collector",
        ("otelcol_receiver_refused_spans_total", "counter", ("receiver", "transport")),
        ("otelcol_receiver_accepted_spans_total", "counter", ("receiver", "transport")),
        ("otelcol_exporter_send_failed_spans_total", "counter", ("exporter",)),
        ("otelcol_exporter_enqueue_failed_spans_total", "counter", ("exporter",)),
    ),
    # Prometheus itself: its own /metrics, and the series it keeps of alerts
    *_of(
        "prometheus",
        ("prometheus_tsdb_head_series", "gauge", ()),
        ("ALERTS", "gauge", ("alertname", "alertstate", "severity", "topic")),
    ),
)
