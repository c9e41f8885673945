"""The way out: the egress gateway, and for each host exactly those who may reach it.

Two doors here too. Platform services come through the mesh (443); agents in gVisor, which have no
sidecar, by mutual TLS with their own certificate (8443). Both send plain HTTP requests inside, with
the host they want in `Host`; the gateway starts the TLS to the outside and checks that name. A
passed-through TLS connection would show neither who calls nor, reliably, whom (decision 53).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from aspora import flows, names
from aspora.flows import Networks
from aspora.gateways import mesh
from aspora.gateways.callers import identity
from aspora.gateways.ingress import agents_server, allow_nothing, certificate
from aspora.models import Domain
from aspora.render.mesh import NETWORKING, SECURITY
from aspora.render.objects import Object, named
from aspora.render.secrets import ISSUER
from aspora.render.system import policy as policy_of
from aspora.resolve import workloads
from aspora.services import flows as services
from aspora.stack import OPENROUTER, StackSettings
from aspora.system_flows import INTERNET, SystemFlow

NAME = "istio-egress"
SPACE = names.EGRESS_NAMESPACE
HOST = f"{NAME}.{SPACE}.svc.cluster.local"
SELECTOR = {"istio": "egressgateway"}
MESH_PORT = 443
AGENTS_CREDENTIAL = "istio-egress-agents"
MODEL_TIMEOUT = "600s"
"""A long answer of a reasoning model, streamed; the agent's own limit is shorter."""
TOOL_TIMEOUT = "120s"
AGENT_TIMEOUT = "120s"
NOT_SENT_YET = {"attempts": 2, "retryOn": "connect-failure,refused-stream"}
"""Only what the other side has never begun may be sent again: a call can cost money."""
INSIDE_HEADERS = [
    *("x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-proto", "x-request-id"),
    *("x-envoy-attempt-count", "x-envoy-decorator-operation", "x-envoy-external-address"),
    *("x-envoy-peer-metadata", "x-envoy-peer-metadata-id", "traceparent", "tracestate"),
]
"""What nobody outside needs to know about the inside."""


@dataclass(frozen=True, slots=True)
class Way:
    """Who may reach one port of one host; `principals` without `spiffe://`."""

    host: str
    port: int
    principals: tuple[str, ...]
    timeout: str
    why: tuple[str, ...]
    from_mesh: bool = True

    @property
    def authorities(self) -> list[str]:
        """How a request may write the host."""
        written = [f"{self.host}:{self.port}"]
        return [self.host, *written] if self.port == MESH_PORT else written


def _service(account: str) -> str:
    return names.spiffe_id_of(names.PLATFORM_NAMESPACE, account).removeprefix("spiffe://")


def ways(domains: Sequence[Domain], settings: StackSettings) -> tuple[Way, ...]:
    """Everything that may be reached outside, each once: two domains may name one host."""
    found: dict[tuple[str, int, bool], Way] = {}
    for way in (*_platform(domains, settings), *_agents(domains)):
        key = (way.host, way.port, way.from_mesh)
        found[key] = _both(found[key], way) if key in found else way
    return tuple(found.values())


def _both(one: Way, other: Way) -> Way:
    return replace(
        one,
        principals=tuple(dict.fromkeys((*one.principals, *other.principals))),
        why=tuple(dict.fromkeys((*one.why, *other.why))),
    )


def _platform(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Way]:
    model = (_service("model-gateway"),)
    yield Way(OPENROUTER, 443, model, MODEL_TIMEOUT, why=("Model calls.",))
    used = {
        server.server for domain in domains for work in workloads(domain) for server in work.tools
    }
    for server in settings.tool_servers:
        if server.name in used:
            parts = urlsplit(server.url)
            why = (f"MCP server {server.name}.",)
            tool = (_service("tool-gateway"),)
            yield Way(parts.hostname or "", parts.port or 443, tool, TOOL_TIMEOUT, why)


