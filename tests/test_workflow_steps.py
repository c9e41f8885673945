"""Every `run:` step of the workflows is executed here, or stands on a list with its reason.

Steps run in a clone with the environment's programs, against a mock of GitHub's API. `pulumi` is
played: here it is how it is called. The step of drift runs on the real engine in
tests/test_engine.py, and what the engine makes of the program other tests see.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from tests.core import ROOT
from tests.github_mock import BOT, HEAD, MAIN, GitHub, pull, serve, zipped
from tests.test_ci_comment import REPORT, ended
from tests.test_ci_scripts import CHANGED
from tests.test_readme import Copy
from tests.workflow_lab import Done, Runner, play
from tests.workflows import read

HERE = read()

ELSEWHERE: Mapping[str, str] = {
    "deploy/staging/Smoke checks": "tests/test_platform.py runs it on the local platform, where it"
    " is the same command",
    "deploy/prod/Smoke checks": "the same text as staging's",
    "pr/tests/Linters, types and every test": "it is what runs these tests: .ci/run",
    "prices/refresh/Ask AWS and OpenRouter": "asks the Internet; the tests of the command have"
    " recorded price lists",
}
"""Steps that this file does not run, and where they are run instead."""

RAN: set[str] = set()


class Bench(Runner):
    """A runner that remembers what it ran."""

    def step(self, step_id: str, **env: str) -> Done:
        RAN.add(step_id)
        return self.run(HERE, step_id, **env)

    def passes(self, step_id: str, **env: str) -> Done:
        done = self.step(step_id, **env)
        assert done.code == 0, f"{step_id}\n{done.said}"
        return done


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A clone at a merge commit: HEAD^1 is main, and the branch changed one domain."""
    copy = Copy(tmp_path_factory.mktemp("workflows"))
    git = "git -c user.name=t -c user.email=t@example.com -c commit.gpgsign=false"
    file = copy.root / "domains/wealth/domain.yaml"
    before = file.read_text("utf-8")
    assert "cpu: 20\n" in before
    for command in (
        "git checkout --quiet -b topic",
        "sed -i 's/cpu: 20$/cpu: 19/' domains/wealth/domain.yaml",
        f"{git} commit --quiet -am topic && git checkout --quiet main",
        f"{git} merge --quiet --no-ff -m merge topic",
    ):
        done = copy.run(command)
        assert done.returncode == 0, done.stdout
    path = f"{copy.root.parent / 'programs'}:{os.environ['PATH']}"
    made = Bench(copy.root, copy.env | {"PATH": path, "GITHUB_SHA": MAIN})
    yield made
    shutil.rmtree(copy.root)


@pytest.fixture
def github(bench: Bench) -> Iterator[GitHub]:
    with serve(GitHub()) as state:
        bench.env |= state.env
        bench.given = {"github.token": state.env["GITHUB_TOKEN"]}
        yield state


@pytest.fixture
def account(bench: Bench) -> Iterator[None]:
    """staging has an account, as it will have."""
    file = bench.folder / "Pulumi.staging.yaml"
    before = file.read_text("utf-8")
    file.write_text(before.replace("accountId: null", 'accountId: "111122223333"'), "utf-8")
    yield
    file.write_text(before, "utf-8")


# -- setting up -----------------------------------------------------------------------------------


