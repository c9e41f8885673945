"""The Helm releases of a stack: each pin with its values, in the order they are installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
from aspora.services.values.telemetry import Collectors
from aspora.stack import StackSettings

Build = Callable[[StackSettings], dict[str, Any]]


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
WITH_COLLECTORS = ("otel-collector", "otel-agent")
"""Those whose values need `Collectors`; without it they are left out, and nothing stands in."""

WITHOUT_PRIORITY: Mapping[str, str] = {
    "istio-base": "it runs no pod",
    "istio-cni": "its chart sets system-node-critical itself",
    "clickhouse-operator": "its chart has no field",
    "langfuse": "its chart has no field",
    "opik": "its chart has no field",
    "phoenix": "its chart has no field",
}
"""Releases whose pods have no PriorityClass of ours, and why."""


def releases(settings: StackSettings, collectors: Collectors | None) -> tuple[Release, ...]:
    """All of them, each after what it needs. `collectors` comes from aspora.telemetry.

    Without `collectors` the two collectors are left out: their charts would else run with
    pipelines of their own that lead nowhere.
    """
    built = {name: build(settings) for name, build in VALUES.items()}
    if collectors is not None:
        built["otel-collector"] = telemetry.gateway(settings, collectors.gateway)
        built["otel-agent"] = telemetry.agent(settings, collectors.agent)
    return tuple(Release(pin, built[pin.name]) for pin in pins.in_order() if pin.name in built)
