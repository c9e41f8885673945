"""`aspora cost` and `aspora estimate-cost` as people and CI call them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from aspora import cli
from aspora.estimate import Part, delta
from aspora.estimate.amounts import Money
from aspora.estimate.assumptions import RULES
from aspora.estimate.documents import delta_schema, document, estimate_schema
from aspora.estimate.gate import APPROVAL, Verdict
from aspora.estimate.text import as_markdown, as_text
from tests.core import ROOT, write
from tests.estimates import bill_of, cost, domain, of, prices, skill
from tests.pages import table

PETS = """\
name: pets
owner:
  team: pets-team
  costCenter: pets
budget:
  monthlyUSD: 5000
agents:
  - name: vet
    image: aspora/pets-vet:v1.0.0
    model: claude-haiku-4-5
    skills:
      - name: advise
        description: Says whether a pet should see a vet.
        budget: {perExecutionUSD: 0.04, monthlyUSD: 2000}
        executionsPerDay: 450
        tokensPerExecution: {input: 12000, output: 1500}
"""
"""267.09 USD a month of models (tests/test_estimate.py)."""
DEARER = PETS.replace("executionsPerDay: 450", "executionsPerDay: 1500")
"""1,500 x 30.4375 x 0.0195 = 890.296875: 623.21 more than 267.09."""


def git(root: Path, *arguments: str) -> str:
    names = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env = kept | dict.fromkeys(names, "test") | {"GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, env=env, check=True, text=True
    )
    return done.stdout.strip()


def commit(root: Path) -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "-m", "change")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one domain on main, as the current folder; the branch `mine` is out."""
    root = tmp_path / "repo"
    write(root / "domains", PETS)
    for path in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(path, root)
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root)
    git(root, "checkout", "--quiet", "-b", "mine")
    monkeypatch.chdir(root)
    monkeypatch.delenv("ASPORA_ROOT", raising=False)
    return root


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def aspora(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*args: str) -> tuple[int, str, str]:
        code = cli.run(list(args))
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return code, out, err

    return run


def gate(aspora: Run, *args: str) -> tuple[int, str, str]:
    return aspora("estimate-cost", "--changed-skills", "--fail-on-exceed", *args)


# --- The gate


def test_no_change_costs_nothing(repo: Path, aspora: Run) -> None:
    assert gate(aspora) == (
        0,
        "no skill's cost changes\n0.00 USD a month, threshold 500.00: within\n",
        "",
    )


def test_a_dearer_change_exceeds_the_threshold(repo: Path, aspora: Run) -> None:
    write(repo / "domains", DEARER)
    code, out, _ = gate(aspora, "--threshold", "500")
    assert code == 1
    assert (
        out
        == """\
Skill                Before  After      Low  Expected   High  Counted
  pets/vet/advise    289.35  912.56  +311.60  +623.21   0.00  +623.21
total                                +311.60  +623.21   0.00  +623.21

+623.21 USD a month, threshold 500.00: exceeded; label cost-approved approves
"""
        or out.splitlines()[-1].startswith("+623.21 USD a month")
    )
    assert "+623.21" in out
    assert gate(aspora, "--threshold", "623.21")[0] == 0
    assert gate(aspora, "--threshold", "623.20")[0] == 1


def test_without_fail_on_exceed_it_only_says_so(repo: Path, aspora: Run) -> None:
    write(repo / "domains", DEARER)
    code, out, _ = aspora("estimate-cost", "--changed-skills")
    assert code == 0
    assert "threshold 500.00: exceeded" in out


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ((), 1),
        (("bug", "cost"), 1),
        (("Cost-Approved",), 1),
        ((APPROVAL,), 0),
        (("bug", APPROVAL), 0),
    ],
)
def test_the_label_that_approves_lifts_it_and_no_other(
    repo: Path, aspora: Run, labels: tuple[str, ...], code: int
) -> None:
    write(repo / "domains", DEARER)
    named = [word for label in labels for word in ("--label", label)]
    done, out, _ = gate(aspora, *named)
    assert done == code
    assert ("approved by the label cost-approved" in out) == (code == 0)


def test_a_skill_that_declares_nothing_counts_with_its_budget(repo: Path, aspora: Run) -> None:
    """Budget 900 and 22.26 of pods: less than 900 expected would be a way around the gate."""
    more = (
        PETS
        + """\
      - name: admit
        description: Admits a pet to the clinic, with its owner's consent.
        budget: {monthlyUSD: 900}
"""
    )
    write(repo / "domains", more)
    code, out, _ = gate(aspora)
    assert code == 1
    assert "+922.26" in out
    assert "pets/vet/admit, models: not estimated: executionsPerDay is not declared" in out


def test_by_high_the_budget_counts_whatever_is_declared(repo: Path, aspora: Run) -> None:
    write(repo / "domains", PETS.replace("monthlyUSD: 2000", "monthlyUSD: 4000"))
    assert gate(aspora)[0] == 0
    code, out, _ = gate(aspora, "--by", "high")
    assert code == 1
    assert "+2,000.00 USD a month" in out


def test_what_the_budget_will_refuse_is_said_to_whoever_reviews(repo: Path, aspora: Run) -> None:
    """5,000 a day cost 2,967.66: beyond 2,000."""
    write(repo / "domains", PETS.replace("executionsPerDay: 450", "executionsPerDay: 5000"))
    _, out, _ = gate(aspora)
    assert "pets/vet/advise, models: a month would cost 2967.66, beyond monthlyUSD" in out


def test_what_leaves_makes_a_change_cheaper(repo: Path, aspora: Run) -> None:
    shutil.rmtree(repo / "domains/pets")
    code, out, _ = gate(aspora)
    assert (code, out.splitlines()[-1]) == (0, "-289.35 USD a month, threshold 500.00: within")


def test_what_others_merged_since_is_not_this_change(repo: Path, aspora: Run) -> None:
    git(repo, "checkout", "--quiet", "main")
    write(repo / "domains", DEARER)
    commit(repo)
    git(repo, "checkout", "--quiet", "mine")
    assert gate(aspora)[1].startswith("no skill's cost changes")
    assert gate(aspora, "--base", "main")[1].startswith("Skill")


def test_two_revisions_are_compared_and_the_working_tree_is_left_alone(
    repo: Path, aspora: Run
) -> None:
    write(repo / "domains", DEARER)
    head = commit(repo)
    write(repo / "domains", PETS.replace("advise", "elsewhere"))
    code, out, _ = gate(aspora, "--base", "main", "--head", head)
    assert code == 1
    assert "pets/vet/advise" in out
    assert "elsewhere" not in out
    assert git(repo, "status", "--porcelain") == "M domains/pets/domain.yaml"


def test_a_folder_is_a_side_too(repo: Path, aspora: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(repo, other, ignore=shutil.ignore_patterns(".git"))
    write(other / "domains", DEARER)
    assert gate(aspora, "--head", str(other))[0] == 1


def test_all_skills_count_without_changed_skills(repo: Path, aspora: Run) -> None:
    code, out, _ = aspora("estimate-cost", "--threshold", "200", "--fail-on-exceed")
    assert code == 1
    assert "+289.35" in out


def test_the_json_is_of_its_schema(repo: Path, aspora: Run) -> None:
    write(repo / "domains", DEARER)
    _, out, _ = gate(aspora, "--format", "json")
    found: dict[str, Any] = json.loads(out)
    jsonschema.validate(found, delta_schema())
    assert found["verdict"]["counted"] == {"usd": "623.21", "missing": 0}
    assert found["skills"][0]["before"] != found["skills"][0]["after"]


def test_the_markdown_begins_with_the_verdict(repo: Path, aspora: Run) -> None:
    write(repo / "domains", DEARER)
    _, out, _ = gate(aspora, "--format", "markdown")
    assert out.startswith("**+623.21 USD a month, threshold 500.00: exceeded")
    assert "| `pets/vet/advise` |" in out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--threshold", "nan"), "is no amount of USD"),
        (("--threshold", "inf"), "is no amount of USD"),
        (("--threshold", "-1"), "is no amount of USD"),
        (("--threshold", "five"), "is no amount of USD"),
        (("--base", "nowhere"), "there is no revision"),
        (("--base", ""), "it is empty"),
        (("--head", ""), "it is empty"),
        (("--base", "domains"), 'no file "Pulumi.prod.yaml" in "domains"'),
        (("--stack", "../prod"), "there is no stack"),
        (("--stack", "local"), "has no AWS side"),
    ],
)
def test_misuse_is_said(repo: Path, aspora: Run, args: tuple[str, ...], words: str) -> None:
    code, out, err = gate(aspora, *args)
    assert (code, out) == (2, "")
    assert words in err


