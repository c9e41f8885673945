"""Looking things up in the models by path: valid keys, and the field behind `a.b.c`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def alias(name: str, field: FieldInfo) -> str:
    """The key as it stands in YAML."""
    return field.alias or name


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `Model | None`, `tuple[Model, ...]` or `Annotated[Model, …]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is not None or isinstance(annotation, UnionType):
        for argument in get_args(annotation):
            found = model_in(argument)
            if found is not None:
                return found
    return None


def is_list(annotation: Any) -> bool:
    """Whether the field holds a list."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return any(is_list(argument) for argument in get_args(annotation))
    return origin is tuple


def field_at(
    model: type[BaseModel], path: Sequence[str | int]
) -> tuple[FieldInfo, type[BaseModel] | None] | None:
    """The field at `path` (list indices are skipped) and the model it holds, if any."""
    current: type[BaseModel] | None = model
    found: FieldInfo | None = None
    for key in path:
        if isinstance(key, int):
            continue
        if current is None:
            return None
        fields = {alias(name, field): field for name, field in current.model_fields.items()}
        found = fields.get(key)
        if found is None:
            return None
        current = model_in(found.annotation)
    return None if found is None else (found, current)


def allowed_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that the mapping at `path` may have, in the order of the model."""
    target: type[BaseModel] | None = model
    if any(isinstance(key, str) for key in path):
        at = field_at(model, path)
        target = at[1] if at else None
    if target is None:
        return []
    return [alias(name, field) for name, field in target.model_fields.items()]


def walk(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field below `model`, depth first, as dotted paths with `[]` for lists."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{alias(name, field)}"
        yield path, field
        inner = model_in(field.annotation)
        if inner is not None:
            yield from walk(inner, path + ("[]." if is_list(field.annotation) else "."))
