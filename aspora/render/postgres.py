"""PostgreSQL's databases and users for the platform's services, by a Job before who needs them.

Two steps in one pod. `aspora database login` asks AWS for the administrator's password, which no
Secret of the cluster holds, and writes what psql logs in with to a folder in memory; psql then runs
`sql()`, each statement of which may be repeated. Databases of domains are not made here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256

from aspora.gateways.pins import COMMAND, PSQL
from aspora.render.objects import Object
from aspora.render.store_parts import account, head
from aspora.services.stores import (
    BY_PASSWORD,
    POSTGRES_ADMIN,
    POSTGRES_ADMIN_DATABASE,
    POSTGRES_DATABASES,
    POSTGRES_JOB,
)
from aspora.services.values.common import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    STANDARD,
    Values,
    from_secret,
    labels,
    placed,
    resources,
    size,
)
from aspora.stack import StackSettings

SQL_PATH = "/etc/aspora"
SECRETS_PATH = "/var/run/aspora/secrets"
LOGIN_PATH = "/var/run/aspora/login"
"""In memory: `passfile`, and `<user>.verifier` for each user with a password."""
USER = 999
"""postgres', in its image. libpq takes no password file that others may read."""
AWAIT_SECONDS = "900"
"""The longest that a deployment waits: External Secrets and a first node come before the pod."""


def objects(settings: StackSettings) -> list[Object]:
    """Nothing where no RDS is. A Job never changes, so another one has another name."""
    if settings.aws is None:
        return []
    text, pod = sql(), _pod(settings)
    mark = sha256((text + json.dumps(pod, sort_keys=True)).encode()).hexdigest()[:8]
    name = f"{POSTGRES_JOB}-{mark}"
    pod["volumes"].append({"name": "sql", "configMap": {"name": name}})
    template = {"metadata": {"labels": labels(POSTGRES_JOB)}, "spec": pod}
    # Waited for: four releases would else try until their time is up, and say less why.
    wait = {"pulumi.com/timeoutSeconds": AWAIT_SECONDS}
    return [
        account(POSTGRES_JOB),
        head("v1", "ConfigMap", name) | {"data": {"databases.sql": text}},
        head("batch/v1", "Job", name, wait) | {"spec": {"backoffLimit": 60, "template": template}},
    ]


def sql() -> str:
    """For psql: all users and databases."""
    return "\n".join(line for name in POSTGRES_DATABASES for line in _product(name)) + "\n"


def _product(name: str) -> Iterator[str]:
    """A user, and the one database that is its own and that nobody else may enter.

    PostgreSQL knows no IF NOT EXISTS for either. Since version 16 the administrator has to be a
    member of a role to give it a database.
    """
    there = f"SELECT FROM pg_catalog.pg_roles WHERE rolname = '{name}'"
    yield f"SELECT 'CREATE ROLE {name} LOGIN' WHERE NOT EXISTS ({there}) \\gexec"
    if name in BY_PASSWORD:
        yield f"\\set verifier `cat {LOGIN_PATH}/{name}.verifier`"
        # Without one the division fails, and psql stops: an empty password would lock the user out.
        yield "SELECT 1 / (:'verifier' LIKE 'SCRAM-SHA-256$%')::int AS verifier_is_there;"
        yield f"ALTER ROLE {name} LOGIN PASSWORD :'verifier';"
    else:
        yield f"ALTER ROLE {name} LOGIN PASSWORD NULL;"
        yield f"GRANT rds_iam TO {name};"
    yield f"GRANT {name} TO CURRENT_USER;"
    made = f"SELECT FROM pg_catalog.pg_database WHERE datname = '{name}'"
    yield f"SELECT 'CREATE DATABASE {name} OWNER {name}' WHERE NOT EXISTS ({made}) \\gexec"
    yield f"ALTER DATABASE {name} OWNER TO {name};"
    yield f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;"


def _pod(settings: StackSettings) -> Object:
    login = _step(
        "login",
        COMMAND.image,
        [
            *("aspora", "database", "login", "--region", settings.region),
            *("--secrets", SECRETS_PATH, "--to", LOGIN_PATH),
        ],
    )
    login["volumeMounts"].append({"name": "secrets", "mountPath": SECRETS_PATH, "readOnly": True})
    psql = _step(
        "psql",
        PSQL.image,
        [
            *("psql", "--no-psqlrc", "--no-password", "--set=ON_ERROR_STOP=1"),
            f"--file={SQL_PATH}/databases.sql",
        ],
    )
    psql["env"] += _connection()
    psql["volumeMounts"].append({"name": "sql", "mountPath": SQL_PATH, "readOnly": True})
    return {
        "serviceAccountName": POSTGRES_JOB,
        "automountServiceAccountToken": False,
        # Each try is a pod of its own: the first may be older than the Secret.
        "restartPolicy": "Never",
        "priorityClassName": STANDARD,
        "nodeSelector": placed(size(settings)),
        "securityContext": POD_SECURITY | {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER},
        "initContainers": [login],
        "containers": [psql],
        "volumes": [
            {"name": "login", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "tmp", "emptyDir": {}},
            {"name": "secrets", "secret": {"secretName": POSTGRES_JOB}},
        ],
    }


def _connection() -> list[Values]:
    """As decision 43 has it: TLS, which this image cannot verify. The password is never sent in
    clear: SCRAM proves it."""
    plain = {
        "PGUSER": POSTGRES_ADMIN,
        "PGDATABASE": POSTGRES_ADMIN_DATABASE,
        "PGPASSFILE": f"{LOGIN_PATH}/passfile",
        "PGSSLMODE": "require",
        "PGREQUIREAUTH": "scram-sha-256",
        "PGCONNECT_TIMEOUT": "10",
    }
    return [
        from_secret("PGHOST", POSTGRES_JOB, "host"),
        from_secret("PGPORT", POSTGRES_JOB, "port"),
        *({"name": name, "value": value} for name, value in plain.items()),
    ]


def _step(name: str, image: str, command: list[str]) -> Object:
    return {
        "name": name,
        "image": image,
        "command": command,
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108
        "resources": resources("20m", "128Mi", "256Mi"),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "login", "mountPath": LOGIN_PATH},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }
