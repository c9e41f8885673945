"""What the releases' pods ask for: one entry a pod, from the requests in their values.

DaemonSets are left out: what every node runs is counted with the node (aspora/bill/nodes.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aspora.quantities import parse_cpu, parse_memory
from aspora.services.namespaces import by_name
from aspora.services.releases import Release
from aspora.services.values.common import size
from aspora.stack import StackSettings

DAEMONS = ("istio-cni", "otel-logs")
NO_PODS = (
    "applicationSet",
    "initResources",
    "prometheus-node-exporter",
    "proxy",
    "startupapicheck",
)
"""Parts of values whose requests are of jobs, of other pods, of every node, or of nobody."""
SIDECARS = ("prometheusConfigReloader", "sidecar")
"""Small containers in pods that are counted already: Prometheus' reloader, Grafana's sidecars."""
SINGLE = ("controller", "exporter", "kube-state-metrics", "prometheusOperator", "redis")
"""Parts of charts with several that are one pod in every stack."""


def pods(settings: StackSettings, found: tuple[Release, ...]) -> Iterator[tuple[int, int, bool]]:
    """(millicores, bytes, in the mesh) of each pod that a release keeps running."""
    several = size(settings).replicas
    for release in found:
        if release.name in DAEMONS:
            continue
        space = by_name().get(release.pin.namespace)
        meshed = space is not None and space.mesh
        for path, requests in _requests(release.values):
            single = not release.pin.serves or (
                bool(path) and path[-1] in SINGLE and release.name != "karpenter"
            )
            amount = parse_cpu(requests["cpu"]), parse_memory(requests["memory"])
            yield from ((*amount, meshed),) * (1 if single else several)


def _requests(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(values, Mapping):
        return
    for key, value in values.items():
        if key in NO_PODS or key in SIDECARS:
            continue
        if key == "requests" and {"cpu", "memory"} <= set(value):
            yield path[:-1], value
        else:
            yield from _requests(value, (*path, key))
