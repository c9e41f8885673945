"""What is promised, written down a second time: by hand, from the design, in few lines.

The code that writes the policies has tables of its own, which this module does not read. Where the
two differ, one of them is wrong, and the proof says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aspora.isolation.given import Declared, Networks, Skill

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
