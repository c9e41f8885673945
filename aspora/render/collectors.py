"""What stands around the collectors and is not their chart's: certificates, the headless Service
by which spans of one trace find one gateway, and what Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aspora import names
from aspora.models import Domain
from aspora.render.objects import Object, named
from aspora.render.secrets import ISSUER
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
    yield certificate(GATEWAY)
    yield _meeting_point()
    yield _scraped()


def tls_secret(tier: str) -> str:
    """The Secret mounted at TLS_PATH: tls.crt, tls.key, and ca.crt to check the other side."""
    return f"{tier}-tls"


def certificate(tier: str) -> Object:
    """The tier's identity, for both sides of a connection."""
    host = f"{tier}.{SPACE}.svc"
    head = named("cert-manager.io/v1", "Certificate", tier, SPACE, names.platform_labels())
    return head | {
        "spec": {
            "secretName": tls_secret(tier),
            "duration": "72h",
            "renewBefore": "48h",
            "dnsNames": [f"{tier}.{SPACE}", host, f"{host}.cluster.local"],
            "usages": ["digital signature", "server auth", "client auth"],
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "issuerRef": {"kind": "ClusterIssuer", "name": ISSUER},
        }
    }


def _meeting_point() -> Object:
    """Its name answers with the address of every gateway that is ready; the sender chooses."""
    ports = {"grpc-traces": TRACES_PORT, "grpc-count": COUNT_PORT}
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
