"""How plain objects become Pulumi resources: one way, for every kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

from aspora.render.objects import ignored_fields

# The plugin's version; next ones: github.com/pulumi/pulumi-kubernetes/releases
PROVIDER_VERSION = "4.34.2"


def type_token(obj: Mapping[str, Any]) -> str:
    """Pulumi's type of a manifest: kubernetes:apps/v1:Deployment, kubernetes:core/v1:Service."""
    version = str(obj["apiVersion"])
    return f"kubernetes:{version if '/' in version else 'core/' + version}:{obj['kind']}"


def resource_name(obj: Mapping[str, Any]) -> str:
    """The part of the URN that is ours: namespace/name, or the name alone. Never changes."""
    meta = obj["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else str(meta["name"])


def _pulumi_path(pointer: str) -> str:
    """/spec/http/0/route/1/weight as spec.http[0].route[1].weight."""
    path = ""
    for part in pointer.strip("/").split("/"):
        if part.isdigit():
            path += f"[{part}]"
        elif path:
            path += f".{part}"
        else:
            path = part
    return path


class KubernetesObject(pulumi.CustomResource):
    """One plain object, registered as it is: what the core rendered is what the engine gets."""

    def __init__(self, obj: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        own = pulumi.ResourceOptions(version=PROVIDER_VERSION)
        super().__init__(
            type_token(obj),
            resource_name(obj),
            dict(obj),
            pulumi.ResourceOptions.merge(opts, own),
        )


def register_with_gate(
    objects: Iterable[Mapping[str, Any]],
    parent: pulumi.Resource,
    *,
    depends_on: Iterable[pulumi.Resource] = (),
) -> tuple[list[pulumi.Resource], tuple[pulumi.Resource, ...]]:
    """Register `objects`, the last of which waits for the others; answers them, and that one.

    Whoever waits for all of them waits for one: the SDK looks through the whole graph for each
    edge of it, and a domain has thousands otherwise.
    """
    wanted, waits = list(objects), list(depends_on)
    if not wanted:
        return [], tuple(waits)
    made = register(wanted[:-1], parent, depends_on=waits)
    gate = register(wanted[-1:], parent, depends_on=[*waits, *made])
    return [*made, *gate], tuple(gate)


def register(
    objects: Iterable[Mapping[str, Any]],
    parent: pulumi.Resource,
    *,
    depends_on: Iterable[pulumi.Resource] = (),
    progressive: bool = True,
    retain: bool = False,
) -> list[pulumi.Resource]:
    """Register `objects` below `parent`, leaving the fields alone that controllers own.

    `retain` keeps the objects in the cluster when they leave the program: delivery is handed over.
    """
    waits = list(depends_on)
    made: list[pulumi.Resource] = []
    for obj in objects:
        fields = ignored_fields(obj["kind"], progressive=progressive)
        opts = pulumi.ResourceOptions(
            parent=parent,
            depends_on=waits,
            ignore_changes=[_pulumi_path(field) for field in fields],
            retain_on_delete=retain,
        )
        made.append(KubernetesObject(obj, opts))
    return made
