"""The mesh: STRICT mutual TLS with its few exceptions, whom a platform pod may know, telemetry.

An exception is a port that somebody without a mesh identity calls: an agent in gVisor, Prometheus
or the API server (decision 1). Agents and the API server find TLS there, Prometheus plain metrics.
Of the gateways it reads the proxy's merged port, which the mesh leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from aspora import flows, names
from aspora.gateways.mesh_config import ACCESS_LOG, TRACES
from aspora.models import Domain
from aspora.render.mesh import NETWORKING, SECURITY
from aspora.render.objects import Object, named
from aspora.services.namespaces import MESHED
from aspora.stack import StackSettings

ROOT_NAMESPACE = "istio-system"
"""What stands here holds for the whole mesh."""
TRACED = (names.PLATFORM_NAMESPACE, names.EGRESS_NAMESPACE)
"""Where the proxies tell of what they carry: those of the gateways. Were those of the observability
namespace to tell too, each span they carry would make further ones."""
OPERATOR = "clickhouse-operator"
TELEMETRY = "telemetry.istio.io/v1"
MERGED_METRICS = 15020
"""Where a sidecar gives out its own and its pod's metrics; outside of the mesh's interception."""
PROXY_PORT = "http-envoy-prom"
"""The name of the one port that Istio's proxy declares, 15090."""
MONITORING = "monitoring.coreos.com/v1"


@dataclass(frozen=True, slots=True)
class Unmeshed:
    """One exception: a port of some pods that is called from outside of the mesh."""

    name: str
    namespace: str
    label: tuple[str, str]
    port: int
    caller: Literal["agents", "prometheus", "api-server"]
    why: str


UNMESHED: tuple[Unmeshed, ...] = (
    Unmeshed(
        "model-gateway",
        names.PLATFORM_NAMESPACE,
        ("app", "model-gateway"),
        flows.GATEWAY_PORT,
        "agents",
        "Model calls of agents in gVisor, over TLS with the skill's key.",
    ),
    Unmeshed(
        "tool-gateway",
        names.PLATFORM_NAMESPACE,
        ("app", "tool-gateway"),
        flows.GATEWAY_PORT,
        "agents",
        "Tool calls of agents in gVisor, over mutual TLS with the internal CA's certificates.",
    ),
    Unmeshed(
        "otel-collector",
        names.OBSERVABILITY_NAMESPACE,
        ("app", "otel-collector"),
        flows.OTLP_PORT,
        "agents",
        "Traces, metrics and logs of agents in gVisor, over TLS.",
    ),
    Unmeshed(
        OPERATOR,
        OPERATOR,
        ("control-plane", "controller-manager"),
        9443,
        "api-server",
        "The webhook of ClickHouse's operator.",
    ),
    Unmeshed(
        OPERATOR,
        OPERATOR,
        ("control-plane", "controller-manager"),
        8080,
        "prometheus",
        "The operator's metrics.",
    ),
    *(
        Unmeshed(name, names.OBSERVABILITY_NAMESPACE, label, port, "prometheus", why)
        for name, label, port, why in (
            ("otel-collector", ("app", "otel-collector"), 8888, "The collector's own metrics."),
            ("otel-gateway", ("app", "otel-gateway"), 8888, "The gateway's own metrics."),
            ("otel-gateway", ("app", "otel-gateway"), 8889, "The metrics skill_*."),
            ("clickhouse", (names.SERVICE_LABEL, "clickhouse"), 9363, "ClickHouse's metrics."),
            ("phoenix", (names.SERVICE_LABEL, "phoenix"), 9090, "Phoenix's metrics."),
        )
    ),
)
"""The other webhooks stand in namespaces without sidecars, and so do Prometheus and what it alone
calls."""

UNMESHED_BY_NAME = tuple(sorted(UNMESHED, key=lambda one: (one.name, one.namespace, one.port)))


def objects(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Object]:
    """The part of `aspora/render/services.py`."""
    yield from peer_authentications()
    yield from own_tls()
    yield from sidecars()
    yield from outside(domains, settings)
    yield from telemetry()
    yield from monitors()


def peer_authentications() -> Iterator[Object]:
    """STRICT for the whole mesh and again in each namespace of the platform, so that nobody loosens
    one by deleting the other; and a policy of its own for each exception."""
    labels = names.platform_labels()
    for space in (ROOT_NAMESPACE, *MESHED, names.EGRESS_NAMESPACE):
        yield named(SECURITY, "PeerAuthentication", "default", space, labels) | {
            "spec": {"mtls": {"mode": "STRICT"}}
        }
    # One policy for some pods: of several with one selector only the oldest would hold.
    for (name, space), found in groupby(UNMESHED_BY_NAME, lambda one: (one.name, one.namespace)):
        ports = list(found)
        key, value = ports[0].label
        why = {"aspora.io/why": " ".join(one.why for one in ports)}
        yield named(SECURITY, "PeerAuthentication", name, space, labels, why) | {
            "spec": {
                "selector": {"matchLabels": {key: value}},
                "mtls": {"mode": "STRICT"},
                "portLevelMtls": {str(one.port): {"mode": "DISABLE"} for one in ports},
            }
        }


def own_tls() -> Iterator[Object]:
    """Callers with a sidecar must not wrap the gateways' own TLS into the mesh's."""
    for one in UNMESHED:
        if one.caller == "agents":
            host = f"{one.name}.{one.namespace}.svc.cluster.local"
            yield plain_port(one.name, one.namespace, host, one.port)


