"""What several test files share: the real control plane and engine, started once a session."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from local import controlplane
from local.controlplane import ControlPlane
from local.kube import KubeClient
from local.paths import Paths
from local.progress import QuietProgress
from local.toolchain import TOOLS, ensure

_numbers = count(1)


@pytest.fixture(scope="session")
def engine_tools() -> dict[str, Path]:
    """Every program of the local platform; built on first use and cached for the user."""
    paths = Paths.from_environment(os.environ)
    return ensure(tuple(TOOLS), paths, QuietProgress(), env=os.environ)


@pytest.fixture(scope="session")
def plane(engine_tools: dict[str, Path]) -> Iterator[ControlPlane]:
    """A control plane of this session's own; its objects are shared by all tests."""
    with tempfile.TemporaryDirectory(prefix="aspora-test-") as folder:
        paths = Paths(cache=Path(folder) / "cache", state=Path(folder) / "state")
        try:
            yield controlplane.up(engine_tools, paths, QuietProgress())
        finally:
            controlplane.down(paths, QuietProgress())


@pytest.fixture(scope="session")
def cluster(plane: ControlPlane) -> Iterator[KubeClient]:
    """A client of the session's control plane."""
    client = KubeClient.from_kubeconfig(plane.kubeconfig)
    yield client
    client.close()


@pytest.fixture
def namespace(cluster: KubeClient) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"test-{next(_numbers)}"
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.apply(obj)
    yield name
    cluster.delete(obj, wait_seconds=0)
