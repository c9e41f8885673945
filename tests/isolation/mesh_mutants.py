"""Mutants of what stands around the policies: proxies, admission, nodes, delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aspora.isolation.given import Given, Object
from tests.isolation.change import Change, at, drop, more, put

# -- what proxies do ----------------------------------------------------------------------------


def envoy_filter(_: Given, obj: Object) -> Iterator[Change]:
    for number, one in enumerate(obj["spec"]["configPatches"]):
        here = ("spec", "configPatches", number)
        yield f"configPatches[{number}] removes", put("REMOVE", *here, "patch", "operation")
        yield f"configPatches[{number}]: of clusters", put("CLUSTER", *here, "applyTo")
        value = (*here, "patch", "value")
        if "typed_config" in one["patch"]["value"]:
            lua = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
            yield f"configPatches[{number}]: a program", put(lua, *value, "typed_config", "@type")
            yield f"configPatches[{number}]: more", put({}, *value, "typed_config", "http_filters")
            forward = "forward_client_cert_details"
            if forward in one["patch"]["value"]["typed_config"]:
                yield (
                    f"configPatches[{number}]: certificates as told",
                    put("APPEND_FORWARD", *value, "typed_config", forward),
                )
        else:
            yield f"configPatches[{number}]: routes", put([], *value, "routes")


def request_authentication(_: Given, obj: Object) -> Iterator[Change]:
    evil = "https://evil.example"
    for number, _rule in enumerate(obj["spec"]["jwtRules"]):
        here = ("spec", "jwtRules", number)
        yield f"jwtRules[{number}]: another issuer", put(evil, *here, "issuer")
        yield f"jwtRules[{number}]: another's keys", put(f"{evil}/jwks", *here, "jwksUri")
        yield f"jwtRules[{number}]: no keys", drop(*here, "jwksUri")
        yield f"jwtRules[{number}]: keys of its own", put("{}", *here, "jwks")
        yield f"jwtRules[{number}]: no audiences", drop(*here, "audiences")
        yield f"jwtRules[{number}]: handed on", put(True, *here, "forwardOriginalToken")


def peer_authentication(_: Given, obj: Object) -> Iterator[Change]:
    for mode in ("PERMISSIVE", "DISABLE"):
        yield f"mode {mode}", put(mode, "spec", "mtls", "mode")
    ports = {**obj["spec"].get("portLevelMtls", {}), "4000": {"mode": "DISABLE"}}
    yield "a port more", put(ports, "spec", "portLevelMtls")
    if "selector" in obj["spec"]:
        yield "no selector", drop("spec", "selector")


def destination_rule(_: Given, obj: Object) -> Iterator[Change]:
    policies: list[tuple[Any, ...]] = [("spec", "trafficPolicy")]
    policies += [
        ("spec", "subsets", number, "trafficPolicy")
        for number, _subset in enumerate(obj["spec"].get("subsets") or ())
    ]
    for policy in policies:
        listed = at(obj, *policy).get("portLevelSettings") or ()
        places: list[tuple[Any, ...]] = [policy]
        places += [(*policy, "portLevelSettings", number) for number, _port in enumerate(listed)]
        for place in places:
            if "tls" in at(obj, *place):
                yield from _tls(at(obj, *place)["tls"], (*place, "tls"), ".".join(map(str, place)))
    tunnel = {**obj["spec"]["trafficPolicy"], "tunnel": {"targetHost": "evil.example"}}
    yield "a tunnel", put(tunnel, "spec", "trafficPolicy")
    yield "every host", put("*.local", "spec", "host")


def _tls(tls: Mapping[str, Any], path: tuple[Any, ...], name: str) -> Iterator[Change]:
    if tls["mode"] != "DISABLE":
        yield f"{name}: no TLS", put("DISABLE", *path, "mode")
    if "subjectAltNames" in tls:
        yield f"{name}: no names", drop(*path, "subjectAltNames")
        yield (
            f"{name}: a name more",
            more("spiffe://cluster.local/ns/x/sa/y", *path, "subjectAltNames"),
        )
    yield f"{name}: no check", put(True, *path, "insecureSkipVerify")


def service_entry(_: Given, obj: Object) -> Iterator[Change]:
    yield "another host", more("evil.example", "spec", "hosts")
    yield "for every reader", put(["*"], "spec", "exportTo")
    yield "for whoever reads", drop("spec", "exportTo")
    yield "somewhere else", put([{"address": "10.20.1.1"}], "spec", "endpoints")
    yield "pods by its name", put({"labels": {"app": "x"}}, "spec", "workloadSelector")
    yield "in the mesh", put("MESH_INTERNAL", "spec", "location")
    yield "addresses of pods", more("10.20.0.0/17", "spec", "addresses")


def sidecar(_: Given, obj: Object) -> Iterator[Change]:
    yield "whatever there is", put("ALLOW_ANY", "spec", "outboundTrafficPolicy", "mode")
    yield "no outboundTrafficPolicy", drop("spec", "outboundTrafficPolicy")
    yield "every host", more("*/*", "spec", "egress", 0, "hosts")
    yield "a domain's hosts", more("aspora-ecm/*", "spec", "egress", 0, "hosts")
    yield "no egress", drop("spec", "egress")
    yield "for some", put({"labels": {"app": "x"}}, "spec", "workloadSelector")
    yield "listeners of its own", put([{"port": {"number": 1}}], "spec", "ingress")


# -- admission, nodes, delivery -----------------------------------------------------------------


def namespace(given: Given, obj: Object) -> Iterator[Change]:
    """One label dropped or changed."""
    place = ("metadata", "labels")
    enforce = "pod-security.kubernetes.io/enforce"
    for key in at(obj, *place):
        if key in (enforce, "domain", "istio-injection", "aspora.io/sandbox"):
            yield f"no label {key}", drop(*place, key)
    yield "an old pod security", put("v1.20", *place, f"{enforce}-version")
    yield "baseline pods", put("baseline", *place, enforce)
    name = obj["metadata"]["name"]
    if name in given.domains:
        other = next(one for key, one in sorted(given.domains.items()) if key != name)
        yield f"domain {other}", put(other, *place, "domain")
        yield "runc", put("runc", *place, "aspora.io/sandbox")


def admission_policy(_: Given, obj: Object) -> Iterator[Change]:
    spec = obj["spec"]
    yield "failurePolicy Ignore", put("Ignore", "spec", "failurePolicy")
    yield "a condition", more({"name": "x", "expression": "false"}, "spec", "matchConditions")
    constraints = ("spec", "matchConstraints")
    yield (
        "a rule left out",
        put([{"resources": ["pods"]}], *constraints, "excludeResourceRules"),
    )
    yield "for some objects", put({"matchLabels": {"x": "y"}}, *constraints, "objectSelector")
    for number, rule in enumerate(spec["matchConstraints"]["resourceRules"]):
        here = (*constraints, "resourceRules", number)
        yield f"resourceRules[{number}] left out", drop(*here)
        yield f"resourceRules[{number}]: of another version", put(["v9"], *here, "apiVersions")
        yield f"resourceRules[{number}]: updates alone", put(["UPDATE"], *here, "operations")
        yield f"resourceRules[{number}]: by name", put(["x"], *here, "resourceNames")
        if len(rule["resources"]) > 1:
            yield f"resourceRules[{number}]: fewer kinds", drop(*here, "resources", 0)
    for number, _variable in enumerate(spec["variables"]):
        yield f"variables[{number}]: true", put("true", "spec", "variables", number, "expression")
    for number, one in enumerate(spec["validations"]):
        place = ("spec", "validations", number)
        yield f"validations[{number}] gone", drop(*place)
        true = f"true || ({one['expression']})"
        yield f"validations[{number}]: or true", put(true, *place, "expression")


def admission_binding(_: Given, obj: Object) -> Iterator[Change]:
    yield "only audits", put(["Audit"], "spec", "validationActions")
    selector = ("spec", "matchResources", "namespaceSelector")
    yield "in one domain", put({"matchLabels": {"domain": "ecm"}}, *selector)
    yield "nowhere", put({"matchLabels": {"x": "y"}}, *selector)
    yield "for some", put({"matchLabels": {"x": "y"}}, "spec", "matchResources", "objectSelector")
    yield "of another policy", put("x", "spec", "policyName")


def cluster_issuer(_: Given, obj: Object) -> Iterator[Change]:
    kind = next(iter(obj["spec"]))
    if kind != "selfSigned":
        yield "signs itself", put({"selfSigned": {}}, "spec")
    yield "another key", put({"ca": {"secretName": "x"}}, "spec")


def runtime_class(_: Given, _obj: Object) -> Iterator[Change]:
    yield "runc", put("runc", "handler")


def node_class(_: Given, _obj: Object) -> Iterator[Change]:
    yield "two hops", put(2, "spec", "metadataOptions", "httpPutResponseHopLimit")
    yield "no token", put("optional", "spec", "metadataOptions", "httpTokens")
    yield "AWS's own options", drop("spec", "metadataOptions")


def app_project(_: Given, _obj: Object) -> Iterator[Change]:
    yield "every namespace", more({"namespace": "*"}, "spec", "destinations")
    yield "every repository", more("*", "spec", "sourceRepos")
    yield (
        "a kind of the cluster",
        more({"group": "", "kind": "Node"}, "spec", "clusterResourceWhitelist"),
    )
    guard = {"group": "security.istio.io", "kind": "AuthorizationPolicy"}
    yield "a guard rail", more(guard, "spec", "namespaceResourceWhitelist")
    yield "no kinds", drop("spec", "namespaceResourceWhitelist")
    yield "from every namespace", put(["*"], "spec", "sourceNamespaces")
    yield "of nobody", drop("metadata", "labels", "domain")


def application(_: Given, _obj: Object) -> Iterator[Change]:
    yield "of the project default", put("default", "spec", "project")
    yield "of no project", drop("spec", "project")
    yield "of another domain", put("ecm", "metadata", "labels", "domain")


BENT: Mapping[str, Callable[[Given, Object], Iterator[Change]]] = {
    "EnvoyFilter": envoy_filter,
    "RequestAuthentication": request_authentication,
    "PeerAuthentication": peer_authentication,
    "DestinationRule": destination_rule,
    "ServiceEntry": service_entry,
    "Sidecar": sidecar,
    "Namespace": namespace,
    "ValidatingAdmissionPolicy": admission_policy,
    "ValidatingAdmissionPolicyBinding": admission_binding,
    "ClusterIssuer": cluster_issuer,
    "RuntimeClass": runtime_class,
    "EC2NodeClass": node_class,
}
DELIVERY: Mapping[str, Callable[[Given, Object], Iterator[Change]]] = {
    "AppProject": app_project,
    "Application": application,
}
"""Of domains that Argo CD delivers, of which the repository has none."""
