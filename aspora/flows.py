"""The one table of network flows: every NetworkPolicy and the documentation come from it.

A row says which of a domain's workloads may exchange packets with whom, on which ports, why, and
who asked for it. What no row names is refused: `default-deny` selects every pod of a domain.
Replies to an allowed connection need no row. The kubelet's probes need none either: traffic from
a pod's own node is always let through (Kubernetes network plugin requirement).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aspora import names
from aspora.resolve import Workload
from aspora.stack import StackSettings

Object = dict[str, Any]

EXECUTE_PORT = 8080
"""Where an agent takes executions, with mutual TLS (the brief's port)."""
STATUS_PORT = 8081
"""/health, /ready and /metrics, without client certificates, for kubelet and Prometheus."""
GATEWAY_PORT = 8443
"""The three gateways' port towards agents."""
OTLP_PORT = 4318
OTLP_GRPC_PORT = 4317
"""Inside the mesh alone: what the gateways' proxies send."""
POD_IDENTITY_ADDRESS = "169.254.170.23/32"
"""The EKS Pod Identity agent's link-local address (AWS documentation)."""


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods of one namespace, chosen by a label."""

    namespace: str
    label: tuple[str, str]

    @property
    def shown(self) -> str:
        """For the documentation: namespace, then label."""
        return f"{self.namespace}, {self.label[0]}={self.label[1]}"


@dataclass(frozen=True, slots=True)
class Networks:
    """Address ranges: fixed ones, or those a stack setting names."""

    setting: str
    of: Callable[[StackSettings], Sequence[str]]

    @property
    def shown(self) -> str:
        """For the documentation: the setting or the address."""
        return self.setting


Peer = Pods | Networks


@dataclass(frozen=True, slots=True)
class Flow:
    """One row. `applies` picks the workloads; `ports` are (protocol, port)."""

    name: str
    direction: Literal["to", "from"]
    peer: Peer
    ports: tuple[tuple[str, int], ...]
    why: str
    asked_by: str
    who: str
    applies: Callable[[Workload], bool]


def _all(_: Workload) -> bool:
    return True


def tcp(*ports: int) -> tuple[tuple[str, int], ...]:
    """TCP on each of `ports`."""
    return tuple(("TCP", port) for port in ports)


FLOWS: tuple[Flow, ...] = (
    Flow(
        "dns",
        "to",
        Pods("kube-system", ("k8s-app", "kube-dns")),
        (("UDP", 53), ("TCP", 53)),
        "Names are looked up; answers over 512 bytes come by TCP.",
        "platform",
        "every workload",
        _all,
    ),
    Flow(
        "execute",
        "from",
        Pods(names.PLATFORM_NAMESPACE, ("app", "aspora-gateway")),
        tcp(EXECUTE_PORT),
        "The gateway is the one caller of agents.",
        "platform",
        "services and sessions",
        lambda workload: workload.kind != "cron",
    ),
    Flow(
        "metrics",
        "from",
        Pods(names.OBSERVABILITY_NAMESPACE, ("app.kubernetes.io/name", "prometheus")),
        tcp(STATUS_PORT),
        "Prometheus scrapes /metrics.",
        "platform",
        "every workload",
        _all,
    ),
    Flow(
        "model-gateway",
        "to",
        Pods(names.PLATFORM_NAMESPACE, ("app", "model-gateway")),
        tcp(GATEWAY_PORT),
        "Model calls, with the skill's key and budget.",
        "platform",
        "every workload",
        _all,
    ),
    Flow(
        "tool-gateway",
        "to",
        Pods(names.PLATFORM_NAMESPACE, ("app", "tool-gateway")),
        tcp(GATEWAY_PORT),
        "Calls of the MCP tools the domain file names.",
        "domain: `tools`",
        "workloads with tools",
        lambda workload: bool(workload.tools),
    ),
    Flow(
        "agent-calls",
        "to",
        Pods(names.PLATFORM_NAMESPACE, ("app", "aspora-gateway")),
        tcp(GATEWAY_PORT),
        "Calls of other agents' skills, authorised per route at the gateway.",
        "domain: `calls`",
        "workloads of agents with calls",
        lambda workload: bool(workload.agent.calls),
    ),
    Flow(
        "telemetry",
        "to",
        Pods(names.OBSERVABILITY_NAMESPACE, ("app", "otel-collector")),
        tcp(OTLP_PORT),
        "Traces, metrics and logs by OTLP over HTTP.",
        "platform",
        "every workload",
        _all,
    ),
    Flow(
        "pod-identity",
        "to",
        Networks("169.254.170.23/32 (EKS Pod Identity agent)", lambda _: (POD_IDENTITY_ADDRESS,)),
        tcp(80),
        "Credentials for the agent's own S3 prefix.",
        "platform",
        "every workload",
        _all,
    ),
    Flow(
        "aws-endpoints",
        "to",
        Networks("network.endpointCidrs", lambda stack: stack.network.endpoint_cidrs),
        tcp(443),
        "S3 through the VPC's interface endpoints.",
        "platform",
        "every workload",
        _all,
    ),
    Flow(
        "databases",
        "to",
        Networks("network.databaseCidrs", lambda stack: stack.network.database_cidrs),
        tcp(5432, 6379),
        "PostgreSQL and Valkey, by IAM token over verified TLS.",
        "domain: `database`",
        "workloads of agents with `database: true`",
        lambda workload: workload.agent.database,
    ),
    Flow(
        "egress-gateway",
        "to",
        Pods(names.EGRESS_NAMESPACE, ("istio", "egressgateway")),
        tcp(GATEWAY_PORT),
        "Hosts outside, which the egress gateway lets through by name.",
        "domain: `egress`",
        "every workload of a domain with `egress`",
        lambda workload: bool(workload.domain.egress),
    ),
    Flow(
        "mesh-control",
        "to",
        Pods("istio-system", ("app", "istiod")),
        tcp(15012),
        "The sidecar's configuration and certificates.",
        "domain: `sandbox.runtime: runc`",
        "every workload of a domain with sidecars",
        lambda workload: workload.domain.sandbox.runtime == "runc",
    ),
)


def peer_objects(peer: Peer, settings: StackSettings) -> list[Object]:
    """The `from` or `to` list of a NetworkPolicy rule."""
    if isinstance(peer, Pods):
        key, value = peer.label
        return [
            {
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": peer.namespace}
                },
                "podSelector": {"matchLabels": {key: value}},
            }
        ]
    return [{"ipBlock": {"cidr": cidr}} for cidr in peer.of(settings)]


def rule(flow: Flow, settings: StackSettings) -> Object:
    """One ingress or egress rule of a NetworkPolicy."""
    return {
        flow.direction: peer_objects(flow.peer, settings),
        "ports": [{"protocol": protocol, "port": port} for protocol, port in flow.ports],
    }


def rules_of(workload: Workload, settings: StackSettings) -> tuple[list[Object], list[Object]]:
    """(ingress, egress) of a single workload: what its SandboxTemplate carries."""
    mine = [flow for flow in FLOWS if flow.applies(workload)]
    return (
        [rule(flow, settings) for flow in mine if flow.direction == "from"],
        [rule(flow, settings) for flow in mine if flow.direction == "to"],
    )
