"""The custom resources the platform uses: where each comes from, and a schema of our own making.

A cluster takes the projects' own CustomResourceDefinitions. Where those cannot be had, an open
schema made from this table lets our objects in without checking their fields; whoever uses one
says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from aspora import names

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A file of CustomResourceDefinitions as a project publishes it.

    `sha256` is null until someone with access to the file has looked it up (decision 16).
    """

    project: str
    version: str
    url: str
    sha256: str | None = None


# Where to look for the next version stands above each pin.
# github.com/istio/istio/releases
ISTIO = Bundle(
    "istio",
    "1.31.1",
    "https://raw.githubusercontent.com/istio/istio/1.31.1/manifests/charts/base/files/crd-all.gen.yaml",
)
# github.com/cert-manager/cert-manager/releases
CERT_MANAGER = Bundle(
    "cert-manager",
    "v1.21.1",
    "https://github.com/cert-manager/cert-manager/releases/download/v1.21.1/cert-manager.crds.yaml",
)
# github.com/external-secrets/external-secrets/releases
EXTERNAL_SECRETS = Bundle(
    "external-secrets",
    "v2.12.0",
    "https://raw.githubusercontent.com/external-secrets/external-secrets/v2.12.0/deploy/crds/bundle.yaml",
)
# github.com/kedacore/keda/releases
KEDA = Bundle(
    "keda",
    "v2.21.0",
    "https://github.com/kedacore/keda/releases/download/v2.21.0/keda-2.21.0-crds.yaml",
)
# github.com/kubernetes-sigs/agent-sandbox/releases
AGENT_SANDBOX = Bundle(
    "agent-sandbox",
    "v1.0.5",
    "https://github.com/kubernetes-sigs/agent-sandbox/releases/download/v1.0.5/sandbox-with-extensions.yaml",
)
# github.com/argoproj/argo-rollouts/releases
ARGO_ROLLOUTS = Bundle(
    "argo-rollouts",
    "v1.9.0",
    "https://raw.githubusercontent.com/argoproj/argo-rollouts/v1.9.0/manifests/crds/rollout-crd.yaml",
)
# github.com/argoproj/argo-cd/releases
ARGO_CD_PROJECT = Bundle(
    "argo-cd-appproject",
    "v3.4.4",
    "https://raw.githubusercontent.com/argoproj/argo-cd/v3.4.4/manifests/crds/appproject-crd.yaml",
)
ARGO_CD_APPLICATION = Bundle(
    "argo-cd-application",
    "v3.4.4",
    "https://raw.githubusercontent.com/argoproj/argo-cd/v3.4.4/manifests/crds/application-crd.yaml",
)
# github.com/prometheus-operator/prometheus-operator/releases
PROMETHEUS = Bundle(
    "prometheus-operator",
    "v0.94.0",
    "https://github.com/prometheus-operator/prometheus-operator/releases/download/v0.94.0/stripped-down-crds.yaml",
)
# github.com/open-telemetry/opentelemetry-operator/releases
OPENTELEMETRY_VERSION = "v0.158.0"
# github.com/ClickHouse/clickhouse-operator/releases
CLICKHOUSE_VERSION = "v0.0.5"
# github.com/aws/karpenter-provider-aws/releases
KARPENTER_VERSION = "v1.14.1"


def _karpenter(file: str) -> Bundle:
    """Karpenter publishes a file for each of its definitions."""
    url = f"https://raw.githubusercontent.com/aws/karpenter-provider-aws/{KARPENTER_VERSION}/pkg/apis/crds/{file}.yaml"
    return Bundle(f"karpenter-{file.rpartition('_')[2]}", KARPENTER_VERSION, url)


def _opentelemetry(plural: str) -> Bundle:
    """The operator publishes a file for each of its definitions."""
    url = f"https://raw.githubusercontent.com/open-telemetry/opentelemetry-operator/{OPENTELEMETRY_VERSION}/config/crd/bases/opentelemetry.io_{plural}.yaml"
    return Bundle(f"opentelemetry-{plural}", OPENTELEMETRY_VERSION, url)


def _clickhouse(plural: str) -> Bundle:
    """And so does ClickHouse's."""
    url = f"https://raw.githubusercontent.com/ClickHouse/clickhouse-operator/{CLICKHOUSE_VERSION}/config/crd/bases/clickhouse.com_{plural}.yaml"
    return Bundle(f"clickhouse-{plural}", CLICKHOUSE_VERSION, url)


def _rollouts(file: str) -> Bundle:
    """Argo Rollouts too; rollout-crd.yaml is above."""
    url = f"https://raw.githubusercontent.com/argoproj/argo-rollouts/{ARGO_ROLLOUTS.version}/manifests/crds/{file}-crd.yaml"
    return Bundle(f"argo-rollouts-{file}", ARGO_ROLLOUTS.version, url)


INSTRUMENTATION = _opentelemetry("instrumentations")
CLICKHOUSE_CLUSTER = _clickhouse("clickhouseclusters")
CLICKHOUSE_KEEPER = _clickhouse("keeperclusters")

