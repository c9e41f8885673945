"""aspora-gateway: the one caller of agents, for people outside and for agents inside.

Two doors. 443 takes calls from outside with a token (JWT) of the stack's issuer; 8443 takes agents,
by the client certificate the internal CA gave them. Whatever no policy allows is refused: the first
policy here allows nothing, each further one names a caller and a route.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aspora import flows, names
from aspora.gateways import mesh
from aspora.gateways.callers import callers
from aspora.models import Domain
from aspora.render.mesh import AGENT_HOST, GATEWAY_CREDENTIAL, NETWORKING, SECURITY
from aspora.render.objects import Object, named
from aspora.render.secrets import ISSUER
from aspora.resolve import workloads
from aspora.services.values.mesh import STATUS_PORT
from aspora.stack import StackSettings

NAME = "aspora-gateway"
SELECTOR = {"app": NAME}
PUBLIC_PORT = 443
PUBLIC_CREDENTIAL = "aspora-gateway-public"
AGENTS_CREDENTIAL = "aspora-gateway-agents"
PUBLIC_ISSUER = "letsencrypt"
"""The ClusterIssuer that proves a name by DNS-01."""
ACME = "https://acme-v02.api.letsencrypt.org/directory"
MAX_REQUEST_BYTES = 1024 * 1024
"""An execution's input: documents go by S3, not through the gateway."""
MAX_HEADER_KIB = 32
ENVOY_FILTER = "networking.istio.io/v1alpha3"
HTTP_FILTER = "type.googleapis.com/envoy.extensions.filters.http"
MANAGER = "envoy.filters.network.http_connection_manager"
ROUTER = "envoy.filters.http.router"


def objects(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Object]:
    """The part of `aspora/render/services.py`."""
    yield from cluster_issuer(settings)
    yield from certificates(settings)
    yield gateway(domains, settings)
    if settings.aws is not None:
        yield load_balancer(settings)
    yield mesh.plain_port(NAME, names.PLATFORM_NAMESPACE, AGENT_HOST, flows.GATEWAY_PORT)
    yield allow_nothing(NAME, names.PLATFORM_NAMESPACE, SELECTOR)
    yield from tokens(settings)
    yield connection_limits()
    yield from rate_limits(domains)


def _named(api: str, kind: str, name: str) -> Object:
    return named(api, kind, name, names.PLATFORM_NAMESPACE, names.platform_labels())


def public_issuer(settings: StackSettings) -> str:
    """Let's Encrypt where the host is of the public zone, which alone it can prove; else the
    internal CA, which callers then have to trust."""
    zone = settings.aws.dns.public_zone if settings.aws else None
    inside = zone is not None and settings.public_host.endswith(f".{zone}")
    return PUBLIC_ISSUER if inside else ISSUER


def cluster_issuer(settings: StackSettings) -> Iterator[Object]:
    """Let's Encrypt, by records in the public zone: nothing has to answer from outside. Its e-mails
    about certificates that nobody renewed go where the bills go."""
    if settings.aws is None:
        return
    api = "cert-manager.io/v1"
    head = named(api, "ClusterIssuer", PUBLIC_ISSUER, None, names.platform_labels())
    yield head | {
        "spec": {
            "acme": {
                "server": ACME,
                "email": settings.aws.spending.emails[0],
                "privateKeySecretRef": {"name": "letsencrypt-account"},
                "solvers": [
                    {
                        "selector": {"dnsZones": [settings.aws.dns.public_zone]},
                        "dns01": {"route53": {"region": settings.region}},
                    }
                ],
            }
        }
    }


def certificates(settings: StackSettings) -> Iterator[Object]:
    """Three: for callers from outside, for agents, and the gateway's own towards agents."""
    identity = names.spiffe_id_of(names.PLATFORM_NAMESPACE, NAME)
    yield certificate(PUBLIC_CREDENTIAL, [settings.public_host], public_issuer(settings))
    yield certificate(AGENTS_CREDENTIAL, [AGENT_HOST], ISSUER)
    yield certificate(GATEWAY_CREDENTIAL, [], ISSUER, uris=[identity], usage="client auth")


