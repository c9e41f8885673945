"""A real Kubernetes control plane on this machine: up, status, down.

`up` recovers from whatever it finds: processes left over or half of them dead, ports taken, data
that etcd cannot read. All processes listen on the loopback address only.
"""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from aspora.errors import EnvironmentFailure, LocalPlatformError
from local import components
from local.processes import LOOPBACK, free_ports, out_of_space, stop, tail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.paths import Paths
    from local.pki import Identity
    from local.progress import Progress, Step

ATTEMPTS = 4
ETCD_SECONDS = 30.0
READY_SECONDS = 90.0
CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")


@dataclass(frozen=True)
class ControlPlane:
    """A control plane that is ready.

    `identity` is given to a cluster once, when its etcd starts empty: whoever remembers objects
    of another identity remembers wrongly. `created` says that this `up` gave a new one.
    """

    kubeconfig: Path
    server: str
    created: bool
    identity: str


@dataclass(frozen=True)
class Component:
    """One program of the control plane; `pid` is None while it does not run."""

    name: str
    pid: int | None
    ports: tuple[int, ...]
    log: Path


class _DiedError(Exception):
    """A program ended while it was being started."""

    def __init__(self, name: str, log: Path) -> None:
        super().__init__(name)
        self.name = name
        self.log = log
        with suppress(OSError):
            self.text = log.read_text(errors="replace")[-50_000:]

    text = ""


def up(tools: Mapping[str, Path], paths: Paths, progress: Progress) -> ControlPlane:
    """Bring the control plane up, or say that it is up. Keeps what etcd holds if it can.

    `tools` must hold every name of `components.NAMES`. Raises LocalPlatformError.
    """
    with progress.step("Kubernetes control plane") as step:
        plane = _as_it_stands(tools, paths)
        if plane:
            step.done("was up already")
            return plane
        step.update("stopping what is left of an earlier one")
        _stop(paths)
        try:
            plane = _start_and_recover(tools, paths, progress, step)
        except OSError as error:
            _stop(paths)
            raise _cannot_write(paths, error) from None
        except BaseException:
            _stop(paths)
            raise
        step.done(f"{'new' if plane.created else 'started again, data kept'}, {plane.server}")
        return plane


def status(paths: Paths) -> ControlPlane | None:
    """The control plane if all of it runs and answers, else None."""
    if not all(components.running(paths, name) for name in components.NAMES):
        return None
    ports = _recorded_ports(paths)
    if "kube-apiserver" not in ports or not paths.kubeconfig.exists():
        return None
    server = f"https://{LOOPBACK}:{ports['kube-apiserver']}"
    with suppress(OSError, http.client.HTTPException):
        api = _Api(ports["kube-apiserver"], *components.admin(paths), timeout=5.0)
        if api.get("/readyz")[0] == http.HTTPStatus.OK:
            identity = _identity(api)
            return ControlPlane(paths.kubeconfig, server, created=False, identity=identity)
    return None


def parts(paths: Paths) -> tuple[Component, ...]:
    """Each program of the control plane: whether it runs, where it listens, where its log is."""
    found = []
    for name in components.NAMES:
        process = next(iter(components.running(paths, name)), None)
        ports: set[int] = set()
        if process:
            with suppress(psutil.Error):
                ports = {
                    connection.laddr.port
                    for connection in process.net_connections("tcp")
                    if connection.status == psutil.CONN_LISTEN
                }
        pid = process.pid if process else None
        found.append(Component(name, pid, tuple(sorted(ports)), components.log_of(paths, name)))
    return tuple(found)


def down(paths: Paths, progress: Progress) -> None:
    """Stop the control plane and remove all its files. Nothing to stop is fine."""
    anything = paths.cluster.exists() or any(
        components.running(paths, name) for name in components.NAMES
    )
    if not anything:
        return
    with progress.step("Stopping the Kubernetes control plane"):
        _stop(paths)
        shutil.rmtree(paths.cluster, ignore_errors=True)
        for file in (paths.kubeconfig, *(components.log_of(paths, n) for n in components.NAMES)):
            file.unlink(missing_ok=True)
        for folder in (paths.logs, paths.state):
            with suppress(OSError):
                folder.rmdir()
    if paths.cluster.exists():
        raise LocalPlatformError(
            f"{paths.cluster} cannot be removed", hint=f"Remove it by hand: rm -rf {paths.cluster}"
        )


def _as_it_stands(tools: Mapping[str, Path], paths: Paths) -> ControlPlane | None:
    for name in components.NAMES:
        processes = components.running(paths, name)
        if len(processes) != 1 or not components.uses(processes[0], tools[name]):
            return None
    return status(paths)


def _stop(paths: Paths) -> None:
    """Stop everything of this state folder. Only etcd has something to finish; it comes last."""
    clients = [name for name in components.NAMES if name != "etcd"]
    stop([p for name in clients for p in components.running(paths, name)], patience=0.0)
    stop(components.running(paths, "etcd"))


def _start_and_recover(
    tools: Mapping[str, Path], paths: Paths, progress: Progress, step: Step
) -> ControlPlane:
    ports = _recorded_ports(paths)
    for attempt in range(1, ATTEMPTS + 1):
        had_data = components.data_folder(paths).exists()
        try:
            return _start(tools, paths, ports, step)
        except _DiedError as death:
            _stop(paths)
            if attempt == ATTEMPTS:
                raise _did_not_start(death) from None
            if "address already in use" in death.text:
                ports = {}
            elif death.name == "etcd" and had_data and _cannot_read_its_data(death):
                _start_over(paths, progress, death)
            elif death.text.strip():
                raise _did_not_start(death) from None
            # ended without a word: killed from outside; try again
    raise AssertionError


