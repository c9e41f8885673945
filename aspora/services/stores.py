"""Which product keeps what in which store, how it is backed up and how it is restored.

docs/reference/stores.md is made of this table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aspora import names

CLICKHOUSE = "aspora"
"""The ClickHouseCluster and its KeeperCluster."""
CLICKHOUSE_HOST = f"{CLICKHOUSE}-clickhouse-headless"
"""The Service that the operator makes."""
CLICKHOUSE_HTTP_PORT = 8123
CLICKHOUSE_NATIVE_PORT = 9000
CLICKHOUSE_USERS = {"langfuse": "default", "opik": "opik", "telemetry": "telemetry"}
"""Each user with the one database that is its own."""
CLICKHOUSE_BACKUPS = "clickhouse-backups"
CLICKHOUSE_BACKUP_DAYS = 35
"""Five weekly ones."""
METRICS_DAYS = 35
"""Of Prometheus: a month to date and a few days more; no rule or panel looks further back."""
PHOENIX_DAYS = 90
RAW_LOGS_DAYS = 400
OLD_VERSION_DAYS = 90
"""How long the stack's buckets keep what was overwritten or deleted."""
STATE_VERSION_DAYS = 365
"""The same of the bucket of Pulumi's state, which `aspora bootstrap` makes."""
MYSQL = "opik-mysql"
MYSQL_PORT = 3306
MYSQL_BACKUP = "opik-mysql-backup"
"""The CronJob, its ServiceAccount, and the label of its pods."""
MYSQL_BACKUPS = "mysql-backups"
MYSQL_BACKUP_DAYS = 35
POSTGRES_DATABASES = ("grafana", "langfuse", "model_gateway", "phoenix")
"""In RDS, beside the domains' own, each with a user of its name: aspora/render/postgres.py."""
POSTGRES_ADMIN, POSTGRES_ADMIN_DATABASE = "aspora_admin", "aspora"
BY_PASSWORD = ("grafana", "langfuse")
"""Users that know no IAM token: their passwords are named secrets."""
POSTGRES_JOB = "postgres-databases"
"""The Job that makes them, its ServiceAccount, its Secret and the label of its pods."""

RESTORE_RDS = "docs/runbooks/restore-database.md"
RESTORE_CLICKHOUSE = "docs/runbooks/restore-clickhouse.md"
RESTORE_MYSQL = "docs/runbooks/restore-mysql.md"
DATABASES = "docs/runbooks/platform-databases.md"


OWN_PREFIXES = {"opik": "opik/"}
"""Products that write where they like: `opik/attachment/...` stands in Opik's code
(AttachmentUtils.KEY_TEMPLATE). No domain may have such a name (ASP314)."""


def platform_prefix(product: str) -> str:
    """Where a product's objects lie in the bucket `artifacts`: platform/langfuse/."""
    return OWN_PREFIXES.get(product, f"{names.PLATFORM_OWNER}/{product}/")


@dataclass(frozen=True, slots=True)
class Store:
    """One product's data of one kind. `runbook` is a page of this repository; empty for none."""

    product: str
    what: str
    where: str
    backed_up: str
    restored: str
    runbook: str = ""


PITR = "RDS: snapshots and point in time, `aws.database.backupDays`"
WEEKLY = f"every Sunday to S3, kept {CLICKHOUSE_BACKUP_DAYS} days (CronJob `clickhouse-backup`)"
NIGHTLY = f"every night to S3, kept {MYSQL_BACKUP_DAYS} days (CronJob `{MYSQL_BACKUP}`)"
ON_PURPOSE = "not backed up, on purpose (decision 43): "
"""What follows says where the data is a second time."""
VERSIONS = f"S3 versions; old ones go after {OLD_VERSION_DAYS} days"
STATE_VERSIONS = f"S3 versions; old ones go after {STATE_VERSION_DAYS} days"
REBUILT = "nothing to restore: it is made anew"

