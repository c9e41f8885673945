"""Where CustomResourceDefinitions come from, and what happens when they do not."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from aspora import crds
from aspora.crds import CUSTOM_KINDS, Bundle, is_open, open_crd
from aspora.errors import EnvironmentFailure
from infra import definitions


def strict(name: str) -> dict[str, Any]:
    """A definition with a schema of its own, as a project would publish it."""
    kind = next(kind for kind in CUSTOM_KINDS if kind.name == name)
    crd = open_crd(kind)
    del crd["metadata"]["annotations"]
    return crd


def test_without_anything_every_schema_is_open_and_it_says_so(tmp_path: Path) -> None:
    found = definitions.find({"ASPORA_DOWNLOADS": "off"}, tmp_path, lambda _: None)
    assert not found.strict
    assert len(found.documents) == len(found.open_kinds) == len(CUSTOM_KINDS)
    assert all(is_open(document) for document in found.documents)
    assert "not checked" in found.source


def test_a_folder_is_used_and_what_it_lacks_is_open(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(strict("rollouts.argoproj.io")))
    (tmp_path / "b.yaml").write_text("kind: Other\nmetadata: {name: x, labels: {a: =}}\n")
    found = definitions.find({"ASPORA_CRDS": str(tmp_path)}, tmp_path, lambda _: None)
    assert "Rollout" not in found.open_kinds
    assert len(found.open_kinds) == len(CUSTOM_KINDS) - 1
    rollout = next(d for d in found.documents if d["metadata"]["name"] == "rollouts.argoproj.io")
    assert rollout["metadata"]["labels"]["aspora.io/owner"] == "platform"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no definition of ours"),
        ("{", "cannot be read"),
        ("[1, 2", "cannot be read"),
    ],
)
def test_a_folder_that_does_not_help_is_an_error(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "x.json").write_text(content)
    with pytest.raises(EnvironmentFailure, match=message):
        definitions.find({"ASPORA_CRDS": str(tmp_path)}, tmp_path, lambda _: None)


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="is no folder"):
        definitions.find({"ASPORA_CRDS": str(tmp_path / "x")}, tmp_path, lambda _: None)


class Publisher(BaseHTTPRequestHandler):
    """Plays a project's download server."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        body = self.files.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Any:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    Publisher.files = {"/good": json.dumps(strict("rollouts.argoproj.io")).encode()}
    Publisher.files["/garbage"] = b"<html>: [not what you asked for"
    Publisher.asked = []

    def use(path: str, sha256: str | None = None) -> None:
        bundle = Bundle("argo-rollouts", "v1", f"{url}{path}", sha256)
        kind = next(kind for kind in CUSTOM_KINDS if kind.kind == "Rollout")
        only = (
            crds.CustomKind(kind.group, kind.version, kind.kind, kind.plural, kind.scope, bundle),
        )
        monkeypatch.setattr(definitions, "CUSTOM_KINDS", only)

    yield use
    server.shutdown()
    server.server_close()


def test_a_published_file_is_fetched_once_and_kept(tmp_path: Path, published: Any) -> None:
    published("/good")
    for _ in range(2):
        found = definitions.find({}, tmp_path, pytest.fail)
        assert found.strict
    assert Publisher.asked == ["/good"]


@pytest.mark.parametrize(
    ("path", "sha256", "reason"),
    [
        ("/missing", None, "HTTP 404"),
        ("/garbage", None, "no valid YAML"),
        ("/good", "0" * 64, "its checksum is not the pinned one"),
    ],
)
def test_a_file_that_is_not_right_is_named_and_not_kept(
    tmp_path: Path, published: Any, path: str, sha256: str | None, reason: str
) -> None:
    published(path, sha256)
    notes: list[str] = []
    found = definitions.find({}, tmp_path, notes.append)
    assert found.open_kinds == ("Rollout",)
    assert len(notes) == 1
    assert reason in notes[0]
    assert "argo-rollouts v1" in notes[0]
    assert not list(tmp_path.rglob("*.yaml"))


def test_no_connection_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle("argo-rollouts", "v1", "http://127.0.0.1:9/x")
    kind = CUSTOM_KINDS[0]
    only = (crds.CustomKind(kind.group, kind.version, kind.kind, kind.plural, kind.scope, bundle),)
    monkeypatch.setattr(definitions, "CUSTOM_KINDS", only)
    notes: list[str] = []
    definitions.find({}, tmp_path, notes.append)
    assert notes == ["definitions not to be had (no connection): argo-rollouts v1"]


def test_prod_wants_checksums() -> None:
    definitions.require_verified("staging")
    with pytest.raises(EnvironmentFailure, match="without a checksum: agent-sandbox, argo-cd"):
        definitions.require_verified("prod")
