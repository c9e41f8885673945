"""The collector on each node: logs of the platform's own pods, from the node's disk to S3.

    /var/log/pods/<namespace>_<pod>_<uid>/ ──> otel-logs, one a node: mask ──> S3, platform/pods/

It stands beside the two tiers and not before them: of the gateway, or of the mesh, it tells as well
when they do not work. Pods of domains are left out: their logs come by OTLP, with who sent them.
Read so far and not yet sent is kept on the node's disk, so that a restart loses nothing.
"""

from __future__ import annotations

from typing import Any

from aspora import names
from aspora.services.namespaces import NAMESPACES
from aspora.stack import StackSettings
from aspora.system_flows import NAMESPACE as SYSTEM
from aspora.telemetry import attributes as a
from aspora.telemetry import exporters, redaction
from aspora.telemetry.collector import health_check, memory_limiter, service_section

Object = dict[str, Any]

NAME = "otel-logs"
PREFIX = f"{names.PLATFORM_OWNER}/pods"
"""Below it lie year=…/month=…/day=…/hour=…"""
LOGS_PATH = "/var/log/pods"
"""Where kubelet keeps them; the files in it are containerd's own, no links to elsewhere."""
STATE_PATH = "/var/lib/otel-logs"
"""How far each file was read, and what waits to be sent."""
OBJECT_LINES = 10_000
"""Lines in one object of S3, if a minute brings so many."""
WAITING_LINES = 100_000
"""On the disk while S3 does not answer; then reading waits too, until kubelet rotates."""


def config(settings: StackSettings) -> Object:
    """Raises ValueError where the stack has no account: its logs have nowhere to go."""
    processors: Object = {
        "memory_limiter": memory_limiter(),
        "redaction": redaction.processor(),
        "resource/stack": {
            "attributes": [
                {"key": a.ENVIRONMENT, "value": settings.environment, "action": "upsert"}
            ]
        },
    }
    pipeline = {
        "receivers": ["file_log"],
        "processors": list(processors),
        "exporters": ["awss3"],
    }
    return {
        "receivers": {"file_log": _files()},
        "processors": processors,
        "exporters": {"awss3": _bucket(settings)},
        "extensions": health_check() | {"file_storage": {"directory": STATE_PATH}},
        "service": service_section({"logs": pipeline})
        | {"extensions": ["health_check", "file_storage"]},
    }


def namespaces() -> tuple[str, ...]:
    """Whose pods are read."""
    return (SYSTEM, *(space.name for space in NAMESPACES))


def _files() -> Object:
    return {
        "include": [f"{LOGS_PATH}/{name}_*/*/*.log" for name in namespaces()],
        # A line of its own for each line that could not be sent would never end.
        "exclude": [f"{LOGS_PATH}/{names.NODE_AGENTS_NAMESPACE}_{NAME}-*/*/*.log"],
        "start_at": "beginning",
        "include_file_path": True,
        "storage": "file_storage",
        "retry_on_failure": {"enabled": True},
        "operators": [
            # containerd's lines: time, stream, whether it goes on; and namespace, pod, container
            # from the path.
            {"type": "container", "format": "containerd", "max_log_size": "256KiB"},
            # Keys tell of secrets as well as values do, so JSON is taken apart before it is masked.
            {
                "type": "json_parser",
                "parse_to": "body",
                "if": 'body startsWith "{" and body endsWith "}"',
                "on_error": "send_quiet",
            },
        ],
    }


def _bucket(settings: StackSettings) -> Object:
    """As the logs of executions, below a prefix of its own, and with patience on the disk."""
    found = exporters.logs(settings)
    del found["resource_attrs_to_s3"]
    found["s3uploader"]["s3_prefix"] = PREFIX
    found["retry_on_failure"] = {"enabled": True, "max_interval": "60s", "max_elapsed_time": "0s"}
    found["sending_queue"] = {
        "enabled": True,
        "storage": "file_storage",
        "sizer": "items",
        "queue_size": WAITING_LINES,
        "block_on_overflow": True,
        "num_consumers": 1,
        "batch": {
            "flush_timeout": "60s",
            "min_size": OBJECT_LINES,
            "max_size": OBJECT_LINES,
        },
    }
    return found
