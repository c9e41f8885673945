"""A PATH, a cache, a Go and a web site that do what a test tells them to."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import tarfile
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from aspora.errors import ToolUnavailable
from local.paths import Paths
from local.progress import QuietProgress
from local.toolchain import TOOLS, ensure, golang
from local.toolchain.download import Downloader
from local.toolchain.faults import NoWayError
from local.toolchain.table import Download, Tool, this_system

REPO = Path(__file__).parents[2]

# A Go that "builds" a script which prints its version, or fails in the way it is told to.
FAKE_GO = """#!/bin/sh
if [ "$1" = version ]; then echo "go version go${FAKE_GO_VERSION:-1.26.9} linux/amd64"; exit; fi
while [ $# -gt 0 ]; do [ "$1" = -o ] && out="$2"; last="$1"; shift; done
echo "go: downloading example.org/module v1.0.0"
echo "$PWD $last CGO_ENABLED=$CGO_ENABLED GOFLAGS=$GOFLAGS $GOCACHE" >> "$FAKE_GO_CALLS"
case "$FAKE_GO" in
  fail) echo "x.go:1:2: syntax error"; exit 1;;
  offline) echo "dial tcp: lookup proxy.example: no such host"; exit 1;;
  full) echo "write /cache/x: no space left on device"; exit 1;;
  slow) sleep 1;;
  forever) while :; do echo example.org/package; sleep 0.05; done;;
  wrong) printf '#!/bin/sh\\necho etcd Version: 9.9.9\\n' > "$out"; chmod +x "$out"; exit;;
esac
printf '#!/bin/sh\\necho etcd Version: 3.7.3\\n' > "$out"; chmod +x "$out"
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@dataclass
class Sandbox:
    """A PATH, a cache and an environment of their own."""

    root: Path
    env: dict[str, str]
    paths: Paths
    progress: QuietProgress = field(default_factory=QuietProgress)
    tool: Tool = field(default_factory=lambda: replace(TOOLS["etcd"], downloads={}))

    def on_path(self, name: str, text: str) -> Path:
        return script(self.root / "bin" / name, text)

    def ensure(self, *, downloader: Downloader | None = None) -> Path:
        found = ensure(
            ["etcd"],
            self.paths,
            self.progress,
            env=self.env,
            tools={"etcd": self.tool},
            downloader=downloader or Downloader(self.env, schemes=("http",)),
        )
        return found["etcd"]

    def fails(self, *, downloader: Downloader | None = None) -> ToolUnavailable:
        with pytest.raises(ToolUnavailable) as failure:
            self.ensure(downloader=downloader)
        return failure.value

    @property
    def builds(self) -> list[str]:
        calls = self.root / "calls"
        return calls.read_text().splitlines() if calls.exists() else []


def no_go() -> golang.Go:
    raise NoWayError("no Go on PATH")


class Site:
    """An HTTP server on the loopback address that serves what it is told to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut_off: set[str] = set()
        self.redirects: dict[str, str] = {}
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.lstrip("/")
                if name in site.redirects:
                    self.send_response(302)
                    self.send_header("Location", site.redirects[name])
                    self.end_headers()
                    return
                body = site.files.get(name)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write((body or b"")[: 10 if name in site.cut_off else None])

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def publish(self, archive: bytes) -> Download:
        self.files["etcd.tar.gz"] = archive
        self.files["SHA256SUMS"] = (
            f"{'0' * 64}  other.tar.gz\n{hashlib.sha256(archive).hexdigest()}  etcd.tar.gz\n"
        ).encode()
        return Download(f"{self.url}/etcd.tar.gz", f"{self.url}/SHA256SUMS", "etcd-v3/etcd")

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def archive(version: str = "3.7.3", member: str = "etcd-v3/etcd", padding: int = 0) -> bytes:
    program = f"#!/bin/sh\necho etcd Version: {version}\nexit\n".encode() + os.urandom(padding)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(member)
        info.size = len(program)
        tar.addfile(info, io.BytesIO(program))
    return buffer.getvalue()


def offer(sandbox: Sandbox, download: Download) -> None:
    sandbox.tool = replace(sandbox.tool, downloads={this_system(): download})