def plain_port(name: str, namespace: str, host: str, port: int) -> Object:
    """The port of a host that a sidecar passes on as it is."""
    return named(NETWORKING, "DestinationRule", name, namespace, names.platform_labels()) | {
        "spec": {
            "host": host,
            "trafficPolicy": {
                "portLevelSettings": [{"port": {"number": port}, "tls": {"mode": "DISABLE"}}]
            },
        }
    }


def sidecars() -> Iterator[Object]:
    """Whom the platform's pods know; what is not registered they cannot call."""
    for space in MESHED:
        hosts = [
            "./*",
            *(f"{other}/*" for other in MESHED if other != space),
            f"{ROOT_NAMESPACE}/*",
            f"{names.EGRESS_NAMESPACE}/*",
            "default/kubernetes.default.svc.cluster.local",
        ]
        yield named(NETWORKING, "Sidecar", "default", space, names.platform_labels()) | {
            "spec": {
                "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
                "egress": [{"hosts": hosts}],
            }
        }


def outside(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Object]:
    """What the VPC has and no Service stands for, by address: databases, AWS endpoints, Pod
    Identity. The endpoints' names are AWS's (decision 10), and TLS is the callers' own.

    All are TCP: of a TLS port with ranges of addresses Istio lets through what asks for the entry's
    own host name, and nobody does (pilot/pkg/networking/core, buildSidecarOutboundTLSFilterChain).
    """
    meshed = (names.namespace(d.name) for d in domains if d.sandbox.runtime == "runc")
    known = [*MESHED, *meshed]
    places: Iterable[tuple[str, Sequence[str], tuple[tuple[int, str, str], ...]]] = (
        (
            "databases",
            settings.network.database_cidrs,
            ((5432, "tcp-postgresql", "TCP"), (6379, "tcp-valkey", "TCP")),
        ),
        ("aws-endpoints", settings.network.endpoint_cidrs, ((443, "tcp-aws", "TCP"),)),
        ("pod-identity", (flows.POD_IDENTITY_ADDRESS,), ((80, "tcp-credentials", "TCP"),)),
    )
    for name, addresses, ports in places:
        yield named(NETWORKING, "ServiceEntry", name, ROOT_NAMESPACE, names.platform_labels()) | {
            "spec": {
                "hosts": [f"{name}.vpc.aspora.internal"],
                "addresses": list(addresses),
                "exportTo": known,
                "location": "MESH_EXTERNAL",
                "resolution": "NONE",
                "ports": [
                    {"number": number, "name": port, "protocol": protocol}
                    for number, port, protocol in ports
                ],
            }
        }


def telemetry() -> Iterator[Object]:
    """Access logs of every proxy as JSON; the gateways' traces to the collector, which samples."""
    labels = names.platform_labels()
    yield named(TELEMETRY, "Telemetry", "default", ROOT_NAMESPACE, labels) | {
        "spec": {
            "tracing": [{"disableSpanReporting": True}],
            "accessLogging": [{"providers": [{"name": ACCESS_LOG}]}],
        }
    }
    traced = {
        "providers": [{"name": TRACES}],
        "randomSamplingPercentage": 100,
        "disableSpanReporting": False,
    }
    for space in TRACED:
        yield named(TELEMETRY, "Telemetry", "default", space, labels) | {
            "spec": {"tracing": [traced]}
        }


SCRAPED: tuple[tuple[str, str, tuple[str, str], int], ...] = (
    ("aspora-gateway", names.PLATFORM_NAMESPACE, ("app", "aspora-gateway"), MERGED_METRICS),
    ("istio-egress", names.EGRESS_NAMESPACE, ("istio", "egressgateway"), MERGED_METRICS),
    ("istiod", ROOT_NAMESPACE, ("app", "istiod"), 15014),
    # It has the node's network only with ambient, which is off: policies hold for it.
    ("istio-cni", names.CNI_NAMESPACE, ("k8s-app", "istio-cni-node"), 15014),
    ("clickhouse", names.OBSERVABILITY_NAMESPACE, (names.SERVICE_LABEL, "clickhouse"), 9363),
    ("phoenix", names.OBSERVABILITY_NAMESPACE, (names.SERVICE_LABEL, "phoenix"), 9090),
)
"""Pods whose chart or operator brings no monitor: name, namespace, label, port."""


def monitors() -> Iterator[Object]:
    """Without them Prometheus would not know what the gateways carry (aspora/observe/slo.py)."""
    for name, space, label, port in SCRAPED:
        head = named(MONITORING, "PodMonitor", name, space, names.platform_labels())
        yield head | {"spec": monitored(label, port)}


def monitored(label: tuple[str, str], port: int) -> Object:
    """What a PodMonitor says of pods with `label`.

    Prometheus' operator keeps the ports that a container declares, and no proxy declares the merged
    one: its neighbour is taken, whose address is then changed.
    """
    key, value = label
    endpoint: Object = {"portNumber": port, "path": "/metrics", "interval": "30s"}
    if port == MERGED_METRICS:
        address = {"sourceLabels": ["__meta_kubernetes_pod_ip"], "targetLabel": "__address__"}
        endpoint = {
            "port": PROXY_PORT,
            "path": "/stats/prometheus",
            "interval": "30s",
            "relabelings": [{**address, "replacement": f"$1:{port}"}],
        }
    return {"selector": {"matchLabels": {key: value}}, "podMetricsEndpoints": [endpoint]}
