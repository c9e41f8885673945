"""Pydantic's error types in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aspora.problems import found, nearest, printable, quoted, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Context = Mapping[str, Any]

_EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing",
}

_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}


def code_and_words(detail: ErrorDetails, source: str) -> tuple[str, str, str]:
    """The code, message and hint of an error other than an unknown or a missing key.

    `source` is the plain scalar as written, or empty: `1.20` where pydantic was given 1.2.
    """
    kind, value = detail["type"], detail.get("input")
    context: Context = detail.get("ctx", {})
    if kind in _EXPECTED:
        message = f"expected {_EXPECTED[kind]}, found {found(value)}"
        hint = _shape_hint(kind, value) or _quote_hint(kind, message, value, source)
        return "ASP203", message, hint
    if kind in _WORDS:
        return "ASP204", *_WORDS[kind](context, value)
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return "ASP204", f"{found(value)} is not {words} {context.get(key)}", ""
    message = printable(re.sub(r"^(Value|Assertion) error, ", "", detail["msg"]))
    if kind in {"value_error", "assertion_error"}:
        return "ASP204", message, _quote_hint(kind, message, value, source)
    return "ASP204", f"{message}, found {found(value)}", ""


def _quote_hint(kind: str, message: str, value: object, source: str) -> str:
    """Quotes are the way out for text that reads as a number, if that is what happened."""
    if not source or isinstance(value, str):
        return ""
    if kind == "string_type":
        return f"quote it: {quoted(source)}"
    wants_number = re.search("number|amount|quantity", message.partition(", found")[0])
    if isinstance(value, float) and source != str(value) and not wants_number:
        return f"without quotes {source} is the number {value}; if text is meant: {quoted(source)}"
    return ""


def _shape_hint(kind: str, value: object) -> str:
    """The way out where something else stands in place of a list or a mapping."""
    if isinstance(value, dict) and _EXPECTED[kind] == "a list":
        return 'begin each item with "- "'
    if not isinstance(value, str):
        return ""
    if _EXPECTED[kind] == "a list":
        return f"a list of one is written [{printable(shown(value))}]"
    if _EXPECTED[kind] == "a mapping" and re.match(r"\w+:\S", value):
        return "a blank is missing after the colon"
    return ""


def _literal(context: Context, value: object) -> tuple[str, str]:
    expected = str(context.get("expected", ""))
    choices = re.findall(r"'([^']*)'", expected)
    words = re.sub(r"'([^']*)'", r'"\1"', expected)
    near = nearest(value, choices) if isinstance(value, str) else None
    suffix = f"; did you mean {quoted(near)}?" if near else ""
    return f"expected {words}, found {found(value)}{suffix}", ""


def _length(context: Context, word: str, key: str) -> str:
    items = "character" if "actual_length" not in context else "item"
    count = context.get(key)
    plural = "" if count == 1 else "s"
    actual = f", found {context['actual_length']}" if "actual_length" in context else ""
    return f"expected {word} {count} {items}{plural}{actual}"


def _too_short(context: Context, _: object) -> tuple[str, str]:
    return _length(context, "at least", "min_length"), ""


def _too_long(context: Context, _: object) -> tuple[str, str]:
    return _length(context, "at most", "max_length"), ""


def _pattern(context: Context, value: object) -> tuple[str, str]:
    return f"{found(value)} does not match the pattern {context.get('pattern')}", ""


_WORDS: Mapping[str, Callable[[Context, object], tuple[str, str]]] = {
    "literal_error": _literal,
    "enum": _literal,
    "too_short": _too_short,
    "too_long": _too_long,
    "string_too_short": _too_short,
    "string_too_long": _too_long,
    "string_pattern_mismatch": _pattern,
}
