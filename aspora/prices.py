"""The price table of models, dated and with its source, in `aspora/data/model-prices.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """USD per million tokens, as the provider lists them; None where it lists no own price."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Every model known, with the month the prices are from."""

    as_of: str
    source: str
    models: dict[str, ModelPrice]


@cache
def model_prices() -> PriceTable:
    """The table that ships with the package."""
    text = resources.files("aspora").joinpath("data/model-prices.json").read_text("utf-8")
    raw = json.loads(text)
    models = {
        name: ModelPrice(
            price["input"],
            price["output"],
            price.get("cacheRead"),
            price.get("cacheWrite"),
            price.get("maxInputTokens"),
            price.get("maxOutputTokens"),
        )
        for name, price in raw["models"].items()
        if "input" in price and "output" in price
    }
    return PriceTable(raw["asOf"], raw["source"], models)
