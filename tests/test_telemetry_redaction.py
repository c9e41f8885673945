"""What is masked before telemetry leaves the collector, and what is left alone."""

from __future__ import annotations

import json
import re

import pytest

from aspora.telemetry import attributes, redaction

SAMPLES: dict[str, tuple[str, ...]] = {
    "jwt": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",),
    "api-key": ("sk-or-v1-0123456789abcdef0123", "pk-lf-0123456789abcdef", "AKIAIOSFODNN7EXAMPLE"),
    "bearer": ("Bearer abcdef0123456789", "basic dXNlcjpwYXNzd29yZA=="),
    "email": ("jane.doe+tickets@mail.example.co.uk", "a@b.io"),
    "iban": (
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "AE070331234567890123456",
        "GB29 NWBK 6016 1331 9268 19",
        "NO9386011117947",
    ),
    "card": (
        "4111111111111111",
        "5500 0000 0000 0004",
        "6011-0009-9013-9424",
        "378282246310005",
        "3782 822463 10005",
    ),
    "ssn": ("078-05-1120",),
    "aadhaar": ("2345 6789 0123",),
    "pan": ("ABCPE1234F",),
    "nino": ("AB123456C", "AB 12 34 56 C"),
    "phone": (
        "+971 50 123 4567",
        "+44 20 7946 0958",
        "+1-202-555-0143",
        "+49 (0) 30 901820",
        "+919876543210",
    ),
    "phone-nanp": ("202-555-0143", "(202) 555-0143", "202.555.0143"),
}
HARMLESS = (
    "claude-haiku-4-5-20251001",
    "550e8400-e29b-41d4-a716-446655440000",
    "1793658600000000000",
    "1793658600000",
    "2026-11-02T22:30:00.123456Z",
    "0af7651916cd43dd8448eb211c80319c",
    "10.42.7.19:8443",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "0.001665",
    "ecm/field/my-tickets",
    "ecm-field-my-tickets-6c45f8d6f6-x2x9p",
    "1.2.0",
    "Ticket 7 has waited for 120 minutes.",
    "risk-assessment-of-transfers",
)


def masked(text: str) -> str:
    for pattern in redaction.PATTERNS:
        text = re.sub(pattern.regex, redaction.MASK, text, flags=re.ASCII)
    return text


def test_every_pattern_has_samples() -> None:
    assert list(SAMPLES) == [pattern.name for pattern in redaction.PATTERNS]


@pytest.mark.parametrize(
    ("name", "sample"), [(name, each) for name, samples in SAMPLES.items() for each in samples]
)
def test_a_pattern_finds_its_samples_whole(name: str, sample: str) -> None:
    pattern = next(each for each in redaction.PATTERNS if each.name == name)
    assert re.sub(pattern.regex, "", sample, flags=re.ASCII) == ""
    assert redaction.MASK in masked(f"see {sample}, please")
    assert masked(json.dumps([{"content": f"it is {sample}, yes"}])) == masked(
        json.dumps([{"content": f"it is {sample}, yes"}]).replace(sample, redaction.MASK)
    )


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_personal_data_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize("pattern", redaction.PATTERNS, ids=lambda each: each.name)
def test_patterns_are_of_the_kind_that_the_collector_reads(pattern: redaction.Pattern) -> None:
    assert not re.search(r"\(\?[=!<P]|\\[1-9]|\$", pattern.regex)


def test_the_processor_looks_for_all_of_them_everywhere() -> None:
    processor = redaction.processor()
    assert processor["blocked_values"] == [pattern.regex for pattern in redaction.PATTERNS]
    assert processor["redact_all_types"] is True
    assert processor["allow_all_keys"] is True
    # Only what is a number by its type is not looked at, and text there is thrown away first.
    assert processor["ignored_keys"] == [
        each.name for each in attributes.ATTRIBUTES if each.type in ("int", "double")
    ]
    assert redaction.numbers_processor() == {
        "error_mode": "propagate",
        "trace_statements": [
            f'delete_key(span.attributes, "{key}") where IsString(span.attributes["{key}"])'
            for key in processor["ignored_keys"]
        ],
    }
    rest = redaction.rest_processor()
    assert rest["error_mode"] == "propagate"
    for pattern in redaction.PATTERNS:
        for field in ("span.name", "span.status.message"):
            statement = f'replace_pattern({field}, {json.dumps(pattern.regex)}, "****")'
            assert statement in rest["trace_statements"]


@pytest.mark.parametrize(
    "key",
    [
        *("db.password", "http.request.header.authorization", "x-api-key", "APIKEY"),
        *("set-cookie", "access_token", "user.session_token", "client_secret"),
    ],
)
def test_attributes_named_like_secrets_are_masked_whole(key: str) -> None:
    assert any(re.search(regex.replace(r"\z", r"\Z"), key) for regex in redaction.SECRET_KEYS)


def test_no_attribute_of_ours_is_named_like_a_secret() -> None:
    for attribute in attributes.ATTRIBUTES:
        for regex in redaction.SECRET_KEYS:
            assert not re.search(regex.replace(r"\z", r"\Z"), attribute.name)
