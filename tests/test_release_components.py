"""How releases become Pulumi resources, and how the stand-in keeps them without installing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

import components.releases
from aspora.registered import Registered
from aspora.render import render
from aspora.services import pins
from aspora.services.releases import Release, releases
from components.base import register_with_gate
from components.releases import RELEASE, HelmRelease, HelmReleaseArgs, inputs
from infra.program import PROJECT, Platform, declare, stack_releases
from infra.recording import record
from local.providers import kubernetes
from local.providers.base import Resource, State
from local.report import not_installed
from tests.core import repository, settings


def found() -> dict[str, Release]:
    return {release.name: release for release in releases(settings("staging"), repository())}


def registered() -> tuple[Registered, ...]:
    local = settings()
    platform = Platform(local, render((), local), (), tuple(found().values()))
    return record(lambda: declare(platform), stack="local", project=PROJECT)


def test_only_stacks_with_a_cluster_install_anything() -> None:
    assert stack_releases(settings("local"), repository()) == ()
    assert [r.name for r in stack_releases(settings("prod"), repository())] == list(found())


def test_each_release_is_a_component_with_the_chart_as_pinned() -> None:
    seen = registered()
    made = {r.name: r.inputs for r in seen if r.type == RELEASE}
    assert set(made) == set(found())
    assert {r.name for r in seen if r.type == "aspora:platform:HelmRelease"} == set(made)
    langfuse = made["langfuse"]
    assert (langfuse["chart"], langfuse["version"]) == ("langfuse", "2.1.1")
    assert langfuse["repositoryOpts"] == {"repo": "https://langfuse.github.io/langfuse-k8s"}
    assert (langfuse["timeout"], langfuse["skipCrds"], langfuse["skipAwait"]) == (1800, True, False)
    assert langfuse["createNamespace"] is False
    assert made["karpenter"]["chart"].startswith("oci://")
    assert "repositoryOpts" not in made["karpenter"]
    assert made["aws-load-balancer-controller"]["skipCrds"] is False


def test_a_release_waits_for_all_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: dict[str, set[str]] = {}

    class Noted(HelmRelease):
        def __init__(self, name: str, args: HelmReleaseArgs, opts: Any = None) -> None:
            super().__init__(name, args, opts)
            names_ = {id(made): key for key, made in ready.items()}
            waits[name] = {names_[id(item)] for item in args.waits_for if id(item) in names_}
            ready[name] = self.ready

    ready: dict[str, Any] = {}
    monkeypatch.setattr(components.releases, "HelmRelease", Noted)
    registered()
    needs = {name: set(release.pin.needs) for name, release in found().items()}
    assert waits == needs


def test_stores_and_databases_come_after_the_mesh_and_before_what_keeps_its_data_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pod that is older than the mesh has no sidecar, and its peers refuse it."""
    ready: dict[str, Any] = {}
    waits: dict[str, set[str]] = {}

    def names_of(resources: Any) -> set[str]:
        return {name for name, made in ready.items() if any(made is one for one in resources)}

    class Noted(HelmRelease):
        def __init__(self, name: str, args: HelmReleaseArgs, opts: Any = None) -> None:
            super().__init__(name, args, opts)
            waits[name] = names_of(args.waits_for)
            ready[name] = self.ready

    def gate(objects: Any, parent: Any, *, depends_on: Any = ()) -> Any:
        found = register_with_gate(objects, parent, depends_on=depends_on)
        kinds = {obj["kind"] for obj in objects}
        name = "stores" if "ClickHouseCluster" in kinds else "databases"
        waits[name] = names_of(depends_on)
        (ready[name],) = found[1]
        return found

    monkeypatch.setattr(components.releases, "HelmRelease", Noted)
    monkeypatch.setattr(components.releases, "register_with_gate", gate)
    local = settings()
    rendered = replace(render((), local), databases=render((), settings("staging")).databases)
    platform = Platform(local, rendered, (), tuple(found().values()))
    seen = record(lambda: declare(platform), stack="local", project=PROJECT)
    assert waits["stores"] == {"clickhouse-operator", "external-secrets", "istio-cni"}
    after = {name for name, needs in waits.items() if "stores" in needs}
    assert after == {"langfuse", "opik"}
    assert waits["databases"] == {"external-secrets", "istio-cni"}
    after = {name for name, needs in waits.items() if "databases" in needs}
    assert after == {"kube-prometheus-stack", "langfuse", "phoenix"}
    kinds = [r.type.rpartition(":")[2] for r in seen]
    assert {"ClickHouseCluster", "KeeperCluster", "StatefulSet"} <= set(kinds)


def test_stores_are_there_where_nothing_is_installed() -> None:
    local = settings()
    platform = Platform(local, render((), local), ())
    seen = record(lambda: declare(platform), stack="local", project=PROJECT)
    assert "kubernetes:apps/v1:StatefulSet" in {r.type for r in seen}


def test_a_version_that_nobody_knows_is_left_to_the_repository() -> None:
    nameless = pins.Pin("a", "some", "https://charts.example.com", None, None, "", "keda")
    assert "version" not in inputs(Release(nameless, {}))


def test_the_stand_in_keeps_a_release_and_does_nothing() -> None:
    """It has no client: whatever it asked of the API server would fail."""
    stand_in = kubernetes.KubernetesStandIn(cast("Any", None))
    wanted = inputs(found()["keda"])
    resource = Resource(RELEASE, "urn:keda")
    assert stand_in.check(resource, wanted) == []
    assert stand_in.check(resource, {"chart": "keda"}) == [
        ("name", "is missing"),
        ("namespace", "is missing"),
        ("values", "is missing"),
    ]
    assert stand_in.create(resource, wanted) == ("keda/keda", wanted)
    assert stand_in.read(resource, State(wanted, wanted)) == State(wanted, wanted)
    newer = wanted | {"version": "9.9.9"}
    changed = stand_in.diff(resource, wanted, newer)
    assert [change.path for change in changed.changes] == [("version",)]
    assert not changed.replaces
    assert stand_in.update(resource, State(wanted), newer) == newer
    stand_in.delete(resource, State(wanted))


def test_what_is_not_installed_is_listed() -> None:
    shown = not_installed()
    assert len(shown) == len(pins.PINS)
    assert "langfuse 2.1.1" in shown
