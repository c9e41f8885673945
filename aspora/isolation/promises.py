"""What is promised, written down a second time: by hand, from the design, in few lines.

The code that writes the policies has tables of its own, which this module does not read. Where the
two differ, one of them is wrong, and the proof says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aspora.isolation.given import Declared, Given, Networks, Skill

PortRange = tuple[str, int, int]
"""Protocol, first port, last port."""
Ports = frozenset[PortRange]


def tcp(*ports: int) -> Ports:
    """TCP on each of `ports`."""
    return frozenset(("TCP", port, port) for port in ports)


@dataclass(frozen=True, slots=True)
class Service:
    """Pods of the platform by one label, with the ports that are promised."""

    namespace: str
    label: tuple[str, str]
    ports: Ports

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.namespace}/{self.label[1]}"

    def is_pod(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether a pod of that namespace and labels is one of it."""
        key, value = self.label
        return namespace == self.namespace and labels.get(key) == value


DNS: Final = Service("kube-system", ("k8s-app", "kube-dns"), frozenset({("UDP", 53, 53)}) | tcp(53))
MODELS: Final = Service("aspora-platform", ("app", "model-gateway"), tcp(8443))
TOOLS: Final = Service("aspora-platform", ("app", "tool-gateway"), tcp(8443))
INGRESS: Final = Service("aspora-platform", ("app", "aspora-gateway"), tcp(8443))
EGRESS: Final = Service("istio-egress", ("istio", "egressgateway"), tcp(8443))
COLLECTOR: Final = Service("aspora-observability", ("app", "otel-collector"), tcp(4318))
ISTIOD: Final = Service("istio-system", ("app", "istiod"), tcp(15012))
PROMETHEUS: Final = Service(
    "aspora-observability", ("app.kubernetes.io/name", "prometheus"), tcp(8081)
)
EXECUTE: Final = tcp(8080)

GATEWAYS: Final = (INGRESS, MODELS, TOOLS, EGRESS)
"""What passes on what it gets. Everything else is taken to end the connections that it accepts."""
OPEN_TO_AGENTS: Final = (DNS, MODELS, TOOLS, INGRESS, EGRESS, COLLECTOR, ISTIOD)
"""Platform services that admit any domain's pods by NetworkPolicy; what they then allow,
certificates and keys decide."""
POD_IDENTITY: Final = "169.254.170.23/32"
MODEL_HOSTS: Final = (("openrouter.ai", 443),)
"""Where the model gateway may send prompts."""
TO_THE_INTERNET: Final[tuple[tuple[str, str, str, Ports], ...]] = (
    ("kube-system", "app.kubernetes.io/name", "karpenter", tcp(443)),
    ("kube-system", "app.kubernetes.io/name", "aws-ebs-csi-driver", tcp(443)),
    ("kube-system", "app.kubernetes.io/name", "aws-load-balancer-controller", tcp(443)),
    ("aspora-observability", "aspora.io/service", "opencost", tcp(443)),
    ("aspora-observability", "app.kubernetes.io/name", "alertmanager", tcp(443, 587)),
    ("istio-system", "app", "istiod", tcp(443)),
    ("istio-egress", "istio", "egressgateway", tcp(443)),
    ("cert-manager", "", "", tcp(443)),
    ("external-dns", "", "", tcp(443)),
    ("argocd", "", "", tcp(443)),
)
"""Who may open connections to public addresses, and to none of the VPC's by the same rule:
(namespace, label, value, ports), every pod of a namespace where the label is empty. The egress
gateway has the ports of domain files' `egress` besides. No agent may."""

TEAM_RIGHTS: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    **{
        (group, name): frozenset({"get", "list", "create", "update", "patch", "delete"})
        for group, name in (("apps", "deployments"), ("batch", "cronjobs"), ("batch", "jobs"))
    },
    ("", "pods"): frozenset({"get", "list", "watch"}),
    ("", "pods/log"): frozenset({"get", "list", "watch"}),
    ("", "configmaps"): frozenset({"get", "list"}),
}
"""What a team may do in its own namespace, by (API group, resource): the brief's verbs."""
NOT_THERE: Final = frozenset(
    {("apps", "cronjobs"), ("apps", "jobs"), ("batch", "deployments")},
)
"""What the brief's rule names besides, two groups by three resources: Kubernetes has none of it."""

