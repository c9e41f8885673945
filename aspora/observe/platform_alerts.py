"""Alerts about what the platform stands on."""

from __future__ import annotations

from aspora import names
from aspora.observe.alerts import Alert, checks, owned
from aspora.observe.slo import BURNS, GATEWAYS, OBJECTIVE, Burn, burns
from aspora.render.nodes import GVISOR, GVISOR_SPOT

QUOTA_USED = 0.9
CERTIFICATE_HOURS = 4
"""Agents' certificates last 24 hours and are renewed eight before their end: at four, renewal has
failed for four hours."""
CHURN = 3
HEAD_SERIES = 1_000_000
"""What Prometheus' memory is made for: some 5 KB a series, by its maintainers' rule of thumb."""
_NAMESPACES = names.namespace(".+")


def _slo() -> tuple[Alert, ...]:
    return tuple(_slo_burn(burn) for burn in BURNS)


def _slo_burn(burn: Burn) -> Alert:
    return Alert(
        f"platform_slo_burn_{burn.long}",
        "platform",
        "critical" if burn.page else "medium",
        burns(burn),
        "2m" if burn.page else "15m",
        f"The platform burns its error budget {burn.factor:g} times too fast",
        checks(
            f"{{{{ $value | humanizePercentage }}}} of requests failed in {burn.long}; the"
            f" objective is {OBJECTIVE:.1%} in 30 days. Check:",
            "which gateway answers 5xx, and with which response flags (dashboard: Platform SLO)",
            "whether its pods are ready, and what they wait for",
            "what was deployed last",
        ),
        "platform-slo",
    )


def _gateways() -> tuple[Alert, ...]:
    pattern = "|".join(GATEWAYS)
    available = (
        "max by (namespace, deployment) (kube_deployment_status_replicas_available"
        f'{{namespace="{names.PLATFORM_NAMESPACE}", deployment=~"{pattern}"}})'
    )
    return (
        Alert(
            "platform_gateway_down",
            "platform",
            "critical",
            f"{available} == 0",
            "2m",
            "{{ $labels.deployment }} has no pod that is ready",
            checks(
                "No request comes through, so the error rate stays silent. Check:",
                "the events of its pods: no node, no image, no secret, a failing probe",
                "what was deployed last",
            ),
            "platform-slo",
            ("namespace", "deployment"),
        ),
    )


def _secrets() -> tuple[Alert, ...]:
    return (
        Alert(
            "certificate_expires_soon",
            "platform",
            "high",
            owned(
                "min by (namespace, name) (certmanager_certificate_expiration_timestamp_seconds)"
                f" - time() < {CERTIFICATE_HOURS} * 3600"
            ),
            "10m",
            "Certificate {{ $labels.namespace }}/{{ $labels.name }} ends in"
            " {{ $value | humanizeDuration }}",
            checks(
                "cert-manager renews hours before the end, so renewal has failed. Check:",
                "the Certificate's conditions and its CertificateRequests",
                "whether the ClusterIssuer is ready",
            ),
            "certificate-or-secret",
            ("domain", "namespace", "name"),
        ),
        Alert(
            "certificate_not_ready",
            "platform",
            "high",
            owned(
                "max by (namespace, name)"
                ' (certmanager_certificate_ready_status{condition="True"}) == 0'
            ),
            "15m",
            "Certificate {{ $labels.namespace }}/{{ $labels.name }} is not ready",
            checks(
                "Pods that need it do not start. Check:",
                "the Certificate's conditions and its CertificateRequests",
                "whether the ClusterIssuer is ready",
            ),
            "certificate-or-secret",
            ("domain", "namespace", "name"),
        ),
        Alert(
            "secret_not_synced",
            "platform",
            "high",
            owned(
                "max by (namespace, name)"
                ' (externalsecret_status_condition{condition="Ready", status="False"}) == 1'
            ),
            "15m",
            "ExternalSecret {{ $labels.namespace }}/{{ $labels.name }} cannot be read",
            checks(
                "Pods keep the value they have, and new ones may not start. Check:",
                "whether the named secret exists and has a value",
                "whether the reader's role may read it",
            ),
            "certificate-or-secret",
            ("domain", "namespace", "name"),
        ),
    )


