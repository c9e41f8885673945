"""What the stores in the cluster have in common: their namespace, heads, volumes and places."""

from __future__ import annotations

from aspora import names
from aspora.render.objects import Object, named
from aspora.stack import StackSettings

NAMESPACE = names.OBSERVABILITY_NAMESPACE
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""It starts when External Secrets has filled its Secret, which comes after it."""


def head(api: str, kind: str, name: str, annotations: dict[str, str] | None = None) -> Object:
    """The head of one of their objects."""
    return named(api, kind, name, NAMESPACE, names.platform_labels(), annotations)


def account(name: str) -> Object:
    """A ServiceAccount with rights on AWS and none at the API server."""
    return head("v1", "ServiceAccount", name) | {"automountServiceAccountToken": False}


def claim(size_gib: str) -> Object:
    """What a volume is asked for with."""
    return {
        "storageClassName": names.STORAGE_CLASS,
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size_gib}},
    }


def artifacts(settings: StackSettings) -> str:
    """The bucket of the platform's own objects."""
    prefix = settings.aws.bucket_prefix if settings.aws else f"aspora-{settings.environment}"
    return names.bucket(prefix, "artifacts")
