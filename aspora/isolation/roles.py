"""IAM roles: who may become one, and what its policies allow.

Policies are read as JSON documents. A condition that is not known to narrow something counts as
not there, and so does every Deny of a role's own policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aspora.isolation.given import Given, Resource

Statement = Mapping[str, Any]
PODS = "pods.eks.amazonaws.com"
_NAMESPACE, _ACCOUNT = (
    "aws:RequestTag/kubernetes-namespace",
    "aws:RequestTag/kubernetes-service-account",
)
_CLUSTER, _SOURCE = "aws:RequestTag/eks-cluster-name", "aws:SourceAccount"
_TEAM = "aws:PrincipalTag/team"
_POD_PREFIX = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who may become a role: "pods" of `name` (namespace/account), "team", "service" or "run".

    `name` is "*" when the trust does not say whom; `lacking` are conditions that it should have.
    """

    kind: str
    name: str
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True)
class Role:
    """A role with all of its policies."""

    resource: Resource
    statements: tuple[tuple[Statement, str], ...]
    attached: tuple[str, ...]

    @property
    def name(self) -> str:
        """As AWS knows it."""
        return str(self.resource.inputs.get("name", self.resource.name))

    @property
    def ref(self) -> str:
        """As findings name it."""
        return f"IAM role {self.name}"

    @property
    def tag(self) -> str:
        """Its tag `domain`, by which bucket policies go."""
        return str((self.resource.inputs.get("tags") or {}).get("domain", ""))

    @property
    def path(self) -> str:
        """Its IAM path."""
        return str(self.resource.inputs.get("path", "/"))

    @property
    def bounded(self) -> bool:
        """Whether a permissions boundary holds it."""
        return bool(self.resource.inputs.get("permissionsBoundary"))

    @cached_property
    def holders(self) -> tuple[Holder, ...]:
        """Everybody who may become it."""
        trust = self.resource.inputs.get("assumeRolePolicy")
        return tuple(_holder(one) for one in statements(trust) if one.get("Effect") == "Allow")


def roles(given: Given) -> tuple[Role, ...]:
    """Every role of the stack, by name."""
    policies: dict[str, list[tuple[Statement, str]]] = {}
    attached: dict[str, list[str]] = {}
    for policy in given.resources("aws:iam/rolePolicy:RolePolicy"):
        mine = policies.setdefault(_role_of(policy), [])
        mine += [(one, f"IAM policy {policy.name}") for one in statements(policy.inputs["policy"])]
    for attachment in given.resources("aws:iam/rolePolicyAttachment:RolePolicyAttachment"):
        attached.setdefault(_role_of(attachment), []).append(str(attachment.inputs["policyArn"]))
    found = sorted(given.resources("aws:iam/role:Role"), key=lambda one: one.name)
    for role in found:
        mine = policies.setdefault(role.name, [])
        for inline in role.inputs.get("inlinePolicies") or ():
            by = f"IAM role {role.name}"
            mine += [(one, by) for one in statements(inline["policy"])]
        attached.setdefault(role.name, []).extend(role.inputs.get("managedPolicyArns") or ())
    return tuple(
        Role(one, tuple(policies.get(one.name, ())), tuple(sorted(attached.get(one.name, ()))))
        for one in found
    )


def homeless(given: Given) -> Iterator[Resource]:
    """Policies of roles that the stack does not make."""
    made = {one.name for one in given.resources("aws:iam/role:Role")}
    for kind in ("rolePolicy:RolePolicy", "rolePolicyAttachment:RolePolicyAttachment"):
        for resource in given.resources(f"aws:iam/{kind}"):
            if _role_of(resource) not in made:
                yield resource


def _role_of(resource: Resource) -> str:
    """The role that a policy belongs to: by its name or by the ID that stands for it."""
    return str(resource.inputs["role"]).removesuffix("-id")


def statements(document: Any) -> list[Statement]:
    """The statements of a policy document, given as text or as data."""
    parsed = json.loads(document) if isinstance(document, str) else document
    found = (parsed or {}).get("Statement") or []
    return found if isinstance(found, list) else [found]


def many(value: Any) -> Sequence[str]:
    """IAM takes one value or a list of them."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def condition(statement: Statement, key: str, *operators: str) -> tuple[str, ...] | None:
    """The values that a condition key must have; None when nothing is asked of it."""
    for operator, asked in (statement.get("Condition") or {}).items():
        if operator in operators and key in asked:
            return tuple(many(asked[key]))
    return None


def _holder(statement: Statement) -> Holder:
    principal = statement.get("Principal")
    if not isinstance(principal, Mapping):
        return Holder("pods", "*")
    if "Service" in principal:
        return _service(statement, many(principal["Service"]))
    if "Federated" in principal:
        return _federated(statement)
    team = condition(statement, _TEAM, "StringEquals")
    return Holder("team", team[0]) if team and len(team) == 1 else Holder("team", "*")


def _service(statement: Statement, services: Sequence[str]) -> Holder:
    if PODS not in services:
        return Holder("service", ", ".join(services))
    space = condition(statement, _NAMESPACE, "StringEquals")
    account = condition(statement, _ACCOUNT, "StringEquals")
    wanted = (_CLUSTER, _SOURCE)
    lacking = tuple(key for key in wanted if not condition(statement, key, "StringEquals"))
    if not space or not account or len(space) + len(account) > 2:
        return Holder("pods", "*", lacking)
    return Holder("pods", f"{space[0]}/{account[0]}", lacking)


def _federated(statement: Statement) -> Holder:
    """A token of the cluster's own issuer, or of GitHub's."""
    asked = (statement.get("Condition") or {}).get("StringEquals") or {}
    subjects = [one for key, found in asked.items() if key.endswith(":sub") for one in many(found)]
    lacking = () if any(key.endswith(":aud") for key in asked) else ("aud",)
    if len(subjects) == 1 and subjects[0].startswith(_POD_PREFIX):
        return Holder("pods", subjects[0].removeprefix(_POD_PREFIX).replace(":", "/"), lacking)
    if subjects and all(one.startswith("repo:") for one in subjects):
        return Holder("run", ", ".join(subjects), lacking)
    return Holder("pods", "*", lacking)


def allows(role: Role) -> Iterator[tuple[Statement, str]]:
    """The statements that give something."""
    return ((one, by) for one, by in role.statements if one.get("Effect") == "Allow")
