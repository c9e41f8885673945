"""Whether what was deployed runs: the rendered objects against what the API server holds.

A rollout that hangs and a secret that never arrives are no failure to the engine: it applied an
object, and a controller works on it. Each kind whose status says something is asked what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aspora.render import Rendered

Object = Mapping[str, Any]
Kind = tuple[str, str]

_MAY_BE_GONE = frozenset((("batch/v1", "Job"),))
"""Kubernetes removes them some time after they are done (ttlSecondsAfterFinished)."""


@dataclass(frozen=True, order=True)
class Unwell:
    """An object that is not there, or whose controller says that it is not ready."""

    namespace: str
    kind: str
    name: str
    why: str

    def __str__(self) -> str:
        """`Rollout aspora-wealth/wealth-advisor-answer: 1 of 2 pods are available`."""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}: {self.why}"


def expected(rendered: Rendered) -> Iterator[Object]:
    """The objects that Pulumi applied: a domain's workloads may be Argo CD's, which comes later."""
    yield from (*rendered.system, *rendered.cluster, *rendered.stores, *rendered.services)
    for domain in rendered.domains:
        yield from domain.guardrails
        yield from domain.handover
        if domain.delivery == "pulumi":
            for skill in domain.skills:
                yield from skill.objects


def kinds(objects: Sequence[Object]) -> list[Kind]:
    """Each kind once, to be listed."""
    return sorted({(obj["apiVersion"], obj["kind"]) for obj in objects})


def look(
    objects: Sequence[Object], live: Mapping[Kind, Sequence[Object]], *, controllers: bool
) -> list[Unwell]:
    """What is not well; without `controllers` only of what one machine makes ready, too."""
    there = {(kind, *_key(obj)): obj for kind, found in live.items() for obj in found}
    unwell: list[Unwell] = []
    for obj in objects:
        kind = (obj["apiVersion"], obj["kind"])
        found = there.get((kind, *_key(obj)))
        if found is None:
            why = "" if kind in _MAY_BE_GONE else "it is not there"
        elif controllers or kind in _HERE:
            why = HEALTH[kind](found) if kind in HEALTH else ""
        else:
            why = ""
        if why:
            namespace, name = _key(obj)
            unwell.append(Unwell(namespace, obj["kind"], name, why))
    return sorted(unwell)


def _key(obj: Object) -> tuple[str, str]:
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def _status(obj: Object) -> Mapping[str, Any]:
    return obj.get("status") or {}


def _seen(obj: Object) -> bool:
    """Whether the controller has seen this generation; Argo writes the number as text."""
    return str(_status(obj).get("observedGeneration", "")) == str(obj["metadata"]["generation"])


def _replicas(key: str) -> Callable[[Object], str]:
    def health(obj: Object) -> str:
        if not _seen(obj):
            return "its controller has not seen the change yet"
        wanted = obj["spec"].get("replicas", 1)
        have = _status(obj).get(key, 0)
        new = _status(obj).get("updatedReplicas", 0)
        if new < wanted:
            return f"{new} of {wanted} pods are new"
        return "" if have >= wanted else f"{have} of {wanted} pods are available"

    return health


def _rollout(obj: Object) -> str:
    if not _seen(obj):
        return "its controller has not seen the change yet"
    phase = _status(obj).get("phase", "not known")
    # A canary that waits for its verdict is as it should be.
    return "" if phase in ("Healthy", "Paused") else f"it is {phase}"


def _pool(obj: Object) -> str:
    wanted, ready = obj["spec"]["replicas"], _status(obj).get("readyReplicas", 0)
    return "" if ready >= wanted else f"{ready} of {wanted} sandboxes are ready"


def _job(obj: Object) -> str:
    failed = _condition(obj, "Failed")
    return "it failed" if failed.get("status") == "True" else ""


def _ready(obj: Object) -> str:
    condition = _condition(obj, "Ready")
    if condition.get("status") == "True":
        return ""
    return f"it is not ready: {condition.get('message') or 'its controller says nothing'}"


def _condition(obj: Object, kind: str) -> Mapping[str, Any]:
    conditions = _status(obj).get("conditions") or ()
    return next((entry for entry in conditions if entry["type"] == kind), {})


_HERE: Mapping[Kind, Callable[[Object], str]] = {
    ("apps/v1", "Deployment"): _replicas("availableReplicas"),
    ("batch/v1", "Job"): _job,
}
HEALTH: Mapping[Kind, Callable[[Object], str]] = {
    **_HERE,
    # Its pods wait for volumes, which nothing makes on one machine.
    ("apps/v1", "StatefulSet"): _replicas("availableReplicas"),
    ("argoproj.io/v1alpha1", "Rollout"): _rollout,
    ("cert-manager.io/v1", "Certificate"): _ready,
    ("cert-manager.io/v1", "ClusterIssuer"): _ready,
    ("extensions.agents.x-k8s.io/v1beta1", "SandboxWarmPool"): _pool,
    ("external-secrets.io/v1", "ExternalSecret"): _ready,
    ("external-secrets.io/v1", "SecretStore"): _ready,
    ("karpenter.k8s.aws/v1", "EC2NodeClass"): _ready,
    ("karpenter.sh/v1", "NodePool"): _ready,
    ("keda.sh/v1alpha1", "ScaledObject"): _ready,
}
"""Kinds whose status tells how they are; of every other one it is enough that it is there."""
