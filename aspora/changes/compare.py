"""Which fields of an object differ: list items by what identifies them, JSON in strings as JSON."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from aspora.changes.merge_keys import Names, Rule, rule
from aspora.changes.model import FieldChange

_PLAIN = re.compile(r"[A-Za-z_$][\w$-]*\Z", re.ASCII)
_MISSING: Final = object()
_DEFAULTS: Mapping[str, Any] = {"protocol": "TCP"}
"""Of merge keys that a manifest may leave out, as the API server fills them in."""
_GUESSED = ("name", "key", "id", "team_id", "key_alias", "host", "alert", "record", "query", "type")
"""Fields by which items of a list without known merge keys are told apart where they can be.
Their order still counts."""


def compare(group: str, kind: str, before: Any, after: Any) -> tuple[FieldChange, ...]:
    """The fields of two versions of an object that differ; none when items only moved."""
    return tuple(_Comparison(group, kind).values(before, after, "", ()))


class _Comparison:
    """Of two versions of one object; below an embedded text the kind's rules end."""

    def __init__(self, group: str, kind: str) -> None:
        self._group = group
        self._kind = kind

    def values(self, before: Any, after: Any, path: str, names: Names) -> Iterator[FieldChange]:
        """Of any two values; `names` is the path without the items of lists."""
        if _identical(before, after):
            return
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from self._maps(before, after, path, names)
        elif _is_list(before) and _is_list(after):
            yield from self._lists(before, after, path, names)
        elif not _same(before, after):
            yield from self._leaves(before, after, path)

    def _maps(
        self, before: Mapping[str, Any], after: Mapping[str, Any], path: str, names: Names
    ) -> Iterator[FieldChange]:
        for key in dict.fromkeys((*before, *after)):
            one, other = before.get(key, _MISSING), after.get(key, _MISSING)
            yield from self.values(one, other, _below(path, key), (*names, key))

    def _leaves(self, before: Any, after: Any, path: str) -> Iterator[FieldChange]:
        one, other = _embedded(before), _embedded(after)
        if one is None or other is None or type(one) is not type(other):
            yield FieldChange(path, _value(before), _value(after))
            return
        found = tuple(_Comparison("", "").values(one, other, f"{path}:", ()))
        # The same content written in another way is a change of the text still.
        yield from found or (FieldChange(path, before, after),)

    def _lists(
        self, before: Sequence[Any], after: Sequence[Any], path: str, names: Names
    ) -> Iterator[FieldChange]:
        found = rule(self._group, self._kind, names)
        if found.keys == ("name",) and names[-1:] == ("env",) and _refers(after):
            found = Rule(found.keys, ordered=True)
        keys = found.keys or _guess(before, after)
        if keys and _unique(before, keys) and _unique(after, keys):
            yield from self._keyed(before, after, path, names, keys)
            ordered, one, other = found.ordered, _names(before, keys), _names(after, keys)
        else:
            yield from self._unkeyed(before, after, path, names)
            ordered, one, other = found.ordered, list(before), list(after)
        if ordered and _moved(one, other):
            yield FieldChange(f"{path}[order]", one, other)

    def _keyed(
        self,
        before: Sequence[Any],
        after: Sequence[Any],
        path: str,
        names: Names,
        keys: Names,
    ) -> Iterator[FieldChange]:
        old = {_identity(item, keys): item for item in before}
        new = {_identity(item, keys): item for item in after}
        for identity in dict.fromkeys((*old, *new)):
            place = f"{path}[{_shown(keys, identity)}]"
            yield from self.values(
                old.get(identity, _MISSING), new.get(identity, _MISSING), place, names
            )

    def _unkeyed(
        self, before: Sequence[Any], after: Sequence[Any], path: str, names: Names
    ) -> Iterator[FieldChange]:
        gone, come = _left(before, after), _left(after, before)
        if [index for index, _ in gone] == [index for index, _ in come]:
            for (index, old), (_, new) in zip(gone, come, strict=True):
                yield from self.values(old, new, f"{path}[{index}]", names)
            return
        for index, item in gone:
            yield FieldChange(f"{path}[{_place(index, item)}]", item, None)
        for index, item in come:
            yield FieldChange(f"{path}[{_place(index, item)}]", None, item)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _same(before: Any, after: Any) -> bool:
    """As JSON has it: `true` is not 1."""
    return bool(before == after) and isinstance(before, bool) == isinstance(after, bool)


def _identical(before: Any, after: Any) -> bool:
    """Whether two values are the same to the byte: quick, and true of most of what is compared."""
    if before is _MISSING or after is _MISSING or before != after:
        return False
    return orjson.dumps(before) == orjson.dumps(after)


def _value(value: Any) -> Any:
    return None if value is _MISSING else value


def _below(path: str, key: str) -> str:
    name = key if _PLAIN.match(key) else f'["{key}"]'
    if not path or path.endswith(":") or name.startswith("["):
        return path + name
    return f"{path}.{name}"


def _embedded(value: Any) -> Any:
    """The mapping or list that a string holds as JSON (every ConfigMap of ours does), or None."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def _refers(items: Sequence[Any]) -> bool:
    """Whether a variable is made from one before it: then their order means something."""
    return any("$(" in str(item.get("value", "")) for item in items if isinstance(item, Mapping))


def _guess(before: Sequence[Any], after: Sequence[Any]) -> Names:
    """A field that every item of both has, and no two of one list share."""
    if not before or not after:
        return ()
    for name in _GUESSED:
        if _unique(before, (name,), strict=True) and _unique(after, (name,), strict=True):
            return (name,)
    return ()


def _unique(items: Sequence[Any], keys: Names, *, strict: bool = False) -> bool:
    """Whether the keys tell all items apart; `strict`: each has them as texts or numbers."""
    if not all(isinstance(item, Mapping) for item in items):
        return False
    if strict and not all(isinstance(item.get(key), str | int) for item in items for key in keys):
        return False
    return len({_identity(item, keys) for item in items}) == len(items)


def _identity(item: Mapping[str, Any], keys: Names) -> Hashable:
    return tuple(str(item.get(key, _DEFAULTS.get(key, ""))) for key in keys)


def _names(items: Sequence[Any], keys: Names) -> list[str]:
    return [",".join(str(item.get(key, _DEFAULTS.get(key, ""))) for key in keys) for item in items]


def _shown(keys: Names, identity: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in zip(keys, identity, strict=True))


def _place(index: int, item: Any) -> str:
    """A scalar is its own name."""
    return f"={item}" if isinstance(item, str | int | float) else str(index)


def _left(items: Sequence[Any], others: Sequence[Any]) -> list[tuple[int, Any]]:
    """Items of the first list, with their places, that the second has not (or not as often)."""
    rest: dict[bytes, int] = {}
    for item in others:
        rest[_text(item)] = rest.get(_text(item), 0) + 1
    left = []
    for index, item in enumerate(items):
        text = _text(item)
        if rest.get(text, 0):
            rest[text] -= 1
        else:
            left.append((index, item))
    return left


def _text(item: Any) -> bytes:
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def _moved(before: list[Any], after: list[Any]) -> bool:
    """Whether what both lists hold stands in another order."""
    old, new = [_text(item) for item in before], [_text(item) for item in after]
    both = set(old) & set(new)
    return [item for item in old if item in both] != [item for item in new if item in both]
