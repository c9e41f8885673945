"""The AWS types that the stand-in plays, and what of them moto cannot.

To add one, write an `AwsType` into the module of its kind and put it into that module's KINDS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.providers.aws_types import (
    caches,
    cluster,
    data,
    identity,
    names_and_money,
    network,
    servers,
    storage,
    watch,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.providers.aws_entry import AwsType, Lack

TYPES: Mapping[str, AwsType] = {
    kind.token: kind
    for group in (
        network,
        servers,
        identity,
        storage,
        cluster,
        caches,
        data,
        watch,
        names_and_money,
    )
    for kind in group.KINDS
}


def kept() -> dict[str, str]:
    """Types that live in the engine's state alone, each with the call that moto lacks."""
    return {
        token: _words(kind, kind.lacks)
        for token, kind in sorted(TYPES.items())
        if kind.lacks is not None
    }


def kept_properties() -> dict[str, str]:
    """`token.property` of what moto does not play of the types it plays, or plays in part."""
    return {
        f"{token}.{name}": _words(kind, lack)
        for token, kind in sorted(TYPES.items())
        for name, lack in sorted({**kind.kept, **kind.gaps}.items())
    }


def _words(kind: AwsType, lack: Lack) -> str:
    return lack.reason or f"moto has no {kind.service} {lack.call}"
