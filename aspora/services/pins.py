"""Which charts are installed: where they come from, in which version, where and in which order.

`version` and `app_version` are what the projects' own pages showed on 23 to 25 November 2026; None
is what nobody has seen, and prod refuses it (decision 16).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from aspora import names

CrdsFrom = Literal["ours", "chart", "none"]

ISTIO = "https://istio-release.storage.googleapis.com/charts"
ARGO = "https://argoproj.github.io/argo-helm"
OPENTELEMETRY = "https://open-telemetry.github.io/opentelemetry-helm-charts"


@dataclass(frozen=True, slots=True)
class Pin:
    """One release.

    `look` is where the next version stands. `repository` is None for a chart in an OCI registry,
    whose `chart` is then the whole address. `crds` says who brings the definitions: our component,
    the chart where ours has none of them, or nobody. `serves` are the releases that somebody waits
    for: in prod they have two replicas and a PodDisruptionBudget.
    """

    name: str
    chart: str
    repository: str | None
    version: str | None
    app_version: str | None
    look: str
    namespace: str
    needs: tuple[str, ...] = ()
    serves: bool = True
    timeout_seconds: int = 300
    crds: CrdsFrom = "none"


PINS: tuple[Pin, ...] = (
    Pin(
        "karpenter",
        "oci://public.ecr.aws/karpenter/karpenter",
        None,
        "1.14.1",
        "1.14.1",
        "github.com/aws/karpenter-provider-aws/releases",
        "kube-system",
        crds="ours",
    ),
    Pin(
        "aws-load-balancer-controller",
        "aws-load-balancer-controller",
        "https://aws.github.io/eks-charts",
        "3.6.0",
        "v3.6.0",
        "github.com/kubernetes-sigs/aws-load-balancer-controller/releases",
        "kube-system",
        crds="chart",
    ),
    # Its CRDs are ours; the rest of it is the validating webhook that istiod answers, and the
    # account by which other tools read the mesh.
    Pin(
        "istio-base",
        "base",
        ISTIO,
        "1.31.1",
        "1.31.1",
        "github.com/istio/istio/releases",
        names.ISTIO_NAMESPACE,
        ("karpenter",),
        serves=False,
        crds="ours",
    ),
    Pin(
        "istiod",
        "istiod",
        ISTIO,
        "1.31.1",
        "1.31.1",
        "github.com/istio/istio/releases",
        names.ISTIO_NAMESPACE,
        ("istio-base",),
    ),
    Pin(
        "istio-cni",
        "cni",
        ISTIO,
        "1.31.1",
        "1.31.1",
        "github.com/istio/istio/releases",
        names.CNI_NAMESPACE,
        ("istiod",),
        serves=False,
    ),
    Pin(
        "cert-manager",
        "oci://quay.io/jetstack/charts/cert-manager",
        None,
        "v1.21.1",
        "v1.21.1",
        "github.com/cert-manager/cert-manager/releases",
        "cert-manager",
        ("karpenter",),
        crds="ours",
    ),
    Pin(
        "external-secrets",
        "external-secrets",
        "https://charts.external-secrets.io",
        "2.12.0",
        "v2.12.0",
        "github.com/external-secrets/external-secrets/releases",
        "external-secrets",
        ("karpenter",),
        crds="ours",
    ),
    Pin(
        "external-dns",
        "external-dns",
        "https://kubernetes-sigs.github.io/external-dns",
        "1.20.0",
        "v0.20.0",
        "kubernetes-sigs.github.io/external-dns/latest/charts/external-dns/CHANGELOG",
        "external-dns",
        ("karpenter",),
        serves=False,
    ),
    Pin(
        "aspora-gateway",
        "gateway",
        ISTIO,
        "1.31.1",
        "1.31.1",
        "github.com/istio/istio/releases",
        names.PLATFORM_NAMESPACE,
        ("istiod", "istio-cni", "aws-load-balancer-controller", "external-dns"),
        timeout_seconds=600,
    ),
    Pin(
        "istio-egress",
        "gateway",
        ISTIO,
        "1.31.1",
        "1.31.1",
        "github.com/istio/istio/releases",
        names.EGRESS_NAMESPACE,
        ("istiod", "istio-cni"),
    ),
    Pin(
        "kube-prometheus-stack",
        "kube-prometheus-stack",
        "https://prometheus-community.github.io/helm-charts",
        "91.4.1",
        "v0.94.0",
        "github.com/prometheus-community/helm-charts/releases",
        names.OBSERVABILITY_NAMESPACE,
        ("cert-manager", "external-secrets", "istio-cni"),
        timeout_seconds=900,
        crds="ours",
    ),
    Pin(
        "keda",
        "keda",
        "https://kedacore.github.io/charts",
        "2.21.0",
        "2.21.0",
        "github.com/kedacore/charts/releases",
        "keda",
        ("karpenter",),
        crds="ours",
    ),
    Pin(
        "argo-cd",
        "argo-cd",
        ARGO,
        "10.9.3",
        None,
        "github.com/argoproj/argo-helm/releases",
        names.ARGOCD_NAMESPACE,
        ("external-secrets",),
        timeout_seconds=600,
        crds="ours",
    ),
    Pin(
        "argo-rollouts",
        "argo-rollouts",
        ARGO,
        "2.43.5",
        None,
        "github.com/argoproj/argo-helm/releases",
        "argo-rollouts",
        ("karpenter",),
        crds="ours",
    ),
    Pin(
        "opentelemetry-operator",
        "opentelemetry-operator",
        OPENTELEMETRY,
        "0.122.0",
        "0.158.0",
        "github.com/open-telemetry/opentelemetry-helm-charts/releases",
        "opentelemetry-operator",
        ("cert-manager",),
        crds="ours",
    ),
    Pin(
        "clickhouse-operator",
        "oci://ghcr.io/clickhouse/clickhouse-operator-helm",
        None,
        "0.0.5",
        "v0.0.5",
        "github.com/ClickHouse/clickhouse-operator/releases",
        "clickhouse-operator",
        ("cert-manager", "istio-cni"),
        serves=False,
        crds="ours",
    ),
    Pin(
        "valkey",
        "valkey",
        "https://valkey-io.github.io/valkey-helm",
        "0.11.0",
        "9.1.1",
        "github.com/valkey-io/valkey-helm/releases",
        names.OBSERVABILITY_NAMESPACE,
        ("external-secrets", "istio-cni"),
        serves=False,
    ),
    Pin(
        "langfuse",
        "langfuse",
        "https://langfuse.github.io/langfuse-k8s",
        "2.1.1",
        "4.35.0",
        "github.com/langfuse/langfuse-k8s/releases",
        names.OBSERVABILITY_NAMESPACE,
        ("clickhouse-operator", "external-secrets", "istio-cni", "valkey"),
        timeout_seconds=1800,
    ),
    Pin(
        "opik",
        "opik",
        "https://comet-ml.github.io/opik",
        "2.2.35",
        "2.2.35",
        "github.com/comet-ml/opik/releases",
        names.OBSERVABILITY_NAMESPACE,
        ("clickhouse-operator", "external-secrets", "istio-cni", "valkey"),
        timeout_seconds=1800,
    ),
    Pin(
        "phoenix",
        "oci://registry-1.docker.io/arizephoenix/phoenix-helm",
        None,
        "12.0.4",
        "20.3.0",
        "github.com/Arize-ai/phoenix/blob/main/helm/Chart.yaml",
        names.OBSERVABILITY_NAMESPACE,
        ("external-secrets", "istio-cni"),
        timeout_seconds=900,
    ),
    Pin(
        "otel-gateway",
        "opentelemetry-collector",
        OPENTELEMETRY,
        "0.173.1",
        None,
        "github.com/open-telemetry/opentelemetry-helm-charts/releases",
        names.OBSERVABILITY_NAMESPACE,
        ("cert-manager", "external-secrets", "langfuse", "opik", "phoenix"),
    ),
    Pin(
        "otel-collector",
        "opentelemetry-collector",
        OPENTELEMETRY,
        "0.173.1",
        None,
        "github.com/open-telemetry/opentelemetry-helm-charts/releases",
        names.OBSERVABILITY_NAMESPACE,
        ("otel-gateway",),
    ),
    Pin(
        "otel-logs",
        "opentelemetry-collector",
        OPENTELEMETRY,
        "0.173.1",
        None,
        "github.com/open-telemetry/opentelemetry-helm-charts/releases",
        names.NODE_AGENTS_NAMESPACE,
        ("karpenter",),
        serves=False,
    ),
    Pin(
        "opencost",
        "opencost",
        "https://opencost.github.io/opencost-helm-chart",
        "2.5.34",
        "1.121.4",
        "github.com/opencost/opencost-helm-chart/releases",
        names.OBSERVABILITY_NAMESPACE,
        ("kube-prometheus-stack",),
        serves=False,
    ),
)


DATABASES_NEED = ("external-secrets", "istio-cni")
"""What is there before the Job that makes PostgreSQL's databases (aspora/render/postgres.py)."""
ON_DATABASES = ("kube-prometheus-stack", "langfuse", "phoenix")
"""What keeps its data in them; the model gateway comes after all releases."""
STORES_NEED = ("clickhouse-operator", "external-secrets", "istio-cni")
"""What is there before the stores that are objects of ours (aspora/render/databases.py): a pod that
is older than the mesh never gets a sidecar."""
ON_STORES = ("langfuse", "opik")
"""What keeps its data in them."""


def in_order(pins: tuple[Pin, ...] = PINS) -> tuple[Pin, ...]:
    """Each after all that it needs, else as in the table. Raises ValueError for a circle."""
    waiting: dict[str, Pin] = {pin.name: pin for pin in pins}
    placed: list[Pin] = []
    done: set[str] = set()
    while waiting:
        ready = [pin for pin in waiting.values() if set(pin.needs) <= done]
        if not ready:
            raise ValueError(f"these need each other or what is missing: {', '.join(waiting)}")
        for pin in ready:
            placed.append(waiting.pop(pin.name))
            done.add(pin.name)
    return tuple(placed)


def unseen(pins: tuple[Pin, ...] = PINS) -> Iterator[tuple[str, str]]:
    """What prod refuses: (release, why). An app's version tells which definitions fit it."""
    for pin in pins:
        if pin.version is None:
            yield pin.name, f"the version of chart {pin.chart} is not known"
        elif pin.app_version is None and pin.crds == "ours":
            yield pin.name, f"which version of the app chart {pin.version} installs is not known"


def by_name() -> Mapping[str, Pin]:
    """The table by the releases' names."""
    return {pin.name: pin for pin in PINS}
