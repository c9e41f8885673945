"""What the report says of edits of the repository's own domains."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import orjson
import pytest

from aspora.changes import build, snapshot
from aspora.changes.loosened_objects import Looking
from aspora.changes.markdown import markdown
from aspora.changes.model import Report, as_json
from aspora.changes.owners import approvers
from aspora.changes.snapshot import domain_of, indexed, key_of, skill_of
from aspora.changes.text import text
from aspora.docs import change_schema
from aspora.errors import InvalidInput
from aspora.render import Object
from tests.changes_lab import Lab, edited, of_domains, own, shown
from tests.core import MINIMAL, platform

RUNC = "sandbox: {runtime: runc, reason: A driver that gVisor cannot load.}\n"


def report(old: str, new: str, domain: str = "fraud", stack: str = "local") -> Report:
    return Lab(stack).report(own(), edited(old, new, domain))


def test_nothing_changes() -> None:
    same = Lab().report(own(), own())
    assert same.verdict.level == "none"
    assert same.verdict.text == "nothing changes"
    assert (same.changes, same.reordered, same.owners, same.loosened) == ((), (), (), ())
    assert same.untouched.domains == ("ecm", "fraud", "support", "wealth")
    assert same.untouched.objects == sum(1 for _ in platform())


def test_an_image_is_one_field_of_each_skill_and_their_pods_restart() -> None:
    made = report("fraud-risk:v2.0.1", "fraud-risk:v2.0.2")
    assert of_domains(made) == [
        "update Deployment aspora-fraud/fraud-detect-velocity",
        "update Deployment aspora-fraud/fraud-risk-analyze-transaction",
    ]
    for change in made.changes:
        (field,) = change.fields
        assert field.path.startswith("spec.template.spec.containers[name=")
        assert field.path.endswith("].image")
        assert (field.before, field.after) == (
            "ghcr.io/aspora/fraud-risk:v2.0.1",
            "ghcr.io/aspora/fraud-risk:v2.0.2",
        )
    assert made.verdict.level == "routine"
    assert made.verdict.text == (
        "pods of fraud-detect-velocity restart, one after another; "
        "pods of fraud-risk-analyze-transaction restart, one after another"
    )
    assert [(row.skill, row.reasons, row.approvers) for row in made.owners] == [
        (
            skill,
            ("image: aspora/fraud-risk:v2.0.1 → aspora/fraud-risk:v2.0.2",),
            ("@aspora/fraud-team",),
        )
        for skill in ("fraud/detect-velocity", "fraud/risk/analyze-transaction")
    ]
    assert made.untouched.domains == ("ecm", "support", "wealth")
    assert made.untouched.skills == 13


def test_an_origin_is_the_line_of_the_skill() -> None:
    made = report("fraud-risk:v2.0.1", "fraud-risk:v2.0.2")
    lines = own()["domains/fraud/domain.yaml"].splitlines()
    for change in made.changes:
        assert change.origin is not None
        assert change.origin.file == "domains/fraud/domain.yaml"
        assert lines[change.origin.line - 1].strip() == f"- name: {change.skill.rpartition('/')[2]}"


def test_canary_stacks_say_so() -> None:
    made = report("fraud-risk:v2.0.1", "fraud-risk:v2.0.2", stack="staging")
    assert made.verdict.text.startswith("pods of fraud-detect-velocity are replaced step by step")


def test_replicas_belong_to_the_autoscaler() -> None:
    """`min` is written into spec.replicas, which no applier compares once the object is there."""
    made = report("min: 3, max: 12", "min: 4, max: 12")
    kinds = {change.key.kind for change in made.changes if change.domain}
    assert kinds == {"ScaledObject"}


def test_a_removed_skill_runs_no_more_and_its_deletions_are_named() -> None:
    text = own()["domains/support/domain.yaml"]
    start = text.index("      - name: ", text.index("skills:"))
    end = text.index("      - name: ", start + 1)
    made = Lab().report(own(), {**own(), "domains/support/domain.yaml": text[:start] + text[end:]})
    assert made.verdict.level == "destructive"
    assert "runs no more" in made.verdict.text
    gone = {change.key.kind for change in made.changes if change.verb == "delete" and change.skill}
    assert {"Deployment", "Service", "ConfigMap", "ServiceAccount", "ScaledObject"} <= gone
    (row,) = [row for row in made.owners if row.skill and row.counts.delete]
    assert row.reasons == ("removed",)


def test_a_new_domain_is_all_new_and_loosens_nothing() -> None:
    made = Lab().report(own(), {**own(), "domains/pets/domain.yaml": MINIMAL})
    of_pets = [change for change in made.changes if change.domain == "pets"]
    assert {change.verb for change in of_pets} == {"create"}
    assert made.loosened == ()
    assert made.verdict.level == "routine"
    (row,) = [row for row in made.owners if (row.domain, row.skill) == ("pets", "")]
    assert row.reasons == ("domain added",)
    assert row.approvers == ("@aspora/platform-team",)
    assert {quota.resource for quota in made.quotas} >= {"CPU", "memory", "pods", "budget a month"}
    assert all(quota.limit_before is None for quota in made.quotas)


def test_a_removed_domain_takes_its_namespace_along() -> None:
    files = own()
    # Whoever the domain calls lists it: leave nothing that points to it.
    alone = {"domains/pets/domain.yaml": MINIMAL}
    made = Lab().report({**files, **alone}, files)
    assert made.verdict.level == "destructive"
    assert "aspora-pets goes with everything in it, data included" in made.verdict.text
    assert "ecm" in made.untouched.domains
    assert "pets" not in made.untouched.domains


def test_who_calls_is_seen_on_both_sides() -> None:
    """The called domain's file does not change; what its objects allow does."""
    caller = own()["domains/wealth/domain.yaml"]
    assert "calls: [" in caller
    start = caller.index("calls: [")
    line = caller[start : caller.index("]", start) + 1]
    called = own()["domains/fraud/domain.yaml"]
    before = {
        **own(),
        "domains/wealth/domain.yaml": caller.replace(f"    {line}\n", ""),
        "domains/fraud/domain.yaml": called.replace("        callers: [wealth/advisor]\n", ""),
    }
    made = Lab().report(before, own())
    assert made.verdict.level == "attention"
    said = [item.what for item in made.loosened]
    assert "agent advisor may call fraud/risk/analyze-transaction" in said
    assert "fraud/risk/analyze-transaction may be called by wealth/advisor" in said
    accounts = (
        f"wealth-advisor-{skill} of aspora-wealth"
        for skill in ("suggest-allocation", "explain-performance")
    )
    assert f"lets in {', '.join(accounts)}" in [item.what for item in made.loosened if item.key]


