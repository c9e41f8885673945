"""The long job runs only when it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`pytest -m mutants` runs every mutant; else a sample stands for them."""
    if "mutants" in config.option.markexpr:
        return
    here = Path(__file__).parent
    long = [one for one in items if here in one.path.parents and one.get_closest_marker("mutants")]
    for item in long:
        items.remove(item)
    if long:
        config.hook.pytest_deselected(items=long)
