"""The Helm releases of a stack: each pin with its values, in the order they are installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aspora.models import Domain
from aspora.services import pins
from aspora.services.pins import Pin
from aspora.services.values import (
    delivery,
    mesh,
    metrics,
    nodes,
    secrets,
    stores,
    telemetry,
    traces,
)
from aspora.stack import StackSettings
from aspora.telemetry import collector, node_logs

Build = Callable[[StackSettings], dict[str, Any]]
Configure = Callable[[StackSettings, Sequence[Domain]], dict[str, Any]]
BuildWith = Callable[[StackSettings, Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Release:
    """A pin with the values for one stack. No value is a secret."""

    pin: Pin
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of the release, and of its component."""
        return self.pin.name

    @property
    def skip_crds(self) -> bool:
        """Whether the chart's folder of definitions stays out: ours are there already."""
        return self.pin.crds != "chart"


VALUES: Mapping[str, Build] = {
    "karpenter": nodes.karpenter,
    "aws-load-balancer-controller": nodes.load_balancers,
    "istio-base": mesh.base,
    "istiod": mesh.istiod,
    "istio-cni": mesh.cni,
    "cert-manager": secrets.cert_manager,
    "external-secrets": secrets.external_secrets,
    "external-dns": secrets.external_dns,
    "aspora-gateway": mesh.ingress,
    "istio-egress": mesh.egress,
    "kube-prometheus-stack": metrics.prometheus_stack,
    "keda": delivery.keda,
    "argo-cd": delivery.argo_cd,
    "argo-rollouts": delivery.argo_rollouts,
    "opentelemetry-operator": telemetry.operator,
    "clickhouse-operator": stores.clickhouse_operator,
    "valkey": stores.valkey,
    "langfuse": traces.langfuse,
    "opik": traces.opik,
    "phoenix": traces.phoenix,
    "opencost": metrics.opencost,
}
OF_DOMAINS: Mapping[str, tuple[Configure, BuildWith]] = {
    "otel-gateway": (collector.gateway_config, telemetry.gateway),
    "otel-collector": (collector.agent_config, telemetry.collector),
}
"""Those that know the domains: what makes their configuration, and the values around it."""
WITH_ACCOUNT: Mapping[str, Build] = {
    node_logs.NAME: lambda settings: telemetry.logs(settings, node_logs.config(settings)),
}
"""Those that have nothing to do where a stack has no account."""

WITHOUT_PRIORITY: Mapping[str, str] = {
    "istio-base": "it runs no pod",
    "istio-cni": "its chart sets system-node-critical itself",
    "clickhouse-operator": "its chart has no field",
    "langfuse": "its chart has no field",
    "opik": "its chart has no field",
    "phoenix": "its chart has no field",
}
"""Releases whose pods have no PriorityClass of ours, and why."""


def releases(settings: StackSettings, domains: Sequence[Domain]) -> tuple[Release, ...]:
    """All of them, each after what it needs."""
    built = {name: build(settings) for name, build in VALUES.items()}
    for name, (configure, build) in OF_DOMAINS.items():
        built[name] = build(settings, configure(settings, domains))
    if settings.aws is not None:
        built |= {name: build(settings) for name, build in WITH_ACCOUNT.items()}
    return tuple(Release(pin, built[pin.name]) for pin in pins.in_order() if pin.name in built)
