"""ASP528: names and labels are such as every part of Kubernetes takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from aspora.checks.rule import Hit, Rule
from aspora.checks.world import World, labels_of
from aspora.problems import quoted

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
LIMITS: Mapping[str, int] = {"CronJob": 52, "Namespace": 63, "Service": 63, "StatefulSet": 52}
"""Characters; 253 for other kinds. A CronJob's Jobs get 11 more and a StatefulSet's pods a label
with 11 more, of 63 (kubernetes.io, Object Names and IDs; CronJob; kubernetes issue 64023)."""
LABELLED = ("Deployment", "Job", "Rollout", "ServiceAccount")
"""Kinds whose names end up in values of labels, which have 63 characters."""


def look(world: World) -> Iterator[Hit]:
    """Too long, or with characters that are refused when half of an `up` is done."""
    for obj in world.objects:
        name, kind = obj["metadata"]["name"], obj["kind"]
        limit = LIMITS.get(kind, 63 if kind in LABELLED else 253)
        if len(name) > limit:
            yield Hit(obj, f"the name has {len(name)} characters; {kind}s have {limit} at most")
        if not SUBDOMAIN.fullmatch(name):
            yield Hit(obj, f"the name {quoted(name)} has characters that Kubernetes refuses")
        yield from (Hit(obj, what) for what in _labels(labels_of(obj)))
    for pod in world.pods:
        yield from (Hit(pod.owner, f"its pods: {what}") for what in _labels(pod.labels))


def _labels(labels: Mapping[str, str]) -> Iterator[str]:
    for key, value in labels.items():
        if not isinstance(value, str) or len(value) > 63 or not LABEL_VALUE.fullmatch(value):
            yield f"label {key} has the value {quoted(str(value))}, which Kubernetes refuses"


RULE = Rule(
    "ASP528",
    "Name or label that is refused",
    "The API server refuses it in the middle of an `up`, or a controller cuts it and two names"
    " become one.",
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names/",
    look,
    ("name",),
)
