"""The proof of isolation and the API server's own authorizer say the same of everybody's rights."""

from __future__ import annotations

import pytest

from aspora import names
from aspora.isolation.given import Given, declared
from aspora.isolation.rights import Right, rights
from aspora.models import Domain
from aspora.render import Rendered
from local.isolation_commands import networks
from tests.core import settings
from tests.guardrails.test_rights import Caller, Deed, allowed, resources, rules
from tests.guardrails.world import World

pytestmark = pytest.mark.engine


def caller(subject: str) -> Caller:
    """Who the authorizer has to be asked about."""
    kind, _, name = subject.partition(" ")
    if kind == "ServiceAccount":
        space, _, account = name.partition("/")
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{space}")
        return Caller(f"system:serviceaccount:{space}:{account}", groups)
    return Caller("someone", (name,)) if kind == "Group" else Caller(name, ())


@pytest.fixture(scope="module")
def found(everyone: tuple[Domain, ...], local: Rendered) -> tuple[Right, ...]:
    """Every right that the proof reads from the objects."""
    said = declared(domain.model_dump(mode="json") for domain in everyone)
    return tuple(rights(Given("local", tuple(local), said, networks(settings()))))


def test_the_authorizer_allows_exactly_the_rights_that_the_proof_reads(
    world: World, found: tuple[Right, ...]
) -> None:
    """For every subject of a binding, in its own namespace, another domain's and the platform's."""
    real = set(resources(world))
    subjects = sorted({right.subject for right in found})
    assert len(subjects) >= 9
    for subject in subjects:
        homes = {right.namespace for right in found if right.subject == subject} - {""}
        for space in sorted(homes | {"aspora-fraud", "aspora-wealth", names.PLATFORM_NAMESPACE}):
            read = {
                Deed(verb, right.group, right.resource, space)
                for right in found
                if right.subject == subject and right.namespace in ("", space)
                for verb in right.verbs
                if (right.group, right.resource) in real
            }
            served = {deed for deed in rules(world, caller(subject), space) if deed[1:3] in real}
            asked_of_all = {deed for deed in served if "clustertrustbundles" in deed.resource}
            assert served - asked_of_all == read, (subject, space)


def test_reviews_of_single_deeds_agree(world: World, found: tuple[Right, ...]) -> None:
    """SubjectAccessReview itself, on what matters most, for each team everywhere."""
    deeds = (("get", "", "secrets"), ("create", "", "pods/exec"), ("delete", "apps", "deployments"))
    teams = sorted({right.subject for right in found if right.subject.endswith("-team")})
    spaces = sorted({right.namespace for right in found if right.namespace})
    assert len(teams) >= 4
    for team in teams:
        asked = [Deed(*deed, space) for deed in deeds for space in spaces]
        read = {
            deed
            for deed in asked
            for right in found
            if (right.subject, right.namespace) == (team, deed.namespace)
            and (right.group, right.resource) == (deed.group, deed.resource)
            and deed.verb in right.verbs
        }
        assert read
        assert allowed(world, caller(team), asked) == read
