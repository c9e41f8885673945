"""The real engine on the real API server, through the stand-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pulumi
import pytest
from moto.server import ThreadedMotoServer

from aspora.errors import LocalPlatformError
from local.controlplane import ControlPlane
from local.engine import Engine, Summary, Tick
from local.engine_state import EngineState
from local.kube import KubeClient
from local.paths import Paths
from local.providers.aws import serve_aws
from local.providers.base import Server
from local.providers.kubernetes import serve_kubernetes
from tests.core import ROOT
from tests.workflow_lab import Runner
from tests.workflows import read

Object = dict[str, Any]


class Manifest(pulumi.CustomResource):
    def __init__(self, name: str, obj: Object, opts: pulumi.ResourceOptions | None = None) -> None:
        version = obj["apiVersion"]
        version = version if "/" in version else f"core/{version}"
        super().__init__(f"kubernetes:{version}:{obj['kind']}", name, obj, opts)


def program(*objects: Object, prefix: str = "") -> Callable[[], None]:
    """Namespaces first, everything else after its namespace."""

    def run() -> None:
        namespaces: dict[str, Manifest] = {}
        for obj in sorted(objects, key=lambda obj: obj["kind"] != "Namespace"):
            meta = obj["metadata"]
            home = namespaces.get(meta.get("namespace", ""))
            opts = pulumi.ResourceOptions(depends_on=[home] if home else [])
            name = f"{prefix}{obj['kind']}-{meta.get('namespace', '')}-{meta['name']}"
            made = Manifest(name, obj, opts)
            if obj["kind"] == "Namespace":
                namespaces[meta["name"]] = made
        pulumi.export("count", len(objects))

    return run


def namespace_of(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def config_map(namespace: str, name: str = "settings", **fields: Any) -> Object:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **fields}


def deployment(namespace: str, app: str = "web", image: str = "example.test/web:1") -> Object:
    labels = {"app": app}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
    }


class Lab:
    """One stack on the shared API server."""

    def __init__(self, cli: Path, client: KubeClient, server: Server, paths: Paths) -> None:
        self.cli, self.client, self.server, self.paths = cli, client, server, paths

    def engine(self, run: Callable[[], None], **options: Any) -> Engine:
        providers = options.pop("providers", {"kubernetes": self.server.port})
        return Engine(
            self.cli, self.paths, run, stack="local", config={}, providers=providers, **options
        )

    def of(self, *objects: Object) -> Engine:
        return self.engine(program(*objects))

    def uid(self, obj: Object) -> str:
        live = self.client.get(obj)
        assert live is not None
        return str(live["metadata"]["uid"])


@pytest.fixture
def lab(engine_tools: dict[str, Path], cluster: KubeClient, tmp_path: Path) -> Iterator[Lab]:
    paths = Paths(cache=tmp_path / "cache", state=tmp_path / "state")
    with serve_kubernetes(cluster, delete_seconds=30) as server:
        yield Lab(engine_tools["pulumi"], cluster, server, paths)


def counts(summary: Summary) -> dict[str, int]:
    names = ("created", "updated", "deleted", "replaced", "unchanged")
    return {name: value for name in names if (value := getattr(summary, name))}


@pytest.mark.engine
def test_a_stack_from_its_first_day_to_its_last(lab: Lab, namespace: str) -> None:
    one, two = config_map(namespace, "one", data={"a": "1"}), config_map(namespace, "two")
    web = deployment(namespace)
    ticks: list[Tick] = []

    assert counts(lab.of(one, two, web).preview()) == {"created": 3}
    assert lab.client.get(one) is None
    first = lab.of(one, two, web).up(ticks.append)
    assert counts(first) == {"created": 3}
    assert {op for op, _ in first.changes} == {"create"}
    ended = [tick for tick in ticks if tick.finished]
    assert [tick.done for tick in ended] == [1, 2, 3]
    assert {tick.name for tick in ended} == {urn.rpartition("::")[2] for _, urn in first.changes}
    assert counts(lab.of(one, two, web).up()) == {"unchanged": 3}

    before = lab.uid(web)
    newer = deployment(namespace, image="example.test/web:2")
    changed = lab.of(one, two, newer).up()
    assert counts(changed) == {"updated": 1, "unchanged": 2}
    assert [(op, urn.rpartition("::")[2]) for op, urn in changed.changes] == [
        ("update", f"Deployment-{namespace}-web")
    ]
    assert lab.uid(web) == before

    other = deployment(namespace, app="shop")
    assert counts(lab.of(one, two, other).preview()) == {"replaced": 1, "unchanged": 2}
    assert counts(lab.of(one, two, other).up()) == {"replaced": 1, "unchanged": 2}
    assert lab.uid(web) != before

    assert counts(lab.of(one, other).up()) == {"deleted": 1, "unchanged": 2}
    assert lab.client.get(two) is None
    engine = lab.of(one, other)
    assert engine.outputs() == {"count": 2}
    kinds = {entry["type"] for entry in engine.resources()}
    assert {"kubernetes:core/v1:ConfigMap", "kubernetes:apps/v1:Deployment"} <= kinds
    assert counts(engine.destroy()) == {"deleted": 2}
    assert lab.client.get(one) is None
    assert lab.client.get(web) is None


@pytest.mark.engine
def test_a_preview_finds_what_the_server_would_refuse(lab: Lab, namespace: str) -> None:
    good, bad = config_map(namespace, "good"), config_map(namespace, "bad", dta={})
    with pytest.raises(LocalPlatformError) as caught:
        lab.of(good, bad).preview()
    head, line = caught.value.message.splitlines()
    assert head == "preview: 1 problem"
    assert line.startswith(f"  ConfigMap {namespace}/bad: ")
    assert line.endswith(".dta: field not declared in schema")


@pytest.mark.engine
def test_up_does_what_it_can_and_lists_all_that_was_refused(lab: Lab, namespace: str) -> None:
    good = config_map(namespace, "good")
    bad = [config_map(namespace, f"bad{number}", dta={}) for number in range(3)]
    with pytest.raises(LocalPlatformError) as caught:
        lab.of(good, *bad).up()
    lines = caught.value.message.splitlines()
    assert lines[0] == "up: 3 problems"
    assert sorted(line.partition(": ")[0] for line in lines[1:]) == [
        f"  ConfigMap {namespace}/bad{number}" for number in range(3)
    ]
    assert lab.client.get(good) is not None


@pytest.mark.engine
def test_namespaces_and_kinds_still_to_come_are_fine_in_a_preview(lab: Lab) -> None:
    name = "to-come"
    objects = (namespace_of(name), config_map(name), deployment(name))
    assert counts(lab.of(*objects).preview()) == {"created": 3}
    assert counts(lab.of(*objects).up()) == {"created": 3}
    assert counts(lab.of().up()) == {"deleted": 3}
    assert lab.client.get(namespace_of(name)) is None
    assert counts(lab.of(*objects).up()) == {"created": 3}  # no trace of the old namespace
    lab.client.delete(objects[0], wait_seconds=0)


@pytest.mark.engine
def test_a_namespace_that_is_going_is_waited_for(lab: Lab) -> None:
    name = "going"
    objects = (namespace_of(name), config_map(name))
    lab.of(*objects).up()
    before = lab.uid(objects[0])
    lab.client.delete(objects[0], wait_seconds=0)
    assert counts(lab.of(*objects).up(refresh=True)) == {"created": 2}
    assert lab.uid(objects[0]) != before
    assert lab.client.get(objects[1]) is not None
    lab.client.delete(objects[0], wait_seconds=0)


@pytest.mark.engine
def test_a_lost_state_adopts_what_is_there(lab: Lab, namespace: str) -> None:
    one, web = config_map(namespace, data={"a": "1"}), deployment(namespace)
    lab.of(one, web).up()
    uids = [lab.uid(one), lab.uid(web)]
    engine = lab.of(one, web)
    engine.reset_state()
    assert counts(engine.up()) == {"created": 2}
    assert [lab.uid(one), lab.uid(web)] == uids

    other = deployment(namespace, app="shop")  # a field that cannot change, and nobody remembers
    engine = lab.of(one, other)
    engine.reset_state()
    assert counts(engine.preview()) == {"created": 2}
    assert counts(engine.up()) == {"created": 2}
    assert lab.uid(one) == uids[0]
    assert lab.uid(web) != uids[1]
    engine.destroy()


@pytest.mark.engine
def test_a_fixed_field_of_a_stranger_is_refused(lab: Lab, namespace: str) -> None:
    web = deployment(namespace)
    lab.client.apply(web, field_manager="stranger")
    with pytest.raises(LocalPlatformError, match=f"Deployment {namespace}/web: .*immutable"):
        lab.of(deployment(namespace, app="shop")).up()
    assert lab.client.get(web) is not None


@pytest.mark.engine
def test_a_renamed_resource_keeps_its_object(lab: Lab, namespace: str) -> None:
    one = config_map(namespace)
    lab.of(one).up()
    before = lab.uid(one)
    assert counts(lab.engine(program(one, prefix="new-")).up()) == {"created": 1, "deleted": 1}
    assert lab.uid(one) == before
    assert counts(lab.engine(program(one, prefix="new-")).destroy()) == {"deleted": 1}
    assert lab.client.get(one) is None


@pytest.mark.engine
def test_a_refresh_repairs_what_others_changed(lab: Lab, namespace: str) -> None:
    one, two = config_map(namespace, "one", data={"a": "1"}), config_map(namespace, "two")
    web = deployment(namespace)
    objects = (one, two, web)
    lab.of(*objects).up()
    assert counts(lab.of(*objects).up(refresh=True)) == {"unchanged": 3}
    lab.client.delete(two)
    lab.client.apply({**one, "data": {"a": "2", "b": "3"}}, field_manager="stranger")
    assert counts(lab.of(*objects).up(refresh=True)) == {
        "created": 1,
        "updated": 1,
        "unchanged": 1,
    }
    live = lab.client.get(one)
    assert live is not None
    assert live["data"]["a"] == "1"
    assert lab.client.get(two) is not None
    lab.of(*objects).destroy()


@pytest.mark.engine
def test_an_object_that_will_not_go_names_its_finalizer(lab: Lab, namespace: str) -> None:
    held = config_map(namespace, "held")
    held["metadata"]["finalizers"] = ["example.test/wait"]
    with serve_kubernetes(lab.client, delete_seconds=0.5) as server:
        engine = lab.engine(program(held), providers={"kubernetes": server.port})
        engine.up()
        with pytest.raises(LocalPlatformError, match=r"destroy: 1 problem\n.*held.*example.test/w"):
            engine.destroy()
        lab.client.apply(config_map(namespace, "held"))  # lets the finalizer go
        assert counts(engine.destroy()) == {"deleted": 1}


@pytest.mark.engine
@pytest.mark.parametrize("damage", ["corrupt", "lock", "leftover"])
def test_a_damaged_state_does_not_stop_the_next_up(
    lab: Lab, namespace: str, damage: str, tmp_path: Path
) -> None:
    one = config_map(namespace)
    lab.of(one).up()
    state = EngineState(lab.paths.pulumi, "aspora", "local")
    expected = {"unchanged": 1}
    if damage == "corrupt":
        state.checkpoint.write_bytes(state.checkpoint.read_bytes()[:-20])
        expected = {"created": 1}
    elif damage == "lock":
        lock = state.backend / ".pulumi/locks/organization/aspora/local/0.json"
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text('{"pid": 1, "username": "x", "hostname": "y", "timestamp": ""}')
    else:
        fake = tmp_path / "pulumi-left"
        fake.symlink_to("/bin/sleep")
        left = subprocess.Popen([fake, "60"], cwd=state.work)
    assert counts(lab.of(one).up()) == expected
    if damage == "leftover":
        assert left.wait(timeout=5) is not None
    lab.of(one).destroy()


@pytest.mark.engine
def test_an_error_of_the_program_reaches_the_caller_as_it_is(lab: Lab) -> None:
    def ours() -> None:
        raise LocalPlatformError("no domain", hint="make one")

    with pytest.raises(LocalPlatformError, match=r"^no domain$") as caught:
        lab.engine(ours).up()
    assert caught.value.hint == "make one"

    def bug() -> None:
        raise ValueError("seven")

    with pytest.raises(
        LocalPlatformError, match=r"^the Pulumi program failed: ValueError: sev"
    ) as e:
        lab.engine(bug).preview()
    assert "test_engine.py" in e.value.message
    assert "Traceback" not in e.value.message
    assert isinstance(e.value.__cause__, ValueError)

    def late() -> None:
        pulumi.export("x", pulumi.Output.from_input(1).apply(lambda number: 1 // (number - 1)))

    with pytest.raises(LocalPlatformError, match="ZeroDivisionError") as caught:
        lab.engine(late).up()
    assert "Traceback" not in caught.value.message


@pytest.mark.engine
def test_the_surroundings_neither_matter_nor_change(
    lab: Lab, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "Pulumi.yaml").write_text("name: other\nruntime: nodejs\n")
    monkeypatch.chdir(here)
    for name, value in {
        "http_proxy": "http://127.0.0.1:1",
        "https_proxy": "http://127.0.0.1:1",
        "PULUMI_BACKEND_URL": "https://example.test",
        "PULUMI_CONFIG_PASSPHRASE": "other",
        "PULUMI_STACK": "prod",
    }.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    one = config_map(namespace)
    assert counts(lab.of(one).up()) == {"created": 1}
    assert [path.name for path in here.iterdir()] == ["Pulumi.yaml"]
    assert dict(os.environ) == before
    lab.of(one).destroy()


@pytest.fixture
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws.*")  # its own imports
def test_aws_resources_go_the_same_way(lab: Lab, moto: str) -> None:
    import pulumi_aws as aws

    def run(status: str = "Enabled") -> None:
        tags = {"aspora.io/owner": "wealth"}
        bucket = aws.s3.Bucket("logs", bucket="logs-of-wealth", tags=tags)
        aws.s3.BucketPublicAccessBlock(
            "closed", bucket=bucket.id, block_public_acls=True, block_public_policy=True
        )
        aws.s3.BucketVersioning(
            "versions", bucket=bucket.id, versioning_configuration={"status": status}
        )
        secret = aws.secretsmanager.Secret("key", name="wealth/key", tags=tags)
        pulumi.export("arns", [bucket.arn, secret.arn])
        pulumi.export("account", aws.get_caller_identity().account_id)

    def unknown() -> None:
        aws.sns.Topic("alerts")

    def engine(program: Callable[[], None]) -> Engine:
        return lab.engine(program, providers={"aws": server.port})

    with serve_aws(moto) as server:
        assert counts(engine(run).preview()) == {"created": 4}
        assert counts(engine(run).up()) == {"created": 4}
        outputs = engine(run).outputs()
        assert outputs["account"] == "123456789012"
        assert outputs["arns"][0] == "arn:aws:s3:::logs-of-wealth"
        assert outputs["arns"][1].startswith("arn:aws:secretsmanager:us-east-1:123456789012:")
        assert counts(engine(run).up(refresh=True)) == {"unchanged": 4}
        changed = engine(lambda: run("Suspended")).up()
        assert counts(changed) == {"updated": 1, "unchanged": 3}
        engine(run).reset_state()
        assert counts(engine(run).up()) == {"created": 4}
        with pytest.raises(LocalPlatformError, match=r"aws:sns/topic:Topic is not known to the lo"):
            engine(unknown).preview()
        assert counts(engine(run).destroy()) == {"deleted": 4}


KILLED = """
import sys
from pathlib import Path
from local.engine import Engine
from local.kube import KubeClient
from local.paths import Paths
from local.providers.kubernetes import serve_kubernetes
from tests.test_engine import config_map, program

