"""ASP511: several pods are never all taken away at once."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import Hit, Rule
from aspora.checks.world import Pod, World, selects

SCALED = ("Deployment", "Rollout", "StatefulSet", *("ClickHouseCluster", "KeeperCluster"))


def look(world: World) -> Iterator[Hit]:
    """A budget for each set of pods that is, or may become, more than one."""
    most = {
        (obj["metadata"]["namespace"], obj["spec"]["scaleTargetRef"]["name"]): obj["spec"].get(
            "maxReplicaCount", 100
        )
        for obj in world.of("ScaledObject")
    }
    for pod in world.pods:
        if pod.kind not in SCALED:
            continue
        count = most.get((pod.namespace, pod.owner["metadata"]["name"]))
        count = pod.owner["spec"].get("replicas", 1) if count is None else count
        if count > 1 and not _has_budget(world, pod):
            yield Hit(pod.owner, f"up to {count} pods, and no PodDisruptionBudget chooses them")


def _has_budget(world: World, pod: Pod) -> bool:
    return any(
        selects(budget["spec"].get("selector") or {}, pod.labels)
        for budget in world.within("PodDisruptionBudget", pod.namespace)
    )


RULE = Rule(
    "ASP511",
    "No disruption budget",
    "Karpenter and upgrades empty nodes; without a budget they may take every pod of a service"
    " in one go.",
    "https://kubernetes.io/docs/tasks/run-application/configure-pdb/",
    look,
    ("scaling",),
)
