"""What the proof cannot judge: kinds and types that nobody decided on, settings of charts, doors
beside the gateways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aspora.isolation.addresses import Block
from aspora.isolation.given import Given, Object, ref, space
from aspora.isolation.kinds import AWS_KNOWN, WITH_POLICY, is_known
from aspora.isolation.notes import Noted
from aspora.isolation.promises import INGRESS

OWN_SETTINGS: Final = ("aspora-platform", "aspora-observability")
"""Where ConfigMaps are for pods of ours, beside domains. Elsewhere a chart or EKS itself reads
them: who maps to which group, what the mesh is, whether NetworkPolicies hold."""
OF_CONTROLLERS: Final = ("istio-ca-root-cert", "kube-root-ca.crt")
"""Whom pods of a namespace trust."""
SCHEME: Final = "service.beta.kubernetes.io/aws-load-balancer-scheme"


def hold(given: Given, noted: Noted) -> None:
    """Every kind is known."""
    for kind, objects in given.by_kind.items():
        if not is_known(kind):
            names = [ref(obj) for obj in objects]
            noted.note("unread", kind, "the proof does not know this kind: {}", names, names[:1])
    for obj in given.kind("ConfigMap"):
        where, name = space(obj), obj["metadata"]["name"]
        if name in OF_CONTROLLERS or (where not in OWN_SETTINGS and where not in given.domains):
            what = "is a setting of {}, which the proof does not read"
            noted.note("unread", ref(obj), what, [where or "the cluster"], [ref(obj)])
    for obj in given.kind("Service"):
        spec = obj["spec"]
        if _is_door(spec) and not _is_promised(given, obj):
            kind = spec.get("type", "externalIPs")
            noted.note("outside", ref(obj), "opens a door of its own: {}", [kind], [ref(obj)])
    _aws(given, noted)


def _aws(given: Given, noted: Noted) -> None:
    for resource in given.aws:
        name = f"{resource.type.rpartition(':')[2]} {resource.name}"
        if resource.type not in AWS_KNOWN:
            noted.note(
                "unread", resource.type, "the proof does not know this type: {}", [name], [name]
            )
        elif resource.inputs.get("policy") and resource.type not in WITH_POLICY:
            what = "holds {}, which the proof does not read"
            noted.note("unread", name, what, ["a policy of its own"], [name])


def _is_door(spec: Mapping[str, Any]) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer", "ExternalName") or "externalIPs" in spec


def _is_promised(given: Given, obj: Object) -> bool:
    """The one load balancer: before aspora-gateway's public port, for addresses of the VPC."""
    spec = obj["spec"]
    ranges = spec.get("loadBalancerSourceRanges") or ()
    annotations = obj["metadata"].get("annotations") or {}
    return (
        spec.get("type") == "LoadBalancer"
        and "externalIPs" not in spec
        and annotations.get(SCHEME) == "internal"
        and INGRESS.is_pod(space(obj), spec.get("selector") or {})
        and [(port["port"], port.get("targetPort", 443)) for port in spec["ports"]] == [(443, 443)]
        and bool(ranges)
        and all(Block(one).within(given.networks.vpc) for one in ranges)
    )
