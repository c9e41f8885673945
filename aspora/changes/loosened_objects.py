"""Security that is weaker in an object at the head than at the base, whatever made it so.

Read from the rendered objects alone: a change of the platform's own code that opens a policy is
seen as well as one of a domain file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, Final

import orjson

from aspora.changes.merge_keys import POD_SPECS
from aspora.changes.model import Key, Object

Found = tuple[str, str]
"""What is weaker, in words, and the field."""
_Look = Callable[[Object | None, Object | None], Iterator[Found]]
_CAPABILITY_ALL = "ALL"
_NAMESPACE = ("", "Namespace")


class Looking:
    """Looks at changes with everything in mind that is there before and after."""

    def __init__(self, before: Mapping[Key, Object], after: Mapping[Key, Object]) -> None:
        self._before = before
        self._after = after
        self._by_space: dict[tuple[str, str], list[Object]] = {}
        for key, obj in after.items():
            self._by_space.setdefault((key.kind, key.namespace), []).append(obj)

    def weaker(self, key: Key) -> Iterator[Found]:
        """What the change of one object loosens."""
        before, after = self._before.get(key), self._after.get(key)
        kind = (key.group, key.kind)
        if kind in _LOOKS and not self._comes_or_goes(key) and not self._is_spare(key):
            yield from _LOOKS[kind](before, after)
        if kind in POD_SPECS and after is not None:
            yield from _pods(POD_SPECS[kind], before, after)

    def _comes_or_goes(self, key: Key) -> bool:
        """Whether the whole namespace is new or goes: its guard rails loosen nothing then."""
        space = Key(*_NAMESPACE, "", key.namespace)
        return bool(key.namespace) and (space in self._before) != (space in self._after)

    def _is_spare(self, key: Key) -> bool:
        """Whether a policy goes beside another that denies the same pods by default."""
        if key in self._after or key.kind not in ("NetworkPolicy", "AuthorizationPolicy"):
            return False
        gone = self._before[key]
        rest = self._by_space.get((key.kind, key.namespace), ())
        if key.kind == "NetworkPolicy":
            types = set(_get(gone, "spec", "policyTypes") or ())
            return any(
                not _get(other, "spec", "podSelector")
                and types <= set(_get(other, "spec", "policyTypes") or ())
                for other in rest
            )
        if (_get(gone, "spec", "action") or "ALLOW") != "ALLOW":
            return False
        return any(
            _get(other, "spec", "selector") == _get(gone, "spec", "selector")
            and (_get(other, "spec", "action") or "ALLOW") == "ALLOW"
            for other in rest
        )


def _get(obj: Any, *path: str) -> Any:
    for name in path:
        obj = obj.get(name) if isinstance(obj, Mapping) else None
    return obj


# -- network policies --------------------------------------------------------------------------


def _network(before: Object | None, after: Object | None) -> Iterator[Found]:
    """A rule allows more when the old policy had no such peer and port; a policy that goes may
    have been the only one that denied."""
    if after is None:
        yield "a network policy goes: pods that no other one chooses are open", "spec"
        return
    for way, peers in (("ingress", "from"), ("egress", "to")):
        had = set(_allowed(before, way, peers))
        for text in dict.fromkeys(_allowed(after, way, peers)):
            if text not in had:
                yield f"the network lets {way} through: {text}", f"spec.{way}"
    for kind in _get(before, "spec", "policyTypes") or ():
        if kind not in (_get(after, "spec", "policyTypes") or ()):
            yield f"{kind} is no longer denied by default", "spec.policyTypes"
    if before is not None and _kind_of_pods(before) != _kind_of_pods(after):
        yield "the network policy chooses other pods", "spec.podSelector"


def _kind_of_pods(policy: Object) -> bytes:
    """A selector without the values of its lists, which grow with each new skill."""
    selector = _get(policy, "spec", "podSelector") or {}
    expressions = [
        (item.get("key"), item.get("operator")) for item in selector.get("matchExpressions") or ()
    ]
    return _text([selector.get("matchLabels"), expressions])


def _sandbox(before: Object | None, after: Object | None) -> Iterator[Found]:
    """A template's own network policy; without one agent-sandbox opens the whole Internet."""
    if after is None:
        return
    if _get(after, "spec", "networkPolicy") is None:
        yield "sandboxes have no network policy: the whole Internet is open", "spec.networkPolicy"
    elif before is not None:
        old, new = ({"spec": _get(obj, "spec", "networkPolicy")} for obj in (before, after))
        for text, field in _network(old, new):
            yield text, field.replace("spec", "spec.networkPolicy", 1)


def _allowed(policy: Object | None, way: str, peers: str) -> Iterator[str]:
    for rule in _get(policy, "spec", way) or ():
        for peer, port in product(rule.get(peers) or (None,), rule.get("ports") or (None,)):
            yield f"{_peer(peer)}, {_port(port)}"


