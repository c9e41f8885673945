"""Staging and prod played on this machine: what is decided and said without starting anything."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, cast

import orjson
import pytest

from aspora import cli
from aspora.errors import EnvironmentFailure, InvalidInput
from aspora.load import load, load_stack, unverified
from aspora.named_secrets import named_secrets
from local import (
    marker,
    moto_server,
    nodes,
    platform,
    report,
    screens,
    simulated_secrets,
    simulation,
)
from local.engine import ResourcesFailed
from local.engine_record import Record
from local.engine_state import EngineState
from local.kube import KubeClient
from local.lock import hold
from local.paths import Paths
from local.progress import QuietProgress
from local.providers.aws_clients import Clients
from local.report import Status
from tests.core import MINIMAL, ROOT, domains, settings, write


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository of one domain, with a state folder of its own."""
    root = tmp_path / "repo"
    write(root / "domains", MINIMAL)
    for path in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(path, root)
    monkeypatch.setenv("ASPORA_ROOT", str(root))
    monkeypatch.setenv("ASPORA_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def aspora(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process: exit code, stdout, stderr."""

    def run(*args: str) -> tuple[int, str, str]:
        code = cli.run(list(args))
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return code, out, err

    return run


# --- folders ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "state"),
    [
        ({}, "/h/.local/state/aspora/staging-simulated"),
        ({"XDG_STATE_HOME": "/s"}, "/s/aspora/staging-simulated"),
        ({"ASPORA_STATE": "/mine"}, "/mine-staging"),
        ({"ASPORA_STATE": "~/mine/"}, "/h/mine-staging"),
    ],
)
def test_a_simulated_stack_has_a_folder_of_its_own(env: dict[str, str], state: str) -> None:
    paths = Paths.from_environment({"HOME": "/h", **env}, "staging")
    assert (str(paths.state), paths.stack) == (state, "staging")
    local = Paths.from_environment({"HOME": "/h", **env})
    assert local.state != paths.state
    assert local.cache == paths.cache


def test_the_lock_names_the_simulated_command(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path / "state", "staging")
    with hold(paths, "up"), pytest.raises(EnvironmentFailure) as caught, hold(paths, "down"):
        pass
    assert caught.value.message.startswith(
        f"`aspora up --stack staging --simulate` (process {os.getpid()}, since "
    )
    assert caught.value.message.endswith(") is working on the simulated staging platform")


# --- the command --------------------------------------------------------------------------------

LOCAL_IS_HERE = """\
error: `--simulate` plays staging or prod; local is always here
  leave --simulate out, or name a stack: --stack staging
"""
NOT_DOWN = """\
error: `aspora down` takes down what runs on this machine, not staging
  a real one goes by hand, with every protection lifted: pulumi destroy;
  what was simulated goes with: aspora down --stack staging --simulate
"""
NOT_UP = (
    "the simulated staging platform is not up; `aspora up --stack staging --simulate` starts it\n"
)


@pytest.mark.parametrize("verb", ["up", "preview", "down", "status"])
def test_local_needs_no_simulation(verb: str, repo: Path, aspora: Any) -> None:
    assert aspora(verb, "--simulate") == (2, "", LOCAL_IS_HERE)


@pytest.mark.parametrize("verb", ["up", "preview", "down", "status"])
@pytest.mark.parametrize("stack", ["pord", "../../etc/passwd"])
def test_only_a_stack_of_the_repository(verb: str, stack: str, repo: Path, aspora: Any) -> None:
    code, out, err = aspora(verb, "--stack", stack, "--simulate")
    assert (code, out) == (2, "")
    assert f'there is no stack "{stack}"' in err
    assert "known stacks: local, prod, staging" in err


def test_what_is_real_is_not_taken_down(repo: Path, aspora: Any) -> None:
    assert aspora("down", "--stack", "staging") == (2, "", NOT_DOWN)


def test_what_is_not_up(repo: Path, aspora: Any) -> None:
    assert aspora("status", "--stack", "staging", "--simulate") == (1, "", NOT_UP)
    banner = "staging, simulated: nothing of a real account is touched\n"
    down = aspora("down", "--stack", "staging", "--simulate")
    assert down == (0, "", f"{banner}nothing was up\n")
    code, _, err = aspora("down", "--stack", "staging", "--simulate", "--destroy")
    assert code == 1
    assert err == (
        f"{banner}error: the simulated staging platform is not up\n"
        "  run `aspora up --stack staging --simulate` first\n"
    )
    assert list(repo.parent.glob("state*")) == []


