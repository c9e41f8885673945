"""Rendered objects as checkov takes them, and what its addresses stand for.

checkov knows Kubernetes' own kinds. What makes pods and is none of them (Rollout, SandboxTemplate,
ClickHouse's) is given as what it comes to, or its pods would be scanned by nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from aspora.checks.verdict import Place, subject
from aspora.checks.world import CONTROLLERS, Pod, pod_of
from aspora.policy import ScanInput, Skip, Subject
from aspora.policy_skips import OBJECT_SKIPS
from aspora.render.objects import Object

FRAMEWORK = "kubernetes"
UNKNOWN_TO_IT = ("Rollout", "Sandbox", "SandboxTemplate", "ClickHouseCluster", "KeeperCluster")


def kubernetes_input(
    objects: Iterable[Object], place: Place, skips: tuple[Skip, ...] = OBJECT_SKIPS
) -> ScanInput:
    """Every object, one a document. checkov counts the pods of a controller once more."""
    texts: list[str] = []
    subjects: dict[str, Subject] = {}
    looked_at: set[str] = set()
    for obj in objects:
        about, pod = subject(obj, place), pod_of(obj)
        given = _native(pod) if pod and obj["kind"] in UNKNOWN_TO_IT else obj
        texts.append(f"---\n{json.dumps(given, ensure_ascii=False)}\n")
        address = _address(given)
        subjects[address] = about
        if pod:
            looked_at.add(address)
        if pod and given["kind"] in CONTROLLERS:
            subjects[_pod_address(address, pod)] = about
    return ScanInput(
        FRAMEWORK,
        "Kubernetes object",
        "".join(texts),
        len(subjects),
        subjects,
        skips,
        frozenset(looked_at),
    )


def _native(pod: Pod) -> Object:
    """A Pod; a Rollout is a Deployment but for its strategy."""
    if pod.kind == "Rollout":
        return pod.owner | {"apiVersion": "apps/v1", "kind": "Deployment"}
    meta = pod.owner["metadata"]
    own = {"name": f"{pod.kind.lower()}-{meta['name']}", "namespace": pod.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**own, "labels": dict(pod.labels)},
        "spec": pod.spec,
    }


def _address(obj: Object) -> str:
    meta = obj["metadata"]
    return f"{obj['kind']}.{meta.get('namespace') or 'default'}.{meta['name']}"


def _pod_address(controller: str, pod: Pod) -> str:
    """As checkov names the pod it takes out of a controller: by the controller and the labels."""
    labels = ".".join(f"{key}-{value}" for key, value in pod.labels.items())
    return f"Pod.{controller.partition('.')[2]}.{labels}"