def _peer(peer: Mapping[str, Any] | None) -> str:
    if peer is None:
        return "anyone"
    block = peer.get("ipBlock")
    if block:
        but = ", ".join(block.get("except") or ())
        return f"{block.get('cidr')}" + (f" but {but}" if but else "")
    parts = [
        f"{word} {_selector(peer[name])}"
        for word, name in (("namespaces", "namespaceSelector"), ("pods", "podSelector"))
        if name in peer
    ]
    return " ".join(parts)


def _selector(selector: Mapping[str, Any] | None) -> str:
    labels = [
        f"{key}={value}" for key, value in sorted((_get(selector, "matchLabels") or {}).items())
    ]
    for item in _get(selector, "matchExpressions") or ():
        values = "|".join(item.get("values") or ())
        labels.append(f"{item.get('key')} {item.get('operator')} {values}".strip())
    return ",".join(labels) or "of any kind"


def _port(port: Mapping[str, Any] | None) -> str:
    if port is None:
        return "any port"
    end = f"-{port['endPort']}" if "endPort" in port else ""
    return f"{port.get('protocol', 'TCP')} {port.get('port', 'any')}{end}"


# -- rights ------------------------------------------------------------------------------------


def _role(before: Object | None, after: Object | None) -> Iterator[Found]:
    had = set(_rights(before))
    new = [text for text in dict.fromkeys(_rights(after)) if text not in had]
    if new:
        yield f"rights added: {', '.join(new)}", "rules"


def _rights(role: Object | None) -> Iterator[str]:
    for rule in _get(role, "rules") or ():
        groups = rule.get("apiGroups") or ("",)
        things = [
            f"{resource}.{group}" if group else resource
            for group, resource in product(groups, rule.get("resources") or ())
        ]
        things += rule.get("nonResourceURLs") or ()
        named = "".join(f" {name}" for name in rule.get("resourceNames") or ())
        yield from (
            f"{verb} {thing}{named}" for verb, thing in product(rule.get("verbs") or (), things)
        )


def _binding(before: Object | None, after: Object | None) -> Iterator[Found]:
    had = {_subject(subject) for subject in _get(before, "subjects") or ()}
    role = _get(after, "roleRef", "name")
    for subject in _get(after, "subjects") or ():
        if _subject(subject) not in had:
            yield f"{_subject(subject)} gets the rights of {role}", "subjects"
    if before is not None and after is not None and _get(before, "roleRef") != after.get("roleRef"):
        yield (
            f"who had the rights of {_get(before, 'roleRef', 'name')} gets those of {role}",
            "roleRef",
        )


def _subject(subject: Mapping[str, Any]) -> str:
    parts = (subject.get("kind"), subject.get("namespace"), subject.get("name"))
    return " ".join(str(part) for part in parts if part)


# -- the mesh ----------------------------------------------------------------------------------


def _mutual_tls(before: Object | None, after: Object | None) -> Iterator[Found]:
    if after is None:
        yield "mutual TLS is no longer asked for", "spec.mtls"
        return
    mode = _get(after, "spec", "mtls", "mode")
    if mode in ("PERMISSIVE", "DISABLE") and mode != _get(before, "spec", "mtls", "mode"):
        yield f"mutual TLS is {mode}", "spec.mtls.mode"
    had = _get(before, "spec", "portLevelMtls") or {}
    for port, value in (_get(after, "spec", "portLevelMtls") or {}).items():
        if _get(value, "mode") in ("PERMISSIVE", "DISABLE") and had.get(port) != value:
            yield f"mutual TLS is {value['mode']} on port {port}", f"spec.portLevelMtls.{port}"


def _authorization(before: Object | None, after: Object | None) -> Iterator[Found]:
    action = _get(after or before, "spec", "action") or "ALLOW"
    if after is None:
        if action == "DENY":
            yield "a policy that denies goes", "spec.rules"
        elif action == "ALLOW":
            yield "the last policy that names callers goes: all are let in", "spec.rules"
        return
    if action != "ALLOW":
        return
    had = {_text(rule) for rule in _get(before, "spec", "rules") or ()}
    known = {who for rule in _get(before, "spec", "rules") or () for who in _callers(rule)}
    for rule in _get(after, "spec", "rules") or ():
        if _text(rule) in had:
            continue
        callers = _callers(rule)
        if not callers:
            yield "a rule lets in whoever calls", "spec.rules"
        new = [who for who in callers if who not in known]
        if new:
            yield f"lets in {', '.join(map(_caller, new))}", "spec.rules"


def _caller(who: str) -> str:
    """An identity of the mesh by its account and namespace; whoever else as the policy has it."""
    _, found, account = who.partition("/ns/")
    space, is_account, name = account.partition("/sa/")
    return f"{name} of {space}" if found and is_account else who


def _callers(rule: Mapping[str, Any]) -> list[str]:
    return [
        who
        for source in rule.get("from") or ()
        for name in ("principals", "requestPrincipals", "namespaces", "ipBlocks")
        for who in _get(source, "source", name) or ()
    ]