NEVER: Final[tuple[tuple[str, str], ...]] = (
    ("", "secrets"),
    ("", "pods/exec"),
    ("", "pods/attach"),
    ("", "pods/portforward"),
    ("", "pods/ephemeralcontainers"),
    ("", "serviceaccounts/token"),
    ("", "nodes/proxy"),
)
"""What nobody but Kubernetes and the charts' own controllers may touch, with whatever verb."""
READING: Final = frozenset({"get", "list", "watch"})
_SANDBOXES: Final = ("sandboxclaims", "sandboxtemplates", "sandboxwarmpools")
PLATFORM_WRITES: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "Group aspora-preview": frozenset(),
    "ServiceAccount aspora-platform/certificate-restarts": frozenset({("apps", "deployments")}),
    "ServiceAccount agent-sandbox-system/agent-sandbox-controller": frozenset(
        {
            *(("", name) for name in ("persistentvolumeclaims", "pods", "services", "events")),
            ("events.k8s.io", "events"),
            ("coordination.k8s.io", "leases"),
            ("networking.k8s.io", "networkpolicies"),
            *(("agents.x-k8s.io", f"sandboxes{part}") for part in ("", "/finalizers", "/status")),
            *(
                ("extensions.agents.x-k8s.io", f"{name}{part}")
                for name in _SANDBOXES
                for part in ("", "/finalizers", "/status")
            ),
        }
    ),
}
"""Who of the platform has rights in domains' namespaces, and what they may change there, by
(API group, resource); they may read what NEVER does not name."""

