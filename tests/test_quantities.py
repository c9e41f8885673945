"""Kubernetes quantities: what it accepts, to the byte, and what is refused with which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aspora.quantities import format_cpu, format_memory, parse_cpu, parse_memory


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("500m", 500),
        ("2", 2000),
        ("+2", 2000),
        ("0.5", 500),
        ("1.5", 1500),
        (".5", 500),
        ("2.", 2000),
        ("1.50", 1500),
        ("1k", 1_000_000),
        ("1e3", 1_000_000),
        ("1E-3", 1),
        ("1e+1", 10_000),
        ("500000u", 500),
        ("1000000n", 1),
        ("0.001", 1),
    ],
)
def test_cpu(text: str, millis: int) -> None:
    assert parse_cpu(text) == millis


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1", 1),
        ("128974848", 128974848),
        ("1k", 1000),
        ("129M", 129_000_000),
        ("1G", 10**9),
        ("1T", 10**12),
        ("1P", 10**15),
        ("1E", 10**18),
        ("1Ki", 1024),
        ("512Mi", 512 * 1024**2),
        ("1.5Gi", 1536 * 1024**2),
        ("1Ti", 1024**4),
        ("1Pi", 1024**5),
        ("7Ei", 7 * 1024**6),
        ("129e6", 129_000_000),
        ("0.1Gi", 107_374_183),  # rounded up, as Kubernetes' Quantity.Value does
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_memory(text: str, count: int) -> None:
    assert parse_memory(text) == count


CPU = "for example 500m or 2"
MEMORY = "for example 512Mi or 2Gi"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5oom", f'"5oom" is no CPU quantity; {CPU}'),
        ("", f'"" is no CPU quantity; {CPU}'),
        (" 2", f'" 2" is no CPU quantity; {CPU}'),
        ("2\n", f'"2\n" is no CPU quantity; {CPU}'),
        ("٢", f'"٢" is no CPU quantity; {CPU}'),
        ("nan", f'"nan" is no CPU quantity; {CPU}'),
        ("inf", f'"inf" is no CPU quantity; {CPU}'),
        ("1e", f'"1e" is no CPU quantity; {CPU}'),
        ("1_0", f'"1_0" is no CPU quantity; {CPU}'),
        (".", f'"." is no CPU quantity; {CPU}'),
        ("2K", f'"2K" is no CPU quantity; {CPU}'),
        ("1e99999999", f'"1e99999999" is no CPU quantity; {CPU}'),
        ("9" * 41, f'"{"9" * 40}..." is no CPU quantity; {CPU}'),
        ("-1", f'"-1" is negative; {CPU}'),
        ("0", f'"0" is zero; {CPU}'),
        ("0.0005", '"0.0005" is finer than the smallest CPU quantity, 1m'),
        ("1e999", f'"1e999" is more than Kubernetes can hold; {CPU}'),
        ("10P", f'"10P" is more than Kubernetes can hold; {CPU}'),
    ],
)
def test_refused_cpu(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        parse_cpu(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("512MB", f'"512MB" is no amount of memory or storage; {MEMORY}'),
        ("2gi", f'"2gi" is no amount of memory or storage; {MEMORY}'),
        ("400m", '"400m" is counted in parts of a byte; did you mean 400Mi?'),
        ("4000u", f'"4000u" is counted in parts of a byte; {MEMORY}'),
        ("-1Gi", f'"-1Gi" is negative; {MEMORY}'),
        ("0", f'"0" is zero; {MEMORY}'),
        ("8Ei", f'"8Ei" is more than Kubernetes can hold; {MEMORY}'),
    ],
)
def test_refused_memory(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        parse_memory(text)
    assert str(error.value) == message


def test_zero_where_the_caller_allows_it() -> None:
    assert parse_cpu("0", allow_zero=True) == 0
    assert parse_memory("0Gi", allow_zero=True) == 0


@pytest.mark.parametrize(
    ("millis", "text"), [(1500, "1500m"), (2000, "2"), (0, "0"), (1, "1m"), (-500, "-500m")]
)
def test_format_cpu(millis: int, text: str) -> None:
    assert format_cpu(millis) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1536 * 1024**2, "1536Mi"),
        (1024, "1Ki"),
        (1000, "1000"),
        (0, "0"),
        (7 * 1024**6, "7Ei"),
        (-(1024**3), "-1Gi"),
    ],
)
def test_format_memory(count: int, text: str) -> None:
    assert format_memory(count) == text


@given(st.integers(1, 2**63 - 1))
def test_what_is_formatted_parses_to_the_same(value: int) -> None:
    assert parse_memory(format_memory(value)) == value
    assert parse_cpu(format_cpu(value)) == value


@given(st.one_of(st.text(), st.text(alphabet="0123456789.eE+-numkMGTPi ")))
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    for parse in (parse_cpu, parse_memory):
        try:
            value = parse(text)
        except ValueError as error:
            message = str(error)
            assert message.startswith(f'"{text[:40]}')
        else:
            assert 0 < value < 2**63