KARPENTER_NODE_CLASS = _karpenter("karpenter.k8s.aws_ec2nodeclasses")
KARPENTER_NODE_POOL = _karpenter("karpenter.sh_nodepools")
KARPENTER_NODE_CLAIM = _karpenter("karpenter.sh_nodeclaims")


@dataclass(frozen=True, slots=True)
class CustomKind:
    """One custom resource in the version we write."""

    group: str
    version: str
    kind: str
    plural: str
    scope: Literal["Namespaced", "Cluster"]
    bundle: Bundle

    @property
    def name(self) -> str:
        """The name of its CustomResourceDefinition."""
        return f"{self.plural}.{self.group}"

    @property
    def api_version(self) -> str:
        """As it stands in a manifest."""
        return f"{self.group}/{self.version}"


def _kind(group: str, version: str, kind: str, plural: str, bundle: Bundle) -> CustomKind:
    return CustomKind(group, version, kind, plural, "Namespaced", bundle)


def _cluster_kind(group: str, version: str, kind: str, plural: str, bundle: Bundle) -> CustomKind:
    return CustomKind(group, version, kind, plural, "Cluster", bundle)


CUSTOM_KINDS: tuple[CustomKind, ...] = (
    _kind("agents.x-k8s.io", "v1beta1", "Sandbox", "sandboxes", AGENT_SANDBOX),
    _kind(
        "extensions.agents.x-k8s.io",
        "v1beta1",
        "SandboxTemplate",
        "sandboxtemplates",
        AGENT_SANDBOX,
    ),
    _kind(
        "extensions.agents.x-k8s.io",
        "v1beta1",
        "SandboxWarmPool",
        "sandboxwarmpools",
        AGENT_SANDBOX,
    ),
    _kind("extensions.agents.x-k8s.io", "v1beta1", "SandboxClaim", "sandboxclaims", AGENT_SANDBOX),
    _kind("argoproj.io", "v1alpha1", "AppProject", "appprojects", ARGO_CD_PROJECT),
    _kind("argoproj.io", "v1alpha1", "Application", "applications", ARGO_CD_APPLICATION),
    _kind("argoproj.io", "v1alpha1", "Rollout", "rollouts", ARGO_ROLLOUTS),
    _kind("cert-manager.io", "v1", "Certificate", "certificates", CERT_MANAGER),
    _cluster_kind("cert-manager.io", "v1", "ClusterIssuer", "clusterissuers", CERT_MANAGER),
    _kind(
        "clickhouse.com",
        "v1alpha1",
        "ClickHouseCluster",
        "clickhouseclusters",
        CLICKHOUSE_CLUSTER,
    ),
    _kind("clickhouse.com", "v1alpha1", "KeeperCluster", "keeperclusters", CLICKHOUSE_KEEPER),
    _kind("external-secrets.io", "v1", "ExternalSecret", "externalsecrets", EXTERNAL_SECRETS),
    _kind("external-secrets.io", "v1", "SecretStore", "secretstores", EXTERNAL_SECRETS),
    _cluster_kind(
        "karpenter.k8s.aws", "v1", "EC2NodeClass", "ec2nodeclasses", KARPENTER_NODE_CLASS
    ),
    _cluster_kind("karpenter.sh", "v1", "NodeClaim", "nodeclaims", KARPENTER_NODE_CLAIM),
    _cluster_kind("karpenter.sh", "v1", "NodePool", "nodepools", KARPENTER_NODE_POOL),
    _kind("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects", KEDA),
    _kind(
        "monitoring.coreos.com",
        "v1alpha1",
        "AlertmanagerConfig",
        "alertmanagerconfigs",
        PROMETHEUS,
    ),
    _kind("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors", PROMETHEUS),
    _kind("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules", PROMETHEUS),
    _kind("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors", PROMETHEUS),
    _kind("networking.istio.io", "v1", "DestinationRule", "destinationrules", ISTIO),
    _kind("networking.istio.io", "v1alpha3", "EnvoyFilter", "envoyfilters", ISTIO),
    _kind("networking.istio.io", "v1", "Gateway", "gateways", ISTIO),
    _kind("networking.istio.io", "v1", "ServiceEntry", "serviceentries", ISTIO),
    _kind("networking.istio.io", "v1", "Sidecar", "sidecars", ISTIO),
    _kind("networking.istio.io", "v1", "VirtualService", "virtualservices", ISTIO),
    _kind("opentelemetry.io", "v1alpha1", "Instrumentation", "instrumentations", INSTRUMENTATION),
    _kind("security.istio.io", "v1", "AuthorizationPolicy", "authorizationpolicies", ISTIO),
    _kind("security.istio.io", "v1", "PeerAuthentication", "peerauthentications", ISTIO),
    _kind("security.istio.io", "v1", "RequestAuthentication", "requestauthentications", ISTIO),
    _kind("telemetry.istio.io", "v1", "Telemetry", "telemetries", ISTIO),
)

