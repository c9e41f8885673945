"""The model gateway's pods, its counters, its secrets, and the job that keeps teams and keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aspora import flows, names
from aspora.gateways import ingress, program
from aspora.gateways.model import litellm
from aspora.gateways.model.plan import Team, plan
from aspora.gateways.pins import COMMAND, COUNTERS, MODEL_GATEWAY
from aspora.gateways.program import CONFIG_PATH, GATEWAY_PORT, SPACE, TLS_PATH, Part
from aspora.models import Domain
from aspora.named_secrets import (
    database_endpoint,
    model_gateway_counters,
    model_gateway_master_key,
)
from aspora.render.objects import Object, named
from aspora.render.secrets import ISSUER
from aspora.stack import StackSettings

NAME = "model-gateway"
COUNTERS_NAME = "model-gateway-counters"
COUNTERS_PORT = 6379
SYNC_NAME = "model-gateway-sync"
SECRETS = "model-gateway-secrets"
"""The ServiceAccount and SecretStore that read the gateway's own secrets."""
OWN_SECRET = "model-gateway"  # noqa: S105 - a name
KEYS_SECRET = "model-gateway-keys"  # noqa: S105 - a name
TLS_SECRET = "model-gateway-tls"  # noqa: S105 - a name
KEYS_PATH = "/var/run/aspora/keys"
SYNC_SCHEDULE = "7 */6 * * *"
DATABASE_USER = "model_gateway"


def objects(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Object]:
    """The part of `aspora/render/services.py`."""
    teams = plan(domains, settings)
    yield from secret_store(settings)
    yield own_secret(teams, settings)
    yield keys_secret(teams)
    yield ingress.certificate(TLS_SECRET, [program.host(NAME)], ISSUER)
    yield from program.objects(counters(settings), settings)
    yield from program.objects(gateway(teams, settings), settings)
    yield from sync(teams)


def _named(api: str, kind: str, name: str) -> Object:
    return named(api, kind, name, SPACE, names.platform_labels() | {"app": name})


def secret_store(settings: StackSettings) -> Iterator[Object]:
    """A reader of its own, whose role ends at the secrets of the model gateway."""
    role = ""
    if settings.aws is not None and settings.aws.account_id is not None:
        own = names.domain_role(settings.cluster.name, names.PLATFORM_OWNER, SECRETS)
        path = names.role_path(settings.environment)
        role = f"arn:aws:iam::{settings.aws.account_id}:role{path}{own}"
    account = _named("v1", "ServiceAccount", SECRETS)
    if role:
        account["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": role}
    yield account | {"automountServiceAccountToken": False}
    yield _named("external-secrets.io/v1", "SecretStore", SECRETS) | {
        "spec": {
            "provider": {
                "aws": {
                    "service": "SecretsManager",
                    "region": settings.region,
                    "auth": {"jwt": {"serviceAccountRef": {"name": SECRETS}}},
                }
            }
        }
    }


def _external(name: str, data: list[Object]) -> Object:
    return _named("external-secrets.io/v1", "ExternalSecret", name) | {
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "SecretStore", "name": SECRETS},
            "target": {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain"},
            "data": data,
        }
    }


def own_secret(teams: Sequence[Team], settings: StackSettings) -> Object:
    """The master key, the counters' password, where the database is, a key of each domain."""
    wanted: list[tuple[str, str, str | None]] = [
        ("LITELLM_MASTER_KEY", model_gateway_master_key(settings), None),
        ("REDIS_PASSWORD", model_gateway_counters(settings), None),
    ]
    if settings.aws is not None:
        place = database_endpoint(settings, names.PLATFORM_OWNER)
        wanted += [("DATABASE_HOST", place, "host"), ("DATABASE_PORT", place, "port")]
    wanted += [(litellm.key_variable(team.name), team.secret, None) for team in teams]
    data: list[Object] = [
        {
            "secretKey": variable,
            "remoteRef": {"key": path} | ({"property": field} if field else {}),
        }
        for variable, path, field in wanted
    ]
    return _external(OWN_SECRET, data)


def keys_secret(teams: Sequence[Team]) -> Object:
    """Every skill's key, for the job that makes them at the gateway; no other pod mounts it."""
    data: list[Object] = [
        {"secretKey": key.name, "remoteRef": {"key": key.secret}}
        for team in teams
        for key in team.keys
    ]
    return _external(KEYS_SECRET, data)


def variable(name: str, value: str) -> Object:
    """A plain variable."""
    return {"name": name, "value": value}


