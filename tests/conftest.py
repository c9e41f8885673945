"""What several test files share: the real control plane and engine, started once a session."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from local import controlplane
from local.controlplane import ControlPlane
from local.kube import KubeClient
from local.paths import Paths
from local.progress import QuietProgress
from local.toolchain import TOOLS, ensure
from tests.platform_lab import Lab

_numbers = count(1)

ON_DEMAND = ("edits", "mutants")
LONGEST = (
    "test_platform_recovery.py",
    "test_simulation.py",
    "test_engine.py",
    "test_platform.py",
    "test_policy_gate.py",
)


def pytest_configure() -> None:
    """A run in the background (`nohup make test &`) ignores ^C, and so would the programs that
    tests start and interrupt: they would wait for ever."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files on the engine come first, the longest before: several workers then end together.

    What takes half an hour runs only where it is asked for by name.
    """
    unasked = [marker for marker in ON_DEMAND if marker not in config.option.markexpr]
    long = {item for item in items for marker in unasked if item.get_closest_marker(marker)}
    config.hook.pytest_deselected(items=[item for item in items if item in long])
    items[:] = [item for item in items if item not in long]

    def place(item: pytest.Item) -> int:
        if item.path.name in LONGEST:
            return LONGEST.index(item.path.name)
        return len(LONGEST) + (item.get_closest_marker("engine") is None)

    items.sort(key=place)


class _LoopKeeper(asyncio.DefaultEventLoopPolicy):
    """Remembers the event loops that are made: Pulumi's SDK makes some and closes none."""

    def __init__(self) -> None:
        super().__init__()
        self.loops: list[asyncio.AbstractEventLoop] = []

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """As always, and remembered."""
        self.loops.append(super().new_event_loop())
        return self.loops[-1]


@pytest.fixture(scope="session", autouse=True)
def event_loops() -> Iterator[None]:
    """Close every loop at the end: an open one is a warning, and warnings are errors here."""
    keeper = _LoopKeeper()
    asyncio.set_event_loop_policy(keeper)
    yield
    for loop in keeper.loops:
        if not loop.is_running():
            loop.close()
    asyncio.set_event_loop_policy(None)


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


@pytest.fixture(scope="module")
def labs(
    engine_tools: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Lab]]:
    """Makes repositories with a state folder, by name; what runs in them is taken down at the end.

    No definition of a custom resource is downloaded: they come from ASPORA_CRDS or are open.
    """
    made: list[Lab] = []

    def make(name: str) -> Lab:
        made.append(Lab.make(tmp_path_factory.mktemp(name)))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASPORA_DOWNLOADS", "off")
        try:
            yield make
        finally:
            for lab in made:
                lab.down()
