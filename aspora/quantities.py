"""Kubernetes resource quantities: CPU as whole millicores, memory and storage as whole bytes.

The grammar is that of `k8s.io/apimachinery`: a decimal number with an optional suffix (m, k, M,
G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei) or exponent (1e3). Every error is a ValueError whose text
shows a valid value.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

MAX_VALUE = 2**63 - 1
"""Kubernetes keeps quantities in 64 bits."""

MAX_TEXT = 40
"""Characters; no sensible quantity is longer."""

_QUANTITY = re.compile(
    r"([+-]?)(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d{1,3})?", re.ASCII
)
_POWERS = {
    suffix: Fraction(10) ** power
    for suffix, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
}
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_POWERS |= {suffix: Fraction(1024 ** (i + 1)) for i, suffix in enumerate(_BINARY)}
_MILLI_SUFFIXES = ("n", "u", "m")


@lru_cache(maxsize=4096)
def parse_cpu(text: str, *, allow_zero: bool = False) -> int:
    """CPU cores as whole millicores: `500m` is 500, `1.5` is 1500."""
    amount, _ = _parse(text, "CPU quantity", "500m or 2")
    millis = amount * 1000
    if millis.denominator != 1:
        raise ValueError(f'"{text}" is finer than the smallest CPU quantity, 1m')
    return _checked(text, int(millis), "500m or 2", allow_zero=allow_zero)


@lru_cache(maxsize=4096)
def parse_memory(text: str, *, allow_zero: bool = False) -> int:
    """Memory or storage as whole bytes: `512Mi` is 536870912.

    Parts of a byte (`0.1Gi`) are rounded up, as Kubernetes does. The suffix m is refused: a
    thousandth of a byte is never meant.
    """
    amount, suffix = _parse(text, "amount of memory or storage", "512Mi or 2Gi")
    if suffix in _MILLI_SUFFIXES:
        meant = f"; did you mean {text[:-1]}Mi?" if suffix == "m" else "; for example 512Mi or 2Gi"
        raise ValueError(f'"{text}" is counted in parts of a byte{meant}')
    whole = -(-amount.numerator // amount.denominator)
    return _checked(text, whole, "512Mi or 2Gi", allow_zero=allow_zero)


def format_cpu(millis: int) -> str:
    """Millicores in Kubernetes' canonical form: 1500 is `1500m`, 2000 is `2`."""
    return f"{millis}m" if millis % 1000 else str(millis // 1000)


def format_memory(count: int) -> str:
    """Bytes with the largest binary suffix that loses nothing: 1610612736 is `1536Mi`."""
    suffix = ""
    for larger in _BINARY:
        if count == 0 or count % 1024:
            break
        count, suffix = count // 1024, larger
    return f"{count}{suffix}"


def _parse(text: str, what: str, example: str) -> tuple[Fraction, str]:
    match = _QUANTITY.fullmatch(text) if len(text) <= MAX_TEXT else None
    if match is None:
        cut = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."
        raise ValueError(f'"{cut}" is no {what}; for example {example}')
    sign, number, suffix = match.groups(default="")
    if sign == "-":
        raise ValueError(f'"{text}" is negative; for example {example}')
    if not suffix or suffix in _POWERS:
        return Fraction(number) * _POWERS.get(suffix, 1), suffix
    return Fraction(number) * Fraction(10) ** int(suffix[1:]), suffix


def _checked(text: str, value: int, example: str, *, allow_zero: bool) -> int:
    if value == 0 and not allow_zero:
        raise ValueError(f'"{text}" is zero; for example {example}')
    if value > MAX_VALUE:
        raise ValueError(f'"{text}" is more than Kubernetes can hold; for example {example}')
    return value
