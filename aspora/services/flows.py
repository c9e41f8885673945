"""The connections of the platform's own namespaces, kube-system apart: who calls whom, and why.

A row has both ends. Each end that lies in a namespace of the table gets a NetworkPolicy of its
own, so that what one side may send the other may receive. kubelet's probes need no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aspora import names
from aspora.flows import (
    EXECUTE_PORT,
    GATEWAY_PORT,
    OTLP_GRPC_PORT,
    OTLP_PORT,
    STATUS_PORT,
    Networks,
    Pods,
    tcp,
)
from aspora.services.namespaces import MESHED, NAMESPACES, by_name
from aspora.services.stores import (
    CLICKHOUSE_HTTP_PORT,
    CLICKHOUSE_NATIVE_PORT,
    MYSQL,
    MYSQL_BACKUP,
    MYSQL_PORT,
    POSTGRES_JOB,
)
from aspora.services.values.mesh import HTTPS_PORT
from aspora.services.values.mesh import STATUS_PORT as HEALTH_PORT
from aspora.services.values.stores import VALKEY, VALKEY_PORT
from aspora.system_flows import (
    AGENT,
    API_SERVER,
    DNS,
    ENDPOINTS,
    INTERNET,
    KUBERNETES,
    NAME,
    NODES,
    Domains,
    EveryPod,
    Namespace,
    SystemFlow,
)
from aspora.telemetry import collector, node_logs

Ports = tuple[tuple[str, int], ...]
End = Pods | Networks | EveryPod | Namespace | Domains


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` opens connections to `to` on `ports`."""

    name: str
    source: End
    to: End
    ports: Ports
    why: str


def service(namespace: str, name: str) -> Pods:
    """The pods of one of our services, by the label that every chart's values set."""
    return Pods(namespace, (names.SERVICE_LABEL, name))


def seen(name: str) -> Pods:
    """A service of the observability namespace."""
    return service(names.OBSERVABILITY_NAMESPACE, name)


PLATFORM = names.PLATFORM_NAMESPACE
OBSERVABILITY = names.OBSERVABILITY_NAMESPACE
GATEWAY = Pods(PLATFORM, ("app", "aspora-gateway"))
MODELS = Pods(PLATFORM, ("app", "model-gateway"))
TOOLS = Pods(PLATFORM, ("app", "tool-gateway"))
COUNTERS = Pods(PLATFORM, ("app", "model-gateway-counters"))
RESTARTS = Pods(PLATFORM, ("app", "certificate-restarts"))
SYNC = Pods(PLATFORM, ("app", "model-gateway-sync"))
EGRESS = Pods(names.EGRESS_NAMESPACE, ("istio", "egressgateway"))
ISTIOD = Pods(names.ISTIO_NAMESPACE, ("app", "istiod"))
SANDBOXES = Pods(names.SANDBOX_NAMESPACE, ("app", "agent-sandbox-controller"))
OTEL = Pods(OBSERVABILITY, ("app", collector.AGENT))
OTEL_GATEWAY = Pods(OBSERVABILITY, ("app", collector.GATEWAY))
NODE_LOGS = Pods(names.NODE_AGENTS_NAMESPACE, ("app", node_logs.NAME))
PROMETHEUS = Pods(OBSERVABILITY, (NAME, "prometheus"))
ALERTMANAGER = Pods(OBSERVABILITY, (NAME, "alertmanager"))
GRAFANA = Pods(OBSERVABILITY, (NAME, "grafana"))
KUBE_STATE = Pods(OBSERVABILITY, (NAME, "kube-state-metrics"))
OPERATOR = seen("prometheus-operator")
LANGFUSE, OPIK, PHOENIX = seen("langfuse"), seen("opik"), seen("phoenix")
CLICKHOUSE, KEEPER = seen("clickhouse"), seen("clickhouse-keeper")
SQL, SQL_BACKUP = seen(MYSQL), seen(MYSQL_BACKUP)
OPENCOST = seen("opencost")
REDIS = seen(VALKEY)
KUBE_DNS = Pods("kube-system", ("k8s-app", "kube-dns"))
CLIENTS = Networks("network.vpcCidr (the load balancer)", lambda s: (s.network.vpc_cidr,))
VPC = Networks("network.vpcCidr", lambda s: (s.network.vpc_cidr,))
STORES = Networks("network.databaseCidrs", lambda s: s.network.database_cidrs)

