"""Prometheus' own programs, for those tests that ask them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local.paths import Paths
from local.toolchain import OPTIONAL, where


def _built(name: str) -> Path:
    program = where((name,), Paths.from_environment(os.environ), tools=OPTIONAL)[name]
    if program is None:
        pytest.skip(f"{name} is not built: make observability-tools")
    return program


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' checker of rules."""
    return _built("promtool")


@pytest.fixture(scope="session")
def amtool() -> Path:
    """Alertmanager's checker of configurations."""
    return _built("amtool")
