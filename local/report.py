"""What is up, as the API server tells it: gathered once, shown as a table or as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from aspora.names import DOMAIN_LABEL
from local.kube import KubeClient, KubeError

Object = dict[str, Any]
SIMULATED = "nodes, pods (kwok) and AWS (moto); operators' controllers do not run"
QUOTA_KEYS = ("requests.cpu", "requests.memory", "pods")


@dataclass(frozen=True)
class DomainStatus:
    """One domain's namespace: skills by kind of workload, pods, and quota as used/hard."""

    domain: str
    namespace: str
    services: int
    schedules: int
    sandboxes: int
    pods_ready: int
    pods: int
    quota: dict[str, str]


@dataclass(frozen=True)
class Status:
    """The local platform."""

    server: str
    kubeconfig: str
    aws: str
    simulated: str
    domains: tuple[DomainStatus, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def gather(client: KubeClient, kubeconfig: str, aws: str) -> Status:
    """Ask the API server; seven list calls whatever the number of domains."""
    services = _by_domain(client, "apps/v1", "Deployment")
    schedules = _by_domain(client, "batch/v1", "CronJob")
    pools = _by_domain(client, "extensions.agents.x-k8s.io/v1beta1", "SandboxWarmPool")
    pods = _by_domain(client, "v1", "Pod")
    quotas = _by_domain(client, "v1", "ResourceQuota")
    namespaces = client.list("v1", "Namespace", label_selector=DOMAIN_LABEL)
    domains = []
    for namespace in sorted(namespaces, key=lambda obj: str(obj["metadata"]["name"])):
        name = namespace["metadata"]["labels"][DOMAIN_LABEL]
        mine = [pod for pod in pods[name] if pod["status"].get("phase") != "Succeeded"]
        domains.append(
            DomainStatus(
                name,
                namespace["metadata"]["name"],
                len(services[name]),
                len(schedules[name]),
                len(pools[name]),
                sum(1 for pod in mine if _ready(pod)),
                len(mine),
                _quota(quotas[name]),
            )
        )
    return Status(client.server, kubeconfig, aws, SIMULATED, tuple(domains))


def pending(client: KubeClient) -> int:
    """Pods that the domains' Deployments want and do not have ready."""
    return sum(
        max(obj["spec"].get("replicas", 1) - obj.get("status", {}).get("readyReplicas", 0), 0)
        for obj in client.list("apps/v1", "Deployment", label_selector=DOMAIN_LABEL)
    )


def _by_domain(client: KubeClient, api_version: str, kind: str) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = defaultdict(list)
    try:
        objects = client.list(api_version, kind, label_selector=DOMAIN_LABEL)
    except KubeError as error:
        if error.status == 404:
            return found
        raise
    for obj in objects:
        found[obj["metadata"]["labels"][DOMAIN_LABEL]].append(obj)
    return found


def _ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _quota(quotas: Iterable[Object]) -> dict[str, str]:
    for quota in quotas:
        hard, used = quota["status"].get("hard", {}), quota["status"].get("used", {})
        return {key: f"{used.get(key, '0')}/{hard[key]}" for key in QUOTA_KEYS if key in hard}
    return {}