AGENT_ACTIONS: Final = frozenset(
    {
        *(f"s3:{name}" for name in ("GetObject", "PutObject", "DeleteObject")),
        *("s3:AbortMultipartUpload", "s3:ListBucket", "kms:Decrypt", "kms:GenerateDataKey"),
        *("rds-db:connect", "elasticache:Connect"),
    }
)
"""What a pod of a domain may do on AWS; on what, its prefix and names decide."""
READER_ACTIONS: Final = frozenset(
    {"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "kms:Decrypt"}
)
"""What the reader of a domain's secrets may do."""
TEAM_ACTIONS: Final = frozenset({"eks:DescribeCluster"})
READER: Final = "secret-reader"
PLATFORM: Final = "platform"
"""The owner of what belongs to no domain: in prefixes, secret names and tags."""
MANAGED: Final = frozenset(
    {
        *("AmazonEBSCSIDriverPolicy", "AmazonEKS_CNI_Policy", "AmazonEKSClusterPolicy"),
        *("AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy"),
        *("AmazonSSMManagedInstanceCore", "AmazonRDSEnhancedMonitoringRole"),
    }
)
"""AWS's own policies that roles of the platform may have: none of them reaches data."""
PREVIEWS: Final = frozenset({"SecurityAudit", "ViewOnlyAccess"})
"""AWS's own policies for the previews of pull requests: settings, and no data."""
STATE: Final = ("bucket *-pulumi-state", "bucket *-pulumi-state/*")
LOCKS: Final = "bucket *-pulumi-state/.pulumi/locks/*"
PREVIEW_ACTIONS: Final[tuple[tuple[frozenset[str], tuple[str, ...]], ...]] = (
    (frozenset({"s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"}), STATE),
    (frozenset({"s3:PutObject", "s3:DeleteObject"}), (LOCKS,)),
    (frozenset({"kms:Decrypt", "kms:GenerateDataKey"}), ("key alias/*-pulumi",)),
)
"""What previews do of their own policies, and on what: they read Pulumi's state and hold a lock."""
PLATFORM_READS: Final[Mapping[str, tuple[str, ...]]] = {
    "aspora-platform/model-gateway-secrets": (
        "secret aspora/*/*/openrouter",
        "secret aspora/*/*/openrouter-*",
        "secret aspora/*/*/model-gateway/*",
    ),
    "aspora-observability/otel-gateway": ("bucket *-raw-logs/*",),
    "aspora-observability/postgres-databases": ("secret rds!*",),
}
"""What platform identities have of every domain: the keys to models, logs as they come in, which
are written and never read, and the password of RDS's own administrator, who makes the databases."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing that a workload needs and may have: a service, or address ranges."""

    to: Service | tuple[str, ...]
    ports: Ports

    @property
    def title(self) -> str:
        """For people."""
        return self.to.title if isinstance(self.to, Service) else ", ".join(self.to)


def out_of_agent(skill: Skill, domain: Declared, networks: Networks) -> Iterator[Promise]:
    """Whom a skill's pods may call, and each of them they can."""
    services = [DNS, MODELS, COLLECTOR]
    if skill.tools:
        services.append(TOOLS)
    if skill.calls:
        services.append(INGRESS)
    if domain.egress:
        services.append(EGRESS)
    if domain.sidecars:
        services.append(ISTIOD)
    for service in services:
        yield Promise(service, service.ports)
    yield Promise((POD_IDENTITY,), tcp(80))
    yield Promise(networks.endpoints, tcp(443))
    if skill.database:
        yield Promise(networks.databases, tcp(5432, 6379))


def into_agent(skill: Skill) -> Iterator[Promise]:
    """Who may call a skill's pods, and can."""
    yield Promise(PROMETHEUS, PROMETHEUS.ports)
    if skill.kind in ("service", "sessions"):
        yield Promise(INGRESS, EXECUTE)


# -- the mesh -----------------------------------------------------------------------------------

IN_MESH: Final = ("aspora-platform", "aspora-observability", "clickhouse-operator")
"""Namespaces of the platform whose pods have a proxy, which asks callers for a certificate and
calls only what it was told of. Of domains, those that chose to."""


def in_mesh(given: Given) -> frozenset[str]:
    """All namespaces whose pods have a proxy."""
    chosen = (
        name
        for name, domain in given.domains.items()
        if (declared := given.declared_by_name.get(domain)) and declared.sidecars
    )
    return frozenset((*IN_MESH, *chosen))


DOORS: Final[Mapping[tuple[str, int], str]] = {
    (INGRESS.title, 443): "SIMPLE",
    (INGRESS.title, 8443): "MUTUAL",
    (EGRESS.title, 443): "ISTIO_MUTUAL",
    (EGRESS.title, 8443): "MUTUAL",
}
"""Servers of the gateways: (pods, port), and what they ask of callers."""
MESH_WAY_OUT: Final = "istio-egress.istio-egress.svc.cluster.local"
"""Where routes lead that the mesh's own proxies follow."""
REWRITTEN: Final = {"uri": "/execute"}
"""What an agent hears of the path that its caller asked for."""
WITHOUT_PROXY: Final[Mapping[tuple[str, str, str], frozenset[int]]] = {
    ("aspora-platform", "app", "model-gateway"): frozenset({8443}),
    ("aspora-platform", "app", "tool-gateway"): frozenset({8443}),
    ("aspora-observability", "app", "otel-collector"): frozenset({4318, 8888}),
    ("aspora-observability", "app", "otel-gateway"): frozenset({8888, 8889}),
    ("aspora-observability", "aspora.io/service", "clickhouse"): frozenset({9363}),
    ("aspora-observability", "aspora.io/service", "phoenix"): frozenset({9090}),
    ("clickhouse-operator", "control-plane", "controller-manager"): frozenset({8080, 9443}),
}
"""Ports that agents in gVisor, Prometheus or the API server call, which have no proxy: (namespace,
label, value)."""
METRICS: Final = 8081
"""The same of agents that have a proxy."""
OWN_TLS: Final[Mapping[str, int]] = {
    "model-gateway.aspora-platform.svc.cluster.local": 8443,
    "tool-gateway.aspora-platform.svc.cluster.local": 8443,
    "aspora-gateway.aspora-platform.svc.cluster.local": 8443,
    "istio-egress.istio-egress.svc.cluster.local": 8443,
    "otel-collector.aspora-observability.svc.cluster.local": 4318,
}
"""Services whose callers bring TLS of their own to one port, so that a proxy adds none."""
OF_THE_VPC: Final = ".vpc.aspora.internal"
"""How names end that stand for address ranges and are no host's."""
KEY_HOSTS: Final[Mapping[str, str]] = {
    "accounts.google.com": "www.googleapis.com",
    "sts.windows.net": "login.microsoftonline.com",
}
"""Issuers of tokens that publish their keys at another host; all others at their own."""
_HTTP: Final = "type.googleapis.com/envoy.extensions.filters.http"
_MANAGER: Final = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    ".HttpConnectionManager"
)
LIMITS: Final[Mapping[tuple[str, str, str], frozenset[str]]] = {
    ("HTTP_FILTER", "INSERT_BEFORE", f"{_HTTP}.buffer.v3.Buffer"): frozenset({"max_request_bytes"}),
    (
        "HTTP_FILTER",
        "INSERT_BEFORE",
        f"{_HTTP}.local_ratelimit.v3.LocalRateLimit",
    ): frozenset(
        {
            *("stat_prefix", "token_bucket", "filter_enabled", "filter_enforced", "descriptors"),
            "always_consume_default_token_bucket",
        }
    ),
    ("NETWORK_FILTER", "MERGE", _MANAGER): frozenset(
        {
            *("forward_client_cert_details", "set_current_client_cert_details"),
            *("common_http_protocol_options", "max_request_headers_kb"),
            *("request_headers_timeout", "request_timeout"),
        }
    ),
    ("VIRTUAL_HOST", "MERGE", ""): frozenset({"rate_limits"}),
}
"""Patches of Envoy that only refuse: (what, how, type of the filter), and the fields they set."""

