"""Langfuse, Opik and Phoenix: where executions are looked at.

Each keeps its data in stores of the platform (aspora/services/stores.py); the databases that
their charts would bring are switched off, and with them the charts' known passwords.
"""

from __future__ import annotations

from aspora import names
from aspora.services.stores import (
    CLICKHOUSE_HOST,
    CLICKHOUSE_HTTP_PORT,
    CLICKHOUSE_NATIVE_PORT,
    MYSQL,
    MYSQL_PORT,
    PHOENIX_DAYS,
    platform_prefix,
)
from aspora.services.values.common import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Size,
    Values,
    from_secret,
    labels,
    placed,
    resources,
    size,
    spread,
)
from aspora.services.values.stores import VALKEY
from aspora.stack import StackSettings

# An address that resolves nowhere (RFC 2606): the endpoint comes as a variable from the named
# secret of the platform's databases, and a variable wins over what the chart makes of this.
FROM_SECRET = "from-the-secret.invalid"  # noqa: S105
OPIK_VERSION = "2.2.35"


def _bucket(settings: StackSettings) -> str:
    prefix = settings.aws.bucket_prefix if settings.aws else f"aspora-{settings.environment}"
    return names.bucket(prefix, "artifacts")


def _zone(settings: StackSettings) -> str:
    return settings.aws.dns.private_zone if settings.aws else "local"


def langfuse(settings: StackSettings) -> Values:
    """Traces, scores and the versions of prompts. Its one project and user are made at the start,
    and nobody signs up."""
    count = size(settings)
    return {
        "fullnameOverride": "langfuse",
        "langfuse": _langfuse(settings, count),
        "postgresql": {
            "deploy": False,
            "host": FROM_SECRET,
            "auth": {
                "username": "langfuse",
                "database": "langfuse",
                "existingSecret": "langfuse",
                "secretKeys": {"userPasswordKey": "database-password"},
            },
        },
        "redis": {
            "deploy": False,
            "host": VALKEY,
            "auth": {"existingSecret": "langfuse", "existingSecretPasswordKey": "valkey-password"},
        },
        "clickhouse": {
            "deploy": False,
            "host": CLICKHOUSE_HOST,
            "httpPort": CLICKHOUSE_HTTP_PORT,
            "nativePort": CLICKHOUSE_NATIVE_PORT,
            "database": "default",
            "auth": {
                "username": "langfuse",
                "existingSecret": "langfuse",
                "existingSecretKey": "clickhouse-password",
            },
        },
        "s3": {
            "deploy": False,
            "bucket": _bucket(settings),
            "region": settings.region,
            "forcePathStyle": False,
            "eventUpload": {"prefix": f"{platform_prefix('langfuse')}events/"},
            "batchExport": {"prefix": f"{platform_prefix('langfuse')}exports/"},
            "mediaUpload": {"prefix": f"{platform_prefix('langfuse')}media/"},
        },
    }


def _langfuse(settings: StackSettings, count: Size) -> Values:
    keys = {"salt": "salt", "encryptionKey": "encryption-key"}
    user = settings.aws.spending.emails[0] if settings.aws else "platform@example.com"
    part: Values = {
        "replicas": count.replicas,
        "pdb": {"create": count.several, "minAvailable": 1 if count.several else ""},
    }
    return {
        **{
            field: {"secretKeyRef": {"name": "langfuse", "key": key}} for field, key in keys.items()
        },
        "nextauth": {
            "url": f"https://langfuse.{_zone(settings)}",
            "secret": {"secretKeyRef": {"name": "langfuse", "key": "session-secret"}},
        },
        "features": {
            "telemetryEnabled": False,
            "signUpDisabled": True,
            "experimentalFeaturesEnabled": False,
        },
        "image": {"pullPolicy": "IfNotPresent"},
        "logging": {"format": "json"},
        "nodeSelector": placed(count),
        "pod": {
            "labels": labels("langfuse"),
            "topologySpreadConstraints": spread(labels("langfuse")),
        },
        "podSecurityContext": POD_SECURITY | {"runAsUser": 1001},
        "securityContext": CONTAINER_SECURITY | {"readOnlyRootFilesystem": False},
        "serviceAccount": {
            "create": True,
            "name": "langfuse",
            "automountServiceAccountToken": False,
        },
        "additionalEnv": _first_project(user),
        "web": part
        | {"resources": resources(count.pick("50m", "100m"), count.pick("384Mi", "1Gi"), "2Gi")},
        "worker": part
        | {"resources": resources(count.pick("50m", "100m"), count.pick("384Mi", "1Gi"), "2Gi")},
    }


def _first_project(user: str) -> list[Values]:
    """The organisation, its project with the collector's keys, and one person who may log in."""
    known = {"ORG_ID": "aspora", "ORG_NAME": "Aspora", "PROJECT_ID": "aspora"}
    known |= {"PROJECT_NAME": "agents", "USER_EMAIL": user, "USER_NAME": "platform"}
    hidden = {
        "PROJECT_PUBLIC_KEY": "public-key",
        "PROJECT_SECRET_KEY": "secret-key",
        "USER_PASSWORD": "first-user",
    }
    return [
        from_secret("DATABASE_URL", "langfuse", "database-url"),
        *({"name": f"LANGFUSE_INIT_{key}", "value": value} for key, value in known.items()),
        *(from_secret(f"LANGFUSE_INIT_{name}", "langfuse", key) for name, key in hidden.items()),
    ]


