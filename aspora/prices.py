"""The price table of models, dated and with its source, in `aspora/data/model-prices.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from aspora import snapshot


@dataclass(frozen=True, slots=True)
class Tier:
    """USD per million tokens of a call whose prompt has `prompt_tokens` or more: of all of them."""

    prompt_tokens: int
    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """USD per million tokens, as the provider lists them; None where it lists no own price.

    `tiers` are other prices of long prompts. `source` and `as_of` (a day, ISO) are the price's
    own; None where the table's hold.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    source: str | None = None
    as_of: str | None = None
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Every model known, with the month the prices are from and the hash of the figures."""

    as_of: str
    source: str
    models: dict[str, ModelPrice]
    digest: str = ""

    def source_of(self, name: str) -> str:
        """Where the price of a model was read."""
        return self.models[name].source or self.source


@cache
def model_prices() -> PriceTable:
    """The table that ships with the package; raises AsporaError when its hash does not hold."""
    return table(snapshot.shipped(snapshot.MODEL_FILE))


def table(raw: Mapping[str, Any]) -> PriceTable:
    """The table of the file's data; a model without a price for both ways is left out."""
    models = {
        name: _price(entry)
        for name, entry in raw["models"].items()
        if "input" in entry and "output" in entry
    }
    return PriceTable(raw["asOf"], raw["source"], models, raw[snapshot.SEAL])


def _price(entry: Mapping[str, Any]) -> ModelPrice:
    return ModelPrice(
        float(entry["input"]),
        float(entry["output"]),
        _float(entry.get("cacheRead")),
        _float(entry.get("cacheWrite")),
        _whole(entry.get("maxInputTokens")),
        _whole(entry.get("maxOutputTokens")),
        entry.get("source"),
        entry.get("asOf"),
        tuple(
            Tier(
                int(tier["promptTokens"]),
                float(tier["input"]),
                float(tier["output"]),
                _float(tier.get("cacheRead")),
                _float(tier.get("cacheWrite")),
            )
            for tier in entry.get("tiers", ())
        ),
    )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _whole(value: Decimal | None) -> int | None:
    return None if value is None else int(value)