# -- pods, namespaces, delivery -----------------------------------------------------------------

STARTED_BY: Final[tuple[tuple[Service, str], ...]] = (
    (MODELS, "Deployment aspora-platform/model-gateway"),
    (TOOLS, "Deployment aspora-platform/tool-gateway"),
    *((one, "") for one in (DNS, INGRESS, EGRESS, COLLECTOR, ISTIOD, PROMETHEUS)),
)
"""The one object that starts pods of a service; of the others a chart does, or an operator."""
WITHOUT_CALLERS: Final = ("CronJob aspora-platform/certificate-restarts",)
"""Whom nobody calls and who calls the API server alone, without a proxy."""
NODE_AGENTS: Final = ("aspora-node-agents", "istio-cni")
"""Namespaces whose pods may touch their node; all others are `restricted`."""
SANDBOX: Final = ("gvisor", "runsc")
"""The RuntimeClass of agents, and what starts their containers."""
TOKENS: Final = ("pods.eks.amazonaws.com", "istio-ca")
"""Whom an agent's tokens are for: never the API server."""
ISSUERS: Final[Mapping[str, tuple[str, str]]] = {
    "aspora-selfsigned": ("selfSigned", ""),
    "aspora-agents": ("ca", "aspora-agents-root"),
    "letsencrypt": ("acme", ""),
}
"""Who signs certificates, and with which key of the cluster's."""
APPLIED: Final = frozenset(
    {
        *(("", name) for name in ("ConfigMap", "Service", "ServiceAccount")),
        *(("apps", "Deployment"), ("argoproj.io", "Rollout"), ("batch", "CronJob")),
        *(("cert-manager.io", "Certificate"), ("external-secrets.io", "ExternalSecret")),
        *(("keda.sh", "ScaledObject"), ("policy", "PodDisruptionBudget")),
        *(("networking.istio.io", name) for name in ("DestinationRule", "VirtualService")),
        ("extensions.agents.x-k8s.io", "SandboxTemplate"),
        ("extensions.agents.x-k8s.io", "SandboxWarmPool"),
    }
)
"""What Argo CD may apply for a domain, by (API group, kind): workloads, and no guard rail."""