def opik(settings: StackSettings) -> Values:
    """Experiments and evaluations. Only the two parts without a privileged container.

    The third, which runs evaluators' Python code as root, stays off; so do demo data, the migration
    from older charts, and every database of the chart.
    """
    count = size(settings)
    off = ("clickhouse", "minio", "mysql", "redis", "zookeeper")
    return {
        **{part: {"enabled": False} for part in off},
        "demoDataJob": {"enabled": False},
        "chartMigration": {"enabled": False},
        "commonLabels": labels("opik"),
        "nodeSelector": placed(count),
        "component": {
            "backend": _opik_backend(settings, count),
            "frontend": _opik_part(count, "frontend") | {"resources": resources("10m", "64Mi")},
            "python-backend": {"enabled": False},
        },
    }


def _opik_part(count: Size, name: str) -> Values:
    return {
        "enabled": True,
        "image": {"tag": OPIK_VERSION},
        "replicaCount": count.replicas,
        "serviceAccount": {"create": True, "name": f"opik-{name}"},
        "podSecurityContext": POD_SECURITY | {"runAsUser": 1001},
        "securityContext": CONTAINER_SECURITY | {"readOnlyRootFilesystem": False},
    }


def _opik_backend(settings: StackSettings, count: Size) -> Values:
    """Passwords are empty in the ConfigMap: the Secret comes after it, and the last one wins."""
    secret = ("ANALYTICS_DB_MIGRATIONS_PASS", "ANALYTICS_DB_PASS", "REDIS_URL", "STATE_DB_PASS")
    return _opik_part(count, "backend") | {
        "resources": resources(count.pick("100m", "500m"), count.pick("768Mi", "1Gi"), "2Gi"),
        "waitForClickhouse": {
            "clickhouse": {"host": CLICKHOUSE_HOST, "port": CLICKHOUSE_HTTP_PORT}
        },
        "waitForMysql": {"enabled": True, "mysql": {"host": MYSQL, "port": MYSQL_PORT}},
        "env": dict.fromkeys(secret, "")
        | {
            "STATE_DB_URL": f"{MYSQL}:{MYSQL_PORT}/opik?rewriteBatchedStatements=true",
            "ANALYTICS_DB_MIGRATIONS_URL": (
                f"jdbc:clickhouse://{CLICKHOUSE_HOST}:{CLICKHOUSE_HTTP_PORT}"
            ),
            "ANALYTICS_DB_HOST": CLICKHOUSE_HOST,
            "ANALYTICS_DB_PORT": str(CLICKHOUSE_HTTP_PORT),
            "S3_BUCKET": _bucket(settings),
            "S3_REGION": settings.region,
            # Else it looks for a MinIO on its own pod.
            "IS_MINIO": "false",
            "OPIK_USAGE_REPORT_ENABLED": "false",
            "PYTHON_EVALUATOR_URL": "",
        },
        "envFrom": [
            {"configMapRef": {"name": "opik-backend"}},
            {"secretRef": {"name": "opik"}},
        ],
    }


def phoenix(settings: StackSettings) -> Values:
    """Traces in PostgreSQL, which it enters by IAM token: there is no password of a database."""
    count = size(settings)
    secret = ("PHOENIX_SECRET", "PHOENIX_ADMIN_SECRET", "PHOENIX_DEFAULT_ADMIN_INITIAL_PASSWORD")
    return {
        "replicaCount": count.replicas,
        "additionalEnv": [
            from_secret("PHOENIX_POSTGRES_HOST", "phoenix", "host"),
            from_secret("PHOENIX_POSTGRES_PORT", "phoenix", "port"),
            {"name": "AWS_REGION", "value": settings.region},
        ],
        "auth": {
            "createSecret": False,
            "name": "phoenix",
            "defaultAdminPassword": "",
            "secret": [{"key": key} for key in secret],
            "useSecureCookies": True,
            "oauth2AuthorizationServer": {"enabled": False},
        },
        "database": {
            "defaultRetentionPolicyDays": PHOENIX_DAYS,
            "postgres": {
                "host": FROM_SECRET,
                "db": "phoenix",
                "user": "phoenix",
                "password": "",
                "useAwsIamAuth": True,
            },
        },
        "postgresql": {"enabled": False},
        "persistence": {"enabled": False},
        "ingress": {"enabled": False},
        "service": {"type": "ClusterIP"},
        "deployment": {"nodeSelector": placed(count), "podLabels": labels("phoenix")},
        "resources": resources(count.pick("50m", "100m"), count.pick("384Mi", "1Gi"), "2Gi"),
        "securityContext": {"container": {"enabled": True}, "pod": {"enabled": True}},
        "serviceAccount": {"create": True, "name": "phoenix"},
        "server": {
            "rootUrl": f"https://phoenix.{_zone(settings)}",
            "allowExternalResources": False,
            "enableMcpServer": False,
            "enablePrometheus": True,
            "telemetryEnabled": False,
        },
    }
