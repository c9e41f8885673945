"""What the proof says of the repository, of domains that use everything, and of broken ones."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from aspora import cli
from aspora.isolation.given import Declared, Given, Resource
from aspora.isolation.model import Finding, Proof, as_json
from aspora.isolation.proof import prove
from aspora.isolation.text import LIMIT, as_markdown, as_text
from local import isolation_commands
from tests.core import ROOT, domains, python, repository
from tests.guardrails.texts import ADDED
from tests.isolation.lab import added, changed, made, stack

DECLARED = {("support", "ecm"): 2, ("support", "wealth"): 2, ("wealth", "fraud"): 2}
"""Two skills of the caller each time: the repository's own `calls`."""


def local() -> Given:
    return stack("local", aws=False)


def kinds(given: Given) -> dict[str, list[str]]:
    """Messages of the findings by kind."""
    found: dict[str, list[str]] = {}
    for one in prove(given).findings:
        found.setdefault(one.kind, []).append(f"{one.subject} {one.message}")
    return found


@pytest.mark.parametrize("name", ["local", "staging"])
def test_the_repository_is_isolated(name: str) -> None:
    proof = prove(stack(name, aws=name != "local"))
    assert proof.findings == ()
    assert {
        (c.from_domain, c.to_domain): c.declared for c in proof.matrix if c.declared
    } == DECLARED
    assert len(proof.matrix) == 12
    assert not any(cell.undeclared for cell in proof.matrix)
    assert proof.counts["networkPolicies"] >= 100
    assert proof.counts["skills"] == 15
    assert (proof.counts["iamRoles"] >= 40) == (name == "staging")


def test_domains_that_use_everything_are_isolated() -> None:
    """Sidecars, Argo CD, sessions, ports of egress, calls at home."""
    with tempfile.TemporaryDirectory() as folder:
        every = (*repository(), *domains(Path(folder), *ADDED))
        for name in ("local", "staging"):
            assert prove(made(every, name)).findings == ()


def test_what_is_outside_is_what_the_domain_files_name() -> None:
    proof = prove(local())
    hosts = {
        (reach.source, reach.target)
        for reach in proof.outside
        if reach.via and "support-assistant-draft-reply" in reach.source
    }
    home = "aspora-support/support-assistant-draft-reply"
    assert hosts == {
        (home, "openrouter.ai:443"),
        (home, "api.statuspage.io:443"),
        (home, "knowledge-base.tools.aspora.internal:443"),
        (home, "tickets.tools.aspora.internal:443"),
    }


def without_callers(given: Given) -> Given:
    """ecm/field/my-tickets no longer lists support/assistant: the objects still let it in."""

    def change(domain: Declared) -> Declared:
        return replace(domain, skills=tuple(replace(one, callers=()) for one in domain.skills))

    return replace(given, declared=tuple(map(change, given.declared)))


def test_a_call_that_one_side_alone_declares_is_a_crossing() -> None:
    proof = prove(without_callers(local()))
    assert not proof.ok
    assert {c.why for c in proof.crossings} == {
        "it does not list support/assistant in `callers`",
        "it does not list wealth/advisor in `callers`",
    }
    assert [c.undeclared for c in proof.matrix if c.undeclared] == [2, 2, 2]
    assert {one.kind for one in proof.findings} == {"crossing", "one side"}
    by = proof.findings[0].by
    assert any(name.startswith("AuthorizationPolicy aspora-platform/") for name in by)


EVERYBODY: dict[str, Any] = {"namespaceSelector": {}}


def opened(given: Given, *names: str) -> Given:
    """Policies of two domains that let their pods talk with everybody."""
    for name in names:
        kind = "ingress" if "execute" in name else "egress"
        side = "from" if kind == "ingress" else "to"

        def change(obj: dict[str, Any], kind: str = kind, side: str = side) -> None:
            obj["spec"][kind][0][side].append(EVERYBODY)

        given = changed(given, f"NetworkPolicy {name}", change)
    return given


