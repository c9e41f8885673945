"""Every name and label the platform gives, in one place: names are an API.

Renaming an object means deleting and creating it, so what this module answers is covered by a
golden list (tests/golden/). A name too long for its place is cut and gets eight hexadecimal
digits of its SHA-256, never silently shortened: two long names stay two names.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

PLATFORM_NAMESPACE = "aspora-platform"
OBSERVABILITY_NAMESPACE = "aspora-observability"
EGRESS_NAMESPACE = "istio-egress"
SANDBOX_NAMESPACE = "agent-sandbox-system"
ARGOCD_NAMESPACE = "argocd"
ISTIO_NAMESPACE = "istio-system"
CNI_NAMESPACE = "istio-cni"
PROMETHEUS_SERVICE = "kube-prometheus-stack-prometheus"
"""The chart's Service, which keeps a client with one replica. The operator's own,
`prometheus-operated`, has no address: each look-up may lead to the other replica."""
NODE_AGENTS_NAMESPACE = "aspora-node-agents"
"""What has to see a node from inside, and nothing else: log collector and node exporter."""
PLATFORM_NAMESPACES = (PLATFORM_NAMESPACE, OBSERVABILITY_NAMESPACE, NODE_AGENTS_NAMESPACE)
"""Those that a domain's name could lead to."""
READER_ACCOUNT = "secret-reader"
"""The ServiceAccount whose Pod Identity role may read the domain's secrets and no others."""

PREVIEW_GROUP = "aspora-preview"
"""The Kubernetes group of CI's previews: it reads everything but Secrets."""

OWNER_LABEL = "aspora.io/owner"
DOMAIN_LABEL = "domain"
TEAM_LABEL = "owner-team"
COST_LABEL = "cost-center"
SERVICE_LABEL = "aspora.io/service"
"""Which of the platform's services a pod belongs to; NetworkPolicies choose by it."""
RUNTIME_LABEL = "aspora.io/runtime"
SANDBOX_LABEL = "aspora.io/sandbox"
PLATFORM_OWNER = "platform"

MANDATORY_LABELS = (DOMAIN_LABEL, TEAM_LABEL, COST_LABEL)
"""Labels that every workload of a domain carries; an admission policy refuses it otherwise."""

LABEL_LIMIT = 63
CACHE_LIMIT = 40
"""Of ElastiCache's replication groups and users (its API reference)."""
ALERTMANAGER_CONFIGURATION = "aspora"
"""The one AlertmanagerConfig, which Alertmanager takes whole."""
ROLE_LIMIT = 64
"""Of an IAM role (IAM's quotas)."""
TEAM_ROLE = "team"
"""The last part of a team's role. No ServiceAccount is called so: theirs begin with the domain."""
CRONJOB_LIMIT = 48
"""A Job adds 11 characters to its CronJob's name, and 63 is the limit of a pod's label. Four less,
so that names of pods keep the part by which the network policy agent tells two of them apart
(aws-network-policy-agent, issue 671)."""


@lru_cache(maxsize=65536)
def fit(name: str, limit: int = LABEL_LIMIT) -> str:
    """`name` when it has `limit` characters or fewer, else its head, a hyphen and a hash."""
    if len(name) <= limit:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-.')}-{digest}"


def namespace(domain: str) -> str:
    """The namespace of a domain: aspora-wealth."""
    return f"aspora-{domain}"


def skill_id(domain: str, agent: str | None, skill: str) -> str:
    """The ID people use: ecm/manager/triage-and-assign, or fraud/detect-velocity."""
    return f"{domain}/{agent}/{skill}" if agent else f"{domain}/{skill}"


def workload(skill: str) -> str:
    """The name of all of a skill's objects, from its ID; fits a CronJob and every suffix used."""
    return fit(skill.replace("/", "-"), CRONJOB_LIMIT)


def platform_labels() -> dict[str, str]:
    """Labels of objects that belong to no domain."""
    return {
        "app.kubernetes.io/managed-by": "aspora",
        "app.kubernetes.io/part-of": "aspora",
        OWNER_LABEL: PLATFORM_OWNER,
    }


def domain_labels(domain: str, team: str, cost_center: str) -> dict[str, str]:
    """Labels of every object of a domain."""
    return {
        "app.kubernetes.io/managed-by": "aspora",
        "app.kubernetes.io/part-of": "aspora",
        OWNER_LABEL: domain,
        DOMAIN_LABEL: domain,
        TEAM_LABEL: team,
        COST_LABEL: cost_center,
    }


def secret_path(stack: str, domain: str, *parts: str) -> str:
    """The name of a domain's entry in AWS Secrets Manager: aspora/prod/wealth/…"""
    return "/".join(("aspora", stack, domain, *parts))


def spiffe_id(domain: str, service_account: str) -> str:
    """The identity in a workload's certificate, in Istio's own form."""
    return spiffe_id_of(namespace(domain), service_account)


def spiffe_id_of(where: str, service_account: str) -> str:
    """The identity of a ServiceAccount in the namespace `where`."""
    return f"spiffe://cluster.local/ns/{where}/sa/{service_account}"


def bucket(prefix: str, purpose: str) -> str:
    """The name of an S3 bucket: <prefix>-artifacts. Unique in the whole world by its prefix."""
    return f"{prefix}-{purpose}"


def data_prefix(domain: str, workload: str) -> str:
    """Where a workload's objects lie in the buckets: wealth/wealth-advisor-plan/."""
    return f"{domain}/{workload}/"


def cache(cluster: str) -> str:
    """The ElastiCache replication group of a cluster."""
    return fit(f"{cluster}-cache", CACHE_LIMIT)


def cache_user(cluster: str, owner: str) -> str:
    """Whom a domain's agents, or the platform's services, log in to the cache as."""
    return fit(f"{cluster}-cache-{owner}", CACHE_LIMIT)


def karpenter_node_role(cluster: str) -> str:
    """The IAM role of the nodes that Karpenter starts; EC2NodeClass names it."""
    return f"{cluster}-karpenter-node"


def interruption_queue(cluster: str) -> str:
    """Where AWS tells Karpenter of instances that it will take away."""
    return f"{cluster}-interruptions"


def vpc(cluster: str) -> str:
    """The VPC's name, by which the load balancer controller finds it."""
    return f"{cluster}-vpc"


def domain_role(cluster: str, domain: str, whose: str) -> str:
    """The IAM role of a domain's ServiceAccount, or of its `team`: aspora-prod.ecm.secret-reader.

    No other name has a dot, so that no domain's role is ever another's or the platform's.
    """
    return fit(f"{cluster}.{domain}.{whose}", ROLE_LIMIT)


def role_path(environment: str) -> str:
    """The IAM path of every role of a stack: what the deploy role may make, and no others."""
    return f"/aspora/{environment}/"


def tags(environment: str, owner: str = PLATFORM_OWNER) -> dict[str, str]:
    """AWS tags of every resource that takes tags; those of costs are activated as such."""
    return {
        OWNER_LABEL: owner,
        "aspora:environment": environment,
        DOMAIN_LABEL: owner,
    }


STORAGE_CLASS = "fast-ssd"
"""Of every volume: gp3, encrypted."""
PLATFORM_POOL_LABELS = {"karpenter.sh/nodepool": "platform"}
"""On the nodes of the platform's services; Karpenter puts the pool's name there."""
SYSTEM_NODE_LABELS = {RUNTIME_LABEL: "system"}
"""On the managed group, for what must be there before Karpenter."""

DISCOVERY_TAG = "karpenter.sh/discovery"
"""Karpenter finds its subnets and security groups by this tag, whose value is the cluster."""
