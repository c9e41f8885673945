"""Git revisions as files, read from the object store: the working tree is never touched.

A revision comes from a stranger as often as not. Nothing of it is run here, no hook, filter or
submodule; a symbolic link in the place of a file is a problem; nothing is fetched.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from aspora.errors import EnvironmentFailure, UsageError
from aspora.problems import Position, Problem, printable, quoted
from aspora.yamldoc import MAX_BYTES, TOO_BIG, decode

SECONDS = 60
"""More than any of these commands takes on a repository that can be worked in."""
MAX_FILES = 20_000
MAIN = ("origin/main", "main")
"""Where changes go; the first that is there."""
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
_BLOB, _LINK, _MODULE = "100", "120000", "160000"


class Entry(NamedTuple):
    """A file of a revision: its mode, the hash of its content, its size and its path."""

    mode: str
    hash: str
    size: int
    path: str


@dataclass(frozen=True)
class Repository:
    """The Git repository that `root` stands in; paths are relative to `root`."""

    root: Path

    def commit(self, revision: str) -> str:
        """The hash of a revision's commit; UsageError when there is none."""
        wanted = f"{revision}^{{commit}}"
        found = self._try("rev-parse", "--verify", "--quiet", "--end-of-options", wanted)
        if found is None:
            raise UsageError(
                f"there is no revision {quoted(revision)} in this repository",
                hint="name a branch, a tag or a commit (git fetch brings those of the server), "
                "or a folder",
            )
        return found.decode().strip()

    def main(self) -> str | None:
        """The branch that changes go to."""
        for name in MAIN:
            ref = f"refs/remotes/{name}" if "/" in name else f"refs/heads/{name}"
            if self._try("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}") is not None:
                return name
        return None

    def branch_point(self, head: str) -> tuple[str, str]:
        """Where `head` left main: the branch's name and the commit."""
        main = self.main()
        if main is None:
            raise UsageError(
                "there is no branch main to compare with",
                hint="name the other side: aspora diff --base REVISION (or a folder)",
            )
        found = self._try("merge-base", main, head)
        if found is None:
            raise UsageError(
                f"{printable(head)} and {main} have no commit in common",
                hint="a shallow clone lacks it: git fetch --unshallow; or name it with --base",
            )
        return main, found.decode().strip()

    def is_merged(self, commit: str) -> bool:
        """Whether a commit is part of main already, so that somebody has approved it."""
        main = self.main()
        return main is not None and (
            self._try("merge-base", "--is-ancestor", commit, main) is not None
        )

    def entries(self, commit: str, paths: Sequence[str]) -> tuple[Entry, ...]:
        """Everything below `paths` in a commit, links and submodules too."""
        listed = self._run("ls-tree", "-r", "-z", "--long", commit, "--", *paths)
        found = []
        for line in listed.decode("utf-8", "surrogateescape").split("\0"):
            head, _, path = line.partition("\t")
            if path:
                mode, _, sha, size = head.split()
                found.append(Entry(mode, sha, int(size) if size.isdigit() else 0, path))
        if len(found) > MAX_FILES:
            raise UsageError(f"{commit[:12]} holds {len(found)} files below {', '.join(paths)}")
        return tuple(found)

    def contents(self, entries: Sequence[Entry]) -> dict[str, bytes]:
        """The contents of files, by path."""
        if not entries:
            return {}
        wanted = "".join(f"{entry.hash}\n" for entry in entries).encode()
        data = self._run("cat-file", "--batch", given=wanted)
        found, at = {}, 0
        for entry in entries:
            end = data.index(b"\n", at)
            words = data[at:end].split()
            if len(words) != 3:
                raise EnvironmentFailure(
                    f"Git has no content of {printable(entry.path)}",
                    hint="a partial clone lacks it: fetch the revision as a whole",
                )
            size = int(words[2])
            found[entry.path] = data[end + 1 : end + 1 + size]
            at = end + 2 + size
        return found

    def texts(self, commit: str, paths: Sequence[str]) -> dict[str, str | Problem]:
        """The files below `paths` as texts, or what is wrong with each."""
        entries = self.entries(commit, paths)
        readable = [e for e in entries if e.mode.startswith(_BLOB) and e.size <= MAX_BYTES]
        contents = self.contents(readable)
        found: dict[str, str | Problem] = {}
        for entry in entries:
            name = printable(entry.path)
            if entry.path in contents:
                found[entry.path] = decode(contents[entry.path], name)
            else:
                found[entry.path] = _refused(entry, name)
        return found

    def _run(self, *arguments: str, given: bytes | None = None) -> bytes:
        done = self._git(arguments, given)
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace").strip().splitlines()
            why = printable(words[-1]) if words else "no reason given"
            raise EnvironmentFailure(
                f"git {arguments[0]} failed: {why}",
                hint="run it in a clone of the repository",
            )
        return done.stdout

    def _try(self, *arguments: str) -> bytes | None:
        """None where Git knows no such thing; UsageError where it does not take the folder for a
        repository at all, so that no branch or revision would be the way out."""
        done = self._git(arguments, None)
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.decode("utf-8", "replace")
        where = quoted(str(self.root))
        if "not a git repository" in said:
            raise UsageError(
                f"{where} is no Git repository, or its .git is broken",
                hint="run it in a clone, or compare folders: --base DIR --head DIR",
            )
        if "dubious ownership" in said:
            raise UsageError(
                f"Git reads nothing in {where}: it belongs to another user",
                hint=f"if you trust it: git config --global --add safe.directory {self.root}",
            )
        return None

    def _git(
        self, arguments: Sequence[str], given: bytes | None
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603 - fixed commands; revisions come after --verify
                ["git", *_SAFE, *arguments],  # noqa: S607 - the user's own git
                cwd=self.root,
                env={**_inherited(), **_ENVIRONMENT},
                input=given,
                stdin=subprocess.DEVNULL if given is None else None,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise EnvironmentFailure(
                "git is not installed", hint="install it, or compare folders: --base DIR --head DIR"
            ) from None
        except subprocess.TimeoutExpired:
            raise EnvironmentFailure(f"git {arguments[0]} took more than {SECONDS} s") from None


def _inherited() -> Mapping[str, str]:
    """Our environment without what would point git at another repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def _refused(entry: Entry, name: str) -> Problem:
    if entry.mode == _LINK:
        what = "cannot be read: it is a symbolic link"
    elif entry.mode == _MODULE:
        what = "cannot be read: it is a submodule"
    else:
        what = f"the file is bigger than {MAX_BYTES // 1024} KiB"
    big = entry.size > MAX_BYTES
    code, hint = ("ASP113", TOO_BIG) if big else ("ASP102", "put an ordinary file there")
    return Problem(code, "", what, Position(name, 1, 1), hint)
