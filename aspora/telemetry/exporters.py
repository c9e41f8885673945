"""Where telemetry goes: the exporters of the gateway tier, with what each product needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aspora import names
from aspora.services.stores import (
    CLICKHOUSE_HOST,
    CLICKHOUSE_NATIVE_PORT,
    CLICKHOUSE_USERS,
)
from aspora.stack import StackSettings
from aspora.telemetry import attributes as a

Object = dict[str, Any]

_SPACE = f"{names.OBSERVABILITY_NAMESPACE}.svc.cluster.local"
LANGFUSE = f"http://langfuse-web.{_SPACE}:3000/api/public/otel"
OPIK = f"http://opik-frontend.{_SPACE}:5173/api/v1/private/otel"
PHOENIX = f"http://phoenix-svc.{_SPACE}:6006"
"""Its chart adds `-svc` to the release's name."""
CLICKHOUSE = f"tcp://{CLICKHOUSE_HOST}.{_SPACE}:{CLICKHOUSE_NATIVE_PORT}?dial_timeout=10s"
DATABASE = CLICKHOUSE_USERS["telemetry"]
SPANS_TABLE = "otel_traces"
OPIK_WORKSPACE = "default"

SECRETS: Mapping[str, str] = {
    "LANGFUSE_BASIC_AUTH": "base64 of <public key>:<secret key> of Langfuse's project",
    "PHOENIX_API_KEY": "a system API key of Phoenix",
    "CLICKHOUSE_USER": "the user of the database of telemetry",
    "CLICKHOUSE_PASSWORD": "its password",
}
"""The environment of the gateway's pods, from one Secret; nothing secret stands in the config."""


def patience() -> Object:
    """Five minutes of an absent receiver are bridged in memory; then spans are dropped, counted."""
    return {
        "retry_on_failure": {
            "enabled": True,
            "initial_interval": "1s",
            "max_interval": "30s",
            "max_elapsed_time": "300s",
        },
        "sending_queue": {"enabled": True, "num_consumers": 4, "queue_size": 2000},
    }


def products(settings: StackSettings) -> Object:
    """Langfuse, Opik and Phoenix: OTLP over HTTP in protobuf, and the headers each needs."""
    patient = patience()
    return {
        "otlp_http/langfuse": {
            "endpoint": LANGFUSE,
            "headers": {
                "Authorization": "Basic ${env:LANGFUSE_BASIC_AUTH}",
                # Without it traces show up with minutes of delay.
                "x-langfuse-ingestion-version": "4",
            },
            **patient,
        },
        "otlp_http/opik": {
            "endpoint": OPIK,
            "headers": {
                "Comet-Workspace": OPIK_WORKSPACE,
                "projectName": f"aspora-{settings.environment}",
            },
            **patient,
        },
        "otlp_http/phoenix": {
            "endpoint": PHOENIX,
            "headers": {"Authorization": "Bearer ${env:PHOENIX_API_KEY}"},
            **patient,
        },
    }


def clickhouse() -> Object:
    """Our migrations make the table (aspora/render/databases.py runs them), not the exporter."""
    return {
        "endpoint": CLICKHOUSE,
        "database": DATABASE,
        "username": "${env:CLICKHOUSE_USER}",
        "password": "${env:CLICKHOUSE_PASSWORD}",
        "traces_table_name": SPANS_TABLE,
        "create_schema": False,
        "async_insert": True,
        "timeout": "10s",
        **patience(),
    }


def logs(settings: StackSettings) -> Object:
    """JSON logs, a prefix a domain; credentials come by Pod Identity."""
    if settings.aws is None:
        raise ValueError("logs are kept in S3, and this stack has no `aws`")
    return {
        "marshaler": "otlp_json",
        "s3uploader": {
            "region": settings.region,
            "s3_bucket": names.bucket(settings.aws.bucket_prefix, "raw-logs"),
            "s3_prefix": names.PLATFORM_OWNER,
            "s3_partition_format": "year=%Y/month=%m/day=%d/hour=%H",
            "s3_partition_timezone": "UTC",
            "compression": "gzip",
        },
        # Logs of whoever has no domain go to the platform's prefix.
        "resource_attrs_to_s3": {"s3_prefix": a.DOMAIN},
        **patience(),
    }


def prometheus(endpoint: str, silence: str) -> Object:
    """What Prometheus scrapes; a series goes after `silence` without a span."""
    return {
        "endpoint": endpoint,
        # Names are whole in our table: nothing is added to them.
        "translation_strategy": "UnderscoreEscapingWithoutSuffixes",
        "without_scope_info": True,
        "metric_expiration": silence,
    }
