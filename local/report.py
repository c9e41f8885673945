"""What is up, as the API server tells it: gathered once, shown as a table or as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from aspora.names import DOMAIN_LABEL
from aspora.services.pins import in_order
from local.kube import KubeClient, KubeError
from local.paths import LOCAL

if TYPE_CHECKING:
    from local.paths import Paths

Object = dict[str, Any]
NOT_RUNNING = "not running"
SIMULATED = "nodes, pods (kwok) and AWS (moto); operators' controllers do not run"
SIMULATED_STACK = (
    "EKS (a local control plane), nodes and pods (kwok), AWS (moto); operators' controllers do not"
    " run, so Rollouts have no pods"
)
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
    """A platform on this machine.

    `simulated` says what is only played, `kept` which AWS types the stand-in keeps itself, and
    which call moto lacks; `outputs` are the stack's, without secrets. `not_installed` are the Helm
    releases, none of which runs on one machine: their webhooks need real pods. `observability` is
    what `up --observability` started, by name, with its address.
    """

    stack: str
    server: str
    kubeconfig: str
    aws: str
    simulated: str
    domains: tuple[DomainStatus, ...]
    kept: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    not_installed: tuple[str, ...] = ()
    observability: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def status(paths: Paths) -> Status | None:
    """What is up; None when the control plane is not."""
    from infra.program import PROJECT
    from local import controlplane, moto_server
    from local.engine_state import EngineState
    from local.providers.aws_types import kept

    plane, moto = controlplane.status(paths), moto_server.status(paths)
    if plane is None:
        return None
    simulated = paths.stack != LOCAL
    return Status(
        stack=paths.stack,
        server=plane.server,
        kubeconfig=str(plane.kubeconfig),
        aws=moto.url if moto else NOT_RUNNING,
        simulated=SIMULATED_STACK if simulated else SIMULATED,
        domains=gather(KubeClient.from_kubeconfig(plane.kubeconfig)),
        kept=kept() if simulated else {},
        outputs=EngineState(paths.pulumi, PROJECT, paths.stack).outputs() if simulated else {},
        not_installed=not_installed(),
        observability=_observability(paths),
    )


def _observability(paths: Paths) -> dict[str, str]:
    if not paths.observability.exists():
        return {}
    from local.observability import servers

    return servers.status(paths)


def not_installed() -> tuple[str, ...]:
    """Each release by its name and version, in the order a cluster gets them."""
    return tuple(f"{pin.name} {pin.version or '(version not known)'}" for pin in in_order())


def gather(client: KubeClient) -> tuple[DomainStatus, ...]:
    """Ask the API server; eight list calls whatever the number of domains."""
    services = _by_domain(client, "apps/v1", "Deployment")
    rollouts = _by_domain(client, "argoproj.io/v1alpha1", "Rollout")
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
                len(services[name]) + len(rollouts[name]),
                len(schedules[name]),
                len(pools[name]),
                sum(1 for pod in mine if _ready(pod)),
                len(mine),
                _quota(quotas[name]),
            )
        )
    return tuple(domains)


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