OPERATOR_CRDS: tuple[tuple[Bundle, tuple[str, ...]], ...] = (
    (
        CERT_MANAGER,
        (
            "certificaterequests.cert-manager.io",
            "challenges.acme.cert-manager.io",
            "issuers.cert-manager.io",
            "orders.acme.cert-manager.io",
        ),
    ),
    (
        ISTIO,
        (
            "envoyfilters.networking.istio.io",
            "gateways.networking.istio.io",
            "proxyconfigs.networking.istio.io",
            "requestauthentications.security.istio.io",
            "telemetries.telemetry.istio.io",
            "wasmplugins.extensions.istio.io",
            "workloadentries.networking.istio.io",
            "workloadgroups.networking.istio.io",
        ),
    ),
    (
        KEDA,
        (
            "clustertriggerauthentications.keda.sh",
            "scaledjobs.keda.sh",
            "triggerauthentications.keda.sh",
        ),
    ),
    (_rollouts("analysis-run"), ("analysisruns.argoproj.io",)),
    (_rollouts("analysis-template"), ("analysistemplates.argoproj.io",)),
    (_rollouts("cluster-analysis-template"), ("clusteranalysistemplates.argoproj.io",)),
    (_rollouts("experiment"), ("experiments.argoproj.io",)),
    (
        PROMETHEUS,
        (
            "alertmanagerconfigs.monitoring.coreos.com",
            "alertmanagers.monitoring.coreos.com",
            "probes.monitoring.coreos.com",
            "prometheuses.monitoring.coreos.com",
            "prometheusrules.monitoring.coreos.com",
            "scrapeconfigs.monitoring.coreos.com",
            "thanosrulers.monitoring.coreos.com",
        ),
    ),
    (_opentelemetry("opentelemetrycollectors"), ("opentelemetrycollectors.opentelemetry.io",)),
    (_opentelemetry("opampbridges"), ("opampbridges.opentelemetry.io",)),
    (_opentelemetry("targetallocators"), ("targetallocators.opentelemetry.io",)),
)
"""Definitions that operators look for when they start, of kinds that we do not write.

Only a cluster on which they run takes them; where one of these becomes a kind of ours, it stands in
CUSTOM_KINDS and may stay here.
"""

_OPEN_SCHEMA: Object = {
    "type": "object",
    "x-kubernetes-preserve-unknown-fields": True,
}


def open_crd(kind: CustomKind) -> Object:
    """A definition that accepts any field: our own words, made from the table alone."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.name, "annotations": {"aspora.io/schema": "open"}},
        "spec": {
            "group": kind.group,
            "scope": kind.scope,
            "names": {
                "kind": kind.kind,
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "listKind": f"{kind.kind}List",
            },
            "versions": [
                {
                    "name": kind.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _OPEN_SCHEMA},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def is_open(crd: Object) -> bool:
    """Whether the definition checks no fields."""
    return bool(crd["metadata"].get("annotations", {}).get("aspora.io/schema") == "open")


def owned(crd: Object) -> Object:
    """The definition as we register it: our owner label, no status, no bookkeeping."""
    meta = crd["metadata"]
    clean: Object = {
        "name": meta["name"],
        "labels": {**meta.get("labels", {}), **names.platform_labels()},
    }
    if meta.get("annotations"):
        clean["annotations"] = meta["annotations"]
    return {
        "apiVersion": crd["apiVersion"],
        "kind": crd["kind"],
        "metadata": clean,
        "spec": _without_conversion(crd["spec"]),
    }


def _without_conversion(spec: Object) -> Object:
    """No conversion webhook: its server may not run yet, and we write the stored version only."""
    kept = {key: value for key, value in spec.items() if key != "conversion"}
    stored = [version for version in kept["versions"] if version.get("storage")]
    return kept if "conversion" not in spec else kept | {"versions": stored}


def operators_names() -> tuple[str, ...]:
    """The definitions of OPERATOR_CRDS that are no kinds of ours."""
    ours = {kind.name for kind in CUSTOM_KINDS}
    return tuple(name for _, names_ in OPERATOR_CRDS for name in names_ if name not in ours)


def pick_named(found: Iterable[Object], wanted: Iterable[str]) -> dict[str, Object]:
    """Of any documents, the definitions with these names, whatever versions they serve."""
    these = set(wanted)
    return {
        document["metadata"]["name"]: owned(document)
        for document in found
        if isinstance(document, dict)
        and document.get("kind") == "CustomResourceDefinition"
        and document["metadata"]["name"] in these
    }


def pick(found: Iterable[Object]) -> dict[str, Object]:
    """Of any documents, the definitions of CUSTOM_KINDS that serve the version we write."""
    wanted = {kind.name: kind.version for kind in CUSTOM_KINDS}
    picked: dict[str, Object] = {}
    for document in found:
        if not isinstance(document, dict) or document.get("kind") != "CustomResourceDefinition":
            continue
        version = wanted.get(document["metadata"]["name"])
        served = [v["name"] for v in document["spec"]["versions"] if v.get("served")]
        if version in served:
            picked[document["metadata"]["name"]] = owned(document)
    return picked
