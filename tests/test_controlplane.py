"""The control plane: what goes wrong at a start (with stand-ins), and the real one (engine)."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from aspora.errors import EnvironmentFailure, LocalPlatformError
from local import components, controlplane, processes
from local.kube import KubeClient, KubeError
from local.paths import Paths
from local.progress import QuietProgress
from local.toolchain import ensure

REPO = Path(__file__).parents[1]


def gone(pid: int) -> bool:
    """Ended, even if init has not buried it yet."""
    return not psutil.pid_exists(pid) or not processes.alive(psutil.Process(pid))


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    paths = Paths(tmp_path / "cache", tmp_path / "state")
    yield paths
    controlplane.down(paths, QuietProgress())


# --- starts that fail, with scripts in place of the programs --------------------------------------


def stand_ins(tmp_path: Path, words: str) -> dict[str, Path]:
    """Programs that say `words` and end."""
    tools = {}
    for name in components.NAMES:
        tools[name] = tmp_path / name
        tools[name].write_text(f"#!/bin/sh\necho '{words}'\nexit 1\n")
        tools[name].chmod(0o755)
    return tools


def stored_data(paths: Paths) -> Path:
    data = components.data_folder(paths) / "member" / "snap" / "db"
    data.parent.mkdir(parents=True)
    data.write_text("data")
    return data


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("bind: address already in use", "address already in use"),
        ("write wal: no space left on device", "Free some space and try again"),
        ("open db: permission denied", "sudo chown -R $USER"),
        ("flag provided but not defined", "flag provided but not defined"),
        ("", "Its log: "),
    ],
)
def test_etcd_that_does_not_start_is_named_with_its_words_and_its_log(
    paths: Paths, tmp_path: Path, words: str, hint: str
) -> None:
    data = stored_data(paths)
    with pytest.raises(LocalPlatformError, match="etcd did not start") as failure:
        controlplane.up(stand_ins(tmp_path, words), paths, QuietProgress())
    assert hint in failure.value.hint
    assert str(paths.logs / "etcd.log") in failure.value.hint
    assert data.exists(), "data is only given up when etcd says that it cannot be read"


def test_data_that_etcd_cannot_read_is_given_up_aloud(paths: Paths, tmp_path: Path) -> None:
    data = stored_data(paths)
    progress = QuietProgress()
    with pytest.raises(LocalPlatformError, match="etcd did not start"):
        controlplane.up(stand_ins(tmp_path, "panic: freepages: bad page"), paths, progress)
    assert not data.exists()
    assert [line for line in progress.lines if "panic: freepages: bad page" in line]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_state_folder_that_cannot_be_written_is_named(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(components, "make_certificates", refuse)
    with pytest.raises(EnvironmentFailure, match=os.strerror(number)) as failure:
        controlplane.up(stand_ins(tmp_path, ""), paths, QuietProgress())
    assert str(paths.state) in failure.value.message
    assert "ASPORA_STATE=" in failure.value.hint


def test_nothing_up_is_no_status_and_down_is_no_work(paths: Paths) -> None:
    progress = QuietProgress()
    assert controlplane.status(paths) is None
    assert {part.pid for part in controlplane.parts(paths)} == {None}
    controlplane.down(paths, progress)
    assert progress.lines == []


# --- the real one -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tools() -> dict[str, Path]:
    return ensure(components.NAMES, Paths.from_environment(os.environ), QuietProgress())


def pids(paths: Paths) -> dict[str, list[int]]:
    return {
        name: [process.pid for process in components.running(paths, name)]
        for name in components.NAMES
    }


def client(paths: Paths) -> KubeClient:
    return KubeClient.from_kubeconfig(paths.kubeconfig)


def remember(paths: Paths) -> None:
    client(paths).create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": NAMED, "data": {"key": "kept"}}
    )


def remembers(paths: Paths) -> bool:
    found = client(paths).get({"apiVersion": "v1", "kind": "ConfigMap", "metadata": NAMED})
    return found is not None and found["data"] == {"key": "kept"}


NAMED = {"name": "memory", "namespace": "default"}


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.engine
def test_up_again_and_down(paths: Paths, tools: dict[str, Path]) -> None:
    progress = QuietProgress()
    first = controlplane.up(tools, paths, progress)
    before = pids(paths)
    second = controlplane.up(tools, paths, progress)
    assert first.created
    assert not second.created
    assert pids(paths) == before
    assert {len(found) for found in before.values()} == {1}
    assert controlplane.status(paths) == second

    for part in controlplane.parts(paths):
        connections = psutil.Process(part.pid).net_connections("inet")
        listening = [c for c in connections if c.status == psutil.CONN_LISTEN or not c.raddr]
        assert {c.laddr.ip for c in listening} <= {"127.0.0.1"}, part.name
        assert len(part.ports) == {"etcd": 2, "kube-apiserver": 1}.get(part.name, 0)
        assert part.log.exists()
    private = [*paths.cluster.rglob("*.key"), paths.kubeconfig]
    assert {path.stat().st_mode & 0o077 for path in private} == {0}

    controlplane.down(paths, progress)
    assert all(gone(found[0]) for found in before.values())
    assert not paths.state.exists()
    assert controlplane.status(paths) is None


@pytest.mark.engine
def test_it_is_a_cluster_with_its_guards_on(paths: Paths, tools: dict[str, Path]) -> None:
    controlplane.up(tools, paths, QuietProgress())
    api = client(paths)
    api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    space = {"name": "strict", "labels": labels}
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": space})
    api.create(deployment("default", replicas=3))
    job = {"template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}}
    api.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": NAMED, "spec": job})

    assert within(20, lambda: ready_pods(api) == 3)
    assert within(20, lambda: job_succeeded(api))
    with pytest.raises(KubeError, match="PodSecurity") as refused:
        api.create(pod("strict"))
    assert refused.value.status == 403
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": NAMED}
    api.create({**quota, "spec": {"hard": {"pods": "0"}}})
    assert within(20, lambda: (api.get(quota) or {}).get("status", {}).get("hard") is not None)
    with pytest.raises(KubeError, match="exceeded quota"):
        api.create(pod("default"))
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "nobody",
            "resourceAttributes": {"verb": "get", "resource": "secrets", "namespace": "default"},
        },
    }
    assert api.create(review)["status"]["allowed"] is False


CONTAINER = {"name": "c", "image": "example.org/image"}


def pod(namespace: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alone", "namespace": namespace},
        "spec": {"containers": [CONTAINER]},
    }


def deployment(namespace: str, *, replicas: int) -> dict[str, object]:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "initContainers": [{**CONTAINER, "name": "i", "restartPolicy": "Always"}],
                    "containers": [CONTAINER],
                },
            },
        },
    }


def ready_pods(api: KubeClient) -> int:
    found = api.get(deployment("default", replicas=3))
    return int((found or {}).get("status", {}).get("readyReplicas", 0))


def job_succeeded(api: KubeClient) -> bool:
    found = api.get({"apiVersion": "batch/v1", "kind": "Job", "metadata": NAMED})
    return bool((found or {}).get("status", {}).get("succeeded"))


@pytest.mark.engine
def test_after_a_crash_the_data_is_kept(paths: Paths, tools: dict[str, Path]) -> None:
    first = controlplane.up(tools, paths, QuietProgress())
    remember(paths)
    for name in ("etcd", "kube-apiserver"):
        components.running(paths, name)[0].kill()
    assert controlplane.status(paths) is None
    second = controlplane.up(tools, paths, QuietProgress())
    assert not second.created
    assert second.identity == first.identity
    assert second.server == first.server
    assert remembers(paths)
    assert {len(found) for found in pids(paths).values()} == {1}


@pytest.mark.engine
def test_ports_that_are_taken_are_given_up(paths: Paths, tools: dict[str, Path]) -> None:
    first = controlplane.up(tools, paths, QuietProgress())
    remember(paths)
    controlplane._stop(paths)
    ports = json.loads((paths.cluster / "ports.json").read_text())
    with socket.socket() as one, socket.socket() as two:
        for listener, name in ((one, "kube-apiserver"), (two, "etcd-peer")):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", ports[name]))
            listener.listen()
        second = controlplane.up(tools, paths, QuietProgress())
    assert second.server != first.server
    assert not second.created
    assert second.server in paths.kubeconfig.read_text()
    assert remembers(paths)


@pytest.mark.engine
def test_a_port_lost_between_choosing_and_listening_is_replaced(
    paths: Paths, tools: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = processes.free_ports
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        stolen = iter([{"kube-apiserver": thief.getsockname()[1]}])
        monkeypatch.setattr(
            controlplane,
            "free_ports",
            lambda names, wanted: {**real(names, wanted), **next(stolen, {})},
        )
        plane = controlplane.up(tools, paths, QuietProgress())
        assert not plane.server.endswith(f":{thief.getsockname()[1]}")
    assert controlplane.status(paths) is not None


def garble(paths: Paths) -> None:
    for file in components.data_folder(paths).rglob("*"):
        if file.is_file():
            file.write_bytes(b"\xff" * 4096)


def cut(paths: Paths) -> None:
    os.truncate(components.data_folder(paths) / "member" / "snap" / "db", 20_000)


def replace_by_a_file(paths: Paths) -> None:
    shutil.rmtree(components.data_folder(paths))
    components.data_folder(paths).write_text("")


@pytest.mark.engine
@pytest.mark.parametrize("damage", [garble, cut, replace_by_a_file])
def test_damaged_data_is_replaced_by_an_empty_cluster(
    paths: Paths, tools: dict[str, Path], damage: Callable[[Paths], None]
) -> None:
    first = controlplane.up(tools, paths, QuietProgress())
    controlplane._stop(paths)
    damage(paths)
    progress = QuietProgress()
    second = controlplane.up(tools, paths, progress)
    assert second.created
    assert second.identity != first.identity
    assert any("It starts empty" in line for line in progress.lines)


UP = """
import sys
from pathlib import Path
from local import components, controlplane
from local.paths import Paths
from local.progress import QuietProgress
tools = {name: Path(sys.argv[3 + i]) for i, name in enumerate(components.NAMES)}
print("started", flush=True)
controlplane.up(tools, Paths(Path(sys.argv[1]), Path(sys.argv[2])), QuietProgress())
print("up", flush=True)
"""


@pytest.mark.engine
def test_killed_at_any_moment_the_next_up_recovers(paths: Paths, tools: dict[str, Path]) -> None:
    command = [sys.executable, "-c", UP, str(paths.cache), str(paths.state)]
    command += [str(tools[name]) for name in components.NAMES]
    for moment in (0.02, 0.15, 0.4, 0.8, 1.5, 2.2):
        with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
    plane = controlplane.up(tools, paths, QuietProgress())
    assert plane.identity
    assert {len(found) for found in pids(paths).values()} == {1}
    remember(paths)


@pytest.mark.engine
def test_a_frozen_server_is_replaced(paths: Paths, tools: dict[str, Path]) -> None:
    controlplane.up(tools, paths, QuietProgress())
    frozen = components.running(paths, "kube-apiserver")[0]
    frozen.suspend()
    second = controlplane.up(tools, paths, QuietProgress())
    assert not second.created
    assert not frozen.is_running()


@pytest.mark.engine
def test_programs_of_an_earlier_version_are_replaced(
    paths: Paths, tools: dict[str, Path], tmp_path: Path
) -> None:
    old = {**tools, "kwok": tmp_path / "kwok"}
    old["kwok"].symlink_to(tools["kwok"])
    controlplane.up(old, paths, QuietProgress())
    before = pids(paths)
    plane = controlplane.up(tools, paths, QuietProgress())
    assert not plane.created
    assert pids(paths)["kwok"] != before["kwok"]