MORE = "other ports where `egress` or a tool server names one (`aspora/gateways/egress.py`)."

CLICKHOUSE_PORTS = tcp(CLICKHOUSE_HTTP_PORT, CLICKHOUSE_NATIVE_PORT)
MANAGEMENT_PORT, INTERSERVER_PORT = 9001, 9009
KEEPER_PORT, RAFT_PORT, KEEPER_CONTROL_PORT = 2181, 9234, 9182
ARGO_REDIS_PORT = 6379
COUNTERS_PORT = 6379

_GATEWAYS: tuple[Edge, ...] = (
    Edge("clients", CLIENTS, GATEWAY, tcp(HTTPS_PORT, HEALTH_PORT), "Clients, through the NLB."),
    Edge("agent-calls", Domains(), GATEWAY, tcp(GATEWAY_PORT), "Agents call other agents."),
    Edge("execute", GATEWAY, Domains(), tcp(EXECUTE_PORT), "The gateway is agents' one caller."),
    Edge("models", Domains(), MODELS, tcp(GATEWAY_PORT), "Model calls, with a key and budget."),
    Edge("tools", Domains(), TOOLS, tcp(GATEWAY_PORT), "Calls of MCP tools."),
    Edge("models-out", MODELS, EGRESS, tcp(HTTPS_PORT), "Model providers, by host name."),
    Edge("tools-out", TOOLS, EGRESS, tcp(HTTPS_PORT), "MCP servers, by host name."),
    Edge("agents-out", Domains(), EGRESS, tcp(GATEWAY_PORT), "Hosts a domain file names."),
    Edge(
        "outside", EGRESS, INTERNET, tcp(HTTPS_PORT), f"What the mesh's rules let through; {MORE}"
    ),
    Edge("tool-servers", EGRESS, VPC, tcp(HTTPS_PORT), f"MCP servers inside the company; {MORE}"),
    Edge("models-state", MODELS, STORES, tcp(5432), "Teams, keys and what they spent."),
    Edge("models-identity", MODELS, AGENT, tcp(80), "The IAM token of its database user."),
    Edge("models-counters", MODELS, COUNTERS, tcp(COUNTERS_PORT), "What is spent and reserved."),
    Edge("models-sync", SYNC, MODELS, tcp(GATEWAY_PORT), "Teams and keys from the domain files."),
)

_MESH: tuple[Edge, ...] = (
    Edge("xds", EveryPod(), ISTIOD, tcp(15012), "Sidecars' configuration and certificates."),
    Edge("jwks", ISTIOD, INTERNET, tcp(HTTPS_PORT), "The public keys of callers' tokens."),
    Edge("inject", API_SERVER, ISTIOD, tcp(15017), "Injection and validation webhooks."),
    *(
        Edge(f"mesh-{name}", Namespace(name), ISTIOD, tcp(15012), "The proxy's control plane.")
        for name in (*MESHED, names.EGRESS_NAMESPACE)
    ),
)

_TELEMETRY: tuple[Edge, ...] = (
    Edge("otlp", Domains(), OTEL, tcp(OTLP_PORT), "Agents' traces, metrics and logs."),
    *(
        Edge(f"otlp-{name}", Namespace(name), OTEL, tcp(OTLP_GRPC_PORT), "Traces of the gateways.")
        for name in (PLATFORM, names.EGRESS_NAMESPACE)
    ),
    Edge(
        "tiers",
        OTEL,
        OTEL_GATEWAY,
        tcp(collector.TRACES_PORT, collector.COUNT_PORT),
        "Traces by trace, numbers by service.",
    ),
    Edge("to-langfuse", OTEL_GATEWAY, LANGFUSE, tcp(3000), "Traces."),
    Edge("to-opik", OTEL_GATEWAY, OPIK, tcp(5173), "Traces."),
    Edge("to-phoenix", OTEL_GATEWAY, PHOENIX, tcp(6006), "Traces."),
    Edge(
        "to-clickhouse",
        OTEL_GATEWAY,
        CLICKHOUSE,
        tcp(CLICKHOUSE_NATIVE_PORT),
        "Executions and model calls.",
    ),
    Edge("gateway-s3", OTEL_GATEWAY, ENDPOINTS, tcp(443), "JSON logs to S3."),
    Edge("logs-s3", NODE_LOGS, ENDPOINTS, tcp(443), "Logs of the platform's pods to S3."),
    Edge("logs-identity", NODE_LOGS, AGENT, tcp(80), "Credentials of its own."),
    Edge("gateway-identity", OTEL_GATEWAY, AGENT, tcp(80), "Credentials of its own."),
)

