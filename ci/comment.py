"""Post the report of a pull request as its one comment: `python3 -m ci.comment`.

Runs in `comment.yml` (`workflow_run`) with a token that may write, from main. The run it follows
ran the author's code, so its artifact is a stranger's file: it is read in memory, one entry of it,
up to a limit, and must be text that begins with our marker. Which pull request it is about is
taken from the event and from GitHub, never from the file.
"""

from __future__ import annotations

import io
import os
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci.github import BOT, Api, Refused, event, finish, say

MARKER = "<!-- aspora diff: staging -->"
"""The first line of what `aspora diff --stack staging --format markdown` writes."""
ARTIFACT, FILE = "report", "report.md"
MOST_CHARACTERS = 65_536
"""What GitHub takes as a comment."""
MOST_ZIP = 20_000_000
"""Bytes: the artifact also holds the page and the JSON twin."""

_SHA = re.compile(r"[0-9a-f]{40}", re.ASCII)
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}(\[bot\])?", re.ASCII)
_KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, ValueError)
"""What Python's reader raises for a file that somebody made up."""
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Control characters but for tab and line feed, and those that turn the direction of a line."""
_SAFE_FOLDERS = ("domains/", "docs/")
"""What can change nothing of how the report is made."""


@dataclass(frozen=True)
class Run:
    """The run of `pr.yml` that has ended: what of the event is needed, checked."""

    id: int
    sha: str
    owner: str
    branch: str
    head_repository: int
    conclusion: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Run:
        """From the event. Raises Refused when it is not that of a pull request's run."""
        try:
            run = data["workflow_run"]
            if run["event"] != "pull_request":
                raise Refused(f"the run was started by {run['event']}, not by a pull request")
            made = cls(
                int(run["id"]),
                str(run["head_sha"]),
                str(run["head_repository"]["owner"]["login"]),
                str(run["head_branch"]),
                int(run["head_repository"]["id"]),
                str(run["conclusion"]),
            )
        except (KeyError, TypeError, ValueError):
            raise Refused("the event is not that of a run of a pull request") from None
        if not _SHA.fullmatch(made.sha) or not _LOGIN.fullmatch(made.owner):
            raise Refused("the event names no commit of a repository")
        return made


def main(env: Mapping[str, str]) -> int:
    """0 when the comment is as it should be or nothing is to be said, 1 when that failed."""
    try:
        api, run = Api.of(env), Run.of(event(env))
        if run.conclusion in ("cancelled", "skipped"):
            finish("notice", f"the run was {run.conclusion}: a newer one will tell")
            return 0
        number = pull_request(api, run)
        if number is None:
            return 0
        text, refused = body(api, run, number, _server(env))
        post(api, number, text)
    except Refused as error:
        finish("error", str(error))
        return 1
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        finish("error", f"an answer of GitHub is not as its documentation says: {error!r}")
        return 1
    if refused:
        finish("error", f"the report of pull request {number} was not posted: {refused}")
        return 1
    return 0


def pull_request(api: Api, run: Run) -> int | None:
    """The one open pull request whose head is this very commit of this very repository."""
    found = [
        pull
        for pull in api.pages("pulls", state="open", head=f"{run.owner}:{run.branch}")
        if pull["head"]["sha"] == run.sha
        and (pull["head"]["repo"] or {}).get("id") == run.head_repository
    ]
    if len(found) == 1:
        return int(found[0]["number"])
    why = "it is closed, or has a newer commit" if not found else "more than one has this head"
    finish("notice", f"no comment: {why}")
    return None


def body(api: Api, run: Run, number: int, server: str) -> tuple[str, str]:
    """The comment, and why the report was refused; without a report it says so and where to look.

    A comment about an older commit would be taken for one about this one, so there is always one.
    """
    link = f"{server}/{api.repository}/actions/runs/{run.id}"
    foot = f"\n\n<sub>Commit {run.sha[:12]}, [run and files]({link})</sub>\n"
    try:
        report = read(artifact(api, run))
    except Refused as error:
        text = f"{MARKER}\n**There is no report of this commit.** [The run]({link}) says why."
        return text + foot, str(error)
    text = MARKER + "\n" + _warning(api, number) + report.removeprefix(MARKER).lstrip("\n") + foot
    if len(text) > MOST_CHARACTERS:
        text = f"{MARKER}\n**The report is too long for a comment.** [It is here]({link})."
        return text + foot, "too long for a comment"
    return text, ""


