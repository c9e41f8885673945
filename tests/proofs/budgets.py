"""Do budgets hold when calls come all at once? On real LiteLLM, two replicas and a real Redis.

`python -m tests.proofs.budgets --python ENV/bin/python`. ENV is a virtual environment with
what `tests/proofs/litellm.txt` lists; `redis-server` (or
`valkey-server`) is on PATH. Takes three minutes. Everything listens on this machine alone.

What it shows, with our own configuration and a provider that only counts:
1. N parallel calls of one key never spend more than its cap and one call;
2. nor do two keys of one domain more than the domain's;
3. a domain that has spent its budget is refused, and another is not;
4. and, so that it is known to be able to fail: without prices the same calls pass the cap.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3

from aspora.gateways.model import litellm
from aspora.gateways.model.plan import Key, Team, model
from aspora.gateways.model.reconcile import steps
from tests.proofs.arithmetic import Call, cost, holds, spent

MODEL = model("claude-haiku-4-5")
OUTPUT_TOKENS = 200
KEY_CAP = Decimal("0.006")
TEAM_CAP = Decimal("0.01")
REPLICA = Path(__file__).with_name("litellm_replica.py")
PASSWORD = "a-password-of-the-proof"
SECONDS = 120


def team(name: str, keys: tuple[str, ...]) -> Team:
    """A domain with small caps: its keys' together are more than its own."""
    made = tuple(
        Key(f"{name}/{key}", key, name, "", (MODEL.name,), KEY_CAP, 10_000, 1_000) for key in keys
    )
    return Team(name, TEAM_CAP, TEAM_CAP, "", (MODEL,), made)


TEAMS = (team("wealth", ("wealth-a", "wealth-b")), team("fraud", ("fraud-a",)))


def value(key: str) -> str:
    """The key's secret."""
    return f"sk-{key}-0123456789abcdef"


class Provider(ThreadingHTTPServer):
    """Answers as OpenRouter would, half a second late so that calls overlap, and counts."""

    request_queue_size = 256
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.calls: list[Call] = []


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        time.sleep(0.5)
        asked = Call(body["messages"][0]["content"], 12, body["max_tokens"])
        server = self.server
        assert isinstance(server, Provider)
        server.calls.append(asked)
        answer = json.dumps(_completion(body["model"], asked)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing: there are hundreds."""


def _completion(name: str, call: Call) -> dict[str, Any]:
    usage = {
        "prompt_tokens": call.input_tokens,
        "completion_tokens": call.output_tokens,
        "total_tokens": call.input_tokens + call.output_tokens,
    }
    message = {"role": "assistant", "content": "fine"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    head = {"id": "1", "object": "chat.completion", "created": 1, "model": name}
    return {**head, "choices": [choice], "usage": usage}


def free_port() -> int:
    """A port nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def configuration(provider: Provider, folder: Path, *, priced: bool) -> Path:
    """Our own, but for where the provider is; unpriced, a model that LiteLLM has no price for."""
    found = litellm.config(TEAMS)
    for entry in found["model_list"]:
        route = "openrouter/" + ("anthropic/claude-haiku-4.5" if priced else "aspora/unheard-of")
        where = {"model": route, "api_base": f"http://127.0.0.1:{provider.server_address[1]}"}
        entry["litellm_params"] |= where | {"api_key": "none"}
        if not priced:
            entry["model_info"] = {"mode": "chat"}
    found["litellm_settings"]["callbacks"] = []
    path = folder / "config.yaml"
    path.write_text(json.dumps(found), "utf-8")
    return path


def setup(provider: Provider, folder: Path, *, priced: bool) -> Path:
    """What a replica starts from, and what `aspora gateway sync` would have sent."""
    wanted = litellm.desired(TEAMS)
    values = {key["key_alias"]: value(key["key_alias"]) for key in wanted["keys"]}
    made = steps(wanted, {"teams": [], "keys": []}, values)
    changed = {
        "teams": [{**team, "max_budget": 1.0} for team in wanted["teams"]],
        "keys": [{**key, "token": "0", "models": []} for key in wanted["keys"]],
    }
    mended = steps(wanted, changed, values)
    requests = [call for step in (*made, *mended) for call in step.calls]
    text = {
        "config": str(configuration(provider, folder, priced=priced)),
        "teams": wanted["teams"],
        "keys": [{**key, "key": values[key["key_alias"]]} for key in wanted["keys"]],
        "requests": requests,
    }
    path = folder / "setup.json"
    path.write_text(json.dumps(text), "utf-8")
    return path


@contextmanager
def running(*command: str, env: dict[str, str] | None = None) -> Iterator[None]:
    """A program for as long as the block."""
    process = subprocess.Popen(command, env=env, stdout=sys.stderr, stderr=sys.stderr)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for(port: int) -> None:
    """Until somebody listens."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    sys.exit(f"nothing listens on port {port} after {SECONDS} seconds")


class Gateway:
    """Two replicas behind one name: calls take turns."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.pool = urllib3.PoolManager(maxsize=128, block=True)

    def call(self, number: int, team: str, key: str) -> int:
        """The status of one call. Its content says whose it is, for the provider's books."""
        answer = self.pool.request(
            "POST",
            f"http://127.0.0.1:{self.ports[number % len(self.ports)]}/v1/chat/completions",
            headers={"Authorization": f"Bearer {value(key)}"},
            json={
                "model": litellm.public_name(team, MODEL.name),
                "max_tokens": OUTPUT_TOKENS,
                "messages": [{"role": "user", "content": key}],
            },
            retries=False,
            timeout=60,
        )
        return answer.status

    def burst(self, count: int, team: str, keys: tuple[str, ...]) -> Counter[int]:
        """Many calls at once, key after key."""
        with ThreadPoolExecutor(count) as crew:
            chosen = [(n, team, keys[n % len(keys)]) for n in range(count)]
            return Counter(crew.map(lambda one: self.call(*one), chosen))


@contextmanager
def platform(python: str, provider: Provider, *, priced: bool) -> Iterator[Gateway]:
    """Redis and two replicas with our configuration."""
    redis = shutil.which("redis-server") or shutil.which("valkey-server")
    if redis is None:
        sys.exit("no redis-server and no valkey-server on PATH")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        where = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder))
        keep = ("--save", "", "--requirepass", PASSWORD, "--loglevel", "warning")
        stack.enter_context(running(redis, *where, *keep))
        wait_for(port)
        path = setup(provider, folder, priced=priced)
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(port),
            "REDIS_PASSWORD": PASSWORD,
            "LITELLM_MASTER_KEY": "sk-master-0123456789abcdef",
            "DEFAULT_MAX_OUTPUT_TOKENS_FALLBACK": str(litellm.OUTPUT_TOKENS),
        }
        ports = [free_port(), free_port()]
        for one in ports:
            stack.enter_context(running(python, str(REPLICA), str(path), str(one), env=env))
        for one in ports:
            wait_for(one)
        yield Gateway(ports)


