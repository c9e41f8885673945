"""Logs of the platform's own pods: what the collector on each node reads, masks and sends."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from aspora.services.flows import EDGES, NODE_LOGS
from aspora.services.namespaces import by_name
from aspora.services.releases import releases
from aspora.telemetry import collector, node_logs, redaction
from tests import collectors
from tests.collectors import Config, Sink
from tests.core import repository, settings
from tests.runbook_lab import resources

PROGRAM = collectors.program()
SECRET = ("DE89370400440532013000", "jane@example.com", "4111111111111111", "+971 50 123 4567")
SECRETS = " ".join(SECRET)
POD = "aspora-observability_langfuse-web-0_11111111-2222-4333-8444-555555555555"


def values(stack: str = "prod") -> Any:
    return {found.name: found for found in releases(settings(stack), repository())}[
        node_logs.NAME
    ].values


# -- what is read ---------------------------------------------------------------------------------


def test_every_namespace_of_the_platform_is_read_and_no_domain() -> None:
    included = node_logs.config(settings("prod"))["receivers"]["file_log"]["include"]
    read = {path.removeprefix("/var/log/pods/").partition("_")[0] for path in included}
    assert read == {"kube-system", *by_name()}
    assert not {f"aspora-{domain.name}" for domain in repository()} & read
    assert all(path.endswith("_*/*/*.log") for path in included)


def test_its_own_lines_are_left_out_and_no_other_pod_of_its_namespace() -> None:
    (left_out,) = node_logs.config(settings("prod"))["receivers"]["file_log"]["exclude"]
    pattern = re.compile(left_out.replace("*", "[^/]*"))
    own = f"/var/log/pods/aspora-node-agents_{values()['fullnameOverride']}-agent-x7k2p_uid"
    assert pattern.fullmatch(f"{own}/opentelemetry-collector/0.log")
    other = "/var/log/pods/aspora-node-agents_prometheus-node-exporter-abc_uid/node-exporter/0.log"
    assert not pattern.fullmatch(other)


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_lines_are_masked_as_everything_else_and_lie_below_their_own_prefix(stack: str) -> None:
    found = node_logs.config(settings(stack))
    (pipeline,) = found["service"]["pipelines"].values()
    assert pipeline["processors"] == ["memory_limiter", "redaction", "resource/stack"]
    assert found["processors"]["redaction"] == redaction.processor()
    other = collector.gateway_config(settings(stack), ())["exporters"]["awss3"]["s3uploader"]
    ours = found["exporters"]["awss3"]["s3uploader"]
    assert ours == other | {"s3_prefix": "platform/pods"}
    assert "resource_attrs_to_s3" not in found["exporters"]["awss3"]


def test_a_restart_loses_nothing() -> None:
    found = node_logs.config(settings("prod"))
    storage = found["extensions"]["file_storage"]["directory"]
    assert found["receivers"]["file_log"]["storage"] == "file_storage"
    queue = found["exporters"]["awss3"]["sending_queue"]
    assert (queue["storage"], queue["block_on_overflow"]) == ("file_storage", True)
    assert found["exporters"]["awss3"]["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert "file_storage" in found["service"]["extensions"]
    (state,) = [v for v in values()["extraVolumes"] if v["name"] == "state"]
    assert state["hostPath"] == {"path": storage, "type": "DirectoryOrCreate"}


# -- the pods that read ---------------------------------------------------------------------------


def test_one_stands_on_every_node_and_may_write_to_its_own_folder_alone() -> None:
    found = values()
    assert (found["mode"], found["tolerations"]) == ("daemonset", [{"operator": "Exists"}])
    assert {m["mountPath"]: m["readOnly"] for m in found["extraVolumeMounts"]} == {
        "/var/log/pods": True,
        "/var/lib/otel-logs": False,
    }
    assert found["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": False,
        "runAsUser": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_a_stack_without_an_account_has_nobody_to_read_for() -> None:
    assert node_logs.NAME not in {each.name for each in releases(settings("local"), repository())}
    with pytest.raises(ValueError, match="logs are kept in S3, and this stack has no `aws`"):
        node_logs.config(settings("local"))


def test_it_reaches_s3_and_its_credentials_and_prometheus_reaches_it() -> None:
    assert NODE_LOGS.label == ("app", values()["podLabels"]["app"])
    sends = {edge.to.shown for edge in EDGES if edge.source == NODE_LOGS}
    assert sends == {"network.endpointCidrs", "169.254.170.23/32 (EKS Pod Identity agent)"}
    (scraped,) = [edge for edge in EDGES if edge.to == NODE_LOGS]
    metrics = node_logs.config(settings("prod"))["service"]["telemetry"]["metrics"]["readers"]
    port = metrics[0]["pull"]["exporter"]["prometheus"]["port"]
    assert scraped.ports == (("TCP", port),)
    assert values()["podMonitor"] == {"enabled": True, "metricsEndpoints": [{"port": "metrics"}]}


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_its_role_writes_below_its_own_prefix_and_reads_nothing(stack: str) -> None:
    cluster = settings(stack).cluster.name
    found = [r for r in resources(stack) if r.name == f"{cluster}-otel-logs"]
    (association,) = [r.inputs for r in found if r.type.endswith(":PodIdentityAssociation")]
    assert association["namespace"] == "aspora-node-agents"
    assert association["serviceAccount"] == values(stack)["serviceAccount"]["name"]
    (policy,) = [r.inputs["policy"] for r in found if r.type.endswith(":RolePolicy")]
    objects, key = json.loads(policy)["Statement"]
    bucket = node_logs.config(settings(stack))["exporters"]["awss3"]["s3uploader"]["s3_bucket"]
    assert objects["Action"] == ["s3:PutObject", "s3:AbortMultipartUpload"]
    assert objects["Resource"] == [f"arn:aws:s3:::{bucket}/platform/pods/*"]
    assert key["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]


# -- on the real collector ------------------------------------------------------------------------


def _reads_files() -> bool:
    """A collector that was built before node_logs came has no `file_log`."""
    if PROGRAM is None:
        return False
    done = subprocess.run([PROGRAM, "components"], check=True, capture_output=True, text=True)
    return "name: file_log" in done.stdout


real = pytest.mark.skipif(
    not _reads_files(), reason="the collector (otelcol) is not built, or without `file_log`"
)


@real
@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_collector_finds_nothing_wrong(stack: str, tmp_path: Path) -> None:
    assert PROGRAM
    found = _here(node_logs.config(settings(stack)), tmp_path, "http://127.0.0.1:1", (1, 2))
    assert collectors.validate(PROGRAM, found, tmp_path) == ""


@real
@pytest.mark.parametrize(
    ("way", "key"),
    [
        (("receivers", "file_log"), "includes"),
        (("exporters", "awss3", "sending_queue"), "stored"),
        (("exporters", "awss3", "sending_queue", "batch"), "maximum"),
        (("extensions", "file_storage"), "folder"),
    ],
)
def test_the_collector_finds_a_mistyped_key(way: tuple[str, ...], key: str, tmp_path: Path) -> None:
    """Of operators it does not look at the keys: the test below would find them."""
    assert PROGRAM
    found = _here(node_logs.config(settings("prod")), tmp_path, "http://127.0.0.1:1", (1, 2))
    at: Any = found
    for step in way:
        at = at[step]
    at[key] = "x"
    assert key in collectors.validate(PROGRAM, found, tmp_path)


def _here(found: Config, folder: Path, url: str, ports: tuple[int, int]) -> Config:
    """The configuration with folders and addresses of this machine, and with little patience."""
    text = json.dumps(found)
    for path in (node_logs.LOGS_PATH, node_logs.STATE_PATH):
        own = folder / path.lstrip("/")
        own.mkdir(parents=True, exist_ok=True)
        text = text.replace(path, str(own))
    here: Config = json.loads(text)
    here["exporters"]["awss3"]["s3uploader"] |= {
        "endpoint": url,
        "s3_force_path_style": True,
        "compression": "",
    }
    here["exporters"]["awss3"]["sending_queue"]["batch"]["flush_timeout"] = "200ms"
    here["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{ports[0]}"
    readers = here["service"]["telemetry"]["metrics"]["readers"]
    readers[0]["pull"]["exporter"]["prometheus"]["port"] = ports[1]
    return here


def _write(folder: Path, pod: str, *lines: str) -> None:
    file = folder / node_logs.LOGS_PATH.lstrip("/") / pod / "web" / "0.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        out.writelines(f"2026-11-28T09:00:00.123456789Z stdout F {line}\n" for line in lines)


@contextmanager
def _reading(folder: Path, sink: Sink) -> Iterator[None]:
    assert PROGRAM
    ports = (collectors.free_port(), collectors.free_port())
    found = _here(node_logs.config(settings("prod")), folder, sink.url, ports)
    with collectors.running(PROGRAM, found, folder, ports[0]):
        yield


def _sent(sink: Sink) -> str:
    return " ".join(body.decode() for _, _, body in sink.taken)


@real
def test_lines_arrive_masked_with_the_pod_they_came_from_and_once(tmp_path: Path) -> None:
    _write(tmp_path, POD, f"plain: {SECRETS}", json.dumps({"msg": SECRETS, "password": "hunter2"}))
    _write(tmp_path, "aspora-wealth_manager_uid", "of a domain")
    _write(tmp_path, "aspora-node-agents_otel-logs-agent-x_uid", "of the reader itself")
    with collectors.sink() as sink:
        with _reading(tmp_path, sink):
            collectors.until(lambda: "plain" in _sent(sink) and '"msg"' in _sent(sink))
        _write(tmp_path, POD, "written while nobody read")
        with _reading(tmp_path, sink):
            collectors.until(lambda: "nobody read" in _sent(sink))
        text, paths = _sent(sink), {unquote(path) for path, _, _ in sink.taken}
    assert not [word for word in (*SECRET, "hunter2") if word in text]
    assert text.count("plain: **** **** **** ****") == 1
    assert "of a domain" not in text
    assert "of the reader itself" not in text
    assert '{"key":"k8s.pod.name","value":{"stringValue":"langfuse-web-0"}}' in text
    assert '{"key":"deployment.environment.name","value":{"stringValue":"prod"}}' in text
    bucket = node_logs.config(settings("prod"))["exporters"]["awss3"]["s3uploader"]["s3_bucket"]
    key = rf"/{bucket}/platform/pods/year=\d{{4}}/month=\d\d/day=\d\d/hour=\d\d/logs_.*"
    assert all(re.match(key, path) for path in paths), paths
