"""YAML files as data with positions: read by strangers' rules, so nothing in them may raise.

One pass over the parser's events (libyaml's, or PyYAML's own where libyaml is missing) with an
explicit stack: text from a pull request must not end in a RecursionError. Anchors and aliases
are refused, which rules out alias bombs. Everything that YAML readers disagree about is a
problem with a position instead of a guess (aspora/yaml_scalars.py).
"""

from __future__ import annotations

import errno
import os
import re
import stat
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aspora.problems import MAX_PER_FILE, Path, Position, Problem, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

AnyPath = str | os.PathLike[str]

MAX_BYTES = 1024 * 1024
"""A domain file of this size would hold some 3,000 skills."""
TOO_BIG = "a domain file has some kilobytes: make it smaller"

MAX_DEPTH = 40
"""Mappings and lists within one another; the schema needs 8."""

# Unseen characters: C0 and C1 controls, line and paragraph separators, zero-width blanks and
# marks of writing direction, lone surrogates, noncharacters.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufffe\uffff]"
)
_HARD_BLANK = re.compile("(?m)(?:^[ ]*|[:-][ ]*)(\u00a0)")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_WRITTEN = re.compile(r"[^\s,\]}]+")


class Map(dict[str, Any]):
    """A mapping; `marks` holds where each key and its value stand, in turn."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        self.marks: list[int] = []


class List(list[Any]):
    """A list; `marks` holds where each item stands."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        self.marks: list[int] = []


@dataclass(eq=False)
class Document:
    """What a file holds. `data` is empty when its top level is no mapping."""

    file: str
    text: str = field(repr=False)
    data: Map = field(default_factory=Map)
    problems: tuple[Problem, ...] = ()
    complete: bool = False
    """Whether the parser came to the end: what `data` lacks is then lacking in the file."""
    start: int = 0

    def position(self, path: Sequence[str | int], *, key: bool = False) -> Position:
        """Where the value at a path begins, or its key.

        A path that does not exist answers with the key of its nearest parent; an item of a list
        has no key and answers with its own place.
        """
        existing = self.resolve(path)
        return self.place(self._mark(existing, key=key or len(existing) < len(path)))

    def value(self, path: Sequence[str | int]) -> Any:
        """The value at a path that exists (see `resolve`)."""
        node: Any = self.data
        for item in path:
            node = node[item]
        return node

    def resolve(self, path: Sequence[str | int]) -> Path:
        """The part of a path that exists. Items that lead nowhere, such as the tags pydantic
        puts in for the members of a union, are left out.
        """
        node: Any = self.data
        existing: list[str | int] = []
        for item in path:
            if isinstance(node, Map) and item in node:
                node = node[str(item)]
            elif isinstance(node, List) and isinstance(item, int) and 0 <= item < len(node):
                node = node[item]
            else:
                continue
            existing.append(item)
        return tuple(existing)

    def source(self, path: Sequence[str | int]) -> str:
        """A number or boolean as written: `1.20` where the value is 1.2; else empty."""
        if not isinstance(self.value(path), int | float):
            return ""
        match = _WRITTEN.match(self.text, self._mark(tuple(path), key=False))
        return match[0] if match else ""

    def place(self, index: int) -> Position:
        """The position of a character; the end of the text belongs to its last line."""
        if index >= len(self.text):
            index = len(self.text.rstrip("\r\n"))
        line = bisect_right(self._line_starts, index)
        return Position(self.file, line, index - self._line_starts[line - 1] + 1)

    def _mark(self, path: Path, *, key: bool) -> int:
        node: Any = self.data
        at_key = at_value = self.start
        for item in path:
            if isinstance(node, Map):
                index = 2 * list(node).index(str(item))
                at_key, at_value = node.marks[index], node.marks[index + 1]
            else:
                at_key = at_value = node.marks[item]
            node = node[item]
        return at_key if key else at_value

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_BREAK.finditer(self.text))]


