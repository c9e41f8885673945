"""Karpenter's nodes, which are no resources of the program: estimated from the rendered pods.

Pods are packed first fit, largest first, on nodes of one instance type; the type that comes out
cheapest is taken. Sessions in use and load above the minimum of replicas come on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aspora import names
from aspora.aws_prices import AwsPrices, Shape
from aspora.capacity import MIB, SIDECAR_CPU_MILLIS, SIDECAR_MEMORY_BYTES
from aspora.cron import runs_per_day
from aspora.quantities import parse_cpu, parse_memory

DAYS_A_MONTH = 365.25 / 12
GIB = 1024 * MIB

DAEMONS_CPU_MILLIS = 320
DAEMONS_MEMORY_BYTES = 400 * MIB
DAEMONS_PODS = 7
"""What every node runs: network plugin 50m, kube-proxy 100m, volumes 30m and 120Mi, mesh CNI 100m
and 100Mi, node exporter 20m and 32Mi, logs 20m and 64Mi; the Pod Identity agent asks for nothing,
the rest is kept for it."""

STANDING = (
    *("ClickHouseCluster", "Deployment", "KeeperCluster", "Rollout", "SandboxWarmPool"),
    "StatefulSet",
)
"""Kinds whose pods are always there."""
POOLS = ("gvisor", "gvisorSpot", "platform")

Object = Mapping[str, Any]
Index = Mapping[tuple[str, str, str], Object]


@dataclass(frozen=True, slots=True, order=True)
class Pod:
    """Millicores and bytes that the scheduler reserves, with sidecar or gVisor's overhead."""

    cpu: int
    memory: int


