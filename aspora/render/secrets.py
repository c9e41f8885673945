"""Secrets by name, never by value: External Secrets reads them, cert-manager makes certificates."""

from __future__ import annotations

from aspora import names
from aspora.models import Domain
from aspora.render import pods
from aspora.render.objects import Object, named
from aspora.resolve import Workload
from aspora.stack import StackSettings

READER = names.READER_ACCOUNT
ISSUER = "aspora-agents"
"""The ClusterIssuer of the internal CA that gateways and agents trust."""


def secret_store(domain: Domain, labels: dict[str, str], settings: StackSettings) -> list[Object]:
    """The domain's own SecretStore: its reader's role ends at `aspora/<stack>/<domain>/`."""
    space = names.namespace(domain.name)
    account = named("v1", "ServiceAccount", names.READER_ACCOUNT, space, labels)
    store = named("external-secrets.io/v1", "SecretStore", domain.name, space, labels)
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


def gateway_key(workload: Workload, labels: dict[str, str], settings: StackSettings) -> Object:
    """The skill's key for the model gateway, read from its named secret."""
    name = pods.secret_name(workload)
    path = names.secret_path(
        settings.environment, workload.domain.name, "model-gateway", workload.name
    )
    return named("external-secrets.io/v1", "ExternalSecret", name, workload.namespace, labels) | {
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "SecretStore", "name": workload.domain.name},
            "target": {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain"},
            "data": [{"secretKey": "api-key", "remoteRef": {"key": path}}],
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