def test_a_reason_of_a_loosening_is_shown() -> None:
    made = report("owner:\n", RUNC + "owner:\n")
    (found,) = [item for item in made.loosened if item.path == "sandbox.runtime"]
    assert found.reason == "A driver that gVisor cannot load."
    assert found.what == "pods run in runc and share the node's kernel, not in gVisor"
    assert any(item.path.endswith("runtimeClassName") for item in made.loosened)
    assert made.verdict.level in ("attention", "destructive")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cpu: 24", "cpu: 25", "quota of cpu raised from 24 to 25"),
        ("memory: 48Gi", "memory: 50Gi", "quota of memory raised from 48Gi to 50Gi"),
        ("pods: 60", "pods: 61", "quota of pods raised from 60 to 61"),
        ("monthlyUSD: 2500", "monthlyUSD: 2600", "budget raised from 2500 to 2600 USD a month"),
        (
            "agents:\n  - name: risk",
            "egress: [{host: a.example.com, reason: Rates of exchange.}]\nagents:\n  - name: risk",
            "may call a.example.com:443 on the Internet",
        ),
        (
            "[get_case, append_note]",
            "[get_case, append_note, close_case]",
            "fraud/compliance/draft-report may use case-files/close_case",
        ),
    ],
)
def test_what_is_loosened_and_what_is_not(old: str, new: str, said: str) -> None:
    forth = report(old, new)
    assert said in [item.what for item in forth.loosened]
    assert forth.verdict.level == "attention"
    back = Lab().report(edited(old, new), own())
    assert said not in [item.what for item in back.loosened]


