"""The tool gateway: agentgateway before the MCP servers.

Its configuration names each server once and, for each workload, the tools its file names there.
agentgateway lets a call through when one of the rules holds; no rule holds for anybody else, so a
tool that no file names is neither listed nor called. Who calls is what the client certificate of
the internal CA says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from aspora import names
from aspora.gateways import ingress, program
from aspora.gateways.callers import identity
from aspora.gateways.pins import TOOL_GATEWAY
from aspora.gateways.program import CONFIG_PATH, GATEWAY_PORT, TLS_PATH, Part
from aspora.models import Domain
from aspora.render.objects import Object
from aspora.render.secrets import ISSUER
from aspora.resolve import Workload, workloads
from aspora.stack import StackSettings

NAME = "tool-gateway"
TLS_SECRET = "tool-gateway-tls"  # noqa: S105 - a name
METRICS_PORT = 9090
READINESS_PORT = 8082
"""Neither is agentgateway's default: the sidecar has 15020 and 15021."""
MAX_TOOL_SECONDS = 120


def users(domains: Sequence[Domain]) -> list[Workload]:
    """The workloads that have any tools."""
    return [work for domain in domains for work in workloads(domain) if work.tools]


def rule(workload: Workload, server: str, tools: Sequence[str]) -> str:
    """One workload's tools at one server, in CEL. Names are validated: no quote can be in them."""
    listed = ", ".join(f'"{tool}"' for tool in tools)
    return (
        f'"spiffe://{identity(workload)}" in source.subjectAltNames'
        f' && mcp.tool.target == "{server}" && mcp.tool.name in [{listed}]'
    )


def rules(domains: Sequence[Domain]) -> list[str]:
    """Every rule, in the order of the files."""
    return [
        rule(workload, server.server, server.tools)
        for workload in users(domains)
        for server in workload.tools
    ]


def known_callers(domains: Sequence[Domain]) -> str:
    """Before MCP is even read: only workloads that have tools at all."""
    listed = ", ".join(f'"spiffe://{identity(workload)}"' for workload in users(domains))
    return f"source.subjectAltNames.exists(name, name in [{listed}])"


def targets(domains: Sequence[Domain], settings: StackSettings) -> list[dict[str, Any]]:
    """The servers that any file names, by plain HTTP: the egress gateway starts their TLS."""
    used = {server.server for workload in users(domains) for server in workload.tools}
    return [
        {
            "name": server.name,
            "mcp": {
                "host": f"http://{urlsplit(server.url).hostname}{urlsplit(server.url).path or '/'}"
            },
        }
        for server in settings.tool_servers
        if server.name in used
    ]


def config(domains: Sequence[Domain], settings: StackSettings) -> dict[str, Any]:
    """agentgateway's file. It has no session of its own to lose: any replica takes any call."""
    collector = f"otel-collector.{names.OBSERVABILITY_NAMESPACE}.svc.cluster.local"
    return {
        "config": {
            "adminAddr": "off",
            "statsAddr": f"0.0.0.0:{METRICS_PORT}",
            "readinessAddr": f"0.0.0.0:{READINESS_PORT}",
            "logging": {"level": "info", "format": "json"},
            "metrics": {
                "fields": {
                    "add": {
                        "caller_namespace": "source.identity.namespace",
                        "caller": "source.identity.serviceAccount",
                    }
                }
            },
            "tracing": {
                "otlpEndpoint": f"http://{collector}:4317",
                "otlpProtocol": "grpc",
                "randomSampling": "true",
                "fields": {
                    "add": {
                        "gen_ai.tool.name": "mcp.tool.name",
                        "aspora.tool.server": "mcp.tool.target",
                        "aspora.caller": "source.identity.serviceAccount",
                    }
                },
            },
        },
        "binds": [{"port": GATEWAY_PORT, "listeners": [_listener(domains, settings)]}],
    }


def _listener(domains: Sequence[Domain], settings: StackSettings) -> dict[str, Any]:
    return {
        "name": "agents",
        "protocol": "HTTPS",
        "tls": {
            "cert": f"{TLS_PATH}/tls.crt",
            "key": f"{TLS_PATH}/tls.key",
            "root": f"{TLS_PATH}/ca.crt",
            "minTLSVersion": "TLS_V1_3",
        },
        "routes": [
            {
                "name": "mcp",
                "matches": [{"path": {"exact": "/mcp"}}],
                "policies": {
                    "authorization": {"rules": [known_callers(domains)]},
                    "mcpAuthorization": {"rules": rules(domains)},
                    "timeout": {"requestTimeout": f"{MAX_TOOL_SECONDS}s"},
                },
                "backends": [
                    {"mcp": {"statefulMode": "stateless", "targets": targets(domains, settings)}}
                ],
            }
        ],
    }


def part(domains: Sequence[Domain], settings: StackSettings) -> Part:
    """The program with its file."""
    return Part(
        name=NAME,
        program=TOOL_GATEWAY,
        args=("--file", f"{CONFIG_PATH}/config.yaml"),
        files={"config.yaml": program.as_json(config(domains, settings))},
        port=GATEWAY_PORT,
        port_name="tls-agents",
        readiness={"httpGet": {"path": "/healthz/ready", "port": READINESS_PORT}},
        requests=program.requests(settings, "30m", "100m", "128Mi"),
        limits={"cpu": "1", "memory": "512Mi"},
        tls_secret=TLS_SECRET,
        metrics_port=METRICS_PORT,
    )


def objects(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Object]:
    """The part of `aspora/render/services.py`; nothing where no file names a tool."""
    if not users(domains):
        return
    yield ingress.certificate(TLS_SECRET, [program.host(NAME)], ISSUER)
    yield from program.objects(part(domains, settings), settings)
