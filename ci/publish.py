"""Write the rendered tree to the branch that Argo CD reads: `python3 -m ci.publish FOLDER BRANCH`.

The branch holds what `aspora render --out` wrote and nothing else, one commit for each deployment
that changed it, so its history is that of what ran.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci.commits import Branch, make_commit, make_tree, tree_of
from ci.github import Api, Refused, outcome, say

OURS = re.compile(r"rendered/[a-z]{1,30}", re.ASCII)
"""Branches that this may write: never one that people work on."""
MOST = 20_000_000


def publish(api: Api, name: str, commit: str, files: Mapping[str, str]) -> None:
    """One commit on the branch, unless it holds these files already."""
    if not OURS.fullmatch(name):
        raise Refused(f"{name} is no branch of rendered trees")
    branch = Branch(api, name)
    head = branch.head()
    tree = make_tree(api, files)
    if head is not None and tree == tree_of(api, head):
        say(f"{name} holds this tree already")
        return
    made = make_commit(api, f"Rendered from {commit}", tree, [head] if head else [])
    branch.point(made, force=False)
    say(f"{name}: {len(files)} files from {commit}")


def read(folder: Path) -> dict[str, str]:
    """Every file below the folder. Raises Refused for none, a link, or too much."""
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    links = [path for path in paths if path.is_symlink()]
    if not paths or links:
        raise Refused(f"{links[0].name} is a link" if links else "there is no rendered tree")
    if sum(path.stat().st_size for path in paths) > MOST:
        raise Refused(f"the rendered tree has more than {MOST} bytes")
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in paths}


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """0 when the branch holds the tree, 1 when that failed, 2 when called wrongly."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python3 -m ci.publish FOLDER BRANCH\n")
        return 2
    folder, branch = arguments
    return outcome(lambda: publish(Api.of(env), branch, env["GITHUB_SHA"], read(Path(folder))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
