"""The most a domain's workloads can ask of its quota at one time.

Worst case, added up: every service at its largest scale while a new version is rolled out, every
schedule firing at once, every warm pool full beside every session it may serve. Sidecars and
gVisor's overhead count, since Kubernetes counts them (KEP-688: a pod's overhead is charged to the
quota).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aspora.quantities import parse_memory
from aspora.render.workloads import surge
from aspora.resolve import Workload
from aspora.stack import StackSettings

MIB = 1024 * 1024
SIDECAR_CPU_MILLIS = 100
SIDECAR_MEMORY_BYTES = 128 * MIB
"""Requests of istio-proxy as Istio's chart sets them (global.proxy.resources)."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Millicores, bytes of memory, bytes of storage, and pods."""

    cpu: int = 0
    memory: int = 0
    storage: int = 0
    pods: int = 0

    def __add__(self, other: Demand) -> Demand:
        return Demand(
            self.cpu + other.cpu,
            self.memory + other.memory,
            self.storage + other.storage,
            self.pods + other.pods,
        )


def peak_pods(workload: Workload) -> int:
    """Pods of one skill at its worst moment."""
    sessions = workload.skill.sessions
    if workload.kind == "cron":
        return 1
    if sessions is not None:
        return sessions.warm_pool + sessions.max_sessions
    return workload.scaling.max + surge(workload.scaling.max)


def demand(workload: Workload, settings: StackSettings) -> Demand:
    """What one skill can ask for at its worst moment."""
    pods = peak_pods(workload)
    if workload.domain.sandbox.runtime == "runc":
        cpu, memory = SIDECAR_CPU_MILLIS, SIDECAR_MEMORY_BYTES
    else:
        overhead = settings.sandbox_overhead
        cpu, memory = overhead.cpu_millis, overhead.memory_mib * MIB
    sessions = workload.skill.sessions
    volume = parse_memory(sessions.storage) if sessions and sessions.storage else 0
    return Demand(
        cpu=pods * (workload.requests.cpu + cpu),
        memory=pods * (workload.requests.memory + memory),
        storage=pods * volume,
        pods=pods,
    )


def total(workloads: Iterable[Workload], settings: StackSettings) -> Demand:
    """What all of them can ask for together."""
    return sum((demand(workload, settings) for workload in workloads), Demand())