def certificate(
    name: str,
    hosts: Sequence[str],
    issuer: str,
    *,
    uris: Sequence[str] = (),
    usage: str = "server auth",
    namespace: str = names.PLATFORM_NAMESPACE,
) -> Object:
    """A certificate of a gateway: 90 days, renewed a month before."""
    spec: Object = {
        "secretName": name,
        "duration": "2160h",
        "renewBefore": "720h",
        "usages": ["digital signature", usage],
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "issuerRef": {"kind": "ClusterIssuer", "name": issuer},
    }
    if hosts:
        spec["dnsNames"] = list(hosts)
    if uris:
        spec["uris"] = list(uris)
    head = named("cert-manager.io/v1", "Certificate", name, namespace, names.platform_labels())
    return head | {"spec": spec}


def gateway(domains: Sequence[Domain], settings: StackSettings) -> Object:
    """The two doors; the second exists only where an agent calls another, and opens for those
    agents' certificates alone."""
    public: Object = {
        "port": {"number": PUBLIC_PORT, "name": "https-public", "protocol": "HTTPS"},
        "hosts": [settings.public_host],
        "tls": {
            "mode": "SIMPLE",
            "credentialName": PUBLIC_CREDENTIAL,
            "minProtocolVersion": "TLSV1_2",
        },
    }
    known = callers(domains)
    agents = [agents_server("https-agents", [AGENT_HOST], AGENTS_CREDENTIAL, known)]
    return _named(NETWORKING, "Gateway", NAME) | {
        "spec": {"selector": SELECTOR, "servers": [public, *(agents if known else [])]}
    }


def load_balancer(settings: StackSettings) -> Object:
    """Internal, for the VPC's addresses, and for clients' port alone: the chart's own Service,
    which has agents' port too, stays inside the cluster."""
    name = f"{NAME}-clients"
    # Nobody waits for its address but external-dns, which writes it into the zone.
    prefix = "service.beta.kubernetes.io/aws-load-balancer"
    notes = {
        "pulumi.com/skipAwait": "true",
        "external-dns.alpha.kubernetes.io/hostname": settings.public_host,
        f"{prefix}-type": "external",
        f"{prefix}-nlb-target-type": "ip",
        f"{prefix}-scheme": "internal",
        f"{prefix}-healthcheck-port": str(STATUS_PORT),
        f"{prefix}-healthcheck-protocol": "HTTP",
        f"{prefix}-healthcheck-path": "/healthz/ready",
    }
    head = named("v1", "Service", name, names.PLATFORM_NAMESPACE, names.platform_labels(), notes)
    port = {"name": "https-public", "port": PUBLIC_PORT, "targetPort": PUBLIC_PORT}
    return head | {
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "loadBalancerSourceRanges": [settings.network.vpc_cidr],
            "selector": SELECTOR,
            "ports": [port | {"protocol": "TCP"}],
        }
    }


def agents_server(
    name: str, hosts: Sequence[str], credential: str, identities: Sequence[str]
) -> Object:
    """A door for agents in gVisor: mutual TLS with the internal CA, for these identities."""
    return {
        "port": {"number": flows.GATEWAY_PORT, "name": name, "protocol": "HTTPS"},
        "hosts": list(hosts),
        "tls": {
            "mode": "MUTUAL",
            "credentialName": credential,
            "minProtocolVersion": "TLSV1_3",
            "subjectAltNames": [f"spiffe://{one}" for one in identities],
        },
    }


def allow_nothing(name: str, namespace: str, selector: dict[str, str]) -> Object:
    """An ALLOW policy without rules matches no request, and with one ALLOW policy in place a
    request that none of them matches is refused."""
    return named(
        SECURITY, "AuthorizationPolicy", f"{name}-nothing", namespace, names.platform_labels()
    ) | {"spec": {"selector": {"matchLabels": selector}, "action": "ALLOW"}}


def tokens(settings: StackSettings) -> Iterator[Object]:
    """Who may call from outside: holders of a valid token. Without an issuer, nobody."""
    outside = settings.outside_callers
    if outside is None:
        return
    yield _named(SECURITY, "RequestAuthentication", NAME) | {
        "spec": {
            "selector": {"matchLabels": SELECTOR},
            "jwtRules": [
                {
                    "issuer": outside.issuer,
                    "jwksUri": outside.jwks_uri,
                    "audiences": list(outside.audiences),
                    "forwardOriginalToken": False,
                    "outputClaimToHeaders": [{"header": "x-aspora-subject", "claim": "sub"}],
                }
            ],
        }
    }
    yield _named(SECURITY, "AuthorizationPolicy", f"{NAME}-outside") | {
        "spec": {
            "selector": {"matchLabels": SELECTOR},
            "action": "ALLOW",
            "rules": [
                {
                    "from": [{"source": {"requestPrincipals": [f"{outside.issuer}/*"]}}],
                    "to": [
                        {
                            "operation": {
                                "hosts": [settings.public_host],
                                "ports": [str(PUBLIC_PORT)],
                                "methods": ["POST"],
                                "paths": ["/execute/*"],
                            }
                        }
                    ],
                }
            ],
        }
    }


