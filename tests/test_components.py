"""The Pulumi shell, with a recording mock: what is registered equals what the core rendered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from aspora.crds import CUSTOM_KINDS, open_crd, operators_names
from aspora.load import load_or_raise, load_stack
from aspora.registered import Registered
from aspora.render import Rendered, ref, render
from aspora.services.pins import PINS
from components.aws.cluster import inside
from components.base import resource_name, type_token
from infra.main import program
from infra.program import PROJECT, Platform, declare
from infra.recording import record
from infra.settings import SettingsError, read_settings

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).parent / "golden" / "urns.txt"


class Recorded:
    """What a program registered."""

    def __init__(self, seen: tuple[Registered, ...]) -> None:
        self.seen = seen

    def manifests(self) -> list[Any]:
        return [found.inputs for found in self.seen if found.type.startswith("kubernetes:")]


def rendered(stack: str = "local") -> tuple[Platform, Rendered]:
    settings = load_stack(stack, ROOT)
    objects = render(load_or_raise([ROOT / "domains"], settings), settings)
    return Platform(settings, objects, ()), objects


def run(platform: Platform, outputs: Mapping[str, Any] | None = None) -> Recorded:
    return Recorded(
        record(lambda: declare(platform), stack="local", project=PROJECT, last_outputs=outputs)
    )


def with_delivery(platform: Platform, domain: str, delivery: str) -> Platform:
    settings = platform.settings
    domains = load_or_raise([ROOT / "domains"], settings)
    changed = [
        d.model_copy(update={"delivery": delivery}) if d.name == domain else d for d in domains
    ]
    return Platform(settings, render(changed, settings), ())


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_what_is_registered_is_what_was_rendered(stack: str) -> None:
    platform, objects = rendered(stack)
    manifests = run(platform).manifests()
    assert {ref(obj): obj for obj in manifests} == {ref(obj): obj for obj in objects}
    assert len(manifests) == sum(1 for _ in objects)


def test_types_and_names_of_resources_are_stable() -> None:
    platform, _ = rendered()
    seen = run(platform).seen
    lines = sorted(
        f"{args.type}::{args.name}"
        for args in seen
        if "ecm" in args.name and "tools" not in args.name
    )
    assert lines == GOLDEN.read_text("utf-8").splitlines()


def test_a_resource_is_named_by_namespace_and_name() -> None:
    _, objects = rendered()
    names = [f"{type_token(obj)}::{resource_name(obj)}" for obj in objects]
    assert len(names) == len(set(names))
    namespaced = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "namespace": "b"},
    }
    assert type_token(namespaced) == "kubernetes:core/v1:Service"
    assert resource_name(namespaced) == "b/a"


def test_a_domain_handed_over_is_registered_once_more_and_then_let_go() -> None:
    platform, _ = rendered()
    argocd = with_delivery(platform, "support", "argocd")
    skills = {ref(obj) for d in argocd.rendered.domains for s in d.skills for obj in s.objects}
    support = {r for r in skills if r.namespace == "aspora-support"}
    first = {ref(obj) for obj in run(argocd, {"delivery": {"support": "pulumi"}}).manifests()}
    assert support <= first
    second = {ref(o) for o in run(argocd, {"delivery": {"support": "handing-over"}}).manifests()}
    assert not support & second
    assert skills - support <= second
    delivered = {r.kind for r in second if r.api_version == "argoproj.io/v1alpha1"}
    assert delivered == {"Application", "AppProject"}


def test_a_new_domain_with_argocd_is_never_registered_by_pulumi() -> None:
    platform, _ = rendered()
    seen = {ref(obj) for obj in run(with_delivery(platform, "support", "argocd")).manifests()}
    assert not any(r.kind == "Deployment" and r.namespace == "aspora-support" for r in seen)


def test_the_recorder_can_fail() -> None:
    """The canary: a program that registers one object less must not pass the comparison."""
    platform, objects = rendered()
    domain = platform.rendered.domains[0]
    fewer = Platform(platform.settings, Rendered(objects.cluster, (domain,)), ())
    assert len(run(fewer).manifests()) < sum(1 for _ in objects)


def settings_of(config: Mapping[str, str]) -> Any:
    pulumi.runtime.set_all_config(dict(config))
    try:
        return read_settings("staging")
    finally:
        pulumi.runtime.set_all_config({})


GOOD = {
    "aspora:environment": "staging",
    "aspora:region": "us-east-1",
    "aspora:cluster": '{"name": "aspora-staging", "version": "1.37"}',
    "aspora:network": (
        '{"vpcCidr": "10.20.0.0/16", "nodeCidrs": ["10.20.0.0/18"],'
        ' "databaseCidrs": ["10.20.192.0/24"], "endpointCidrs": ["10.20.196.0/24"]}'
    ),
    "aspora:images": '{"registry": "ghcr.io"}',
    "aspora:publicHost": "gateway.staging.aspora.internal",
    "aspora:gitops": '{"repoURL": "https://github.com/aspora/platform", "branch": "b"}',
    "aspora:progressiveDelivery": "true",
}


def test_the_engine_and_the_file_give_the_same_settings() -> None:
    assert settings_of(config_of("staging")) == load_stack("staging", ROOT)


def test_every_bad_setting_is_named_with_its_file() -> None:
    bad = GOOD | {
        "aspora:region": "nowhere",
        "aspora:network": GOOD["aspora:network"].replace("vpcCidr", "vpcCdir"),
    }
    del bad["aspora:publicHost"]
    with pytest.raises(SettingsError) as caught:
        settings_of(bad)
    assert caught.value.message.splitlines() == [
        "Pulumi.staging.yaml does not hold:",
        (
            '  Pulumi.staging.yaml: config.aspora:region: "nowhere" is no AWS region; for example'
            " us-east-1"
        ),
        "  Pulumi.staging.yaml: config.aspora:network.vpcCidr: missing",
        (
            "  Pulumi.staging.yaml: config.aspora:network.vpcCdir: unknown key; did you mean"
            ' "vpcCidr"?'
        ),
        "  Pulumi.staging.yaml: config.aspora:publicHost: missing",
    ]


def config_of(stack: str) -> dict[str, str]:
    """As the CLI hands the file's settings to the program: scalars as text, the rest as JSON."""
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text("utf-8"))[
            "config"
        ].items()
    }


