"""The platform's own secrets: values in AWS Secrets Manager, and the Secrets made of them.

A value is named `aspora/<stack>/platform/<part>/<name>`; the reader of a namespace may read its own
part. Each Secret replaces a password that a chart would bring or make up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from aspora import names
from aspora.services.stores import BY_PASSWORD, POSTGRES_JOB
from aspora.stack import StackSettings

OBSERVABILITY = "observability"
ARGOCD = "argocd"

PARTS: Mapping[str, str] = {
    OBSERVABILITY: names.OBSERVABILITY_NAMESPACE,
    ARGOCD: names.ARGOCD_NAMESPACE,
}
"""Which namespace reads which part; each has a SecretStore called `platform`."""
STORE = names.PLATFORM_OWNER


@dataclass(frozen=True, slots=True)
class Value:
    """One random value, made by `aspora bootstrap`."""

    part: str
    name: str
    purpose: str

    def path(self, settings: StackSettings) -> str:
        """Its name in AWS Secrets Manager."""
        return value_path(settings, self.part, self.name)


def value_path(settings: StackSettings, part: str, name: str) -> str:
    """aspora/prod/platform/observability/valkey."""
    return names.secret_path(settings.environment, names.PLATFORM_OWNER, part, name)


def _values(part: str, purposes: Mapping[str, str]) -> tuple[Value, ...]:
    return tuple(Value(part, name, purpose) for name, purpose in purposes.items())


GENERATED: tuple[Value, ...] = (
    *_values(ARGOCD, {"redis": "Argo CD's password at its Redis"}),
    *_values(
        OBSERVABILITY,
        {
            "clickhouse-admin": "ClickHouse's administrator",
            "clickhouse-langfuse": "Langfuse's user of ClickHouse",
            "clickhouse-opik": "Opik's user of ClickHouse",
            "clickhouse-telemetry": "the collector's user of ClickHouse",
            "grafana-admin": "Grafana's first user",
            "grafana-database": "Grafana's user of PostgreSQL",
            "grafana-signing": "what Grafana encrypts its secrets with",
            "langfuse-database": "Langfuse's user of PostgreSQL",
            "langfuse-encryption": "what Langfuse encrypts its secrets with",
            "langfuse-first-user": "Langfuse's first user",
            "langfuse-public": "the public half of the collector's key at Langfuse",
            "langfuse-salt": "what Langfuse hashes keys with",
            "langfuse-secret": "the secret half of the collector's key at Langfuse",
            "langfuse-session": "what Langfuse signs sessions with",
            "mysql-opik": "Opik's user of MySQL",
            "mysql-root": "MySQL's administrator",
            "phoenix-admin": "the collector's key at Phoenix",
            "phoenix-first-user": "Phoenix's first user",
            "phoenix-signing": "what Phoenix signs sessions with",
            "valkey": "the password of Valkey in the cluster",
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A property of the endpoint secret of the platform's databases (decision 10)."""

    of_endpoint: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A Secret of a namespace.

    `data` gives each key as a template over `reads`, which are variables and the names of their
    values; without `data` the variables are the keys.
    """

    part: str
    name: str
    reads: Mapping[str, str | Endpoint]
    data: Mapping[str, str] = field(default_factory=dict)


HOST = {"host": Endpoint("host"), "port": Endpoint("port")}
# TLS, without a look at the certificate: these images do not hold the authority of RDS.
# Generated values hold letters, digits, - and _ alone, so that they can stand in an address.
_DATABASE = "{user}:{{{{ .database }}}}@{{{{ .host }}}}:{{{{ .port }}}}/{user}?sslmode=require"

FILLED: tuple[Filled, ...] = (
    Filled(ARGOCD, "argocd-redis", {"redis": "redis"}, {"auth": "{{ .redis }}"}),
    Filled(
        OBSERVABILITY,
        "clickhouse",
        {
            "admin": "clickhouse-admin",
            "langfuse": "clickhouse-langfuse",
            "opik": "clickhouse-opik",
            "telemetry": "clickhouse-telemetry",
        },
    ),
    Filled(
        OBSERVABILITY,
        "grafana",
        {
            "password": "grafana-admin",
            "signing": "grafana-signing",
            "database": "grafana-database",
            **HOST,
        },
        {
            "admin-user": "platform",
            "admin-password": "{{ .password }}",
            "signing-key": "{{ .signing }}",
            "database-url": f"postgres://{_DATABASE.format(user='grafana')}",
        },
    ),
    Filled(
        OBSERVABILITY,
        "langfuse",
        {
            "clickhouse": "clickhouse-langfuse",
            "database": "langfuse-database",
            "encryption": "langfuse-encryption",
            "user": "langfuse-first-user",
            "public": "langfuse-public",
            "salt": "langfuse-salt",
            "secret": "langfuse-secret",
            "session": "langfuse-session",
            "valkey": "valkey",
            **HOST,
        },
        {
            "clickhouse-password": "{{ .clickhouse }}",
            "database-password": "{{ .database }}",
            "database-url": f"postgresql://{_DATABASE.format(user='langfuse')}",
            # Exactly 256 bits in hexadecimal, which Langfuse asks for.
            "encryption-key": "{{ .encryption | sha256sum }}",
            "first-user": "{{ .user }}",
            "public-key": "pk-lf-{{ .public }}",
            "salt": "{{ .salt }}",
            "secret-key": "sk-lf-{{ .secret }}",
            "session-secret": "{{ .session }}",
            "valkey-password": "{{ .valkey }}",
        },
    ),
    Filled(
        OBSERVABILITY,
        "opik-mysql",
        {"root": "mysql-root", "opik": "mysql-opik"},
        {
            "root": "{{ .root }}",
            "opik": "{{ .opik }}",
            # What mysqldump logs in with: a password is no argument.
            "client.cnf": '[client]\nuser=opik\npassword="{{ .opik }}"\n',
        },
    ),
    Filled(
        OBSERVABILITY,
        "opik",
        {"clickhouse": "clickhouse-opik", "mysql": "mysql-opik", "valkey": "valkey"},
        {
            "ANALYTICS_DB_MIGRATIONS_PASS": "{{ .clickhouse }}",
            "ANALYTICS_DB_PASS": "{{ .clickhouse }}",
            "REDIS_URL": "redis://:{{ .valkey }}@valkey:6379/1",
            "STATE_DB_PASS": "{{ .mysql }}",
        },
    ),
    Filled(
        OBSERVABILITY,
        "otel-gateway",
        {
            "clickhouse": "clickhouse-telemetry",
            "phoenix": "phoenix-admin",
            "public": "langfuse-public",
            "secret": "langfuse-secret",
        },
        {
            "CLICKHOUSE_PASSWORD": "{{ .clickhouse }}",
            "CLICKHOUSE_USER": "telemetry",
            "LANGFUSE_BASIC_AUTH": '{{ printf "pk-lf-%s:sk-lf-%s" .public .secret | b64enc }}',
            "PHOENIX_API_KEY": "{{ .phoenix | sha256sum }}",
        },
    ),
    Filled(
        OBSERVABILITY,
        "phoenix",
        {
            "admin": "phoenix-admin",
            "signing": "phoenix-signing",
            "user": "phoenix-first-user",
            **HOST,
        },
        {
            # Phoenix asks for 32 characters with a digit and a small letter: hexadecimal has both.
            "PHOENIX_ADMIN_SECRET": "{{ .admin | sha256sum }}",
            "PHOENIX_SECRET": "{{ .signing | sha256sum }}",
            "PHOENIX_DEFAULT_ADMIN_INITIAL_PASSWORD": "{{ .user }}",
            "host": "{{ .host }}",
            "port": "{{ .port }}",
        },
    ),
    # Of the administrator its name alone: the password stays where RDS keeps it.
    Filled(
        OBSERVABILITY,
        POSTGRES_JOB,
        {
            **{user: f"{user}-database" for user in BY_PASSWORD},
            **HOST,
            "admin-secret": Endpoint("adminSecret"),
        },
    ),
    Filled(OBSERVABILITY, "valkey", {"default": "valkey"}),
)


def generated(settings: StackSettings) -> Iterator[tuple[str, str]]:
    """(name, purpose) of every value that `aspora bootstrap` makes for the platform itself."""
    for value in GENERATED:
        yield value.path(settings), value.purpose


def reader_role(settings: StackSettings, part: str) -> str:
    """The IAM role of a namespace's secret reader: aspora-prod.platform.argocd-secret-reader."""
    whose = f"{part}-{names.READER_ACCOUNT}"
    return names.domain_role(settings.cluster.name, names.PLATFORM_OWNER, whose)