def _start_over(paths: Paths, progress: Progress, death: _DiedError) -> None:
    progress.note(
        "What the control plane had stored cannot be read any more (the last words of etcd: "
        f"{tail(death.log, 1)}). It starts empty, and everything in it is made again."
    )
    folder = components.data_folder(paths)
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink()


def _start(
    tools: Mapping[str, Path], paths: Paths, wanted: Mapping[str, int], step: Step
) -> ControlPlane:
    paths.cluster.mkdir(parents=True, exist_ok=True, mode=0o700)
    ports = free_ports(components.PORTS, wanted)
    server = f"https://{LOOPBACK}:{ports['kube-apiserver']}"
    _ports_file(paths).write_text(json.dumps(ports))
    certificates = components.make_certificates(paths, server)

    step.update("starting etcd")
    components.start("etcd", tools["etcd"], paths, ports, certificates)
    etcd = _Api(ports["etcd"], certificates.etcd_authority, certificates.etcd)
    _wait(paths, ["etcd"], lambda: _answers(etcd, "/health"), ETCD_SECONDS)

    step.update("starting the API server")
    components.start("kube-apiserver", tools["kube-apiserver"], paths, ports, certificates)
    api = _Api(ports["kube-apiserver"], certificates.authority, certificates.admin)
    _wait(paths, ["kube-apiserver", "etcd"], lambda: _answers(api, "/readyz"), READY_SECONDS)

    step.update("starting the controllers")
    for name in CONTROLLERS:
        components.start(name, tools[name], paths, ports, certificates)
    account = "/api/v1/namespaces/default/serviceaccounts/default"  # a controller makes it
    _wait(paths, components.NAMES, lambda: _answers(api, account), READY_SECONDS)

    components.write_kubeconfig(
        paths.kubeconfig, server, certificates.authority, certificates.admin
    )
    identity = _identity(api)
    return ControlPlane(
        paths.kubeconfig, server, created=_is_new(paths, identity), identity=identity
    )


def _is_new(paths: Paths, identity: str) -> bool:
    """Whether this cluster was never ready before; remembers it."""
    file = paths.cluster / "identity"
    if file.exists() and file.read_text() == identity:
        return False
    file.write_text(identity)
    return True


def _wait(
    paths: Paths, names: tuple[str, ...] | list[str], ready: Callable[[], bool], seconds: float
) -> None:
    """Until `ready`; raises _DiedError as soon as one of the programs has ended."""
    deadline = time.monotonic() + seconds
    time.sleep(0.1)  # the shell that starts a program takes a moment to become it
    processes = {name: components.running(paths, name) for name in names}
    while True:
        for name in names:
            if not any(process.is_running() for process in processes[name]):
                raise _DiedError(name, components.log_of(paths, name))
        if ready():
            return
        if time.monotonic() > deadline:
            log = components.log_of(paths, names[0])
            raise LocalPlatformError(
                f"{names[0]} runs but is not ready after {seconds:.0f} s",
                hint=f"{tail(log)}\nIts log: {log}\nTo start from nothing: aspora down; aspora up",
            )
        time.sleep(0.05)


class _Api:
    """Plain GETs to one loopback server that asks for a client certificate."""

    def __init__(
        self, port: int, authority: Path, identity: Identity, *, timeout: float = 5.0
    ) -> None:
        self._port = port
        self._timeout = timeout
        self._context = ssl.create_default_context(cafile=str(authority))
        self._context.load_cert_chain(identity.certificate, identity.key)

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(
            LOOPBACK, self._port, timeout=self._timeout, context=self._context
        )
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _answers(api: _Api, path: str) -> bool:
    try:
        return api.get(path)[0] == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def _identity(api: _Api) -> str:
    """The uid of kube-system, which a cluster keeps for life."""
    status_code, body = api.get("/api/v1/namespaces/kube-system")
    if status_code != http.HTTPStatus.OK:
        raise LocalPlatformError(f"the API server does not show kube-system ({status_code})")
    return str(json.loads(body)["metadata"]["uid"])


def _ports_file(paths: Paths) -> Path:
    return paths.cluster / "ports.json"


def _recorded_ports(paths: Paths) -> dict[str, int]:
    """The ports of the last start; empty when the file is not there or not whole."""
    try:
        record = json.loads(_ports_file(paths).read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict):
        return {}
    return {name: port for name, port in record.items() if isinstance(port, int) and port > 0}


def _cannot_read_its_data(death: _DiedError) -> bool:
    """Whether etcd gave up because of its data, not of the disk, the memory or our rights."""
    text = death.text.lower()
    innocent = ("permission denied", "out of memory", "cannot allocate")
    gave_up = ('"level":"fatal"', '"level":"panic"', "panic:", "fatal error:")
    if out_of_space(text) or any(word in text for word in innocent):
        return False
    return any(word in text for word in gave_up)


def _did_not_start(death: _DiedError) -> EnvironmentFailure:
    text = death.text.lower()
    hint = f"{tail(death.log)}\nIts log: {death.log}"
    if out_of_space(text):
        hint = (
            f"There is no room for its files in {death.log.parents[1]}. Free some space and try "
            f"again, or name another folder: ASPORA_STATE=/path/to/folder\n{hint}"
        )
    elif "permission denied" in text:
        hint = (
            f"Files under {death.log.parents[1]} belong to somebody else (was `aspora` run with "
            f"sudo?). Give them back: sudo chown -R $USER {death.log.parents[1]}\n{hint}"
        )
    return LocalPlatformError(f"{death.name} did not start", hint=hint)


def _cannot_write(paths: Paths, error: OSError) -> EnvironmentFailure:
    return EnvironmentFailure(
        f"the state folder {paths.state} cannot be written: {error.strerror or error}",
        hint="Free some space there, or name another folder: ASPORA_STATE=/path/to/folder",
    )
