"""The generated pages are those that the code would write now."""

from __future__ import annotations

import pytest

from aspora.docs import PAGES
from aspora.telemetry import attributes, metrics, records, redaction
from tests.core import ROOT


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_fresh(page: str) -> None:
    assert (ROOT / page).read_text("utf-8") == PAGES[page](), "run `make docs`"


def test_the_page_on_telemetry_names_everything() -> None:
    text = PAGES["docs/reference/telemetry.md"]()
    wanted = [
        *(f"`{each.name}`" for each in attributes.ATTRIBUTES),
        *(f"| `{metric.name}` |" for metric in metrics.METRICS),
        *(f"| {pattern.name} |" for pattern in redaction.PATTERNS),
        *(f"| `{field}` |" for field in records.BRIEF),
        *records.LEFT_OUT.values(),
        f"semantic conventions {attributes.SEMCONV}",
    ]
    assert [name for name in wanted if name not in text] == []


def test_a_skill_stays_within_its_series() -> None:
    assert sum(metric.series for metric in metrics.METRICS) <= metrics.SERIES_LIMIT
