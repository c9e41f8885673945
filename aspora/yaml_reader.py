"""The loop behind `yamldoc.parse`: parser events in, a document's data and problems out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml import events

from aspora.problems import MAX_PER_FILE, Problem, format_path, found, printable, quoted
from aspora.yaml_errors import explain
from aspora.yaml_scalars import alternative, resolve
from aspora.yamldoc import MAX_DEPTH, Document, List, Map

if TYPE_CHECKING:
    from collections.abc import Callable

_SURROGATE = re.compile("[\ud800-\udfff]")
"""Only PyYAML's own parser lets them pass, as escapes."""


def make_parser(text: str) -> Any:
    """libyaml's parser, or PyYAML's own where that was built without it."""
    if yaml.__with_libyaml__:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]

        return CParser(text)
    return yaml.SafeLoader(text)


class _Stop(Exception):
    """Nothing more can be read."""


class Reader:
    """Builds a document's data from the parser's events."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.root = List()
        self.node: Map | List = self.root
        self.key: str | None = None
        self.key_mark = 0
        self.keep = True
        """False while the value of a refused key is read."""
        # The parents: each with the key its child stands at and whether that child is a key.
        self.stack: list[tuple[Map | List, str | int, bool]] = []
        self.documents = 0

    def run(self) -> None:
        """Fill the document; called once."""
        document = self.document
        try:
            self._loop(make_parser(document.text))
            document.complete = True
        except _Stop:
            pass
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # PyYAML's own: chr(), int()
            seen = explain(error, document.text)
            place = document.place(seen.index)
            self.problems.append(Problem(seen.code, "", seen.message, place, seen.hint))
        self._finish()

    def _loop(self, parser: Any) -> None:
        handlers: dict[type, Callable[[Any], None]] = {
            events.ScalarEvent: self._scalar,
            events.MappingStartEvent: lambda event: self._open(Map(), event),
            events.SequenceStartEvent: lambda event: self._open(List(), event),
            events.MappingEndEvent: self._close,
            events.SequenceEndEvent: self._close,
            events.AliasEvent: self._alias,
            events.DocumentStartEvent: self._document,
        }
        get_event = parser.get_event
        while (event := get_event()) is not None:
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event)

    def _finish(self) -> None:
        document = self.document
        top = None
        if self.root:
            top, document.start = self.root[0], self.root.marks[0]
        if isinstance(top, Map):
            document.data = top
        elif document.complete:
            document.complete = False
            self.problems.append(self._no_mapping(top))
        document.problems = tuple(sorted(self.problems))

    def _no_mapping(self, top: Any) -> Problem:
        message = f"expected keys and values at the top level, found {found(top)}"
        stack = self.document.file.startswith("Pulumi.")
        hint = "for example config:" if stack else "for example name: wealth"
        if isinstance(top, str) and re.match(r"[^\s:]+:[^\s:]", top):
            hint = 'a blank is missing after the colon: "key: value"'
        if top is None:
            message = "the file is empty"
        place = self.document.place(self.document.start)
        return Problem("ASP112", "", message, place, hint)

    def _scalar(self, event: Any) -> None:
        text: str = event.value
        mark: int = event.start_mark.index
        value: Any = text
        is_key = self.key is None and type(self.node) is Map
        if is_key:
            self.key, self.key_mark = text, mark
        if event.tag is not None or event.anchor is not None:
            self._refuse_extras(event)
        elif event.implicit[0]:  # plain: neither quoted nor a block
            value, why = resolve(text)
            if why:
                self._ambiguous(text, mark, why, is_key=is_key)
            if is_key and (value.__class__ is not str or text == "<<"):
                self._odd_key(text, value, mark)
        elif not text.isascii() and _SURROGATE.search(text):
            self._problem("ASP104", mark, "half of a surrogate pair", "write the character itself")
        if not is_key:
            self._store(value, mark)
        elif text in self.node:
            self._second(text, mark)

    def _odd_key(self, text: str, value: Any, mark: int) -> None:
        if text == "<<":
            self.keep = False
            hint = "write the keys out where they are needed"
            self._problem("ASP109", mark, "merge key << is not allowed", hint)
        elif text:
            hint = f"quote it: {quoted(text)}"
            self._problem("ASP107", mark, f"key {text} is {found(value)}", hint)
        else:
            self._problem("ASP107", mark, "a key is empty")

    def _second(self, text: str, mark: int) -> None:
        self.keep = False
        node = self.node
        first = self.document.place(node.marks[2 * list(node).index(text)])
        message = f"key {quoted(text)} stands here a second time"
        hint = f"the first one is in line {first.line}, column {first.column}"
        self._problem("ASP106", mark, message, hint)

    def _store(self, value: Any, mark: int) -> None:
        node = self.node
        if isinstance(node, List):
            node.append(value)
            node.marks.append(mark)
            return
        if self.keep and self.key is not None:
            node[self.key] = value
            node.marks += (self.key_mark, mark)
        self.key, self.keep = None, True

    def _open(self, child: Map | List, event: Any) -> None:
        mark = event.start_mark.index
        if event.tag is not None or event.anchor is not None:
            self._refuse_extras(event)
        if len(self.stack) >= MAX_DEPTH:
            message = f"more than {MAX_DEPTH} lists and mappings within one another"
            self._problem("ASP113", mark, message)
            raise _Stop
        node = self.node
        as_key = self.key is None and type(node) is Map
        label: str | int = len(node) if self.key is None else self.key
        if as_key:
            self._problem("ASP107", mark, f"a key is {found(child)}", "keys are text")
        else:
            self._store(child, mark)
        self.stack.append((node, label, as_key))
        self.node, self.key = child, None

    def _close(self, _: Any) -> None:
        self.node, _label, as_key = self.stack.pop()
        if as_key:
            self.key, self.keep = "?", False

    def _alias(self, event: Any) -> None:
        mark = event.start_mark.index
        message = f"alias *{printable(event.anchor)} is not allowed"
        self._problem("ASP109", mark, message, "write the value out where it is needed")
        if self.key is None and type(self.node) is Map:
            self.key, self.keep = "?", False
        else:
            self._store(None, mark)

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            mark = event.start_mark.index
            self._problem("ASP111", mark, "a second document begins", "one file holds one document")
            self.document.complete = True
            raise _Stop

    def _ambiguous(self, text: str, mark: int, why: str, *, is_key: bool) -> None:
        code = "ASP114" if "digits" in why else "ASP108"
        what = "unquoted key" if is_key else "unquoted"
        hint = f"quote it: {quoted(text)}{alternative(text)}"
        self._problem(code, mark, f"{what} {text} {why}", hint)

    def _refuse_extras(self, event: Any) -> None:
        mark = event.start_mark.index
        if event.anchor is not None:
            message = f"anchor &{printable(event.anchor)} is not allowed"
            self._problem("ASP109", mark, message, "write the value out where it is needed")
        if event.tag is not None:
            tag = printable(event.tag.replace("tag:yaml.org,2002:", "!!"))
            hint = "leave it out, and quote the value if it is text"
            self._problem("ASP110", mark, f"tag {tag} is not allowed", hint)

    def _problem(self, code: str, index: int, message: str, hint: str = "") -> None:
        labels = [label for _, label, _ in self.stack[1:]]
        if self.stack:
            labels += [self.key] if self.key is not None else []
            labels += [len(self.node)] if type(self.node) is List else []
        place = self.document.place(index)
        self.problems.append(Problem(code, format_path(labels), message, place, hint))
        if len(self.problems) >= MAX_PER_FILE:
            last = Problem("ASP113", "", f"more than {MAX_PER_FILE} problems", place)
            self.problems.append(last)
            raise _Stop
