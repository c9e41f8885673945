"""Values between protobuf and Python, and what changed between two of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf import struct_pb2
from pulumi.runtime.rpc import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "UNKNOWN",
    "Change",
    "Path",
    "changes",
    "format_path",
    "holds_unknown",
    "to_python",
    "to_struct",
]

Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$-]*\Z")
_MISSING = object()


class Change(NamedTuple):
    """One property that differs: op is add, delete or update."""

    path: Path
    op: str


def to_python(struct: Any) -> dict[str, Any]:
    """A protobuf Struct as a dict; whole numbers become int, for protobuf knows floats only."""
    return {key: _value(value) for key, value in struct.fields.items()}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "struct_value":
        return to_python(value.struct_value)
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return value.bool_value if kind == "bool_value" else None


def to_struct(data: Mapping[str, Any]) -> struct_pb2.Struct:
    """A dict as a protobuf Struct."""
    struct = struct_pb2.Struct()
    struct.update(dict(data))
    return struct


def holds_unknown(value: Any) -> bool:
    """Whether a preview does not know some part of this value yet."""
    if isinstance(value, dict):
        return any(holds_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_unknown(item) for item in value)
    return bool(value == UNKNOWN)


def changes(old: Any, new: Any, path: Path = ()) -> Iterator[Change]:
    """The smallest properties that differ, lists compared item by item in their order."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from changes(old.get(key, _MISSING), new.get(key, _MISSING), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else _MISSING
            after = new[index] if index < len(new) else _MISSING
            yield from changes(before, after, (*path, index))
    elif old is _MISSING:
        yield Change(path, "add")
    elif new is _MISSING:
        yield Change(path, "delete")
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield Change(path, "update")


def format_path(path: Path) -> str:
    """A path as Pulumi writes it: spec.containers[0].image, metadata.labels["a.io/b"]."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.match(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text