def _agents(domains: Sequence[Domain]) -> Iterator[Way]:
    for domain in domains:
        mine = tuple(identity(workload) for workload in workloads(domain))
        for egress in domain.egress:
            why = (f"{domain.name}: {egress.reason}",)
            yield Way(egress.host, egress.port, mine, AGENT_TIMEOUT, why, from_mesh=False)


def objects(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Object]:
    """The part of `aspora/render/services.py`."""
    every = ways(domains, settings)
    hosts = list(dict.fromkeys(way.host for way in every))
    yield certificate(AGENTS_CREDENTIAL, [HOST], ISSUER, namespace=SPACE)
    yield from other_ports(every, settings)
    yield gateway(every)
    yield allow_nothing(NAME, SPACE, SELECTOR)
    yield to_the_gateway(every)
    for host in hosts:
        mine = [way for way in every if way.host == host]
        yield service_entry(host, mine)
        yield originate(host, mine)
        yield route(host, mine)
        yield policy(host, mine)


def other_ports(every: Sequence[Way], settings: StackSettings) -> Iterator[Object]:
    """The table of flows opens 443; what files name beside it, for the gateway's pods alone.

    An agent's host is on the Internet; a tool server may be the company's own.
    """
    label, app = services.EGRESS.label
    wanted: dict[tuple[int, Networks], list[str]] = {}
    for way in every:
        if way.port != MESH_PORT:
            for peer in (INTERNET, services.VPC) if way.from_mesh else (INTERNET,):
                wanted.setdefault((way.port, peer), []).append(f"{way.host}: {' '.join(way.why)}")
    rows = [
        SystemFlow(f"port-{port}", label, (app,), "to", peer, flows.tcp(port), " ".join(why), SPACE)
        for (port, peer), why in wanted.items()
    ]
    if rows:
        yield policy_of(f"aspora-{app}-ports", rows, settings)


def _named(api: str, kind: str, name: str, why: Sequence[str] = ()) -> Object:
    notes = {"aspora.io/why": " ".join(why)} if why else None
    return named(api, kind, name, SPACE, names.platform_labels(), notes)


def gateway(every: Sequence[Way]) -> Object:
    """The two doors; the agents' one opens for workloads of domains with `egress` alone."""
    meshed = list(dict.fromkeys(way.host for way in every if way.from_mesh))
    servers: list[Object] = [
        {
            "port": {"number": MESH_PORT, "name": "https-mesh", "protocol": "HTTPS"},
            "hosts": meshed,
            "tls": {"mode": "ISTIO_MUTUAL"},
        }
    ]
    agents = [way for way in every if not way.from_mesh]
    if agents:
        hosts = [HOST, *dict.fromkeys(way.host for way in agents)]
        known = list(dict.fromkeys(one for way in agents for one in way.principals))
        servers.append(agents_server("https-agents", hosts, AGENTS_CREDENTIAL, known))
    return _named(NETWORKING, "Gateway", "egress") | {
        "spec": {"selector": SELECTOR, "servers": servers}
    }


def to_the_gateway(every: Sequence[Way]) -> Object:
    """From a sidecar to the gateway: the mesh's mutual TLS, with the host wanted as server name."""
    spec: Object = mesh.plain_port(NAME, SPACE, HOST, flows.GATEWAY_PORT)["spec"]
    spec["subsets"] = [
        {
            "name": subset(way.host),
            "trafficPolicy": {
                "portLevelSettings": [
                    {
                        "port": {"number": MESH_PORT},
                        "tls": {"mode": "ISTIO_MUTUAL", "sni": way.host},
                    }
                ]
            },
        }
        for way in every
        if way.from_mesh
    ]
    return _named(NETWORKING, "DestinationRule", NAME) | {"spec": spec}


def subset(host: str) -> str:
    """A host as the name of a subset."""
    return names.fit(host.replace(".", "-"))