def artifact(api: Api, run: Run) -> bytes:
    """The zip file of the run's report. Raises Refused when there is none that can be taken."""
    path = f"actions/runs/{run.id}/artifacts"
    entries = [
        entry
        for entry in api.pages(path, "artifacts", name=ARTIFACT)
        if entry["name"] == ARTIFACT and not entry["expired"]
    ]
    if not entries:
        raise Refused("the run left no report")
    newest = max(entries, key=lambda entry: int(entry["id"]))  # a run that was repeated has several
    if int(newest["size_in_bytes"]) > MOST_ZIP:
        raise Refused(f"the artifact has more than {MOST_ZIP} bytes")
    return api.download(f"actions/artifacts/{int(newest['id'])}/zip", MOST_ZIP)


def read(data: bytes) -> str:
    """The Markdown in the zip file: nothing is unpacked, and nothing is believed of its header."""
    most = MOST_CHARACTERS * 4  # bytes of UTF-8
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.getinfo(FILE).compress_type not in _KINDS:
                raise Refused("the artifact is compressed as GitHub never does it")
            with archive.open(FILE) as file:
                content = file.read(most + 1)
    except KeyError:
        raise Refused(f"the artifact holds no {FILE}") from None
    except (*_BROKEN, OSError) as error:
        raise Refused(f"the artifact is no zip file that can be read: {error}") from None
    if len(content) > most:
        raise Refused(f"{FILE} has more than {most} bytes")
    return checked(content)


def checked(content: bytes) -> str:
    """The report as text: UTF-8, our marker once, at the very start, and no control character."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{FILE} is not UTF-8") from None
    if not text.startswith(f"{MARKER}\n") or text.count(MARKER) != 1:
        raise Refused(f"{FILE} does not begin with the marker, or holds it twice")
    if len(text) > MOST_CHARACTERS:
        raise Refused(f"{FILE} has more than {MOST_CHARACTERS} characters")
    if _HIDDEN.search(text):
        raise Refused(f"{FILE} holds characters that a reviewer cannot see")
    return text


def _warning(api: Api, number: int) -> str:
    """Said when the author's own code may have written the report."""
    changed = api.pages(f"pulls/{number}/files")
    names = [(str(f["filename"]), str(f.get("previous_filename", ""))) for f in changed]
    outside = sum(1 for both in names for name in both if name and not _safe(name))
    if not outside:
        return ""
    files = "1 file" if outside == 1 else f"{outside} files"
    return (
        f"> [!WARNING]\n> This pull request changes {files} outside of `domains/` and `docs/`, so"
        " its own code may have written what follows: take it as its author's word.\n\n"
    )


def _safe(name: str) -> bool:
    return name.startswith(_SAFE_FOLDERS)


def post(api: Api, number: int, text: str) -> None:
    """Make the one comment this text: ours is told by the marker and by who wrote it."""
    ours = [
        comment
        for comment in api.pages(f"issues/{number}/comments")
        if str(comment["body"]).startswith(MARKER) and (comment["user"] or {}).get("login") == BOT
    ]
    if not ours:
        api.send("POST", f"issues/{number}/comments", {"body": text})
        say(f"commented on pull request {number}")
        return
    first, *others = ours
    if first["body"] == text:
        say(f"the comment on pull request {number} says so already")
    else:
        api.send("PATCH", f"issues/comments/{int(first['id'])}", {"body": text})
        say(f"updated the comment on pull request {number}")
    for other in others:
        api.delete(f"issues/comments/{int(other['id'])}")
        say("removed a second comment")


def _server(env: Mapping[str, str]) -> str:
    server = env.get("GITHUB_SERVER_URL", "")
    if not re.fullmatch(r"https?://[A-Za-z0-9.:-]+", server):
        raise Refused("GITHUB_SERVER_URL is no address")
    return server


if __name__ == "__main__":
    sys.exit(main(os.environ))
