"""`aspora report` and `aspora diff --format html`: from files to a page, on the command line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from aspora import cli
from aspora.estimate import Estimate, estimate, words
from aspora.isolation.proof import prove
from aspora.page import State, matrix, state_page
from aspora.render import render
from local.isolation_commands import given
from tests import pictures
from tests.core import MINIMAL, ROOT, repository, settings, write
from tests.page_examples import ATTACKS, Read

Run = Callable[..., tuple[int, str, str]]
PAIR = (
    MINIMAL.replace(
        "        description:", "        callers: [birds/keeper]\n        description:"
    ),
    MINIMAL.replace("pets", "birds").replace(
        "  - name: vet\n", "  - name: keeper\n    calls: [pets/vet/advise]\n"
    ),
)


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs the command in this process; whatever escapes it fails the test."""

    def call(*args: str) -> tuple[int, str, str]:
        code = cli.run(list(args))
        out, err = (stream.decode() for stream in capfdbinary.readouterr())
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return code, out, err

    return call


def made(folder: Path, *texts: str) -> Path:
    """A repository of those domain files."""
    write(folder / "domains", *texts)
    for path in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two domains of which one calls the other, as the current folder."""
    root = made(tmp_path / "repo", *PAIR)
    monkeypatch.chdir(root)
    monkeypatch.delenv("ASPORA_ROOT", raising=False)
    return root


def ids(page: str) -> set[str | None]:
    return {attributes["id"] for tag, attributes in Read(page).tags if tag == "section"}


def test_a_stack_as_a_page(repo: Path, run: Run) -> None:
    code, out, err = run("report")
    assert (code, err) == (0, "")
    assert ids(out) == {"topology", "domains", "quotas", "isolation"}
    text = Read(out).text
    assert "2 domains, 2 agents, 2 skills" in text
    assert "nobody on this stack" in text
    assert "✓ 1 declared" in text
    assert matrix.verdict(prove(given("local", repo))) in text


def test_the_page_goes_into_a_file_whole_or_not_at_all(repo: Path, run: Run) -> None:
    assert run("report", "--output", "page.html") == (0, "", "written to page.html\n")
    first = (repo / "page.html").read_bytes()
    assert first.startswith(b"<!DOCTYPE html>")
    assert run("report", "--output", "page.html")[0] == 0
    assert (repo / "page.html").read_bytes() == first
    code, out, err = run("report", "--output", "nowhere/page.html")
    assert (code, out) == (1, "")
    assert "cannot write nowhere/page.html" in err
    assert "--output" in err
    assert sorted(path.name for path in repo.glob("*.html*")) == ["page.html"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--stack", "moon"], 2, 'there is no stack "moon"'),
        (["--output", "domains"], 2, "is a directory"),
        (["--format", "pdf"], 2, "No such option"),
    ],
)
def test_misuse_is_told(arguments: list[str], code: int, told: str, repo: Path, run: Run) -> None:
    found, out, err = run("report", *arguments)
    assert (found, out) == (code, "")
    assert told in err


def test_files_that_do_not_hold_make_no_page(repo: Path, run: Run) -> None:
    path = repo / "domains/pets/domain.yaml"
    path.write_text(path.read_text("utf-8").replace("model:", "modell:"), "utf-8")
    code, out, err = run("report", "--output", "page.html")
    assert (code, out) == (1, "")
    assert "domains/pets/domain.yaml:" in err
    assert not (repo / "page.html").exists()


def test_a_change_as_a_page(repo: Path, tmp_path: Path, run: Run) -> None:
    head = made(
        tmp_path / "head",
        PAIR[0].replace("callers: [birds/keeper]", "callers: []"),
        PAIR[1].replace("calls: [pets/vet/advise]", "calls: []"),
    )
    code, out, err = run(
        *("diff", "--base", str(repo), "--head", str(head), "--format", "html"),
    )
    assert (code, err) == (0, "")
    assert {"topology", "isolation", "changes", "untouched", "owners"} <= ids(out)
    read = Read(out)
    kinds = [attributes.get("class") for tag, attributes in read.tags if tag == "g"]
    assert "call gone" in kinds
    assert "line changed" in kinds
    assert "✓ 1 declared" not in read.text
    assert out.count('<td class="closed">') == 2
    again = run("diff", "--base", str(head), "--head", str(repo), "--format", "html")[1]
    assert "call new" in [a.get("class") for tag, a in Read(again).tags if tag == "g"]


def test_a_change_that_does_not_hold_is_a_page_of_its_problems(
    repo: Path, tmp_path: Path, run: Run
) -> None:
    head = made(tmp_path / "head", PAIR[0].replace("model:", "modell:"), PAIR[1])
    code, out, _ = run("diff", "--base", str(repo), "--head", str(head), "--format", "html")
    assert code == 1
    assert ids(out) == {"problems"}
    assert "modell" in Read(out).text


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.isprintable()])
def test_hostile_words_of_a_domain_file_stay_words(
    attack: str, repo: Path, tmp_path: Path, run: Run
) -> None:
    """Through the real reader: what validation lets pass reaches the page as text."""
    words = '"' + attack.replace("\\", "\\\\").replace('"', '\\"') + ' for all of us."'
    text = PAIR[0].replace("Says whether a pet should see a vet.", words)
    text = text.replace("name: pets\n", f"name: pets\ndescription: {words}\n", 1)
    text += f"egress: [{{host: api.example.com, reason: {words}}}]\n"
    head = made(tmp_path / "head", text, PAIR[1])
    (head / "plain").mkdir()
    code, out, err = run("diff", "--base", str(repo), "--head", str(head), "--format", "html")
    assert (code, err) == (0, "")
    read = Read(out)
    assert f"{attack} for all of us." in read.text
    assert {tag for tag, _ in read.tags} & {"img", "iframe"} == set()
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert not [name for _, names in read.shape for name in names if name.startswith("on")]


def priced(today: date = date(2026, 11, 28)) -> Estimate:
    stack = settings("prod")
    return estimate(repository(), render(repository(), stack), stack, today)


def test_cost_is_shown_as_the_estimate_has_it() -> None:
    cost = priced()
    out = state_page(State(repository(), settings("prod")), cost=cost)
    assert "cost" in ids(out)
    text = " ".join(Read(out).text.split())
    total = cost.total
    assert f"{total.expected.usd:,.2f} USD a month expected" in text
    low, expected, high = (f"{m.usd:,.2f}" for m in (total.low, total.expected, total.high))
    assert f"{expected} from {low} to {high}" in text
    for line in words.missing(cost):
        assert line in text
    assert "models as of" in text
    for skill in cost.skills:
        assert skill.skill.partition("/")[2] in text
    older = state_page(State(repository(), settings("prod")), cost=priced(date(2027, 11, 28)))
    assert older != out


def test_the_comment_on_the_page_of_documents_is_what_the_command_says(tmp_path: Path) -> None:
    """When it is not: `python -m tests.pictures` writes it anew."""
    assert pictures.comment(tmp_path) == pictures.fence("markdown")


def test_pictures_are_light_and_shown() -> None:
    page = pictures.WALK.read_text("utf-8")
    for picture in pictures.PICTURES:
        assert (pictures.IMAGES / f"{picture.name}.png").stat().st_size < 200_000
        assert f"images/{picture.name}.png" in page