def service_entry(host: str, mine: Sequence[Way]) -> Object:
    """The host, known to the gateway and to who comes through the mesh, by plain HTTP on 80."""
    ports = [
        {"number": way.port, "name": f"tls-{way.port}", "protocol": "TLS"}
        for way in {way.port: way for way in mine}.values()
    ]
    meshed = any(way.from_mesh for way in mine)
    if meshed:
        ports.insert(0, {"number": 80, "name": "http", "protocol": "HTTP"})
    why = [text for way in mine for text in way.why]
    return _named(NETWORKING, "ServiceEntry", names.fit(host), why) | {
        "spec": {
            "hosts": [host],
            "exportTo": [".", names.PLATFORM_NAMESPACE] if meshed else ["."],
            "location": "MESH_EXTERNAL",
            "resolution": "DNS",
            "ports": ports,
        }
    }


def originate(host: str, mine: Sequence[Way]) -> Object:
    """TLS to the outside, which must show a certificate of that very name."""
    ports = sorted({way.port for way in mine})
    return _named(NETWORKING, "DestinationRule", names.fit(host)) | {
        "spec": {
            "host": host,
            "exportTo": ["."],
            "trafficPolicy": {
                "portLevelSettings": [
                    {
                        "port": {"number": port},
                        "tls": {"mode": "SIMPLE", "sni": host, "subjectAltNames": [host]},
                        # One host: to eject it would be to be down. The limits below suffice.
                        "connectionPool": {
                            "tcp": {"connectTimeout": "5s", "maxConnections": 1024},
                            "http": {"http1MaxPendingRequests": 256},
                        },
                    }
                    for port in ports
                ]
            },
        }
    }


def route(host: str, mine: Sequence[Way]) -> Object:
    """From the sidecar to the gateway, from the gateway out; a port not declared has no route."""
    meshed = any(way.from_mesh for way in mine)
    http: list[Object] = []
    for way in mine:
        if way.from_mesh:
            http.append(_from_sidecar(way))
        http.append(_from_gateway(way))
    return _named(NETWORKING, "VirtualService", names.fit(host)) | {
        "spec": {
            "hosts": [host],
            "gateways": ["mesh", f"{SPACE}/egress"] if meshed else [f"{SPACE}/egress"],
            "exportTo": [".", names.PLATFORM_NAMESPACE] if meshed else ["."],
            "http": http,
        }
    }


def _from_sidecar(way: Way) -> Object:
    to = {"host": HOST, "subset": subset(way.host), "port": {"number": MESH_PORT}}
    return {
        "match": [{"gateways": ["mesh"], "port": 80}],
        "route": [{"destination": to}],
        "timeout": way.timeout,
        "retries": NOT_SENT_YET,
    }


def _from_gateway(way: Way) -> Object:
    port = MESH_PORT if way.from_mesh else flows.GATEWAY_PORT
    match: Object = {"gateways": [f"{SPACE}/egress"], "port": port}
    # A sidecar's request says only the host; of an agent's the port counts too.
    asked = [{**match, "authority": {"exact": written}} for written in way.authorities]
    return {
        "match": [match] if way.from_mesh else asked,
        "headers": {"request": {"remove": INSIDE_HEADERS}},
        "route": [{"destination": {"host": way.host, "port": {"number": way.port}}}],
        "timeout": way.timeout,
        "retries": NOT_SENT_YET,
    }


def policy(host: str, mine: Sequence[Way]) -> Object:
    """Exactly who may ask for the host, through which door."""
    rules = [
        {
            "from": [{"source": {"principals": list(way.principals)}}],
            "to": [
                {
                    "operation": {
                        "hosts": [host] if way.from_mesh else way.authorities,
                        "ports": [str(MESH_PORT if way.from_mesh else flows.GATEWAY_PORT)],
                    }
                }
            ],
        }
        for way in mine
    ]
    return _named(SECURITY, "AuthorizationPolicy", names.fit(host)) | {
        "spec": {"selector": {"matchLabels": SELECTOR}, "action": "ALLOW", "rules": rules}
    }