def connection_limits() -> Object:
    """Sizes, waiting times and headers: Istio has no fields for these, Envoy does.

    SANITIZE_SET throws away an x-forwarded-client-cert that a caller sent and writes the verified
    certificate's own; names with underscores are refused, since some programs read them as others.
    """
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network."
        "http_connection_manager.v3.HttpConnectionManager",
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": {"uri": True},
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "idle_timeout": "900s",
        },
        "max_request_headers_kb": MAX_HEADER_KIB,
        "request_headers_timeout": "10s",
        "request_timeout": "30s",
    }
    buffer = {
        "@type": f"{HTTP_FILTER}.buffer.v3.Buffer",
        "max_request_bytes": MAX_REQUEST_BYTES,
    }
    return _filter(
        "connection-limits",
        [
            {
                "applyTo": "NETWORK_FILTER",
                "match": {
                    "context": "GATEWAY",
                    "listener": {"filterChain": {"filter": {"name": MANAGER}}},
                },
                "patch": {"operation": "MERGE", "value": {"typed_config": manager}},
            },
            http_filter("envoy.filters.http.buffer", buffer),
        ],
    )


def _filter(what: str, patches: list[Object]) -> Object:
    return _named(ENVOY_FILTER, "EnvoyFilter", f"{NAME}-{what}") | {
        "spec": {"workloadSelector": {"labels": SELECTOR}, "configPatches": patches}
    }


def http_filter(name: str, config: Object) -> Object:
    """A patch that puts an HTTP filter before the router."""
    before = {"name": MANAGER, "subFilter": {"name": ROUTER}}
    return {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "GATEWAY", "listener": {"filterChain": {"filter": before}}},
        "patch": {
            "operation": "INSERT_BEFORE",
            "value": {"name": name, "typed_config": config},
        },
    }


def room(domain: Domain) -> int:
    """Executions that a domain's services, at their most pods, can queue: what the gateway lets in
    at once. More would only wait until its time is up."""
    return sum(
        skill.scaling.max * skill.scaling.queue_depth
        for skill in workloads(domain)
        if skill.kind == "service"
    )


def rate_limits(domains: Sequence[Domain]) -> Iterator[Object]:
    """A bucket for each domain, in each gateway pod: one domain's storm is not another's.

    A bucket holds what the domain can queue and fills again in ten seconds. Envoy's own filter:
    Istio has no field for rate limits, and a service of its own would be one more store to run.
    """
    limited = [(domain.name, room(domain)) for domain in domains if room(domain)]
    if not limited:
        return
    total = sum(size for _, size in limited)
    share = {"numerator": 100, "denominator": "HUNDRED"}
    config = {
        "@type": f"{HTTP_FILTER}.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "aspora_domain",
        "token_bucket": bucket(total),
        "filter_enabled": {"default_value": share},
        "filter_enforced": {"default_value": share},
        "always_consume_default_token_bucket": False,
        "descriptors": [
            {"entries": [{"key": "domain", "value": name}], "token_bucket": bucket(size)}
            for name, size in limited
        ],
    }
    yield _filter(
        "rate-limits",
        [
            http_filter("envoy.filters.http.local_ratelimit", config),
            {
                "applyTo": "VIRTUAL_HOST",
                "match": {"context": "GATEWAY"},
                "patch": {
                    "operation": "MERGE",
                    "value": {"rate_limits": [_by_path(name) for name, _ in limited]},
                },
            },
        ],
    )


def bucket(size: int) -> Object:
    """`size` executions at once, a tenth of them again each second."""
    return {
        "max_tokens": size,
        "tokens_per_fill": max(1, size // 10),
        "fill_interval": "1s",
    }


def _by_path(domain: str) -> Object:
    header = {"name": ":path", "string_match": {"prefix": f"/execute/{domain}/"}}
    match = {"descriptor_key": "domain", "descriptor_value": domain, "headers": [header]}
    return {"actions": [{"header_value_match": match}]}
