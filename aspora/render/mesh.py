"""Istio's part: how the gateway reaches a skill, and what a domain with sidecars may do.

Pods in gVisor have no sidecar (decision 1): for them the gateway itself speaks mutual TLS with the
internal CA's certificates, and NetworkPolicies hold the rest.
"""

from __future__ import annotations

from aspora import flows, names
from aspora.models import Domain
from aspora.render.objects import Object, named
from aspora.resolve import Workload
from aspora.stack import StackSettings

GATEWAY_PRINCIPAL = f"cluster.local/ns/{names.PLATFORM_NAMESPACE}/sa/aspora-gateway"
GATEWAY_CREDENTIAL = "aspora-gateway-client"
"""The Secret beside the gateway with its client certificate and the CA it trusts."""
AGENT_HOST = f"aspora-gateway.{names.PLATFORM_NAMESPACE}.svc.cluster.local"
"""How agents call the gateway, on its port for them."""
NETWORKING = "networking.istio.io/v1"
SECURITY = "security.istio.io/v1"


def virtual_service(workload: Workload, labels: dict[str, str], settings: StackSettings) -> Object:
    """The route /execute/<skill ID> at aspora-gateway; two destinations where delivery is
    progressive, whose weights Argo Rollouts moves."""
    suffixes = [("", 100), ("-canary", 0)] if settings.progressive_delivery else [("", 100)]
    destinations = [
        {
            "destination": {
                "host": _host(workload, suffix),
                "port": {"number": flows.EXECUTE_PORT},
            },
            "weight": weight,
        }
        for suffix, weight in suffixes
    ]
    return named(NETWORKING, "VirtualService", workload.name, workload.namespace, labels) | {
        "spec": {
            "hosts": [settings.public_host, AGENT_HOST],
            "gateways": [f"{names.PLATFORM_NAMESPACE}/aspora-gateway"],
            "exportTo": [names.PLATFORM_NAMESPACE],
            "http": [
                {
                    "name": "primary",
                    "match": [
                        {
                            "uri": {"exact": f"/execute/{workload.id}"},
                            "method": {"exact": "POST"},
                        }
                    ],
                    "rewrite": {"uri": "/execute"},
                    "route": destinations,
                    "timeout": f"{workload.timeout_seconds}s",
                    # An execution costs money and acts on the world: never repeated blindly.
                    "retries": {"attempts": 0},
                }
            ],
        }
    }


def destination_rules(
    workload: Workload, labels: dict[str, str], settings: StackSettings
) -> list[Object]:
    """Mutual TLS from the gateway to the agent, one rule a Service; its name is checked."""
    if workload.domain.sandbox.runtime == "runc":
        tls: Object = {"mode": "ISTIO_MUTUAL"}
    else:
        tls = {
            "mode": "MUTUAL",
            "credentialName": GATEWAY_CREDENTIAL,
            "sni": f"{workload.name}.{workload.namespace}.svc",
            "subjectAltNames": [names.spiffe_id(workload.domain.name, workload.name)],
        }
    suffixes = ["", "-canary"] if settings.progressive_delivery else [""]
    return [
        named(NETWORKING, "DestinationRule", workload.name + suffix, workload.namespace, labels)
        | {
            "spec": {
                "host": _host(workload, suffix),
                "exportTo": [names.PLATFORM_NAMESPACE],
                "trafficPolicy": {
                    "tls": tls,
                    "connectionPool": {"http": {"maxRequestsPerConnection": 100}},
                    "outlierDetection": {
                        "consecutiveGatewayErrors": 5,
                        "interval": "30s",
                        "baseEjectionTime": "30s",
                        "maxEjectionPercent": 50,
                    },
                },
            }
        }
        for suffix in suffixes
    ]


def caller_policy(workload: Workload, labels: dict[str, str], callers: list[str]) -> Object:
    """At the gateway: which workloads' certificates may POST to this skill's route."""
    # A dot, which no domain name holds: a-b of c and b-c of a stay apart.
    name = names.fit(f"{workload.namespace}.{workload.name}")
    return named(SECURITY, "AuthorizationPolicy", name, names.PLATFORM_NAMESPACE, labels) | {
        "spec": {
            "selector": {"matchLabels": {"app": "aspora-gateway"}},
            "action": "ALLOW",
            "rules": [
                {
                    "from": [{"source": {"principals": callers}}],
                    "to": [
                        {
                            "operation": {
                                "methods": ["POST"],
                                "paths": [f"/execute/{workload.id}"],
                            }
                        }
                    ],
                }
            ],
        }
    }


def sidecar_objects(domain: Domain, labels: dict[str, str]) -> list[Object]:
    """For a domain with sidecars: whom they know, STRICT mTLS, and who may call.

    The status port keeps no mTLS: Prometheus has no mesh identity (decision 1).
    """
    space = names.namespace(domain.name)
    picked = {"matchLabels": {names.DOMAIN_LABEL: domain.name}}
    sidecar = named(NETWORKING, "Sidecar", domain.name, space, labels)
    peers = named(SECURITY, "PeerAuthentication", domain.name, space, labels)
    allow = named(SECURITY, "AuthorizationPolicy", domain.name, space, labels)
    hosts = [
        f"{names.PLATFORM_NAMESPACE}/*",
        "istio-system/*",
        f"{names.OBSERVABILITY_NAMESPACE}/*",
    ]
    if domain.egress:
        hosts += ["./*", f"{names.EGRESS_NAMESPACE}/*"]
    return [
        sidecar
        | {
            "spec": {
                "workloadSelector": {"labels": {names.DOMAIN_LABEL: domain.name}},
                "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
                "egress": [{"hosts": hosts}],
            }
        },
        peers
        | {
            "spec": {
                "selector": picked,
                "mtls": {"mode": "STRICT"},
                "portLevelMtls": {str(flows.STATUS_PORT): {"mode": "DISABLE"}},
            }
        },
        allow
        | {
            "spec": {
                "selector": picked,
                "action": "ALLOW",
                "rules": [
                    {
                        "from": [{"source": {"principals": [GATEWAY_PRINCIPAL]}}],
                        "to": [{"operation": {"methods": ["POST"], "paths": ["/execute"]}}],
                    },
                    {"to": [{"operation": {"ports": [str(flows.STATUS_PORT)]}}]},
                ],
            }
        },
    ]


def _host(workload: Workload, suffix: str) -> str:
    return f"{workload.name}{suffix}.{workload.namespace}.svc.cluster.local"