def test_a_broken_stack_file_stops_up_but_not_down(repo: Path, aspora: Any) -> None:
    file = repo / "Pulumi.staging.yaml"
    file.write_text(file.read_text("utf-8").replace("region:", "regoin:"), "utf-8")
    code, _, err = aspora("up", "--stack", "staging", "--simulate")
    assert (code, err.splitlines()[0]) == (1, simulation.banner("staging"))
    assert 'did you mean "aspora:region"?' in err
    assert aspora("down", "--stack", "staging", "--simulate")[0] == 0
    assert list(repo.parent.glob("state*")) == []


# --- the outputs of a real stack ----------------------------------------------------------------


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a `pulumi` on PATH that says what it was called with and runs a line of shell."""

    def make(script: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "pulumi"
        program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return tmp_path / "called"

    return make


OUTPUTS = {
    "vpcId": "vpc-0123",
    "accountId": "111122223333",
    "password": "[secret]",
    "delivery": {"wealth": "pulumi", "ecm": "argocd"},
}


def test_status_of_a_real_stack_is_its_outputs(repo: Path, official: Any, aspora: Any) -> None:
    called = official(f"echo '{json.dumps(OUTPUTS)}'")
    code, out, err = aspora("status", "--stack", "staging")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "accountId  111122223333",
        'delivery   {"ecm": "argocd", "wealth": "pulumi"}',
        "vpcId      vpc-0123",
    ]
    assert called.read_text() == "stack output --json --non-interactive --stack staging\n"
    code, out, _ = aspora("status", "--stack", "staging", "--format", "json")
    assert json.loads(out) == {k: v for k, v in OUTPUTS.items() if k != "password"}


NO_OUTPUTS = """\
error: pulumi does not tell the outputs of staging: {}
  log in to the bucket of its state first: pulumi login s3://…
