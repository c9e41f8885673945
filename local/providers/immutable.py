"""Which changes need a new object, by the platform's own table of fixed fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aspora.changes.fixed import fixed_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.providers.values import Change, Path

__all__ = ["fixed_fields", "replacing"]


def replacing(old: Mapping[str, Any], found: tuple[Change, ...]) -> tuple[Change, ...]:
    """Those changes of `old` that need a new object."""
    fixed = [entry.path for entry in fixed_fields(old)]
    return tuple(change for change in found if any(_touches(change.path, path) for path in fixed))


def _touches(path: Path, fixed: Path) -> bool:
    """Whether one path lies in the other (a whole `spec` that goes takes its selector along)."""
    shared = min(len(path), len(fixed))
    return path[:shared] == fixed[:shared]
