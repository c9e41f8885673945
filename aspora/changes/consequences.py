"""What people notice of a change of one object, in words; the table of what a deletion takes along.

`destructive`: data, or work that is under way, is lost, or something stops that was there.
`attention`: a person should look. `routine`: it happens with each ordinary change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aspora.changes.fixed import replacing
from aspora.changes.merge_keys import POD_SPECS
from aspora.changes.model import Consequence, FieldChange, Key, Level

Deleted = tuple[Level, str]

_DELETED: Final[Mapping[tuple[str, str], Deleted]] = {
    ("", "Namespace"): ("destructive", "{name} goes with everything in it, data included"),
    ("", "PersistentVolumeClaim"): ("destructive", "data lost: the volume of {name} goes"),
    ("", "Secret"): ("attention", "whoever reads the secret {name} has it no more"),
    ("", "Service"): ("attention", "the address {name} answers no more"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        "destructive",
        "data lost: every object of {name} in every namespace goes",
    ),
    ("apps", "Deployment"): ("destructive", "{name} runs no more"),
    ("apps", "DaemonSet"): ("destructive", "{name} runs no more, on no node"),
    ("apps", "StatefulSet"): (
        "destructive",
        "{name} runs no more; what nobody claims any more of its volumes can be lost",
    ),
    ("argoproj.io", "Rollout"): ("destructive", "{name} runs no more"),
    ("argoproj.io", "Application"): ("attention", "Argo CD delivers {name} no more"),
    ("batch", "CronJob"): ("destructive", "{name} runs on no schedule any more"),
    ("clickhouse.com", "ClickHouseCluster"): ("destructive", "data lost: the tables of {name} go"),
    ("clickhouse.com", "KeeperCluster"): (
        "destructive",
        "data lost: the metadata of ClickHouse in {name} goes",
    ),
    ("extensions.agents.x-k8s.io", "SandboxTemplate"): (
        "destructive",
        "no new session of {name} can begin",
    ),
    ("extensions.agents.x-k8s.io", "SandboxWarmPool"): (
        "destructive",
        "the warm sandboxes of {name} end",
    ),
    ("karpenter.sh", "NodePool"): (
        "destructive",
        "the nodes of pool {name} are drained and ended, and what ran there moves",
    ),
    ("karpenter.k8s.aws", "EC2NodeClass"): (
        "destructive",
        "the nodes of class {name} are drained and ended",
    ),
    ("networking.k8s.io", "NetworkPolicy"): (
        "attention",
        "what {name} allowed is refused, or, were it the last one for its pods, everything allowed",
    ),
    ("policy", "PodDisruptionBudget"): (
        "routine",
        "node upgrades need not leave pods of {name} running",
    ),
    ("storage.k8s.io", "StorageClass"): (
        "attention",
        "no new volume of class {name} can be made; those there are stay",
    ),
}
"""By group and kind; what is not listed takes nothing along."""

_LOSES_DATA: Final = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("clickhouse.com", "ClickHouseCluster"),
        ("clickhouse.com", "KeeperCluster"),
    }
)
_ROLLING: Final = frozenset(
    {("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet")}
)
_NEXT: Final[Mapping[tuple[str, str], str]] = {
    ("batch", "CronJob"): "the next run of {name} uses what changed",
    ("extensions.agents.x-k8s.io", "SandboxTemplate"): (
        "new sandboxes of {name} use what changed; sessions under way go on as they are"
    ),
}


def of_deletion(key: Key) -> tuple[Consequence, ...]:
    """What goes with a deleted object."""
    found = _DELETED.get((key.group, key.kind))
    return (Consequence(found[0], found[1].format(name=key.name)),) if found else ()


def of_succession(key: Key, name: str) -> tuple[Consequence, ...]:
    """What a new object does that takes the place of another of the same `name` without hash."""
    if (key.group, key.kind) != ("batch", "Job"):
        return ()
    return (Consequence("routine", f"the job {name} runs again"),)


def of_replacement(
    key: Key, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[Consequence, ...]:
    """Why the object is made anew, and what that does; empty where nothing fixed changes."""
    fields = replacing(before, after)
    if not fields:
        return ()
    kind = (key.group, key.kind)
    which = ", ".join(".".join(field.path) for field in fields)
    text = f"{key.kind} {key.name} is deleted and made anew: {which} is fixed ({fields[0].reason})"
    if kind in _LOSES_DATA:
        text += "; data lost"
    elif kind in POD_SPECS and kind != ("batch", "Job"):
        text += f"; pods of {key.name} end and nothing runs until the new ones are ready"
    return (Consequence("destructive", text),)


def of_update(key: Key, fields: Iterable[FieldChange]) -> tuple[Consequence, ...]:
    """What a change in place does to pods that run."""
    kind = (key.group, key.kind)
    if kind not in POD_SPECS:
        return ()
    template = POD_SPECS[kind].removesuffix("spec")
    if not any(field.path.startswith(template) for field in fields):
        return ()
    if kind in _NEXT:
        return (Consequence("routine", _NEXT[kind].format(name=key.name)),)
    if kind == ("argoproj.io", "Rollout"):
        return (
            Consequence("routine", f"pods of {key.name} are replaced step by step, as a canary"),
        )
    if kind in _ROLLING:
        return (Consequence("routine", f"pods of {key.name} restart, one after another"),)
    return (Consequence("routine", f"pods of {key.name} restart"),)