def test_a_base_without_changed_skills_is_a_misuse(repo: Path, aspora: Run) -> None:
    code, _, err = aspora("estimate-cost", "--base", "main")
    assert code == 2
    assert "--base needs --changed-skills" in err


def test_a_revision_with_problems_is_no_base(repo: Path, aspora: Run) -> None:
    write(repo / "domains", PETS.replace("model:", "modell:"))
    bad = commit(repo)
    write(repo / "domains", PETS)
    code, out, err = gate(aspora, "--base", bad)
    assert (code, out) == (1, "")
    assert "domains/pets/domain.yaml:10:5: ASP201" in err
    assert "does not hold: 1 problem found" in err
    assert "name one that does: --base REVISION" in err
    code, _, err = gate(aspora, "--head", bad)
    assert code == 1
    assert "name one that does: --head REVISION" in err


def test_a_link_in_a_revision_is_not_followed(repo: Path, aspora: Run) -> None:
    (repo / "domains/pets/domain.yaml").unlink()
    (repo / "domains/pets/domain.yaml").symlink_to("/etc/hostname")
    bad = commit(repo)
    code, out, err = gate(aspora, "--head", bad)
    assert (code, out) == (1, "")
    assert "symbolic link" in err


def test_a_head_that_names_an_option_runs_nothing(repo: Path, aspora: Run) -> None:
    code, _, err = gate(aspora, "--head=--output=made")
    assert code == 2
    assert "there is no revision" in err
    assert not (repo / "made").exists()


# --- The difference by itself


def test_what_has_no_price_on_one_side_is_missing_and_does_not_pass() -> None:
    base, head = of(domain(skill())), of(domain(skill()), table=prices(ec2__m6a__xlarge=None))
    none = prices(
        **dict.fromkeys([f"ec2__m6{k}__{s}" for k in "ai" for s in ("xlarge", "2xlarge")], None)
    )
    head = of(domain(skill()), table=none)
    found = delta(base, head)
    assert found.weight() == Money(Decimal("0.00"), 1)
    assert Verdict(found, Decimal(1_000_000)).exceeds
    assert "not all is known" in Verdict(found, Decimal(1_000_000)).words


def test_what_has_no_price_and_does_not_change_changes_nothing() -> None:
    none = prices(
        **dict.fromkeys([f"ec2__m6{k}__{s}" for k in "ai" for s in ("xlarge", "2xlarge")], None)
    )
    same = delta(of(domain(skill()), table=none), of(domain(skill()), table=none))
    assert (same.changed, same.weight()) == ((), Money())
    more = of(domain(skill(scaling={"min": 2, "max": 9})), table=none)
    assert delta(of(domain(skill()), table=none), more).weight().missing == 1


def test_rows_are_in_the_order_of_the_head_and_then_what_is_gone() -> None:
    base = of(domain(skill(), skill(name="gone")), domain(skill(), name="birds"))
    head = of(domain(skill(name="new"), skill()), domain(skill(), name="birds"))
    found = delta(base, head)
    assert [row.skill for row in found.rows] == [
        "pets/vet/new", "pets/vet/advise", "birds/vet/advise", "pets/vet/gone",
    ]  # fmt: skip
    assert [row.skill for row in found.changed] == ["pets/vet/new", "pets/vet/gone"]
    assert found.domains == ("pets",)
    assert found.change("high", "pets") == found.change("high") == Money(Decimal("0.00"))
    assert found.change("high", "birds") == Money()
    (new, gone) = found.changed
    assert (new.before, gone.after) == (None, None)
    assert new.change("expected").missing == 1


def test_the_platforms_cost_moves_no_row_that_the_change_does_not_touch() -> None:
    bill = bill_of(control_plane=("eks.cluster", "73.00"))
    base = of(domain(skill(), skill(name="other")), bill=bill)
    more = skill(name="other", scaling={"min": 2, "max": 40})
    head = of(domain(skill(), more), bill=bill)
    assert base.skills[0] != head.skills[0]
    assert [row.skill for row in delta(base, head).changed] == ["pets/vet/other"]


# --- aspora cost


def test_cost_without_the_platform_needs_no_program(repo: Path, aspora: Run) -> None:
    code, out, err = aspora("cost", "--without-platform")
    assert code == 0
    assert "  vet/advise  service    22.26  267.09         -  151.35    289.35  2,035.62" in out
    assert "The platform's own cost is not in it." in out
    assert "snapshot " in out
    assert "days old" in err or "days old" in out


def test_the_platforms_cost_is_divided_whole(repo: Path, aspora: Run) -> None:
    _, out, _ = aspora("cost", "--format", "json")
    found: dict[str, Any] = json.loads(out)
    jsonschema.validate(found, estimate_schema())
    (one,) = found["skills"]
    (part,) = [part for part in one["parts"] if part["kind"] == "platform"]
    lines = sum(Decimal(line["usd"]) for line in found["platform"]["lines"])
    assert Decimal(part["high"]) == lines > 1000
    assert {figure["source"] for figure in found["prices"]["figures"]}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--format", "csv"), "csv: only with --actual"),
        (("--idle", "share"), "--idle: only with --actual"),
        (("--from", "2026-11-01", "--spend", "Pulumi.yaml"), "--spend, --from: only with --actual"),
        (("--actual", "--format", "markdown"), "belong to the estimate"),
        (("--actual", "--stack", "prod"), "belong to the estimate"),
        (("--stack", "local"), "has no AWS side"),
        (("--stack", "nowhere"), "there is no stack"),
        (("--stack", ""), "it is empty"),
    ],
)
def test_options_of_the_other_kind_are_a_misuse(
    repo: Path, aspora: Run, args: tuple[str, ...], words: str
) -> None:
    code, out, err = aspora("cost", *args)
    assert (code, out) == (2, "")
    assert words in err


def test_the_text_says_what_is_unknown_and_never_a_silent_0() -> None:
    table = prices(ebs__gp3=None)
    found = of(domain(skill(sessions={"warmPool": 1, "storage": "1Gi"})), table=table)
    text = as_text(found)
    assert "volumes: ebs.gp3 has no price; concerns pets/vet/advise" in text
    assert "models: not estimated: executionsPerDay is not declared" in text
    assert "(at most 50.00)" in text
    row = next(line for line in text.splitlines() if "vet/advise  sessions" in line)
    assert "unknown" in row
    assert " 0.00" not in row


def test_markdown_holds_no_markup_of_others() -> None:
    """No value that validation lets through has any; the text does not rest on that."""
    found = of(domain(skill()))
    odd = Part("models", "", missing="<b>m|x</b> [y](http://e.example) `*_ &")
    found = replace(found, skills=(replace(found.skills[0], parts=(odd,)),))
    text = as_markdown(found)
    (line,) = [line for line in text.splitlines() if "e.example" in line]
    assert line == (
        "- models: &lt;b&gt;m\\|x&lt;/b&gt; \\[y\\](http:\u200b//e.example) \\`\\*\\_ &amp;;"
        " concerns pets/vet/advise"
    )


def test_the_same_input_gives_the_same_bytes() -> None:
    texts = {as_text(of(domain(skill()), domain(skill(), name="birds"))) for _ in range(2)}
    assert len(texts) == 1


def test_the_document_names_the_cap_of_what_is_not_declared() -> None:
    found = document(of(domain(skill())))
    jsonschema.validate(found, estimate_schema())
    part = next(p for p in found["skills"][0]["parts"] if p["kind"] == "models")
    assert (part["low"], part["expected"], part["high"]) == (None, None, "50.00")
    assert part["missing"]
    assert cost().sums.expected.missing == 1


def test_the_page_holds_every_rule() -> None:
    assert table(ROOT / "docs/costs.md", "Rule") == [list(rule) for rule in RULES.items()]
