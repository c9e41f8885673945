"""The processes: both tiers of the collector, Prometheus and Phoenix; started, found, stopped.

They hang together: where one has ended, all start again, empty, for what it held is lost.
"""

from __future__ import annotations

import http.client
import json
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

from aspora.errors import LocalPlatformError
from aspora.telemetry.collector import AGENT, GATEWAY
from local.observability import configs
from local.observability.configs import Ports
from local.pki import Authority
from local.processes import LOOPBACK, alive, environment, find, free_ports, spawn, stop, tail
from local.report import NOT_RUNNING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aspora.models import Domain
    from aspora.stack import StackSettings
    from local.paths import Paths
    from local.progress import Progress

READY_SECONDS = 180.0  # Phoenix compiles itself at its first start and makes its tables
HERE = Path(__file__).parent
COLLECTOR = "aspora/collector"
NAMES = (AGENT, GATEWAY, "Prometheus", "Phoenix")


@dataclass(frozen=True)
class Programs:
    """What is started; `phoenix` is the Python of Phoenix's environment."""

    otelcol: Path
    prometheus: Path
    phoenix: Path


_ANY = Programs(Path("otelcol"), Path("prometheus"), Path("python"))


@dataclass(frozen=True)
class Server:
    """One process: `marks` are arguments it is known by, `health` answers once it is ready."""

    name: str
    program: str
    marks: tuple[str, ...]
    command: tuple[str, ...]
    health: str
    env: tuple[tuple[str, str], ...] = ()


def up(
    programs: Programs,
    settings: StackSettings,
    domains: Sequence[Domain],
    paths: Paths,
    progress: Progress,
) -> Ports:
    """Start all of them, empty, and wait until each answers. Raises LocalPlatformError."""
    down(paths, progress)
    found = free_ports([each.name for each in fields(Ports)], {})
    ports = Ports(**found)
    try:
        _write(settings, domains, ports, paths)
        for server in _servers(programs, ports, paths):
            _start(server, paths, progress)
        _record(paths).write_text(json.dumps(asdict(ports)), "utf-8")
    except OSError as error:
        _stop(paths)
        raise LocalPlatformError(
            f"{paths.observability} cannot be written: {error.strerror}",
            hint="Free some space there, or name another folder: ASPORA_STATE=/path/to/folder",
        ) from None
    except BaseException:
        _stop(paths)
        raise
    return ports


def ports(paths: Paths) -> Ports | None:
    """Where they listen, while every one of them runs and answers; else None."""
    found = _recorded(paths)
    if found is None or any(url == NOT_RUNNING for url in status(paths).values()):
        return None
    return found


def status(paths: Paths) -> dict[str, str]:
    """Where a browser finds each; empty where they were never started or are down."""
    found = _recorded(paths)
    if found is None:
        return {}
    urls = {
        AGENT: f"https://{LOOPBACK}:{found.otlp}",
        GATEWAY: f"http://{LOOPBACK}:{found.skills}/metrics",
        "Prometheus": f"http://{LOOPBACK}:{found.prometheus}/consoles/index.html",
        "Phoenix": f"http://{LOOPBACK}:{found.phoenix}",
    }
    parts = _servers(_ANY, found, paths)
    runs = {each.name: _runs(each) and _answers(each.health) for each in parts}
    return {name: url if runs[name] else NOT_RUNNING for name, url in urls.items()}


def down(paths: Paths, progress: Progress) -> None:
    """Stop them and remove their files. Nothing to stop is fine."""
    if not (paths.observability.exists() or _running(paths)):
        return
    with progress.step("Stopping the collector, Prometheus and Phoenix"):
        _stop(paths)
        shutil.rmtree(paths.observability, ignore_errors=True)
        for name in NAMES:
            log_of(paths, name).unlink(missing_ok=True)


def log_of(paths: Paths, name: str) -> Path:
    """What the process printed."""
    return paths.logs / f"{name.lower()}.log"


def _servers(programs: Programs, ports: Ports, paths: Paths) -> tuple[Server, ...]:
    """In the order of their starts: first whoever is sent to."""
    folder = paths.observability
    config = folder / "prometheus.json"
    health = {
        AGENT: ports.agent_health,
        GATEWAY: ports.gateway_health,
    }
    tiers = {GATEWAY: "gateway.json", AGENT: "agent.json"}
    return (
        _phoenix(programs, ports, paths),
        *(
            Server(
                name,
                "otelcol",
                (str(folder / file),),
                (str(programs.otelcol), "--config", str(folder / file)),
                f"http://{LOOPBACK}:{health[name]}/",
            )
            for name, file in tiers.items()
        ),
        Server(
            "Prometheus",
            "prometheus",
            (f"--config.file={config}",),
            (
                str(programs.prometheus),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address={LOOPBACK}:{ports.prometheus}",
                f"--web.console.templates={HERE / 'consoles'}",
            ),
            f"http://{LOOPBACK}:{ports.prometheus}/-/ready",
        ),
    )


