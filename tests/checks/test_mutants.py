"""Each rule on the repository's own objects, with one thing broken in them.

An example shows that a rule works; this shows that it works on what is really rendered, in the
shape it has there. One mutant a rule, on staging's objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from aspora.checks import BY_ID, Finding, findings
from aspora.checks.world import pod_of, where
from aspora.render import Object
from tests.core import platform, settings

Break = Callable[[list[Object]], None]
SKILL = "ecm-field-my-tickets"
SESSIONS = "ecm-field-resolve-ticket"
NIGHTLY = "fraud-compliance-screen-sanctions"


def one(objects: list[Object], kind: str, name: str) -> Object:
    """The object of a kind whose `namespace/name` a pattern fits."""
    return next(o for o in objects if o["kind"] == kind and re.fullmatch(name, where(o)))


def container(objects: list[Object], kind: str, name: str) -> Object:
    pod = pod_of(one(objects, kind, f".*/{name}"))
    assert pod is not None
    found: Object = pod.spec["containers"][0]
    return found


def put(kind: str, name: str, path: str, value: Any) -> Break:
    """Set a field; a number in the path is an item of a list, and `~1` a slash in a key."""

    def run(objects: list[Object]) -> None:
        keys = [key.replace("~1", "/") for key in path.split("/")]
        *parents, last = (int(key) if key.isdigit() else key for key in keys)
        node: Any = one(objects, kind, name)
        for key in parents:
            node = node[key]
        node[last] = value

    return run


def drop(kind: str, name: str) -> Break:
    """Remove every object of a kind that a pattern fits."""

    def run(objects: list[Object]) -> None:
        gone = [o for o in objects if o["kind"] == kind and re.fullmatch(name, where(o))]
        assert gone
        objects[:] = [obj for obj in objects if obj not in gone]

    return run


def of_container(kind: str, name: str, field: str, value: Any) -> Break:
    return lambda objects: container(objects, kind, name).update({field: value})


def looser(kind: str, name: str, **fields: Any) -> Break:
    """Change the security context of a container."""

    def run(objects: list[Object]) -> None:
        found = container(objects, kind, name)
        found["securityContext"] = found["securityContext"] | fields

    return run


def of_pod(kind: str, name: str, **fields: Any) -> Break:
    def run(objects: list[Object]) -> None:
        pod = pod_of(one(objects, kind, f".*/{name}"))
        assert pod is not None
        pod.spec.update(fields)

    return run


MUTANTS: Mapping[str, Break] = {
    "ASP501": of_container("Rollout", SKILL, "image", "ghcr.io/aspora/ecm-field-agent"),
    "ASP502": of_container("CronJob", NIGHTLY, "image", "docker.io/somebody/agent:v1"),
    "ASP503": of_pod("SandboxTemplate", SESSIONS, hostNetwork=True),
    "ASP504": looser("Rollout", SKILL, runAsUser=0),
    "ASP505": looser("CronJob", NIGHTLY, capabilities={"drop": []}),
    "ASP506": of_pod("Deployment", "tool-gateway", securityContext={"runAsNonRoot": True}),
    "ASP507": looser("StatefulSet", "opik-mysql", readOnlyRootFilesystem=False),
    "ASP508": of_pod("Rollout", SKILL, automountServiceAccountToken=True),
    "ASP509": of_container("SandboxTemplate", SESSIONS, "resources", {}),
    "ASP510": of_container("Rollout", SKILL, "readinessProbe", None),
    "ASP511": drop("PodDisruptionBudget", f"aspora-ecm/{SKILL}"),
    "ASP512": drop("NetworkPolicy", "aspora-ecm/default-deny"),
    "ASP513": drop("NetworkPolicy", "aspora-observability/.*"),
    "ASP514": put("NetworkPolicy", "aspora-ecm/allow-pod-identity", "spec/egress/0/to", []),
    "ASP515": put("Role", "aspora-ecm/ecm-deployer", "rules/0/verbs", ["*"]),
    "ASP516": put("Role", "aspora-ecm/ecm-deployer", "rules/1/resources", ["secrets"]),
    "ASP517": put("Role", "aspora-ecm/ecm-deployer", "rules/1/resources", ["pods/exec"]),
    "ASP518": put(
        "RoleBinding", "aspora-ecm/ecm-team-binding", "subjects/0/name", "system:authenticated"
    ),
    "ASP519": of_pod("Rollout", SKILL, runtimeClassName=None),
    "ASP520": put("ConfigMap", f"aspora-ecm/{SKILL}", "metadata/labels/domain", "fraud"),
    "ASP521": drop("ResourceQuota", "aspora-ecm/.*"),
    "ASP522": put("ConfigMap", f"aspora-ecm/{SKILL}", "data/MODEL", "AKIAIOSFODNN7EXAMPLE"),
    "ASP523": put(
        "ExternalSecret",
        f"aspora-ecm/{SKILL}-key",
        "spec/data/0/remoteRef/key",
        "aspora/staging/fraud/database",
    ),
    "ASP524": put("Service", f"aspora-ecm/{SKILL}", "spec/type", "NodePort"),
    "ASP525": put("CronJob", f"aspora-fraud/{NIGHTLY}", "spec/timeZone", None),
    "ASP526": put("AuthorizationPolicy", "istio-egress/openrouter.ai", "spec/rules/0/from", []),
    "ASP527": put("PeerAuthentication", "istio-system/default", "spec/mtls/mode", "PERMISSIVE"),
    "ASP528": put("Rollout", f"aspora-ecm/{SKILL}", "metadata/labels/skill", "a" * 64),
    "ASP529": put(
        "Namespace",
        "aspora-ecm",
        "metadata/labels/pod-security.kubernetes.io~1enforce",
        "baseline",
    ),
    "ASP530": put("SandboxTemplate", f"aspora-ecm/{SESSIONS}", "spec/networkPolicy", {}),
    "ASP532": put("StorageClass", ".*", "parameters/encrypted", "false"),
    "ASP533": put(
        "ValidatingAdmissionPolicyBinding", "aspora-.*", "spec/validationActions", ["Warn"]
    ),
    "ASP534": put("Gateway", ".*/aspora-gateway", "spec/servers/0/tls/mode", "PASSTHROUGH"),
}
NO_DELIVERY = {"ASP531"}
"""No domain of the repository is delivered by Argo CD; tests/checks/test_check.py renders one."""


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    return list(platform("staging"))


@pytest.fixture(scope="module")
def before(objects: list[Object]) -> set[Finding]:
    return set(findings(objects, settings("staging")))


@pytest.mark.parametrize("rule", MUTANTS)
def test_a_rule_catches_its_mutant(rule: str, objects: list[Object], before: set[Finding]) -> None:
    broken = deepcopy(objects)
    MUTANTS[rule](broken)
    assert rule in {found.code for found in set(findings(broken, settings("staging"))) - before}


def test_each_rule_has_a_mutant() -> None:
    assert MUTANTS.keys() | NO_DELIVERY == BY_ID.keys()
