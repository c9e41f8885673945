"""ASP510: what serves says whether it can."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import Hit, Rule
from aspora.checks.world import World
from aspora.problems import quoted

SERVING = ("DaemonSet", "Deployment", "ReplicaSet", "Rollout", "SandboxTemplate", "StatefulSet")
"""ClickHouse's operator makes probes of its own."""


def look(world: World) -> Iterator[Hit]:
    """Both probes in each container of what runs on and on."""
    for pod in world.pods:
        if pod.kind not in SERVING:
            continue
        for container in pod.spec.get("containers") or ():
            missing = [p for p in ("readinessProbe", "livenessProbe") if not container.get(p)]
            if missing:
                name = quoted(container["name"])
                yield Hit(pod.owner, f"container {name} has no {' and no '.join(missing)}")


RULE = Rule(
    "ASP510",
    "No probes",
    "Without them a pod gets requests before it can answer them, and one that hangs stays.",
    "https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/",
    look,
)