def read(path: AnyPath, *, name: str | None = None, inside: AnyPath | None = None) -> str | Problem:
    """The text of a file, or the problem that keeps it from being read.

    `name` is what problems call the file. With `inside`, a symbolic link that leads out of that
    folder is refused: a pull request must not make CI print a file of the runner's.
    """
    file = printable(name if name is not None else os.fspath(path))
    try:
        raw = _read_bytes(os.fspath(path), inside)
    except (OSError, ValueError) as error:
        return Problem("ASP102", "", _cannot_read(error), Position(file, 1, 1))
    return decode(raw, file)


def unseen(text: str, file: str) -> Problem | None:
    """The first character of a text that no reviewer would see, in a file that is no YAML."""
    match = _FORBIDDEN.search(text)
    if match is None:
        return None
    message = f"a character that cannot be seen, U+{ord(match[0]):04X}"
    return Problem("ASP104", "", message, Document(file, text).place(match.start()), "delete it")


def load(path: AnyPath, *, inside: AnyPath | None = None, name: str = "") -> Document:
    """Read and parse a file; one that cannot be read is a document with that problem.

    `name` is what problems call it, where that is not its path.
    """
    name = name or printable(os.fspath(path).replace(os.sep, "/"))
    text = read(path, name=name, inside=inside)
    if isinstance(text, Problem):
        return Document(name, "", problems=(text,))
    return parse(text, name)


def parse(text: str, file: str) -> Document:
    """Read a text; all that is wrong with it stands in `Document.problems`, sorted."""
    file = printable(file)
    text = text.removeprefix("\ufeff")
    document = Document(file, text)
    if len(text) > MAX_BYTES:
        document.problems = (_too_big(file),)
        return document
    document.problems = _forbidden(document)
    if not document.problems:
        from aspora.yaml_reader import Reader

        Reader(document).run()
    return document


def _read_bytes(path: str, inside: str | os.PathLike[str] | None) -> bytes:
    if inside is not None:
        folder = os.path.realpath(inside)
        if os.path.commonpath([folder, os.path.realpath(path)]) != folder:
            raise ValueError("a symbolic link leads out of the folder")
    # Non-blocking, so that opening a named pipe does not wait for a writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is no ordinary file")
        return stream.read(MAX_BYTES + 1)


def _cannot_read(error: OSError | ValueError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    reasons = {
        errno.ENOENT: "there is no such file",
        errno.EISDIR: "it is a folder",
        errno.EACCES: "this user may not read it",
        errno.EPERM: "this user may not read it",
        errno.ELOOP: "its symbolic links lead in a circle",
        errno.ENOTDIR: "a part of its path is no folder",
        errno.ENAMETOOLONG: "its name is too long",
    }
    if number in reasons:
        return f"cannot be read: {reasons[number]}"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot be read: {printable(text)}"


def _too_big(file: str) -> Problem:
    message = f"the file is bigger than {MAX_BYTES // 1024} KiB"
    return Problem("ASP113", "", message, Position(file, 1, 1), TOO_BIG)


def decode(raw: bytes, file: str) -> str | Problem:
    """The text of a file that was read already, or the problem with it."""
    if len(raw) > MAX_BYTES:
        return _too_big(file)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        position = Position(file, 1, 1)
        return Problem("ASP103", "", "the file is UTF-16", position, "save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = error.object[: error.start].decode("utf-8", "replace")
        place = Document(file, good + "?").place(len(good))
        message = f"byte 0x{error.object[error.start]:02x} is not UTF-8"
        return Problem("ASP103", "", message, place, "save the file as UTF-8")


def _forbidden(document: Document) -> tuple[Problem, ...]:
    """Characters that may not stand in the text; the parser would stop at the first of them."""
    text = document.text
    if text.isascii() and text.isprintable():
        return ()
    places = [(match.start(), match[0]) for match in _FORBIDDEN.finditer(text)]
    places += [(match.start(1), match[1]) for match in _HARD_BLANK.finditer(text)]
    problems = []
    for index, character in sorted(places)[:MAX_PER_FILE]:
        what = "a no-break space" if character == "\u00a0" else "a character that cannot be seen"
        message = f"{what}, U+{ord(character):04X}"
        hint = "delete it, or write it as an escape between double quotes"
        problems.append(Problem("ASP104", "", message, document.place(index), hint))
    return tuple(problems)
