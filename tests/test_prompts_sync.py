"""`aspora prompts sync` against a mock of Langfuse.

The server here answers as Langfuse's public API does, as far as we use it and as its sources say
(promptsHandler.ts, createPrompt.ts, updatePrompts.ts, getPromptsMeta.ts): labels are unique within
a prompt and move, PATCH only adds them, `latest` is Langfuse's own, a list's page has at most 100.
"""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from aspora.cli import run
from tests import loopback
from tests.core import MINIMAL, ROOT, write

PUBLIC, SECRET = "pk-lf-0123456789", "sk-lf-9876543210"
AUTHORIZATION = f"Basic {b64encode(f'{PUBLIC}:{SECRET}'.encode()).decode()}"
API = "/api/public/v2/prompts"
FIELDS = {"type", "name", "prompt", "config", "labels", "tags", "commitMessage"}
HERE = "domains/pets/skills/vet/advise/prompts"
NAME = "pets/vet/advise/system"
Json = dict[str, Any]


class MockLangfuse(loopback.Server):
    """Prompts by name, each a list of its versions."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.prompts: dict[str, list[Json]] = {}
        self.seen: list[str] = []
        self.answers: dict[str, tuple[int, bytes]] = {}

    def create(self, body: Json) -> Json | str:
        if body.keys() - FIELDS:
            return f"unknown {sorted(body.keys() - FIELDS)}"
        if not all(re.fullmatch(r"[a-z0-9_\-.]{1,36}", label) for label in body["labels"]):
            return "Label must be lowercase alphanumeric"
        there = self.prompts.setdefault(body["name"], [])
        if there and there[-1]["type"] != body["type"]:
            return "Previous versions have different prompt type."
        for version in there:
            version["tags"] = body["tags"]
        self._take(there, [*body["labels"], "latest"])
        made = {**body, "version": len(there) + 1, "labels": [*body["labels"], "latest"]}
        there.append(made)
        return made

    def label(self, name: str, number: int, labels: list[str]) -> Json | str:
        if "latest" in labels:
            return "Label 'latest' is always assigned to the latest prompt version"
        there = self.prompts[name]
        mine = list(dict.fromkeys((*there[number - 1]["labels"], *labels)))
        self._take(there, labels)
        there[number - 1]["labels"] = mine
        return there[number - 1]

    def _take(self, there: list[Json], labels: list[str]) -> None:
        for version in there:
            version["labels"] = [label for label in version["labels"] if label not in labels]

    def by_hand(self, text: str, *labels: str, name: str = NAME, **more: Any) -> None:
        found = self.create(
            {"type": "text", "name": name, "prompt": text, "config": {}, "tags": []}
            | {"labels": list(labels)}
            | more
        )
        assert isinstance(found, dict)


class Handler(loopback.Handler):
    server: MockLangfuse

    def do_GET(self) -> None:
        path, query = self.asked()
        if not self._lets_in(path):
            return
        if path == API:
            self._list(int(query["page"]), int(query["limit"]))
            return
        versions = self.server.prompts[unquote(path.removeprefix(f"{API}/"))]
        self.send(200, versions[int(query["version"]) - 1])

    def _list(self, page: int, limit: int) -> None:
        assert limit <= 100
        rows = [
            {"name": name, "versions": [each["version"] for each in there], "labels": []}
            for name, there in sorted(self.server.prompts.items())
        ]
        shown = rows[(page - 1) * limit : page * limit]
        meta = {"page": page, "limit": limit, "totalItems": len(rows)}
        self.send(200, {"data": shown, "meta": meta | {"totalPages": -(-len(rows) // limit)}})

    def do_POST(self) -> None:
        self._change(lambda body, _: self.server.create(body), 201)

    def do_PATCH(self) -> None:
        def label(body: Json, path: str) -> Json | str:
            name, number = re.fullmatch(rf"{API}/([^/]+)/versions/(\d+)", path).groups()  # type: ignore[union-attr]
            return self.server.label(unquote(name), int(number), body["newLabels"])

        self._change(label, 200)

    def _change(self, made: Any, status: int) -> None:
        body = self.body()
        if not self._lets_in(f"{self.command} {self.path}"):
            return
        self.server.seen.append(f"{self.command} {self.path.removeprefix(API)}")
        found = made(body, self.path)
        if isinstance(found, str):
            self.send(400, {"message": found, "error": "InvalidRequestError"})
        else:
            self.send(status, found)

    def _lets_in(self, path: str) -> bool:
        if self.headers["authorization"] != AUTHORIZATION:
            self.send(401, {"message": "Invalid credentials"})
            return False
        if path in self.server.answers:
            self.send(*self.server.answers[path])
            return False
        return True


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockLangfuse]:
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", PUBLIC)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", SECRET)
    with loopback.serving(MockLangfuse()) as server:
        yield server


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one domain, whose one skill has two prompts."""
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.prod.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    write(tmp_path / "domains", MINIMAL)
    monkeypatch.setenv("ASPORA_ROOT", str(tmp_path))
    put(tmp_path, "system", "Be kind.\n")
    put(tmp_path, "greeting", "Hello.\n")
    return tmp_path


