"""Between Pulumi's properties and boto3's parameters, by the shapes of botocore's own models.

Names are matched without case and punctuation, singular or plural: `vpcConfig.subnetIds` finds
`SubnetIds`, `encryptionConfigurations` finds `encryptionConfiguration`. A block that the SDK writes
as a dict may be a list of one in the API, and the other way round; tags become whatever the shape
wants. Nothing is dropped: `unknown_names` answers what no member of the shape takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from local.providers.values import UNKNOWN

Values = dict[str, Any]
Names = Mapping[str, str]

_PAIRS = ({"key", "value"}, {"tagkey", "tagvalue"})
_NO_NAMES: Names = {}
MISSING = object()


def find_member(shape: Any, name: str) -> str | None:
    """The member of a structure that a property means, or None."""
    exact, loose = _members(shape)
    plain = _plain(name)
    return exact.get(plain) or next((loose[form] for form in _forms(plain) if form in loose), None)


def unknown_names(shape: Any, value: Any, names: Names = _NO_NAMES, path: str = "") -> list[str]:
    """Dotted names of the properties in `value` that `shape` has no member for."""
    if value is None or value == UNKNOWN or is_pairs(shape, value):
        return []
    if isinstance(value, list):
        item = shape.member if shape.type_name == "list" else shape
        found = [name for one in value for name in unknown_names(item, one, names, path)]
        return list(dict.fromkeys(found))
    if shape.type_name == "list":
        return unknown_names(shape.member, value, names, path)
    if not isinstance(value, dict) or not _has_members(shape):
        return []
    found = []
    for key, inner in value.items():
        here = f"{path}.{key}" if path else key
        member = find_member(shape, names.get(here, key))
        found += unknown_names(_inner(shape, member), inner, names, here) if member else [here]
    return found


def to_parameter(shape: Any, value: Any, names: Names = _NO_NAMES, path: str = "") -> Any:
    """A property's value as boto3 takes it; what is null is left out."""
    if value == UNKNOWN:
        return value
    if shape.type_name == "list":
        return _to_list(shape, value, names, path)
    if _has_members(shape):
        return _to_structure(shape, value, names, path)
    if shape.type_name == "map":
        return {key: to_parameter(shape.value, one) for key, one in value.items()}
    return _to_scalar(shape.type_name, value)


def _to_list(shape: Any, value: Any, names: Names, path: str) -> list[Any]:
    if is_pairs(shape, value):
        return to_pairs(shape, value)
    items = value if isinstance(value, list) else [value]
    return [to_parameter(shape.member, item, names, path) for item in items]


def _to_structure(shape: Any, value: Any, names: Names, path: str) -> Values:
    """A dict by its members; a list of one is that one, and a scalar may be the `Value` inside."""
    if isinstance(value, list):
        value = value[0] if value else {}
    if not isinstance(value, dict):
        value = {next(iter(_members(shape)[0])): value}
    made = {}
    for key, inner in value.items():
        here = f"{path}.{key}" if path else key
        member = find_member(shape, names.get(here, key))
        if member and inner is not None:
            made[member] = to_parameter(_inner(shape, member), inner, names, here)
    return made


def _to_scalar(kind: str, value: Any) -> Any:
    if kind in ("string", "blob") and not isinstance(value, str | bytes):
        return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else _text(value)
    if kind == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    if isinstance(value, str) and kind in ("integer", "long", "float", "double"):
        return float(value) if kind in ("float", "double") else int(value)
    return value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_pairs(shape: Any, value: Any) -> bool:
    """Whether a dict of tags meets a list of {Key, Value}."""
    if shape.type_name != "list" or not isinstance(value, dict):
        return False
    return _pair_members(shape) is not None and value.keys() != {"key", "value"}


def to_pairs(shape: Any, tags: Mapping[str, Any]) -> list[Values]:
    """Tags as the shape writes them: [{"Key": …, "Value": …}], or with TagKey and TagValue."""
    key, value = _pair_members(shape) or ("Key", "Value")
    return [{key: name, value: str(tags[name])} for name in sorted(tags)]


def _pair_members(shape: Any) -> tuple[str, str] | None:
    if shape.member.type_name != "structure":
        return None
    by_plain = {_plain(name): name for name in shape.member.members}
    if set(by_plain) not in _PAIRS:
        return None
    key, value = sorted(by_plain)
    return by_plain[key], by_plain[value]


def from_pairs(pairs: Any) -> dict[str, str]:
    """Tags as a dict, whatever the API writes; AWS's own (`aws:…`) are nobody's property."""
    if isinstance(pairs, list):
        pairs = dict(_pair(one) for one in pairs)
    return {key: value for key, value in (pairs or {}).items() if not key.startswith("aws:")}


def _pair(one: Values) -> tuple[str, str]:
    """A key and its value; either may have a name of its own (TagKey)."""
    by_plain = {_plain(name).removeprefix("tag"): value for name, value in one.items()}
    return by_plain["key"], by_plain.get("value", "")