def from_secret(name: str) -> Object:
    """A variable out of the gateway's own Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": OWN_SECRET, "key": name}}}


def gateway_env(teams: Sequence[Team], settings: StackSettings) -> tuple[Object, ...]:
    """Where everything is. The database takes an IAM token: there is no password to keep."""
    env = [
        variable("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
        variable("DEFAULT_MAX_OUTPUT_TOKENS_FALLBACK", str(litellm.OUTPUT_TOKENS)),
        variable("DISABLE_ADMIN_UI", "True"),
        variable("HOME", "/tmp"),  # noqa: S108 - the one place that can be written
        variable("NO_DOCS", "True"),
        variable("NO_REDOC", "True"),
        variable("REDIS_HOST", program.host(COUNTERS_NAME)),
        variable("REDIS_PORT", str(COUNTERS_PORT)),
        variable("OTEL_EXPORTER", "otlp_grpc"),
        variable(
            "OTEL_ENDPOINT",
            f"http://otel-collector.{names.OBSERVABILITY_NAMESPACE}.svc.cluster.local"
            f":{flows.OTLP_GRPC_PORT}",
        ),
        variable("OTEL_SERVICE_NAME", NAME),
        from_secret("LITELLM_MASTER_KEY"),
        from_secret("REDIS_PASSWORD"),
    ]
    if settings.aws is not None:
        env += [
            variable("AWS_REGION_NAME", settings.region),
            variable("IAM_TOKEN_DB_AUTH", "True"),
            variable("DATABASE_NAME", DATABASE_USER),
            variable("DATABASE_USER", DATABASE_USER),
            from_secret("DATABASE_HOST"),
            from_secret("DATABASE_PORT"),
        ]
    env += [from_secret(litellm.key_variable(team.name)) for team in teams]
    return tuple(env)


def gateway(teams: Sequence[Team], settings: StackSettings) -> Part:
    """LiteLLM with our file; its workers start anew now and then and read a renewed certificate."""
    return Part(
        name=NAME,
        program=MODEL_GATEWAY,
        args=(
            *("--config", f"{CONFIG_PATH}/config.yaml", "--port", str(GATEWAY_PORT)),
            *("--ssl_certfile_path", f"{TLS_PATH}/tls.crt"),
            *("--ssl_keyfile_path", f"{TLS_PATH}/tls.key"),
            *("--num_workers", "2", "--max_requests_before_restart", "20000"),
        ),
        files={"config.yaml": program.as_json(litellm.config(teams))},
        port=GATEWAY_PORT,
        port_name="tls-agents",
        readiness={
            "httpGet": {"path": "/health/readiness", "port": GATEWAY_PORT, "scheme": "HTTPS"}
        },
        requests=program.requests(settings, "100m", "250m", "768Mi"),
        limits={"cpu": "2", "memory": "2Gi"},
        env=gateway_env(teams, settings),
        tls_secret=TLS_SECRET,
    )


def counters(settings: StackSettings) -> Part:
    """What all replicas have reserved and spent. One pod without a disk: when it is lost, LiteLLM
    counts again from its database, and refuses calls until it can."""
    return Part(
        name=COUNTERS_NAME,
        program=COUNTERS,
        command=("sh", "-c"),
        args=(
            (
                'exec valkey-server --save "" --appendonly no --maxmemory 192mb '
                '--maxmemory-policy noeviction --requirepass "$REDIS_PASSWORD"'
            ),
        ),
        files={},
        port=COUNTERS_PORT,
        port_name="tcp-valkey",
        readiness={"tcpSocket": {"port": COUNTERS_PORT}},
        requests=program.requests(settings, "20m", "100m", "256Mi"),
        limits={"cpu": "500m", "memory": "256Mi"},
        env=(from_secret("REDIS_PASSWORD"),),
        replicas=1,
    )


def sync(teams: Sequence[Team]) -> Iterator[Object]:
    """`aspora gateway sync` makes LiteLLM's teams and keys those of the files: once after every
    change of the plan (a Job of another name), and every six hours against changes by hand."""
    yield _named("v1", "ServiceAccount", SYNC_NAME) | {"automountServiceAccountToken": False}
    wanted = {"desired.json": program.as_json(litellm.desired(teams))}
    yield _named("v1", "ConfigMap", SYNC_NAME) | {"data": wanted}
    # Nobody waits for it: it tries again until the gateway is up.
    once = _named("batch/v1", "Job", f"{SYNC_NAME}-{program.digest(wanted)}")
    once["metadata"]["labels"] = names.platform_labels() | {"app": SYNC_NAME}
    once["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    yield once | {"spec": _run(wanted, tries=20, seconds=1800)}
    yield _named("batch/v1", "CronJob", SYNC_NAME) | {
        "spec": {
            "schedule": SYNC_SCHEDULE,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 300,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": _run(wanted, tries=2, seconds=120),
            },
        }
    }


def _run(wanted: Mapping[str, str], *, tries: int, seconds: int) -> Object:
    labels = names.platform_labels() | {"app": SYNC_NAME, "sidecar.istio.io/inject": "true"}
    notes = {"aspora.io/config-hash": program.digest(wanted)}
    return {
        "backoffLimit": tries,
        "activeDeadlineSeconds": seconds,
        "template": {"metadata": {"labels": labels, "annotations": notes}, "spec": _sync_pod()},
    }


def _sync_pod() -> Object:
    part = Part(
        name=SYNC_NAME,
        program=COMMAND,
        args=(
            *("gateway", "sync", "--desired", f"{CONFIG_PATH}/desired.json"),
            *("--keys", KEYS_PATH, "--ca", f"{TLS_PATH}/ca.crt"),
            *("--url", f"https://{program.host(NAME)}:{GATEWAY_PORT}"),
        ),
        files={},
        port=GATEWAY_PORT,
        port_name="none",
        readiness={},
        requests={"cpu": "100m", "memory": "128Mi"},
        limits={"cpu": "500m", "memory": "256Mi"},
        env=(from_secret("LITELLM_MASTER_KEY"),),
        mounts=(
            {"name": "keys", "mountPath": KEYS_PATH, "readOnly": True},
            {"name": "ca", "mountPath": TLS_PATH, "readOnly": True},
        ),
        volumes=(
            {"name": "keys", "secret": {"secretName": KEYS_SECRET}},
            {
                "name": "ca",
                "secret": {
                    "secretName": TLS_SECRET,
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                },
            },
        ),
    )
    pod = program.pod(part)
    for field in ("ports", "readinessProbe", "livenessProbe"):
        del pod["containers"][0][field]
    del pod["topologySpreadConstraints"]
    return pod | {"restartPolicy": "Never"}