_STORES: tuple[Edge, ...] = (
    Edge("langfuse-postgres", LANGFUSE, STORES, tcp(5432), "Projects and prompts."),
    Edge("langfuse-clickhouse", LANGFUSE, CLICKHOUSE, CLICKHOUSE_PORTS, "Traces and scores."),
    Edge("langfuse-queue", LANGFUSE, REDIS, tcp(VALKEY_PORT), "Its queue."),
    Edge("langfuse-s3", LANGFUSE, ENDPOINTS, tcp(443), "Events and media."),
    Edge("langfuse-identity", LANGFUSE, AGENT, tcp(80), "Credentials of its own."),
    Edge("opik-parts", OPIK, OPIK, tcp(5173, 8080), "Its pages ask its backend."),
    Edge("opik-mysql", OPIK, SQL, tcp(MYSQL_PORT), "Projects and datasets."),
    Edge("opik-clickhouse", OPIK, CLICKHOUSE, CLICKHOUSE_PORTS, "Traces."),
    Edge("opik-cache", OPIK, REDIS, tcp(VALKEY_PORT), "Its cache."),
    Edge("opik-s3", OPIK, ENDPOINTS, tcp(443), "Attachments."),
    Edge("opik-identity", OPIK, AGENT, tcp(80), "Credentials of its own."),
    Edge("phoenix-postgres", PHOENIX, STORES, tcp(5432), "All it knows."),
    Edge("phoenix-identity", PHOENIX, AGENT, tcp(80), "The IAM token of its database user."),
    Edge("grafana-postgres", GRAFANA, STORES, tcp(5432), "Users and sessions."),
    Edge("grafana-prometheus", GRAFANA, PROMETHEUS, tcp(9090), "Metrics."),
    Edge("grafana-alerts", GRAFANA, ALERTMANAGER, tcp(9093), "Alerts."),
    Edge(
        "replicas",
        CLICKHOUSE,
        CLICKHOUSE,
        (*CLICKHOUSE_PORTS, *tcp(INTERSERVER_PORT)),
        "Replicas fetch from each other.",
    ),
    Edge("keeper", CLICKHOUSE, KEEPER, tcp(KEEPER_PORT), "What is where."),
    Edge("raft", KEEPER, KEEPER, tcp(KEEPER_PORT, RAFT_PORT), "Keepers agree."),
    Edge(
        "clickhouse-operator",
        Namespace("clickhouse-operator"),
        CLICKHOUSE,
        (*CLICKHOUSE_PORTS, *tcp(MANAGEMENT_PORT)),
        "The operator creates databases on new replicas.",
    ),
    Edge(
        "keeper-operator",
        Namespace("clickhouse-operator"),
        KEEPER,
        tcp(KEEPER_PORT, KEEPER_CONTROL_PORT),
        "The operator asks who leads.",
    ),
    Edge("jobs", seen("clickhouse-jobs"), CLICKHOUSE, CLICKHOUSE_PORTS, "Databases, backups."),
    Edge("backups", CLICKHOUSE, ENDPOINTS, tcp(443), "Backups to S3."),
    Edge("backup-identity", CLICKHOUSE, AGENT, tcp(80), "Credentials of its own."),
    Edge("databases", seen(POSTGRES_JOB), STORES, tcp(5432), "Databases and users."),
    Edge("databases-aws", seen(POSTGRES_JOB), ENDPOINTS, tcp(443), "RDS's own secret."),
    Edge("databases-identity", seen(POSTGRES_JOB), AGENT, tcp(80), "Credentials of its own."),
    Edge("sql-backups", SQL_BACKUP, SQL, tcp(MYSQL_PORT), "Opik's dump."),
    Edge("sql-backups-s3", SQL_BACKUP, ENDPOINTS, tcp(443), "Backups to S3."),
    Edge("sql-backups-identity", SQL_BACKUP, AGENT, tcp(80), "Credentials of its own."),
)