"""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "echo 'error: PULUMI_ACCESS_TOKEN must be set for login' >&2; exit 255",
            "PULUMI_ACCESS_TOKEN must be set for login",
        ),
        ("exit 1", "it printed none"),
        ("echo 'no JSON'", "no JSON"),
        ("echo '[1]'", "[1]"),
    ],
)
def test_outputs_that_pulumi_does_not_tell(
    script: str, said: str, repo: Path, official: Any, aspora: Any
) -> None:
    official(script)
    assert aspora("status", "--stack", "staging") == (1, "", NO_OUTPUTS.format(said))


@pytest.mark.parametrize("verb", ["up", "preview", "status"])
def test_a_real_stack_needs_the_official_cli(
    verb: str, repo: Path, aspora: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    code, out, err = aspora(verb, "--stack", "staging")
    assert (code, out) == (1, "")
    assert err == (
        f"error: `aspora {verb} --stack staging` needs the official Pulumi CLI on PATH\n"
        "  install it from pulumi.com/docs/iac/download-install; `aspora up` alone and"
        " --simulate need nothing\n"
    )


# --- what a simulation forgives -----------------------------------------------------------------


def test_pins_that_prod_refuses_are_a_remark_here(repo: Path) -> None:
    refused = {problem.code for problem in unverified("prod", repo)}
    wanted = platform.read(repo, stack="prod")
    image = load([repo / "domains"], load_stack("prod", repo)).problems
    assert refused | {problem.code for problem in image} == simulation.FORGIVEN
    assert wanted.unverified == len(unverified("prod", repo)) + len(image)


def test_any_other_problem_stops_it(repo: Path) -> None:
    write(repo / "domains", MINIMAL.replace("model:", "modell:"))
    with pytest.raises(InvalidInput) as caught:
        platform.read(repo, stack="prod")
    assert {problem.code for problem in caught.value.problems} == {"ASP201"}


def test_the_remarks() -> None:
    assert list(simulation.remarks("local", "local", 0)) == []
    assert list(simulation.remarks("staging", "staging", 0)) == []
    pins, definitions = simulation.remarks("prod", "prod", 24)
    assert pins == (
        "simulated: a real prod refuses 24 pins that nobody has looked up;"
        " `aspora validate --stack prod` lists them"
    )
    head = "simulated: a real prod takes no CustomResourceDefinitions without a checksum: "
    assert definitions.startswith(head)
    assert "refuses 1 pin that" in next(iter(simulation.remarks("prod", "prod", 1)))


def test_the_nodes_stand_in_the_zones_of_the_stack() -> None:
    class Client:
        made: ClassVar[list[dict[str, Any]]] = []

        def get(self, obj: dict[str, Any]) -> None:
            return None

        def apply(self, obj: dict[str, Any]) -> None:
            self.made.append(obj["metadata"]["labels"])

    stack = settings("staging")
    assert stack.aws is not None
    nodes.ensure(cast(KubeClient, Client()), stack)
    assert {labels["topology.kubernetes.io/zone"] for labels in Client.made} == set(
        stack.aws.network.zones
    )
    assert {labels["topology.kubernetes.io/region"] for labels in Client.made} == {stack.region}
    assert len(Client.made) == len(nodes.NODES)


# --- what may be believed -----------------------------------------------------------------------


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path / "cache", tmp_path / "state", "staging")
    found.pulumi.mkdir(parents=True)
    return found


def test_nothing_is_believed_of_what_never_ran(paths: Paths) -> None:
    assert marker.trust(paths, "a") == marker.Trust(state=False, complete=False)
    assert not marker.cut_short(paths)


def test_after_a_good_end_everything_is_believed_of_the_same_servers(paths: Paths) -> None:
    marker.begin(paths)
    marker.end(paths, "a")
    assert marker.trust(paths, "a") == marker.Trust(state=True, complete=True)
    assert marker.trust(paths, "b") == marker.Trust(state=False, complete=False)


def test_after_a_kill_nothing_is(paths: Paths) -> None:
    marker.end(paths, "a")
    marker.begin(paths)
    assert marker.trust(paths, "a") == marker.Trust(state=False, complete=False)
    assert marker.cut_short(paths)


@pytest.mark.parametrize("text", ["", marker.BEGUN[:3], marker.FAILED[:-1], marker.FAILED + "x"])
def test_a_marker_that_cannot_be_read_is_that_of_a_kill(paths: Paths, text: str) -> None:
    marker.end(paths, "a")
    paths.dirty.write_text(text)
    assert not marker.trust(paths, "a").state
    assert marker.cut_short(paths)


def test_after_a_failure_the_state_is_believed_and_no_more(paths: Paths) -> None:
    marker.begin(paths)
    marker.failed(paths, "a")
    assert marker.trust(paths, "a") == marker.Trust(state=True, complete=False)
    assert marker.trust(paths, "b") == marker.Trust(state=False, complete=False)
    assert not marker.cut_short(paths)
    marker.begin(paths)
    assert marker.cut_short(paths)


BUCKET = "urn:pulumi:staging::aspora::aws:s3/bucket:Bucket::logs"
POLICY = "urn:pulumi:staging::aspora::kubernetes:networking.k8s.io/v1:NetworkPolicy::a/dns"
STACK = "urn:pulumi:staging::aspora::pulumi:pulumi:Stack::aspora-staging"


@pytest.mark.parametrize(
    ("errors", "words", "ended", "whole"),
    [
        ([(BUCKET, "it is full")], "", True, True),
        ([(BUCKET, "it is full")], "", False, False),
        ([(BUCKET, "it is full"), (STACK, "the program failed")], "", True, False),
        ([(BUCKET, "it is full"), ("", "the engine failed")], "", True, False),
        ([(BUCKET, "it is full")], "error: No space left on device", True, False),
        ([], "error: it broke", True, False),
    ],
)
def test_the_state_counts_when_only_resources_failed(
    errors: list[tuple[str, str]], words: str, ended: bool, whole: bool
) -> None:
    failure = Record(errors=errors).failure("up", words, ended=ended)
    assert isinstance(failure, ResourcesFailed) is whole


def test_a_protected_resource_is_told_in_one_line() -> None:
    words = (
        f'resource "{BUCKET}" cannot be deleted\nbecause it is protected. To unprotect the'
        " resource, either remove the `protect` flag from the resource in your Pulumi program and"
        f" run `pulumi up`, or use the command:\n`pulumi state unprotect '{BUCKET}'`"
    )
    command = f"`pulumi state unprotect '{BUCKET}'`"
    failure = Record(errors=[(BUCKET, words)]).failure("up", "")
    assert failure.message == (
        "up: 1 problem\n"
        f"  logs is protected, so it was not deleted; {command} lifts that for a real stack"
    )


def test_what_lacks_its_provider_is_no_reason() -> None:
    provider = "urn:pulumi:staging::aspora::pulumi:providers:kubernetes::eks::04da6b54"
    lacking = (POLICY, f"unknown provider '{provider}' for resource '{POLICY}'")
    both = Record(errors=[lacking, (BUCKET, "it is full")]).failure("up", "")
    assert both.message == "up: 1 problem\n  logs: it is full"
    assert isinstance(both, ResourcesFailed)
    alone = Record(errors=[lacking]).failure("up", "")
    assert alone.message == f"up: 1 problem\n  {lacking[1]}"


def test_outputs_leave_secrets_out(paths: Paths) -> None:
    secret = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "ciphertext": "v1:x",
    }
    exported = {"plain": "a", "of": {"one": ["b"]}, "key": secret, "list": [{"inner": secret}]}
    resources = [
        {"type": "pulumi:pulumi:Stack", "urn": STACK, "outputs": exported},
        {"type": "aspora:aws:Keys", "urn": "component"},
        {"type": "pulumi:providers:aws", "urn": "provider", "custom": True},
        {"type": "aws:s3/bucket:Bucket", "urn": BUCKET, "custom": True},
    ]
    state = EngineState(paths.pulumi, "aspora", "staging")
    assert (state.outputs(), state.objects()) == ({}, ())
    state.checkpoint.parent.mkdir(parents=True)
    latest = {"checkpoint": {"latest": {"resources": resources}}}
    state.checkpoint.write_bytes(orjson.dumps(latest))
    assert state.outputs() == {"plain": "a", "of": {"one": ["b"]}}
    assert [entry["urn"] for entry in state.objects()] == [BUCKET]


# --- the screen ---------------------------------------------------------------------------------

STATUS = Status(
    stack="staging",
    server="https://127.0.0.1:1",
    kubeconfig="/k",
    aws="http://127.0.0.1:2",
    simulated=report.SIMULATED_STACK,
    domains=(),
    kept={"aws:eks/addon:Addon": "moto has no eks create_addon", "aws:sqs/queue:Queue": "?"},
    outputs={"vpcId": "vpc-0", "accountId": "123456789012"},
)
SCREEN = """\
staging, simulated: nothing of a real account is touched
NAMESPACE  SKILLS  SERVICE  CRON  SANDBOX  PODS  CPU  MEMORY
the last `aspora up --stack staging --simulate` did not finish; run it again
PODS are ready/all; CPU and MEMORY are used/quota.

