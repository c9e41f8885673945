"""One control plane with everything of the local stack in it, for all tests of this folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aspora.models import Domain
from aspora.render import Rendered, render
from infra.definitions import find
from local import controlplane, nodes
from local.kube import KubeClient
from local.paths import Paths
from local.progress import QuietProgress
from tests.core import domains, repository, settings
from tests.guardrails.attacks import ATTACKS, OWNER, REGISTRY, account, namespace, refused
from tests.guardrails.texts import ADDED
from tests.guardrails.world import POLICIES, World, wait_for


@pytest.fixture(scope="package")
def everyone() -> tuple[Domain, ...]:
    """The repository's domains, and one for each thing they do not use."""
    with tempfile.TemporaryDirectory() as folder:
        return (*repository(), *domains(Path(folder), *ADDED))


@pytest.fixture(scope="package")
def local(everyone: tuple[Domain, ...]) -> Rendered:
    return render(everyone, settings())


@pytest.fixture(scope="package")
def world(engine_tools: dict[str, Path], local: Rendered) -> Iterator[World]:
    """A control plane of this module's own, with everything of the local stack in it."""
    with tempfile.TemporaryDirectory(prefix="aspora-test-") as folder:
        paths = Paths(cache=Path(folder) / "cache", state=Path(folder) / "state")
        try:
            plane = controlplane.up(engine_tools, paths, QuietProgress())
            client = KubeClient.from_kubeconfig(plane.kubeconfig)
            cache = Paths.from_environment(os.environ).cache
            world = World(client, find(os.environ, cache, lambda _: None))
            _fill(world, local)
            yield world
            client.close()
        finally:
            controlplane.down(paths, QuietProgress())


def _fill(world: World, local: Rendered) -> None:
    """Definitions, nodes, cluster scope, namespaces, the laboratory; then all that is left."""
    client = world.client
    assert settings().allowed_registries == (REGISTRY,)
    assert world.refusals(world.definitions.documents, dry_run=False) == []
    for crd in world.definitions.documents:
        client.wait_established(crd["metadata"]["name"])
    nodes.ensure(client)
    first = [*local.cluster, *(domain.guardrails[0] for domain in local.domains)]
    assert world.refusals(first, dry_run=False) == []
    _laboratory(world)
    for policy in POLICIES:
        attack = next(attack for attack in ATTACKS if attack.policy == policy)
        wait_for(f"policy {policy}", lambda attack=attack: refused(world, attack, ("v1", "Pod")))  # type: ignore[misc]
    world.rejected = world.refusals(list(local), dry_run=False)


def _laboratory(world: World) -> None:
    """Namespaces of domains without Pod Security, so that policies answer and nothing before."""
    spaces = {
        "lab": OWNER | {"aspora.io/sandbox": "gvisor"},
        "lab-runc": OWNER | {"aspora.io/sandbox": "runc"},
        "lab-unsaid": OWNER,
        "lab-headless": {"domain": "lab"},
        "lab-free": {},
    }
    other = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "other"},
        "handler": "runc",
    }
    made = [other, *(namespace(name, labels) for name, labels in spaces.items())]
    assert world.refusals(made, dry_run=False) == []
    accounts = [account(space, who) for space in spaces for who in ("agent", "secret-reader")]
    assert world.refusals(accounts, dry_run=False) == []
