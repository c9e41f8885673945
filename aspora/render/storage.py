"""The StorageClass of the volumes that sandboxes ask for."""

from __future__ import annotations

from aspora import names
from aspora.render.objects import Object, named
from aspora.stack import StackSettings

STORAGE_CLASS = names.STORAGE_CLASS

# The EBS driver fills it in for each volume (its docs/tagging.md): the domain, which is the
# namespace without our prefix, pays for its own volumes; whoever else asks is the platform.
_PREFIX = names.namespace("")
OWNER_OF_VOLUME = (
    f'{{{{ if .PVCNamespace | contains "{_PREFIX}" }}}}'
    f"{{{{ .PVCNamespace | substring {len(_PREFIX)} -1 }}}}"
    f"{{{{ else }}}}{names.PLATFORM_OWNER}{{{{ end }}}}"
)


def storage_class(settings: StackSettings) -> Object:
    """gp3, encrypted, made in the zone where the pod was put; it grows and goes with its claim.

    Not the default one: who needs a volume says so.
    """
    tags = names.tags(settings.environment, OWNER_OF_VOLUME)
    tagged = {
        f"tagSpecification_{number}": f"{key}={value}"
        for number, (key, value) in enumerate(tags.items(), 1)
    }
    return named(
        "storage.k8s.io/v1", "StorageClass", STORAGE_CLASS, None, names.platform_labels()
    ) | {
        "provisioner": "ebs.csi.aws.com",
        "parameters": {"type": "gp3", "encrypted": "true", **tagged},
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
        "reclaimPolicy": "Delete",
    }
