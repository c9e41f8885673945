"""What `pulumi refresh --preview-only --json` found, and the issue that tells it.

`summary STACK` reads the engine's JSON on a runner inside the VPC and keeps addresses and names of
properties: values stay there. `tell FOLDER` runs elsewhere, with a token that may write issues:
one issue for each stack, opened, kept up to date, and closed when the drift is gone.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ci.github import BOT, Api, Refused, outcome, say

STACKS = ("staging", "prod")
SAME = frozenset(("same", "refresh", "read"))
"""Operations of the engine that change nothing."""
SHOWN = 200
"""Resources that the issue lists; the rest is counted."""
MOST = 40_000_000
"""Bytes of the engine's JSON; 1,400 resources with their states have about 9 MB."""
TITLE = "Drift in {stack}: what runs is not what was deployed"

_URN = re.compile(r"urn:pulumi:[\w.-]+::[\w.-]+::[^\s`|]{1,400}", re.ASCII)
_OPERATION = re.compile(r"[a-z-]{1,40}", re.ASCII)
_PROPERTY = re.compile(r"[\w.\[\]\"/-]{1,200}", re.ASCII)


def summary(stack: str, stream: IO[str]) -> dict[str, Any]:
    """What has changed outside of Pulumi: counts, and the resources with names of properties."""
    text = stream.read(MOST + 1)
    try:
        digest: Any = json.loads(text) if len(text) <= MOST else None
        counts = {str(op): int(n) for op, n in digest["changeSummary"].items() if op not in SAME}
        steps = [step for step in digest.get("steps", ()) if step["op"] not in SAME]
        changed = [
            {"op": str(step["op"]), "urn": str(step["urn"]), "properties": _properties(step)}
            for step in steps
        ]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise Refused("pulumi printed no summary: see its messages above") from None
    changed.sort(key=lambda entry: (entry["urn"], entry["op"]))
    return {"stack": stack, "counts": counts, "changed": changed}


def _properties(step: Mapping[str, Any]) -> list[str]:
    """Their names; one that Markdown might take for something else is `other`."""
    names = map(str, step.get("detailedDiff") or ())
    return sorted({name if _PROPERTY.fullmatch(name) else "other" for name in names})


def tell(api: Api, found: Mapping[str, Any], link: str) -> None:
    """Open, update or close the stack's issue."""
    stack = found["stack"]
    marker = f"<!-- aspora:drift:{stack} -->"
    issues = [
        issue
        for issue in api.pages("issues", state="open")
        if str(issue["body"]).startswith(marker)
        and (issue["user"] or {}).get("login") == BOT
        and "pull_request" not in issue
    ]
    if not sum(found["counts"].values()):
        for issue in issues:
            number = int(issue["number"])
            api.send("POST", f"issues/{number}/comments", {"body": f"[The drift is gone]({link})."})
            api.send("PATCH", f"issues/{number}", {"state": "closed"})
            say(f"{stack}: closed issue {number}, the drift is gone")
        if not issues:
            say(f"{stack}: no drift")
        return
    text = f"{marker}\n{_body(found)}"
    whole = f"{text}\n\n[The run that saw it first]({link})\n"
    if not issues:
        made = api.send("POST", "issues", {"title": TITLE.format(stack=stack), "body": whole})
        say(f"{stack}: opened issue {int(made['number'])}")
        return
    number = int(issues[0]["number"])
    if str(issues[0]["body"]).startswith(text):
        say(f"{stack}: issue {number} says so already")
        return
    api.send("PATCH", f"issues/{number}", {"body": whole})
    say(f"{stack}: updated issue {number}")


def _body(found: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{n} {op}" for op, n in sorted(found["counts"].items()))
    lines = [
        f"Resources of `{found['stack']}` were changed outside of Pulumi: {counts}.",
        "",
        "Either put it back (`pulumi up` does, for what the program sets), or write it into the",
        "files. docs/ci.md says how to look at the values.",
        "",
        "| | Resource | Properties |",
        "|---|---|---|",
        *_rows(found["changed"][:SHOWN]),
    ]
    missing = sum(found["counts"].values()) - min(len(found["changed"]), SHOWN)
    if missing > 0:
        lines += ["", f"and {missing} more"]
    return "\n".join(lines)


def _rows(changed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for entry in changed:
        kind, _, name = entry["urn"].rpartition("::")
        properties = " ".join(f"`{name}`" for name in entry["properties"][:10])
        more = len(entry["properties"]) - 10
        yield (
            f"| {entry['op']} | `{kind.rpartition('$')[2].rpartition('::')[2]}` `{name}`"
            f" | {properties}{f' and {more} more' if more > 0 else ''} |"
        )


def read(folder: Path) -> list[dict[str, Any]]:
    """The summaries that the runners left, each checked: they become Markdown."""
    found = []
    for path in sorted(folder.glob("**/*.json")):
        data = json.loads(path.read_text("utf-8"))
        if not _holds(data):
            raise Refused(f"{path.name} is no summary of drift")
        found.append(data)
    if not found:
        raise Refused(f"there is no summary in {folder}: nobody has looked for drift")
    return found


def _holds(data: Any) -> bool:
    try:
        return (
            data["stack"] in STACKS
            and all(_OPERATION.fullmatch(op) for op in data["counts"])
            and all(type(count) is int and count >= 0 for count in data["counts"].values())
            and all(
                _OPERATION.fullmatch(entry["op"])
                and _URN.fullmatch(entry["urn"])
                and all(_PROPERTY.fullmatch(name) for name in entry["properties"])
                for entry in data["changed"]
            )
        )
    except (KeyError, TypeError, AttributeError):
        return False


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """`summary STACK` (JSON in and out) or `tell FOLDER`; 0, or 1 when it could not be done."""
    match arguments:
        case ["summary", stack] if stack in STACKS:
            return outcome(lambda: json.dump(summary(stack, sys.stdin), sys.stdout, indent=2))
        case ["tell", folder]:
            return outcome(lambda: _tell_all(Path(folder), env))
        case _:
            sys.stderr.write("usage: python3 -m ci.drift summary STACK | tell FOLDER\n")
            return 2


def _tell_all(folder: Path, env: Mapping[str, str]) -> None:
    api = Api.of(env)
    runs = f"{env['GITHUB_SERVER_URL']}/{api.repository}/actions/runs"
    link = f"{runs}/{int(env['GITHUB_RUN_ID'])}"
    for found in read(folder):
        tell(api, found, link)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
