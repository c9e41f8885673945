"""Personal data that leaves no collector: what is looked for, and how it is masked.

Patterns see text alone: they find what has a form (an IBAN, a card number) and never a name or a
street. So agents still send IDs for people, and content stays where access is limited.

The expressions are read by Go's regexp (RE2: no look-around, no back references) and, in tests,
by Python's. None holds a `$`, which the collector would read as a variable.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aspora.telemetry.attributes import ATTRIBUTES

MASK = "****"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One form of personal data or of a secret."""

    name: str
    regex: str
    says: str


PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "jwt",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        "JSON web tokens (RFC 7519), which open doors until they expire.",
    ),
    Pattern(
        "api-key",
        r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b",
        "Keys of model providers, of Langfuse, and AWS access key IDs.",
    ),
    Pattern(
        "bearer",
        r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{12,}",
        "Credentials of an Authorization header.",
    ),
    Pattern(
        "email",
        r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b",
        "E-mail addresses.",
    ),
    Pattern(
        "iban",
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
        "IBANs (ISO 13616), together or in groups of four. The check digits are not verified.",
    ),
    Pattern(
        "card",
        r"\b(?:[2-6]\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}|3\d{3}[ -]?\d{6}[ -]?\d{5})\b",
        "Card numbers of 13 to 19 digits. A first digit of 2 to 6 leaves times since 1970 alone.",
    ),
    Pattern("ssn", r"\b\d{3}-\d{2}-\d{4}\b", "US social security numbers."),
    Pattern("aadhaar", r"\b[2-9]\d{3} \d{4} \d{4}\b", "Indian Aadhaar numbers, in groups."),
    Pattern("pan", r"\b[A-Z]{5}\d{4}[A-Z]\b", "Indian tax numbers (PAN)."),
    Pattern(
        "nino",
        r"\b[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b",
        "British national insurance numbers.",
    ),
    Pattern(
        "phone",
        r"\+[1-9]\d{0,2}[ ./-]?(?:\(0?\d{0,4}\)[ ./-]?)?\d{1,5}(?:[ ./-]?\d{2,5}){1,4}\b",
        "Telephone numbers that begin with + and the country's code.",
    ),
    Pattern(
        "phone-nanp",
        r"(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4}\b",
        "North American telephone numbers without it.",
    ),
)

SECRET_KEYS = (
    r"(?i)(?:^|[._-])(?:password|passwd|secret|authorization|cookie|set-cookie)\z",
    r"(?i)(?:^|[._-])(?:api[._-]?key|access[._-]?token|refresh[._-]?token|session[._-]?token)\z",
)
"""Attributes whose whole value is masked, by their names. Counts of tokens are none of them."""

NUMBERS = tuple(each.name for each in ATTRIBUTES if each.type in ("int", "double"))
"""Attributes that are not looked at: 0.4123456789012 is a cost, and reads like a card's number."""

Object = dict[str, Any]


def numbers_processor() -> Object:
    """The `transform` processor that throws away text where a number belongs: what is not looked
    at afterwards holds no text."""
    return {
        "error_mode": "propagate",
        "trace_statements": [
            f"delete_key(span.attributes, {json.dumps(name)}) "
            f"where IsString(span.attributes[{json.dumps(name)}])"
            for name in NUMBERS
        ],
    }


def processor() -> Object:
    """The `redaction` processor: attributes of resources, scopes, spans, events and logs, and the
    bodies of logs. Values that are no text are looked at as text: messages may be structured."""
    return {
        "allow_all_keys": True,
        "redact_all_types": True,
        "ignored_keys": list(NUMBERS),
        "blocked_values": [pattern.regex for pattern in PATTERNS],
        "blocked_key_patterns": list(SECRET_KEYS),
        # How many values were masked, and not which: a list of keys tells where to look.
        "summary": "info",
    }


def rest_processor() -> Object:
    """The `transform` processor for what `redaction` does not look at: names of spans and the
    message of their status, where exceptions put their text."""
    return {
        # A span that cannot be masked is not passed on.
        "error_mode": "propagate",
        "trace_statements": [
            f"replace_pattern(span.{field}, {json.dumps(pattern.regex)}, {json.dumps(MASK)})"
            for pattern in PATTERNS
            for field in ("name", "status.message")
        ],
    }