def report(what: str, answers: Counter[int], amount: Decimal, cap: Decimal, *, held: bool) -> bool:
    """One line, and whether it is as it should be."""
    word = "holds" if held else "passed"
    sys.stdout.write(f"{what}: {dict(answers)}, {amount} USD of {cap}: {word}\n")
    return held


def prove(python: str, count: int) -> bool:
    """All four; True when everything is as it should be."""
    most = cost(Call("", 64, OUTPUT_TOKENS), MODEL.price)
    provider = Provider()
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    good = True
    with platform(python, provider, priced=True) as gateway:
        for what, team, keys, cap in (
            ("one key", "wealth", ("wealth-a",), KEY_CAP),
            ("two keys of a domain", "wealth", ("wealth-a", "wealth-b"), TEAM_CAP),
        ):
            answers = gateway.burst(count, team, keys)
            amount = spent(provider.calls, MODEL.price, keys)
            held = holds(amount, cap, most) and answers[200] > 0
            good &= report(what, answers, amount, cap, held=held)
        time.sleep(2)  # what was reserved and not used is given back
        while gateway.call(0, "wealth", "wealth-b") == 200:
            pass
        amount = spent(provider.calls, MODEL.price, ("wealth-a", "wealth-b"))
        late = gateway.burst(10, "wealth", ("wealth-a", "wealth-b"))
        held = holds(amount, TEAM_CAP, most) and late[200] == 0
        good &= report("a domain that has spent it all", late, amount, TEAM_CAP, held=held)
        other = gateway.call(0, "fraud", "fraud-a")
        sys.stdout.write(f"another domain: {other}\n")
        good &= other == 200
    provider.calls.clear()
    with platform(python, provider, priced=False) as gateway:
        answers = gateway.burst(count, "wealth", ("wealth-a",))
        amount = spent(provider.calls, MODEL.price, ("wealth-a",))
        held = holds(amount, KEY_CAP, most)
        report("the same without prices", answers, amount, KEY_CAP, held=held)
        good &= not held
    provider.shutdown()
    return good


def main() -> int:
    """0 when everything is as it should be."""
    parser = argparse.ArgumentParser(description="Budgets under load, on real LiteLLM.")
    parser.add_argument("--python", required=True, help="the Python that has LiteLLM")
    parser.add_argument("--calls", type=int, default=60, help="calls at once (default: 60)")
    arguments = parser.parse_args()
    return 0 if prove(arguments.python, arguments.calls) else 1


if __name__ == "__main__":
    sys.exit(main())
