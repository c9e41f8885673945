"""ASP502: images come from registries that somebody chose."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import NSA_GUIDE, Hit, Rule
from aspora.checks.world import World
from aspora.problems import quoted

PLATFORM = (
    "docker.io/clickhouse/",
    "docker.io/library/mysql",
    "docker.io/library/postgres:",
    "docker.io/valkey/",
    "ghcr.io/agentgateway/",
    "public.ecr.aws/aws-cli/",
    "registry.k8s.io/agent-sandbox/",
    "registry.k8s.io/kubectl:",
)
"""Beside the stack's own prefixes: where the products come from that the platform runs itself."""


def look(world: World) -> Iterator[Hit]:
    """A domain's images have a prefix of the stack's, the platform's one of a few more."""
    for pod, container in world.containers:
        image = str(container.get("image", ""))
        allowed = world.settings.allowed_registries
        allowed += () if world.domain(pod.namespace) else PLATFORM
        if not image.startswith(allowed):
            yield Hit(
                pod.owner,
                f"container {quoted(container['name'])} runs {quoted(image)}; allowed are"
                f" {', '.join(allowed)}",
            )


RULE = Rule(
    "ASP502",
    "Image from elsewhere",
    "Anyone can publish an image under a name that looks right. One without a registry is looked"
    " for where the node's runtime happens to look.",
    NSA_GUIDE,
    look,
    ("image",),
)