def _phoenix(programs: Programs, ports: Ports, paths: Paths) -> Server:
    """Its store is an SQLite file; it asks nothing of any other host, and no agent works in it."""
    # Python passes over -X options it does not know.
    mark, script = f"aspora_state={paths.state}", str(HERE / "serve_phoenix.py")
    return Server(
        "Phoenix",
        "python",
        (mark, script),
        (str(programs.phoenix), "-I", "-X", mark, script, "serve"),
        f"http://{LOOPBACK}:{ports.phoenix}/healthz",
        (
            ("PHOENIX_HOST", LOOPBACK),
            ("PHOENIX_PORT", str(ports.phoenix)),
            ("PHOENIX_GRPC_PORT", str(ports.phoenix_grpc)),
            ("PHOENIX_WORKING_DIR", str(paths.observability / "phoenix")),
            ("PHOENIX_TELEMETRY_ENABLED", "false"),
            ("PHOENIX_ALLOW_EXTERNAL_RESOURCES", "false"),
            ("PHOENIX_DISABLE_AGENT_ASSISTANT", "true"),
            ("PHOENIX_AGENTS_DISABLE_BASH", "true"),
            ("PHOENIX_ENABLE_MCP_SERVER", "false"),
        ),
    )


def _write(settings: StackSettings, domains: Sequence[Domain], ports: Ports, paths: Paths) -> None:
    """Certificates and configurations. JSON is YAML, and needs no care with quotes."""
    folder = paths.observability
    tls = folder / "tls"
    for each in (tls, folder / "phoenix", paths.logs):
        each.mkdir(parents=True, mode=0o700, exist_ok=True)
    authority = Authority(tls, "ca")
    authority.issue("tls", COLLECTOR, server=True)
    authority.issue("agent", "aspora/agent")
    rules = folder / "rules.json"
    for name, content in (
        ("agent.json", configs.agent(settings, domains, ports, tls)),
        ("gateway.json", configs.gateway(settings, domains, ports, tls)),
        ("prometheus.json", configs.prometheus(ports, rules)),
        (rules.name, configs.rule_groups(settings, domains)),
    ):
        (folder / name).write_text(json.dumps(content, indent=1), "utf-8")


def _start(server: Server, paths: Paths, progress: Progress) -> None:
    with progress.step(server.name) as step:
        log = log_of(paths, server.name)
        pid = spawn(
            server.command,
            log=log,
            env=environment(paths.observability) | {"MY_POD_IP": LOOPBACK} | dict(server.env),
        )
        deadline = time.monotonic() + READY_SECONDS
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            while alive(process) and time.monotonic() < deadline:
                if _answers(server.health):
                    _only_here(server, process)
                    step.done("new")
                    return
                time.sleep(0.1)
        raise LocalPlatformError(
            f"{server.name} did not start", hint=f"{tail(log)}\nIts log: {log}"
        )


def _only_here(server: Server, process: psutil.Process) -> None:
    """Nobody else may reach it: what listens anywhere but on the loopback address is an error."""
    for each in process.net_connections("tcp"):
        address = each.laddr.ip.removeprefix("::ffff:")
        if each.status == psutil.CONN_LISTEN and address != LOOPBACK:
            raise LocalPlatformError(
                f"{server.name} listens on {address}, port {each.laddr.port}, not on this machine"
                " alone, and was stopped"
            )


def _runs(server: Server) -> bool:
    return bool(find(server.program, *server.marks))


def _running(paths: Paths) -> list[psutil.Process]:
    """Those of this state folder, wherever they listen and whatever program they are."""
    nowhere = Ports(**{each.name: 0 for each in fields(Ports)})
    known = _servers(_ANY, nowhere, paths)
    return [process for each in known for process in find(each.program, *each.marks)]


def _stop(paths: Paths) -> None:
    stop(_running(paths))


def _record(paths: Paths) -> Path:
    return paths.observability / "ports.json"


def _recorded(paths: Paths) -> Ports | None:
    try:
        return Ports(**json.loads(_record(paths).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=2.0)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
