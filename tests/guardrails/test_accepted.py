"""Every object that the platform renders is accepted by a real API server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from aspora.crds import CUSTOM_KINDS
from aspora.models import Domain
from aspora.render import Object, Rendered, render
from tests.core import settings
from tests.guardrails.world import World

pytestmark = pytest.mark.engine
Record = Callable[[str, object], None]

NEVER_RENDERED = {
    "Sandbox": "the controller makes it of a claim",
    "SandboxClaim": "whoever starts a session makes it",
    "NodeClaim": "Karpenter makes one for each node",
    "ServiceMonitor": "agents have a PodMonitor; platform services come with their charts",
}


def _count(record: Record, kinds: Counter[str]) -> None:
    """How many were tried, for the test report."""
    record("objects", kinds.total())
    record("kinds", len(kinds))


def test_every_object_of_the_local_stack_is_accepted(
    world: World, local: Rendered, record_property: Record
) -> None:
    assert world.rejected == []
    kinds = Counter(obj["kind"] for obj in local)
    _count(record_property, kinds)
    assert kinds.total() > 250
    assert len(kinds) > 25


def beside_local(obj: Object) -> Object:
    """Neither a StorageClass' tags nor a Job's pods ever change, and this cluster has the local
    stack's already."""
    if obj["kind"] not in ("StorageClass", "StatefulSet", "Job"):
        return obj
    return obj | {"metadata": obj["metadata"] | {"name": "another"}}


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_every_object_of_the_stacks_to_come_is_accepted(
    world: World, everyone: tuple[Domain, ...], stack: str, record_property: Record
) -> None:
    objects = [beside_local(obj) for obj in render(everyone, settings(stack))]
    assert world.refusals(objects, dry_run=True) == []
    kinds = Counter(obj["kind"] for obj in objects)
    _count(record_property, kinds)
    assert kinds["Rollout"] > 10
    assert kinds.total() > 250


def test_every_custom_kind_that_is_rendered_was_tried(
    local: Rendered, everyone: tuple[Domain, ...]
) -> None:
    tried = {obj["kind"] for obj in (*local, *render(everyone, settings("staging")))}
    wanted = {kind.kind for kind in CUSTOM_KINDS} - set(NEVER_RENDERED)
    assert wanted <= tried
    assert not tried & set(NEVER_RENDERED)


def test_strict_schemas_refuse_a_field_that_is_not_there(
    world: World, local: Rendered, everyone: tuple[Domain, ...]
) -> None:
    """The canary of the tests above: with open schemas they say nothing about fields."""
    if not world.definitions.strict:
        pytest.skip(f"only open schemas are to be had here: {world.definitions.open_kinds}")
    custom = {kind.kind: kind for kind in CUSTOM_KINDS if kind.kind not in NEVER_RENDERED}
    rendered = (*local, *render(everyone, settings("staging")))
    objects = {obj["kind"]: obj for obj in rendered if obj["kind"] in custom}
    wrong = [obj | {"spec": obj["spec"] | {"typo": 1}} for obj in objects.values()]
    assert len(world.refusals(wrong, dry_run=True)) == len(wrong) == len(custom)
