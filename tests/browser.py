"""A headless Chromium of this machine, driven by the DevTools protocol over two pipes.

The standard library is enough: `--remote-debugging-pipe` takes JSON messages that end in a zero
byte on descriptor 3 and answers on 4, so neither a port nor a websocket is needed.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    *("--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-quic"),
    *("--disable-extensions", "--mute-audio", "--remote-debugging-pipe"),
)
PATIENCE_SECONDS = 60
"""For one answer; a machine that builds beside it is slow."""


def chromium() -> str | None:
    """The program, or None where there is none. `ASPORA_CHROMIUM` names another."""
    given = os.environ.get("ASPORA_CHROMIUM")
    found = (shutil.which(name) for name in ((given,) if given else NAMES))
    return next((path for path in found if path), None)


@dataclass
class Browser:
    """The connection: `call` sends a command and waits for its answer, keeping events meanwhile."""

    sending: int
    receiving: int
    events: list[dict[str, Any]] = field(default_factory=list)
    _number: int = 0
    _rest: bytes = b""

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """The result of a command; an error of the browser is an AssertionError."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.sending, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait(self, method: str, session: str) -> dict[str, Any]:
        """The next event of that name, already there or still to come."""
        while True:
            for event in self.events:
                if event.get("method") == method and event.get("sessionId") == session:
                    self.events.remove(event)
                    return event
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.receiving], [], [], max(end - time.monotonic(), 0))
            assert ready, "Chromium does not answer"
            data = os.read(self.receiving, 1 << 16)
            assert data, "Chromium has ended"
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


@dataclass
class Tab:
    """One page of the browser, with what it logged and what it asked the network for."""

    browser: Browser
    session: str

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """A command for this page."""
        return self.browser.call(method, self.session, **params)

    def open(self, path: Path, *, scripts: bool = True) -> None:
        """Load a file and wait until it is there."""
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.browser.events.clear()
        self.send("Page.navigate", url=path.as_uri())
        self.browser.wait("Page.loadEventFired", self.session)

    def show(self, width: int, height: int = 900, *, dark: bool = False, scale: float = 1) -> None:
        """The size of the window, and the colours its person prefers."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.send("Emulation.setEmulatedMedia", features=[scheme, still])

    def value(self, expression: str) -> Any:
        """What an expression comes to in the page."""
        found = self.send(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
            allowUnsafeEvalBlockedByCSP=False,
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """A key, down and up: ("Tab", 9), ("Enter", 13)."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text
            )

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, refused requests among them."""
        self.value("1")  # events come in order: everything before this has arrived
        return [
            json.dumps(event["params"])
            for event in self.browser.events
            if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")
            or (
                event.get("method") == "Runtime.consoleAPICalled"
                and event["params"]["type"] in ("error", "warning", "assert")
            )
        ]

    def requests(self) -> list[str]:
        """The addresses that the page asked for; not what its policy kept it from asking."""
        self.value("1")
        sent, refused = {}, set()
        for event in self.browser.events:
            found = event.get("params", {})
            if event.get("method") == "Network.requestWillBeSent":
                sent[found["requestId"]] = found["request"]["url"]
            elif found.get("blockedReason") == "csp":
                refused.add(found["requestId"])
        return [url for number, url in sent.items() if number not in refused]

    def picture(self, path: Path) -> None:
        """A PNG of the window."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def tab() -> Iterator[Tab]:
    """A page of a browser of its own, which ends with the block."""
    program = chromium()
    assert program, "there is no Chromium"
    with tempfile.TemporaryDirectory(prefix="aspora-chromium-", ignore_cleanup_errors=True) as home:
        read, theirs_out = os.pipe()
        theirs_in, write = os.pipe()
        flags = [*FLAGS, f"--user-data-dir={home}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # Chromium refuses to start as root with it
        process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", program, *flags],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": home},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield _first_tab(Browser(write, read))
        finally:
            os.close(write)  # the end of its input is the end of the browser
            os.close(read)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _first_tab(browser: Browser) -> Tab:
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    page = Tab(browser, session)
    for domain in ("Page", "Runtime", "Log", "Network"):
        page.send(f"{domain}.enable")
    return page