def test_installing_is_make_s_own_target(bench: Bench) -> None:
    # The environment is there, and made: make finds nothing to do.
    done = bench.passes("actions/setup/action/Install")
    assert "Installing" not in done.said
    (bench.folder / ".venv/.runtime").unlink()
    plan = subprocess.run(
        ["make", "-n", ".venv/.runtime"],
        cwd=bench.folder,
        env=bench.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--require-hashes" in plan.stdout
    (bench.folder / ".venv/.runtime").touch()


def test_a_stack_s_role_and_state_come_from_its_settings(bench: Bench, account: None) -> None:
    bench.given = {"inputs.stack": "staging", "inputs.role": "deploy"}
    done = bench.passes("actions/stack/action/What the stack's settings say")
    assert done.outputs == {
        "role": "arn:aws:iam::111122223333:role/aspora/ci/aspora-staging-deploy",
        "region": "us-east-1",
        "branch": "rendered/staging",
        "folder": "rendered",
        "state": "s3://aspora-staging-pulumi-state?region=us-east-1",
    }
    calls = play(bench.folder.parent / "programs", "pulumi")
    bench.given = {"steps.stack.outputs.state": done.outputs["state"]}
    bench.passes("actions/stack/action/Log in to the state")
    assert calls.read_text() == "login s3://aspora-staging-pulumi-state?region=us-east-1\n"


def test_without_an_account_a_stack_is_not_set_up(bench: Bench) -> None:
    bench.given = {"inputs.stack": "staging", "inputs.role": "deploy"}
    done = bench.step("actions/stack/action/What the stack's settings say")
    assert done.code == 2
    assert done.outputs == {}


# -- a pull request -------------------------------------------------------------------------------


VALIDATE = (
    "pr/validate/For local",
    "pr/validate/For staging",
    "pr/validate/What goes beyond the defaults was agreed to",
    "pr/validate/CODEOWNERS is what the domains say",
    "deploy/gate/For staging",
    "deploy/gate/What goes beyond the defaults was agreed to",
)


def test_the_files_of_a_pull_request_are_checked(bench: Bench) -> None:
    for step in VALIDATE:
        bench.passes(step)


def test_files_that_do_not_hold_are_annotated(bench: Bench) -> None:
    file = bench.folder / "domains/wealth/domain.yaml"
    before = file.read_text("utf-8")
    file.write_text(before.replace("pods: 50", "pods: 51").replace("wealth-team", "other-team"))
    try:
        assert bench.step(VALIDATE[0]).code == 0
        done = bench.step(VALIDATE[2])
        assert done.code == 1
        assert "::error file=domains/wealth/domain.yaml" in done.said
        assert bench.step(VALIDATE[3]).code == 1
        assert bench.step(VALIDATE[5]).code == 1
    finally:
        file.write_text(before)


@pytest.mark.engine
def test_policies_are_checked_and_written_for_code_scanning(bench: Bench) -> None:
    bench.passes("pr/check/Findings for code scanning")
    found = json.loads((bench.folder / "check.sarif").read_text())
    assert found["version"] == "2.1.0"


def test_findings_fail_the_job_and_are_written_for_code_scanning_all_the_same(bench: Bench) -> None:
    """The command is played: checkov takes its time, and once for real is enough."""
    for code, passes in ((0, True), (1, True), (2, False)):
        fake = bench.folder.parent / f"fake{code}"
        play(fake / ".venv/bin", "aspora", f"echo '{{}}'; exit {code}")
        runner = Bench(fake, bench.env)
        assert runner.step("pr/check/Findings as annotations").code == code
        assert (runner.step("pr/check/Findings for code scanning").code == 0) is passes


def test_isolation_is_proven(bench: Bench) -> None:
    bench.passes("pr/isolation/No path crosses domains but the declared ones")


REPORT_STEP = "pr/report/The comment, the same for programs, and the page"


def test_the_report_is_made_and_taken_by_the_comment(bench: Bench, github: GitHub) -> None:
    bench.passes(REPORT_STEP)
    report = (bench.folder / "report.md").read_text("utf-8")
    assert "wealth" in report
    json.loads((bench.folder / "changes.json").read_text("utf-8"))
    assert (bench.folder / "changes.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    github.pulls.append(pull())
    github.with_report(zipped({"report.md": report}))
    post(bench, github)
    assert "wealth" in github.comments[7][0]["body"]


def test_a_report_of_files_that_do_not_hold_is_made_and_the_step_fails(bench: Bench) -> None:
    fake = bench.folder.parent / "invalid"
    calls = play(fake / ".venv/bin", "aspora", "exit 1")
    runner = Bench(fake, bench.env)
    assert runner.step(REPORT_STEP).code == 1
    formats = [line.split("--format ")[1].split()[0] for line in calls.read_text().splitlines()]
    assert formats == ["markdown", "json", "html"]


COST = "cost/estimate/No change adds 500 USD a month without the label cost-approved"
LABELLED = (
    "contains(github.event.pull_request.labels.*.name, 'cost-approved') && 'cost-approved' || ''"
)


def test_the_cost_of_a_change_is_held_against_the_threshold(bench: Bench) -> None:
    bench.given = {LABELLED: ""}
    bench.passes(COST)


@pytest.mark.parametrize("label", ["", "cost-approved"])
def test_the_label_is_handed_on(bench: Bench, label: str) -> None:
    fake = bench.folder.parent / f"cost{label}"
    calls = play(fake / ".venv/bin", "aspora")
    Bench(fake, bench.env, {LABELLED: label}).passes(COST)
    words = calls.read_text().split()
    assert words[:3] == ["estimate-cost", "--changed-skills", "--base"]
    assert words[-2:] == (["--label", label] if label else ["500", "--fail-on-exceed"])


@pytest.mark.parametrize(
    ("results", "passes"),
    [
        ("success success success", True),
        ("success failure success", False),
        ("success skipped success", False),
        ("cancelled success success", False),
    ],
)
def test_one_check_passes_when_all_do(bench: Bench, results: str, passes: bool) -> None:
    bench.given = {"join(needs.*.result, ' ')": results}
    done = bench.step("pr/done/Nothing failed and nothing was left out")
    assert (done.code == 0) is passes


def post(bench: Bench, github: GitHub) -> None:
    event = bench.folder.parent / "event.json"
    event.write_text(json.dumps(ended()))
    bench.passes("comment/comment/Post it, or bring it up to date", GITHUB_EVENT_PATH=str(event))


def test_the_comment_is_posted_and_brought_up_to_date(bench: Bench, github: GitHub) -> None:
    github.pulls.append(pull())
    github.with_report(zipped({"report.md": REPORT}))
    post(bench, github)
    post(bench, github)
    (comment,) = github.comments[7]
    assert comment["user"] == BOT
    assert HEAD[:12] in comment["body"]


# -- deploying ------------------------------------------------------------------------------------


def test_stacks_with_an_account_are_deployed_and_the_others_left_out(
    bench: Bench, account: None
) -> None:
    for step in (
        "deploy/gate/Which stacks have an account",
        "drift/stacks/Those that have an account",
    ):
        assert bench.passes(step).outputs == {"stacks": '["staging"]'}


@pytest.mark.parametrize("job", ["staging", "preview-prod"])
def test_a_preview_is_shown_whole_and_cannot_break_the_summary(bench: Bench, job: str) -> None:
    said = "~ update\\n```\\n<script>\\n"
    calls = play(bench.folder.parent / "programs", "pulumi", f"printf '{said}'")
    done = bench.passes(f"deploy/{job}/Preview")
    stack = "staging" if job == "staging" else "prod"
    assert calls.read_text().startswith(f"preview --stack {stack} --non-interactive")
    assert done.summary.splitlines()[2:] == ["    ~ update", "    ```", "    <script>"]
    assert (bench.folder / "preview.txt").read_text().splitlines()[0] == "~ update"


def test_a_preview_that_fails_fails_the_step(bench: Bench) -> None:
    play(bench.folder.parent / "programs", "pulumi", "exit 255")
    assert bench.step("deploy/staging/Preview").code != 0


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_up_asks_nobody_and_says_which_commit(bench: Bench, stack: str) -> None:
    calls = play(bench.folder.parent / "programs", "pulumi")
    bench.passes(f"deploy/{stack}/Up")
    words = calls.read_text().split()
    assert words[:4] == ["up", "--stack", stack, "--yes"]
    assert words[-2:] == ["--message", MAIN]
    play(bench.folder.parent / "programs", "pulumi", "exit 255")
    assert bench.step(f"deploy/{stack}/Up").code != 0


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_an_old_commit_is_not_put_over_a_newer_one(
    bench: Bench, github: GitHub, stack: str
) -> None:
    step = f"deploy/{stack}/Not older than what runs"
    github.history[:] = [HEAD, MAIN]
    bench.passes(step)
    github.deployments.append((stack, HEAD, ("success",)))
    bench.passes(step)
    github.history.reverse()
    assert bench.step(step).code == 1


def test_prod_s_own_rules_stop_it_before_the_approval(bench: Bench) -> None:
    done = bench.step("deploy/preview-prod/What prod refuses")
    assert done.code == 1  # images have no digests yet: prod refuses, and says so on the line
    assert "::error file=domains/" in done.said


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_what_was_rendered_is_published_where_argo_cd_reads(
    bench: Bench, github: GitHub, stack: str
) -> None:
    shutil.rmtree(bench.folder / "tree", ignore_errors=True)
    bench.given |= {"steps.stack.outputs.folder": "rendered"}
    done = bench.step(f"deploy/{stack}/The tree for Argo CD")
    if stack == "prod":
        assert done.code == 1  # as above: without digests nothing of prod is rendered
        (bench.folder / "tree/rendered").mkdir(parents=True)
        (bench.folder / "tree/rendered/x.yaml").write_text("kind: Namespace\n")
    else:
        assert done.code == 0, done.said
    bench.given |= {f"needs.{stack}.outputs.branch": f"rendered/{stack}"}
    bench.passes(f"deploy/publish-{stack}/Write the branch")
    commit = github.commits[github.refs[f"refs/heads/rendered/{stack}"]]
    names = set(github.trees[commit["tree"]["sha"]])
    assert names
    assert all(name.startswith("rendered/") for name in names)
    shutil.rmtree(bench.folder / "tree")


# -- each night, each week ------------------------------------------------------------------------

LOOK = "drift/look/Compare the state with what runs"


def test_drift_becomes_an_issue(bench: Bench, github: GitHub) -> None:
    recorded = bench.folder.parent / "refresh.json"
    recorded.write_text(CHANGED)
    calls = play(bench.folder.parent / "programs", "pulumi", f"cat '{recorded}'")
    bench.given |= {"matrix.stack": "staging"}
    bench.passes(LOOK)
    assert calls.read_text().startswith("refresh --stack staging --preview-only --json")
    bench.passes("drift/tell/Open, update or close the issue")
    assert [issue["state"] for issue in github.issues] == ["open"]
    shutil.rmtree(bench.folder / "drift")


def test_an_engine_that_fails_closes_no_issue(bench: Bench, github: GitHub) -> None:
    play(bench.folder.parent / "programs", "pulumi", "exit 255")
    bench.given |= {"matrix.stack": "staging"}
    assert bench.step(LOOK).code != 0
    assert not list((bench.folder / "drift").glob("*.json"))


def test_prices_that_changed_are_proposed(bench: Bench, github: GitHub) -> None:
    step = "prices/refresh/Those that changed"
    assert bench.passes(step).outputs == {"any": "0"}
    file = bench.folder / "aspora/data/model-prices.json"
    before = file.read_text("utf-8")
    file.write_text(before + "\n", "utf-8")
    assert bench.passes(step).outputs == {"any": "1"}
    file.write_text(before, "utf-8")
    bench.given |= {"github.event.repository.default_branch": "main"}
    bench.passes("prices/propose/Open the pull request, or bring it up to date")
    assert [made["head"]["ref"] for made in github.pulls] == ["prices/refresh"]
    shutil.rmtree(bench.folder / "prices")


# -- nothing is forgotten -------------------------------------------------------------------------


def test_every_step_was_run(request: pytest.FixtureRequest) -> None:
    """After all others of this file; where only some were asked for there is nothing to say."""
    config = request.config
    if config.option.keyword or any("::" in argument for argument in config.args):
        pytest.skip("only some tests were asked for")
    steps = {step.id: step for workflow in HERE.values() for step in workflow.steps if step.run}
    assert set(ELSEWHERE) <= steps.keys()
    assert sorted(steps.keys() - RAN - set(ELSEWHERE)) == []
    assert all(len(reason.split()) > 4 for reason in ELSEWHERE.values())


def test_the_tests_of_a_pull_request_are_those_of_ci() -> None:
    (step,) = [step for step in HERE["pr"].steps if step.job == "tests" and step.run]
    assert step.run == "bash .ci/run"
    assert (ROOT / ".ci/run").is_file()


def test_the_smoke_checks_of_both_stacks_are_the_same() -> None:
    (one, two) = [step.run for step in HERE["deploy"].steps if "smoke-test" in step.run]
    assert one == two == '.venv/bin/aspora smoke-test --stack "$STACK"'
