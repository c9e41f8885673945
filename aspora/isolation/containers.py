"""What pods share with their node, and what they are given of the cluster's.

A NetworkPolicy does not hold for a pod on the node's network, and no sandbox for one with the
node's files. Admission refuses both where a team starts pods; the platform's own objects it does
not see, so each pod is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aspora.isolation.given import Given, Object, ref, space
from aspora.isolation.notes import Noted
from aspora.isolation.pods import Template, templates
from aspora.isolation.promises import (
    READER,
    SANDBOX,
    STARTED_BY,
    TOKENS,
    WITHOUT_CALLERS,
    in_mesh,
)

PROXY = "sidecar.istio.io/inject"
_SETTINGS = (
    *("sidecar.istio.io/", "traffic.sidecar.istio.io/", "proxy.istio.io/", "inject.istio.io/"),
    "dev.gvisor.",
)
_HOST = ("hostNetwork", "hostPID", "hostIPC")


def hold(given: Given, noted: Noted) -> None:
    """Every pod that some object starts, and the machines below."""
    proxied = in_mesh(given)
    for obj in given.objects:
        for pod in templates(obj):
            _pod(obj, pod, noted)
            _of_service(obj, pod.labels, noted)
            if space(obj) in given.domains:
                _of_domain(given, obj, pod.spec, noted)
            if space(obj) in proxied and not _has_proxy(obj, pod):
                noted.note("one side", ref(obj), "runs without {}", ["a proxy"], [ref(obj)])
    _machines(given, noted)


def _pod(obj: Object, pod: Template, noted: Noted) -> None:
    """What no pod does, whoever starts it."""
    by = [ref(obj)]
    if shared := sorted(_of_node(pod.spec)):
        what = "shares {} with its node, past every policy"
        noted.note("outside", ref(obj), what, shared, by)
    if READER in (pod.spec.get("serviceAccountName"), pod.spec.get("serviceAccount")):
        what = "gives pods the rights of the {}"
        noted.note("rights", ref(obj), what, ["reader of secrets"], by)
    if odd := sorted(key for key in pod.annotations if key.startswith(_SETTINGS)):
        what = "sets up its proxy or sandbox by {}, which the proof does not read"
        noted.note("unread", ref(obj), what, odd, by)


def _has_proxy(obj: Object, pod: Template) -> bool:
    return pod.labels.get(PROXY) != "false" or ref(obj) in WITHOUT_CALLERS


def _machines(given: Given, noted: Noted) -> None:
    for obj in given.kind("RuntimeClass"):
        name, handler = obj["metadata"]["name"], obj.get("handler", "")
        if name == SANDBOX[0] and handler != SANDBOX[1]:
            noted.note("one side", ref(obj), "starts containers by {}", [handler], [ref(obj)])
    for obj in given.kind("EC2NodeClass"):
        if not is_closed(obj["spec"].get("metadataOptions") or {}):
            what = "makes nodes that tell {} their role"
            noted.note("one side", ref(obj), what, ["pods"], [ref(obj)])


def is_closed(options: Mapping[str, Any]) -> bool:
    """Whether a machine's metadata stays out of its pods' reach, which are one hop further."""
    return options.get("httpTokens") == "required" and options.get("httpPutResponseHopLimit") == 1


def _of_node(spec: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name in _HOST if spec.get(name))
    for volume in spec.get("volumes") or ():
        if "hostPath" in volume:
            yield f"hostPath {volume['hostPath'].get('path')}"
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        if (container.get("securityContext") or {}).get("privileged"):
            yield f"everything by {container['name']}"
        for port in container.get("ports") or ():
            if "hostPort" in port:
                yield f"port {port['hostPort']}"


def _of_domain(given: Given, obj: Object, spec: Mapping[str, Any], noted: Noted) -> None:
    by = [ref(obj)]
    if wrong := sorted(_tokens(spec)):
        noted.note("rights", ref(obj), "gives pods of a domain {}", wrong, by)
    declared = given.declared_by_name.get(given.domains[space(obj)])
    runtime = spec.get("runtimeClassName")
    if declared and not declared.sidecars and runtime != SANDBOX[0]:
        noted.note("one side", ref(obj), "runs in {}", [str(runtime or "the node's kernel")], by)


def _tokens(spec: Mapping[str, Any]) -> Iterator[str]:
    if spec.get("automountServiceAccountToken") is not False:
        yield "a token for the API server"
    for volume in spec.get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            token = source.get("serviceAccountToken")
            if token is not None and token.get("audience") not in TOKENS:
                yield f"a token for {token.get('audience', 'the API server')}"


def _of_service(obj: Object, labels: Mapping[str, str], noted: Noted) -> None:
    """Policies go by labels: whoever has a service's label is taken for it."""
    for service, name in STARTED_BY:
        if service.is_pod(space(obj), labels) and ref(obj) != name:
            noted.note("unread", ref(obj), "has the label of {}", [service.title], [ref(obj)])
