"""ASP501: an image names its version; in prod its bytes."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import Hit, Rule
from aspora.checks.world import World
from aspora.problems import quoted


def look(world: World) -> Iterator[Hit]:
    """No tag, `latest`, or no digest where the stack asks for one."""
    for pod, container in world.containers:
        image = str(container.get("image", ""))
        tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
        if "@sha256:" in image:
            continue
        what = f"container {quoted(container['name'])} runs {quoted(image)}, which"
        if tag in ("", "latest"):
            yield Hit(pod.owner, f"{what} names no version")
        elif world.settings.digests_required:
            yield Hit(pod.owner, f"{what} is not pinned by digest")


RULE = Rule(
    "ASP501",
    "Image not pinned",
    "A tag can be moved: what runs is then not what was tested, and nobody can say what it was.",
    "https://kubernetes.io/docs/concepts/containers/images/#image-names",
    look,
    ("image",),
)