_METRICS: tuple[Edge, ...] = (
    Edge("scrape-agents", PROMETHEUS, Domains(), tcp(STATUS_PORT), "/metrics of agents."),
    Edge("scrape-dns", PROMETHEUS, KUBE_DNS, tcp(9153), "CoreDNS."),
    Edge("scrape-system", PROMETHEUS, Namespace("kube-system"), tcp(8080), "Controllers."),
    Edge("scrape-nodes", PROMETHEUS, NODES, tcp(9100, 10250), "Kubelets, node exporter."),
    Edge("scrape-platform", PROMETHEUS, Namespace(PLATFORM), tcp(15020), "Gateways, proxies."),
    Edge("scrape-egress", PROMETHEUS, EGRESS, tcp(15020), "The egress gateway."),
    Edge("scrape-istiod", PROMETHEUS, ISTIOD, tcp(15014), "The mesh's control plane."),
    Edge("scrape-cni", PROMETHEUS, Namespace(names.CNI_NAMESPACE), tcp(15014), "Its agents."),
    Edge("scrape-certs", PROMETHEUS, Namespace("cert-manager"), tcp(9402), "Certificates."),
    Edge("scrape-secrets", PROMETHEUS, Namespace("external-secrets"), tcp(8080), "Secrets."),
    Edge("scrape-dns-records", PROMETHEUS, Namespace("external-dns"), tcp(7979), "Records."),
    Edge("scrape-keda", PROMETHEUS, Namespace("keda"), tcp(8080), "Scalers."),
    Edge(
        "scrape-argocd",
        PROMETHEUS,
        Namespace(names.ARGOCD_NAMESPACE),
        tcp(8082, 8083, 8084),
        "Delivery.",
    ),
    Edge("scrape-rollouts", PROMETHEUS, Namespace("argo-rollouts"), tcp(8090), "Canaries."),
    Edge("scrape-sandboxes", PROMETHEUS, SANDBOXES, tcp(8080), "Pools and claims."),
    Edge(
        "scrape-instrumentation",
        PROMETHEUS,
        Namespace("opentelemetry-operator"),
        tcp(8443),
        "Injection.",
    ),
    Edge(
        "scrape-clickhouse-operator",
        PROMETHEUS,
        Namespace("clickhouse-operator"),
        tcp(8080),
        "The operator.",
    ),
    Edge("scrape-collector", PROMETHEUS, OTEL, tcp(collector.OWN_METRICS_PORT), "Its own health."),
    Edge(
        "scrape-otel-gateway",
        PROMETHEUS,
        OTEL_GATEWAY,
        tcp(collector.OWN_METRICS_PORT, collector.SKILL_METRICS_PORT),
        "skill_* metrics, and its own.",
    ),
    Edge("scrape-logs", PROMETHEUS, NODE_LOGS, tcp(collector.OWN_METRICS_PORT), "Its own health."),
    Edge("scrape-clickhouse", PROMETHEUS, CLICKHOUSE, tcp(9363), "ClickHouse."),
    Edge("scrape-state", PROMETHEUS, KUBE_STATE, tcp(8080, 8081), "What Kubernetes knows."),
    Edge("scrape-phoenix", PROMETHEUS, PHOENIX, tcp(9090), "Phoenix."),
    Edge("scrape-costs", PROMETHEUS, OPENCOST, tcp(9003), "Prices and allocation."),
    Edge("scrape-operator", PROMETHEUS, OPERATOR, tcp(10250), "The operator."),
    Edge("scrape-self", PROMETHEUS, PROMETHEUS, tcp(8080, 9090), "Itself and the other one."),
    Edge("alerts", PROMETHEUS, ALERTMANAGER, tcp(8080, 9093), "Alerts."),
    Edge(
        "gossip",
        ALERTMANAGER,
        ALERTMANAGER,
        (("TCP", 9094), ("UDP", 9094)),
        "Two of them notify once.",
    ),
    Edge("notify", ALERTMANAGER, INTERNET, tcp(443, 587), "PagerDuty, Slack and e-mail."),
    Edge("allocation", OPENCOST, PROMETHEUS, tcp(9090), "What pods asked for and used."),
    Edge("prices", OPENCOST, INTERNET, tcp(443), "AWS's list prices."),
    Edge("queues", Namespace("keda"), PROMETHEUS, tcp(9090), "Queue depth."),
    Edge("verdicts", Namespace("argo-rollouts"), PROMETHEUS, tcp(9090), "Canaries' verdicts."),
)

