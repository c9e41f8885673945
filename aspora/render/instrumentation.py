"""What the annotation `inject-sdk: "true"` of agents' pods stands for: where their SDK sends.

The operator takes the one Instrumentation of the pod's own namespace.
"""

from __future__ import annotations

from aspora import names
from aspora.flows import OTLP_PORT
from aspora.models import Domain
from aspora.render.objects import Object, named
from aspora.telemetry.collector import AGENT


def instrumentation(domain: Domain, labels: dict[str, str]) -> Object:
    """The collector's address, and the propagation that the gateways use."""
    host = f"{AGENT}.{names.OBSERVABILITY_NAMESPACE}.svc.cluster.local"
    space = names.namespace(domain.name)
    return named("opentelemetry.io/v1alpha1", "Instrumentation", "agents", space, labels) | {
        "spec": {
            "exporter": {"endpoint": f"https://{host}:{OTLP_PORT}"},
            "propagators": ["tracecontext", "baggage"],
        }
    }
