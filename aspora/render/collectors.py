"""What stands around the collectors and is not their chart's: the headless Service by which spans
of one trace find one gateway, and what Prometheus scrapes. Their certificates are the internal
CA's: `aspora/render/internal_ca.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aspora import names
from aspora.models import Domain
from aspora.render.objects import Object, named
from aspora.stack import StackSettings
from aspora.telemetry.collector import (
    COUNT_PORT,
    GATEWAY,
    MEETING_POINT,
    OWN_METRICS_PORT,
    SKILL_METRICS_PORT,
    TRACES_PORT,
)

SPACE = names.OBSERVABILITY_NAMESPACE


def collector_objects(domains: Sequence[Domain], settings: StackSettings) -> Iterable[Object]:  # noqa: ARG001
    """A part of the platform's services (aspora/render/services.py)."""
    yield _meeting_point()
    yield _scraped()


def _meeting_point() -> Object:
    """Its name answers with the address of every gateway that is ready; the sender chooses."""
    ports = {"tcp-traces": TRACES_PORT, "tcp-count": COUNT_PORT}
    return named("v1", "Service", MEETING_POINT, SPACE, names.platform_labels()) | {
        "spec": {
            "clusterIP": "None",
            "selector": {"app": GATEWAY},
            "ports": [
                {"name": name, "port": port, "targetPort": port, "protocol": "TCP"}
                for name, port in ports.items()
            ],
        }
    }


def _scraped() -> Object:
    """The metrics of skills beside the gateway's own; the first tier's chart has its monitor."""
    head = named("monitoring.coreos.com/v1", "PodMonitor", GATEWAY, SPACE, names.platform_labels())
    return head | {
        "spec": {
            "selector": {"matchLabels": {"app": GATEWAY}},
            "podMetricsEndpoints": [
                # By number: the chart names ports as it likes.
                {"portNumber": port, "path": "/metrics", "interval": "15s"}
                for port in (OWN_METRICS_PORT, SKILL_METRICS_PORT)
            ],
        }
    }