def _text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


# -- admission, namespaces, quotas -------------------------------------------------------------


def _admission(before: Object | None, after: Object | None) -> Iterator[Found]:
    if after is None:
        yield "an admission policy goes", "spec"
        return
    if before is None:
        return
    kept = {rule.get("expression") for rule in _get(after, "spec", "validations") or ()}
    for rule in _get(before, "spec", "validations") or ():
        if rule.get("expression") not in kept:
            yield (
                f'an admission rule goes or changes: "{rule.get("message", "")}"',
                "spec.validations",
            )
    if _get(after, "spec", "failurePolicy") == "Ignore" != _get(before, "spec", "failurePolicy"):
        yield "an admission policy lets pass what it cannot check", "spec.failurePolicy"


def _admission_binding(before: Object | None, after: Object | None) -> Iterator[Found]:
    if after is None:
        yield "an admission policy is no longer in force", "spec"
        return
    lost = "Deny" in (_get(before, "spec", "validationActions") or ())
    if lost and "Deny" not in (_get(after, "spec", "validationActions") or ()):
        yield "an admission policy warns where it refused", "spec.validationActions"


_LEVELS = ("privileged", "baseline", "restricted")
_ENFORCE = "pod-security.kubernetes.io/enforce"


def _namespace(before: Object | None, after: Object | None) -> Iterator[Found]:
    if before is None or after is None:
        return
    old, new = (_get(obj, "metadata", "labels") or {} for obj in (before, after))
    was, now = old.get(_ENFORCE, "privileged"), new.get(_ENFORCE, "privileged")
    if was in _LEVELS and now in _LEVELS and _LEVELS.index(now) < _LEVELS.index(was):
        yield f"Pod Security falls from {was} to {now}", f"metadata.labels.{_ENFORCE}"


def _bound(_: Object | None, after: Object | None) -> Iterator[Found]:
    if after is None:
        yield "what bounded the namespace goes", "spec"


# -- pods --------------------------------------------------------------------------------------


def _pods(where: str, before: Object | None, after: Object) -> Iterator[Found]:
    """A new object is compared with the strictest pod, so that it says what it may."""
    old, new = _get(before, *where.split(".")), _get(after, *where.split("."))
    had = {text for text, _ in _of_pod(old or {})} if before else set()
    for text, field in _of_pod(new or {}):
        if text not in had:
            yield text, f"{where}.{field}"
    if before and _get(old, "runtimeClassName") and not _get(new, "runtimeClassName"):
        yield f"pods leave {_get(old, 'runtimeClassName')}", f"{where}.runtimeClassName"


def _of_pod(spec: Mapping[str, Any]) -> Iterator[Found]:
    """What a pod's spec loosens."""
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"pods share the node's {name.removeprefix('host')}", name
    for volume in spec.get("volumes") or ():
        if "hostPath" in volume:
            path = _get(volume, "hostPath", "path")
            yield f"pods mount {path} of the node", f"volumes[name={volume.get('name')}]"
    if spec.get("automountServiceAccountToken") is True:
        yield "pods hold a token for the API server", "automountServiceAccountToken"
    own = spec.get("securityContext") or {}
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or ():
            context = {**own, **(container.get("securityContext") or {})}
            name = str(container.get("name"))
            for text, field in _of_container(context):
                yield f"container {name} {text}", f"{group}[name={name}].securityContext.{field}"


def _of_container(context: Mapping[str, Any]) -> Iterator[Found]:
    if context.get("privileged"):
        yield "is privileged", "privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges", "allowPrivilegeEscalation"
    if not context.get("runAsNonRoot"):
        yield "may run as root", "runAsNonRoot"
    if not context.get("readOnlyRootFilesystem"):
        yield "may write its own files", "readOnlyRootFilesystem"
    if _get(context, "seccompProfile", "type") not in ("RuntimeDefault", "Localhost"):
        yield "is under no seccomp profile", "seccompProfile"
    if _CAPABILITY_ALL not in (_get(context, "capabilities", "drop") or ()):
        yield "keeps its capabilities", "capabilities.drop"
    for name in _get(context, "capabilities", "add") or ():
        yield f"has the capability {name}", "capabilities.add"


_LOOKS: Final[Mapping[tuple[str, str], _Look]] = {
    ("", "LimitRange"): _bound,
    ("", "Namespace"): _namespace,
    ("", "ResourceQuota"): _bound,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): _admission,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): _admission_binding,
    ("extensions.agents.x-k8s.io", "SandboxTemplate"): _sandbox,
    ("networking.k8s.io", "NetworkPolicy"): _network,
    ("rbac.authorization.k8s.io", "ClusterRole"): _role,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _binding,
    ("rbac.authorization.k8s.io", "Role"): _role,
    ("rbac.authorization.k8s.io", "RoleBinding"): _binding,
    ("security.istio.io", "AuthorizationPolicy"): _authorization,
    ("security.istio.io", "PeerAuthentication"): _mutual_tls,
}