_CONTROLLERS: tuple[Edge, ...] = (
    Edge("certificates", API_SERVER, Namespace("cert-manager"), tcp(10250), "Webhook."),
    Edge("acme", Namespace("cert-manager"), INTERNET, tcp(443), "ACME, and Route 53."),
    Edge("cert-identity", Namespace("cert-manager"), AGENT, tcp(80), "Credentials of its own."),
    Edge("secrets", API_SERVER, Namespace("external-secrets"), tcp(10250), "Webhook."),
    Edge(
        "secrets-aws", Namespace("external-secrets"), ENDPOINTS, tcp(443), "Secrets Manager, STS."
    ),
    Edge("records", Namespace("external-dns"), INTERNET, tcp(443), "Route 53."),
    Edge("records-identity", Namespace("external-dns"), AGENT, tcp(80), "Credentials of its own."),
    Edge("external-metrics", API_SERVER, Namespace("keda"), tcp(6443, 9443), "Metrics, webhook."),
    Edge("keda-parts", Namespace("keda"), Namespace("keda"), tcp(9666), "Its parts."),
    Edge(
        "argocd-parts",
        Namespace(names.ARGOCD_NAMESPACE),
        Namespace(names.ARGOCD_NAMESPACE),
        tcp(ARGO_REDIS_PORT, 8080, 8081),
        "Its parts.",
    ),
    Edge("git", Namespace(names.ARGOCD_NAMESPACE), INTERNET, tcp(443), "The rendered tree in Git."),
    Edge("rules", API_SERVER, OPERATOR, tcp(10250), "Webhook of PrometheusRules."),
    Edge("injection", API_SERVER, Namespace("opentelemetry-operator"), tcp(9443), "Webhook."),
    Edge("clusters", API_SERVER, Namespace("clickhouse-operator"), tcp(9443), "Webhook."),
)

WATCHERS: tuple[Namespace | Pods, ...] = (
    *(RESTARTS, ISTIOD, PROMETHEUS, GRAFANA, KUBE_STATE, OPERATOR, OTEL, OPENCOST, SANDBOXES),
    *(
        Namespace(name)
        for name in (
            names.CNI_NAMESPACE,
            "cert-manager",
            "external-secrets",
            "external-dns",
            "keda",
            names.ARGOCD_NAMESPACE,
            "argo-rollouts",
            "opentelemetry-operator",
            "clickhouse-operator",
        )
    ),
)
"""Whose pods talk to the API server. Gateways do not: istiod reads the Secrets they name."""


def _common() -> Iterator[Edge]:
    for space in NAMESPACES:
        yield Edge("lookup", Namespace(space.name), KUBE_DNS, DNS, "Names are looked up.")
    for watcher in WATCHERS:
        name = "api-server" if isinstance(watcher, Namespace) else f"api-server-{watcher.label[1]}"
        yield Edge(name, watcher, KUBERNETES, tcp(443), "It watches Kubernetes' objects.")


EDGES: tuple[Edge, ...] = (
    *_common(),
    *_GATEWAYS,
    *_MESH,
    *_TELEMETRY,
    *_STORES,
    *_METRICS,
    *_CONTROLLERS,
)


def rows() -> tuple[SystemFlow, ...]:
    """Each edge once for every end in a platform namespace, sorted by namespace."""
    order = {space.name: number for number, space in enumerate(NAMESPACES)}
    found = [row for edge in EDGES for row in _ends(edge)]
    return tuple(sorted(found, key=lambda row: order[row.namespace]))


def _ends(edge: Edge) -> Iterator[SystemFlow]:
    ours = by_name()
    for end, peer, direction in ((edge.source, edge.to, "to"), (edge.to, edge.source, "from")):
        if isinstance(end, Pods | Namespace) and end.namespace in ours:
            label, pods = (end.label[0], (end.label[1],)) if isinstance(end, Pods) else ("", ())
            yield SystemFlow(
                f"{edge.name}-{direction}",
                label,
                pods,
                direction,
                peer,
                edge.ports,
                edge.why,
                end.namespace,
            )