STORES: tuple[Store, ...] = (
    Store(
        "Langfuse",
        "projects, users, prompt versions, scores' definitions",
        "RDS PostgreSQL, database `langfuse`",
        PITR,
        "as every database of RDS; prompts also by `aspora prompts sync`, from the skills' files",
        RESTORE_RDS,
    ),
    Store(
        "Langfuse",
        "traces, observations, scores",
        "ClickHouse, database `default`",
        WEEKLY,
        "from a backup; later events lie in S3",
        RESTORE_CLICKHOUSE,
    ),
    Store(
        "Langfuse",
        "raw events, media, exports",
        f"S3, `artifacts/{platform_prefix('langfuse')}`",
        VERSIONS,
        "an older version of the object",
    ),
    Store(
        "Langfuse",
        "queue and cache",
        "Valkey in the cluster, written to its volume each second",
        f"{ON_PURPOSE}an event is in S3 before it is in the queue",
        "empty; events that were in the queue are still in S3",
    ),
    Store(
        "Opik",
        "projects, datasets, experiments' definitions",
        f"MySQL in the cluster, StatefulSet `{MYSQL}`",
        NIGHTLY,
        "from a backup",
        RESTORE_MYSQL,
    ),
    Store(
        "Opik",
        "traces, spans, experiment items",
        "ClickHouse, database `opik`",
        WEEKLY,
        "from a backup",
        RESTORE_CLICKHOUSE,
    ),
    Store(
        "Opik",
        "attachments",
        f"S3, `artifacts/{platform_prefix('opik')}`",
        VERSIONS,
        "an older version of the object",
    ),
    Store("Opik", "cache", "Valkey in the cluster", "not kept", REBUILT),
    Store(
        "Phoenix",
        f"traces, annotations, datasets; {PHOENIX_DAYS} days",
        "RDS PostgreSQL, database `phoenix`",
        PITR,
        "as every database of RDS",
        RESTORE_RDS,
    ),
    Store(
        "Grafana",
        "users, sessions; dashboards are code",
        "RDS PostgreSQL, database `grafana`",
        PITR,
        "as every database of RDS; dashboards by the next `up`",
        RESTORE_RDS,
    ),
    Store(
        "telemetry",
        "executions, model calls, rollups of cost and quality",
        "ClickHouse, database `telemetry`",
        WEEKLY,
        "from a backup; what came after it is in Langfuse, Opik and Phoenix as far as it was kept",
        RESTORE_CLICKHOUSE,
    ),
    Store(
        "telemetry",
        "logs of agents, as JSON",
        f"S3, bucket `raw-logs`; {RAW_LOGS_DAYS} days",
        VERSIONS,
        "an older version of the object",
    ),
    Store(
        "telemetry",
        "logs of the platform's own pods",
        "S3, bucket `raw-logs`, `platform/pods/`; 400 days",
        VERSIONS,
        "an older version of the object",
    ),
    Store(
        "Prometheus",
        f"metrics; {METRICS_DAYS} days",
        "a volume a replica",
        f"{ON_PURPOSE}prod has two replicas; cost and quality by day are in ClickHouse",
        "the other replica has them, in prod",
    ),
    Store(
        "Alertmanager",
        "silences",
        "a volume a replica",
        f"{ON_PURPOSE}replicas tell each other, and a silence lives for hours",
        "set again by hand",
    ),
    Store(
        "model gateway",
        "keys, budgets, what was spent",
        "RDS PostgreSQL, database `model_gateway`; counters in memory, made anew from it",
        PITR,
        "as every database of RDS; teams and keys by `aspora gateway sync`",
        RESTORE_RDS,
    ),
    Store(
        "registry",
        "versions of skills and their evaluations; nothing writes them yet",
        "RDS PostgreSQL, database `aspora`; files in S3, bucket `skills`",
        PITR,
        "as every database of RDS",
        RESTORE_RDS,
    ),
    Store("images", "agents' images", "ECR", "not kept twice", "built again from Git"),
    Store(
        "Argo CD",
        "Applications",
        "Kubernetes objects; Redis as a cache",
        "Git and the stack's state",
        "by the next `up`",
    ),
    Store(
        "cert-manager",
        "the internal CA's key",
        "Secret `aspora-agents-root` in the namespace cert-manager",
        "not kept: its loss is a rotation",
        "by a rotation: every certificate anew",
        "docs/runbooks/rotate-internal-ca.md",
    ),
    Store(
        "secrets",
        "keys and passwords",
        "AWS Secrets Manager",
        "AWS keeps deleted ones for the recovery window",
        "restored in the window, else rotated",
        "docs/runbooks/rotate-keys.md",
    ),
    Store(
        "Pulumi",
        "the stack's state",
        "S3, bucket of the state, versioned",
        STATE_VERSIONS,
        "an older version of the file",
        "docs/runbooks/restore-state.md",
    ),
)


def reference() -> str:
    """docs/reference/stores.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (
        "# Who keeps what, and where",
        "",
        "From `aspora/services/stores.py` by `make docs`. Backups stand in the same account and",
        "region.",
        "",
        "| Product | What | Where | Backed up | Restored | Runbook |",
        "|---|---|---|---|---|---|",
    )
    for row in STORES:
        cells = (row.product, row.what, row.where, row.backed_up, row.restored)
        yield f"| {' | '.join(cells)} | {_link(row.runbook)} |"


def _link(runbook: str) -> str:
    name = runbook.rpartition("/")[2]
    return f"[{name.removesuffix('.md')}](../runbooks/{name})" if runbook else ""
