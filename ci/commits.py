"""Commits by GitHub's API: no Git credential lies on a runner, and GitHub signs what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci.github import Api


@dataclass(frozen=True)
class Branch:
    """A branch that a workflow owns."""

    api: Api
    name: str

    def head(self) -> str | None:
        """Its commit; None while it does not exist."""
        for ref in self.api.pages(f"git/matching-refs/heads/{self.name}"):
            if ref["ref"] == f"refs/heads/{self.name}":
                return str(ref["object"]["sha"])
        return None

    def point(self, sha: str, *, force: bool) -> None:
        """Make it this commit; without `force` only when nothing of it gets lost."""
        if self.head() is None:
            self.api.send("POST", "git/refs", {"ref": f"refs/heads/{self.name}", "sha": sha})
        else:
            body = {"sha": sha, "force": force}
            self.api.send("PATCH", f"git/refs/heads/{self.name}", body)


def tree_of(api: Api, commit: str) -> str:
    """The tree of a commit."""
    return str(api.get(f"git/commits/{commit}")["tree"]["sha"])


def make_tree(api: Api, files: Mapping[str, str], base: str | None = None) -> str:
    """A tree of these files alone, or of them on top of `base`."""
    entries = [
        {"path": path, "mode": "100644", "type": "blob", "content": text}
        for path, text in sorted(files.items())
    ]
    body: dict[str, Any] = {"tree": entries} | ({"base_tree": base} if base else {})
    return str(api.send("POST", "git/trees", body)["sha"])


def make_commit(api: Api, message: str, tree: str, parents: list[str]) -> str:
    """A commit that no branch has yet."""
    body = {"message": message, "tree": tree, "parents": parents}
    return str(api.send("POST", "git/commits", body)["sha"])
