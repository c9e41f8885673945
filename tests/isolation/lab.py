"""A stack of the repository as the proof is given it, made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

from aspora.isolation.given import Given, Object, Resource, declared, ref
from aspora.models import Domain
from aspora.render import render
from local.isolation_commands import aws_side, networks
from tests.core import ROOT, repository, settings


@cache
def stack(name: str = "staging", *, aws: bool = True) -> Given:
    """A stack with the repository's domains; its AWS side takes some seconds."""
    return made(repository(), name, aws_side(name, ROOT) if aws else ())


def made(domains: tuple[Domain, ...], name: str, aws: tuple[Resource, ...] = ()) -> Given:
    """Any domains on a stack."""
    chosen = settings(name)
    return Given(
        name,
        tuple(render(domains, chosen)),
        declared(domain.model_dump(mode="json") for domain in domains),
        networks(chosen),
        aws,
    )


def changed(given: Given, name: str, change: Callable[[dict[str, Any]], object]) -> Given:
    """The same with one object changed, by its reference; there must be exactly one."""
    found = [index for index, obj in enumerate(given.objects) if ref(obj) == name]
    assert len(found) == 1, f"{len(found)} objects are {name}"
    copy: dict[str, Any] = deepcopy(dict(given.objects[found[0]]))
    change(copy)
    return with_object(given, found[0], copy)


def with_object(given: Given, index: int, obj: Object | None) -> Given:
    """The same with the object at a place replaced, or left out."""
    objects = (*given.objects[:index], *([obj] if obj else []), *given.objects[index + 1 :])
    return replace(given, objects=objects)


def added(given: Given, *objects: Mapping[str, Any]) -> Given:
    """The same with objects more."""
    return replace(given, objects=(*given.objects, *objects))


def with_resource(given: Given, index: int, resource: Resource | None) -> Given:
    """The same with the AWS resource at a place replaced, or left out."""
    return replace(
        given, aws=(*given.aws[:index], *([resource] if resource else []), *given.aws[index + 1 :])
    )
