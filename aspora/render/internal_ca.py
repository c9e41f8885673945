"""The internal certificate authority: who signs the certificates of agents and gateways.

Its root is made in the cluster and never leaves it. The certificate is renewed with the same key
and name, so that old and new ones vouch for each other's leaves; the trust bundle is `ca.crt` in
each certificate's own Secret (decision 44).
"""

from __future__ import annotations

from aspora import names
from aspora.render.objects import Object, named
from aspora.render.secrets import ISSUER
from aspora.telemetry.collector import AGENT, GATEWAY, tls_secret

API = "cert-manager.io/v1"
NAMESPACE = "cert-manager"
"""Where cert-manager looks for the Secrets of ClusterIssuers."""
ROOT = f"{ISSUER}-root"
TEN_YEARS = "87600h"
TWO_YEARS = "17520h"


def objects() -> list[Object]:
    """Self-signed issuer, root, the issuer of agents, and the collectors' own certificates."""
    labels = names.platform_labels()
    selfsigned = named(API, "ClusterIssuer", "aspora-selfsigned", None, labels)
    root = named(API, "Certificate", ROOT, NAMESPACE, labels)
    issuer = named(API, "ClusterIssuer", ISSUER, None, labels)
    return [
        selfsigned | {"spec": {"selfSigned": {}}},
        root | {"spec": _root()},
        issuer | {"spec": {"ca": {"secretName": ROOT}}},
        *(
            service_certificate(tier, names.OBSERVABILITY_NAMESPACE, tls_secret(tier))
            for tier in (AGENT, GATEWAY)
        ),
    ]


def _root() -> Object:
    return {
        "secretName": ROOT,
        "isCA": True,
        "commonName": "Aspora agents",
        "duration": TEN_YEARS,
        "renewBefore": TWO_YEARS,
        "privateKey": {"algorithm": "ECDSA", "size": 384, "rotationPolicy": "Never"},
        "usages": ["cert sign", "crl sign"],
        "issuerRef": {"kind": "ClusterIssuer", "name": "aspora-selfsigned"},
    }


def service_certificate(service: str, namespace: str, secret: str) -> Object:
    """Of a service of the platform that agents call: three days, renewed after one."""
    host = f"{service}.{namespace}.svc"
    head = named(API, "Certificate", service, namespace, names.platform_labels())
    return head | {
        "spec": {
            "secretName": secret,
            "duration": "72h",
            "renewBefore": "48h",
            "dnsNames": [f"{service}.{namespace}", host, f"{host}.cluster.local"],
            "usages": ["digital signature", "server auth", "client auth"],
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "issuerRef": {"kind": "ClusterIssuer", "name": ISSUER},
        }
    }
