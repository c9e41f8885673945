"""The price snapshot: JSON files in `aspora/data` that carry the hash of their own figures.

The hash is compared whenever a file is read, so that no estimate and no budget ever rests on a
figure that somebody, or a merge, changed without saying so. It covers what the file says, not how
it is written: white space, the order of keys and 0.10 for 0.1 are no matter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib import resources
from typing import Any

from aspora.errors import AsporaError

SEAL = "sha256"
AWS_FILE = "aws-prices.json"
MODEL_FILE = "model-prices.json"
SEALED = (AWS_FILE, MODEL_FILE)
"""The files that carry a hash."""
TABLES = ("prices", "models", "instances")
"""Keys whose entries stand one a line, sorted by name: so a diff shows one line a price."""
_TEXTS = {AWS_FILE: ("region", "asOf"), MODEL_FILE: ("source", "asOf")}
_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    AWS_FILE: {
        "prices": ("usd", "per", "source", "asOf"),
        "instances": ("vcpu", "memoryGiB", "pods"),
    },
    MODEL_FILE: {"models": ()},
}
"""What each file, and each entry of its tables, has to have."""
_NUMBERS = frozenset(
    (
        *("usd", "input", "output", "cacheRead", "cacheWrite", "promptTokens"),
        *("maxInputTokens", "maxOutputTokens", "vcpu", "memoryGiB", "pods"),
    )
)
_MOST_DIGITS = 20
"""Before the point; and as many zeros behind it."""


def shipped(name: str) -> dict[str, Any]:
    """A file that ships with the package; raises AsporaError when its hash does not hold."""
    text = resources.files("aspora").joinpath("data", name).read_text("utf-8")
    return sound(opened(text, f"aspora/data/{name}"), name)


def sound(raw: dict[str, Any], name: str) -> dict[str, Any]:
    """`raw`, the data of the file `name`; raises AsporaError when something of it is missing or
    no amount, as an edit by hand leaves it: a seal says nothing of that."""
    for wrong in _unsound(raw, name):
        raise AsporaError(
            f"aspora/data/{name}: {wrong}", hint="correct it, then run: aspora prices seal"
        )
    return raw


def _unsound(raw: Mapping[str, Any], name: str) -> Iterator[str]:
    yield from (f"{key} is no text" for key in _TEXTS[name] if not isinstance(raw.get(key), str))
    for table, needed in _FIELDS[name].items():
        entries = raw.get(table)
        if not isinstance(entries, Mapping):
            yield f"{table} is no mapping"
            continue
        for key, entry in entries.items():
            if not isinstance(entry, Mapping):
                yield f"{table}.{key} is no mapping"
                continue
            yield from (f"{table}.{key} has no {what}" for what in needed if what not in entry)
            yield from _no_amounts(entry, f"{table}.{key}")


def _no_amounts(entry: Mapping[str, Any], where: str) -> Iterator[str]:
    for field, value in entry.items():
        unknown = field == "usd" and value is None
        if field in _NUMBERS and not unknown and not (isinstance(value, Decimal) and value >= 0):
            yield f"{where}.{field} is no amount of 0 or more"
        if field == "tiers":
            tiers = value if isinstance(value, list) else [value]
            for tier in tiers:
                if isinstance(tier, Mapping) and {"promptTokens", "input", "output"} <= tier.keys():
                    yield from _no_amounts(tier, f"{where}.tiers")
                else:
                    yield f"{where}.tiers holds something else than tiers"


def opened(text: str, where: str) -> dict[str, Any]:
    """`text` as data, numbers as Decimal; raises AsporaError when its hash does not hold."""
    raw = parsed(text, where)
    if raw.get(SEAL) != seal(raw):
        raise AsporaError(
            f"the figures in {where} are not those that its hash was made of",
            hint="if the edit is meant, review it and run: aspora prices seal",
        )
    return raw


def parsed(text: str, where: str) -> dict[str, Any]:
    """`text` as data whatever its hash; raises AsporaError when it is no JSON object."""
    try:
        raw = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise AsporaError(f"{where} is no JSON: {error}") from None
    if not isinstance(raw, dict):
        raise AsporaError(f"{where} is no JSON object")
    return raw


def _number(text: str) -> Decimal:
    """Refuses what would take all memory to write out, as 1E999999999."""
    value = Decimal(text)
    if value and abs(value.adjusted()) > _MOST_DIGITS:
        raise ValueError(f"{text[:40]} is too long a number")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")


def seal(raw: Mapping[str, Any]) -> str:
    """The SHA-256 of everything in `raw` but the hash itself."""
    rest = {key: value for key, value in raw.items() if key != SEAL}
    text = json.dumps(_canonical(rest), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Numbers as a pair, so that none of them is the text that it looks like."""
    if isinstance(value, Mapping):
        return {key: _canonical(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(below) for below in value]
    if isinstance(value, Decimal):
        return {"number": plain(value)}
    return value


def written(raw: Mapping[str, Any]) -> str:
    """`raw` as its file, sealed: one line a price, sorted, the same bytes for the same figures."""
    head = {key: value for key, value in raw.items() if key != SEAL}
    lines = [f"  {_json(SEAL)}: {_json(seal(raw))}"]
    for key, value in head.items():
        lines.append(f"  {_json(key)}: {_table(value) if key in TABLES else _json(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _table(entries: Mapping[str, Any]) -> str:
    lines = [f"    {_json(name)}: {_json(entries[name])}" for name in sorted(entries)]
    return "{\n" + ",\n".join(lines) + "\n  }"


def _json(value: Any) -> str:
    """On one line; numbers without an exponent, which people read wrongly."""
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{_json(key)}: {_json(below)}" for key, below in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_json, value)) + "]"
    return plain(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def plain(value: Decimal) -> str:
    """0.1 for 0.10, 5 for 5.0, 0.0000003 for 3E-7."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
