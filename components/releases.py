"""Helm releases: one component for each, ordered by what each needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

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
class Between:
    """Objects of ours in the midst of the releases: after `needs`, before `users`."""

    objects: tuple[Mapping[str, Any], ...]
    needs: tuple[str, ...]
    users: tuple[str, ...]


@dataclass(frozen=True)
class ReleasesArgs:
    """`releases`, each after those that it needs; all of them after `waits_for`."""

    releases: tuple[Release, ...]
    waits_for: tuple[pulumi.Resource, ...] = ()
    between: tuple[Between, ...] = ()


class Releases(pulumi.ComponentResource):
    """All releases of a stack. `ready` are those that no other release waits for."""

    def __init__(
        self, name: str, args: ReleasesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:platform:Releases", name, None, opts)
        made: dict[str, pulumi.Resource] = {}
        child = pulumi.ResourceOptions(parent=self)
        ours: dict[tuple[str, ...], tuple[pulumi.Resource, ...]] = {}
        for release in args.releases:
            before = tuple(made[need] for need in release.pin.needs if need in made)
            for part in args.between:
                if release.name in part.users:
                    ours[part.users] = ours.get(part.users) or self._ours(part, args, made)
                    before += ours[part.users]
            waits = before or args.waits_for
            made[release.name] = HelmRelease(
                release.name, HelmReleaseArgs(release, waits), child
            ).ready
        needed = {need for release in args.releases for need in release.pin.needs}
        last = tuple(made[name] for name in made if name not in needed)
        for part in args.between:
            ours[part.users] = ours.get(part.users) or self._ours(part, args, made)
        ends = tuple(end for part in args.between for end in ours[part.users])
        self.ready = (*last, *ends) or args.waits_for
        self.register_outputs({"count": len(made)})

    def _ours(
        self, part: Between, args: ReleasesArgs, made: Mapping[str, pulumi.Resource]
    ) -> tuple[pulumi.Resource, ...]:
        """Where nothing is installed they wait for no release."""
        before = tuple(made[need] for need in part.needs if need in made)
        waits = before or args.waits_for
        return register_with_gate(part.objects, self, depends_on=waits)[1] if part.objects else ()
