"""The stores that run in the cluster: ClickHouse with its keepers; Opik's MySQL is beside it.

ClickHouse is two custom resources of the official operator, not the objects of Langfuse's chart:
those have no field for security contexts, disruption budgets or a second user.
"""

from __future__ import annotations

from hashlib import sha256

from aspora.render import mysql
from aspora.render.objects import Object
from aspora.render.store_parts import SKIP_AWAIT, account, artifacts, claim, head
from aspora.services.stores import (
    CLICKHOUSE,
    CLICKHOUSE_BACKUPS,
    CLICKHOUSE_HOST,
    CLICKHOUSE_NATIVE_PORT,
    CLICKHOUSE_USERS,
    platform_prefix,
)
from aspora.services.values.common import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    STANDARD,
    Size,
    from_secret,
    labels,
    placed,
    resources,
    size,
    spread,
)
from aspora.stack import StackSettings
from aspora.telemetry.migrations import migrations

CLICKHOUSE_API = "clickhouse.com/v1alpha1"
# hub.docker.com/r/clickhouse/clickhouse-server/tags: what the chart of Langfuse 2.0.0 names.
CLICKHOUSE_TAG = "26.4"
CLICKHOUSE_IMAGE = "docker.io/clickhouse/clickhouse-server"
USER = 101
"""clickhouse's, in its images."""
KEEPERS = 3
"""An odd number: two of three go on."""
CLIENT = [
    "clickhouse-client",
    f"--host={CLICKHOUSE_HOST}",
    f"--port={CLICKHOUSE_NATIVE_PORT}",
    "--multiquery",
]


def objects(settings: StackSettings) -> list[Object]:
    """ClickHouse, MySQL, and the disruption budgets of what has several pods."""
    count = size(settings)
    return [
        # ClickHouse's own, whose role writes backups; the keepers' own, so that they hold no token.
        *(account(name) for name in ("clickhouse", "clickhouse-keeper")),
        _keepers(count),
        _clickhouse(count),
        _databases(count),
        *_tables(count),
        _backup(settings, count),
        *mysql.objects(settings, count),
        *_budgets(count),
    ]


def _keepers(count: Size) -> Object:
    return head(CLICKHOUSE_API, "KeeperCluster", CLICKHOUSE) | {
        "spec": {
            "replicas": KEEPERS if count.several else 1,
            "labels": labels("clickhouse-keeper"),
            "dataVolumeClaimSpec": claim("10Gi"),
            "podTemplate": _pod("clickhouse-keeper", count),
            "containerTemplate": _container(
                "docker.io/clickhouse/clickhouse-keeper", resources("50m", "256Mi", "1Gi")
            ),
            "settings": {"logger": {"jsonLogs": True, "logToFile": False}},
        }
    }


def _clickhouse(count: Size) -> Object:
    amount = resources(count.pick("100m", "2"), count.pick("1Gi", "8Gi"), count.pick("4Gi", "8Gi"))
    secret = [from_secret(_variable(user), "clickhouse", user) for user in CLICKHOUSE_USERS]
    return head(CLICKHOUSE_API, "ClickHouseCluster", CLICKHOUSE) | {
        "spec": {
            "replicas": count.replicas,
            "shards": 1,
            "keeperClusterRef": {"name": CLICKHOUSE},
            "labels": labels("clickhouse"),
            "dataVolumeClaimSpec": claim(count.pick("30Gi", "200Gi")),
            "podTemplate": _pod("clickhouse", count),
            "containerTemplate": _container(CLICKHOUSE_IMAGE, amount) | {"env": secret},
            "settings": {
                "logger": {"jsonLogs": True, "logToFile": False},
                "defaultUserPassword": {"secret": {"name": "clickhouse", "key": "admin"}},
                # Opik's migrations name the cluster by this macro.
                "extraConfig": {
                    "macros": {"cluster": "default"},
                    "s3": {"use_environment_credentials": True},
                },
                "extraUsersConfig": {
                    "users": {user: _user(user, base) for user, base in CLICKHOUSE_USERS.items()}
                },
            },
        }
    }


def _variable(user: str) -> str:
    return f"PASSWORD_OF_{user.upper()}"


def _user(user: str, database: str) -> Object:
    """Everything in its own database, on every replica, and nothing elsewhere."""
    return {
        "password": {"@from_env": _variable(user)},
        "networks": {"ip": "::/0"},
        "profile": "default",
        "quota": "default",
        "grants": {"query": [f"GRANT ALL ON {database}.*", "GRANT CLUSTER ON *.*"]},
    }


def _pod(service: str, count: Size) -> Object:
    return {
        "serviceAccountName": service,
        "nodeSelector": placed(count),
        "securityContext": POD_SECURITY | {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER},
        "topologySpreadConstraints": spread(labels(service)),
    }


