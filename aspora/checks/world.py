"""Rendered objects as rules look at them: pods whoever makes them, kinds, namespaces.

It reads objects alone and knows nothing of the code that wrote them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aspora import names
from aspora.render.objects import Object
from aspora.stack import StackSettings

CONTROLLERS = (
    *("DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController"),
    *("Rollout", "StatefulSet"),
)
"""Kinds with the pod at `spec.template`."""
STATUS_PORT = "8081"
"""Of agents with a sidecar: probes and metrics, for callers that have no mesh identity."""
CLICKHOUSE = ("ClickHouseCluster", "KeeperCluster")
"""Kinds whose operator puts the pod together out of two templates."""


@dataclass(frozen=True, slots=True)
class Pod:
    """The pods that an object makes."""

    owner: Object
    labels: Mapping[str, str]
    spec: Object

    @property
    def namespace(self) -> str:
        """Where they run."""
        return str(self.owner["metadata"].get("namespace", ""))

    @property
    def kind(self) -> str:
        """Of the object that makes them."""
        return str(self.owner["kind"])

    @property
    def containers(self) -> Iterator[Object]:
        """All of them, init containers too."""
        for field in ("initContainers", "containers", "ephemeralContainers"):
            yield from self.spec.get(field) or ()

    def security(self, container: Object, field: str) -> Any:
        """A field of the security context: the container's, else the pod's."""
        own = (container.get("securityContext") or {}).get(field)
        return (self.spec.get("securityContext") or {}).get(field) if own is None else own


class World:
    """A set of rendered objects on a stack."""

    def __init__(self, objects: Iterable[Object], settings: StackSettings) -> None:
        self.objects = tuple(objects)
        self.settings = settings
        self._kinds: dict[str, list[Object]] = {}
        self._within: dict[tuple[str, str], list[Object]] = {}
        for obj in self.objects:
            kind, space = obj["kind"], obj["metadata"].get("namespace", "")
            self._kinds.setdefault(kind, []).append(obj)
            self._within.setdefault((kind, space), []).append(obj)

    def of(self, *kinds: str) -> Iterator[Object]:
        """The objects of these kinds."""
        for kind in kinds:
            yield from self._kinds.get(kind, ())

    def within(self, kind: str, namespace: str) -> Iterable[Object]:
        """The objects of a kind in one namespace; looking through all of them takes too long."""
        return self._within.get((kind, namespace), ())

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """What runs, in the order of the objects."""
        return tuple(pod for obj in self.objects if (pod := pod_of(obj)))

    @property
    def containers(self) -> Iterator[tuple[Pod, Object]]:
        """Every container with its pod."""
        for pod in self.pods:
            for container in pod.containers:
                yield pod, container

    @cached_property
    def namespaces(self) -> Mapping[str, Object]:
        """The Namespaces among the objects, by name."""
        return {obj["metadata"]["name"]: obj for obj in self.of("Namespace")}

    def domain(self, namespace: str) -> str:
        """Whose namespace it is; nothing for the platform's."""
        found = self.namespaces.get(namespace, {})
        return str(labels_of(found).get(names.DOMAIN_LABEL, ""))


def pod_of(obj: Object) -> Pod | None:
    """The pods of an object of any kind that makes some."""
    spec = obj.get("spec") or {}
    kind = obj["kind"]
    if kind == "Pod":
        return Pod(obj, labels_of(obj), spec)
    if kind in CLICKHOUSE:
        return _clickhouse(obj)
    if kind == "CronJob":
        template = spec["jobTemplate"]["spec"]["template"]
    elif kind in ("Sandbox", "SandboxTemplate"):
        template = spec["podTemplate"]
    elif kind in CONTROLLERS:
        template = spec["template"]
    else:
        return None
    return Pod(obj, labels_of(template), template["spec"])


def _clickhouse(obj: Object) -> Pod:
    spec = obj["spec"]
    container = dict(spec.get("containerTemplate") or {})
    image = container.get("image") or {}
    container |= {"name": "server", "image": f"{image.get('repository')}:{image.get('tag', '')}"}
    return Pod(obj, spec.get("labels") or {}, {**spec["podTemplate"], "containers": [container]})


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of an object or a template."""
    return (obj.get("metadata") or {}).get("labels") or {}


def where(obj: Object) -> str:
    """`namespace/name`, or the name of what stands in no namespace."""
    meta = obj["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector of Kubernetes chooses what has these labels."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, operator = labels.get(expression["key"]), expression["operator"]
    listed = value in (expression.get("values") or ())
    return {
        "In": listed,
        "NotIn": not listed,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[operator]
