"""Whatever starts pods may not let one share its node or borrow an identity."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from aspora.isolation.given import Given, ref, space
from aspora.isolation.kinds import OPEN_NOTHING, READ, kind_of
from aspora.isolation.notes import Noted
from aspora.isolation.pods import templates
from aspora.isolation.proof import look_at_objects
from tests.core import ROOT
from tests.isolation.lab import stack, with_object

Pod = dict[str, Any]
PODS = {
    *("Pod", "Deployment", "StatefulSet", "DaemonSet", "Rollout", "Job", "CronJob"),
    *("ClickHouseCluster", "KeeperCluster"),
}
"""Kinds that are read by the pods that they describe."""
CHANGES: dict[str, tuple[str, Callable[[Pod], object]]] = {
    "the node's network": ("outside", lambda pod: pod.update(hostNetwork=True)),
    "the node's processes": ("outside", lambda pod: pod.update(hostPID=True)),
    "the node's files": (
        "outside",
        lambda pod: pod.setdefault("volumes", []).append({"name": "x", "hostPath": {"path": "/"}}),
    ),
    "everything on the node": (
        "outside",
        lambda pod: pod.setdefault("initContainers", []).append(
            {"name": "x", "securityContext": {"privileged": True}}
        ),
    ),
    "a port of the node": (
        "outside",
        lambda pod: pod["containers"][0].update(ports=[{"containerPort": 1, "hostPort": 1}]),
    ),
    "the reader of secrets": ("rights", lambda pod: pod.update(serviceAccountName="secret-reader")),
}
OF_DOMAINS: dict[str, tuple[str, Callable[[Pod], object]]] = {
    "the node's kernel": ("one side", lambda pod: pod.pop("runtimeClassName")),
    "a token": ("rights", lambda pod: pod.update(automountServiceAccountToken=True)),
    "a token as a volume": (
        "rights",
        lambda pod: pod.setdefault("volumes", []).append(
            {"name": "x", "projected": {"sources": [{"serviceAccountToken": {"path": "x"}}]}}
        ),
    ),
}


def started(given: Given) -> list[int]:
    """The places of objects that start pods."""
    return [
        at
        for at, obj in enumerate(given.objects)
        if any("containers" in pod.spec for pod in templates(obj))
    ]


@pytest.mark.parametrize("what", [*CHANGES, *OF_DOMAINS])
def test_no_pod_of_any_object_may(what: str) -> None:
    given = stack()
    kind, change = (CHANGES | OF_DOMAINS)[what]
    tried = set()
    for at in started(given):
        obj: Any = deepcopy(given.objects[at])
        if what in OF_DOMAINS and space(obj) not in given.domains:
            continue
        for pod in templates(obj):
            change(pod.spec)  # type: ignore[arg-type]
            tried.add(obj["kind"])
        noted = Noted()
        look_at_objects(with_object(given, at, obj), noted)
        assert (kind, ref(obj)) in {(one.kind, one.subject) for one in noted.findings()}
    assert tried >= {"Rollout", "CronJob", "SandboxTemplate"}


def test_every_kind_that_is_read_is_read_somewhere() -> None:
    """A kind in the table and in no reader would go by unseen."""
    readers = [path for path in (ROOT / "aspora/isolation").glob("*.py") if path.stem != "kinds"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in readers)
    kinds = {kind for kinds in READ.values() for kind in kinds} - PODS
    assert {kind for kind in kinds if f'"{kind}"' not in text} == set()


def test_kinds_that_open_nothing_are_all_rendered() -> None:
    """A reason for a kind that nothing renders excuses what nobody looked at."""
    rendered = {kind_of(obj) for obj in stack().objects}
    assert {kind for kinds in OPEN_NOTHING.values() for kind in kinds} <= rendered
