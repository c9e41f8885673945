"""A new snapshot from an old one and the quotes of some lists, and what has moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from aspora.price_lists import Listing, Quote

MODEL_AMOUNTS = ("input", "output", "cacheRead", "cacheWrite")


@dataclass(frozen=True, slots=True)
class Move:
    """One amount that was another one before; `before` is None where there was none."""

    key: str
    amount: str
    before: Decimal | None
    after: Decimal

    def __str__(self) -> str:
        name = self.key if self.amount == "usd" else f"{self.key} {self.amount}"
        after = f"{self.after.normalize():f}"
        if self.before is None:
            return f"{name}: {after} USD, had no price"
        return f"{name}: {self.before.normalize():f} to {after} USD{self._share()}"

    def _share(self) -> str:
        if not self.before:
            return ""
        return f" ({(self.after - self.before) / self.before * 100:+.1f} %)"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The two files' data, what moved, how many prices were confirmed, and what was not taken."""

    aws: dict[str, Any]
    models: dict[str, Any]
    moves: tuple[Move, ...]
    quoted: int
    remarks: tuple[str, ...]


def units(aws: Mapping[str, Any]) -> Mapping[str, str]:
    """What each price of the AWS file is for, by key."""
    return {key: entry["per"] for key, entry in aws["prices"].items()}


def refreshed(
    aws: Mapping[str, Any],
    models: Mapping[str, Any],
    listings: Iterable[Listing],
    today: date,
) -> Refreshed:
    """Both files with every quote written in; what no list names stays as it is.

    Of two quotes for one price the later list counts. Spot prices are new entries, and only of
    instance types that the file knows.
    """
    read = tuple(listings)
    of_aws = {
        quote.key: quote for found in read for quote in found.quotes if "usd" in quote.amounts
    }
    of_models = {q.key: q for found in read for q in found.quotes if "usd" not in q.amounts}
    wanted = {
        key: quote for key, quote in of_aws.items() if key in aws["prices"] or _is_spot(key, aws)
    }
    new_aws = _written(aws, "prices", {k: _aws_entry(aws, q) for k, q in wanted.items()}, today)
    new_models = _written(
        models, "models", {k: _model_entry(models, q) for k, q in of_models.items()}, today
    )
    moves = [
        *(move for q in wanted.values() for move in _moves(aws["prices"], q)),
        *(move for q in of_models.values() for move in _moves(models["models"], q)),
    ]
    return Refreshed(
        new_aws,
        new_models,
        tuple(sorted(moves, key=lambda move: (move.key, move.amount))),
        len(wanted) + len(of_models),
        tuple(remark for found in read for remark in found.remarks),
    )


def _is_spot(key: str, aws: Mapping[str, Any]) -> bool:
    kind = key.removeprefix("ec2.").removesuffix(".spot")
    return key == f"ec2.{kind}.spot" and kind in aws["instances"]


def _written(
    raw: Mapping[str, Any], table: str, entries: Mapping[str, Any], today: date
) -> dict[str, Any]:
    """The file with `entries` in it, and its month; untouched when there are none."""
    if not entries:
        return dict(raw)
    merged = {**raw[table], **entries}
    return {**raw, "asOf": today.strftime("%Y-%m"), table: merged}


def _aws_entry(aws: Mapping[str, Any], quote: Quote) -> dict[str, Any]:
    old = aws["prices"].get(quote.key, {"per": "hour"})
    return {
        "usd": quote.amounts["usd"],
        "per": old["per"],
        "source": quote.source,
        "asOf": quote.as_of,
    }


def _model_entry(models: Mapping[str, Any], quote: Quote) -> dict[str, Any]:
    """Lengths stay: an offer's context is not what the price holds for."""
    old = models["models"].get(quote.key, {})
    replaced = (*MODEL_AMOUNTS, "tiers", "source", "asOf", "quotedBy")
    kept = {name: value for name, value in old.items() if name not in replaced}
    tiers = {"tiers": [dict(tier) for tier in quote.tiers]} if quote.tiers else {}
    return {**quote.amounts, **tiers, **kept, "source": quote.source, "asOf": quote.as_of}


def _moves(table: Mapping[str, Any], quote: Quote) -> Iterable[Move]:
    old = table.get(quote.key, {})
    for name, after in quote.amounts.items():
        before = old.get(name)
        if before != after:
            yield Move(quote.key, name, before, after)
    yield from _tier_moves(old.get("tiers", ()), quote)


def _tier_moves(old: Iterable[Mapping[str, Any]], quote: Quote) -> Iterable[Move]:
    """Prices of long prompts, each by the length it begins at; those that are gone are not said."""
    known = {tier["promptTokens"]: tier for tier in old}
    for tier in quote.tiers:
        begins = tier["promptTokens"]
        for name, after in tier.items():
            before = known.get(begins, {}).get(name)
            if name != "promptTokens" and before != after:
                yield Move(quote.key, f"{name} from {begins:f} prompt tokens", before, after)


def summary(found: Refreshed) -> str:
    """For the one who reviews the change; ends in a newline."""
    lines = [str(move) for move in found.moves] or ["no price moved"]
    kept = list(found.remarks)
    total = len(found.aws["prices"]) + len(found.models["models"])
    moved = len({move.key for move in found.moves})
    lines += [*kept, f"{found.quoted} of {total} prices looked up, {moved} moved"]
    return "\n".join(lines) + "\n"
