"""The pods of a stack, as far as they are alike: by the objects that start them, and by the
policies that speak of them.

What Helm charts start is not among the rendered objects, but policies name its pods by label. And
a team may start pods with labels of its own choice: for each domain there is one workload of "any
labels", which is taken to be picked by every selector that could pick it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from aspora.isolation.given import Given, Object, space
from aspora.isolation.model import Workload, WorkloadKind
from aspora.isolation.promises import GATEWAYS
from aspora.isolation.selectors import Selector, examples, selects

ANY_LABELS = "(any labels)"
NO_LABELS = "(no labels)"
SYSTEM = ("kube-system", "kube-node-lease", "kube-public", "default")


@dataclass(frozen=True, slots=True)
class Pods:
    """One workload: `free` when its labels are anybody's choice, `skill` where it runs one.

    `ports` are those that its containers declare, with their names.
    """

    workload: Workload
    labels: Mapping[str, str]
    free: bool = False
    skill: str = ""
    ports: tuple[tuple[str, int], ...] = ()

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.workload.namespace

    @property
    def id(self) -> str:
        """As Reach has it."""
        return self.workload.id

    @property
    def domain(self) -> str | None:
        """The domain it belongs to."""
        return self.workload.domain

    @property
    def principal(self) -> str:
        """The identity in its certificate, as Istio's policies write it."""
        account = self.workload.account or self.workload.name
        return f"cluster.local/ns/{self.namespace}/sa/{account}"

    def picked(self, selector: Selector | None) -> bool:
        """Whether a selector of pods picks it, or could."""
        return selector is not None if self.free else selects(selector, self.labels)


def find_pods(given: Given) -> tuple[Pods, ...]:
    """Every workload, by namespace and name."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Pods] = {}
    for pods in (*_started(given), *_free(given), *_unlabelled(given)):
        found.setdefault((pods.id, tuple(sorted(pods.labels.items()))), pods)
    for pods in _spoken_of(given, tuple(found.values())):
        found.setdefault((pods.id, tuple(sorted(pods.labels.items()))), pods)
    return tuple(sorted(_apart(found.values()), key=lambda pods: pods.id))


def _apart(found: Iterable[Pods]) -> Iterator[Pods]:
    """Two operators may give one name to two things: their labels tell them apart."""
    seen: set[str] = set()
    for pods in sorted(found, key=lambda pods: (pods.id, sorted(pods.labels.items()))):
        work = pods.workload
        if pods.id in seen:
            told = ", ".join(f"{key}={value}" for key, value in sorted(pods.labels.items()))
            work = replace(work, name=f"{work.name} ({told})")
        seen.add(pods.id)
        yield replace(pods, workload=work)


def _started(given: Given) -> Iterator[Pods]:
    """By objects that hold a pod, whatever their kind."""
    skills = {
        (space(obj), obj["metadata"]["name"]): (obj.get("data") or {}).get("SKILL_NAME", "")
        for obj in given.kind("ConfigMap")
    }
    for obj in given.objects:
        for pod_labels, _, spec in templates(obj):
            where, name = space(obj), obj["metadata"]["name"]
            account = spec.get("serviceAccountName", "")
            work = _workload(given, where, name, pod_labels, account)
            skill = skills.get((where, name), "") if work.domain else ""
            yield Pods(work, pod_labels, skill=skill, ports=tuple(_ports(spec)))


class Template(NamedTuple):
    """A pod that an object describes."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]


def templates(obj: Object) -> Iterator[Template]:
    """Each pod that an object describes."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    if obj["kind"] == "Pod":
        yield _template(obj["metadata"], spec)
    if "containerTemplate" in spec:  # ClickHouse's operator: labels beside the template
        yield _template(spec, spec.get("podTemplate") or {})
        return
    job = spec.get("jobTemplate") or {}
    holders = (spec, job.get("spec") or {})
    for template in (*(holder.get("template") for holder in holders), spec.get("podTemplate")):
        if isinstance(template, Mapping) and "containers" in (template.get("spec") or {}):
            yield _template(template.get("metadata") or {}, template["spec"])


def _template(meta: Mapping[str, Any], spec: Mapping[str, Any]) -> Template:
    return Template(meta.get("labels") or {}, meta.get("annotations") or {}, spec)


def _ports(spec: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            yield port.get("name", ""), port["containerPort"]


def _free(given: Given) -> Iterator[Pods]:
    for name in given.domains:
        yield Pods(_workload(given, name, ANY_LABELS, {}), {}, free=True)


def _unlabelled(given: Given) -> Iterator[Pods]:
    for name in given.namespaces:
        if name not in given.domains:
            yield Pods(_workload(given, name, NO_LABELS, {}), {})


def _spoken_of(given: Given, known: Sequence[Pods]) -> Iterator[Pods]:
    """Pods of the platform that policies pick by labels and no object here starts."""
    homes: dict[str, list[Pods]] = {}
    for pods in known:
        homes.setdefault(pods.namespace, []).append(pods)
    for where, selector in sorted(_selectors(given), key=repr):
        if where in given.domains:
            continue
        for pod_labels in examples(selector):
            mine = homes.setdefault(where, [])
            if not any(pod_labels.items() <= pods.labels.items() for pods in mine):
                name = next(iter(pod_labels.values()))
                made = Pods(_workload(given, where, name, pod_labels), pod_labels)
                mine.append(made)
                yield made


def _selectors(given: Given) -> Iterator[tuple[str, Selector]]:
    """(namespace, selector of pods), from policies and from gateways."""
    for obj in given.kind("NetworkPolicy"):
        spec = obj["spec"]
        yield space(obj), spec.get("podSelector") or {}
        for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
            for peer in (*(rule.get("from") or ()), *(rule.get("to") or ())):
                yield from _of_peer(given, space(obj), peer)
    for obj in given.kind("Gateway"):
        yield space(obj), {"matchLabels": obj["spec"].get("selector") or {}}


def _of_peer(given: Given, home: str, peer: Mapping[str, Any]) -> Iterator[tuple[str, Selector]]:
    if not peer.get("podSelector"):
        return
    if "namespaceSelector" not in peer:
        yield home, peer["podSelector"]
        return
    every = given.namespaces.items()
    spaces = [name for name, its_labels in every if selects(peer["namespaceSelector"], its_labels)]
    if len(spaces) == 1:  # of all namespaces it says nothing about what runs where
        yield spaces[0], peer["podSelector"]


def _workload(
    given: Given, where: str, name: str, pod_labels: Mapping[str, str], account: str = ""
) -> Workload:
    domain = given.domains.get(where)
    kind: WorkloadKind = "platform"
    if domain:
        kind = "agent"
    elif any(gateway.is_pod(where, pod_labels) for gateway in GATEWAYS):
        kind = "gateway"
    elif where in SYSTEM:
        kind = "cluster service"
    return Workload(where, name, kind, domain, tuple(sorted(pod_labels.items())), account)
