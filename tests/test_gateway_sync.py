"""`aspora gateway sync`: what differs, what mends it, and that it never shows or loses anything.

The server here answers as LiteLLM 1.109.1's management API does, as far as we use it: its paths,
its paging, its hashes, and a refusal of fields that its request models do not have
(tests/proofs/budgets.py reads the same requests with LiteLLM's own models).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from aspora.cli import run
from aspora.errors import UsageError
from aspora.gateways.model import litellm
from aspora.gateways.model.plan import plan
from aspora.gateways.model.reconcile import steps
from aspora.prices import ModelPrice
from local.gateway_client import service
from tests import loopback
from tests.core import settings
from tests.gateways_lab import two
from tests.proofs.arithmetic import Call, cost, holds, spent

MASTER = "sk-master-0123456789abcdef"
Json = dict[str, Any]
COMMON = {"max_budget", "budget_duration", "models", "metadata", "blocked", "rpm_limit"}
TEAM = COMMON | {"team_id", "team_alias"}
KEY = COMMON | {"key", "key_alias", "team_id", "max_parallel_requests", "router_settings", "spend"}
KNOWN = {
    "/team/new": TEAM,
    "/team/update": TEAM,
    "/team/block": {"team_id"},
    "/key/generate": KEY | {"key_type"},
    "/key/update": KEY,
    "/key/delete": {"keys", "key_aliases"},
    "/key/block": {"key"},
}


class FakeGateway(loopback.Server):
    """LiteLLM's teams and keys, in memory."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.teams: dict[str, Json] = {}
        self.keys: dict[str, Json] = {}
        self.seen: list[str] = []
        self.answers: dict[str, tuple[int, bytes]] = {}
        """What to answer to a path instead of the truth."""

    def change(self, path: str, body: Json) -> str | None:
        """What is wrong with the request, or None once it is done."""
        unknown = body.keys() - KNOWN[path]
        if unknown:
            return f"unknown {sorted(unknown)}"
        kind, _, verb = path[1:].partition("/")
        if kind == "team":
            self.teams.setdefault(body["team_id"], {"spend": 0.0})
            self.teams[body["team_id"]] |= {"blocked": True} if verb == "block" else body
        elif verb == "delete":
            for token in body["keys"]:
                del self.keys[token]
        elif verb == "block":
            self.keys[body["key"]]["blocked"] = True
        elif verb == "update":
            self.keys[body["key"]] |= {k: v for k, v in body.items() if k != "key"}
        else:
            if body["team_id"] not in self.teams:
                return "Team doesn't exist in db"
            token = sha256(body["key"].encode()).hexdigest()
            if any(key["key_alias"] == body["key_alias"] for key in self.keys.values()):
                return "Key with alias already exists"
            clean = {k: v for k, v in body.items() if k not in ("key", "key_type")}
            self.keys[token] = {**clean, "token": token}
        return None