def test_one_lock_gone_is_found_before_it_is_a_path() -> None:
    found = kinds(opened(local(), "aspora-fraud/allow-execute"))
    assert "crossing" not in found
    assert any("fraud-risk-analyze-transaction admits" in line for line in found["one side"])


def test_both_locks_gone_are_a_path_with_the_objects_that_open_it() -> None:
    given = opened(local(), "aspora-fraud/allow-execute", "aspora-ecm/allow-dns")

    def every_port(obj: dict[str, Any]) -> None:
        del obj["spec"]["egress"][0]["ports"]

    proof = prove(changed(given, "NetworkPolicy aspora-ecm/allow-dns", every_port))
    crossing = next(c for c in proof.crossings if c.kind == "network")
    assert (crossing.from_domain, crossing.to_domain) == ("ecm", "fraud")
    assert crossing.by == (
        "NetworkPolicy aspora-ecm/allow-dns",
        "NetworkPolicy aspora-fraud/allow-execute",
    )
    assert "TCP 8080" in crossing.path
    assert any(one.kind == "crossing" for one in proof.findings)


def test_pods_of_any_labels_are_thought_of() -> None:
    """A team may label its pods as another's caller is labelled."""

    def everywhere(obj: dict[str, Any]) -> None:
        obj["spec"]["ingress"][0]["from"][0]["namespaceSelector"] = {}

    given = changed(local(), "NetworkPolicy aspora-fraud/allow-execute", everywhere)
    assert any("aspora-ecm/(any labels)" in line for line in kinds(given)["one side"])


def test_blocks_that_hold_pods_count_for_pods() -> None:
    def nodes(obj: dict[str, Any]) -> None:
        obj["spec"]["ingress"][0]["from"] = [{"ipBlock": {"cidr": local().networks.nodes[0]}}]

    given = changed(local(), "NetworkPolicy aspora-fraud/allow-execute", nodes)
    assert any("admits addresses of" in line for line in kinds(given)["outside"])


def test_a_kind_that_nobody_knows_breaks_the_proof() -> None:
    kind = "CiliumNetworkPolicy"
    meta = {"name": "open", "namespace": "aspora-ecm"}
    found = kinds(added(local(), {"apiVersion": "cilium.io/v2", "kind": kind, "metadata": meta}))
    assert found == {
        "unread": [f"{kind} the proof does not know this kind: {kind} aspora-ecm/open"]
    }


def test_a_service_with_a_door_of_its_own_breaks_the_proof() -> None:
    name = "Service aspora-ecm/ecm-field-my-tickets"
    given = changed(local(), name, lambda obj: obj["spec"].update(type="LoadBalancer"))
    assert kinds(given) == {"outside": [f"{name} opens a door of its own: LoadBalancer"]}


def test_a_workload_that_no_file_declares_breaks_the_proof() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stray", "namespace": "aspora-ecm", "labels": {"domain": "ecm"}},
        "spec": {
            "containers": [{"name": "main", "image": "x"}],
            "runtimeClassName": "gvisor",
            "automountServiceAccountToken": False,
        },
    }
    assert kinds(added(local(), pod)) == {
        "unread": ["aspora-ecm/stray runs in a domain's namespace, and no domain file declares it"]
    }


def test_roles_that_labels_gather_are_followed() -> None:
    """A ClusterRole of a chart may add itself to one that a team is bound to."""
    api = "rbac.authorization.k8s.io"
    gathering = {
        "apiVersion": f"{api}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "gathered"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "gathered"}}]},
    }
    part = {
        "apiVersion": f"{api}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "part", "labels": {"to": "gathered"}},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    }
    binding = {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "more", "namespace": "aspora-fraud"},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": "gathered"},
        "subjects": [{"apiGroup": api, "kind": "Group", "name": "ecm-team"}],
    }
    proof = prove(added(local(), gathering, part, binding))
    assert [one.message for one in proof.findings] == ["may get secrets in aspora-fraud"]
    assert "ClusterRole part" in proof.findings[0].by
    assert [(c.from_domain, c.to_domain) for c in proof.crossings if not c.declared] == [
        ("ecm", "fraud")
    ]


