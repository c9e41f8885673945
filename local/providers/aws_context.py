"""One operation on one AWS resource: what is known of it, and the calls it makes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local.providers.aws_entry import AwsType, Call
from local.providers.aws_shapes import (
    MISSING,
    Collected,
    find_member,
    from_pairs,
    like,
    pick,
    plain,
    to_pairs,
    to_parameter,
    unknown_names,
)
from local.providers.base import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.providers.aws_clients import Clients

Values = dict[str, Any]

ACCOUNT = "123456789012"  # moto's
TAGS = "tags"

_FIELD = re.compile(r"\{([\w.]+)\}")
_GONE_WORDS = "not owned by the current account"  # GuardDuty has no code for it
_GONE = re.compile(r"NotFound|NoSuch|NotExist|NonExistent|^404$")


class Context:
    """`inputs` are what the program wrote, `values` what templates may name.

    `raw` is the last answer, whose members keep the API's own names: templates may name these too.
    """

    def __init__(
        self, kind: AwsType, clients: Clients, region: str, inputs: Values, known: Values
    ) -> None:
        self.kind = kind
        self.region = region
        self.inputs: Values = {**kind.defaults, **inputs}
        here = {"region": region, "account": ACCOUNT}
        self.values: Values = {**known, **self.inputs, **here}
        self.raw: Values = {}
        self._clients = clients

    # --- calls ----------------------------------------------------------------------------------

    def ask(self, operation: str, service: str = "", **parameters: Any) -> Values:
        """A boto3 call with parameters as they are."""
        api = self._clients.api(service or self.kind.service, self.region)
        return dict(getattr(api, operation)(**parameters))

    def drop(self, operation: str, service: str = "", **parameters: Any) -> None:
        """A boto3 call that takes away what may be gone already."""
        try:
            self.ask(operation, service, **parameters)
        except Exception as error:
            if not is_gone(error):
                raise

    def call(self, call: Call, properties: Mapping[str, Any] | None = None) -> Values:
        """A call of the table, with those of the properties that it takes."""
        parameters = self.parameters(call, properties or {})
        return self.ask(call.operation, call.service, **parameters)

    def find(self, call: Call, answer: Values | None = None) -> tuple[Any, Any] | None:
        """The object that a call answers, with its shape; None when there is none."""
        if answer is None:
            try:
                answer = self.call(call)
            except Exception as error:
                if is_gone(error):
                    return None
                raise
        shape = self._operation(call).output_shape
        wanted = {name: self.fill(template) for name, template in call.where.items()}
        for inner, value in pick(shape, answer, call.at):
            if all(value.get(name) == want for name, want in wanted.items() if want is not MISSING):
                return inner, value
        return None

    def takes(self, call: Call, name: str) -> bool:
        """Whether a call sends a property."""
        return self._member(call, name) is not None or name in _named(call)

    def unknown(self, call: Call, name: str, value: Any) -> list[str]:
        """Dotted names inside a property that the call has no member for."""
        place = self._member(call, name)
        if place is None or name in call.uses:
            return [] if name in _named(call) else [name]
        shape, member = place
        if name == TAGS:
            return []
        return unknown_names(_member_shape(shape, member), value, self.kind.names, name)

    def parameters(self, call: Call, properties: Mapping[str, Any]) -> Values:
        """What boto3 gets: the templates of the call, and the properties it takes."""
        shape = self.input_shape(call)
        made = {
            name: to_parameter(shape.members[name], value)
            for name, template in call.by.items()
            if (value := self.fill(template)) is not MISSING
        }
        inner: Values = {}
        for name, value in properties.items():
            place = self._member(call, name)
            if place is None or value is None or name in call.uses:
                continue
            owner, member = place
            made_value = self._parameter(owner, member, name, value)
            (made if owner is shape else inner)[member] = made_value
        if call.inside and inner:
            _merge(shape, made, call.inside.split("."), inner)
        return made

    def _parameter(self, owner: Any, member: str, name: str, value: Any) -> Any:
        shape = _member_shape(owner, member)
        if member == "TagSpecifications" and name == TAGS:
            tags = shape.member.members["Tags"]
            kind = self.kind.tag_resource
            return [{"ResourceType": kind, "Tags": to_pairs(tags, value)}] if value else []
        return to_parameter(shape, value, self.kind.names, name)

    def _member(self, call: Call, name: str) -> tuple[Any, str] | None:
        """The structure of a call's input that takes a property, and its member."""
        shape = self.input_shape(call)
        if name == TAGS and self.kind.tag_resource:
            return (shape, "TagSpecifications") if "TagSpecifications" in shape.members else None
        places = [shape]
        if call.inside:
            inside = shape
            for step in call.inside.split("."):
                inside = inside.members[step]
            places.insert(0, inside.member if inside.type_name == "list" else inside)
        for place in places:
            member = find_member(place, self.kind.names.get(name, name))
            if member is not None and member not in call.by:
                return place, member
        return None

    def input_shape(self, call: Call) -> Any:
        """What the call takes, by botocore's model."""
        return self._operation(call).input_shape

    def _operation(self, call: Call) -> Any:
        return self._clients.operation(call.service or self.kind.service, call.operation)

    # --- templates ------------------------------------------------------------------------------

    def fill(self, template: Any) -> Any:
        """A template with its values; MISSING where it names what is not there.

        A dict whose first entry is missing is left out as a whole, for that entry names the thing.
        """
        if isinstance(template, str):
            return self._fill_text(template)
        if callable(template):
            return template(self)
        if isinstance(template, list):
            items = [item for one in template if (item := self.fill(one)) is not MISSING]
            return items or MISSING
        if isinstance(template, dict):
            filled = {name: self.fill(one) for name, one in template.items()}
            if next(iter(filled.values()), None) is MISSING:
                return MISSING
            return {name: value for name, value in filled.items() if value is not MISSING}
        return template

    def _fill_text(self, template: str) -> Any:
        names = _FIELD.findall(template)
        values = {name: self._value(name) for name in names}
        if any(value is None for value in values.values()):
            return MISSING
        if len(names) == 1 and template == f"{{{names[0]}}}":
            return values[names[0]]
        return _FIELD.sub(lambda match: str(values[match[1]]), template)

    def _value(self, path: str) -> Any:
        head = path.partition(".")[0]
        value: Any = self.values if self.values.get(head) is not None else self.raw
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    # --- answers --------------------------------------------------------------------------------

    def live(self, names: Iterator[str], found: tuple[Any, Any]) -> Values:
        """Those properties that an object answers, in the form in which the program wrote them."""
        values = {name: self._live(name, *found) for name in names}
        return {name: value for name, value in values.items() if value is not MISSING}

    def _live(self, name: str, shape: Any, value: Any) -> Any:
        path = self._path(name, shape)
        if path is None:
            return MISSING
        inner, live = _walk(shape, value, path)
        if live is None:
            return MISSING
        template = self.inputs.get(name)
        if template is None:
            return plain(live)
        return like(template, live, inner, self.kind.names, name)

    def _path(self, name: str, shape: Any) -> str | None:
        """Where a property stands in the answer."""
        if name in self.kind.answers:
            return self.kind.answers[name]
        spoken = self.kind.names.get(name, name)
        inside = self.kind.read.inside
        if inside and inside in getattr(shape, "members", ()):
            member = find_member(shape.members[inside], spoken)
            if member is not None:
                return f"{inside}.{member}"
        return find_member(shape, spoken)

    def live_tags(self, found: tuple[Any, Any]) -> Values | None:
        """Live tags; None where the resource has none by nature, or moto does not say."""
        tagging = self.kind.tagging
        if tagging is None or TAGS in self.kind.kept:
            return None
        if tagging.listed:
            return self._listed_tags(tagging.listed)
        shape, value = found
        member = self.kind.answers.get(TAGS) or find_member(shape, TAGS)
        return from_pairs(value.get(member)) if member else {}

    def owner_tags(self, found: tuple[Any, Any]) -> Values | None:
        """Tags as they are there, though moto may not change them; None where none are told."""
        if TAGS not in self.kind.kept:
            return self.live_tags(found)
        shape, value = found
        member = find_member(shape, TAGS)
        return from_pairs(value.get(member)) if member else None

    def _listed_tags(self, call: Call) -> Values:
        try:
            value: Any = self.call(call)
        except Exception as error:
            if is_gone(error):  # S3 answers so when there is not one tag
                return {}
            raise
        for member in (call.at or "Tags").split("."):
            value = value[0] if isinstance(value, list) else value
            value = value.get(member, {})
        return from_pairs(value)