def run_stack(stack: str, account: str | None = "111122223333") -> Recorded:
    config = config_of(stack)
    aws = json.loads(config["aspora:aws"]) | {"accountId": account}
    pulumi.runtime.set_all_config(config | {"aspora:aws": json.dumps(aws)})
    try:
        return Recorded(record(program, stack=stack, project=PROJECT))
    finally:
        pulumi.runtime.set_all_config({})


@pytest.fixture
def definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of definitions, as someone without the Internet would give it."""
    for kind in CUSTOM_KINDS:
        crd = open_crd(kind)
        del crd["metadata"]["annotations"]
        (tmp_path / f"{kind.name}.json").write_text(json.dumps(crd))
    for name in operators_names():
        (tmp_path / f"{name}.json").write_text(json.dumps(crd | {"metadata": {"name": name}}))
    monkeypatch.setenv("ASPORA_CRDS", str(tmp_path))


@pytest.mark.usefixtures("definitions")
def test_the_staging_program_registers_everything() -> None:
    kinds = Counter(args.type for args in run_stack("staging").seen)
    assert kinds["kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"] == len(
        (*CUSTOM_KINDS, *operators_names())
    )
    assert kinds["kubernetes:helm.sh/v3:Release"] == len(PINS)
    assert kinds["kubernetes:argoproj.io/v1alpha1:Rollout"] == 9
    # The controller of sandboxes, two gateways and the model gateway's counters; every service
    # skill is a Rollout.
    assert kinds["kubernetes:apps/v1:Deployment"] == 4
    assert kinds["aspora:platform:DomainNamespace"] == 4


@pytest.mark.usefixtures("definitions")
def test_prod_refuses_images_without_a_digest() -> None:
    with pytest.raises(pulumi.RunError, match="34 problems found") as caught:
        run_stack("prod", account=None)
    assert str(caught.value).count("ASP313") == 15
    assert str(caught.value).count("Pulumi.prod.yaml: config.aspora:aws.") == 9


def test_staging_takes_no_open_schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASPORA_CRDS", raising=False)
    monkeypatch.setenv("ASPORA_DOWNLOADS", "off")
    monkeypatch.setenv("ASPORA_CACHE", str(tmp_path))
    with pytest.raises(pulumi.RunError, match="no CustomResourceDefinitions to be had for"):
        run_stack("staging")


@pytest.mark.usefixtures("definitions")
def test_no_stack_goes_to_an_account_that_is_not_named() -> None:
    with pytest.raises(pulumi.RunError) as caught:
        run_stack("staging", account=None)
    assert str(caught.value) == (
        "1 problem found\n"
        "  Pulumi.staging.yaml: config.aspora:aws.accountId: the account is not named; write its"
        " 12 digits\n"
    )


def test_a_part_of_an_output_that_is_not_there_yet() -> None:
    """`pulumi up --target` registers every resource, and those left out have no outputs."""
    assert inside(None, "data") is None
    assert inside([{"oidcs": None}], 0, "oidcs", 0, "issuer") is None
    assert inside([{"oidcs": [{"issuer": "https://x"}]}], 0, "oidcs", 0, "issuer") == "https://x"