cli, kubeconfig, state, namespace, number = sys.argv[1:]
client = KubeClient.from_kubeconfig(Path(kubeconfig))
objects = [config_map(namespace, f"n{n}", data={"v": number}) for n in range(120)]
paths = Paths(cache=Path(state), state=Path(state))
server = serve_kubernetes(client)
providers = {"kubernetes": server.port}
engine = Engine(
    Path(cli), paths, program(*objects), stack="local", config={}, providers=providers
)
engine.up(lambda tick: print(tick.done, flush=True))
"""


@pytest.mark.engine
@pytest.mark.parametrize("moment", [0, 1, 60])
def test_killed_at_any_moment_the_next_up_converges(
    lab: Lab, plane: ControlPlane, namespace: str, moment: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(lab.cli), str(plane.kubeconfig)]
    command += [str(lab.paths.state), namespace, "old"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= moment:
                break
        process.kill()
    objects = [config_map(namespace, f"n{n}", data={"v": "new"}) for n in range(40)]
    lab.of(*objects).up(refresh=True)
    for obj in objects:
        live = lab.client.get(obj)
        assert live is not None
        assert live["data"] == {"v": "new"}
    assert counts(lab.of(*objects).up()) == {"unchanged": 40}
    engines = [found for found in psutil.process_iter() if is_engine_of(found, lab)]
    assert engines == []


def is_engine_of(process: psutil.Process, lab: Lab) -> bool:
    try:
        return process.cwd().startswith(str(lab.paths.pulumi))
    except psutil.Error:
        return False


@pytest.mark.engine
def test_the_step_of_drift_yml_reads_what_the_engine_tells(lab: Lab, namespace: str) -> None:
    one, two = config_map(namespace, "one", data={"a": "1"}), config_map(namespace, "two")
    providers = {"kubernetes": lab.server.port}
    run = program(one, two)
    engine = Engine(lab.cli, lab.paths, run, stack="staging", config={}, providers=providers)
    engine.up()
    work = engine._state.work
    path = f"{lab.cli.parent}:{os.environ['PATH']}"
    env = {**os.environ, **engine._environment, "PATH": path, "PYTHONPATH": str(ROOT)}
    runner = Runner(work, env, {"matrix.stack": "staging"})

    def look() -> Object:
        done = runner.run(read(), "drift/look/Compare the state with what runs")
        assert done.code == 0, done.said
        found: Object = json.loads((work / "drift/staging.json").read_text())
        return found

    assert look() == {"stack": "staging", "counts": {}, "changed": []}
    lab.client.apply({**one, "data": {"a": "2"}})
    lab.client.delete(two)
    found = look()
    assert found["counts"] == {"update": 1, "delete": 1}
    changed = [(entry["op"], entry["urn"].rpartition("::")[2]) for entry in found["changed"]]
    assert changed == [
        ("update", f"ConfigMap-{namespace}-one"),
        ("delete", f"ConfigMap-{namespace}-two"),
    ]
    ids = {entry.get("id") for entry in engine.resources()}
    assert {f"{namespace}/one", f"{namespace}/two"} <= ids  # only looked: the state is as it was
