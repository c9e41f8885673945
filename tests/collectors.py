"""The real collector, where it has been built, with a sink for what it exports."""

from __future__ import annotations

import gzip
import json
import os
import random
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError

from local.paths import Paths
from local.toolchain import OPTIONAL, where

Config = dict[str, Any]
ENVIRONMENT = {
    "MY_POD_IP": "127.0.0.1",
    "LANGFUSE_BASIC_AUTH": "cGs6c2s=",
    "PHOENIX_API_KEY": "phoenix-key",
    "CLICKHOUSE_USER": "collector",
    "CLICKHOUSE_PASSWORD": "secret",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What a pod would have; nothing of this machine's own."""


def program() -> Path | None:
    """The collector in the tool cache or on PATH; it is never built here."""
    paths = Paths.from_environment(os.environ)
    return where(("otelcol",), paths, tools=OPTIONAL)["otelcol"]


def free_port() -> int:
    """Below the ports that the system gives to whoever connects: it stays free until it is used."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Sink(ThreadingHTTPServer):
    """Takes whatever is sent, and keeps it: (path, headers, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[tuple[str, Mapping[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self, prefix: str) -> list[Config]:
        """The spans sent to paths below `prefix`, as OTLP/JSON, each with its resource."""
        found = []
        for path, _, body in list(self.taken):
            if path.startswith(prefix):
                for group in json.loads(body)["resourceSpans"]:
                    held = {"resource": group["resource"]}
                    for scope in group["scopeSpans"]:
                        found += [span | held for span in scope["spans"]]
        return found


class _Handler(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.taken.append((self.path, dict(self.headers), body))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_PUT = do_POST

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            held = b""
            while size := int(self.rfile.readline(), 16):
                held += self.rfile.read(size)
                self.rfile.readline()
            return held
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def sink() -> Iterator[Sink]:
    with Sink() as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def validate(path: Path, config: Config, folder: Path) -> str:
    """What `otelcol validate` says of the configuration; empty when it holds."""
    file = folder / "config.yaml"
    file.write_text(json.dumps(config), "utf-8")
    done = subprocess.run(
        [path, "validate", "--config", file],
        check=False,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=120,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@contextmanager
def running(path: Path, config: Config, folder: Path, health: int) -> Iterator[Path]:
    """The collector with this configuration, once it is ready; the path of its log."""
    file, log = folder / "config.yaml", folder / "log"
    file.write_text(json.dumps(config), "utf-8")
    with log.open("w") as out:
        process = subprocess.Popen(
            [path, "--config", file], stdout=out, stderr=subprocess.STDOUT, env=ENVIRONMENT
        )
        try:
            _ready(process, health, log)
            yield log
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(process: subprocess.Popen[bytes], health: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{health}", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"the collector did not start:\n{log.read_text()[-3000:]}")


def post(port: int, path: str, body: Config, tls: ssl.SSLContext | None = None) -> None:
    request = urllib.request.Request(
        f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20, context=tls) as answer:
        assert answer.status == 200


def scrape(port: int) -> dict[str, float]:
    """Every series of a Prometheus endpoint."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def until(check: Any, seconds: float = 30) -> None:
    """Wait until `check` holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