def like(template: Any, live: Any, shape: Any, names: Names = _NO_NAMES, path: str = "") -> Any:
    """A live value in the form that the program wrote it: the same keys, blocks and order.

    What AWS adds beside the keys of `template` is no drift; a key that the answer lacks is left
    out, unless it was empty.
    """
    scalar = not isinstance(template, dict | list)
    if scalar and isinstance(live, dict) and shape.type_name == "structure":
        live = next(iter(live.values()), None)  # {"Value": true}
    if isinstance(template, str) or template is None:
        return _like_text(template, live)
    if isinstance(live, list) and is_pairs(shape, template):
        return from_pairs(live)
    if isinstance(template, dict):
        if isinstance(live, list):
            shape, live = shape.member, live[0] if live else {}
        return _like_dict(template, live, shape, names, path)
    if isinstance(template, list):
        if not isinstance(live, list):
            return [like(template[0], live, shape, names, path)] if template else [live]
        return _like_list(template, live, shape.member, names, path)
    return _like_number(template, live)


def _like_dict(template: Values, live: Any, shape: Any, names: Names, path: str) -> Any:
    if not _has_members(shape):
        return live if isinstance(live, dict) else _parsed(live)
    found = {}
    for key, wanted in template.items():
        here = f"{path}.{key}" if path else key
        member = find_member(shape, names.get(here, key))
        value = (live or {}).get(member) if member else None
        if value is not None:
            found[key] = like(wanted, value, _inner(shape, member), names, here)
        elif not wanted:
            found[key] = wanted
    return found


def _like_list(template: list[Any], live: list[Any], shape: Any, names: Names, path: str) -> Any:
    """In the template's order where the same items are there, for most lists are sets."""
    left = list(live)
    for wanted in template:
        match = next((one for one in left if like(wanted, one, shape, names, path) == wanted), None)
        if match is None:
            first = template[0] if template else None
            patterns = template + [first] * (len(live) - len(template))
            return [
                like(pattern, one, shape, names, path) if pattern is not None else plain(one)
                for pattern, one in zip(patterns, live, strict=False)
            ]
        left.remove(match)
    extra = [like(template[0], one, shape, names, path) if template else plain(one) for one in left]
    return [*template, *extra]


def _like_text(template: str | None, live: Any) -> Any:
    """JSON that says the same is the same text."""
    if isinstance(live, dict | list):
        same = template is not None and _parsed(template) == live
        return template if same else json.dumps(live)
    if isinstance(live, str) and template and template[:1] in "{[":
        return template if _parsed(template) == _parsed(live) else live
    return plain(live) if not isinstance(live, int | float) else _text(live)


def _like_number(template: Any, live: Any) -> Any:
    if isinstance(live, str):
        if isinstance(template, bool):
            return live.lower() in ("true", "enabled")
        return float(live) if "." in live else int(live) if live.lstrip("-").isdigit() else live
    return live


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def plain(live: Any) -> Any:
    """An answer in the SDK's form, for properties that nobody set: camelCase, times as text."""
    if isinstance(live, dict):
        return {camel(key): plain(value) for key, value in live.items()}
    if isinstance(live, list):
        return [plain(item) for item in live]
    return live.isoformat() if hasattr(live, "isoformat") else live


class Collected:
    """The shape of a list that was put together from several places."""

    type_name = "list"

    def __init__(self, member: Any) -> None:
        self.member = member


def pick(shape: Any, value: Any, path: str) -> Iterator[tuple[Any, Any]]:
    """What stands at a dotted path of an answer, each with its shape; lists are walked through."""
    if isinstance(value, list):
        for item in value:
            yield from pick(shape.member, item, path)
        return
    if not path:
        yield shape, value
        return
    head, _, rest = path.partition(".")
    if isinstance(value, dict) and value.get(head) is not None:
        yield from pick(_inner(shape, head), value[head], rest)


def camel(name: str) -> str:
    """VpcId -> vpcId, ARN -> arn, DNSName -> dnsName."""
    head = re.match(r"[A-Z]+(?![a-z])|[A-Z]", name)
    return head[0].lower() + name[head.end() :] if head else name


def _has_members(shape: Any) -> bool:
    """A structure, or a map whose keys are an enumeration (SQS's attributes)."""
    return shape.type_name == "structure" or (
        shape.type_name == "map" and bool(getattr(shape.key, "enum", ()))
    )


def _inner(shape: Any, member: str | None) -> Any:
    return shape.members[member] if shape.type_name == "structure" else shape.value


@lru_cache(maxsize=4096)
def _members(shape: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Members of a structure by plain name, and by every singular and plural form."""
    names = list(shape.members) if shape.type_name == "structure" else list(shape.key.enum)
    exact = {_plain(name): name for name in names}
    loose = {form: name for name in reversed(names) for form in _forms(_plain(name))}
    return exact, loose


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _forms(name: str) -> tuple[str, ...]:
    """Singular and plural of a plain name."""
    endings = (("ies", "y"), ("es", ""), ("s", ""))
    return (name, *(name.removesuffix(old) + new for old, new in endings if name.endswith(old)))
