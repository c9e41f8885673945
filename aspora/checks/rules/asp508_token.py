"""ASP508: no pod holds a key to the Kubernetes API that it does not use."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import Hit, Rule
from aspora.checks.world import Pod, World


def look(world: World) -> Iterator[Hit]:
    """Mounted is a token only for accounts to which some binding gives rights."""
    silent = {
        (obj["metadata"]["namespace"], obj["metadata"]["name"])
        for obj in world.of("ServiceAccount")
        if obj.get("automountServiceAccountToken") is False
    }
    bound = set(_bound(world))
    for pod in world.pods:
        account = _account(pod)
        mounts = pod.spec.get("automountServiceAccountToken")
        if mounts is False or (mounts is None and account in silent) or account in bound:
            continue
        yield Hit(
            pod.owner,
            f"the pod mounts the token of {account[1]}, to which no Role is bound",
        )


def _account(pod: Pod) -> tuple[str, str]:
    return pod.namespace, str(pod.spec.get("serviceAccountName") or "default")


def _bound(world: World) -> Iterator[tuple[str, str]]:
    for binding in world.of("RoleBinding", "ClusterRoleBinding"):
        own = binding["metadata"].get("namespace", "")
        for subject in binding.get("subjects") or ():
            if subject["kind"] == "ServiceAccount":
                yield subject.get("namespace") or own, subject["name"]


RULE = Rule(
    "ASP508",
    "Token mounted without use",
    "A token says who asks; whoever breaks into the pod asks the API server in its name.",
    "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/"
    "#opt-out-of-api-credential-automounting",
    look,
)
