"""What differs between the files and Langfuse, and the calls that mend it.

Pure: it is given both sides and answers with steps. A version never changes in Langfuse, so a
file's text either is a version already, which then gets the stack's labels, or becomes a new one.
Nothing is deleted: what somebody tries out by hand is theirs, as long as no label of the stack is
on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from aspora.prompts.plan import MANAGED_BY, Wanted, checksum

Json = dict[str, Any]
API = "/api/public/v2/prompts"


@dataclass(frozen=True, slots=True)
class Version:
    """A version in Langfuse; `text` is None for a chat prompt, which no file of ours makes."""

    number: int
    text: str | None
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    config: Any

    @property
    def ours(self) -> bool:
        """Whether a file was it: a copy made by hand keeps our config, and not its checksum."""
        return (
            self.text is not None
            and isinstance(self.config, dict)
            and self.config.get("managed_by") == MANAGED_BY
            and self.config.get("sha256") == checksum(self.text)
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, or with `report` one to know. `stuck`: only a person can mend it."""

    verb: Literal["create", "label", "report"]
    name: str
    what: str
    call: tuple[str, str, Json] | None = None
    stuck: bool = False

    @property
    def shown(self) -> str:
        """`create wealth/advisor/answer/system: version 3`."""
        return f"{self.verb} {self.name}: {self.what}"


def path_of(name: str) -> str:
    """A prompt's address; the slashes of a name are written as %2F."""
    return f"{API}/{quote(name, safe='')}"


def steps(wanted: Sequence[Wanted], found: Mapping[str, Sequence[Version]]) -> tuple[Step, ...]:
    """Everything to do, then everything to know; empty when nothing differs."""
    known = {each.name for each in wanted}
    return (
        *(step for each in wanted for step in _mend(each, found.get(each.name, ()))),
        *(step for each in wanted for step in _by_hand(each.name, found.get(each.name, ()))),
        *(step for name in sorted(found.keys() - known) for step in _nobodys(name, found[name])),
    )


def _mend(wanted: Wanted, there: Sequence[Version]) -> Iterator[Step]:
    if any(version.text is None for version in there):
        what = "is a chat prompt, and can have no version of text; rename one of the two"
        yield Step("report", wanted.name, what, stuck=True)
        return
    same = [each for each in there if (each.text, each.config) == (wanted.text, wanted.config)]
    if not same:
        number = max((version.number for version in there), default=0) + 1
        yield Step("create", wanted.name, f"version {number}", _creation(wanted, there))
        return
    newest = max(same, key=lambda version: version.number)
    missing = [label for label in wanted.labels if label not in newest.labels]
    if missing:
        call = ("PATCH", f"{path_of(wanted.name)}/versions/{newest.number}")
        what = f"version {newest.number}: {', '.join(missing)}{_taken_from(missing, there)}"
        yield Step("label", wanted.name, what, (*call, {"newLabels": missing}))


def _creation(wanted: Wanted, there: Sequence[Version]) -> tuple[str, str, Json]:
    """Tags are of all versions together: what a person added stays."""
    tags = [tag for version in there for tag in version.tags]
    return (
        "POST",
        API,
        {
            "type": "text",
            "name": wanted.name,
            "prompt": wanted.text,
            "config": wanted.config,
            "labels": list(wanted.labels),
            "tags": list(dict.fromkeys((*wanted.tags, *tags))),
            "commitMessage": wanted.message,
        },
    )


def _taken_from(missing: Sequence[str], there: Sequence[Version]) -> str:
    """Who has the labels now; that it was made by hand is what somebody should know."""
    for version in there:
        if set(missing) & set(version.labels):
            by_hand = "" if version.ours else ", made by hand"
            return f" (from version {version.number}{by_hand})"
    return ""


def _by_hand(name: str, there: Sequence[Version]) -> Iterator[Step]:
    numbers = [str(version.number) for version in there if not version.ours]
    if numbers:
        yield Step("report", name, f"made by hand: version {', '.join(numbers)}")


def _nobodys(name: str, there: Sequence[Version]) -> Iterator[Step]:
    """What no file names any more keeps its labels: Langfuse's API takes none away."""
    if any(version.ours for version in there):
        yield Step("report", name, "no file names it any more")
    else:
        yield Step("report", name, "made by hand")
