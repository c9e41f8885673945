"""The seal of the price snapshot: what it covers, and that nothing is read past it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from aspora import snapshot
from aspora.errors import AsporaError
from tests.core import ROOT


def text(name: str) -> str:
    return (ROOT / "aspora/data" / name).read_text("utf-8")


@pytest.mark.parametrize("name", snapshot.SEALED)
def test_the_files_hold_their_seal_and_are_written_as_the_command_writes_them(name: str) -> None:
    raw = snapshot.opened(text(name), name)
    assert snapshot.written(raw) == text(name)


@pytest.mark.parametrize("name", snapshot.SEALED)
def test_an_edited_figure_is_refused_when_it_is_read(name: str) -> None:
    edited = (
        text(name).replace('"usd": 0.1728', '"usd": 0.1729').replace('"input": 3,', '"input": 2,')
    )
    assert edited != text(name)
    with pytest.raises(AsporaError) as caught:
        snapshot.opened(edited, f"aspora/data/{name}")
    assert caught.value.message == (
        f"the figures in aspora/data/{name} are not those that its hash was made of"
    )
    assert caught.value.hint.endswith("aspora prices seal")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (snapshot.MODEL_FILE, '"input": ', '"input": -', "input is no amount of 0 or more"),
        (
            snapshot.MODEL_FILE,
            '"input": ',
            '"input": "5", "x": ',
            "input is no amount of 0 or more",
        ),
        (snapshot.MODEL_FILE, '"models": ', '"mode": ', "models is no mapping"),
        (snapshot.MODEL_FILE, '"source": ', '"sauce": ', "source is no text"),
        (snapshot.AWS_FILE, '"usd": ', '"usd": -', "usd is no amount of 0 or more"),
        (snapshot.AWS_FILE, '"per": ', '"pro": ', "has no per"),
        (snapshot.AWS_FILE, '"vcpu": ', '"vcpu": null, "x": ', "vcpu is no amount of 0 or more"),
    ],
)
def test_what_is_no_price_is_neither_sealed_nor_read(
    name: str, old: str, new: str, words: str
) -> None:
    """Minus 3 USD, sealed, would have made a dear change pass the gate as a saving."""
    raw = snapshot.parsed(text(name).replace(old, new, 1), "a file")
    with pytest.raises(AsporaError) as caught:
        snapshot.sound(raw, name)
    assert caught.value.message.startswith(f"aspora/data/{name}: ")
    assert words in caught.value.message


def test_a_number_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(AsporaError, match="too long a number"):
        snapshot.parsed('{"a": 1e999999999}', "a file")
    assert snapshot.parsed('{"a": 0.0}', "a file") == {"a": 0}


@pytest.mark.parametrize("name", snapshot.SEALED)
def test_our_own_figures_are_amounts(name: str) -> None:
    raw = snapshot.parsed(text(name), name)
    assert snapshot.sound(raw, name) is raw


def test_a_seal_without_figures_or_figures_without_a_seal_are_refused() -> None:
    for bad in ("{}", '{"sha256": ""}', '{"sha256": null, "prices": {}}'):
        with pytest.raises(AsporaError, match="its hash"):
            snapshot.opened(bad, "a file")


@pytest.mark.parametrize("bad", ["", "[]", "{", '{"a": NaN}', '{"a": Infinity}', "[" * 100_000])
def test_what_is_no_json_object_is_refused(bad: str) -> None:
    with pytest.raises(AsporaError, match="a file is no JSON"):
        snapshot.parsed(bad, "a file")


SAME = (
    '{"a": 0.1, "b": {"c": 1}}',
    '{ "b": {"c": 1.0},\n "a": 0.10 }',
    '{"a": 1e-1, "b": {"c": 1}}',
)
OTHER = (
    '{"a": 0.2, "b": {"c": 1}}',
    '{"a": "0.1", "b": {"c": 1}}',
    '{"a": 0.1, "b": {"c": true}}',
    '{"a": 0.1, "b": {"c": 1}, "d": null}',
    '{"a": 0.1, "b": {"c": [1]}}',
)


def test_the_seal_is_of_what_is_said_and_not_of_how() -> None:
    seals = {snapshot.seal(snapshot.parsed(one, "a file")) for one in SAME}
    assert len(seals) == 1
    others = {snapshot.seal(snapshot.parsed(one, "a file")) for one in OTHER}
    assert len(others) == len(OTHER)
    assert not seals & others


def test_what_is_written_is_read_as_the_same() -> None:
    raw: dict[str, Any] = {
        "asOf": "2026-11",
        "prices": {"b": {"usd": Decimal("0.0000003"), "per": "GB"}, "a": {"usd": None}},
        "note": "ü, “quoted”",
    }
    again = snapshot.opened(snapshot.written(raw), "a file")
    assert {key: value for key, value in again.items() if key != "sha256"} == raw
    assert '"usd": 0.0000003,' in snapshot.written(raw)
    assert list(json.loads(snapshot.written(raw))["prices"]) == ["a", "b"]
