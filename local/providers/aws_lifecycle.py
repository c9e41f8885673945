"""What the engine asks of a resource, done by its entry in the AWS table."""

from __future__ import annotations

from contextlib import suppress
from time import sleep
from typing import TYPE_CHECKING, Any

from local.providers.aws_context import TAGS, Context, is_gone, refuse
from local.providers.aws_entry import AwsType, Call, Part
from local.providers.aws_shapes import MISSING, to_parameter
from local.providers.values import UNKNOWN, Change, changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Values = dict[str, Any]

REGION = "region"
_POLLS = 50
_POLL_SECONDS = 0.1


def preview(kind: AwsType, inputs: Values, old: Values | None = None) -> Values:
    """Outputs as a preview knows them: what AWS will answer is unknown, or as it was."""
    outputs = {**kind.defaults, **inputs}
    for path in kind.computed:
        _set_computed(outputs, path, {} if path in kind.moving else old or {})
    if kind.tagging:
        outputs["tagsAll"] = outputs.get(TAGS) or {}
    return outputs


def _set_computed(outputs: Values, path: str, old: Any) -> None:
    """`vpcConfig.vpcId` is computed inside a block that is known."""
    head, _, rest = path.partition(".")
    before = old.get(head, UNKNOWN) if isinstance(old, dict) else UNKNOWN
    if rest and isinstance(outputs.get(head), dict):
        outputs[head] = dict(outputs[head])
        _set_computed(outputs[head], rest, before)
    elif not rest:
        outputs.setdefault(head, before)


def unknown(context: Context, inputs: Values) -> list[str]:
    """Dotted names of the inputs that the entry does not know."""
    found = []
    for name, value in inputs.items():
        if name == REGION or name in context.kind.asides or value is None:
            continue
        found += _unknown(context, name, value)
    return found


def _unknown(context: Context, name: str, value: Any) -> list[str]:
    kind = context.kind
    part = kind.part(name)
    if context.takes(kind.create, name):
        return context.unknown(kind.create, name, value)
    if part is not None:
        return context.unknown(part.put, name, value) if isinstance(part.put, Call) else []
    return [] if name in kind.kept or (name == TAGS and kind.tagging) else [name]


def fixed(context: Context, found: tuple[Change, ...]) -> tuple[Change, ...]:
    """Those changes that need a new resource."""
    return tuple(change for change in found if _is_fixed(context, change))


def _is_fixed(context: Context, change: Change) -> bool:
    kind, head = context.kind, str(change.path[0])
    dotted = ".".join(str(part) for part in change.path if isinstance(part, str))
    if head == REGION or any(f"{dotted}.".startswith(f"{name}.") for name in kind.replaces):
        return True
    return not (kind.lacks or _moves(context, head))


def _moves(context: Context, name: str) -> bool:
    """Whether something sends a changed property."""
    kind = context.kind
    if name in kind.asides or name in kind.kept or (name == TAGS and kind.tagging):
        return True
    calls = [update for update in kind.updates if isinstance(update, Call)]
    whole = len(calls) < len(kind.updates)
    return bool(kind.part(name)) or whole or any(context.takes(call, name) for call in calls)


def create(context: Context, inputs: Values, owner_tag: str) -> tuple[str, Values]:
    """Make it, or adopt one of ours."""
    kind = context.kind
    if kind.lacks:
        _validate(context, inputs)
        return _keep(context, inputs)
    found = _existing(context)
    if found:
        return _adopt(context, inputs, owner_tag, found)
    answer = context.call(kind.create, _sent(context, inputs))
    made = context.find(kind.create, answer)
    if made is None:
        reasons = [one["Error"]["Message"] for one in answer.get("Unsuccessful", ())]
        raise refuse(kind, "; ".join(reasons) or f"{kind.create.operation} made nothing")
    _identify(context, made[1])
    try:
        _finish(context)
    except Exception:
        with suppress(Exception):  # half a resource is nobody's: the next run makes it anew
            delete(context)
        raise
    return context.values["id"], _outputs(context, inputs)


def _finish(context: Context) -> None:
    """Send what the call that makes it does not take."""
    kind = context.kind
    late = {
        name: value
        for name, value in context.inputs.items()
        if value is not None and not context.takes(kind.create, name)
    }
    if kind.after:
        kind.after(context)
    for part in kind.parts:
        _put(context, part, {name: late[name] for name in part.properties if name in late})
    if late.get(TAGS) and kind.tagging and TAGS not in kind.kept:
        _retag(context, late[TAGS])


