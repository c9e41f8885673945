"""`aspora prices`: lists from a server of this machine and from files, and what is written."""

from __future__ import annotations

import gzip
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aspora import cli, snapshot
from local import price_sources
from tests import loopback
from tests.core import MINIMAL, ROOT, write

SAMPLES = Path(__file__).parent / "price_lists"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The snapshot of a small repository, which is the current folder."""
    root = tmp_path / "repo"
    write(root / "domains", MINIMAL)
    shutil.copy(ROOT / "Pulumi.yaml", root)
    shutil.copytree(ROOT / "aspora/data", root / "aspora/data")
    monkeypatch.chdir(root)
    monkeypatch.delenv("ASPORA_ROOT", raising=False)
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    return root / "aspora/data"


@pytest.fixture
def aspora(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*args: str) -> tuple[int, str, str]:
        code = cli.run(["prices", *args])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return code, out, err

    return run


class Lists(loopback.Server):
    """Answers by path: (status, headers, body)."""

    answers: dict[str, tuple[int, dict[str, str], bytes]]
    asked: list[str]


class Handler(loopback.Handler):
    server: Lists

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, headers, body = self.server.answers.get(self.path, (404, {}, b""))
        self.send(status, body, headers)


@pytest.fixture
def server() -> Iterator[Lists]:
    with loopback.serving(Lists(Handler)) as found:
        found.answers = {
            f"/{path.name}": (200, {}, path.read_bytes()) for path in SAMPLES.iterdir()
        }
        found.asked = []
        yield found


def contents(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.iterdir()}


def test_lists_of_a_server_are_written_sealed_and_said(
    data: Path, aspora: Run, server: Lists
) -> None:
    before = contents(data)
    names = ("openrouter-models.json", "aws-ec2.csv", "aws-rds.json")
    code, out, err = aspora(
        "refresh", *(w for name in names for w in ("--from", f"{server.url}/{name}"))
    )
    assert code == 0, err
    assert "ec2.m6a.xlarge: 0.1728 to 0.18 USD (+4.2 %)\n" in out
    assert out.endswith("10 of 90 prices looked up, 2 moved\n")
    assert [line.partition(" ")[0] for line in err.splitlines()] == ["reading"] * 3
    after = contents(data)
    assert {name for name in after if after[name] != before[name]} == set(snapshot.SEALED)
    assert after.keys() == before.keys()
    for name in snapshot.SEALED:
        snapshot.opened(after[name].decode(), name)
    entry = json.loads(after[snapshot.AWS_FILE])["prices"]["nat.gateway"]
    assert (entry["asOf"], entry["source"]) == ("2026-11-20", f"{server.url}/aws-ec2.csv")


def test_a_refresh_again_writes_nothing(data: Path, aspora: Run, server: Lists) -> None:
    for _ in range(2):
        code, out, _ = aspora("refresh", "--from", f"{server.url}/aws-ec2.csv")
        written = contents(data)
    assert code == 0
    assert out.startswith("no price moved\n")
    code, _, _ = aspora("refresh", "--from", f"{server.url}/aws-ec2.csv")
    assert contents(data) == written


def test_files_are_lists_too(data: Path, aspora: Run) -> None:
    code, out, _ = aspora("refresh", "--from", str(SAMPLES / "spot.json"))
    assert code == 0
    assert "ec2.m6a.xlarge.spot: 0.0702 USD, had no price\n" in out
    table = snapshot.opened((data / snapshot.AWS_FILE).read_text("utf-8"), "it")["prices"]
    assert str(table["ec2.m6a.xlarge.spot"]["usd"]) == "0.0702"


def test_a_list_that_goes_on_is_read_to_its_end(data: Path, aspora: Run, server: Lists) -> None:
    whole = json.loads((SAMPLES / "openrouter-models.json").read_text("utf-8"))
    first, *rest = whole["data"]
    server.answers["/a"] = (200, {}, json.dumps({"data": rest, "next": "/b?offset=2"}).encode())
    server.answers["/b?offset=2"] = (200, {}, json.dumps({"data": [first], "next": None}).encode())
    code, out, _ = aspora("refresh", "--from", f"{server.url}/a")
    assert code == 0
    assert out.endswith("2 of 90 prices looked up, 1 moved\n")
    assert server.asked == ["/a", "/b?offset=2"]


def test_a_compressed_answer_is_read(data: Path, aspora: Run, server: Lists) -> None:
    body = gzip.compress((SAMPLES / "aws-ec2.csv").read_bytes())
    server.answers["/z"] = (200, {"Content-Encoding": "gzip"}, body)
    assert aspora("refresh", "--from", f"{server.url}/z")[0] == 0


def test_a_redirect_is_followed_and_none_out_of_https(
    data: Path, aspora: Run, server: Lists
) -> None:
    server.answers["/moved"] = (302, {"Location": "/spot.json"}, b"")
    assert aspora("refresh", "--from", f"{server.url}/moved")[0] == 0
    server.answers["/out"] = (302, {"Location": "http://prices.example/spot.json"}, b"")
    code, _, err = aspora("refresh", "--from", f"{server.url}/out")
    assert code == 2
    assert '"http://prices.example/spot.json" is no https:// address' in err


BAD = {
    "/teapot": (418, b"", "answers 418"),
    "/none": (404, b"", "answers 404"),
    "/page": (200, b"<html>Sign in</html>", "is no JSON"),
    "/list": (200, b"[]", "is no JSON object"),
    "/other": (200, b'{"models": {}}', "is no price list that is known here"),
    "/empty": (200, b"", "is no JSON"),
    "/ours": (200, b'{"data": []}', "lists none of our models"),
    "/away": (200, b'{"data": [], "next": "http://127.0.0.1:1/x"}', "goes on at another host"),
    "/round": (200, b'{"data": [], "next": "/round"}', "has more than 20 pages"),
    "/cut": (200, b'"FormatVersion","v1.0"\n', "ends before its first price"),
}


@pytest.mark.parametrize("path", BAD)
def test_of_a_bad_list_among_good_ones_nothing_is_written(
    data: Path, aspora: Run, server: Lists, path: str
) -> None:
    status, body, words = BAD[path]
    server.answers[path] = (status, {}, body)
    before = contents(data)
    good = f"{server.url}/aws-ec2.csv"
    code, out, err = aspora("refresh", "--from", good, "--from", server.url + path)
    assert code in (1, 2)
    assert out == ""
    assert words in err
    assert contents(data) == before


def test_a_list_larger_than_any_is_not_read(
    data: Path, aspora: Run, server: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_sources, "MOST_BYTES", 1000)
    code, _, err = aspora("refresh", "--from", f"{server.url}/aws-ec2.csv")
    assert code == 1
    assert "is larger than any price list" in err


def test_a_json_too_large_to_be_read_whole_names_the_other_format(
    data: Path, aspora: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_sources, "MOST_JSON_BYTES", 1000)
    code, _, err = aspora("refresh", "--from", str(SAMPLES / "aws-rds.json"))
    assert code == 1
    assert "AWS has the same list as CSV" in err


def test_without_the_internet_it_says_so_and_the_way_out(data: Path, aspora: Run) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    before = contents(data)
    code, _, err = aspora("refresh", "--from", f"http://127.0.0.1:{port}/models")
    assert code == 1
    assert f"http://127.0.0.1:{port}/models cannot be read: Connection refused" in err.replace(
        "[Errno 111] ", ""
    )
    assert "without the Internet, name a file: aspora prices refresh --from FILE" in err
    assert contents(data) == before


def test_by_itself_it_asks_openrouter_and_aws(
    data: Path, aspora: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a proxy that is not there, so that no test leaves this machine."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    code, _, err = aspora("refresh")
    assert code == 1
    assert "reading https://openrouter.ai/api/v1/models" in err
    assert "https://openrouter.ai/api/v1/models cannot be read" in err
    found = price_sources.default_sources("us-east-1")
    assert len(found) == 6
    assert all(
        url.startswith(("https://openrouter.ai/", "https://pricing.us-east-1.amazonaws.com/"))
        for url in found
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere.json", 'there is no file "nowhere.json"'),
        ("domains", 'there is no file "domains"'),
        ("http://prices.example/list", "is no https:// address"),
        ("file:///etc/passwd", "is no https:// address"),
        ("ftp://prices.example/list", "is no https:// address"),
    ],
)
def test_sources_that_cannot_be_are_a_misuse(
    data: Path, aspora: Run, source: str, words: str
) -> None:
    code, out, err = aspora("refresh", "--from", source)
    assert (code, out) == (2, "")
    assert words in err


def test_an_edit_by_hand_is_refused_until_it_is_sealed(data: Path, aspora: Run) -> None:
    file = data / snapshot.AWS_FILE
    file.write_text(file.read_text("utf-8").replace('"usd": 0.1728', '"usd": 0.2'), "utf-8")
    spot = str(SAMPLES / "spot.json")
    code, _, err = aspora("refresh", "--from", spot)
    assert code == 1
    assert "are not those that its hash was made of" in err
    assert aspora("seal") == (0, "aws-prices.json: sealed anew\nmodel-prices.json: holds\n", "")
    assert aspora("seal")[1] == "aws-prices.json: holds\nmodel-prices.json: holds\n"
    assert aspora("refresh", "--from", spot)[0] == 0
    assert '"usd": 0.2,' in file.read_text("utf-8")


def test_outside_of_a_clone_there_is_no_snapshot(data: Path, aspora: Run) -> None:
    shutil.rmtree(data)
    code, _, err = aspora("seal")
    assert code == 2
    assert "the snapshot is a part of the repository" in err


def test_a_folder_that_cannot_be_written_keeps_what_it_has(
    data: Path, aspora: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second file fails, and the first is not moved either."""
    before = contents(data)
    whole = Path.write_text

    def failing(self: Path, text: str, *args: object, **more: object) -> int:
        if snapshot.MODEL_FILE in self.name:
            raise OSError(28, "No space left on device")
        return whole(self, text, encoding="utf-8")

    monkeypatch.setattr(Path, "write_text", failing)
    sources = (str(SAMPLES / "aws-ec2.csv"), str(SAMPLES / "openrouter-models.json"))
    code, _, err = aspora("refresh", *(word for name in sources for word in ("--from", name)))
    assert code == 1
    assert "cannot be written: No space left on device" in err
    assert contents(data) == before
