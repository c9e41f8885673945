"""Closed streams, a full disk, a folder that is gone, signals, answers that are none of AWS's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aspora.load import load_stack
from infra.registered_stack import registered

ROOT = Path(__file__).resolve().parent.parent
ASPORA = f"{sys.executable} -m aspora"


def shell(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ASPORA_ROOT": str(ROOT), **variables}
    return subprocess.run(
        command, shell=True, env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["validate --format json", "render --domain ecm"])
def test_a_closed_stream_is_no_failure(command: str, closed: str) -> None:
    done = shell(f"{ASPORA} {command} {closed}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["validate --format json", "render", "schema", "--help"])
def test_a_full_disk_is_told(command: str) -> None:
    done = shell(f"{ASPORA} {command} >/dev/full")
    assert done.returncode == 1
    assert done.stderr == (
        "error: what was to be printed or written cannot be: No space left on device\n"
    )


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = shell(f"cd {gone}; rmdir {gone}; {ASPORA} validate", ASPORA_ROOT="")
    assert done.returncode == 2
    assert "the folder this runs in cannot be used" in done.stderr


@pytest.mark.parametrize("name", ["x" * 400, "a\nb", "\x1b[31m", "../x", ""])
def test_the_name_of_a_stack_is_only_shown(name: str) -> None:
    command = [sys.executable, "-m", "aspora", "validate", "--stack", name]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no stack")
    assert len(done.stderr) < 400
    assert done.stderr.replace("\n", "").isprintable()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_end_from_outside_is_an_interruption(number: signal.Signals) -> None:
    code = (
        "import aspora.cli, os\n"
        f"aspora.cli.run = lambda args: os.kill(os.getpid(), {int(number)}) or 0\n"
        "try: aspora.cli.main()\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    done = shell(f'{sys.executable} -c "{code}"')
    assert done.stdout == "interrupted\n"


class _Garbage(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>\x1b[31mplease log in</html>")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def portal() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Garbage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_answer_that_is_none_of_aws(portal: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for url in (portal, "no url"):
        done = shell(f"{ASPORA} bootstrap --stack staging --dry-run", AWS_ENDPOINT_URL=url, **keys)
        assert done.returncode == 1
        assert done.stderr.startswith("error: account: ")
        assert "internal error" not in done.stderr


def test_networks_that_may_reach_the_endpoint_are_recorded(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.staging.yaml").read_text("utf-8")
    more = "controlPlane:\n      privateAccessCidrs: [10.99.0.0/16]"
    (tmp_path / "Pulumi.staging.yaml").write_text(text.replace("controlPlane:", more), "utf-8")
    (tmp_path / "domains").symlink_to(ROOT / "domains")
    assert load_stack("staging", tmp_path).aws
    rules = [found for found in registered("staging", tmp_path) if "-api-" in found.name]
    assert [rule.inputs["cidrIpv4"] for rule in rules] == ["10.99.0.0/16"]
    assert rules[0].inputs["securityGroupId"] == "sg-0123456789abcdef0"