def test_quotas_before_and_after() -> None:
    made = report("pods: 60", "pods: 70")
    (row,) = made.quotas
    assert (row.domain, row.resource, row.unit) == ("fraud", "pods", "pods")
    assert (row.limit_before, row.limit_after) == (60, 70)
    assert row.used_before == row.used_after


def test_a_setting_shows_which_domains_it_touches() -> None:
    lab = Lab()
    old = lab.settings()
    new = old.replace("registry: ghcr.io", "registry: ghcr.io/aspora/mirror")
    made = lab.report(own(), own(), settings=(old, new))
    (shared,) = made.shared
    assert shared.what == 'Pulumi.local.yaml: config["aspora:images"].registry'
    assert shared.domains == ("ecm", "fraud", "support", "wealth")
    assert shared.objects == made.counts.total
    assert {row.approvers for row in made.owners} == {("@aspora/platform-team",)}
    assert all(row.reasons == ("follows from Pulumi.local.yaml",) for row in made.owners)


def test_a_setting_is_told_apart_from_a_change_of_a_domain() -> None:
    lab = Lab()
    old = lab.settings()
    new = old.replace("databaseCidrs: [10.10.192.0/24", "databaseCidrs: [10.10.191.0/24")
    made = lab.report(own(), edited("pods: 60", "pods: 61"), settings=(old, new))
    (shared,) = made.shared
    quota = [c for c in made.changes if c.key.kind == "ResourceQuota"]
    assert len(quota) == 1
    assert shared.objects == made.counts.total - len(quota)
    (row,) = [r for r in made.owners if (r.domain, r.skill) == ("fraud", "")]
    assert row.approvers == ("@aspora/fraud-team", "@aspora/platform-team")


def test_other_code_that_renders_the_same_touches_nothing() -> None:
    lab = Lab()
    base = replace(lab.source(own(), "before"), code="other", objects=tuple(platform()))
    sides = [
        snapshot.read(source, "local", lab.memory) for source in (base, lab.source(own(), "x"))
    ]
    made = build.report(sides[0], sides[1])
    assert made.changes == ()
    (shared,) = made.shared
    assert (shared.what, shared.domains) == ("the platform's code (aspora/)", ())
    assert "the platform's code (aspora/): changes no object\n" in text(made)
    assert "- `the platform's code (aspora/)` changes no object\n" in markdown(made)


def test_a_job_with_another_hash_takes_the_place_of_the_old_one() -> None:
    made = report("monthlyUSD: 900", "monthlyUSD: 901")
    (job,) = [change for change in made.changes if change.succeeds]
    assert job.verb == "create"
    assert job.key.name.startswith("model-gateway-sync-")
    assert job.succeeds in {change.key for change in made.changes if change.verb == "delete"}
    assert [item.text for item in job.consequences] == ["the job model-gateway-sync runs again"]


def test_what_a_domain_has_on_aws_is_told() -> None:
    new = """
  - name: detect-two
    agent: compliance
    description: Looks twice.
"""
    made = report("skills:\n  - name: detect-velocity", f"skills:{new}  - name: detect-velocity")
    assert made.notes == (), "local has no AWS side"
    made = report(
        "skills:\n  - name: detect-velocity",
        f"skills:{new}  - name: detect-velocity",
        stack="staging",
    )
    (note,) = made.notes
    assert note.startswith("fraud on AWS (`pulumi preview` shows all of it): ")
    assert note.endswith(": the role and S3 prefix of fraud-detect-two added")
    made = report("database: true", "database: false", stack="staging")
    assert "fraud-detect-velocity may no longer log in to the databases" in made.notes[0]
    made = report("image: aspora/fraud-risk:", "image: aspora/fraud-judge:", stack="staging")
    said = "repository aspora/fraud-judge added, repository aspora/fraud-risk removed"
    assert said in made.notes[0]


def test_labels_tell_what_an_object_belongs_to() -> None:
    for stack in ("local", "staging"):
        rendered = platform(stack)
        for domain in rendered.domains:
            for obj in domain.guardrails + domain.handover:
                assert (domain_of(obj), skill_of(obj)) == (domain.name, "")
            for skill in domain.skills:
                for obj in skill.objects:
                    assert (domain_of(obj), skill_of(obj)) == (domain.name, skill.id)