def _container(image: str, amount: Object) -> Object:
    return {
        "image": {"repository": image, "tag": CLICKHOUSE_TAG},
        "resources": amount,
        "securityContext": CONTAINER_SECURITY | {"readOnlyRootFilesystem": False},
    }


def _databases(count: Size) -> Object:
    """Makes the databases that are not there, then is gone; it tries until ClickHouse answers.

    Each try is a pod of its own: the first may be older than the mesh, and would be refused for
    ever.
    """
    made = "; ".join(
        f"CREATE DATABASE IF NOT EXISTS {name} ON CLUSTER default{_engine(name)}"
        for name in CLICKHOUSE_USERS.values()
        if name != "default"
    )
    template = _client(count, "databases", [*CLIENT, f"--query={made}"])
    template["spec"]["restartPolicy"] = "Never"
    return head("batch/v1", "Job", "clickhouse-databases", SKIP_AWAIT) | {
        "spec": {"backoffLimit": 60, "template": template}
    }


def _engine(database: str) -> str:
    """Telemetry's hands each statement on to every replica; the products bring their own ways."""
    if database != CLICKHOUSE_USERS["telemetry"]:
        return ""
    return f" ENGINE = Replicated('/clickhouse/databases/{database}', '{{shard}}', '{{replica}}')"


def _tables(count: Size) -> list[Object]:
    """Makes the tables of telemetry; a Job of its own for each set of migrations, for a Job never
    changes. Every statement may be repeated (aspora/telemetry/migrations.py)."""
    text = "".join(
        f"{statement};\n" for one in migrations() for statement in one.statements(replicated=True)
    )
    name = f"clickhouse-tables-{sha256(text.encode()).hexdigest()[:8]}"
    database = CLICKHOUSE_USERS["telemetry"]
    command = [*CLIENT, f"--database={database}", "--queries-file=/etc/aspora/tables.sql"]
    template = _client(count, "tables", command)
    template["spec"]["restartPolicy"] = "Never"
    template["spec"]["volumes"] = [{"name": "sql", "configMap": {"name": name}}]
    template["spec"]["containers"][0]["volumeMounts"] = [
        {"name": "sql", "mountPath": "/etc/aspora", "readOnly": True}
    ]
    return [
        head("v1", "ConfigMap", name) | {"data": {"tables.sql": text}},
        head("batch/v1", "Job", name, SKIP_AWAIT)
        | {"spec": {"backoffLimit": 60, "template": template}},
    ]


def _backup(settings: StackSettings, count: Size) -> Object:
    """A whole one every Sunday; S3 drops those that are five weeks old."""
    bucket = artifacts(settings)
    place = f"https://{bucket}.s3.{settings.region}.amazonaws.com/"
    what = ", ".join(f"DATABASE {name}" for name in CLICKHOUSE_USERS.values())
    # The date is the shell's: a name of its own for each backup.
    query = f"BACKUP {what} TO S3('{place}{platform_prefix(CLICKHOUSE_BACKUPS)}$(date +%F)/')"
    template = _client(count, "backup", ["/bin/sh", "-c", f'{" ".join(CLIENT)} --query="{query}"'])
    job = {"backoffLimit": 2, "activeDeadlineSeconds": 6 * 3600, "template": template}
    return head("batch/v1", "CronJob", "clickhouse-backup") | {
        "spec": {
            "schedule": "30 0 * * 0",
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": job},
        }
    }


def _client(count: Size, name: str, command: list[str]) -> Object:
    """A pod that tells ClickHouse something as its administrator."""
    container: Object = {
        "name": name,
        "image": f"{CLICKHOUSE_IMAGE}:{CLICKHOUSE_TAG}",
        "command": command,
        "env": [from_secret("CLICKHOUSE_PASSWORD", "clickhouse", "admin")],
        "resources": resources("10m", "128Mi", "256Mi"),
        "securityContext": CONTAINER_SECURITY,
    }
    pod: Object = {
        "restartPolicy": "OnFailure",
        "automountServiceAccountToken": False,
        "priorityClassName": STANDARD,
        "nodeSelector": placed(count),
        "securityContext": POD_SECURITY | {"runAsUser": USER},
        "containers": [container],
    }
    return {"metadata": {"labels": labels("clickhouse-jobs")}, "spec": pod}


BUDGETS: tuple[tuple[str, dict[str, str]], ...] = (
    ("clickhouse", labels("clickhouse")),
    ("clickhouse-keeper", labels("clickhouse-keeper")),
    ("opik-backend", {"component": "opik-backend"}),
    ("opik-frontend", {"component": "opik-frontend"}),
    ("phoenix", labels("phoenix")),
)
"""Of what has several pods in prod, where the operator or the chart makes no budget."""


def _budgets(count: Size) -> list[Object]:
    if not count.several:
        return []
    return [
        head("policy/v1", "PodDisruptionBudget", name)
        | {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": match}}}
        for name, match in BUDGETS
    ]