class Handler(loopback.Handler):
    server: FakeGateway

    def do_GET(self) -> None:
        path, query = self.asked()
        if not self._known() or self._instead(path):
            return
        if path == "/team/list":
            self.send(200, list(self.server.teams.values()))
            return
        size, page = int(query["size"]), int(query["page"])
        keys = list(self.server.keys.values())
        shown = keys[(page - 1) * size : page * size]
        pages = -(-len(keys) // size)
        self.send(200, {"keys": shown, "total_count": len(keys), "total_pages": pages})

    def do_POST(self) -> None:
        body = self.body()
        if not self._known() or self._instead(self.path):
            return
        self.server.seen.append(self.path)
        wrong = self.server.change(self.path, body)
        if wrong:
            self.send(400, {"error": {"message": wrong}})
        else:
            self.send(200, {})

    def _known(self) -> bool:
        good = self.headers["authorization"] == f"Bearer {MASTER}"
        if not good:
            self.send(401, {"error": {"message": "Invalid proxy server token passed"}})
        return good

    def _instead(self, path: str) -> bool:
        if path in self.server.answers:
            self.send(*self.server.answers[path])
        return path in self.server.answers


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGateway]:
    monkeypatch.setenv("LITELLM_MASTER_KEY", MASTER)
    with loopback.serving(FakeGateway()) as server:
        yield server


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The plan of two domains as the job gets it, and a value for each key."""
    wanted = litellm.desired(plan(two(tmp_path / "domains"), settings()))
    write(tmp_path, wanted)
    folder = tmp_path / "keys"
    folder.mkdir()
    for key in wanted["keys"]:
        (folder / key["key_alias"]).write_text(value(key["key_alias"]) + "\n", "utf-8")
    return tmp_path


def value(name: str) -> str:
    return f"sk-{name}-0123456789abcdef"


def write(folder: Path, wanted: Any) -> None:
    (folder / "desired.json").write_text(json.dumps(wanted), "utf-8")


def read(folder: Path) -> Any:
    return json.loads((folder / "desired.json").read_text("utf-8"))


def sync(fake: FakeGateway, files: Path, *more: str) -> int:
    return run(
        [
            *("gateway", "sync", "--url", fake.url),
            *("--desired", str(files / "desired.json"), "--keys", str(files / "keys"), *more),
        ]
    )


ALL = [
    "create team cats",
    "create team dogs",
    "create key cats-vet-advise",
    "create key cats-vet-scan",
    "create key dogs-vet-advise",
]


def test_a_dry_run_says_what_differs_and_changes_nothing(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sync(fake, files, "--dry-run") == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == ALL
    assert err == "5 things differ\n"
    assert fake.seen == []


def test_it_brings_everything_about_and_then_has_nothing_to_do(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sync(fake, files) == 0
    assert capsys.readouterr().out.splitlines() == ALL
    assert {team: fake.teams[team]["max_budget"] for team in fake.teams} == {
        "cats": 100.0,
        "dogs": 500.0,
    }
    key = fake.keys[sha256(value("cats-vet-advise").encode()).hexdigest()]
    assert key["models"] == ["cats/claude-sonnet-4-5", "cats/claude-haiku-4-5"]
    assert (key["team_id"], key["max_budget"], key["budget_duration"]) == ("cats", 50.0, "1mo")
    fake.seen.clear()
    assert sync(fake, files, "--dry-run") == 0
    assert capsys.readouterr().err == "nothing differs\n"
    assert sync(fake, files) == 0
    assert fake.seen == []


def test_a_change_of_a_budget_is_one_change(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(fake, files)
    wanted = read(files)
    wanted["keys"][0]["max_budget"] = 40.0
    write(files, wanted)
    capsys.readouterr()
    assert sync(fake, files) == 0
    assert capsys.readouterr().out == "update key cats-vet-advise: max_budget\n"
    assert fake.seen[-1] == "/key/update"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"max_budget": 5000.0}, "max_budget"),
        ({"models": []}, "models"),
        ({"budget_duration": None}, "budget_duration"),
        ({"blocked": True}, "blocked"),
        ({"team_id": "dogs"}, "team_id"),
        ({"rpm_limit": None}, "rpm_limit"),
        ({"metadata": {}}, "metadata"),
        ({"router_settings": None}, "router_settings"),
    ],
)
def test_whatever_somebody_loosens_by_hand_is_put_back(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str], change: Json, said: str
) -> None:
    sync(fake, files)
    token = sha256(value("cats-vet-advise").encode()).hexdigest()
    fake.keys[token] |= change
    capsys.readouterr()
    assert sync(fake, files) == 0
    assert capsys.readouterr().out == f"update key cats-vet-advise: {said}\n"
    assert sync(fake, files, "--dry-run") == 0


def test_a_new_value_of_a_key_is_no_new_budget(fake: FakeGateway, files: Path) -> None:
    sync(fake, files)
    fake.keys[sha256(value("cats-vet-scan").encode()).hexdigest()]["spend"] = 12.5
    (files / "keys" / "cats-vet-scan").write_text("sk-a-new-value-0123456789", "utf-8")
    assert sync(fake, files) == 0
    new = fake.keys[sha256(b"sk-a-new-value-0123456789").hexdigest()]
    assert (new["key_alias"], new["spend"]) == ("cats-vet-scan", 12.5)
    assert len(fake.keys) == 3


@pytest.mark.parametrize("path", ["/key/generate", "/key/delete"])
def test_a_new_value_cut_short_loses_no_spending(fake: FakeGateway, files: Path, path: str) -> None:
    sync(fake, files)
    old = sha256(value("cats-vet-scan").encode()).hexdigest()
    fake.keys[old]["spend"] = 12.5
    (files / "keys" / "cats-vet-scan").write_text("sk-a-new-value-0123456789", "utf-8")
    fake.answers[path] = (500, b"")
    assert sync(fake, files) == 1
    assert (fake.keys[old]["blocked"], fake.keys[old]["spend"]) == (True, 12.5)
    fake.answers.clear()
    assert sync(fake, files) == 0
    new = fake.keys[sha256(b"sk-a-new-value-0123456789").hexdigest()]
    assert (new["key_alias"], new["spend"], new["blocked"]) == ("cats-vet-scan", 12.5, False)
    assert old not in fake.keys
    assert sync(fake, files, "--dry-run") == 0


def test_what_no_file_names_any_more_is_blocked_first(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(fake, files)
    wanted = read(files)
    write(
        files,
        {
            "teams": [team for team in wanted["teams"] if team["team_id"] != "dogs"],
            "keys": [key for key in wanted["keys"] if key["team_id"] != "dogs"],
        },
    )
    fake.seen.clear()
    capsys.readouterr()
    assert sync(fake, files) == 0
    assert capsys.readouterr().out.splitlines() == ["block key dogs-vet-advise", "block team dogs"]
    assert fake.seen == ["/key/block", "/team/block"]
    assert sync(fake, files, "--dry-run") == 0


def test_what_somebody_made_by_hand_is_reported_and_left(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(fake, files)
    fake.keys["f" * 64] = {"token": "f" * 64, "key_alias": "try-out", "metadata": {}}
    capsys.readouterr()
    assert sync(fake, files) == 1
    out, err = capsys.readouterr()
    assert out == "report key try-out: nobody's: no file names it\n"
    assert err == "1 thing made by hand: for a person\n"
    assert "blocked" not in fake.keys["f" * 64]


def test_keys_come_in_pages(fake: FakeGateway, files: Path) -> None:
    sync(fake, files)
    for number in range(250):
        token = f"{number:064d}"
        fake.keys = {token: {"token": token, "key_alias": f"k{number}"}, **fake.keys}
    assert sync(fake, files, "--dry-run", "--format", "json") == 1
    fake.keys = {token: key for token, key in fake.keys.items() if "team_id" in key}
    assert sync(fake, files, "--dry-run") == 0


def test_as_json_for_programs(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(fake, files, "--dry-run", "--format", "json")
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first == {"verb": "create", "kind": "team", "name": "cats", "differs": []}


def test_no_value_of_a_key_is_ever_shown(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(fake, files, "--format", "json")
    fake.teams.clear()
    sync(fake, files)
    said = "".join(capsys.readouterr())
    assert MASTER not in said
    assert "0123456789abcdef" not in said


def test_a_key_without_a_value_stops_it_before_anything_is_changed(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "keys" / "cats-vet-scan").unlink()
    assert sync(fake, files) == 2
    assert capsys.readouterr().err == (
        f"error: {files / 'keys'} has no value for 1 key: cats-vet-scan\n"
        "  `aspora bootstrap` makes them; External Secrets brings them here\n"
    )
    assert fake.seen == []


def test_a_value_litellm_would_refuse_stops_it_too(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "keys" / "cats-vet-scan").write_text("0123456789abcdef", "utf-8")
    assert sync(fake, files) == 2
    assert capsys.readouterr().err == (
        "error: the value of key cats-vet-scan is not one LiteLLM takes\n"
        '  it begins with "sk-" and has 16 characters or more\n'
    )
    assert fake.seen == []


def test_without_the_master_key_it_does_not_start(
    fake: FakeGateway,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LITELLM_MASTER_KEY")
    assert sync(fake, files) == 2
    assert capsys.readouterr().err == (
        "error: LITELLM_MASTER_KEY is not set\n  it holds the gateway's master key\n"
    )


def test_a_wrong_master_key_is_told_in_the_gateways_words(
    fake: FakeGateway,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-another")
    assert sync(fake, files) == 1
    assert capsys.readouterr().err == (
        "error: the model gateway refused GET /team/list: 401 Invalid proxy server token passed\n"
        "  is LITELLM_MASTER_KEY right, and does the gateway have its database?\n"
    )


def test_a_gateway_that_is_not_there(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.server_close()
    fake.shutdown()
    assert sync(fake, files) == 1
    assert capsys.readouterr().err.startswith(
        f"error: no answer from the model gateway at {fake.url}: "
    )


def test_a_file_of_something_else(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "desired.json").write_text("[]", "utf-8")
    assert sync(fake, files) == 2
    assert capsys.readouterr().err == (
        f"error: {files / 'desired.json'} holds no teams and keys\n"
        "  it is the file desired.json of the ConfigMap model-gateway-sync\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff", "is no UTF-8 text"),
        (b"{", "holds no teams and keys"),
        (b"[" * 100_000, "holds no teams and keys"),
        (b'{"teams": 5, "keys": []}', "holds no teams and keys"),
        (b'{"teams": ["cats"], "keys": []}', "teams: number 1 is no object"),
        (b'{"teams": [{"team_id": 1}], "keys": []}', "teams: number 1 has no text team_id"),
        (b'{"teams": [{"team_id": "cats"}], "keys": []}', 'teams: "cats" has no team_alias, max_'),
        (b'{"teams": [], "keys": [{}]}', "keys: number 1 has no text key_alias"),
    ],
)
def test_a_desired_file_of_another_shape(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str], text: bytes, said: str
) -> None:
    (files / "desired.json").write_bytes(text)
    assert sync(fake, files) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {files / 'desired.json'} ")
    assert said in err
    assert fake.seen == []


def test_a_key_of_a_name_that_is_a_path(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = read(files)
    wanted["keys"][0]["key_alias"] = "../desired.json"
    write(files, wanted)
    assert sync(fake, files) == 2
    assert capsys.readouterr().err.startswith('error: "../desired.json" is no name of a key\n')


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"sk-\xff0123456789abcdef", "is no UTF-8 text"), ("sk-0123456789abcdéf".encode(), "is not")],
)
def test_a_value_that_is_no_text(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str], text: bytes, said: str
) -> None:
    (files / "keys" / "cats-vet-scan").write_bytes(text)
    assert sync(fake, files) == 2
    err = capsys.readouterr().err
    assert "cats-vet-scan" in err
    assert said in err
    assert fake.seen == []


# Where the master key goes, and what comes back


@pytest.mark.parametrize(
    "url",
    [
        *("", "gateway", "ftp://127.0.0.1/", "https://", "https://[::1", "https://a:99999"),
        *(
            "https://127.0.0.1:0",
            "https://a b",
            "https://a\nb",
            "https://a\\@b",
            "//127.0.0.1:8443",
        ),
    ],
)
def test_what_is_no_address(files: Path, capsys: pytest.CaptureFixture[str], url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_MASTER_KEY", MASTER)
        keys = ("--keys", str(files / "keys"))
        assert run(["gateway", "sync", "--url", url, *keys]) == 2
    assert " is no address\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://gateway.example.com", "is plain http to another machine"),
        ("http://127.0.0.1.example.com", "is plain http to another machine"),
        ("http://10.0.0.1:4000", "is plain http to another machine"),
        ("http://0.0.0.0:4000", "is plain http to another machine"),
        ("https://me:secret@127.0.0.1", "holds a user name or a password"),
        ("https://127.0.0.1/?a=b", "has more than a path after its host"),
    ],
)
def test_where_the_master_key_is_not_sent(url: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        service(url, MASTER)
    assert said in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "url",
    ["https://gateway.example.com/a", "http://127.9.9.9:1", "http://[::1]:1", "http://localhost/"],
)
def test_where_it_may_go(url: str) -> None:
    assert service(url, MASTER).url == url.rstrip("/")


def test_a_master_key_with_a_line_break() -> None:
    with pytest.raises(
        UsageError, match="LITELLM_MASTER_KEY holds a space, a line break"
    ) as caught:
        service("https://127.0.0.1", "sk-1\n")
    assert "sk-1" not in caught.value.message


def page(keys: Any, pages: Any = 1) -> bytes:
    return json.dumps({"keys": keys, "total_pages": pages}).encode()


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/team/list", b"<html>Log in</html>", "no JSON"),
        ("/team/list", b"[" * 100_000, "no JSON"),
        ("/team/list", b"[NaN]", "no JSON"),
        ("/team/list", b"", "no list of objects with a `team_id`"),
        ("/team/list", b'{"teams": []}', "no list of objects with a `team_id`"),
        ("/team/list", b'["cats"]', "no list of objects with a `team_id`"),
        ("/team/list", b'[{"team_id": "cats", "metadata": []}]', "no list of objects with a `t"),
        ("/key/list", b"[]", "no object"),
        ("/key/list", b"{}", "no whole number `total_pages`"),
        ("/key/list", page([], "2"), "no whole number `total_pages`"),
        ("/key/list", page([], pages=True), "no whole number `total_pages`"),
        ("/key/list", page([], 1001), "more than 1000 pages"),
        ("/key/list", page(None), "no list of objects with a `token`"),
        ("/key/list", page(["a hash"]), "no list of objects with a `token`"),
        ("/key/list", page([{"token": "a", "spend": "1"}]), "no list of objects with a `token`"),
        ("/key/list", page([{"token": "a", "key_alias": 1}]), "no list of objects with a `token`"),
    ],
)
def test_an_answer_that_is_not_litellms(
    fake: FakeGateway,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    path: str,
    answer: bytes,
    said: str,
) -> None:
    fake.answers[path] = (200, answer)
    assert sync(fake, files) == 1
    out, err = capsys.readouterr()
    assert (out, fake.seen) == ("", [])
    assert err.startswith(f"error: the model gateway at {fake.url} answered GET {path} with {said}")


def test_a_redirect_is_not_followed(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answers["/team/list"] = (302, b"")
    assert sync(fake, files) == 1
    assert "refused GET /team/list: 302\n" in capsys.readouterr().err


def test_an_answer_without_end_is_left(
    fake: FakeGateway,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("local.json_service.LIMIT", 1000)
    fake.answers["/team/list"] = (200, b" " * 1001)
    assert sync(fake, files) == 1
    assert "answered GET /team/list with more than" in capsys.readouterr().err


# What is shown is what was done


def test_a_run_that_fails_says_what_was_done_and_what_was_not(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answers["/key/generate"] = (500, b'{"error": {"message": "no database"}}')
    assert sync(fake, files) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == ALL[:2]
    assert err == (
        "error: the model gateway refused POST /key/generate: 500 no database\n"
        "failed: create key cats-vet-advise\n"
        "not done: create key cats-vet-scan\n"
        "not done: create key dogs-vet-advise\n"
        "2 of 5 changes made; the next run goes on from here\n"
        "  is LITELLM_MASTER_KEY right, and does the gateway have its database?\n"
    )
    assert sorted(fake.teams) == ["cats", "dogs"]
    assert fake.keys == {}


def test_half_a_step_is_no_step(
    fake: FakeGateway, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(fake, files)
    (files / "keys" / "cats-vet-scan").write_text("sk-a-new-value-0123456789", "utf-8")
    fake.answers["/key/generate"] = (500, b"")
    capsys.readouterr()
    assert sync(fake, files, "--format", "json") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "half done, 1 of 3 calls: replace key cats-vet-scan: value\n0 of 1 change made" in err


def test_teams_come_before_their_keys(files: Path) -> None:
    wanted = read(files)
    values = {key["key_alias"]: value(key["key_alias"]) for key in wanted["keys"]}
    found = steps(wanted, {"teams": [], "keys": []}, values)
    assert [step.kind for step in found] == ["team", "team", "key", "key", "key"]


# The arithmetic of tests/proofs/budgets.py

PRICE = ModelPrice(1, 5)


def test_a_call_costs_what_its_tokens_cost() -> None:
    assert cost(Call("a", 12, 200), PRICE) == Decimal("0.001012")


def test_what_a_domain_spent_is_its_keys_calls() -> None:
    calls = [Call("a", 0, 200), Call("b", 0, 200), Call("c", 0, 200)]
    assert spent(calls, PRICE, ("a", "b")) == Decimal("0.002")
    assert spent([], PRICE, ("a",)) == 0


@pytest.mark.parametrize(
    ("amount", "held"), [("0.0059", True), ("0.006", True), ("0.007", True), ("0.0071", False)]
)
def test_a_cap_may_be_passed_by_one_call_and_no_more(amount: str, *, held: bool) -> None:
    assert holds(Decimal(amount), Decimal("0.006"), Decimal("0.001")) is held
