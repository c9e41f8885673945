"""The charts' default values and schemas, where ASPORA_CHARTS names a folder of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FILES: Mapping[str, str] = {
    "karpenter": "karpenter",
    "istio-base": "istio-base",
    "istiod": "istiod",
    "istio-cni": "istio-cni",
    "aspora-gateway": "istio-gateway",
    "istio-egress": "istio-gateway",
    "cert-manager": "cert-manager",
    "external-secrets": "external-secrets",
    "keda": "keda",
    "argo-cd": "argo-cd",
    "argo-rollouts": "argo-rollouts",
    "kube-prometheus-stack": "kube-prometheus-stack",
    "valkey": "valkey",
    "langfuse": "langfuse",
    "phoenix": "phoenix",
    "otel-collector": "opentelemetry-collector",
    "otel-logs": "opentelemetry-collector",
    "otel-gateway": "opentelemetry-collector",
}
"""The file of each release's chart. Releases that are not here have none."""
POD_SECURITY = frozenset(("fsGroup", "runAsGroup", "runAsNonRoot", "runAsUser", "seccompProfile"))
OTHERS: Mapping[str, frozenset[str]] = {
    "resources": frozenset(("requests", "limits")),
    "podSecurityContext": POD_SECURITY,
    "podDisruptionBudget": frozenset(("minAvailable", "maxUnavailable")),
    "meshConfig": frozenset(
        (
            "defaultConfig",
            "extensionProviders",
            "outboundTrafficPolicy",
            "pathNormalization",
            "trustDomain",
        )
    ),
}
"""Maps that a chart hands on whole: their keys are Kubernetes' or Istio's (MeshConfig) own."""
FREE = ("nodeSelector", "labels", "podLabels", "ports")
"""Maps whose keys are the user's, though the chart has some of its own in them."""


@cache
def index() -> Mapping[str, Any]:
    """What the folder holds, by name; skips where there is no folder."""
    return {entry["name"]: entry for entry in read("index.json")}


def read(name: str) -> Any:
    """A file of the folder."""
    folder = os.environ.get("ASPORA_CHARTS")
    if not folder:
        pytest.skip("ASPORA_CHARTS names no folder of the charts' default values")
    return json.loads((Path(folder) / name).read_text("utf-8"))


@cache
def defaults(chart: str) -> Mapping[str, Any]:
    """A chart's default values."""
    found: Mapping[str, Any] = read(f"{chart}.values.json")
    return found


def passed_on(chart: str) -> frozenset[str]:
    """The keys whose values go to sub-charts, and are not listed."""
    return frozenset(entry.partition(" ")[0] for entry in index()[chart]["dependencies"])


def unknown(
    ours: Mapping[str, Any], known: Mapping[str, Any], skip: frozenset[str], path: str = ""
) -> Iterator[str]:
    """Paths of what we set and the chart does not know. Below an empty map or list, and below what
    has no default, any key is allowed."""
    for key, value in ours.items():
        here = f"{path}.{key}" if path else key
        if not path and key in skip:
            continue
        if key not in known:
            yield here
        elif isinstance(value, Mapping) and known[key] and key not in FREE:
            if isinstance(known[key], Mapping):
                handed: dict[str, Any] = {name: {} for name in OTHERS.get(key, ())}
                yield from unknown(value, handed | known[key], frozenset(), here)
            else:
                yield f"{here} is {known[key]!r} in the chart, and no map"


def merged(known: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """What Helm makes of both: a null of the chart is no value at all."""
    result = {
        key: merged(value, {}) if isinstance(value, Mapping) else value
        for key, value in known.items()
        if value is not None
    }
    for key, value in ours.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that is no map and no list, with its path; list items have their number."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, str(number)))
    else:
        yield path, value
