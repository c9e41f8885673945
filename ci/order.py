"""Never back by accident: `python3 -m ci.order ENVIRONMENT`, before an `up`.

An approval that waited for days, or "re-run all jobs" on an old run, would put an old commit over
a newer one. A way back is a revert on main, which is reviewed and newer.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import islice

from ci.github import Api, Refused, outcome, say

LOOKED_AT = 50
"""Deployments, newest first, among which the last one that succeeded is looked for."""
_SHA = re.compile(r"[0-9a-f]{40}", re.ASCII)


def check(api: Api, environment: str, commit: str) -> None:
    """Raises Refused when what was deployed last is not an ancestor of `commit`."""
    last = last_deployed(api, environment)
    if last is None:
        say(f"{environment}: nothing was deployed before")
        return
    status = str(api.get(f"compare/{last}...{commit}")["status"])
    if status not in ("ahead", "identical"):
        raise Refused(
            f"{environment} runs {last[:12]}, and {commit[:12]} is {status}: run the newest commit"
            " of main; a way back is a revert there"
        )
    say(f"{environment}: {commit[:12]} is {status} of {last[:12]}, which runs there")


def last_deployed(api: Api, environment: str) -> str | None:
    """The commit of the last deployment that succeeded; None when none of the newest did."""
    deployments = api.pages("deployments", environment=environment)
    for deployment in islice(deployments, LOOKED_AT):
        states = api.pages(f"deployments/{int(deployment['id'])}/statuses")
        if any(status["state"] == "success" for status in states):
            if not _SHA.fullmatch(str(deployment["sha"])):
                raise Refused("GitHub names no commit of a deployment")
            return str(deployment["sha"])
    return None


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """0 when the commit may be deployed, 1 when it may not or nobody can tell, 2 on misuse."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python3 -m ci.order ENVIRONMENT\n")
        return 2
    return outcome(lambda: check(Api.of(env), arguments[0], env["GITHUB_SHA"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