def test_a_head_that_does_not_hold_shows_its_problems() -> None:
    lab = Lab()
    source = lab.source(edited("priority: critical", "priority: urgent"), "x")
    with pytest.raises(InvalidInput) as caught:
        snapshot.read(source, "local", lab.memory)
    made = build.invalid(source.side, source.side, "local", caught.value.problems)
    (trouble,) = made.problems
    assert (trouble.code, trouble.file, trouble.path) == (
        "ASP204",
        "domains/fraud/domain.yaml",
        "agents[0].priority",
    )
    assert made.verdict.level == "invalid"


def test_the_json_twin_fits_its_schema() -> None:
    schema = change_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    for made in (
        report("fraud-risk:v2.0.1", "fraud-risk:v2.0.2"),
        Lab().report(own(), {**own(), "domains/pets/domain.yaml": MINIMAL}),
        Lab().report({**own(), "domains/pets/domain.yaml": MINIMAL}, own()),
    ):
        data = orjson.loads(as_json(made))
        check.validate(data)
        data["verdict"]["level"] = "fine"
        assert list(check.iter_errors(data))


def test_reports_are_the_same_bytes() -> None:
    first, again = (as_json(report("pods: 60", "pods: 61")) for _ in range(2))
    assert first == again


# -- CODEOWNERS --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "owned"),
    [
        ("*", "domains/x/domain.yaml", True),
        ("/domains/x/", "domains/x/domain.yaml", True),
        ("/domains/x/", "old/domains/x/domain.yaml", False),
        ("/domains/x", "domains/xy/domain.yaml", False),
        ("domain.yaml", "domains/x/domain.yaml", True),
        ("docs/*", "docs/a.md", True),
        ("docs/*", "docs/a/b.md", False),
        ("docs/", "a/docs/b/c.md", True),
        ("**/x/*.yaml", "domains/x/domain.yaml", True),
        ("*.md", "domains/x/domain.yaml", False),
    ],
)
def test_patterns_of_codeowners(pattern: str, path: str, owned: bool) -> None:
    assert approvers(f"{pattern} @a/b  # why", [path]) == (("@a/b",) if owned else ())


def test_the_last_line_decides_and_may_name_nobody() -> None:
    text = "* @a/all\n/domains/x/ @a/x @a/y\n/domains/x/free.yaml\n"
    assert approvers(text, ["domains/x/domain.yaml", "README.md"]) == ("@a/x", "@a/y", "@a/all")
    assert approvers(text, ["domains/x/free.yaml"]) == ()


# -- security, from the objects alone ----------------------------------------------------------


def weaker(before: Object | None, after: Object | None, *others: Object) -> list[str]:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    sides = [indexed([space, *others, *([obj] if obj else [])]) for obj in (before, after)]
    obj = after or before
    assert obj is not None
    return [what for what, _ in Looking(sides[0], sides[1]).weaker(key_of(obj))]


def thing(api: str, kind: str, name: str = "a", **fields: object) -> Object:
    meta = {"name": name, "namespace": "x"}
    return {"apiVersion": api, "kind": kind, "metadata": meta, **fields}


def policy(egress: list[Object], name: str = "a", **spec: object) -> Object:
    return thing(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        name,
        spec={"podSelector": {}, "policyTypes": ["Egress"], "egress": egress, **spec},
    )


DNS = {"ports": [{"protocol": "UDP", "port": 53}]}
WORLD = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}


def test_network_policies() -> None:
    assert weaker(policy([DNS]), policy([DNS])) == []
    assert weaker(policy([DNS, WORLD]), policy([DNS])) == []
    assert weaker(policy([DNS]), policy([DNS, WORLD])) == [
        "the network lets egress through: 0.0.0.0/0 but 10.0.0.0/8, any port"
    ]
    assert weaker(policy([DNS]), policy([DNS], policyTypes=[])) == [
        "Egress is no longer denied by default"
    ]
    assert weaker(policy([DNS]), policy([DNS], podSelector={"matchLabels": {"a": "b"}})) == [
        "the network policy chooses other pods"
    ]
    assert weaker(policy([DNS]), None) == [
        "a network policy goes: pods that no other one chooses are open"
    ]
    assert weaker(policy([DNS]), None, policy([], "deny")) == []