def _sent(context: Context, inputs: Values) -> Values:
    given = {**context.kind.defaults, **inputs}
    asides = {*context.kind.asides, REGION}
    return {name: value for name, value in given.items() if name not in asides}


def _validate(context: Context, inputs: Values) -> None:
    """A call that moto does not know is checked by botocore's model all the same."""
    from botocore.exceptions import ParamValidationError
    from botocore.validate import ParamValidator

    call = context.kind.create
    parameters = context.parameters(call, _sent(context, inputs))
    report = ParamValidator().validate(parameters, context.input_shape(call))
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())


def _keep(context: Context, inputs: Values) -> tuple[str, Values]:
    identity = str(context.fill(context.kind.identity))
    context.values["id"] = identity
    return identity, {**context.kind.defaults, **inputs, **_made(context), **_all_tags(context)}


def _identify(context: Context, made: Any) -> None:
    """Learn the id from the answer, whose members keep the API's own names."""
    if isinstance(made, dict):
        context.raw = made
        made = context.fill(context.kind.identity)
    context.values["id"] = str(made)


def _existing(context: Context) -> tuple[Any, Any] | None:
    """What has this name already. Asked first: S3 says nothing when a bucket is made twice."""
    kind = context.kind
    if kind.tagging is None or not kind.required:
        return None
    if kind.find:
        found = context.find(kind.find)
    elif not isinstance(kind.identity, str):
        return None
    else:
        identity = context.fill(kind.identity)
        if identity is MISSING:
            return None
        context.values["id"] = identity
        found = context.find(kind.read)
    return found if found and not _is_gone(context, found[1]) else None


def _adopt(
    context: Context, inputs: Values, owner_tag: str, found: tuple[Any, Any]
) -> tuple[str, Values]:
    kind = context.kind
    _identify(context, found[1])
    live = read(context)
    tags = context.owner_tags(found)
    what = f"{context.values['id']} exists already"
    if live is None or (tags is not None and owner_tag not in tags):
        raise refuse(kind, f"{what} and is not ours: it has no tag {owner_tag}")
    before = inputs_of(kind, inputs, live) | ({TAGS: tags} if tags else {})
    different = fixed(context, tuple(changes(before, inputs)))
    if different:
        name = different[0].path[0]
        raise refuse(kind, f"{what} with another {name}, which cannot be changed")
    return context.values["id"], update(context, before, inputs)


def read(context: Context) -> Values | None:
    """Live outputs, with every input that AWS answers; None when it is gone."""
    kind = context.kind
    found = context.find(kind.read)
    if found is None or _is_gone(context, found[1]):
        return None
    silent = {*kind.asides, *kind.unread, *kind.secrets, TAGS, REGION}
    silent |= {name for name in kind.kept if name in context.inputs}
    elsewhere = {name for part in kind.parts if part.get for name in part.properties}
    names = {**context.inputs, **dict.fromkeys(path.partition(".")[0] for path in kind.computed)}
    context.raw = found[1]
    live = context.live((name for name in names if name not in silent | elsewhere), found)
    for part in kind.parts:
        live |= {name: value for name, value in _get(context, part) if name in names}
    context.values |= live
    tags = context.live_tags(found)
    if tags is not None:
        live[TAGS] = context.values[TAGS] = tags
    live |= _made(context)
    return live | (kind.more(context) if kind.more else {}) | _all_tags(context)


def inputs_of(kind: AwsType, inputs: Values, live: Values) -> Values:
    """The inputs as they are live, without what AWS computes inside a block of them."""
    found = {name: live.get(name, value) for name, value in inputs.items()}
    for path in kind.computed:
        head, _, inner = path.partition(".")
        block = found.get(head)
        if inner and isinstance(block, dict) and inner not in inputs[head]:
            found[head] = {name: value for name, value in block.items() if name != inner}
    return found


def _get(context: Context, part: Part) -> Iterator[tuple[str, Any]]:
    """Live values of a part."""
    if part.get is None:
        return
    if not isinstance(part.get, Call):
        yield from part.get(context).items()
        return
    for names in [(name,) for name in part.properties] if part.get.each else [part.properties]:
        if all(context.values.get(name) is None for name in names):
            continue
        context.values["property"] = names[0]
        found = context.find(part.get)
        if found:
            yield from context.live(iter(names), found).items()


def _made(context: Context) -> Values:
    """Outputs from templates; an earlier one may stand in a later one."""
    for name, template in context.kind.made.items():
        value = context.fill(template)
        if value is not MISSING:
            context.values[name] = value
    return {name: context.values[name] for name in context.kind.made if name in context.values}