def test_a_wider_prefix_is_found_though_the_bucket_would_stop_it() -> None:
    given = stack()
    name = "aspora-staging.ecm.ecm-field-my-tickets"

    def widen(resource: Resource) -> Resource:
        if resource.name != name or not resource.type.endswith(":RolePolicy"):
            return resource
        policy = str(resource.inputs["policy"]).replace("/ecm/ecm-field-my-tickets/*", "/*")
        return replace(resource, inputs={**resource.inputs, "policy": policy})

    found = kinds(replace(given, aws=tuple(map(widen, given.aws))))
    assert any("may s3:GetObject" in line for line in found["one side"])
    assert any("may s3:AbortMultipartUpload" in line for line in found["crossing"])


def test_order_of_the_objects_is_of_no_matter() -> None:
    given = local()
    backwards = replace(given, objects=tuple(reversed(given.objects)))
    assert as_json(prove(backwards)) == as_json(prove(given))


def test_a_proof_of_nothing_is_no_proof() -> None:
    given = replace(local(), objects=(), declared=())
    assert not prove(given).ok


# -- the command --------------------------------------------------------------------------------


@pytest.fixture
def aspora(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        code = cli.run(["isolation", *arguments])
        return code, capfdbinary.readouterr().out.decode()

    return run


def test_the_command_says_its_verdict_first(aspora: Any) -> None:
    code, out = aspora()
    assert code == 0
    assert out.startswith("local: domains are isolated (4 domains, 15 skills, ")
    assert "  support    2      -        .       2\n" in out
    assert "api.statuspage.io:443 via egressgateway" in out


def test_json_is_as_its_schema_says(aspora: Any) -> None:
    code, out = aspora("--format", "json")
    schema = json.loads((ROOT / "docs/reference/isolation.schema.json").read_text())
    proof = json.loads(out)
    jsonschema.validate(proof, schema)
    assert (code, proof["ok"]) == (0, True)
    assert {work["kind"] for work in proof["workloads"]} == {
        *("agent", "gateway", "platform", "cluster service", "outside")
    }
    names = {
        f"{work['namespace']}/{work['name']}" if work["namespace"] else work["name"]
        for work in proof["workloads"]
    }
    ends = [*proof["reaches"], *proof["outside"]]
    assert {end for reach in ends for end in (reach["source"], reach["target"])} <= names
    del proof["matrix"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(proof, schema)


def test_findings_make_the_command_fail(aspora: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = opened(local(), "aspora-fraud/allow-execute")
    monkeypatch.setattr(isolation_commands, "given", lambda *_: broken)
    code, out = aspora()
    assert code == 1
    assert out.startswith("local: NOT proven (")
    assert "Shut by one of two locks only:" in out
    assert "    by NetworkPolicy aspora-fraud/allow-execute\n" in out
    code, out = aspora("--format", "markdown")
    assert code == 1
    assert "❌" in out


def test_the_same_bytes_whatever_the_seed() -> None:
    outs = {
        python("-m", "aspora", "isolation", "--format", "json", env={"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    }
    assert len(outs) == 1
    assert len(outs.pop()) > 10_000


def hostile(count: int = 1) -> Proof:
    text = "<img src=x> [a](b) @team `code` \x1b[2J"
    findings = tuple(Finding("crossing", f"{text}{n}", text, (text,)) for n in range(count))
    return replace(prove(local()), findings=findings)


def test_markdown_of_somebody_elses_text_stays_text() -> None:
    page = as_markdown(hostile())
    for bad in ("<img", " @team", "\x1b", "[a](b)"):
        assert bad not in page.replace("`<img src=x> [a](b) @team 'code' ?[2J0`", "").replace(
            "`<img src=x> [a](b) @team 'code' ?[2J`", ""
        )
    assert "\x1b" not in as_text(hostile())


def test_markdown_is_never_too_long_for_a_comment() -> None:
    page = as_markdown(hostile(5000))
    assert len(page) < 65_536
    assert f"- and {5000 - LIMIT} more: " in page
