"""Who may do what, by the API server's own authorizer: the brief's verbs, at home, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from aspora import names
from aspora.models import Domain
from aspora.render import Rendered
from tests.guardrails.world import THREADS, Impersonating, World

pytestmark = pytest.mark.engine
AUTHORIZATION = "authorization.k8s.io/v1"

CHANGE = ("get", "list", "create", "update", "patch", "delete")
ALLOWED = {
    ("apps", "deployments"): CHANGE,
    ("batch", "cronjobs"): CHANGE,
    ("batch", "jobs"): CHANGE,
    ("", "pods"): ("get", "list", "watch"),
    ("", "pods/log"): ("get", "list", "watch"),
    ("", "configmaps"): ("get", "list"),
}
"""The brief's table for a team in its own namespace, written out."""

VERBS = (*CHANGE, "watch", "deletecollection")
SUBRESOURCES = (
    ("", "pods/exec"),
    ("", "pods/attach"),
    ("", "pods/portforward"),
    ("", "pods/proxy"),
    ("", "pods/log"),
    ("", "pods/status"),
    ("", "pods/eviction"),
    ("", "pods/binding"),
    ("", "pods/resize"),
    ("", "pods/ephemeralcontainers"),
    ("", "services/proxy"),
    ("", "serviceaccounts/token"),
    ("", "namespaces/finalize"),
    ("", "namespaces/status"),
    ("", "nodes/proxy"),
    ("", "resourcequotas/status"),
    ("apps", "deployments/scale"),
    ("apps", "deployments/status"),
    ("batch", "jobs/status"),
    ("certificates.k8s.io", "certificatesigningrequests/approval"),
)
"""Discovery names none of these to our client."""
SPECIAL = (
    ("escalate", "rbac.authorization.k8s.io", "roles"),
    ("bind", "rbac.authorization.k8s.io", "roles"),
    ("bind", "rbac.authorization.k8s.io", "clusterroles"),
    ("impersonate", "", "users"),
    ("impersonate", "", "groups"),
    ("impersonate", "", "serviceaccounts"),
    ("use", "policy", "podsecuritypolicies"),
    ("approve", "certificates.k8s.io", "signers"),
    ("sign", "certificates.k8s.io", "signers"),
    ("*", "*", "*"),
)
ASKED_OF_ALL = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
}
"""What Kubernetes lets everyone do who has a name: ask about themselves."""
ASKED_OF_ACCOUNTS = ("certificates.k8s.io", "clustertrustbundles")
"""What Kubernetes lets every ServiceAccount read: certificates of authorities, no secrets."""


class Deed(NamedTuple):
    """Something one may want to do; no namespace means all of them, or cluster scope."""

    verb: str
    group: str
    resource: str
    namespace: str = ""


class Caller(NamedTuple):
    user: str
    groups: tuple[str, ...]


def member(domain: Domain) -> Caller:
    return Caller("someone", (domain.owner.team,))


def resources(world: World) -> list[tuple[str, str]]:
    """Every resource that the server serves, by its group, and the subresources that matter."""
    served = {
        (found.api_version.rpartition("/")[0], found.plural) for found in world.client.discover()
    }
    return sorted((served | set(SUBRESOURCES)) - ASKED_OF_ALL)


def table(world: World, namespace: str) -> Iterator[Deed]:
    for group, resource in resources(world):
        for verb in VERBS:
            yield Deed(verb, group, resource, namespace)
    for verb, group, resource in SPECIAL:
        yield Deed(verb, group, resource, namespace)


def allowed(world: World, caller: Caller, deeds: Iterable[Deed]) -> set[Deed]:
    """The deeds that the authorizer would let pass."""

    def asked(deed: Deed) -> bool:
        resource, _, subresource = deed.resource.partition("/")
        attributes = {
            "verb": deed.verb,
            "group": deed.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": deed.namespace,
            "version": "*",
        }
        review = {
            "apiVersion": AUTHORIZATION,
            "kind": "SubjectAccessReview",
            "spec": {
                "user": caller.user,
                "groups": [*caller.groups, "system:authenticated"],
                "resourceAttributes": attributes,
            },
        }
        return bool(world.client.create(review)["status"]["allowed"])

    deeds = list(deeds)
    with ThreadPoolExecutor(THREADS) as threads:
        return {deed for deed, yes in zip(deeds, threads.map(asked, deeds), strict=True) if yes}


