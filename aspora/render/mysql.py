"""Opik's MySQL, and its dump of every night.

Opik's chart would bring one with a known password written into its first script.
"""

from __future__ import annotations

from aspora.gateways.pins import AWS_CLI
from aspora.render.objects import Object
from aspora.render.store_parts import SKIP_AWAIT, account, artifacts, claim, head
from aspora.services.stores import (
    MYSQL,
    MYSQL_BACKUP,
    MYSQL_BACKUPS,
    MYSQL_PORT,
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
)
from aspora.stack import StackSettings

# hub.docker.com/_/mysql: the release with long support.
IMAGE = "docker.io/library/mysql:8.4"
USER = 999
DATABASE = "opik"
LOGIN_PATH = "/etc/mysql-login"
DUMP_PATH = "/backup"
# One moment of all tables without a lock, as Opik's own user: who dumps may not administer. Written
# under another name until it is whole, so that half a dump is never uploaded.
DUMP = (
    f"mysqldump --defaults-extra-file={LOGIN_PATH}/client.cnf --host={MYSQL} --port={MYSQL_PORT} "
    "--single-transaction --routines --triggers --no-tablespaces --set-gtid-purged=OFF "
    f"{DATABASE} | gzip > {DUMP_PATH}/unfinished && "
    f"mv {DUMP_PATH}/unfinished {DUMP_PATH}/$(date -u +%F).sql.gz"
)


def objects(settings: StackSettings, count: Size) -> list[Object]:
    """Service, StatefulSet and CronJob; the dump has an account of its own, which may write below
    one prefix and read nothing."""
    return [_service(), _server(count), account(MYSQL_BACKUP), _backup(settings, count)]


def _service() -> Object:
    return head("v1", "Service", MYSQL) | {
        "spec": {
            "clusterIP": "None",
            "selector": labels(MYSQL),
            "ports": [{"name": "tcp-mysql", "port": MYSQL_PORT, "targetPort": MYSQL_PORT}],
        }
    }


def _server(count: Size) -> Object:
    body: Object = {
        "serviceName": MYSQL,
        "replicas": 1,
        "selector": {"matchLabels": labels(MYSQL)},
        "template": {"metadata": {"labels": labels(MYSQL)}, "spec": _server_pod(count)},
        "volumeClaimTemplates": [
            {"metadata": {"name": "data"}, "spec": claim(count.pick("10Gi", "20Gi"))}
        ],
    }
    return head("apps/v1", "StatefulSet", MYSQL, SKIP_AWAIT) | {"spec": body}


def _server_pod(count: Size) -> Object:
    container: Object = {
        "name": "mysql",
        "image": IMAGE,
        "args": ["--character-set-server=utf8mb4", "--skip-name-resolve"],
        "env": [
            {"name": "MYSQL_DATABASE", "value": DATABASE},
            {"name": "MYSQL_USER", "value": "opik"},
            from_secret("MYSQL_PASSWORD", MYSQL, "opik"),
            from_secret("MYSQL_ROOT_PASSWORD", MYSQL, "root"),
        ],
        "ports": [{"name": "tcp-mysql", "containerPort": MYSQL_PORT}],
        "resources": resources("50m", count.pick("512Mi", "1Gi"), "1Gi"),
        "securityContext": CONTAINER_SECURITY,
        "startupProbe": _listens(failures=60),
        "livenessProbe": _listens(failures=6),
        "readinessProbe": _listens(failures=3),
        "volumeMounts": [
            {"name": "data", "mountPath": "/var/lib/mysql"},
            {"name": "run", "mountPath": "/var/run/mysqld"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }
    volumes: list[Object] = [{"name": "run", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    return _pod(count, [container], volumes)


def _pod(count: Size, containers: list[Object], volumes: list[Object]) -> Object:
    return {
        "automountServiceAccountToken": False,
        "priorityClassName": STANDARD,
        "nodeSelector": placed(count),
        "securityContext": POD_SECURITY | {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER},
        "containers": containers,
        "volumes": volumes,
    }


def _listens(failures: int) -> Object:
    return {"tcpSocket": {"port": MYSQL_PORT}, "periodSeconds": 10, "failureThreshold": failures}


def _backup(settings: StackSettings, count: Size) -> Object:
    """At night, before RDS's own window; a retry of the same day overwrites the same object."""
    template = {
        "metadata": {"labels": labels(MYSQL_BACKUP)},
        "spec": _backup_pod(settings, count),
    }
    job = {"backoffLimit": 2, "activeDeadlineSeconds": 2 * 3600, "template": template}
    return head("batch/v1", "CronJob", MYSQL_BACKUP) | {
        "spec": {
            "schedule": "15 1 * * *",
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": job},
        }
    }


def _backup_pod(settings: StackSettings, count: Size) -> Object:
    """MySQL's image dumps and knows no AWS; the AWS CLI sends and knows no password."""
    dump = _step("dump", IMAGE, ["/bin/bash", "-o", "pipefail", "-c", DUMP])
    dump["volumeMounts"].append({"name": "login", "mountPath": LOGIN_PATH, "readOnly": True})
    place = f"s3://{artifacts(settings)}/{platform_prefix(MYSQL_BACKUPS)}"
    send = _step(
        "send",
        AWS_CLI.image,
        ["aws", "s3", "cp", "--recursive", "--no-progress", DUMP_PATH, place],
    )
    send["env"] = [
        {"name": "AWS_REGION", "value": settings.region},
        {"name": "HOME", "value": "/tmp"},  # noqa: S108
    ]
    volumes: list[Object] = [
        {"name": "backup", "emptyDir": {"sizeLimit": "10Gi"}},
        {"name": "tmp", "emptyDir": {}},
        {
            "name": "login",
            "secret": {
                "secretName": MYSQL,
                "items": [{"key": "client.cnf", "path": "client.cnf"}],
            },
        },
    ]
    pod = _pod(count, [send], volumes)
    return pod | {
        "serviceAccountName": MYSQL_BACKUP,
        "restartPolicy": "Never",
        "initContainers": [dump],
    }


def _step(name: str, image: str, command: list[str]) -> Object:
    return {
        "name": name,
        "image": image,
        "command": command,
        "resources": resources("20m", "128Mi", "512Mi"),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "backup", "mountPath": DUMP_PATH},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }
