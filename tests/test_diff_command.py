"""`aspora diff` on a Git repository: sides, refusals, formats; the working tree is not touched."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aspora import cli
from local import revisions
from local.own_code import decides, digest, running
from local.recorded import objects
from local.revisions import Repository
from tests.changes_lab import own, repository
from tests.core import MINIMAL, ROOT, platform, python

IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


class Repo:
    """A clone of a small platform: main, and a branch that is checked out."""

    def __init__(self, root: Path) -> None:
        self.root = repository(root, own())
        self.git("init", "-q", "-b", "main")
        self.commit("first")
        self.git("checkout", "-q", "-b", "change")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={**os.environ, **IDENTITY},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def edit(self, old: str, new: str, name: str = "domains/fraud/domain.yaml") -> None:
        path = self.root / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def state(self) -> dict[str, bytes]:
        """Every file outside .git, and the index."""
        files = [p for p in self.root.rglob("*") if p.is_file() and ".git" not in p.parts]
        return {str(path): path.read_bytes() for path in [*files, self.root / ".git/index"]}


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def report(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)
        return found


Run = Callable[..., Outcome]


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    made = Repo(tmp_path / "repo")
    monkeypatch.setenv("ASPORA_ROOT", str(made.root))
    monkeypatch.setenv("ASPORA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ASPORA_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def diff(repo: Repo, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    def run(*arguments: str, style: str = "json") -> Outcome:
        code = cli.run(["diff", *arguments, "--format", style])
        out, err = (stream.decode() for stream in capfdbinary.readouterr())
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return Outcome(code, out, err)

    return run


def updated(outcome: Outcome) -> list[str]:
    assert outcome.code == 0, outcome.err
    changes = json.loads(outcome.out)["changes"]
    return [f"{c['verb']} {c['key']['kind']} {c['key']['name']}" for c in changes if c["domain"]]


def test_the_working_tree_against_where_it_left_main(repo: Repo, diff: Run) -> None:
    repo.edit("pods: 60", "pods: 61")
    before = repo.state()
    outcome = diff()
    assert updated(outcome) == ["update ResourceQuota fraud-quota"]
    made = json.loads(outcome.out)
    assert made["base"]["label"].startswith("main (")
    assert made["head"] == {"kind": "folder", "label": "working tree", "commit": ""}
    assert repo.state() == before


def test_what_main_did_meanwhile_is_not_the_branchs(repo: Repo, diff: Run) -> None:
    repo.git("checkout", "-q", "main")
    repo.edit("pods: 60", "pods: 90")
    repo.commit("main goes on")
    repo.git("checkout", "-q", "change")
    repo.edit("cpu: 24", "cpu: 25")
    (change,) = json.loads(diff().out)["changes"]
    assert [field["path"] for field in change["fields"]] == ['spec.hard["requests.cpu"]']


def test_what_it_costs_is_of_prod_whose_executions_are_declared(repo: Repo, diff: Run) -> None:
    repo.edit("executionsPerDay: 900", "executionsPerDay: 901")
    section = json.loads(diff("--complete").out)["cost"]
    assert section["summary"].startswith("USD a month on prod: +")
    assert [row[0] for row in section["rows"]] == ["fraud/risk/analyze-transaction", "all"]


@pytest.mark.parametrize("unreadable", [None, "config: [\n"])
def test_what_it_costs_is_of_the_stack_compared_where_prod_is_none(
    repo: Repo, diff: Run, unreadable: str | None
) -> None:
    prod = repo.root / "Pulumi.prod.yaml"
    prod.unlink() if unreadable is None else prod.write_text(unreadable)
    repo.edit("executionsPerDay: 900", "executionsPerDay: 901")
    assert json.loads(diff("--complete").out)["cost"] is None  # local has no AWS
    section = json.loads(diff("--complete", "--stack", "staging").out)["cost"]
    assert section["summary"] == "no skill's cost changes on staging"


def test_two_revisions(repo: Repo, diff: Run) -> None:
    repo.edit("pods: 60", "pods: 61")
    commit = repo.commit("more pods")
    repo.edit("pods: 61", "pods: 999")
    outcome = diff("--base", "main", "--head", "change")
    assert updated(outcome) == ["update ResourceQuota fraud-quota"]
    assert json.loads(outcome.out)["head"]["commit"] == commit
    backwards = json.loads(diff("--base", "change", "--head", "main").out)
    assert backwards["changes"][0]["fields"][0]["after"] == "60"


def test_folders(repo: Repo, diff: Run, tmp_path: Path) -> None:
    other = repository(tmp_path / "other", {**own(), "domains/pets/domain.yaml": MINIMAL})
    verbs = {line.split()[0] for line in updated(diff("--base", str(other)))}
    assert verbs == {"delete"}
    verbs = {line.split()[0] for line in updated(diff("--head", str(other), "--base", "main"))}
    assert verbs == {"create"}


def test_an_export_of_a_stack(repo: Repo, diff: Run) -> None:
    resources = [
        {"type": "pulumi:pulumi:Stack", "urn": "x"},
        {"type": "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", "inputs": {}},
        *({"type": f"kubernetes:x:{o['kind']}", "custom": True, "inputs": o} for o in platform()),
    ]
    export = repo.root / "state.json"
    export.write_text(json.dumps({"version": 3, "deployment": {"resources": resources}}))
    outcome = diff("--base", "state.json")
    assert updated(outcome) == []
    assert outcome.report["counts"] == {"create": 0, "update": 0, "replace": 0, "delete": 0}
    assert outcome.report["quotas"] == []
    repo.edit("pods: 60", "pods: 61")
    outcome = diff("--base", "state.json")
    assert updated(outcome) == ["update ResourceQuota fraud-quota"]
    assert {row["domain"] for row in json.loads(outcome.out)["quotas"]} == {"fraud"}


def test_resources_that_are_no_objects_are_passed_over() -> None:
    found = objects(
        [
            {"type": "kubernetes:core/v1:ConfigMap", "inputs": None},
            {"type": "kubernetes:core/v1:ConfigMap", "inputs": {"kind": "ConfigMap"}},
            {"type": "kubernetes:core/v1:ConfigMap", "delete": True, "inputs": _config("gone")},
            {"type": "aws:s3/bucket:Bucket", "inputs": _config("bucket")},
            {"type": "kubernetes:core/v1:ConfigMap", "inputs": _config("there")},
            {
                "type": "kubernetes:helm.sh/v3:Release",
                "inputs": {
                    "name": "keda",
                    "namespace": "keda",
                    "chart": "keda",
                    "values": {"a": 1},
                },
            },
        ]
    )
    assert [obj["metadata"]["name"] for obj in found] == ["there", "keda"]
    assert found[1]["spec"]["values"] == {"a": 1}


def _config(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


@pytest.mark.parametrize("content", ["{", "[]", '{"deployment": {}}', "null"])
def test_a_file_that_is_no_export(repo: Repo, diff: Run, content: str) -> None:
    (repo.root / "state.json").write_text(content)
    outcome = diff("--base", "state.json")
    assert outcome.code == 1
    assert "no export of a stack" in outcome.err


SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def test_no_secret_of_a_state_is_shown() -> None:
    """Neither what Pulumi marks, as `--show-secrets` exports it, nor what a Secret holds."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    held = {"data": {"password": "aHVudGVyMg=="}, "stringData": {"password": "hunter2"}}
    marked = {"list": [{"key": SECRET | {"plaintext": '"hunter2"'}}]}
    values = SECRET | {"ciphertext": "v1:AAAA"}
    release = {"name": "r", "namespace": "n", "chart": "c", "values": values}
    found = objects(
        [
            {"type": "kubernetes:core/v1:ConfigMap", "inputs": _config("c") | {"data": marked}},
            {"type": "kubernetes:core/v1:Secret", "inputs": secret | held},
            {"type": "kubernetes:helm.sh/v3:Release", "inputs": release},
        ]
    )
    assert found[0]["data"] == {"list": [{"key": "[secret]"}]}
    assert found[1]["data"] == found[1]["stringData"] == {"password": "[secret]"}
    assert found[2]["spec"]["values"] == "[secret]"


@pytest.mark.parametrize(
    ("kind", "more", "words"),
    [
        ("ConfigMap", {"metadata": {"name": "x", "labels": [1]}}, "metadata.labels is no mapping"),
        ("ConfigMap", {"metadata": {"name": "x", "namespace": 7}}, "metadata.namespace is no text"),
        ("NetworkPolicy", {"spec": {"egress": [None]}}, "spec.egress is no list of mappings"),
        ("NetworkPolicy", {"spec": "x"}, "spec is no mapping"),
        ("Role", {"rules": [{}, {"verbs": ["get", 1]}]}, "rules[1].verbs is no list of texts"),
        ("Deployment", {"spec": {"template": []}}, "spec.template is no mapping"),
        (
            "Deployment",
            {"spec": {"template": {"spec": {"containers": ["x"]}}}},
            "spec.template.spec.containers is no list of mappings",
        ),
    ],
)
def test_an_export_of_strange_objects_is_refused(
    repo: Repo, diff: Run, kind: str, more: dict[str, object], words: str
) -> None:
    api = {"Deployment": "apps/v1", "NetworkPolicy": "networking.k8s.io/v1"}.get(kind, "v1")
    inputs = _config("x") | {"apiVersion": api, "kind": kind} | more
    write_state(repo.root, {"type": f"kubernetes:{api}:{kind}", "inputs": inputs})
    outcome = diff("--base", "state.json")
    assert (outcome.code, outcome.out) == (1, "")
    assert f'in {kind} "x", {words}' in outcome.err


def write_state(folder: Path, *resources: object) -> None:
    state = {"deployment": {"resources": resources}}
    (folder / "state.json").write_text(json.dumps(state))


def test_a_right_without_verbs_and_a_name_without_a_namespace_are_read(
    repo: Repo, diff: Run
) -> None:
    role = _config("x") | {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
    role |= {"metadata": {"name": "x", "namespace": None}, "rules": [{"resources": ["pods"]}]}
    write_state(repo.root, {"type": "kubernetes:rbac/v1:Role", "inputs": role})
    assert diff("--base", "state.json").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--base", "nowhere"), 2, 'there is no revision "nowhere"'),
        (("--base=--output=/tmp/x",), 2, "there is no revision"),
        (("--base=-h",), 2, "there is no revision"),
        (("--head", "main:domains"), 2, "there is no revision"),
        (("--base", "objects"), 2, "has recorded nothing on this machine"),
        (("--stack", "nowhere"), 2, 'there is no stack "nowhere"'),
        (("--stack", "../x"), 2, "there is no stack"),
        (("--head", "docs"), 2, "there is no revision"),
        (("--head", ".github"), 2, "has no folder domains/"),
        (("--base", ""), 2, "it is empty"),
        (("--head", " "), 2, "it is empty"),
        (("--output", ""), 2, "it names no file"),
    ],
)
def test_misuse(diff: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    outcome = diff(*arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert words in outcome.err


def test_without_main_a_base_has_to_be_named(repo: Repo, diff: Run) -> None:
    repo.git("branch", "-D", "-q", "main")
    outcome = diff()
    assert outcome.code == 2
    assert "there is no branch main to compare with" in outcome.err
    assert diff("--base", "HEAD").code == 0


def test_a_folder_outside_of_git(repo: Repo, diff: Run, tmp_path: Path) -> None:
    (repo.root / ".git").rename(tmp_path / "git")
    outcome = diff()
    assert outcome.code == 2
    assert "is no Git repository" in outcome.err
    assert "is no Git repository" in diff("--base", "main").err
    assert diff("--base", str(repo.root)).code == 0


def test_a_head_that_does_not_hold(repo: Repo, diff: Run) -> None:
    repo.edit("priority: critical", "priority: urgent")
    outcome = diff(style="markdown")
    assert outcome.code == 1
    assert "🔴 Invalid: 1 problem" in outcome.out
    line = own()["domains/fraud/domain.yaml"].splitlines().index("    priority: critical") + 1
    assert f"`domains/fraud/domain.yaml:{line}:15`" in outcome.out
    commit = repo.commit("broken")
    outcome = diff("--head", commit)
    assert outcome.code == 1
    (problem,) = json.loads(outcome.out)["problems"]
    assert problem["file"] == "domains/fraud/domain.yaml"


def test_a_base_that_does_not_hold_is_an_error(repo: Repo, diff: Run) -> None:
    repo.edit("priority: critical", "priority: urgent")
    commit = repo.commit("broken")
    outcome = diff("--base", commit, "--head", "main")
    assert (outcome.code, outcome.out) == (1, "")
    assert "does not hold: 1 problem found" in outcome.err


# -- hostile revisions -------------------------------------------------------------------------


def test_a_symbolic_link_is_refused(repo: Repo, diff: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("password: hunter2\n")
    path = repo.root / "domains/fraud/domain.yaml"
    path.unlink()
    path.symlink_to(secret)
    commit = repo.commit("a link")
    for side in (("--head", commit), ()):
        outcome = diff(*side)
        assert outcome.code == 1
        assert "symbolic link" in outcome.out
        assert "hunter2" not in outcome.out + outcome.err


def test_a_linked_folder_and_a_submodule_are_refused(repo: Repo, diff: Run) -> None:
    (repo.root / "domains/other").symlink_to("fraud")
    linked = repo.commit("a linked folder")
    outcome = diff("--head", linked)
    assert outcome.code == 1
    assert "it is a symbolic link" in outcome.out
    repo.git("rm", "-q", "domains/other")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{linked},domains/sub")
    repo.git("commit", "-q", "-m", "a submodule")
    outcome = diff("--head", "change")
    assert outcome.code == 1
    assert "it is a submodule" in outcome.out


def test_a_file_that_is_too_big_is_not_read(repo: Repo, diff: Run) -> None:
    (repo.root / "domains/fraud/domain.yaml").write_text("# x\n" * 500_000)
    outcome = diff("--head", repo.commit("big"))
    assert outcome.code == 1
    assert "ASP113" in outcome.out


def test_no_hook_filter_or_monitor_runs(repo: Repo, diff: Run, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {trace}\n")
    script.chmod(0o755)
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        hook = repo.root / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_bytes(script.read_bytes())
        hook.chmod(0o755)
    repo.edit("pods: 60", "pods: 61")
    commit = repo.commit("more")
    trace.unlink(missing_ok=True)
    repo.git("config", "core.fsmonitor", str(script))
    repo.git("config", "filter.x.smudge", str(script))
    (repo.root / ".git/info/attributes").write_text("*.yaml filter=x\n")
    assert diff("--base", "main", "--head", commit).code == 0
    assert not trace.exists()


def test_variables_of_git_lead_nowhere_else(
    repo: Repo, diff: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a hook, where Git sets them."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert diff().code == 0


# -- the code of a revision --------------------------------------------------------------------


def with_code(repo: Repo, line: str = "") -> None:
    """The package as part of the repository, with a line more in one of its files."""
    for name, data in running().items():
        path = repo.root / "aspora" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name in ("__main__.py", "cli/__init__.py", "cli/common.py", "cli/render.py"):
        path = repo.root / "aspora" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((ROOT / "aspora" / name).read_bytes())
    models = repo.root / "aspora/models.py"
    text = models.read_text("utf-8")
    changed = text.replace('Field(4, description="The most pods.")', line) if line else text
    assert not line or changed != text
    models.write_text(changed, encoding="utf-8")


def test_a_default_that_changed_in_the_code_shows_whom_it_touches(repo: Repo, diff: Run) -> None:
    repo.git("checkout", "-q", "main")
    with_code(repo, 'Field(5, description="The most pods.")')
    repo.commit("main has five pods as its default")
    repo.git("checkout", "-q", "-B", "change")
    with_code(repo)
    outcome = diff()
    made = json.loads(outcome.out)
    (shared,) = made["shared"]
    assert shared["what"] == "the platform's code (aspora/)"
    assert shared["domains"]
    fields = [f for c in made["changes"] if c["key"]["kind"] == "ScaledObject" for f in c["fields"]]
    assert {(f["path"], f["before"], f["after"]) for f in fields} == {
        ("spec.maxReplicaCount", 5, 4)
    }
    assert "rendered by its own code" in made["notes"][0]


def test_code_that_is_not_part_of_main_is_never_run(repo: Repo, diff: Run, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    with_code(repo)
    main = repo.root / "aspora/__init__.py"
    main.write_text(f"open({str(trace)!r}, 'w')\n" + main.read_text("utf-8"))
    commit = repo.commit("hostile code")
    for sides in (("--head", commit), ("--base", commit, "--head", "main")):
        outcome = diff(*sides)
        assert outcome.code == 0
        assert "was not run" in json.loads(outcome.out)["notes"][0]
    assert not trace.exists()


def test_code_of_main_that_fails_is_said(repo: Repo, diff: Run) -> None:
    repo.git("checkout", "-q", "main")
    with_code(repo)
    (repo.root / "aspora/render/__init__.py").write_text("raise SystemExit('no')\n")
    repo.commit("broken code")
    repo.git("checkout", "-q", "-B", "change")
    outcome = diff()
    assert outcome.code == 0
    assert "could not be run (no): today's was used" in json.loads(outcome.out)["notes"][0]


def test_other_code_in_a_folder_is_not_run_and_said(repo: Repo, diff: Run) -> None:
    with_code(repo)
    assert diff("--base", "main").report["notes"] == []
    (repo.root / "aspora/render/__init__.py").write_text("raise SystemExit('no')\n")
    (note,) = json.loads(diff("--base", "main").out)["notes"]
    assert "in working tree is not the one that runs here" in note


def test_code_is_known_by_what_decides_objects() -> None:
    files = running()
    assert {"models.py", "render/__init__.py", "data/model-prices.json"} <= set(files)
    assert not [name for name in files if name.startswith(("cli/", "changes/", "docs"))]
    assert not decides("render/x.txt")
    assert digest(files) != digest({**files, "models.py": b""})


# -- formats -----------------------------------------------------------------------------------


def test_a_repository_of_another_user_is_said_to_be_one(
    repo: Repo, diff: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only root gives folders away: Git's own tests have this variable for everybody else."""
    monkeypatch.setitem(revisions._ENVIRONMENT, "GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    outcome = diff()
    assert outcome.code == 2
    assert "it belongs to another user" in outcome.err
    assert f"git config --global --add safe.directory {repo.root}" in outcome.err


def test_output_goes_to_a_file_whole_or_not_at_all(repo: Repo, diff: Run, tmp_path: Path) -> None:
    target = tmp_path / "comment.md"
    outcome = diff("--output", str(target), style="markdown")
    assert (outcome.code, outcome.out) == (0, "")
    assert target.read_text("utf-8").startswith("<!-- aspora diff: local -->\n")
    outcome = diff("--output", str(tmp_path / "nowhere/comment.md"), style="markdown")
    assert outcome.code == 1
    assert "cannot write" in outcome.err


def test_text(repo: Repo, diff: Run) -> None:
    repo.edit("pods: 60", "pods: 61")
    shown = diff(style="text").out
    assert shown.startswith("attention: security is loosened (fraud: quota of pods raised")
    assert "~ ResourceQuota aspora-fraud/fraud-quota  domains/fraud/domain.yaml:1" in shown
    (quota,) = (line for line in shown.splitlines() if line.startswith("  fraud pods: "))
    before, after = quota.split(" → ")
    assert " of 60 (" in before
    assert " of 61 (" in after


def test_contents_are_read_as_they_are(repo: Repo) -> None:
    path = repo.root / "domains/fraud/domain.yaml"
    path.write_bytes(b"\xff\xfe odd\r\n\0")
    (repo.root / "domains/a b\n\xe9").mkdir()
    (repo.root / "domains/a b\n\xe9/domain.yaml").write_text("x: 1\n")
    found = Repository(repo.root)
    entries = found.entries(repo.commit("odd"), ["domains"])
    contents = found.contents(entries)
    assert contents["domains/fraud/domain.yaml"] == b"\xff\xfe odd\r\n\0"
    assert contents["domains/a b\n\xe9/domain.yaml"] == b"x: 1\n"


LOOK = """
import sys
from aspora.cli import run
code = run(["diff", "--stack", "staging", "--format", "json"])
heavy = {"pulumi", "pulumi_aws", "boto3", "grpc", "rich", "psutil", "moto"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else code)
"""


def test_the_same_bytes_in_any_surroundings(repo: Repo, tmp_path: Path) -> None:
    """Hash seeds, locales, time zones, with and without a memory; the engine stays out of it."""
    repo.edit("pods: 60", "pods: 61")
    seen = set()
    for seed, zone, language, cache in (
        ("1", "UTC", "C", "one"),
        ("2", "Asia/Dubai", "C.UTF-8", "two"),
        ("3", "America/Lima", "C", "one"),
    ):
        env = {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language}
        done = python("-c", LOOK, env={**env, "ASPORA_CACHE": str(tmp_path / cache)})
        assert done.returncode == 0, done.stderr.decode()
        seen.add(done.stdout)
    assert len(seen) == 1


# -- prompts -----------------------------------------------------------------------------------

PROMPT = "domains/fraud/skills/risk/analyze-transaction/prompts/system.md"


def prompt(repo: Repo, text: str, name: str = PROMPT) -> None:
    path = repo.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_prompt_changes_no_object_and_is_told(repo: Repo, diff: Run) -> None:
    prompt(repo, "Judge the transaction.\n")
    for sides in ((), ("--head", repo.commit("a prompt"))):
        made = json.loads(diff(*sides).out)
        assert made["changes"] == []
        (row,) = made["owners"]
        assert row["skill"] == "fraud/risk/analyze-transaction"
        assert row["reasons"] == ["prompt system.md added"]
        assert row["approvers"] == ["@aspora/fraud-team"]
    repo.git("checkout", "-q", "-B", "main")
    repo.git("checkout", "-q", "-B", "change")
    prompt(repo, "Judge it twice.\n")
    (row,) = json.loads(diff().out)["owners"]
    assert row["reasons"] == ["prompt system.md changed"]


def test_a_prompt_of_nobody_is_a_problem(repo: Repo, diff: Run) -> None:
    prompt(repo, "Hello.\n", "domains/fraud/skills/risk/nobody/prompts/system.md")
    outcome = diff()
    assert outcome.code == 1
    (problem,) = json.loads(outcome.out)["problems"]
    assert problem["file"] == "domains/fraud/skills/risk/nobody/prompts"