def _all_tags(context: Context) -> Values:
    return {"tagsAll": context.values.get(TAGS) or {}} if context.kind.tagging else {}


def _is_gone(context: Context, value: Any) -> bool:
    gone = context.kind.gone
    if callable(gone):
        return gone(context)
    return any(value.get(name) in states for name, states in gone.items())


def _outputs(context: Context, inputs: Values) -> Values:
    """Wait until it is there, and read it."""
    for _ in range(_POLLS):
        live = read(context)
        if live is None or all(context.raw.get(n) == w for n, w in context.kind.ready.items()):
            break
        sleep(_POLL_SECONDS)
    if live is None:
        raise refuse(context.kind, f"{context.values['id']} was made, and moto does not find it")
    return {**context.kind.defaults, **inputs, **live}


def update(context: Context, old: Mapping[str, Any], new: Values) -> Values:
    """Change it in place."""
    kind = context.kind
    context.values |= {**dict.fromkeys(old), **new}
    names = {str(change.path[0]) for change in changes(dict(old), new)} - {*kind.asides, *kind.kept}
    if kind.lacks:
        return {**kind.defaults, **new, **_made(context), **_all_tags(context)}
    for part in kind.parts:
        mine = names.intersection(part.properties)
        _put(context, part, {name: new.get(name) for name in part.properties if name in mine})
        names -= mine
    if TAGS in names and kind.tagging:
        _retag(context, new.get(TAGS) or {})
    _update(context, names - {TAGS}, new)
    return _outputs(context, new)


def _update(context: Context, names: set[str], new: Values) -> None:
    """Send what changed through the first call that takes it; a function takes all that is left."""
    left = set(names)
    for change in context.kind.updates:
        if not left:
            return
        if not isinstance(change, Call):
            change(context, new)
            return
        mine = {name for name in left if context.takes(change, name)}
        sent = new if change.whole else {name: new.get(name) for name in mine}
        if mine:
            context.call(change, {name: value for name, value in sent.items() if name != TAGS})
        left -= mine
    if left:
        raise refuse(context.kind, f"{', '.join(sorted(left))} cannot be changed in place")


def _put(context: Context, part: Part, values: Values) -> None:
    """Send the properties of a part; those that are null now are taken away."""
    if not values:
        return
    if not isinstance(part.put, Call):
        part.put(context, values)
        return
    given = {name: value for name, value in values.items() if value is not None}
    if part.put.each:
        for name, value in given.items():
            context.call(part.put, {name: value})
    elif given:
        context.call(part.put, given)
    gone = sorted(values.keys() - given)
    if gone and part.drop is None:
        raise refuse(context.kind, f"{', '.join(gone)} cannot be taken away again")
    if gone and part.drop:
        context.call(part.drop)


def _retag(context: Context, wanted: Values) -> None:
    """Add the new tags, take the others off."""
    kind, tagging = context.kind, context.kind.tagging
    if kind.part(TAGS):
        return
    found = context.find(kind.read)
    if found is None or tagging is None:
        return
    context.raw = found[1]
    live = context.live_tags(found) or {}
    stale = sorted(live.keys() - wanted.keys())
    if stale:
        _tag(context, Call(tagging.remove, tagging.by), dict.fromkeys(stale), keys=True)
    if wanted:
        _tag(context, Call(tagging.add, tagging.by), wanted, keys=False)


def _tag(context: Context, call: Call, tags: Values, *, keys: bool) -> None:
    """Call with tags, or with their keys alone, in the form of the member that takes them."""
    shape = context.input_shape(call)
    places = {
        name: member
        for name, member in shape.members.items()
        if name not in call.by and member.type_name in ("list", "map")
    }
    plain = [name for name, member in places.items() if _wants_names(member)]
    paired = [name for name in places if name not in plain]
    name = (plain if keys and plain else paired)[0]
    value: Any = list(tags) if name in plain else to_parameter(places[name], tags)
    if keys and name in paired:
        value = [{"Key": key} for key in tags]
    context.ask(call.operation, **{**context.parameters(call, {}), name: value})


def _wants_names(shape: Any) -> bool:
    return bool(shape.type_name == "list" and shape.member.type_name == "string")


def delete(context: Context) -> None:
    """Remove it; gone is fine."""
    step = context.kind.delete
    if step is None or context.kind.lacks:
        return
    try:
        if isinstance(step, Call):
            context.call(step)
        else:
            step(context)
    except Exception as error:
        if not is_gone(error):
            raise
