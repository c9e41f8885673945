"""The shapes of recorded objects, as far as a report reads them.

An export of a state is a file of whoever sends it, and no API server has looked at it. What the
report would take for a list or a mapping is looked at here, so that one that is neither is said
with its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aspora.changes.merge_keys import POD_SPECS

_NETWORK = (
    "podSelector.matchExpressions[]",
    "policyTypes*",
    *(
        f"{way}[].{below}"
        for way, peers in (("ingress", "from"), ("egress", "to"))
        for below in (
            "ports[]",
            f"{peers}[].ipBlock.except*",
            *(
                f"{peers}[].{selector}.{part}"
                for selector in ("namespaceSelector", "podSelector")
                for part in ("matchLabels{}", "matchExpressions[].values*")
            ),
        )
    ),
)
_POD = (
    "volumes[]",
    "securityContext{}",
    *(
        f"{group}[].securityContext.capabilities.{way}*"
        for group in ("initContainers", "containers")
        for way in ("add", "drop")
    ),
)
_ROLE = tuple(
    f"rules[].{name}*"
    for name in ("apiGroups", "resources", "nonResourceURLs", "resourceNames", "verbs")
)
_CALLERS = tuple(
    f"spec.rules[].from[].source.{name}*"
    for name in ("principals", "requestPrincipals", "namespaces", "ipBlocks")
)
_EVERY = ("metadata.namespace", "metadata.labels{}", "metadata.annotations{}")
_OF_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    "AuthorizationPolicy": ("spec.action", *_CALLERS),
    "ClusterRole": _ROLE,
    "ClusterRoleBinding": ("subjects[]",),
    "NetworkPolicy": tuple(f"spec.{path}" for path in _NETWORK),
    "PeerAuthentication": ("spec.portLevelMtls{}",),
    "Role": _ROLE,
    "RoleBinding": ("subjects[]",),
    "SandboxTemplate": tuple(f"spec.networkPolicy.{path}" for path in _NETWORK),
    "ValidatingAdmissionPolicy": ("spec.validations[].expression",),
    "ValidatingAdmissionPolicyBinding": ("spec.validationActions*",),
}
"""By kind: `x.y` a mapping x with a text y, `{}` a mapping, `[]` a list of mappings, `*` of texts.
Whatever is left out or null is fine."""


def strange(obj: Mapping[str, Any]) -> str | None:
    """The first field whose shape is none that Kubernetes knows, and what it would be."""
    group = str(obj["apiVersion"]).rpartition("/")[0]
    where = POD_SPECS.get((group, str(obj["kind"])))
    pod = tuple(f"{where}.{path}" for path in _POD) if where else ()
    for path in (*_EVERY, *_OF_KIND.get(str(obj["kind"]), ()), *pod):
        for found in _wrong(obj, path.split("."), ""):
            return found
    return None


def _wrong(value: Mapping[str, Any], path: list[str], at: str) -> Iterator[str]:
    step, *rest = path
    name = step.rstrip("[]{}*")
    below, place = value.get(name), f"{at}.{name}".lstrip(".")
    if below is None:
        return
    if step.endswith(("[]", "*")):
        items, kind = (dict, "mappings") if step.endswith("[]") else (str, "texts")
        if not isinstance(below, list) or not all(isinstance(item, items) for item in below):
            yield f"{place} is no list of {kind}"
        elif rest:
            for index, item in enumerate(below):
                yield from _wrong(item, rest, f"{place}[{index}]")
    elif rest or step.endswith("{}"):
        if not isinstance(below, dict):
            yield f"{place} is no mapping"
        elif rest:
            yield from _wrong(below, rest, place)
    elif not isinstance(below, str):
        yield f"{place} is no text"
