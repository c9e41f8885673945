"""The comment on a pull request: which one, what of a stranger's artifact is taken, one of it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ci import comment
from ci.comment import MARKER, MOST_CHARACTERS, Run
from ci.github import Api, Refused, finish, printable
from tests.core import ROOT
from tests.github_mock import BOT, HEAD, REPOSITORY, TOKEN, GitHub, pull, serve, zipped

REPORT = f"{MARKER}\n## wealth: 2 objects change\n\nNothing else.\n"


def ended(**changes: Any) -> dict[str, Any]:
    """The event of `workflow_run`, as far as it is read."""
    run = {
        "id": 1,
        "event": "pull_request",
        "head_sha": HEAD,
        "head_branch": "topic",
        "head_repository": {"id": 99, "owner": {"login": "someone"}},
        "conclusion": "success",
    }
    return {"workflow_run": run | changes}


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    with serve(GitHub(pulls=[pull()])) as state:
        yield state


@pytest.fixture
def run(github: GitHub, tmp_path: Path) -> Any:
    def call(**changes: Any) -> int:
        path = tmp_path / "event.json"
        path.write_text(json.dumps(ended(**changes)))
        return comment.main(github.env | {"GITHUB_EVENT_PATH": str(path)})

    return call


def body_of(github: GitHub) -> str:
    (only,) = github.comments[7]
    return str(only["body"])


def test_the_report_becomes_the_comment(github: GitHub, run: Any) -> None:
    github.with_report(zipped({"report.md": REPORT, "report.html": "<p>"}))
    assert run() == 0
    body = body_of(github)
    assert body.startswith(REPORT.rstrip("\n"))
    assert f"Commit {HEAD[:12]}" in body
    assert f"https://github.com/{REPOSITORY}/actions/runs/1" in body
    assert github.wrote() == ["POST issues/7/comments"]


def test_a_second_run_changes_the_same_comment_and_a_third_nothing(
    github: GitHub, run: Any
) -> None:
    github.with_report(zipped({"report.md": REPORT}))
    assert run() == 0
    github.artifacts.clear()
    github.with_report(zipped({"report.md": REPORT.replace("2", "3")}))
    github.asked.clear()
    assert run() == 0
    assert "3 objects" in body_of(github)
    assert [request.split("/")[0] for request in github.wrote()] == ["PATCH issues"]
    github.asked.clear()
    assert run() == 0
    assert github.wrote() == []


def test_somebody_else_s_comment_with_our_marker_is_not_touched(github: GitHub, run: Any) -> None:
    theirs = {"id": 1, "body": f"{MARKER}\nmine", "user": {"login": "someone", "type": "User"}}
    ghost = {"id": 2, "body": f"{MARKER}\ngone", "user": None}
    github.comments[7] = [theirs, ghost]
    github.with_report(zipped({"report.md": REPORT}))
    assert run() == 0
    assert [made["body"] for made in github.comments[7][:2]] == [theirs["body"], ghost["body"]]
    assert len(github.comments[7]) == 3


def test_of_two_comments_of_ours_one_stays(github: GitHub, run: Any) -> None:
    github.comments[7] = [{"id": n, "body": f"{MARKER}\n{n}", "user": BOT} for n in (1, 2)]
    github.with_report(zipped({"report.md": REPORT}))
    assert run() == 0
    assert "wealth" in body_of(github)


def test_our_comment_is_found_beyond_the_first_page(github: GitHub, run: Any) -> None:
    github.comments[7] = [{"id": n, "body": "hello", "user": BOT} for n in range(1, 151)]
    github.comments[7].append({"id": 200, "body": MARKER, "user": BOT})
    github.with_report(zipped({"report.md": REPORT}))
    assert run() == 0
    assert len(github.comments[7]) == 151
    assert "wealth" in github.comments[7][-1]["body"]


# -- which pull request ---------------------------------------------------------------------------

OTHERS = {
    "closed": pull(state="closed"),
    "a newer commit": pull(sha="c" * 40),
    "the same branch name in another fork": pull(
        head={"sha": HEAD, "ref": "topic", "repo": {"id": 98}, "owner": "someone"}
    ),
    "a fork that is gone": pull(
        head={"sha": HEAD, "ref": "topic", "repo": None, "owner": "someone"}
    ),
    "another branch": pull(
        head={"sha": HEAD, "ref": "other", "repo": {"id": 99}, "owner": "someone"}
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_no_comment_where_the_run_is_not_of_this_pull_request(
    github: GitHub, run: Any, case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    github.pulls[:] = [OTHERS[case]]
    github.with_report(zipped({"report.md": REPORT}))
    assert run() == 0
    assert github.wrote() == []
    assert "::notice::no comment" in capfd.readouterr().err


def test_two_pull_requests_of_one_head_are_not_guessed_between(github: GitHub, run: Any) -> None:
    github.pulls[:] = [pull(7), pull(8)]
    github.with_report(zipped({"report.md": REPORT}))
    assert run() == 0
    assert github.wrote() == []


@pytest.mark.parametrize("conclusion", ["cancelled", "skipped"])
def test_a_run_that_was_cancelled_says_nothing(github: GitHub, run: Any, conclusion: str) -> None:
    assert run(conclusion=conclusion) == 0
    assert github.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "push"},
        {"head_sha": "main"},
        {"head_sha": None},
        {"id": "x"},
        {"head_repository": None},
        {"head_repository": {"id": 99, "owner": {"login": "a&state=closed"}}},
    ],
)
def test_another_event_is_refused(github: GitHub, run: Any, changes: dict[str, Any]) -> None:
    assert run(**changes) == 1
    assert github.asked == []


def test_a_branch_is_only_ever_a_parameter(github: GitHub, run: Any) -> None:
    branch = "x&state=closed#\n::add-mask::"
    github.pulls[0]["head"]["ref"] = branch
    github.with_report(zipped({"report.md": REPORT}))
    assert run(head_branch=branch) == 0
    assert "wealth" in body_of(github)


# -- what of the artifact is taken ----------------------------------------------------------------

BAD: dict[str, bytes] = {
    "no zip file": b"hello",
    "empty": b"",
    "no report in it": zipped({"other.md": REPORT}),
    "a folder above": zipped({"../report.md": REPORT}),
    "not UTF-8": zipped({"report.md": REPORT.encode() + b"\xff"}),
    "no marker": zipped({"report.md": "## hello"}),
    "the marker later": zipped({"report.md": "\n" + REPORT}),
    "the marker twice": zipped({"report.md": REPORT + REPORT}),
    "a NUL": zipped({"report.md": REPORT + "\0"}),
    "an escape": zipped({"report.md": REPORT + "\x1b[2J"}),
    "a turned line": zipped({"report.md": REPORT + "\u202egnp.exe"}),
    "too long": zipped({"report.md": REPORT + "x" * MOST_CHARACTERS}),
    "a bomb": zipped({"report.md": REPORT + "x" * 30_000_000}),
    "another compression": zipped({"report.md": REPORT}, zipfile.ZIP_BZIP2),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_report_is_not_posted(github: GitHub, run: Any, case: str) -> None:
    github.with_report(BAD[case])
    assert run() == 1
    body = body_of(github)
    assert "There is no report of this commit" in body
    assert "wealth" not in body


def test_without_an_artifact_the_old_comment_does_not_stay(github: GitHub, run: Any) -> None:
    github.comments[7] = [{"id": 1, "body": REPORT, "user": BOT}]
    assert run(conclusion="failure") == 1
    assert "There is no report of this commit" in body_of(github)


@pytest.mark.parametrize(
    "changes", [{"expired": True}, {"name": "reports"}, {"size_in_bytes": 10**9}]
)
def test_an_artifact_that_is_not_the_report_is_not_fetched(
    github: GitHub, run: Any, changes: dict[str, Any]
) -> None:
    github.with_report(zipped({"report.md": REPORT}), **changes)
    assert run() == 1
    assert github.storage == []


def test_of_a_run_that_was_repeated_the_newest_report_counts(github: GitHub, run: Any) -> None:
    github.with_report(zipped({"report.md": REPORT.replace("2", "9")}), id=12)
    github.with_report(zipped({"report.md": REPORT.replace("2", "1")}), id=11)
    assert run() == 0
    assert "9 objects" in body_of(github)


def test_an_artifact_bigger_than_it_says_is_not_read_to_its_end(
    github: GitHub, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comment, "MOST_ZIP", 1000)
    data = zipped({"report.md": REPORT, "x": random.Random(1).randbytes(2000)})
    github.with_report(data, size_in_bytes=10)
    assert run() == 1
    assert "There is no report" in body_of(github)


def test_a_report_that_just_fits_alone_is_too_long_with_what_we_add(
    github: GitHub, run: Any
) -> None:
    github.with_report(zipped({"report.md": REPORT.ljust(MOST_CHARACTERS, "x")}))
    assert run() == 1
    assert "too long for a comment" in body_of(github)


def test_damaged_zip_files_are_refused_and_never_break_anything() -> None:
    whole, dice = zipped({"report.md": REPORT}), random.Random(6)
    refused = 0
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            comment.read(bytes(data[: dice.randint(1, len(data))]))
        except Refused:
            refused += 1
    assert refused > 1500


# -- whose word it is -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "warned"),
    [
        ([{"filename": "domains/wealth/domain.yaml"}, {"filename": "docs/ci.md"}], False),
        ([{"filename": "domains/x/domain.yaml"}, {"filename": "aspora/docs.py"}], True),
        ([{"filename": "domains/x.py", "previous_filename": "aspora/names.py"}], True),
        ([{"filename": ".github/workflows/pr.yml"}], True),
        ([{"filename": f"domains/{n}"} for n in range(150)] + [{"filename": "a"}], True),
    ],
)
def test_a_report_made_by_changed_code_says_so(
    github: GitHub, run: Any, files: list[dict[str, str]], warned: bool
) -> None:
    github.files[7] = files
    github.with_report(zipped({"report.md": REPORT}))
    assert run() == 0
    assert ("take it as its author's word" in body_of(github)) is warned
    assert body_of(github).startswith(MARKER)


# -- the API --------------------------------------------------------------------------------------


def test_the_token_goes_to_the_api_alone(github: GitHub, run: Any) -> None:
    github.with_report(zipped({"report.md": REPORT}))
    assert run() == 0
    (headers,) = github.storage
    assert not any(TOKEN in value for value in headers.values())


def test_a_busy_api_is_asked_again_but_a_comment_is_sent_once(github: GitHub) -> None:
    api = Api(github.url, REPOSITORY, TOKEN, pause=0.01)
    github.broken = 2
    assert [entry["number"] for entry in api.pages("pulls", state="open")] == [7]
    github.broken = 1
    with pytest.raises(Refused, match="502"):
        api.send("POST", "issues/7/comments", {"body": "x"})
    assert github.comments == {}


def test_what_github_refuses_is_told_in_its_words(
    github: GitHub, run: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    github.refuses = r"POST issues/7/comments"
    github.with_report(zipped({"report.md": REPORT}))
    assert run() == 1
    said = capfd.readouterr().err
    assert "403" in said
    assert "Resource not accessible by integration" in said


def test_an_api_that_is_not_there_is_told(github: GitHub) -> None:
    api = Api("http://127.0.0.1:9", REPOSITORY, TOKEN, pause=0)
    with pytest.raises(Refused, match="does not answer"):
        api.get("pulls")


def test_a_list_that_has_no_end_is_no_list(github: GitHub) -> None:
    github.comments[7] = [{"id": n} for n in range(250)]
    api = Api(github.url, REPOSITORY, TOKEN)
    with pytest.raises(Refused, match="more than 200"):
        list(api.pages("issues/7/comments", limit=2))


@pytest.mark.parametrize(
    "changes",
    [
        {"GITHUB_TOKEN": ""},
        {"GITHUB_REPOSITORY": "../x"},
        {"GITHUB_API_URL": "file:///etc"},
        {"GITHUB_SERVER_URL": "https://x/) [y](z"},
        {"GITHUB_EVENT_PATH": "/nowhere"},
    ],
)
def test_surroundings_that_are_not_a_workflow_s_are_told(
    github: GitHub, tmp_path: Path, changes: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(ended()))
    assert comment.main(github.env | {"GITHUB_EVENT_PATH": str(path)} | changes) == 1
    assert "::error::" in capfd.readouterr().err
    assert github.wrote() == []


def test_nothing_that_is_logged_becomes_a_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert "\n" not in printable("a\n::set-env name=x::y")
    finish("error", "50%0A::stop-commands::x\r\n##[command]y")
    (line,) = capfd.readouterr().err.splitlines()
    assert line == "::error::50%250A::stop-commands::x  ##\\x5bcommand]y"


def test_the_scripts_need_python_alone() -> None:
    names = [f"ci.{path.stem}" for path in (ROOT / "ci").glob("*.py")]
    assert len(names) >= 7
    code = f"import sys; sys.path.insert(0, '.'); import {', '.join(names)}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_event_s_numbers_are_numbers() -> None:
    assert Run.of(ended(id="12")).id == 12
