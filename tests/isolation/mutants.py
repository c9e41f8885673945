"""Every way in which one policy may be lost or widened, one at a time.

A mutant is the stack with a single change: a policy dropped, a selector removed, an empty peer or a
"*" put in, a prefix cut short, a condition left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from aspora.isolation import unread
from aspora.isolation.cloud import Cloud
from aspora.isolation.given import Given, Object, Resource, ref, space
from aspora.isolation.model import Finding
from aspora.isolation.network import Network
from aspora.isolation.notes import Noted
from aspora.isolation.pods import find_pods
from aspora.isolation.proof import look_at_network, look_at_objects
from tests.isolation.change import Any_, Change, at, drop, more, put
from tests.isolation.lab import with_object, with_resource
from tests.isolation.mesh_mutants import BENT, DELIVERY

EVERY_SPACE: Any_ = {"namespaceSelector": {}}
ANYWHERE: Any_ = {"ipBlock": {"cidr": "0.0.0.0/0"}}
EVERYBODY: Any_ = {
    "kind": "Group",
    "name": "system:authenticated",
    "apiGroup": "rbac.authorization.k8s.io",
}


@dataclass(frozen=True)
class Mutant:
    """One change: of which kind of object, which one, what was done, and the stack with it."""

    kind: str
    target: str
    what: str
    given: Given

    @property
    def title(self) -> str:
        return f"{self.target}: {self.what}"


def _is_read(obj: Object) -> bool:
    """Of ConfigMaps, those that say who may do what."""
    data = obj.get("data") or {}
    wanted = ("SKILL_NAME", "desired.json")
    return (
        obj["kind"] != "ConfigMap"
        or obj["metadata"]["name"] == "tool-gateway"
        or any(name in data for name in wanted)
    )


def mutants(given: Given) -> Iterator[Mutant]:
    """All of them, in the order of the objects."""
    for index, obj in enumerate(given.objects):
        changes = CHANGES.get(obj["kind"]) or DELIVERY.get(obj["kind"])
        if changes is None or not _is_read(obj):
            continue
        yield Mutant(obj["kind"], ref(obj), "dropped", with_object(given, index, None))
        for what, change in changes(given, obj):
            copy = deepcopy(dict(obj))
            change(copy)
            yield Mutant(obj["kind"], ref(obj), what, with_object(given, index, copy))
    for index, resource in enumerate(given.aws):
        short = resource.type.rpartition(":")[2]
        kind, changes_of = f"AWS {short}", AWS_CHANGES.get(short)
        if changes_of is None:
            continue
        name = f"{kind} {resource.name}"
        yield Mutant(kind, name, "dropped", with_resource(given, index, None))
        for what, change in changes_of(given, resource):
            inputs = deepcopy(dict(resource.inputs))
            change(inputs)
            made = replace(resource, inputs=inputs)
            yield Mutant(kind, name, what, with_resource(given, index, made))


# -- NetworkPolicies ----------------------------------------------------------------------------


def network_policy(_: Given, obj: Object) -> Iterator[Change]:
    spec = obj["spec"]
    if any(spec["podSelector"].values()):
        yield "podSelector picks every pod", put({}, "spec", "podSelector")
    for kind in spec["policyTypes"]:
        rest = [one for one in spec["policyTypes"] if one != kind]
        if rest:
            yield f"policyTypes without {kind}", put(rest, "spec", "policyTypes")
        yield f"an empty rule for {kind}", more({}, "spec", kind.lower())
    yield from _rules(spec, ("spec",))


def sandbox_template(_: Given, obj: Object) -> Iterator[Change]:
    yield "no networkPolicy", drop("spec", "networkPolicy")
    yield "networkPolicy unmanaged", put("Unmanaged", "spec", "networkPolicyManagement")
    for kind in ("ingress", "egress"):
        yield f"an empty rule for {kind}", more({}, "spec", "networkPolicy", kind)
    yield from _rules(obj["spec"]["networkPolicy"], ("spec", "networkPolicy"))


def _rules(spec: Mapping[str, Any], path: tuple[Any, ...]) -> Iterator[Change]:
    for kind, side in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(spec.get(kind) or ()):
            here, name = (*path, kind, number), f"{kind}[{number}]"
            if side not in rule:
                continue
            yield f"{name}: a peer of every namespace", more(EVERY_SPACE, *here, side)
            yield f"{name}: a peer of every address", more(ANYWHERE, *here, side)
            yield f"{name}: no {side}", drop(*here, side)
            if "ports" in rule:
                yield f"{name}: no ports", drop(*here, "ports")
                yield f"{name}: ports up to 65535", put(65535, *here, "ports", 0, "endPort")
            for place, peer in enumerate(rule[side]):
                yield from _peer(peer, (*here, side, place), f"{name}.{side}[{place}]")


def _peer(peer: Mapping[str, Any], path: tuple[Any, ...], name: str) -> Iterator[Change]:
    if "ipBlock" in peer:
        first = peer["ipBlock"]["cidr"].partition(".")[0]
        if first != "0":
            yield f"{name}: a wider block", put(f"{first}.0.0.0/8", *path, "ipBlock", "cidr")
        if "except" in peer["ipBlock"]:
            yield f"{name}: no except", drop(*path, "ipBlock", "except")
        return
    if "podSelector" in peer:
        yield f"{name}: no podSelector", drop(*path, "podSelector")
    if any((peer.get("namespaceSelector") or {}).values()):
        yield f"{name}: every namespace", put({}, *path, "namespaceSelector")


# -- Istio, and what the gateways read ----------------------------------------------------------


def authorization_policy(_: Given, obj: Object) -> Iterator[Change]:
    yield "an empty rule", more({}, "spec", "rules")
    for number, rule in enumerate(obj["spec"].get("rules") or ()):
        here = ("spec", "rules", number)
        for key in ("from", "to"):
            if key in rule:
                yield f"rules[{number}]: no {key}", drop(*here, key)
        for place, source in enumerate(rule.get("from") or ()):
            yield from _source(source["source"], (*here, "from", place, "source"))
        for place, end in enumerate(rule.get("to") or ()):
            yield from _operation(end["operation"], (*here, "to", place, "operation"))


def _source(source: Mapping[str, Any], path: tuple[Any, ...]) -> Iterator[Change]:
    for key, listed in source.items():
        yield f'{key} with "*"', more("*", *path, key)
        if key == "principals":
            wider = listed[0].rpartition("/")[0] + "/*"
            yield "principals of a whole namespace", more(wider, *path, key)


def _operation(operation: Mapping[str, Any], path: tuple[Any, ...]) -> Iterator[Change]:
    for key in operation:
        yield f"no {key}", drop(*path, key)
        if key in ("paths", "hosts", "methods"):
            yield f'{key} with "*"', more("*", *path, key)
    if "paths" in operation:
        wider = operation["paths"][0].rstrip("*").rstrip("/").rpartition("/")[0]
        yield "paths of a whole agent", more(f"{wider}/*", *path, "paths")


def gateway(_: Given, obj: Object) -> Iterator[Change]:
    for number, server in enumerate(obj["spec"]["servers"]):
        here, name = ("spec", "servers", number), server["port"]["name"]
        yield f"{name}: every host", put(["*"], *here, "hosts")
        if "subjectAltNames" in server["tls"]:
            yield f"{name}: no names", drop(*here, "tls", "subjectAltNames")
            yield f"{name}: every name", more("spiffe://*", *here, "tls", "subjectAltNames")
            yield f"{name}: no client certificate", put("SIMPLE", *here, "tls", "mode")


def virtual_service(given: Given, obj: Object) -> Iterator[Change]:
    """A route that leads into another domain, or that takes every path."""
    home = space(obj)
    other = next(
        (
            one
            for one in given.kind("Service")
            if space(one) in given.domains and space(one) != home
        ),
        None,
    )
    for number in range(len(obj["spec"]["http"])):
        here = ("spec", "http", number)
        yield f"http[{number}]: every request", drop(*here, "match")
        if other is not None and home in given.domains:
            host = f"{other['metadata']['name']}.{space(other)}.svc.cluster.local"
            wrong = {"destination": {"host": host, "port": {"number": 8080}}}
            yield f"http[{number}]: to {host}", more(wrong, *here, "route")


def config_map(_: Given, obj: Object) -> Iterator[Change]:
    """The tool gateway's rules and the model gateway's keys."""
    data = obj.get("data") or {}
    if obj["metadata"]["name"] == "tool-gateway":
        yield from _tool_rules(json.loads(data["config.yaml"]))
    if "desired.json" in data:
        yield from _model_keys(json.loads(data["desired.json"]))


def _tool_rules(config: Any_) -> Iterator[Change]:
    policies = ("binds", 0, "listeners", 0, "routes", 0, "policies")
    rules = at(config, *policies)["mcpAuthorization"]["rules"]
    changes: list[Change] = [
        ("no mcpAuthorization", drop(*policies, "mcpAuthorization")),
        ("no authorization", drop(*policies, "authorization")),
        ("a rule for everybody", more("true", *policies, "mcpAuthorization", "rules")),
        ("everybody known", put(["true"], *policies, "authorization", "rules")),
        ("no client certificates", drop("binds", 0, "listeners", 0, "tls", "root")),
    ]
    for number, rule in enumerate(rules):
        here = (*policies, "mcpAuthorization", "rules", number)
        who, _, what = rule.partition(" in source.subjectAltNames && ")
        changes += [
            (f"rule {number} left out", drop(*here)),
            (f"rule {number} without an identity", put(what, *here)),
            (f"rule {number} with a tool more", put(rule[:-1] + ', "delete_everything"]', *here)),
            (
                f"rule {number} for somebody else",
                put(rule.replace(who, '"spiffe://cluster.local/ns/x/sa/y"'), *here),
            ),
        ]
    for what, change in changes:
        yield what, _in_json("config.yaml", change)


def _model_keys(wanted: Any_) -> Iterator[Change]:
    teams = [team["team_id"] for team in wanted["teams"]]
    for number, key in enumerate(wanted["keys"]):
        other = next(team for team in teams if team != key["team_id"])
        yield (
            f"key {number} of another team",
            _in_json("desired.json", put(other, "keys", number, "team_id")),
        )
        model = f"{other}/claude-haiku-4-5"
        yield (
            f"key {number} with another's model",
            _in_json("desired.json", more(model, "keys", number, "models")),
        )
    for number, team in enumerate(wanted["teams"]):
        other = next(one for one in teams if one != team["team_id"])
        model = f"{other}/claude-haiku-4-5"
        yield (
            f"team {number} with another's model",
            _in_json("desired.json", more(model, "teams", number, "models")),
        )


def _in_json(name: str, change: Callable[[Any_], object]) -> Callable[[Any_], None]:
    def outer(obj: Any_) -> None:
        parsed = json.loads(obj["data"][name])
        change(parsed)
        obj["data"][name] = json.dumps(parsed)

    return outer


def certificate(given: Given, obj: Object) -> Iterator[Change]:
    if not obj["spec"].get("isCA"):
        yield "may sign", put(True, "spec", "isCA")
    if space(obj) in given.domains:
        other = next(name for name in given.domains if name != space(obj))
        yield f"of {other}", more(f"spiffe://cluster.local/ns/{other}/sa/x", "spec", "uris")
        yield f"for hosts of {other}", more(f"x.{other}.svc", "spec", "dnsNames")
        yield "for every host", more("*", "spec", "dnsNames")


# -- RBAC and secrets ---------------------------------------------------------------------------


def role(_: Given, obj: Object) -> Iterator[Change]:
    for number, rule in enumerate(obj["rules"]):
        here = ("rules", number)
        yield f"rules[{number}] left out", drop(*here)
        for key in ("verbs", "resources", "apiGroups"):
            if rule[key] != ["*"]:
                yield f'rules[{number}]: {key} with "*"', more("*", *here, key)
        yield f"rules[{number}]: secrets too", _secrets_too(number)
    yield (
        "a rule for everything",
        more({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, "rules"),
    )


def _secrets_too(number: int) -> Callable[[Any_], None]:
    def change(obj: Any_) -> None:
        rule = obj["rules"][number]
        rule["apiGroups"].append("")
        rule["resources"].append("secrets")

    return change


def binding(given: Given, obj: Object) -> Iterator[Change]:
    yield "for everybody", more(EVERYBODY, "subjects")
    account = {"kind": "ServiceAccount", "name": "x", "namespace": next(iter(given.domains))}
    yield "for an agent", more(account, "subjects")
    for domain in given.declared:
        subject = EVERYBODY | {"name": domain.team}
        if all(one["name"] != domain.team for one in obj["subjects"]):
            yield f"for {domain.team}", more(subject, "subjects")
    admin = {
        "kind": "ClusterRole",
        "name": "cluster-admin",
        "apiGroup": "rbac.authorization.k8s.io",
    }
    yield "of cluster-admin", put(admin, "roleRef")


def secret_store(given: Given, obj: Object) -> Iterator[Change]:
    aws = ("spec", "provider", "aws")
    yield "a further role", put("arn:aws:iam::123456789012:role/other", *aws, "role")
    yield "no account", drop(*aws, "auth")
    other = next(name for name in given.domains if name != space(obj))
    yield (
        f"the account of {other}",
        put(other, *aws, "auth", "jwt", "serviceAccountRef", "namespace"),
    )
    yield "another service", put("ParameterStore", *aws, "service")
    yield "the cluster's own secrets", put({"kubernetes": {}}, "spec", "provider")


def external_secret(given: Given, obj: Object) -> Iterator[Change]:
    home = given.domains.get(space(obj))
    other = next(name for name in sorted(given.domains.values()) if name != home)
    yield "a store of the cluster", put("ClusterSecretStore", "spec", "secretStoreRef", "kind")
    yield "every secret", more({"find": {"path": "aspora/"}}, "spec", "dataFrom")
    for number, _ in enumerate(obj["spec"].get("data") or ()):
        key = ("spec", "data", number, "remoteRef", "key")
        yield f"data[{number}] of {other}", put(f"aspora/{given.stack}/{other}/database", *key)


CHANGES: Mapping[str, Callable[[Given, Object], Iterator[Change]]] = {
    "NetworkPolicy": network_policy,
    "SandboxTemplate": sandbox_template,
    "AuthorizationPolicy": authorization_policy,
    "Gateway": gateway,
    "VirtualService": virtual_service,
    "ConfigMap": config_map,
    "Certificate": certificate,
    "Role": role,
    "ClusterRole": role,
    "RoleBinding": binding,
    "ClusterRoleBinding": binding,
    "SecretStore": secret_store,
    "ExternalSecret": external_secret,
    **BENT,
}


# -- AWS ----------------------------------------------------------------------------------------


def in_document(key: str, change: Callable[[Any_], object]) -> Callable[[Any_], None]:
    def outer(inputs: Any_) -> None:
        parsed = json.loads(inputs[key])
        change(parsed)
        inputs[key] = json.dumps(parsed)

    return outer


def _document(resource: Resource, key: str) -> Iterator[tuple[int, Any_]]:
    yield from enumerate(json.loads(resource.inputs[key])["Statement"])


def _statement(number: int, one: Any_, key: str) -> Iterator[Change]:
    """Each statement: dropped, with every action, on everything, each condition left out."""
    here = ("Statement", number)
    yield f"Statement[{number}] left out", in_document(key, drop(*here))
    if one["Effect"] == "Allow":
        for field in ("Action", "Resource") if key == "policy" else ():
            if field in one and one[field] not in ("*", ["*"]):
                yield (
                    f"Statement[{number}]: every {field}",
                    in_document(key, put("*", *here, field)),
                )
    for operator, asked in (one.get("Condition") or {}).items():
        for name in asked:
            what = f"Statement[{number}]: no condition {name}"
            yield what, in_document(key, drop(*here, "Condition", operator, name))


def iam_role(given: Given, resource: Resource) -> Iterator[Change]:
    for number, one in _document(resource, "assumeRolePolicy"):
        yield from _statement(number, one, "assumeRolePolicy")
        yield (
            f"Statement[{number}]: any principal",
            in_document("assumeRolePolicy", put("*", "Statement", number, "Principal")),
        )
    if "permissionsBoundary" in resource.inputs:
        yield "no boundary", drop("permissionsBoundary")
    other = next(
        one.name for one in given.declared if one.name != resource.inputs["tags"]["domain"]
    )
    yield f"tag of {other}", put(other, "tags", "domain")


def role_policy(given: Given, resource: Resource) -> Iterator[Change]:
    names = [one.name for one in given.declared]
    for number, one in _document(resource, "policy"):
        yield from _statement(number, one, "policy")
        for place, arn in enumerate(
            one.get("Resource") or () if isinstance(one.get("Resource"), list) else ()
        ):
            here = ("Statement", number, "Resource", place)
            head, slash, _ = arn.rstrip("*").rstrip("/").rpartition("/")
            if slash and one["Effect"] == "Allow":
                wider = f"{head}/*"
                yield f"Statement[{number}]: {wider}", in_document("policy", put(wider, *here))
            for name in names:
                if f"/{name}/" in arn:
                    other = next(one for one in names if one != name)
                    moved = arn.replace(f"/{name}/", f"/{other}/", 1)
                    yield (
                        f"Statement[{number}]: {moved}",
                        in_document("policy", more(moved, *here[:-1])),
                    )


def attachment(_: Given, resource: Resource) -> Iterator[Change]:
    yield "AdministratorAccess", put("arn:aws:iam::aws:policy/AdministratorAccess", "policyArn")


def association(given: Given, resource: Resource) -> Iterator[Change]:
    roles = [
        one.inputs["roleArn"]
        for one in given.resources("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    ]
    other = next(one for one in roles if one != resource.inputs["roleArn"])
    yield "another's role", put(other, "roleArn")
    space_ = next(name for name in given.domains if name != resource.inputs["namespace"])
    yield f"for pods of {space_}", put(space_, "namespace")


def access_entry(_: Given, resource: Resource) -> Iterator[Change]:
    yield "system:masters", more("system:masters", "kubernetesGroups")
    for team in ("ecm-team", "fraud-team"):
        if team not in (resource.inputs.get("kubernetesGroups") or ()):
            yield f"group {team}", more(team, "kubernetesGroups")


def access_policy(given: Given, _: Resource) -> Iterator[Change]:
    team = next(
        one.inputs["principalArn"]
        for one in given.resources("aws:eks/accessEntry:AccessEntry")
        if "team" in one.name
    )
    yield "of a team", put(team, "principalArn")


def with_policy(_: Given, resource: Resource) -> Iterator[Change]:
    """Buckets, endpoints, keys and the boundary: a policy of its own."""
    if not isinstance(resource.inputs.get("policy"), str):
        return
    for number, one in _document(resource, "policy"):
        yield from _statement(number, one, "policy")
        if one["Effect"] == "Allow" and "Principal" in one and one["Principal"] != "*":
            yield (
                f"Statement[{number}]: any principal",
                in_document("policy", put("*", "Statement", number, "Principal")),
            )
        if "NotAction" in one:
            yield (
                f"Statement[{number}]: NotAction of nothing",
                in_document("policy", put(["x:Nothing"], "Statement", number, "NotAction")),
            )


def cache_user(_: Given, resource: Resource) -> Iterator[Change]:
    if "~*" not in resource.inputs["accessString"]:
        yield "every key", put("on ~* &* +@all", "accessString")


def only_private(_: Given, resource: Resource) -> Iterator[Change]:
    for key, value in resource.inputs.items():
        if value is True:
            yield f"{key} off", put(False, key)
    if "rule" in resource.inputs:
        yield "rights of its own", put("ObjectWriter", "rule", "objectOwnership")


def cluster(_: Given, _resource: Resource) -> Iterator[Change]:
    both = "API_AND_CONFIG_MAP"
    yield "users by a ConfigMap too", put(both, "accessConfig", "authenticationMode")
    yield "EKS's own way", drop("accessConfig")


def addon(_: Given, resource: Resource) -> Iterator[Change]:
    if resource.inputs["addonName"] == "vpc-cni":
        yield "no settings", drop("configurationValues")
        for old, new in (('"true"', '"false"'), ("strict", "standard")):
            changed = resource.inputs["configurationValues"].replace(old, new, 1)
            yield f"{new} for {old}", put(changed, "configurationValues")


def launch_template(_: Given, _resource: Resource) -> Iterator[Change]:
    yield "two hops", put(2, "metadataOptions", "httpPutResponseHopLimit")
    yield "no token", put("optional", "metadataOptions", "httpTokens")


AWS_CHANGES: Mapping[str, Callable[[Given, Resource], Iterator[Change]]] = {
    "Role": iam_role,
    "RolePolicy": role_policy,
    "RolePolicyAttachment": attachment,
    "PodIdentityAssociation": association,
    "AccessEntry": access_entry,
    "AccessPolicyAssociation": access_policy,
    "BucketPolicy": with_policy,
    "VpcEndpoint": with_policy,
    "Key": with_policy,
    "Policy": with_policy,
    "User": cache_user,
    "BucketPublicAccessBlock": only_private,
    "BucketOwnershipControls": only_private,
    "Cluster": cluster,
    "Addon": addon,
    "LaunchTemplate": launch_template,
}


OFF_THE_NETWORK = frozenset(
    {
        *("Certificate", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"),
        *("SecretStore", "ExternalSecret", "Application", "AppProject", "ClusterIssuer"),
        *("EnvoyFilter", "RequestAuthentication", "PeerAuthentication", "DestinationRule"),
        *("ServiceEntry", "Sidecar", "ValidatingAdmissionPolicy", "RuntimeClass"),
        *("ValidatingAdmissionPolicyBinding", "EC2NodeClass"),
    }
)
"""Kinds that change no connection and no route: `test_the_parts…` holds that they do not."""


def findings(kind: str, given: Given) -> list[Finding]:
    """What the proof finds; looks at those parts only that read this kind of object."""
    noted = Noted()
    if kind.startswith("AWS "):
        unread.hold(given, noted)
        Cloud(given, noted).hold()
    elif kind in OFF_THE_NETWORK:
        look_at_objects(given, noted)
    else:
        network = Network(given, find_pods(given))
        look_at_network(given, network, noted)
        look_at_objects(given, noted)
    return noted.findings()


def breaks(mutant: Mutant) -> bool:
    """Whether the proof fails."""
    return bool(findings(mutant.kind, mutant.given))
