"""Propose new prices as a pull request: `python3 -m ci.propose FOLDER`.

The files come from a job that asked the Internet and could write nothing. Here only those that
stand in the table below are taken, and only when they are JSON; they are written by GitHub's API
as one commit on a branch of its own, so that no Git credential lies on the runner.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci.commits import Branch, make_commit, make_tree, tree_of
from ci.github import Api, Refused, outcome, say

BRANCH = "prices/refresh"
TITLE = "Prices of this week"
FILES = (
    "aspora/data/aws-prices.json",
    "aspora/data/model-prices.json",
    "aspora/data/openrouter-models.json",
)
"""What a refresh may change."""
MOST = 20_000_000
BODY = """\
Written by `prices.yml` with `aspora prices refresh`. Look for prices that moved by more than you
would think, and at what became unpriced.

A pull request that a workflow opens starts no other workflow: close and reopen it, and its checks
run.
"""


def propose(api: Api, base: str, commit: str, contents: Mapping[str, str]) -> None:
    """Make the branch this commit's tree with the new files, and one pull request of it."""
    before = tree_of(api, commit)
    tree = make_tree(api, contents, before)
    if tree == before:
        say("the prices are those of the repository: nothing to propose")
        return
    # The branch is the workflow's own: what stood there was last week's.
    Branch(api, BRANCH).point(make_commit(api, TITLE, tree, [commit]), force=True)
    owner = api.repository.partition("/")[0]
    pulls = list(api.pages("pulls", state="open", head=f"{owner}:{BRANCH}", base=base))
    if pulls:
        say(f"pull request {int(pulls[0]['number'])} has the prices of today")
        return
    pull = {"title": TITLE, "head": BRANCH, "base": base, "body": BODY}
    say(f"opened pull request {int(api.send('POST', 'pulls', pull)['number'])}")


def read(folder: Path) -> dict[str, str]:
    """The new files by their path in the repository. Raises Refused for anything else."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if _file(path)}
    others = sorted(found.keys() - set(FILES))
    if others or not found:
        what = f"{others[0]} is no file of prices" if others else "no file of prices was handed on"
        raise Refused(what)
    contents: dict[str, str] = {}
    for name, path in found.items():
        if path.stat().st_size > MOST:
            raise Refused(f"{name} has more than {MOST} bytes")
        contents[name] = path.read_text("utf-8")
        json.loads(contents[name])
    return contents


def _file(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """0 when the prices are proposed or are no news, 1 when that failed, 2 when called wrongly."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python3 -m ci.propose FOLDER\n")
        return 2
    folder = Path(arguments[0])
    return outcome(lambda: propose(Api.of(env), env["BASE"], env["GITHUB_SHA"], read(folder)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
