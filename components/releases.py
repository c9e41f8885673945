"""Helm releases: one component for each, ordered by what each needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from aspora.services import pins
from aspora.services.releases import Release
from components.base import PROVIDER_VERSION, register_with_gate

RELEASE = "kubernetes:helm.sh/v3:Release"


@dataclass(frozen=True)
class HelmReleaseArgs:
    """A release, and what has to be there before it."""

    release: Release
    waits_for: tuple[pulumi.Resource, ...] = ()


class HelmRelease(pulumi.ComponentResource):
    """One chart, installed and waited for. `ready` is there when all its pods are."""

    def __init__(
        self, name: str, args: HelmReleaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:platform:HelmRelease", name, None, opts)
        own = pulumi.ResourceOptions(
            parent=self, depends_on=list(args.waits_for), version=PROVIDER_VERSION
        )
        self.ready = pulumi.CustomResource(RELEASE, name, inputs(args.release), own)
        self.register_outputs({"version": args.release.pin.version})


def inputs(release: Release) -> dict[str, Any]:
    """What the provider takes. A failed upgrade is rolled back, and the namespace is ours."""
    pin = release.pin
    found: dict[str, Any] = {
        "name": pin.name,
        "chart": pin.chart,
        "namespace": pin.namespace,
        "createNamespace": False,
        "skipCrds": release.skip_crds,
        "skipAwait": False,
        "timeout": pin.timeout_seconds,
        "atomic": True,
        "cleanupOnFail": True,
        "maxHistory": 5,
        "values": dict(release.values),
    }
    if pin.version is not None:
        found["version"] = pin.version
    if pin.repository is not None:
        found["repositoryOpts"] = {"repo": pin.repository}
    return found


@dataclass(frozen=True)
class ReleasesArgs:
    """`releases`, each after those that it needs; all of them after `waits_for`.

    `stores` are objects of ours in their midst.
    """

    releases: tuple[Release, ...]
    waits_for: tuple[pulumi.Resource, ...] = ()
    stores: tuple[Mapping[str, Any], ...] = ()


class Releases(pulumi.ComponentResource):
    """All releases of a stack. `ready` are those that no other release waits for."""

    def __init__(
        self, name: str, args: ReleasesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:platform:Releases", name, None, opts)
        made: dict[str, pulumi.Resource] = {}
        child = pulumi.ResourceOptions(parent=self)
        stores: tuple[pulumi.Resource, ...] = ()
        for release in args.releases:
            before = tuple(made[need] for need in release.pin.needs if need in made)
            if release.name in pins.ON_STORES:
                stores = stores or self._stores(args, made)
                before += stores
            waits = before or args.waits_for
            made[release.name] = HelmRelease(
                release.name, HelmReleaseArgs(release, waits), child
            ).ready
        needed = {need for release in args.releases for need in release.pin.needs}
        last = tuple(made[name] for name in made if name not in needed)
        stores = stores or self._stores(args, made)
        self.ready = (*last, *stores) or args.waits_for
        self.register_outputs({"count": len(made)})

    def _stores(
        self, args: ReleasesArgs, made: Mapping[str, pulumi.Resource]
    ) -> tuple[pulumi.Resource, ...]:
        """Where nothing is installed they wait for no release."""
        before = tuple(made[need] for need in pins.STORES_NEED if need in made)
        waits = before or args.waits_for
        return register_with_gate(args.stores, self, depends_on=waits)[1] if args.stores else ()
