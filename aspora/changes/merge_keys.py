"""What tells the items of a list from one another: by these fields an item that moved is the same.

Kubernetes' own kinds: `x-kubernetes-list-map-keys` of the API server's OpenAPI document
(k8s.io/kubernetes v1.37.2, api/openapi-spec/swagger.json), which
tests/test_changes_engine.py asks the API server for. Custom resources: the same
extension in the schemas of their CRDs, which tests/test_changes_tables.py reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """How the items of one list are compared.

    `keys` name the fields that identify an item; empty where an item is identified by all of it.
    `ordered`: the order means something, so that moving an item is a change.
    """

    keys: Names = ()
    ordered: bool = False


def _by(*keys: str) -> Rule:
    return Rule(keys)


_SET = Rule()
"""A set, or rules that are all read whatever their order."""
ORDERED = Rule(ordered=True)
"""What is not listed below."""

_CONTAINER: Mapping[str, Rule] = {
    "env": _by("name"),
    "ports": _by("containerPort", "protocol"),
    "volumeMounts": _by("mountPath"),
    "volumeDevices": _by("devicePath"),
    "resources.claims": _by("name"),
    "securityContext.capabilities.add": _SET,
    "securityContext.capabilities.drop": _SET,
}
_POD: Mapping[str, Rule] = {
    "containers": _by("name"),
    "ephemeralContainers": _by("name"),
    "hostAliases": _by("ip"),
    "imagePullSecrets": _by("name"),
    # They run one after another.
    "initContainers": Rule(("name",), ordered=True),
    "resourceClaims": _by("name"),
    "schedulingGates": _by("name"),
    "tolerations": _SET,
    "topologySpreadConstraints": _by("topologyKey", "whenUnsatisfiable"),
    "volumes": _by("name"),
    **{
        f"{containers}.{path}": rule
        for containers in ("containers", "initContainers", "ephemeralContainers")
        for path, rule in _CONTAINER.items()
    },
}
"""Fields of a pod's spec."""

POD_SPECS: Final[Mapping[tuple[str, str], str]] = {
    ("", "Pod"): "spec",
    ("", "ReplicationController"): "spec.template.spec",
    ("apps", "DaemonSet"): "spec.template.spec",
    ("apps", "Deployment"): "spec.template.spec",
    ("apps", "ReplicaSet"): "spec.template.spec",
    ("apps", "StatefulSet"): "spec.template.spec",
    ("argoproj.io", "Rollout"): "spec.template.spec",
    ("batch", "CronJob"): "spec.jobTemplate.spec.template.spec",
    ("batch", "Job"): "spec.template.spec",
    ("agents.x-k8s.io", "Sandbox"): "spec.podTemplate.spec",
    ("extensions.agents.x-k8s.io", "SandboxTemplate"): "spec.podTemplate.spec",
}
"""Where a kind holds the spec of its pods."""

_RBAC = {"rules": _SET, "rules.apiGroups": _SET, "rules.resources": _SET, "rules.verbs": _SET}
_RBAC |= {"rules.resourceNames": _SET, "rules.nonResourceURLs": _SET}
_SUBJECTS = {"subjects": _SET}
_POLICY = {
    "spec.policyTypes": _SET,
    "spec.podSelector.matchExpressions": _SET,
    "spec.podSelector.matchExpressions.values": _SET,
    **{
        f"spec.{way}{below}": _SET
        for way, peers in (("ingress", "from"), ("egress", "to"))
        for below in ("", ".ports", f".{peers}", f".{peers}.ipBlock.except")
    },
}
_ISTIO_PORTS = {"spec.ports": _by("name"), "spec.exportTo": _SET, "spec.hosts": _SET}
_AUTHORIZATION = {"spec.rules": _SET, "spec.rules.from": _SET, "spec.rules.to": _SET}
_AUTHORIZATION |= {
    f"spec.rules.{where}.{name}": _SET
    for where, names in (
        ("from.source", ("principals", "requestPrincipals", "namespaces", "ipBlocks")),
        ("to.operation", ("hosts", "methods", "paths", "ports")),
    )
    for name in names
}

