"""A YAML syntax error in words that say what to change.

The parser's own messages name its tokens ("did not find expected key"); these name the tab, the
quote or the indentation that is behind them. Both of PyYAML's parsers are covered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aspora.problems import printable, quoted

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Syntax:
    """What stopped the parser; `index` counts characters from the start of the text."""

    code: str
    index: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Error:
    text: str
    context: str
    opened: int
    """Where the construct began; the same as `index` when the parser does not say."""
    index: int
    problem: str

    @property
    def line_start(self) -> int:
        return self.text.rfind("\n", 0, self.index) + 1

    @property
    def line(self) -> str:
        end = self.text.find("\n", self.index)
        return self.text[self.line_start : end if end >= 0 else None]

    @property
    def rest(self) -> str:
        return self.text[self.index : self.index + 3]

    @property
    def opened_line(self) -> int:
        return self.text.count("\n", 0, self.opened) + 1


def explain(error: Any, text: str) -> Syntax:
    """The words for a `yaml.YAMLError` raised while reading `text`."""
    problem_mark = getattr(error, "problem_mark", None)
    context_mark = getattr(error, "context_mark", None)
    index = min(problem_mark.index if problem_mark else 0, len(text))
    seen = _Error(
        text=text,
        context=getattr(error, "context", None) or "",
        opened=min(context_mark.index, len(text)) if context_mark else index,
        index=index,
        problem=getattr(error, "problem", None) or str(error).partition("\n")[0],
    )
    if tab := _tab(seen):
        return tab
    for pattern, words in _TABLE:
        if re.search(pattern, f"{seen.context}: {seen.problem}"):
            return words(seen)
    return Syntax("ASP101", index, printable(f"not valid YAML: {seen.problem} {seen.context}"))


def _tab(seen: _Error) -> Syntax | None:
    """A tab before the first letter of the line, or where the parser stopped."""
    blank = seen.line[: len(seen.line) - len(seen.line.lstrip(" \t"))]
    if "\t" in blank:
        index = seen.line_start + blank.index("\t")
    elif seen.rest.startswith("\t"):
        index = seen.index
    else:
        return None
    return Syntax("ASP105", index, "a tab stands in the indentation", "indent with two spaces")


def _cannot_start(seen: _Error) -> Syntax:
    message = f"a value cannot begin with {quoted(seen.rest[:1])}"
    return Syntax("ASP101", seen.index, message, "put the value in quotes")


def _no_value(seen: _Error) -> Syntax:
    message = "a value is missing here"
    hint = 'every "[" is closed with "]", every "{" with "}"'
    return Syntax("ASP101", seen.index, message, hint)


def _second_colon(seen: _Error) -> Syntax:
    before = seen.line[: max(seen.line.rfind(": "), 0)]
    if re.match(r"^[^\s:]+:\S+$", before.strip()) or ": " not in before:
        return Syntax(
            "ASP101",
            seen.line_start + len(seen.line) - len(seen.line.lstrip(" ")),
            'a key stands where none can: the line above is not finished or has no ": "',
            'write "key: value" with a blank after the colon, and indent keys of one mapping alike',
        )
    message = 'a second ": " in one line'
    return Syntax("ASP101", seen.index, message, "put the value in quotes if it holds a colon")


def _no_colon(seen: _Error) -> Syntax:
    word = seen.text[seen.opened :].split("\n", 1)[0].strip()
    message = f"expected a key and a colon, found {quoted(word)}"
    return Syntax("ASP101", seen.opened, message, 'write "key: value"')


def _no_key(seen: _Error) -> Syntax:
    before = seen.line[: len(seen.line) - len(seen.text[seen.index :].split("\n", 1)[0])].rstrip()
    if seen.rest.startswith(("- ", "-\n", "-\r")) or seen.rest == "-":
        message = (
            f"a list item among the keys of the mapping that begins in line {seen.opened_line}"
        )
        return Syntax("ASP101", seen.index, message, 'indent "-" deeper than the list\'s key')
    if seen.rest[:1] in {"]", "}"}:
        return Syntax("ASP101", seen.index, f"{quoted(seen.rest[:1])} closes nothing")
    if before.endswith(('"', "'")):
        message = "text goes on after the closing quote"
        return Syntax("ASP101", seen.index, message, "put the whole value between the quotes")
    if seen.rest.startswith(":"):
        return Syntax("ASP101", seen.index, "no key before the colon")
    message = f"expected a key of the mapping that begins in line {seen.opened_line}"
    return Syntax("ASP101", seen.index, message, "indent keys of one mapping by the same width")


def _no_item(seen: _Error) -> Syntax:
    message = f"expected an item of the list that begins in line {seen.opened_line}"
    hint = (
        'items of one list begin with "- " in the same column, their keys right below one another'
    )
    return Syntax("ASP101", seen.index, message, hint)


def _open_bracket(seen: _Error) -> Syntax:
    bracket = seen.text[seen.opened : seen.opened + 1]
    close = "]" if bracket == "[" else "}"
    message = (
        f'expected "," or "{close}": "{bracket}" in line {seen.opened_line} is not closed here'
    )
    return Syntax("ASP101", seen.index, message)


def _open_quote(seen: _Error) -> Syntax:
    return Syntax("ASP101", seen.opened, "the quote that opens here is never closed")


def _escape(seen: _Error) -> Syntax:
    start = seen.text.rfind("\\", 0, seen.index + 1)
    found = seen.text[start : start + 2] if start >= 0 else ""
    message = f"{quoted(found)} begins no valid escape between double quotes"
    return Syntax("ASP101", max(start, 0), message, 'use single quotes, or write "\\\\"')


def _alias(seen: _Error) -> Syntax:
    message = f"a value cannot begin with {quoted(seen.text[seen.opened : seen.opened + 1])}"
    return Syntax("ASP101", seen.opened, message, "put the value in quotes")


def _tag(seen: _Error) -> Syntax:
    return Syntax("ASP110", seen.opened, "a tag is not allowed", "quote text that begins with !")


def _inline_item(seen: _Error) -> Syntax:
    message = "a list item cannot stand here"
    return Syntax("ASP101", seen.index, message, "begin the list on a line of its own")


def _block_header(seen: _Error) -> Syntax:
    message = f"text cannot follow {quoted(seen.text[seen.opened : seen.opened + 1])} in its line"
    return Syntax("ASP101", seen.index, message, "put the value in quotes, or begin it below")


def _after_end(seen: _Error) -> Syntax:
    message = "text goes on after the end of the document"
    return Syntax("ASP101", seen.index, message)


_TABLE: tuple[tuple[str, Callable[[_Error], Syntax]], ...] = (
    (r"<document start>", _after_end),
    (r"cannot start any token", _cannot_start),
    (r"node content", _no_value),
    (r"mapping values are not allowed", _second_colon),
    (r"scanning a simple key", _no_colon),
    (r"block sequence entries are not allowed|sequence entries are not allowed", _inline_item),
    (r"quoted scalar: found unexpected (end of stream|document)", _open_quote),
    (r"escape|hexa?decimal number", _escape),
    (r"scanning an? (alias|anchor)", _alias),
    (r"[Tt]ag|!", _tag),
    (r"block scalar", _block_header),
    (r"flow (sequence|mapping)", _open_bracket),
    (r"block mapping", _no_key),
    (r"block (collection|sequence)", _no_item),
)
