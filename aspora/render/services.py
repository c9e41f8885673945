"""The platform's own services: what is ours beside their charts, in the order it is applied.

One module a concern, each a pure function of the domains and the settings; this one only says in
which order they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from aspora.gateways import egress, ingress, mesh, restarts, tools
from aspora.gateways.model import objects as model_gateway
from aspora.models import Domain
from aspora.observe.grafana import config_maps
from aspora.observe.routing import routing
from aspora.observe.rules import rules
from aspora.render import sandboxes
from aspora.render.collectors import collector_objects
from aspora.render.objects import Object
from aspora.stack import StackSettings

Part = Callable[[Sequence[Domain], StackSettings], Iterable[Object]]

PARTS: tuple[Part, ...] = (
    mesh.objects,
    ingress.objects,
    egress.objects,
    tools.objects,
    model_gateway.objects,
    restarts.objects,
    sandboxes.objects,
    collector_objects,
    rules,
    routing,
    config_maps,
)


def service_objects(domains: Sequence[Domain], settings: StackSettings) -> tuple[Object, ...]:
    """Every object of the platform's services; they list the domains by name, in whatever order
    the files were read."""
    ordered = sorted(domains, key=lambda domain: domain.name)
    return tuple(obj for part in PARTS for obj in part(ordered, settings))
