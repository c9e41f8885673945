"""Drift, new prices, the branch that Argo CD reads, the order of deployments."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ci import drift, order, propose, publish
from ci.github import Api, Refused, event
from tests.core import ROOT
from tests.github_mock import BOT, HEAD, MAIN, REPOSITORY, TOKEN, GitHub, serve

ROLE = "urn:pulumi:staging::aspora-platform::aspora:aws:GithubRoles$aws:iam/role:Role::ci"
QUOTA = "urn:pulumi:staging::aspora-platform::kubernetes:core/v1:ResourceQuota::wealth/quota"
STACK = "urn:pulumi:staging::aspora-platform::pulumi:pulumi:Stack::aspora-platform-staging"


def digest(*steps: tuple[str, str, list[str]], same: int = 5) -> str:
    """As the engine's `ShowPreviewDigest` writes it (pkg/backend/display/json.go of 3.230)."""
    counts: dict[str, int] = {"same": same}
    for op, _, _ in steps:
        counts[op] = counts.get(op, 0) + 1
    made = [
        {
            "op": op,
            "urn": urn,
            "oldState": {"inputs": {"password": "hunter2"}},
            "detailedDiff": {name: {"kind": "update", "inputDiff": False} for name in names},
        }
        for op, urn, names in steps
    ]
    stack = {"op": "refresh", "urn": STACK}
    return json.dumps({"config": {}, "steps": [stack, *made], "changeSummary": counts})


CHANGED = digest(("update", QUOTA, ["spec.hard.cpu", "a`b|c"]), ("delete", ROLE, []))


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serve(GitHub()) as state:
        yield state


def seen(text: str) -> dict[str, Any]:
    return drift.summary("staging", io.StringIO(text))


def tell(github: GitHub, folder: Path, text: str) -> int:
    folder.mkdir(exist_ok=True)
    (folder / "staging.json").write_text(json.dumps(seen(text)))
    return drift.main(["tell", str(folder)], github.env)


def test_a_summary_keeps_names_and_no_values() -> None:
    found = seen(CHANGED)
    assert found["counts"] == {"update": 1, "delete": 1}
    assert found["changed"] == [
        {"op": "delete", "urn": ROLE, "properties": []},
        {"op": "update", "urn": QUOTA, "properties": ["other", "spec.hard.cpu"]},
    ]
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize("text", ["", "error: no credentials", "[]", "{}", '{"changeSummary": 1}'])
def test_a_run_of_the_engine_that_failed_is_no_absence_of_drift(text: str) -> None:
    with pytest.raises(Refused, match="no summary"):
        seen(text)


def test_drift_opens_an_issue_keeps_it_and_closes_it(github: GitHub, tmp_path: Path) -> None:
    assert tell(github, tmp_path / "d", digest()) == 0
    assert github.wrote() == []

    assert tell(github, tmp_path / "d", CHANGED) == 0
    (issue,) = github.issues
    assert issue["title"] == "Drift in staging: what runs is not what was deployed"
    assert "1 delete, 1 update" in issue["body"]
    assert (
        "| update | `kubernetes:core/v1:ResourceQuota` `wealth/quota` | `other` `spec.hard"
        in (issue["body"])
    )
    assert "| delete | `aws:iam/role:Role` `ci` |" in issue["body"]

    github.asked.clear()
    assert tell(github, tmp_path / "d", CHANGED) == 0
    assert github.wrote() == []

    assert tell(github, tmp_path / "d", digest(("update", QUOTA, []))) == 0
    assert len(github.issues) == 1
    assert "1 delete" not in issue["body"]

    assert tell(github, tmp_path / "d", digest()) == 0
    assert issue["state"] == "closed"
    assert "The drift is gone" in github.comments[issue["number"]][0]["body"]

    assert tell(github, tmp_path / "d", CHANGED) == 0
    assert [issue["state"] for issue in github.issues] == ["closed", "open"]


def test_prod_s_issue_and_anybody_else_s_stay_as_they_are(github: GitHub, tmp_path: Path) -> None:
    github.issues += [
        {"number": 1, "state": "open", "user": BOT, "body": "<!-- aspora:drift:prod -->"},
        {"number": 2, "state": "open", "user": BOT, "body": None},
        {
            "number": 3,
            "state": "open",
            "user": {"login": "someone"},
            "body": "<!-- aspora:drift:staging -->",
        },
    ]
    assert tell(github, tmp_path / "d", digest()) == 0
    assert github.wrote() == []


