"""What the API server refuses in a domain's namespace: the lock behind a team's rights.

A team may start pods, so that what it may not put into one is said by admission policies and by the
namespace's labels. Expressions are CEL: what each has to say is written in `refused`, and one that
says it in other words counts as not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from aspora.isolation.given import ALWAYS_THERE, Given, Object, labels, ref
from aspora.isolation.notes import Noted
from aspora.isolation.promises import NODE_AGENTS, in_mesh
from aspora.isolation.refused import CREATES, REFUSED, UNLESS, VARIABLES
from aspora.isolation.selectors import selects

_POD_SECURITY = "pod-security.kubernetes.io/"
_RUNTIME = "aspora.io/sandbox"


def hold(given: Given, noted: Noted) -> None:
    """Labels of every namespace, and each refusal in each domain's."""
    made = set()
    for obj in given.kind("Namespace"):
        made.add(obj["metadata"]["name"])
        _namespace(given, obj, noted)
    for name in sorted(given.rendered_spaces - made - {*ALWAYS_THERE}):
        what = "takes {}: no object says which"
        noted.note("one side", f"Namespace {name}", what, ["pods of any level"], ())
    said = [(_said(obj), _spaces(given, obj)) for obj in given.kind("ValidatingAdmissionPolicy")]
    for namespace in sorted(given.domains):
        refused = {text for texts, spaces in said if namespace in spaces for text in texts}
        lacking = [what for what, text in REFUSED.items() if text not in refused]
        if lacking:
            what = "admits pods with {}, which no admission policy refuses"
            noted.note("one side", f"Namespace {namespace}", what, lacking, ())


def _namespace(given: Given, obj: Object, noted: Noted) -> None:
    name, its = obj["metadata"]["name"], labels(obj)
    level = "privileged" if name in NODE_AGENTS else "restricted"
    wrong = []
    if its.get(f"{_POD_SECURITY}enforce") not in ("restricted", level):
        wrong.append(f"pods of level {its.get(f'{_POD_SECURITY}enforce', 'privileged')}")
    if its.get(f"{_POD_SECURITY}enforce-version", "latest") != "latest":
        wrong.append("pods by rules of an old version")
    declared = given.declared_by_name.get(given.domains.get(name, ""))
    if declared and not declared.sidecars and its.get(_RUNTIME) != "gvisor":
        wrong.append("pods without a sandbox")
    if name in in_mesh(given) and its.get("istio-injection") != "enabled":
        wrong.append("pods without a proxy")
    if wrong:
        noted.note("one side", ref(obj), "takes {}", wrong, [ref(obj)])


def _said(obj: Object) -> frozenset[str]:
    """What a policy refuses, as far as it is understood."""
    spec = obj["spec"]
    matched = spec.get("matchConstraints") or {}
    variables = {one["name"]: one["expression"] for one in spec.get("variables") or ()}
    understood = (
        spec.get("failurePolicy", "Fail") == "Fail"
        and not spec.get("matchConditions")
        and set(matched) <= {"resourceRules", "matchPolicy"}
        and matched.get("matchPolicy", "Equivalent") == "Equivalent"
        and set(_creates(matched)) >= CREATES
        and all(variables.get(name) == text for name, text in VARIABLES.items())
    )
    every = [one["expression"] for one in spec.get("validations") or ()] if understood else []
    return frozenset(one[len(UNLESS) : -1] for one in every if one.startswith(UNLESS))


def _creates(matched: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(API group, version, resource) whose creations and changes are looked at."""
    for rule in matched.get("resourceRules") or ():
        whole = {"CREATE", "UPDATE"} <= set(rule.get("operations") or ())
        if whole and not set(rule) - {"apiGroups", "apiVersions", "operations", "resources"}:
            kinds = (rule.get(key) or () for key in ("apiGroups", "apiVersions", "resources"))
            yield from product(*kinds)


def _spaces(given: Given, policy: Object) -> frozenset[str]:
    """The namespaces where a policy holds: by bindings that deny."""
    found: set[str] = set()
    for obj in given.kind("ValidatingAdmissionPolicyBinding"):
        spec = obj["spec"]
        where = spec.get("matchResources") or {}
        if (
            spec.get("policyName") == policy["metadata"]["name"]
            and "Deny" in (spec.get("validationActions") or ())
            and "paramRef" not in spec
            and set(where) <= {"namespaceSelector"}
        ):
            wanted = where.get("namespaceSelector") or {}
            found |= {name for name, its in given.namespaces.items() if selects(wanted, its)}
    return frozenset(found)