API server  https://127.0.0.1:1
AWS         http://127.0.0.1:2 (moto)
kubeconfig  /k
simulated   EKS (a local control plane), nodes and pods (kwok), AWS (moto);
            operators' controllers do not run, so Rollouts have no pods

Look further:
  export KUBECONFIG=/k; kubectl get pods -A -l domain
  aspora render --stack staging --domain ecm | less
  aspora preview --stack staging --simulate

2 types of AWS that moto lacks; the stand-in keeps them itself:
  eks.Addon, sqs.Queue

Outputs:
  accountId  123456789012
  vpcId      vpc-0
"""


def test_the_screen_of_a_simulated_stack(
    paths: Paths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "status", lambda _: STATUS)
    marker.begin(paths)
    assert screens.show_status(paths) == 0
    assert capsys.readouterr().out == SCREEN
    assert screens.show_status(paths, "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads(json.dumps(STATUS.as_dict()))
    assert (shown["outputs"], shown["kept"]) == (STATUS.outputs, STATUS.kept)


def test_the_screen_when_moto_has_stopped(
    paths: Paths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = dataclasses.replace(STATUS, aws=report.NOT_RUNNING)
    monkeypatch.setattr(report, "status", lambda _: stopped)
    for style in ("text", "json"):
        assert screens.show_status(paths, style) == 1
        assert capsys.readouterr().err == (
            "moto, which plays AWS, has stopped; `aspora up --stack staging --simulate` starts it\n"
        )


# --- named secrets ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("moto")
    paths = Paths(folder / "cache", folder / "state")
    paths.state.mkdir()
    yield moto_server.up(paths, QuietProgress()).url
    moto_server.down(paths, QuietProgress())


def test_named_secrets_are_played(moto: str, tmp_path: Path) -> None:
    stack = settings("staging")
    pets = domains(tmp_path, MINIMAL)
    api = Clients(moto).api("secretsmanager", stack.region)
    for name in ("aspora/staging/gone/openrouter", "aspora/prod/pets/openrouter"):
        api.create_secret(Name=name, SecretString="x")
    simulated_secrets.ensure(pets, stack, moto)
    wanted = [secret for secret in named_secrets(pets, stack) if secret.source != "pulumi"]
    values = {s.name: api.get_secret_value(SecretId=s.name)["SecretString"] for s in wanted}
    assert {s.source for s in wanted} == {"asked", "generated"}
    for secret in wanted:
        assert (values[secret.name] == "simulated") is (secret.source == "asked")

    simulated_secrets.ensure(pets, stack, moto)
    again = {s.name: api.get_secret_value(SecretId=s.name)["SecretString"] for s in wanted}
    assert again == values

    simulated_secrets.prune(pets, stack, moto)
    left = {entry["Name"] for entry in api.list_secrets()["SecretList"]}
    assert left == {*values, "aspora/prod/pets/openrouter"}


def test_a_moto_that_is_gone_is_said() -> None:
    with pytest.raises(EnvironmentFailure, match=r"secretsmanager:ListSecrets failed"):
        simulated_secrets.ensure((), settings("staging"), "http://127.0.0.1:9")