def put(repo: Path, name: str, text: str) -> None:
    path = repo / HERE / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def sync(mock: MockLangfuse, *more: str) -> int:
    return run(["prompts", "sync", "--url", mock.url, *more])


BOTH = [
    "create pets/vet/advise/greeting: version 1",
    f"create {NAME}: version 1",
]


def test_a_dry_run_says_what_differs_and_changes_nothing(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sync(mock, "--dry-run") == 1
    out, err = capsys.readouterr()
    assert (out.splitlines(), err) == (BOTH, "2 prompts; 2 differ\n")
    assert mock.seen == []


def test_it_makes_versions_and_then_has_nothing_to_do(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sync(mock) == 0
    assert capsys.readouterr().out.splitlines() == BOTH
    (made,) = mock.prompts[NAME]
    assert (made["prompt"], made["labels"]) == ("Be kind.", ["local", "latest"])
    mock.seen.clear()
    assert sync(mock) == 0
    assert sync(mock, "--dry-run") == 0
    assert capsys.readouterr().err == "2 prompts; nothing differs\n" * 2
    assert mock.seen == []


def test_a_changed_file_is_a_version_more_and_a_reverted_one_is_none(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(mock)
    put(repo, "system", "Be quick.")
    assert sync(mock) == 0
    assert [each["labels"] for each in mock.prompts[NAME]] == [[], ["local", "latest"]]
    put(repo, "system", "Be kind.")
    capsys.readouterr()
    mock.seen.clear()
    assert sync(mock) == 0
    assert capsys.readouterr().out == f"label {NAME}: version 1: local (from version 2)\n"
    assert mock.seen == ["PATCH /pets%2Fvet%2Fadvise%2Fsystem/versions/1"]
    assert [each["labels"] for each in mock.prompts[NAME]] == [["local"], ["latest"]]
    assert sync(mock, "--dry-run") == 0


def test_prod_is_what_langfuse_serves_by_itself(mock: MockLangfuse, repo: Path) -> None:
    domain = (repo / "domains/pets/domain.yaml").read_text("utf-8")
    pinned = domain.replace("v1.0.0", f"v1.0.0@sha256:{'0' * 64}")
    (repo / "domains/pets/domain.yaml").write_text(pinned, "utf-8")
    assert sync(mock, "--stack", "prod") == 0
    assert mock.prompts[NAME][0]["labels"] == ["prod", "production", "latest"]


def test_two_stacks_may_share_a_langfuse(mock: MockLangfuse, repo: Path) -> None:
    sync(mock)
    mock.label(NAME, 1, ["staging"])
    put(repo, "system", "Be quick.")
    assert sync(mock) == 0
    assert [each["labels"] for each in mock.prompts[NAME]] == [["staging"], ["local", "latest"]]


def test_what_somebody_made_by_hand_is_reported_and_never_deleted(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(mock)
    mock.by_hand("Be rude.", "experiment")
    mock.by_hand("Try me.", name="pets/try")
    mock.by_hand("Not ours.", name="langfuse/evaluator")
    capsys.readouterr()
    assert sync(mock) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"report {NAME}: made by hand: version 2",
        "report pets/try: made by hand",
    ]
    assert err == "2 prompts; nothing differs; 2 to look at\n"
    assert len(mock.prompts[NAME]) == 2


def test_what_somebody_deployed_by_hand_is_put_back(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(mock)
    mock.by_hand("Be rude.", "local")
    capsys.readouterr()
    assert sync(mock) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"label {NAME}: version 1: local (from version 2, made by hand)",
        f"report {NAME}: made by hand: version 2",
    ]
    assert mock.prompts[NAME][0]["labels"] == ["local"]


def test_a_file_that_is_gone_is_reported(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(mock)
    (repo / HERE / "greeting.md").unlink()
    capsys.readouterr()
    assert sync(mock) == 0
    assert capsys.readouterr().out == "report pets/vet/advise/greeting: no file names it any more\n"
    assert len(mock.prompts["pets/vet/advise/greeting"]) == 1


def test_a_chat_prompt_of_that_name_needs_a_person(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mock.by_hand("", type="chat", prompt=[{"role": "system", "content": "Be kind."}])
    assert sync(mock) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == BOTH[0]
    assert out[1].startswith(f"report {NAME}: is a chat prompt")
    assert len(mock.prompts[NAME]) == 1


def test_prompts_come_in_pages(mock: MockLangfuse, repo: Path) -> None:
    sync(mock)
    for number in range(250):
        mock.by_hand("a", name=f"a{number:03}")
    mock.seen.clear()
    assert sync(mock) == 0
    assert mock.seen == []


def test_as_json_for_programs(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(mock, "--format", "json")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {
        "verb": "create",
        "name": "pets/vet/advise/greeting",
        "what": "version 1",
    }


def test_a_run_that_fails_says_what_was_done_and_what_was_not(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(mock)
    put(repo, "system", "Be quick.")
    put(repo, "greeting", "Hi.")
    put(repo, "zeal", "Be eager.")
    sync(mock)
    put(repo, "greeting", "Hey.")
    put(repo, "system", "Be kind.")
    put(repo, "zeal", "Be calm.")
    capsys.readouterr()
    path = f"PATCH {API}/pets%2Fvet%2Fadvise%2Fsystem/versions/1"
    mock.answers[path] = (500, b'{"message": "no database", "error": "InternalServerError"}')
    assert sync(mock) == 1
    out, err = capsys.readouterr()
    assert out == "create pets/vet/advise/greeting: version 3\n"
    assert err.splitlines()[1:4] == [
        f"failed: label {NAME}: version 1: local (from version 2)",
        "not done: create pets/vet/advise/zeal: version 2",
        "1 of 3 changes made; the next run goes on from here",
    ]
    mock.answers.clear()
    assert sync(mock) == 0
    assert sync(mock, "--dry-run") == 0


def test_prompts_that_do_not_hold_stop_it_before_langfuse_is_asked(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(repo, "system", "")
    assert sync(mock) == 1
    assert "system.md:1:1: ASP204: the prompt is empty" in capsys.readouterr().err
    assert mock.prompts == {}


@pytest.mark.parametrize("name", ["LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"])
def test_without_a_key_it_does_not_start(
    mock: MockLangfuse,
    repo: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.delenv(name)
    assert sync(mock) == 2
    assert capsys.readouterr().err == (
        f"error: {name} is not set\n  it is a key of the stack's Langfuse project\n"
    )


def test_the_secret_key_goes_to_no_other_machine_in_the_clear(
    mock: MockLangfuse, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prompts", "sync", "--url", "http://langfuse.example.com"]) == 2
    assert "the secret key would travel in the clear" in capsys.readouterr().err


def test_wrong_keys_are_told_in_langfuses_words(
    mock: MockLangfuse,
    repo: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-another")
    assert sync(mock) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: Langfuse refused GET {API}: 401 Invalid credentials\n")
    assert "another" not in err


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        (API, b"<html>", "no JSON"),
        (API, b"[]", "no list of prompts"),
        (API, b'{"data": []}', "no list of prompts"),
        (API, b'{"data": [], "meta": {"totalPages": "1"}}', "no list of prompts"),
        (API, b'{"data": [], "meta": {"totalPages": 1001}}', "more than 1000 pages"),
        (API, b'{"data": [{"name": "a"}], "meta": {"totalPages": 1}}', "no list of prompts"),
        (f"{API}/pets%2Fvet%2Fadvise%2Fsystem", b"{}", "no version 1 of that prompt"),
        (
            f"{API}/pets%2Fvet%2Fadvise%2Fsystem",
            json.dumps(
                {"name": NAME, "version": 2, "prompt": "", "labels": [], "tags": []}
            ).encode(),
            "no version 1 of that prompt",
        ),
    ],
)
def test_an_answer_that_is_not_langfuses(
    mock: MockLangfuse,
    repo: Path,
    capsys: pytest.CaptureFixture[str],
    path: str,
    answer: bytes,
    said: str,
) -> None:
    sync(mock)
    mock.answers[path] = (200, answer)
    mock.seen.clear()
    capsys.readouterr()
    assert sync(mock) == 1
    out, err = capsys.readouterr()
    assert (out, mock.seen) == ("", [])
    assert f"answered GET {path} with {said}" in err
