"""What the releases stand on: namespaces, limits, policies, secrets and the internal CA.

All of it is applied before the first release. On the first run the operators' webhooks are not
there yet, and their objects wait until the operators are; later each object passes its webhook.
"""

from __future__ import annotations

from aspora import names
from aspora.render import internal_ca
from aspora.render.objects import Object, named
from aspora.render.platform_secrets import secret_objects
from aspora.render.system import platform_policies
from aspora.services.namespaces import NAMESPACES, PlatformNamespace
from aspora.stack import StackSettings


def platform_namespaces() -> list[Object]:
    """Every namespace of the platform but kube-system."""
    return [_namespace(space) for space in NAMESPACES]


def platform_objects(settings: StackSettings) -> list[Object]:
    """Everything in them that is there before the releases."""
    return [
        *(obj for space in NAMESPACES for obj in (_quota(space), _limits(space))),
        *platform_policies(settings),
        *secret_objects(settings),
        *internal_ca.objects(),
    ]


def _namespace(space: PlatformNamespace) -> Object:
    labels = names.platform_labels() | {"pod-security.kubernetes.io/enforce": space.level}
    if space.mesh:
        labels["istio-injection"] = "enabled"
    return named("v1", "Namespace", space.name, None, labels)


def _quota(space: PlatformNamespace) -> Object:
    """No Service is open to the nodes' network by accident: some charts ask for a NodePort."""
    hard = {
        "services.loadbalancers": str(space.balancers),
        "requests.storage": f"{space.volumes_gib}Gi",
    }
    if not space.balancers:
        hard["services.nodeports"] = "0"
    head = named("v1", "ResourceQuota", "platform", space.name, names.platform_labels())
    return head | {"spec": {"hard": hard}}


def _limits(space: PlatformNamespace) -> Object:
    """For hooks and side containers to which a chart gives no field for resources."""
    head = named("v1", "LimitRange", "platform", space.name, names.platform_labels())
    defaults = {
        "type": "Container",
        "defaultRequest": {"cpu": "10m", "memory": "64Mi"},
        "default": {"memory": "512Mi"},
    }
    return head | {"spec": {"limits": [defaults]}}