def remake(context: Context, values: Values) -> None:
    """For what moto cannot change: the same again, under the same name."""
    kind = context.kind
    if isinstance(kind.delete, Call):
        context.call(kind.delete)
    context.call(kind.create, values)


def is_gone(error: Exception) -> bool:
    """Whether boto3's error says that there is no such thing."""
    return bool(_GONE.search(error_code(error))) or _GONE_WORDS in str(error)


def error_code(error: Any) -> str:
    """The code of a ClientError; empty for any other."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def _named(call: Call) -> set[str]:
    """Properties that a call's templates send."""
    return _fields(call.by) | set(call.uses)


def _fields(template: Any) -> set[str]:
    """Properties that templates name."""
    if isinstance(template, str):
        return {name.partition(".")[0] for name in _FIELD.findall(template)}
    inner = template.values() if hasattr(template, "values") else template
    if isinstance(template, list) or hasattr(template, "values"):
        return {name for one in inner for name in _fields(one)}
    return set()


def _member_shape(owner: Any, member: str) -> Any:
    return owner.members[member] if owner.type_name == "structure" else owner.value


def _merge(shape: Any, made: Values, path: list[str], inner: Values) -> None:
    """Put properties into an inner structure, beside its templates; it may be a list of one."""
    head, *rest = path
    shape = shape.members[head]
    if shape.type_name == "list":
        made[head] = [{**made.get(head, [{}])[0], **inner}]
        return
    made.setdefault(head, {})
    if rest:
        _merge(shape, made[head], rest, inner)
    else:
        made[head] |= inner


def _walk(shape: Any, value: Any, path: str) -> tuple[Any, Any]:
    """What stands at a path: the first of a list, or of `Groups[].GroupId` every one."""
    if not path:
        return shape, value
    head, _, rest = path.partition(".")
    many = head.endswith("[]")
    head = head.removesuffix("[]")
    value = value.get(head) if isinstance(value, dict) else None
    shape = _member_shape(shape, head)
    if many:
        pairs = [_walk(shape.member, item, rest) for item in value or ()]
        member = pairs[0][0] if pairs else shape.member
        return Collected(member), [one for _, one in pairs if one is not None]
    if not rest:
        return shape, value
    if isinstance(value, list):
        shape, value = shape.member, value[0] if value else None
    return _walk(shape, value, rest)


def refuse(kind: AwsType, words: str) -> ProviderError:
    """An error about a type, in the words of all of them."""
    return ProviderError(f"{kind.token}: {words}")
