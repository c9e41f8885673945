"""What istiod is told once for the whole mesh: its chart's value `meshConfig`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aspora import flows, names

TRACES = "otel"
ACCESS_LOG = "json-log"

MESH_CONFIG: Mapping[str, Any] = {
    "trustDomain": "cluster.local",
    "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
    "pathNormalization": {"normalization": "DECODE_AND_MERGE_SLASHES"},
    "enablePrometheusMerge": True,
    "defaultConfig": {"holdApplicationUntilProxyStarts": True},
    "extensionProviders": [
        {
            "name": TRACES,
            "opentelemetry": {
                "service": f"otel-collector.{names.OBSERVABILITY_NAMESPACE}.svc.cluster.local",
                "port": flows.OTLP_GRPC_PORT,
            },
        },
        {
            "name": ACCESS_LOG,
            "envoyFileAccessLog": {
                "path": "/dev/stdout",
                "logFormat": {
                    "labels": {
                        "time": "%START_TIME%",
                        "method": "%REQ(:METHOD)%",
                        "authority": "%REQ(:AUTHORITY)%",
                        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
                        "status": "%RESPONSE_CODE%",
                        "flags": "%RESPONSE_FLAGS%",
                        "details": "%RESPONSE_CODE_DETAILS%",
                        "peer": "%DOWNSTREAM_PEER_URI_SAN%",
                        "duration_ms": "%DURATION%",
                        "bytes_in": "%BYTES_RECEIVED%",
                        "bytes_out": "%BYTES_SENT%",
                        "request_id": "%REQ(X-REQUEST-ID)%",
                        "trace": "%TRACE_ID%",
                    }
                },
            },
        },
    ],
}
"""What istiod's chart gets as `meshConfig`: the providers that Telemetry names stand here.

Paths are normalised before any policy sees them, so that `//` and `%2F` open no second way."""