def _room() -> tuple[Alert, ...]:
    used, hard = (
        "max by (namespace, resourcequota, resource)"
        f' (kube_resourcequota{{namespace=~"{_NAMESPACES}", type="{kind}"}})'
        for kind in ("used", "hard")
    )
    pools = "|".join(kind.name for kind in (GVISOR, GVISOR_SPOT))
    made, ended = (
        f"sum by (nodepool) (increase(karpenter_nodeclaims_{what}_total"
        f'{{nodepool=~"{pools}"}}[1h]))'
        for what in ("created", "terminated")
    )
    ready, any_of = (
        f"sum by (namespace, warmpool_name) (agent_sandbox_warmpool_size{matcher})"
        for matcher in ('{sandbox_status="ready"}', "")
    )
    return (
        Alert(
            "quota_nearly_used",
            "platform",
            "medium",
            owned(f"{used} / ({hard} > 0) > {QUOTA_USED}"),
            "15m",
            "{{ $labels.namespace }} uses {{ $value | humanizePercentage }} of its"
            " {{ $labels.resource }}",
            checks(
                "At 100 % new pods are refused. Check:",
                "which skills hold it, and whether they need as much",
                "whether a rollout or a session that does not end holds pods twice",
            ),
            "quota-nearly-used",
            ("domain", "namespace", "resourcequota", "resource"),
        ),
        Alert(
            "sandbox_pool_empty",
            "latency",
            "medium",
            owned(f"{ready} == 0 and {any_of} > 0"),
            "5m",
            "{{ $labels.namespace }}/{{ $labels.warmpool_name }} has no sandbox that is ready",
            checks(
                "Sessions wait for a pod to start. Check:",
                "whether sandboxes are pending: no node, no quota, no image",
                "whether sessions take them faster than the pool is filled (`sessions.warmPool`)",
            ),
            "sandbox-pool-empty",
            ("domain", "namespace", "warmpool_name"),
        ),
        Alert(
            "gvisor_nodes_churn",
            "platform",
            "high",
            f"{ended} >= {CHURN} and on (nodepool) {made} >= {CHURN}",
            "15m",
            "Pool {{ $labels.nodepool }} lost {{ $value }} nodes in an hour and made as many anew",
            checks(
                "A gVisor node shuts itself down when runsc cannot be installed. Check:",
                "the console output of the last instance: the line that says why",
                "the archive in the tools bucket, and its checksum in the settings",
            ),
            "gvisor-nodes-churn",
            ("nodepool",),
        ),
    )


def _telemetry() -> tuple[Alert, ...]:
    refused = "sum by (receiver) (increase(otelcol_receiver_refused_spans_total[10m])) > 0"
    failed = (
        "sum by (exporter) (increase(otelcol_exporter_send_failed_spans_total[10m]))"
        " + sum by (exporter) (increase(otelcol_exporter_enqueue_failed_spans_total[10m])) > 0"
    )
    return (
        Alert(
            "collector_refuses",
            "platform",
            "high",
            refused,
            "10m",
            "The collector refuses spans ({{ $labels.receiver }})",
            checks(
                "What it refuses is neither counted nor billed to anybody. Check:",
                "its memory against the limit",
                "whether one of its destinations is slow",
            ),
            "collector",
            ("receiver",),
        ),
        Alert(
            "collector_drops",
            "platform",
            "medium",
            failed,
            "10m",
            "The collector loses spans on the way to {{ $labels.exporter }}",
            checks(
                "Metrics are whole, traces are not. Check:",
                "whether the destination answers, and takes our key",
                "the length of its queue",
            ),
            "collector",
            ("exporter",),
        ),
        Alert(
            "collector_gone",
            "platform",
            "critical",
            "absent(otelcol_receiver_accepted_spans_total)",
            "15m",
            "Prometheus sees no collector",
            checks(
                "Without it no alert about quality or cost can fire. Check:",
                "whether its pods run, and Prometheus scrapes them",
            ),
            "collector",
        ),
        Alert(
            "too_many_series",
            "platform",
            "high",
            f"max(prometheus_tsdb_head_series) > 0.8 * {HEAD_SERIES}",
            "30m",
            "Prometheus holds {{ $value | humanize }} series; its memory is made for"
            f" {HEAD_SERIES:,}",
            checks(
                "Beyond that it runs out of memory. Check:",
                "which metric and label have grown (Status, TSDB)",
                "whether many skills were added: memory follows them",
            ),
            "too-many-series",
        ),
        Alert(
            "dead_mans_switch",
            "watch",
            "info",
            "vector(1)",
            "0m",
            "Alerts reach the one who waits for them",
            "Fires always. When it no longer arrives, the service that waits for it calls the"
            " platform team: Prometheus, Alertmanager or the way out is broken.",
            "dead-mans-switch",
        ),
    )


PLATFORM_ALERTS = (*_slo(), *_gateways(), *_secrets(), *_room(), *_telemetry())
