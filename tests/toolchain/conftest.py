"""A sandbox without tools, with or without Go, and a web site on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.paths import Paths
from local.toolchain import golang
from tests.toolchain.sandbox import FAKE_GO, Sandbox, Site, no_go


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    env = {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "FAKE_GO_CALLS": str(tmp_path / "calls"),
    }
    return Sandbox(tmp_path, env, Paths(tmp_path / "cache", tmp_path / "state"))


@pytest.fixture
def with_go(sandbox: Sandbox) -> Sandbox:
    sandbox.on_path("go", FAKE_GO)
    return sandbox


@pytest.fixture
def without_go(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """No Go anywhere and no way to install it."""
    monkeypatch.setattr(golang, "_on_path", lambda _: no_go())
    monkeypatch.setattr(golang, "_installers", lambda *_: iter([["/bin/false", "pip"]]))
    return sandbox


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()
