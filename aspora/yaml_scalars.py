"""What a plain (unquoted) YAML scalar means, and which ones are refused as ambiguous.

The YAML 1.2 core schema, minus every text that a YAML 1.1 reader takes for something else.
"""

from __future__ import annotations

import re
from functools import lru_cache

Scalar = str | int | float | bool | None

MAX_WHOLE = 2**53 - 1
"""The largest whole number that JSON readers keep exactly."""

_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_SWITCHES = frozenset({"on", "off", "yes", "no", "y", "n"})
_FIRST = frozenset("0123456789+-.")
_LONGEST_SWITCH = 3

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?((0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)")
_LONG = 64
_DIGITS = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?")
_TOO_MANY_DIGITS = "has more digits than readers keep of a number"
# Everything that some reader takes for a number, and what is said about it.
_AMBIGUOUS = tuple(
    (re.compile(pattern), why)
    for pattern, why in (
        (r"[-+]?0[0-9]+", "is octal to some readers and decimal to others"),
        (r"[-+]?0[oO][0-7_]+", "is octal to some readers and text to others"),
        (r"[-+]?0[xX][0-9a-fA-F_]+", "is a hexadecimal number"),
        (r"[-+]?0[bB][01_]+", "is binary to some readers and text to others"),
        (
            r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?",
            "is a number of base 60 to some readers and text to others",
        ),
        (
            r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+",
            "is a number to some readers and text to others",
        ),
        (r"[-+]?0[0-9]+\.[0-9]*", "is a number that loses its leading zero"),
        (
            r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)",
            "is a number to some readers and text to others",
        ),
        (r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "is no number that JSON can hold"),
    )
)


def resolve(text: str) -> tuple[Scalar, str]:
    """The value of a plain scalar, and why it is refused; empty when it is fine.

    A refused scalar keeps its text as the value.
    """
    if text[:1] in _FIRST:
        if len(text) <= _LONG:
            return _number(text)
        return text, _TOO_MANY_DIGITS if _DIGITS.fullmatch(text) else ""
    if text in _WORDS:
        return _WORDS[text], ""
    if len(text) <= _LONGEST_SWITCH and text.lower() in _SWITCHES:
        return text, "is a boolean to some readers and text to others"
    return text, ""


def alternative(text: str) -> str:
    """What to write instead of a refused scalar when no text is meant."""
    if text.lower() in _SWITCHES:
        return ", or write true or false"
    if re.search(r"[_a-z]", text, re.IGNORECASE) and not text.lower().endswith(("inf", "nan")):
        return ", or write the number in plain digits"
    return ""


@lru_cache(maxsize=8192)
def _number(text: str) -> tuple[Scalar, str]:
    if _WHOLE.fullmatch(text):
        if abs(int(text)) > MAX_WHOLE:
            return text, _TOO_MANY_DIGITS
        return int(text), ""
    if _DECIMAL.fullmatch(text):
        return _decimal(text)
    for pattern, why in _AMBIGUOUS:
        if pattern.fullmatch(text):
            return text, why
    return text, ""


def _decimal(text: str) -> tuple[Scalar, str]:
    """Trailing zeros are harmless (`0.30` USD); digits that a float drops are not."""
    if len(text) <= 16:  # 15 digits survive every float
        return float(text), ""
    from decimal import Decimal

    value = float(text)
    return (value, "") if Decimal(repr(value)) == Decimal(text) else (text, _TOO_MANY_DIGITS)
