"""ASP532: volumes are encrypted, and made where the pod is."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import Hit, Rule
from aspora.checks.world import World


def look(world: World) -> Iterator[Hit]:
    """EBS says so itself: a class that says nothing goes by the account's default."""
    for storage in world.of("StorageClass"):
        driver, given = storage.get("provisioner"), storage.get("parameters") or {}
        if driver == "ebs.csi.aws.com" and given.get("encrypted") != "true":
            yield Hit(storage, 'no parameter encrypted: "true"')
        if storage.get("volumeBindingMode") != "WaitForFirstConsumer":
            yield Hit(storage, "volumes are made before it is known in which zone the pod runs")


RULE = Rule(
    "ASP532",
    "Volumes not encrypted",
    "A volume outlives its pod and its node, and a snapshot of it can be shared.",
    "https://docs.aws.amazon.com/eks/latest/best-practices/data-encryption-and-secrets-management"
    ".html",
    look,
)