@dataclass(frozen=True, slots=True)
class Demand:
    """What runs in one pool: pods that are always there, and pods of runs with hours a month."""

    pods: tuple[Pod, ...] = ()
    runs: tuple[tuple[Pod, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Packed:
    """`nodes` of one instance type, and the room that pods have on each."""

    instance_type: str
    nodes: int
    room: Pod


def total(pods: Iterable[Pod]) -> Pod:
    """What all of them ask for together."""
    listed = tuple(pods)
    return Pod(sum(pod.cpu for pod in listed), sum(pod.memory for pod in listed))


def room(shape: Shape) -> Pod:
    """What pods can have of a node, after kubelet, system and daemons.

    CPU: EKS reserves 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of
    the others. Memory: Karpenter expects 7.5 % to be missing; EKS reserves 255 MiB and 11 MiB a
    pod; the last 100 MiB are kubelet's threshold.
    """
    cores = shape.vcpu
    reserved = 60 + 10 * (cores > 1) + 5 * min(max(cores - 2, 0), 2) + max(cores - 4, 0) * 5 // 2
    memory = shape.memory_gib * GIB * 925 // 1000 - (255 + 11 * shape.pods + 100) * MIB
    return Pod(cores * 1000 - reserved - DAEMONS_CPU_MILLIS, memory - DAEMONS_MEMORY_BYTES)


def pack(pods: Sequence[Pod], types: Iterable[str], prices: AwsPrices) -> Packed | None:
    """The cheapest nodes that hold `pods`; None when no type with a known price holds them all."""
    packed = [found for name in types if (found := _pack(pods, name, prices))]
    return min(packed, key=lambda p: p.nodes * _hourly(p.instance_type, prices), default=None)


def _hourly(instance_type: str, prices: AwsPrices) -> Decimal:
    return prices.price(f"ec2.{instance_type}").usd or Decimal("Infinity")


def _pack(pods: Sequence[Pod], instance_type: str, prices: AwsPrices) -> Packed | None:
    shape = prices.instances.get(instance_type)
    if shape is None or prices.price(f"ec2.{instance_type}").usd is None:
        return None
    space, most = room(shape), shape.pods - DAEMONS_PODS
    nodes: list[tuple[int, int, int]] = []
    for pod in sorted(pods, reverse=True):
        for index, (cpu, memory, count) in enumerate(nodes):
            if pod.cpu <= cpu and pod.memory <= memory and count < most:
                nodes[index] = (cpu - pod.cpu, memory - pod.memory, count + 1)
                break
        else:
            if pod.cpu > space.cpu or pod.memory > space.memory:
                return None
            nodes.append((space.cpu - pod.cpu, space.memory - pod.memory, 1))
    return Packed(instance_type, len(nodes), space)


def left_over(pods: Sequence[Pod], shape: Shape, count: int) -> tuple[Pod, ...]:
    """What of `pods` does not fit on `count` nodes of one shape, the largest placed first.

    Each goes where most CPU is free, as the scheduler spreads them (NodeResourcesFit's default,
    LeastAllocated).
    """
    space, most = room(shape), shape.pods - DAEMONS_PODS
    free = [(space.cpu, space.memory, 0)] * count
    left: list[Pod] = []
    for pod in sorted(pods, reverse=True):
        fitting = [
            (cpu, index)
            for index, (cpu, memory, held) in enumerate(free)
            if pod.cpu <= cpu and pod.memory <= memory and held < most
        ]
        if not fitting:
            left.append(pod)
            continue
        _, index = max(fitting)
        cpu, memory, held = free[index]
        free[index] = (cpu - pod.cpu, memory - pod.memory, held + 1)
    return tuple(left)


def demands(objects: Iterable[Object], extra_minutes: Decimal) -> Mapping[str, Demand]:
    """What the rendered objects ask of each pool: `gvisor`, `gvisorSpot`, `platform`.

    Services at their ScaledObject's minimum, sandboxes at their pool's size. A CronJob's run
    keeps a node of its own until the run's deadline, and for `extra_minutes` around it; the
    platform's own runs find room beside its services.
    """
    index = {reference(obj): obj for obj in objects}
    overhead = overheads(index)
    pods: dict[str, list[Pod]] = {pool: [] for pool in POOLS}
    runs: dict[str, list[tuple[Pod, Decimal]]] = {pool: [] for pool in POOLS}
    for obj in index.values():
        if obj["kind"] == "CronJob" and not is_ours(obj):
            template = obj["spec"]["jobTemplate"]["spec"]["template"]["spec"]
            run = pod_of(template, overhead), run_hours(obj["spec"], extra_minutes)
            runs[pool_of(template)].append(run)
        elif obj["kind"] in STANDING:
            template, count = standing(obj, index)
            pod = _asked(template) if is_ours(obj) else pod_of(template, overhead)
            pods[pool_of(template)] += [pod] * count
    return {pool: Demand(tuple(pods[pool]), tuple(runs[pool])) for pool in POOLS}


def sandbox_gib(objects: Iterable[Object]) -> Decimal:
    """GiB of the volumes of all warm sandboxes."""
    index = {reference(obj): obj for obj in objects}
    size = 0
    for (kind, *_), obj in index.items():
        if kind == "SandboxWarmPool":
            claims = _sandbox(obj, index).get("volumeClaimTemplates", ())
            asked = (claim["spec"]["resources"]["requests"]["storage"] for claim in claims)
            size += int(obj["spec"]["replicas"]) * sum(map(parse_memory, asked))
    return Decimal(size) / GIB


def reference(obj: Object) -> tuple[str, str, str]:
    """Kind, namespace and name."""
    meta = obj["metadata"]
    return obj["kind"], meta.get("namespace", ""), meta["name"]


def standing(obj: Object, index: Index) -> tuple[Object, int]:
    """The pod of what is always there, and how many of it."""
    kind, namespace, name = reference(obj)
    spec = obj["spec"]
    if kind == "SandboxWarmPool":
        return _sandbox(obj, index)["podTemplate"]["spec"], int(spec["replicas"])
    if kind in ("ClickHouseCluster", "KeeperCluster"):
        return {"containers": [spec["containerTemplate"]]}, int(spec["replicas"])
    scaled = index.get(("ScaledObject", namespace, name))
    count = scaled["spec"]["minReplicaCount"] if scaled else spec.get("replicas", 1)
    return spec["template"]["spec"], int(count)


def _sandbox(pool: Object, index: Index) -> Object:
    namespace = pool["metadata"]["namespace"]
    name = pool["spec"]["sandboxTemplateRef"]["name"]
    spec: Object = index["SandboxTemplate", namespace, name]["spec"]
    return spec


def run_hours(spec: Object, extra_minutes: Decimal) -> Decimal:
    """Node-hours a month; a run without a deadline counts as an hour."""
    deadline = Decimal(spec["jobTemplate"]["spec"].get("activeDeadlineSeconds", 3600)) / 3600
    runs = Decimal(str(round(runs_per_day(spec["schedule"]) * DAYS_A_MONTH, 3)))
    return runs * (deadline + extra_minutes / 60)


def overheads(index: Index) -> Mapping[str, Pod]:
    """What a sandbox takes for each pod, by the name of its RuntimeClass."""
    return {
        name: _amount(obj["overhead"]["podFixed"])
        for (kind, _, name), obj in index.items()
        if kind == "RuntimeClass" and "overhead" in obj
    }


def _amount(requests: Mapping[str, str]) -> Pod:
    cpu, memory = requests.get("cpu", "0"), requests.get("memory", "0")
    return Pod(parse_cpu(cpu, allow_zero=True), parse_memory(memory, allow_zero=True))


def pod_of(template: Object, overhead: Mapping[str, Pod]) -> Pod:
    """What the scheduler reserves for a pod of a skill, with its sidecar or its sandbox."""
    sidecar = Pod(SIDECAR_CPU_MILLIS, SIDECAR_MEMORY_BYTES)
    added = overhead.get(template.get("runtimeClassName", ""), sidecar)
    return total((_asked(template), added))


def _asked(template: Object) -> Pod:
    """Of the containers alone."""
    return total(
        _amount(c.get("resources", {}).get("requests", {})) for c in template["containers"]
    )


def is_ours(obj: Object) -> bool:
    """Whether it is the platform's: the sidecars of its stores ask for next to nothing."""
    owner = obj["metadata"].get("labels", {}).get(names.OWNER_LABEL)
    return bool(owner == names.PLATFORM_OWNER)


def pool_of(template: Object) -> str:
    """The pool that a pod's node selector and tolerations lead it to."""
    if template.get("runtimeClassName") != "gvisor":
        return "platform"
    spot = any(item.get("key") == "spot" for item in template.get("tolerations", ()))
    return "gvisorSpot" if spot else "gvisor"
