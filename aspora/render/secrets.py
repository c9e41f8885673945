"""Secrets by name, never by value: External Secrets reads them, cert-manager makes certificates."""

from __future__ import annotations

from aspora import names
from aspora.models import Domain
from aspora.named_secrets import (
    ENDPOINT_PROPERTIES,
    database_endpoint,
    model_gateway_key,
    uses_database,
)
from aspora.render import pods
from aspora.render.objects import Object, named
from aspora.resolve import Workload
from aspora.stack import StackSettings

READER = names.READER_ACCOUNT
ISSUER = "aspora-agents"
"""The ClusterIssuer of the internal CA that gateways and agents trust."""


def secret_store(domain: Domain, labels: dict[str, str], settings: StackSettings) -> list[Object]:
    """The domain's own SecretStore: its reader's role ends at `aspora/<stack>/<domain>/`."""
    role = names.domain_role(settings.cluster.name, domain.name, names.READER_ACCOUNT)
    return store_objects(domain.name, names.namespace(domain.name), labels, settings, role)


def store_objects(
    name: str, space: str, labels: dict[str, str], settings: StackSettings, role: str
) -> list[Object]:
    """A SecretStore of a namespace, and the reader whose IAM role it takes."""
    arn = _role_arn(role, settings)
    account = named(
        "v1",
        "ServiceAccount",
        names.READER_ACCOUNT,
        space,
        labels,
        {"eks.amazonaws.com/role-arn": arn} if arn else None,
    )
    store = named("external-secrets.io/v1", "SecretStore", name, space, labels)
    return [
        account | {"automountServiceAccountToken": False},
        store
        | {
            "spec": {
                "provider": {
                    "aws": {
                        "service": "SecretsManager",
                        "region": settings.region,
                        "auth": {"jwt": {"serviceAccountRef": {"name": names.READER_ACCOUNT}}},
                    }
                }
            }
        },
    ]


def _role_arn(role: str, settings: StackSettings) -> str:
    """Of the role that External Secrets takes for a namespace; empty without an account."""
    if settings.aws is None or settings.aws.account_id is None:
        return ""
    path = names.role_path(settings.environment)
    return f"arn:aws:iam::{settings.aws.account_id}:role{path}{role}"


def gateway_key(workload: Workload, labels: dict[str, str], settings: StackSettings) -> Object:
    """The skill's key for the model gateway, read from its named secret."""
    path = model_gateway_key(settings, workload.domain.name, workload.name)
    data = [{"secretKey": "api-key", "remoteRef": {"key": path}}]
    return _external_secret(pods.secret_name(workload), workload.domain, labels, data)


def database_endpoints(
    domain: Domain, labels: dict[str, str], settings: StackSettings
) -> list[Object]:
    """Where PostgreSQL and Valkey are, as Pulumi wrote it down; only for domains that ask."""
    if settings.aws is None or not uses_database(domain):
        return []
    path = database_endpoint(settings, domain.name)
    data = [
        {"secretKey": key, "remoteRef": {"key": path, "property": key}}
        for key in ENDPOINT_PROPERTIES
    ]
    return [_external_secret(pods.DATABASE_ENDPOINTS, domain, labels, data)]


def _external_secret(
    name: str, domain: Domain, labels: dict[str, str], data: list[Object]
) -> Object:
    return external_secret(name, names.namespace(domain.name), domain.name, labels, data)


def external_secret(
    name: str,
    space: str,
    store: str,
    labels: dict[str, str],
    data: list[Object],
    template: dict[str, str] | None = None,
) -> Object:
    """A Secret filled through `store`; `template` gives its keys when they are not those read."""
    target: Object = {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain"}
    if template:
        target["template"] = {"engineVersion": "v2", "data": template}
    return named("external-secrets.io/v1", "ExternalSecret", name, space, labels) | {
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "SecretStore", "name": store},
            "target": target,
            "data": data,
        }
    }


def certificate(workload: Workload, labels: dict[str, str]) -> Object:
    """The workload's identity towards the gateways: a day long, renewed eight hours before."""
    host = f"{workload.name}.{workload.namespace}.svc"
    return named("cert-manager.io/v1", "Certificate", workload.name, workload.namespace, labels) | {
        "spec": {
            "secretName": pods.tls_secret_name(workload),
            "duration": "24h",
            "renewBefore": "8h",
            "dnsNames": [host, f"{host}.cluster.local"],
            "uris": [names.spiffe_id(workload.domain.name, workload.name)],
            "usages": ["digital signature", "server auth", "client auth"],
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "issuerRef": {"kind": "ClusterIssuer", "name": ISSUER},
        }
    }
