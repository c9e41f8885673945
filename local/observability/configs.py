"""Our own configurations with addresses of this machine, and without what is not there.

What is taken away or changed stands in `CHANGES`, which the screen shows: nothing differs silently.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aspora.names import OBSERVABILITY_NAMESPACE
from aspora.observe.rules import rules
from aspora.telemetry.collector import TLS_PATH, agent_config, gateway_config
from local.processes import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

    from aspora.models import Domain
    from aspora.stack import StackSettings

Object = dict[str, Any]

CHANGES = (
    "who sent it: taken from the sender's own word; a cluster asks Kubernetes for the pod",
    "left out: Langfuse, Opik, the tables in ClickHouse, Grafana, Alertmanager",
    "left out of the metrics: what pods tell of themselves (queue, capacity), other exporters",
    "towards Phoenix: no key, for its login is off here",
    "a trace is passed on 2 s after its root, not 30 s; all traces are kept (local: 100 %)",
    "Prometheus looks every 2 s, not every 30 s; its rules are the platform's, unchanged",
)
"""What is not as in a cluster."""

ABSENT = ("otlp_http/langfuse", "otlp_http/opik", "clickhouse", "awss3")
"""Exporters of the gateway tier to what does not run here."""
AFTER_ROOT = "2s"
SCRAPE = "2s"


@dataclass(frozen=True)
class Ports:
    """The loopback ports that everything listens on."""

    otlp: int
    agent_health: int
    agent_metrics: int
    traces: int
    counts: int
    skills: int
    gateway_health: int
    gateway_metrics: int
    prometheus: int
    phoenix: int
    phoenix_grpc: int


def agent(settings: StackSettings, domains: Sequence[Domain], ports: Ports, tls: Path) -> Object:
    """The tier that agents talk to, by mutual TLS; it believes what they call themselves."""
    found = _moved(agent_config(settings, domains), tls)
    http = found["receivers"]["otlp"]["protocols"]["http"]
    http["endpoint"] = _at(ports.otlp)
    found["receivers"]["otlp"]["protocols"] = {"http": http}  # gRPC is the mesh's
    for name in ("resource/identity", "k8s_attributes"):
        _drop(found, "processors", name)
    for name, port in (("traces", ports.traces), ("count", ports.counts)):
        exporter = found["exporters"][f"load_balancing/{name}"]
        exporter["resolver"] = {"static": {"hostnames": [_at(port)]}}
        # The certificate holds this machine's address, and no Service's name.
        del exporter["protocol"]["otlp"]["tls"]["server_name_override"]
    _drop(found, "exporters", "otlp_grpc/gateway")
    return _watched(found, ports.agent_health, ports.agent_metrics)


def gateway(settings: StackSettings, domains: Sequence[Domain], ports: Ports, tls: Path) -> Object:
    """The tier behind it, with Phoenix and Prometheus as its only destinations."""
    found = _moved(gateway_config(settings, domains), tls)
    for name, port in (("otlp", ports.traces), ("otlp/count", ports.counts)):
        found["receivers"][name]["protocols"]["grpc"]["endpoint"] = _at(port)
    for name in ABSENT:
        _drop(found, "exporters", name)
    phoenix = found["exporters"]["otlp_http/phoenix"]
    phoenix["endpoint"] = f"http://{_at(ports.phoenix)}"
    del phoenix["headers"]
    found["exporters"]["prometheus"]["endpoint"] = _at(ports.skills)
    sampling = found["processors"]["tail_sampling"]
    sampling["decision_wait_after_root_received"] = AFTER_ROOT
    return _watched(found, ports.gateway_health, ports.gateway_metrics)


def prometheus(ports: Ports, rules_file: Path) -> Object:
    """Scrapes the collector's skill metrics and both tiers' own, and itself."""
    targets = {
        "otel-gateway-skills": ports.skills,
        "otel-gateway": ports.gateway_metrics,
        "otel-collector": ports.agent_metrics,
        "prometheus": ports.prometheus,
    }
    return {
        "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE},
        "rule_files": [str(rules_file)],
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [
                    {"targets": [_at(port)], "labels": {"namespace": OBSERVABILITY_NAMESPACE}}
                ],
            }
            for job, port in targets.items()
        ],
    }


def rule_groups(settings: StackSettings, domains: Sequence[Domain]) -> Object:
    """The groups of all our PrometheusRule objects, as one rule file."""
    return {
        "groups": [group for each in rules(domains, settings) for group in each["spec"]["groups"]]
    }


def _at(port: int) -> str:
    return f"{LOOPBACK}:{port}"


def _moved(found: Object, tls: Path) -> Object:
    """A copy whose certificates lie in the folder `tls`."""

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: moved(each) for key, each in value.items()}
        if isinstance(value, list):
            return [moved(each) for each in value]
        return value.replace(TLS_PATH, str(tls)) if isinstance(value, str) else value

    moved_config: Object = moved(copy.deepcopy(found))
    return moved_config


def _watched(found: Object, health: int, metrics: int) -> Object:
    found["extensions"]["health_check"]["endpoint"] = _at(health)
    reader = found["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"][
        "prometheus"
    ]
    reader |= {"host": LOOPBACK, "port": metrics}
    _prune(found)
    return found


def _drop(found: Object, section: str, name: str) -> None:
    """Take a component away, from pipelines too; one that is not there is fine."""
    found[section].pop(name, None)
    for pipeline in found["service"]["pipelines"].values():
        pipeline[section] = [each for each in pipeline[section] if each != name]


def _prune(found: Object) -> None:
    """Take away pipelines without a destination, and the components that nothing uses then."""
    pipelines = found["service"]["pipelines"]
    while empty := [name for name, each in pipelines.items() if not all(_ends(each))]:
        for name in empty:
            del pipelines[name]
        for connector in list(found["connectors"]):
            if not all(_both_ends(found, connector)):
                _drop_connector(found, connector)
    used = {name for each in pipelines.values() for name in each["processors"]}
    found["processors"] = {k: v for k, v in found["processors"].items() if k in used}


def _ends(pipeline: Object) -> Iterator[bool]:
    yield bool(pipeline["receivers"])
    yield bool(pipeline["exporters"])


def _both_ends(found: Object, connector: str) -> Iterator[bool]:
    for side in ("receivers", "exporters"):
        yield any(connector in each[side] for each in found["service"]["pipelines"].values())


def _drop_connector(found: Object, name: str) -> None:
    del found["connectors"][name]
    for pipeline in found["service"]["pipelines"].values():
        for side in ("receivers", "exporters"):
            pipeline[side] = [each for each in pipeline[side] if each != name]
