"""Valkey and the operator of ClickHouse; ClickHouse itself is objects of ours."""

from __future__ import annotations

from aspora import names
from aspora.services.values.common import (
    POD_SECURITY,
    STANDARD,
    Values,
    labels,
    placed,
    resources,
    size,
)
from aspora.stack import StackSettings

VALKEY = "valkey"
VALKEY_PORT = 6379
_USER = 1000


def valkey(settings: StackSettings) -> Values:
    """Langfuse's queue and Opik's cache. One pod: a second would not take over by itself.

    Nothing may be thrown away (Langfuse keeps its queue there); the disk lacks a second at most.
    """
    count = size(settings)
    return {
        "fullnameOverride": VALKEY,
        "auth": {
            "enabled": True,
            "usersExistingSecret": VALKEY,
            "aclUsers": {"default": {"permissions": "~* &* +@all"}},
        },
        "valkeyConfig": "maxmemory-policy noeviction\nappendonly yes\n",
        "dataStorage": {
            "enabled": True,
            "requestedSize": count.pick("8Gi", "16Gi"),
            "className": names.STORAGE_CLASS,
            "keepPvc": True,
        },
        # Its volume is held by one pod at a time.
        "deploymentStrategy": "Recreate",
        "priorityClassName": STANDARD,
        "nodeSelector": placed(count),
        "podLabels": labels(VALKEY),
        "podSecurityContext": POD_SECURITY | {"runAsUser": _USER, "fsGroup": _USER},
        "resources": resources("50m", count.pick("128Mi", "512Mi"), count.pick("512Mi", "2Gi")),
        "initResources": resources("10m", "32Mi", "64Mi"),
    }


def clickhouse_operator(settings: StackSettings) -> Values:
    """It makes pods of ClickHouseCluster and KeeperCluster, and checks them by a webhook.

    Its chart was made anew between 0.0.1 and 0.0.6, and `enable` became `enabled`; nobody here has
    seen 0.0.5. A chart without a schema reads the one it knows and leaves the other alone.
    """
    count = size(settings)
    return {
        "crd": _switch(on=False),
        "certManager": _switch(on=True) | {"install": False},
        "webhook": _switch(on=True),
        "metrics": _switch(on=True) | {"secure": False, "port": 8080},
        "prometheus": _switch(on=True) | {"service_monitor": True},
        "manager": {
            "replicas": count.replicas,
            "nodeSelector": placed(count),
            "podSecurityContext": POD_SECURITY,
            "resources": resources("20m", "128Mi", "256Mi"),
        },
    }


def _switch(*, on: bool) -> Values:
    return {"enable": on, "enabled": on}