_KINDS: Mapping[tuple[str, str], Mapping[str, Rule]] = {
    ("", "LimitRange"): {"spec.limits": _by("type")},
    ("", "PersistentVolumeClaim"): {"spec.accessModes": _SET},
    # The API server merges by port and protocol; a protocol left out is TCP.
    ("", "Service"): {"spec.ports": _by("port", "protocol")},
    ("", "ServiceAccount"): {"secrets": _by("name")},
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): {
        "spec.matchConditions": _by("name"),
        "spec.variables": Rule(("name",), ordered=True),  # each may use those before it
        "spec.validations": _SET,
    },
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): {
        "spec.validationActions": _SET
    },
    ("cert-manager.io", "Certificate"): {
        "spec.dnsNames": _SET,
        "spec.uris": _SET,
        "spec.usages": _SET,
    },
    ("clickhouse.com", "ClickHouseCluster"): {
        "spec.containerTemplate.env": _by("name"),
        "spec.containerTemplate.volumeMounts": _by("mountPath"),
        "spec.podTemplate.imagePullSecrets": _by("name"),
        "spec.podTemplate.topologySpreadConstraints": _by("topologyKey", "whenUnsatisfiable"),
        "spec.podTemplate.volumes": _by("name"),
    },
    ("external-secrets.io", "ExternalSecret"): {"spec.data": _by("secretKey")},
    ("karpenter.sh", "NodePool"): {
        "spec.template.spec.requirements": _by("key", "operator"),
        "spec.template.spec.requirements.values": _SET,
        "spec.template.spec.taints": _SET,
    },
    ("monitoring.coreos.com", "AlertmanagerConfig"): {"spec.receivers": _by("name")},
    ("monitoring.coreos.com", "PrometheusRule"): {"spec.groups": _by("name")},
    ("networking.istio.io", "ServiceEntry"): _ISTIO_PORTS,
    ("networking.istio.io", "DestinationRule"): {
        "spec.exportTo": _SET,
        "spec.subsets": _by("name"),
    },
    ("networking.istio.io", "VirtualService"): {
        "spec.exportTo": _SET,
        "spec.gateways": _SET,
        "spec.hosts": _SET,
    },
    ("networking.k8s.io", "NetworkPolicy"): _POLICY,
    ("rbac.authorization.k8s.io", "ClusterRole"): _RBAC,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _SUBJECTS,
    ("rbac.authorization.k8s.io", "Role"): _RBAC,
    ("rbac.authorization.k8s.io", "RoleBinding"): _SUBJECTS,
    ("security.istio.io", "AuthorizationPolicy"): _AUTHORIZATION,
}
_EVERYWHERE: Mapping[str, Rule] = {
    "metadata.finalizers": _SET,
    "metadata.ownerReferences": _by("uid"),
}


def rule(group: str, kind: str, path: Names) -> Rule:
    """How the list at `path` (names of fields, without its own and outer indexes) is compared."""
    text = ".".join(path)
    pods = POD_SPECS.get((group, kind))
    if pods and text.startswith(pods + "."):
        return _POD.get(text[len(pods) + 1 :], ORDERED)
    known = _KINDS.get((group, kind), {})
    return known.get(text) or _EVERYWHERE.get(text, ORDERED)


def declared() -> dict[tuple[str, str, str], Names]:
    """Every list with merge keys: (group, kind, path) to keys, for the tests that compare."""
    found = {
        (group, kind, path): rule.keys
        for (group, kind), rules in _KINDS.items()
        for path, rule in rules.items()
        if rule.keys
    }
    found |= {
        (group, kind, f"{pods}.{path}"): rule.keys
        for (group, kind), pods in POD_SPECS.items()
        for path, rule in _POD.items()
        if rule.keys
    }
    return found
