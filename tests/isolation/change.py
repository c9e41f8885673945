"""One change of an object: what it is called, and what does it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

Any_ = dict[str, Any]
Change = tuple[str, Callable[[Any_], object]]


def put(value: Any, *path: Any) -> Callable[[Any_], None]:
    """Set what stands at a path."""

    def change(obj: Any_) -> None:
        at(obj, *path[:-1])[path[-1]] = deepcopy(value)

    return change


def drop(*path: Any) -> Callable[[Any_], None]:
    """Leave out what stands at a path."""

    def change(obj: Any_) -> None:
        del at(obj, *path[:-1])[path[-1]]

    return change


def more(value: Any, *path: Any) -> Callable[[Any_], None]:
    """Add to the list at a path."""

    def change(obj: Any_) -> None:
        at(obj, *path[:-1]).setdefault(path[-1], []).append(deepcopy(value))

    return change


def at(obj: Any, *path: Any) -> Any:
    for step in path:
        obj = obj[step]
    return obj