def test_a_long_list_is_cut_and_counted(github: GitHub, tmp_path: Path) -> None:
    many = [("update", f"{QUOTA}-{n:04}", ["x"] * 20) for n in range(500)]
    assert tell(github, tmp_path / "d", digest(*many)) == 0
    body = github.issues[0]["body"]
    assert body.count("| update |") == drift.SHOWN
    assert "and 300 more" in body
    assert len(body) < 65_536


@pytest.mark.parametrize(
    "changes",
    [
        {"stack": "local"},
        {"stack": "prod -->"},
        {"counts": {"update": -1}},
        {"counts": {"update": True}},
        {"counts": {"@everyone": 1}},
        {"changed": [{"op": "update", "urn": "x", "properties": []}]},
        {"changed": [{"op": "update", "urn": f"{QUOTA}`|", "properties": []}]},
        {"changed": [{"op": "update", "urn": QUOTA, "properties": ["`"]}]},
        {"changed": None},
    ],
)
def test_a_summary_that_is_none_is_not_told(
    github: GitHub, tmp_path: Path, changes: dict[str, Any]
) -> None:
    (tmp_path / "staging.json").write_text(json.dumps(seen(CHANGED) | changes))
    assert drift.main(["tell", str(tmp_path)], github.env) == 1
    assert github.wrote() == []


DEEP = "[" * 100_000


def test_what_nests_without_end_is_refused(github: GitHub, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="printed no summary"):
        drift.summary("staging", io.StringIO(DEEP))
    (tmp_path / "d.json").write_text(DEEP, encoding="utf-8")
    assert drift.main(["tell", str(tmp_path)], github.env) == 1
    with pytest.raises(Refused, match="names no readable event"):
        event({"GITHUB_EVENT_PATH": str(tmp_path / "d.json")})


def test_an_operation_that_is_markup_is_not_told(github: GitHub, tmp_path: Path) -> None:
    found = {"stack": "staging", "counts": {"<img> - @octo": 1}, "changed": []}
    (tmp_path / "d.json").write_text(json.dumps(found), encoding="utf-8")
    assert drift.main(["tell", str(tmp_path)], github.env) == 1


def test_without_a_summary_nobody_says_that_there_is_no_drift(
    github: GitHub, tmp_path: Path
) -> None:
    assert drift.main(["tell", str(tmp_path / "nowhere")], github.env) == 1


@pytest.mark.parametrize("script", [order, propose, publish])
def test_a_call_with_too_much_is_a_misuse(script: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert script.main(["a", "b", "c"], {}) == 2
    assert "usage: python3 -m ci." in capfd.readouterr().err


def test_it_says_how_it_is_called(capfd: pytest.CaptureFixture[str]) -> None:
    assert drift.main(["summary", "local"], {}) == 2
    assert "usage" in capfd.readouterr().err


# -- prices ---------------------------------------------------------------------------------------

PRICES = "aspora/data/aws-prices.json"


def prices(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / "aspora/data" / f"{name.replace('_', '-')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def run(github: GitHub, folder: Path) -> int:
    return propose.main([str(folder)], github.env | {"BASE": "main"})


def test_new_prices_become_one_commit_and_one_pull_request(github: GitHub, tmp_path: Path) -> None:
    assert run(github, prices(tmp_path, aws_prices='{"a": 1}')) == 0
    (pull,) = github.pulls
    assert (pull["head"]["ref"], pull["base"]["ref"]) == ("prices/refresh", "main")
    commit = github.commits[github.refs["refs/heads/prices/refresh"]]
    assert commit["parents"] == [MAIN]
    assert github.trees[commit["tree"]["sha"]] == {PRICES: '{"a": 1}'}
    assert github.refs["refs/heads/main"] == MAIN


def test_prices_of_the_next_week_move_the_branch(github: GitHub, tmp_path: Path) -> None:
    assert run(github, prices(tmp_path, aws_prices='{"a": 1}')) == 0
    before = github.refs["refs/heads/prices/refresh"]
    assert run(github, prices(tmp_path, aws_prices='{"a": 2}')) == 0
    assert github.refs["refs/heads/prices/refresh"] != before
    assert len(github.pulls) == 1


def test_the_same_prices_are_no_news(github: GitHub, tmp_path: Path) -> None:
    github.trees["t0"] = {PRICES: '{"a": 1}'}
    assert run(github, prices(tmp_path, aws_prices='{"a": 1}')) == 0
    assert github.pulls == []
    assert list(github.refs) == ["refs/heads/main"]


@pytest.mark.parametrize("text", ["", "<html>", '{"a": '])
def test_what_is_no_json_is_not_proposed(github: GitHub, tmp_path: Path, text: str) -> None:
    assert run(github, prices(tmp_path, aws_prices=text)) == 1
    assert github.wrote() == []


def test_another_file_is_not_proposed(github: GitHub, tmp_path: Path) -> None:
    prices(tmp_path, aws_prices="{}")
    (tmp_path / "aspora/data/x.py").write_text("import os")
    assert run(github, tmp_path) == 1
    assert github.wrote() == []


def test_a_link_out_of_the_folder_is_not_followed(github: GitHub, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link.json").symlink_to(tmp_path / "secret")
    assert run(github, tmp_path / "in") == 1
    assert github.wrote() == []


def test_nothing_handed_on_is_a_failure(github: GitHub, tmp_path: Path) -> None:
    assert run(github, tmp_path) == 1


def test_the_table_names_the_files_of_prices() -> None:
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "aspora/data").glob("*.json")}
    assert set(propose.FILES) <= there


def test_the_api_is_asked_with_the_token(github: GitHub) -> None:
    with pytest.raises(Refused, match="401"):
        Api(github.url, REPOSITORY, f"{TOKEN}x").get("pulls")


# -- the rendered tree ----------------------------------------------------------------------------


def tree(folder: Path, **files: str) -> Path:
    (folder / "wealth").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / "wealth" / f"{name}.yaml").write_text(text)
    return folder


