"""Find and remove what a killed run left behind and no state remembers.

Every object of ours carries a label; what has it and is not wanted any more goes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from local.discovery import Ref, ref_of
from local.kube import KubeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from local.discovery import Resource
    from local.kube import KubeClient

# Made by controllers; they copy labels from what they were made for.
_NOT_OURS = frozenset(
    ("ControllerRevision", "Endpoints", "EndpointSlice", "Event", "Lease", "PodMetrics")
)
_WORKLOADS = frozenset(
    (
        "CronJob",
        "DaemonSet",
        "Deployment",
        "Job",
        "Pod",
        "ReplicaSet",
        "Rollout",
        "SandboxWarmPool",
        "ScaledObject",
        "StatefulSet",
    )
)
_LAST = {"Namespace": 2, "CustomResourceDefinition": 3}
_AT_ONCE = 8


def orphans(client: KubeClient, selector_label: str, desired: Collection[Ref]) -> list[Ref]:
    """Objects that match a label selector and are not desired, in all kinds the server knows.

    What a controller owns (pods, replica sets) and what is on its way out are left out. An object
    is desired whatever version of its group it is desired in.
    """
    wanted = {_key(ref) for ref in desired}
    found: list[Ref] = []
    for resource in _kinds(client.discover(refresh=True)):
        try:
            objects = client.list(
                resource.api_version,
                resource.kind,
                label_selector=selector_label,
                metadata_only=True,
            )
        except KubeError as error:
            if error.status in (404, 405):
                continue
            raise
        for obj in objects:
            meta = obj["metadata"]
            if meta.get("ownerReferences") or meta.get("deletionTimestamp"):
                continue
            if _key(ref_of(obj)) not in wanted:
                found.append(ref_of(obj))
    return sorted(found, key=_order)


def remove(client: KubeClient, refs: Iterable[Ref], *, wait_seconds: float = 60) -> int:
    """Delete: workloads, then the rest, then namespaces, then definitions. Answers how many.

    Waits until all are gone; one that is gone already is fine.
    """
    stages: dict[int, list[Ref]] = {}
    for ref in refs:
        stages.setdefault(_stage(ref), []).append(ref)
    count = 0
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for _, stage in sorted(stages.items()):
            gone = threads.map(lambda ref: client.delete(ref, wait_seconds=wait_seconds), stage)
            count += sum(gone)
    return count


def _kinds(resources: Iterable[Resource]) -> Iterable[Resource]:
    """One version of each kind whose objects can be listed and deleted."""
    seen: set[tuple[str, str]] = set()
    for resource in resources:
        kind = (resource.api_version.rpartition("/")[0], resource.kind)
        usable = {"list", "delete"} <= resource.verbs and resource.kind not in _NOT_OURS
        if usable and kind not in seen:
            seen.add(kind)
            yield resource


def _key(ref: Ref) -> tuple[str, str, str, str]:
    return ref.group, ref.kind, ref.namespace, ref.name


def _stage(ref: Ref) -> int:
    return 0 if ref.kind in _WORKLOADS else _LAST.get(ref.kind, 1)


def _order(ref: Ref) -> tuple[int, Ref]:
    return _stage(ref), ref