def rules(world: World, caller: Caller, namespace: str) -> set[Deed]:
    """Everything the authorizer lets a caller do in a namespace, as the server itself lists it.

    A rule's groups and resources are multiplied; what is not served (batch deployments) is nothing.
    """
    real = set(resources(world))
    client = Impersonating(world.client, caller.user, *caller.groups)
    review = {
        "apiVersion": AUTHORIZATION,
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    status = client.create(review)["status"]
    paths = {path for rule in status["nonResourceRules"] for path in rule["nonResourceURLs"]}
    assert not {path for path in paths if path.startswith(("/metrics", "/debug", "/logs", "*"))}
    return {
        Deed(verb, group, resource, namespace)
        for rule in status["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if (group, resource) in real or "*" in (group, resource)
    }


def at_home(namespace: str) -> set[Deed]:
    return {
        Deed(verb, group, resource, namespace)
        for (group, resource), verbs in ALLOWED.items()
        for verb in verbs
    }


def spaces(world: World) -> list[str]:
    found = world.client.list("v1", "Namespace")
    return [obj["metadata"]["name"] for obj in found]


def test_each_team_may_do_the_verbs_of_the_brief_at_home_and_no_others(
    world: World, everyone: tuple[Domain, ...]
) -> None:
    """By a review of every verb on every resource that is served."""
    assert len(resources(world)) > 80
    for domain in everyone[:4]:
        home = f"aspora-{domain.name}"
        deeds = set(table(world, home))
        assert at_home(home) <= deeds
        assert allowed(world, member(domain), deeds) == at_home(home)


def test_no_team_may_do_anything_in_another_namespace_or_in_all(
    world: World, everyone: tuple[Domain, ...]
) -> None:
    elsewhere = [s for s in spaces(world) if s.startswith(("aspora-", "argocd", "kube-s"))] + [""]
    dangerous = [
        ("get", "", "secrets"),
        ("create", "", "pods/exec"),
        ("update", "", "pods/ephemeralcontainers"),
        ("create", "", "serviceaccounts/token"),
        ("create", "rbac.authorization.k8s.io", "rolebindings"),
        ("patch", "", "namespaces"),
        ("delete", "networking.k8s.io", "networkpolicies"),
        ("update", "", "resourcequotas"),
        ("delete", "admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
        *SPECIAL,
    ]
    assert len(elsewhere) > 12
    for domain in everyone[:4]:
        home = f"aspora-{domain.name}"
        deeds = [
            deed
            for space in elsewhere
            if space != home
            for deed in (*at_home(space), *(Deed(*asked, space) for asked in dangerous))
        ]
        assert allowed(world, member(domain), deeds) == set()


def test_the_server_lists_no_other_rule_for_any_team(
    world: World, everyone: tuple[Domain, ...]
) -> None:
    """Complete where the tables above are samples."""
    stranger = Caller("nobody", ("nobodies",))
    for space in spaces(world):
        assert rules(world, stranger, space) == set()
        for domain in everyone:
            wanted = at_home(space) if space == f"aspora-{domain.name}" else set()
            assert rules(world, member(domain), space) == wanted


RESTARTS = ("aspora-platform", "certificate-restarts")
"""The one account with a right: two Deployments, by name, get and patch (decision 61)."""


def test_the_account_of_restarts_may_restart_two_deployments(world: World, local: Rendered) -> None:
    space, name = RESTARTS
    caller = Caller(f"system:serviceaccount:{space}:{name}", ("system:serviceaccounts",))
    rules = [obj["rules"] for obj in local if obj["kind"] == "Role" and is_named(obj, RESTARTS)]
    assert [rule["resourceNames"] for rule in rules[0]] == [["model-gateway", "tool-gateway"]]
    verbs = ("get", "patch", "list", "watch", "create", "update", "delete", "deletecollection")
    asked = [Deed(verb, "apps", "deployments", space) for verb in verbs]
    assert allowed(world, caller, asked) == set()  # of any Deployment whatever its name


def is_named(obj: Mapping[str, Any], name: tuple[str, str]) -> bool:
    return (obj["metadata"].get("namespace"), obj["metadata"]["name"]) == name


def test_service_accounts_may_do_nothing_at_all(world: World, local: Rendered) -> None:
    accounts = [
        obj["metadata"]
        for obj in local
        if obj["kind"] == "ServiceAccount"
        and obj["metadata"]["namespace"] != names.SANDBOX_NAMESPACE  # an operator's own
        and not is_named(obj, RESTARTS)
    ]
    assert len(accounts) > 20
    deeds = [("get", "", "secrets"), ("list", "", "pods"), ("get", "", "configmaps"), *SPECIAL]
    for meta in accounts:
        space = meta["namespace"]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{space}")
        caller = Caller(f"system:serviceaccount:{space}:{meta['name']}", groups)
        for where in (space, "kube-system"):
            found = rules(world, caller, where)
            assert {deed for deed in found if deed[1:3] != ASKED_OF_ACCOUNTS} == set()
        asked = [Deed(*deed, where) for deed in deeds for where in (space, "")]
        assert allowed(world, caller, asked) == set()