def put(github: GitHub, folder: Path, branch: str = "rendered/staging") -> int:
    return publish.main([str(folder), branch], github.env)


def test_the_branch_holds_what_was_rendered_and_nothing_else(
    github: GitHub, tmp_path: Path
) -> None:
    assert put(github, tree(tmp_path / "1", a="1", b="2")) == 0
    first = github.refs["refs/heads/rendered/staging"]
    assert github.commits[first]["parents"] == []
    assert put(github, tree(tmp_path / "2", a="3")) == 0
    second = github.commits[github.refs["refs/heads/rendered/staging"]]
    assert second["parents"] == [first]
    assert github.trees[second["tree"]["sha"]] == {"wealth/a.yaml": "3"}
    assert MAIN in second["message"]


def test_the_same_tree_is_no_new_commit(github: GitHub, tmp_path: Path) -> None:
    assert put(github, tree(tmp_path, a="1")) == 0
    before = dict(github.refs)
    assert put(github, tmp_path) == 0
    assert github.refs == before


@pytest.mark.parametrize("branch", ["main", "rendered/../main", "rendered/x/y", "rendered/", "-f"])
def test_no_other_branch_is_written(github: GitHub, tmp_path: Path, branch: str) -> None:
    assert put(github, tree(tmp_path, a="1"), branch) == 1
    assert github.asked == []


def test_an_empty_tree_or_a_link_takes_nothing_away(github: GitHub, tmp_path: Path) -> None:
    assert put(github, tmp_path) == 1
    (tree(tmp_path, a="1") / "link").symlink_to(ROOT / "README.md")
    assert put(github, tmp_path) == 1
    assert github.wrote() == []


# -- the order of deployments ---------------------------------------------------------------------

NEWER = "c" * 40
HISTORY = [HEAD, MAIN, NEWER]  # the run is of MAIN


def allowed(github: GitHub, *deployments: tuple[str, str, tuple[str, ...]]) -> bool:
    github.history[:] = HISTORY
    github.deployments[:] = deployments
    return order.main(["prod"], github.env) == 0


def test_the_first_deployment_and_a_newer_commit_may_go(github: GitHub) -> None:
    mine = ("prod", MAIN, ("in_progress", "queued"))
    assert allowed(github, mine)
    assert allowed(github, mine, ("prod", HEAD, ("success", "in_progress")))
    assert allowed(github, mine, ("prod", MAIN, ("success",)))


def test_an_old_run_does_not_go_over_a_newer_commit(
    github: GitHub, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = ("prod", MAIN, ("in_progress",))
    assert not allowed(github, mine, ("prod", NEWER, ("success",)))
    assert f"prod runs {NEWER[:12]}, and {MAIN[:12]} is behind" in capfd.readouterr().err
    assert not allowed(github, mine, ("prod", "d" * 40, ("success",)))


def test_what_failed_or_went_elsewhere_was_not_deployed(github: GitHub) -> None:
    assert allowed(
        github,
        ("prod", NEWER, ("failure", "in_progress")),
        ("staging", NEWER, ("success",)),
        ("prod", HEAD, ("inactive", "success")),
    )


def test_when_nobody_can_tell_nothing_is_deployed(github: GitHub) -> None:
    github.refuses = "GET compare/.*"
    assert not allowed(github, ("prod", HEAD, ("success",)))
