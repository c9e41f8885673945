"""A mock of GitHub's REST API on the loopback address: what the scripts of the workflows ask for.

It keeps comments, issues, pull requests and Git objects in memory, gives lists page by page, and
sends artifacts from a second host, as GitHub does. It is no GitHub: shapes and behaviour are those
of docs.github.com/rest as far as the scripts use them.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests import loopback

Json = dict[str, Any]
REPOSITORY = "aspora/platform"
TOKEN = "token-of-the-test"
BOT = {"login": "github-actions[bot]", "type": "Bot"}
MAIN = "a" * 40
HEAD = "b" * 40


def zipped(files: Mapping[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def pull(number: int = 7, sha: str = HEAD, **changes: Any) -> Json:
    """An open pull request from a fork."""
    made: Json = {
        "number": number,
        "state": "open",
        "head": {"sha": sha, "ref": "topic", "repo": {"id": 99}, "owner": "someone"},
        "base": {"ref": "main"},
    }
    return made | changes


@dataclass
class GitHub:
    """The state; `asked` are the requests as `METHOD path`, `storage` what the second host saw."""

    pulls: list[Json] = field(default_factory=list)
    files: dict[int, list[Json]] = field(default_factory=dict)
    comments: dict[int, list[Json]] = field(default_factory=dict)
    issues: list[Json] = field(default_factory=list)
    artifacts: dict[int, list[tuple[Json, bytes]]] = field(default_factory=dict)
    deployments: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    """(environment, commit, states), newest first, as the states are."""
    history: list[str] = field(default_factory=list)
    """Commits of main, oldest first: what `compare` goes by."""
    refs: dict[str, str] = field(default_factory=lambda: {"refs/heads/main": MAIN})
    trees: dict[str, dict[str, str]] = field(default_factory=dict)
    commits: dict[str, Json] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    storage: list[Mapping[str, str]] = field(default_factory=list)
    broken: int = 0
    """How many requests are answered by 502 first."""
    refuses: str = ""
    """A pattern of `METHOD path` that is answered by 403."""
    url: str = ""
    number: int = 100

    def __post_init__(self) -> None:
        self.trees["t0"] = {}
        self.commits[MAIN] = {"sha": MAIN, "tree": {"sha": "t0"}, "parents": []}

    @property
    def env(self) -> dict[str, str]:
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_RUN_ID": "4711",
            "GITHUB_SHA": MAIN,
        }

    def with_report(self, data: bytes, run: int = 1, **changes: Any) -> None:
        entry = {"id": run * 10, "name": "report", "expired": False, "size_in_bytes": len(data)}
        self.artifacts.setdefault(run, []).append((entry | changes, data))

    def wrote(self) -> list[str]:
        """The requests that were to change something."""
        return [request for request in self.asked if not request.startswith("GET")]

    # -- the routes ------------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: Json, body: Json) -> tuple[int, Any]:
        for verb, pattern, route in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if verb == method and match:
                return route(self, *match.groups(), query=query, body=body)
        return 404, {"message": f"Not Found: {method} {path}"}

    def list_pulls(self, *, query: Json, body: Json) -> tuple[int, Any]:
        found = [
            pull
            for pull in self.pulls
            if pull["state"] == query.get("state", "open")
            and query.get("head") in (None, f"{pull['head']['owner']}:{pull['head']['ref']}")
            and query.get("base") in (None, pull["base"]["ref"])
        ]
        return 200, _page(found, query)

    def open_pull(self, *, query: Json, body: Json) -> tuple[int, Any]:
        self.number += 1
        owner = REPOSITORY.partition("/")[0]
        head = {"ref": body["head"], "owner": owner, "sha": "", "repo": {"id": 1}}
        made = {"number": self.number, "state": "open", "head": head, "base": {"ref": body["base"]}}
        self.pulls.append(made | {"body": body["body"], "title": body["title"]})
        return 201, made

    def list_files(self, number: str, *, query: Json, body: Json) -> tuple[int, Any]:
        files = self.files.get(int(number), [{"filename": "domains/wealth/domain.yaml"}])
        return 200, _page(files, query)

    def list_comments(self, number: str, *, query: Json, body: Json) -> tuple[int, Any]:
        return 200, _page(self.comments.get(int(number), []), query)

    def comment(self, number: str, *, query: Json, body: Json) -> tuple[int, Any]:
        self.number += 1
        made = {"id": self.number, "body": body["body"], "user": BOT}
        self.comments.setdefault(int(number), []).append(made)
        return 201, made

    def edit_comment(self, ident: str, *, query: Json, body: Json) -> tuple[int, Any]:
        for comments in self.comments.values():
            for made in comments:
                if made["id"] == int(ident):
                    made["body"] = body["body"]
                    return 200, made
        return 404, {"message": "Not Found"}

    def delete_comment(self, ident: str, *, query: Json, body: Json) -> tuple[int, Any]:
        for comments in self.comments.values():
            comments[:] = [made for made in comments if made["id"] != int(ident)]
        return 204, None

    def list_issues(self, *, query: Json, body: Json) -> tuple[int, Any]:
        found = [issue for issue in self.issues if issue["state"] == query["state"]]
        return 200, _page(found, query)

    def open_issue(self, *, query: Json, body: Json) -> tuple[int, Any]:
        self.number += 1
        made = {"number": self.number, "state": "open", "user": BOT, **body}
        self.issues.append(made)
        return 201, made

    def edit_issue(self, number: str, *, query: Json, body: Json) -> tuple[int, Any]:
        (issue,) = [issue for issue in self.issues if issue["number"] == int(number)]
        issue |= body
        return 200, issue

    def list_artifacts(self, run: str, *, query: Json, body: Json) -> tuple[int, Any]:
        found = [entry for entry, _ in self.artifacts.get(int(run), [])]
        found = [entry for entry in found if query.get("name") in (None, entry["name"])]
        return 200, {"total_count": len(found), "artifacts": _page(found, query)}

    def artifact(self, ident: str, *, query: Json, body: Json) -> tuple[int, Any]:
        host = self.url.replace("127.0.0.1", "localhost")
        return 302, f"{host}/storage/{ident}"

    def list_deployments(self, *, query: Json, body: Json) -> tuple[int, Any]:
        found = [
            {"id": index, "environment": environment, "sha": sha}
            for index, (environment, sha, _) in enumerate(self.deployments)
            if environment == query["environment"]
        ]
        return 200, _page(found, query)

    def list_statuses(self, ident: str, *, query: Json, body: Json) -> tuple[int, Any]:
        states = self.deployments[int(ident)][2]
        return 200, _page([{"state": state} for state in states], query)

    def compare(self, base: str, head: str, *, query: Json, body: Json) -> tuple[int, Any]:
        if not {base, head} <= set(self.history):
            return 200, {"status": "diverged"}
        distance = self.history.index(head) - self.history.index(base)
        return 200, {
            "status": "identical" if not distance else "ahead" if distance > 0 else "behind"
        }

    def commit(self, sha: str, *, query: Json, body: Json) -> tuple[int, Any]:
        return 200, self.commits[sha]

    def make_tree(self, *, query: Json, body: Json) -> tuple[int, Any]:
        base = self.trees[body["base_tree"]] if "base_tree" in body else {}
        content = base | {e["path"]: e["content"] for e in body["tree"]}
        same = [sha for sha, tree in self.trees.items() if tree == content]
        sha = same[0] if same else _sha(content)
        self.trees[sha] = content
        return 201, {"sha": sha}

    def make_commit(self, *, query: Json, body: Json) -> tuple[int, Any]:
        sha = _sha(body)
        self.commits[sha] = body | {"sha": sha, "tree": {"sha": body["tree"]}}
        return 201, {"sha": sha}

    def matching(self, ref: str, *, query: Json, body: Json) -> tuple[int, Any]:
        found = [
            {"ref": name, "object": {"sha": sha}}
            for name, sha in self.refs.items()
            if name.startswith(f"refs/{ref}")
        ]
        return 200, _page(found, query)

    def make_ref(self, *, query: Json, body: Json) -> tuple[int, Any]:
        if body["ref"] in self.refs:
            return 422, {"message": "Reference already exists"}
        self.refs[body["ref"]] = body["sha"]
        return 201, {"ref": body["ref"]}

    def move_ref(self, ref: str, *, query: Json, body: Json) -> tuple[int, Any]:
        if f"refs/{ref}" not in self.refs:
            return 422, {"message": "Reference does not exist"}
        if (
            not body["force"]
            and self.refs[f"refs/{ref}"] not in self.commits[body["sha"]]["parents"]
        ):
            return 422, {"message": "Update is not a fast forward"}
        self.refs[f"refs/{ref}"] = body["sha"]
        return 200, {"ref": f"refs/{ref}"}

    ROUTES: ClassVar[tuple[tuple[str, str, Callable[..., tuple[int, Any]]], ...]] = (
        ("GET", "pulls", list_pulls),
        ("POST", "pulls", open_pull),
        ("GET", r"pulls/(\d+)/files", list_files),
        ("GET", r"issues/(\d+)/comments", list_comments),
        ("POST", r"issues/(\d+)/comments", comment),
        ("PATCH", r"issues/comments/(\d+)", edit_comment),
        ("DELETE", r"issues/comments/(\d+)", delete_comment),
        ("GET", "issues", list_issues),
        ("POST", "issues", open_issue),
        ("PATCH", r"issues/(\d+)", edit_issue),
        ("GET", r"actions/runs/(\d+)/artifacts", list_artifacts),
        ("GET", r"actions/artifacts/(\d+)/zip", artifact),
        ("GET", "deployments", list_deployments),
        ("GET", r"deployments/(\d+)/statuses", list_statuses),
        ("GET", r"compare/(\w+)\.\.\.(\w+)", compare),
        ("GET", r"git/commits/(\w+)", commit),
        ("POST", "git/trees", make_tree),
        ("POST", "git/commits", make_commit),
        ("GET", r"git/matching-refs/(.+)", matching),
        ("POST", "git/refs", make_ref),
        ("PATCH", r"git/refs/(.+)", move_ref),
    )


def _page(entries: list[Json], query: Json) -> list[Json]:
    size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
    return entries[(page - 1) * size : page * size]


def _sha(content: object) -> str:
    return hashlib.sha1(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextmanager
def serve(state: GitHub) -> Iterator[GitHub]:
    """The mock on a free port; `state.url` is its address."""

    class Handler(loopback.Handler):
        def _any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if parts.path.startswith("/storage/"):
                state.storage.append(dict(self.headers))
                ident = int(parts.path.rpartition("/")[2])
                entries = [e for run in state.artifacts.values() for e in run]
                self.send(200, next(data for entry, data in entries if entry["id"] == ident))
                return
            path = parts.path.removeprefix(f"/repos/{REPOSITORY}/")
            request = f"{self.command} {path}"
            state.asked.append(request)
            if state.broken:
                state.broken -= 1
                self.send(502, b"<html>")
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.send(401, {"message": "Bad credentials"})
            elif state.refuses and re.fullmatch(state.refuses, request):
                self.send(403, {"message": "Resource not accessible by integration"})
            else:
                query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
                code, answer = state.answer(
                    self.command, path, query, json.loads(body) if body else {}
                )
                if code == 302:
                    self.send(code, b"", {"Location": str(answer)})
                else:
                    self.send(code, b"" if code == 204 else answer)

        do_GET = do_POST = do_PATCH = do_DELETE = _any

    with loopback.serving(loopback.Server(Handler)) as server:
        state.url = server.url
        yield state