def test_rights() -> None:
    def role(*verbs: str) -> Object:
        rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": list(verbs)}]
        return thing("rbac.authorization.k8s.io/v1", "Role", rules=rules)

    def binding(name: str, to: str = "reader") -> Object:
        subjects = [{"kind": "Group", "name": name}]
        kind = "RoleBinding"
        return thing("rbac.authorization.k8s.io/v1", kind, subjects=subjects, roleRef={"name": to})

    assert weaker(role("get"), role("get", "delete")) == ["rights added: delete deployments.apps"]
    assert weaker(role("get", "delete"), role("get")) == []
    assert weaker(binding("a"), binding("b")) == ["Group b gets the rights of reader"]
    assert weaker(binding("a"), binding("a", "admin")) == [
        "who had the rights of reader gets those of admin"
    ]


SAFE: Object = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}


def deployment(context: Object, **spec: object) -> Object:
    pod = {"containers": [{"name": "c", "securityContext": context}], **spec}
    return thing("apps/v1", "Deployment", spec={"template": {"spec": pod}})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"privileged": True}, "is privileged"),
        ({"allowPrivilegeEscalation": None}, "may gain privileges"),
        ({"runAsNonRoot": False}, "may run as root"),
        ({"readOnlyRootFilesystem": False}, "may write its own files"),
        ({"seccompProfile": {"type": "Unconfined"}}, "is under no seccomp profile"),
        ({"capabilities": {}}, "keeps its capabilities"),
        ({"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}, "has the capability NET_RAW"),
    ],
)
def test_security_contexts(change: Object, said: str) -> None:
    assert weaker(deployment(SAFE), deployment({**SAFE, **change})) == [f"container c {said}"]
    assert weaker(deployment({**SAFE, **change}), deployment(SAFE)) == []
    assert weaker(None, deployment({**SAFE, **change})) == [f"container c {said}"]


def test_pods() -> None:
    host = {"volumes": [{"name": "v", "hostPath": {"path": "/etc"}}]}
    assert weaker(deployment(SAFE), deployment(SAFE, hostNetwork=True)) == [
        "pods share the node's Network"
    ]
    assert weaker(deployment(SAFE), deployment(SAFE, **host)) == ["pods mount /etc of the node"]
    assert weaker(deployment(SAFE, runtimeClassName="gvisor"), deployment(SAFE)) == [
        "pods leave gvisor"
    ]


def test_the_mesh_and_admission() -> None:
    def tls(mode: str) -> Object:
        return thing("security.istio.io/v1", "PeerAuthentication", spec={"mtls": {"mode": mode}})

    def rule(*expressions: str) -> Object:
        found = [{"expression": text, "message": text} for text in expressions]
        kind = "ValidatingAdmissionPolicy"
        return thing("admissionregistration.k8s.io/v1", kind, spec={"validations": found})

    assert weaker(tls("STRICT"), tls("PERMISSIVE")) == ["mutual TLS is PERMISSIVE"]
    assert weaker(tls("STRICT"), None) == ["mutual TLS is no longer asked for"]
    assert weaker(tls("PERMISSIVE"), tls("STRICT")) == []
    assert weaker(rule("a", "b"), rule("a")) == ['an admission rule goes or changes: "b"']
    assert weaker(rule("a"), rule("a", "b")) == []


def test_every_widened_policy_of_the_platform_is_seen() -> None:
    """Each network policy there is, with one rule more."""
    for obj in platform():
        if obj["kind"] == "NetworkPolicy":
            more = {**obj["spec"], "egress": [*obj["spec"].get("egress", []), WORLD]}
            wider = {**obj, "spec": more}
            sides = indexed([obj]), indexed([wider])
            assert list(Looking(*sides).weaker(key_of(obj))), obj["metadata"]["name"]


def test_changes_are_in_order() -> None:
    made = report("fraud-risk:v2.0.1", "fraud-risk:v2.0.2")
    assert shown(made.changes) == sorted(shown(made.changes))
