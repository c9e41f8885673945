"""Strangers' text in Markdown: it may show, and do nothing.

A value goes into a code span, where GitHub neither links nor mentions nor reads HTML; a sentence is
escaped, and what would become a mention, a reference or a link is broken by a blank of no width,
since GitHub looks for those after the escapes are gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from aspora.problems import printable

BREAK = "\u200b"
"""A blank of no width."""
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_LINKS = re.compile(r"@|#(?=\w)|:(?=//)|(?i:\bwww)(?=\.)|(?i:\bgh)(?=-\d)")
_HASHES = re.compile(r"\b[0-9a-f]{7,64}\b")
_RUNS = re.compile(r"`+")


def html(text: str) -> str:
    """Text between tags, or in an attribute."""
    return "".join(_HTML.get(character, character) for character in printable(text))


def sentence(text: str) -> str:
    """Words of ours with values of theirs in them."""
    broken = _LINKS.sub(lambda match: match[0] + BREAK, printable(text))
    broken = _HASHES.sub(lambda match: match[0][:1] + BREAK + match[0][1:], broken)
    escaped = "".join(_HTML.get(character, character) for character in broken)
    return re.sub(r"([\\`*_{}\[\]|~$])", r"\\\1", escaped)


def code(text: str, *, cell: bool = False) -> str:
    """A value as a code span; `cell`: within a table, where a pipe would end it."""
    shown = printable(text).strip() or " "
    fence = "`" * (max(map(len, _RUNS.findall(shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    span = f"{fence}{pad}{shown}{pad}{fence}"
    return span.replace("|", "\\|") if cell else span


def block(lines: Iterable[str], language: str = "diff") -> str:
    """Lines as a fenced block that none of them can close."""
    shown = [printable(line) for line in lines]
    longest = max((len(run) for line in shown for run in _RUNS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((f"{fence}{language}", *shown, fence))
