"""Reading the runbooks: commands with what they print, and every name that exists on AWS."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from aspora.named_secrets import named_secrets
from aspora.observe.rules import ALERTS
from aspora.registered import Registered, aws_resources
from aspora.render import Object, render
from infra.aws_account import Account
from infra.aws_session import Aws
from infra.registered_stack import registered
from tests.core import ROOT, repository, settings
from tests.pages import blocks, prose, spans

FOLDER = ROOT / "docs/runbooks"
INDEX = FOLDER / "README.md"
ALERT_RUNBOOKS = tuple(FOLDER / f"{name}.md" for name in sorted({a.runbook for a in ALERTS}))
"""Those that an alert links to: shorter, for one who was woken."""
RUNBOOKS = tuple(
    page for page in sorted(FOLDER.glob("*.md")) if page not in (INDEX, *ALERT_RUNBOOKS)
)
PAGES = (INDEX, *RUNBOOKS, *ALERT_RUNBOOKS)
STACKS = ("staging", "prod")
PROGRAMS = ("aspora", "pulumi", "aws", "kubectl", "jq", "psql", "sha256sum", "sort")
_SHELL = re.compile(r"[|;>&]+")


@dataclass(frozen=True)
class Command:
    """One call of a program. `whole` when it stands in a block, to be typed as it is; `text` is
    the line with its pipes, `shown` what the page says it prints."""

    page: Path
    words: tuple[str, ...]
    whole: bool
    text: str
    shown: tuple[str, ...] = ()

    def options(self) -> dict[str, str]:
        """The long options, with their value or nothing."""
        found: dict[str, str] = {}
        following = (*self.words[1:], "--")
        for word, after in pairwise(following):
            if word.startswith("--") and word != "--":
                name, _, value = word.partition("=")
                found[name] = value or ("" if after.startswith("-") else after)
        return found


@cache
def commands(program: str = "") -> tuple[Command, ...]:
    """Every command of all pages, or those of one program."""
    found = [command for page in PAGES for command in (*_of_blocks(page), *_of_spans(page))]
    return tuple(c for c in found if not program or c.words[0] == program)


def _of_blocks(page: Path) -> Iterator[Command]:
    for block in blocks(page):
        for text, shown in _typed(block.lines):
            for words in _calls(text):
                yield Command(page, words, whole=True, text=text, shown=shown)


def _of_spans(page: Path) -> Iterator[Command]:
    for span in spans(prose(page)):
        text = " ".join(span.split())
        if re.match(rf"({'|'.join(PROGRAMS)}) ", text):
            for words in _calls(text):
                yield Command(page, words, whole=False, text=text)


def _typed(lines: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What follows each `$`, over as many lines as its quotes and backslashes take; its output."""
    text, shown = "", list[str]()
    for line in lines:
        if text and not _ends(text):
            text += "\n" + line
            continue
        if line.startswith("$ "):
            if text:
                yield text, tuple(shown)
            text, shown = line[2:], []
        else:
            assert text, f"output without a command: {line}"
            shown.append(line)
    assert _ends(text), text
    yield text, tuple(shown)


def _ends(text: str) -> bool:
    if text.endswith("\\"):
        return False
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True


def _calls(text: str) -> Iterator[tuple[str, ...]]:
    """The programs of a line: pipes, redirections and a loop taken apart."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="|;>&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    call: list[str] = []
    for word in (*lexer, ";"):
        if not _SHELL.fullmatch(word):
            call.append(word)
            continue
        while call and (call[0] == "do" or re.fullmatch(r"[A-Z0-9_]+=\S*", call[0])):
            call = call[1:]
        if call and call[0] not in ("for", "done") and not call[0].endswith(".json"):
            yield tuple(call)
        call = []


def text_of(name: str) -> str:
    """A page on one line, so that a sentence is found wherever it is wrapped."""
    return " ".join((FOLDER / f"{name}.md").read_text("utf-8").split())


@cache
def resources(stack: str) -> tuple[Registered, ...]:
    """What the program registers, without an engine."""
    return registered(stack, ROOT)


def the(stack: str, token: str) -> Mapping[str, Any]:
    """The inputs of the only resource of a type."""
    (found,) = [r for r in aws_resources(resources(stack)) if r.type.endswith(f":{token}")]
    return found.inputs


def account(stack: str) -> Account:
    """What `aspora bootstrap` would work on; nothing is called."""
    wanted = settings(stack)
    return Account(Aws(wanted.region), wanted, "123456789012", "arn:aws:iam::123456789012:role/x")


@cache
def aws_names(stack: str) -> frozenset[str]:
    """Every name and text that the program or `aspora bootstrap` gives on AWS."""
    found = {text for r in resources(stack) for text in (r.name, *_texts(r.inputs))}
    made = account(stack)
    found |= {made.state_bucket, made.tools_bucket, made.alias("pulumi"), made.alias("secrets")}
    return frozenset(found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)


def secret_names(stack: str) -> set[str]:
    """Every named secret."""
    return {secret.name for secret in named_secrets(repository(), settings(stack))}


@cache
def objects(stack: str) -> tuple[Object, ...]:
    """Every Kubernetes object of a stack."""
    return tuple(render(repository(), settings(stack)))
