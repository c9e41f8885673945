"""Pages for tests: reports and states made of plain or hostile text, and how they are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from aspora.changes.model import Report
from aspora.isolation.model import Proof
from aspora.models import Domain
from aspora.page import State
from tests.core import settings

VOID = ("meta", "link", "input", "br", "rect", "line", "circle", "path")

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></script><svg onload=alert(1)>",
    "</pre></td></details><iframe src=//evil.example>",
    "javascript:alert(1)",
    "{0.__class__} {} %s {{x}}",
    "&lt;b&gt; &amp; &#60;",
    "<!-- --> ]]> <![CDATA[",
    "a\u202eb\u2066c\x00\x1b[31m\r\n\u2028d",
    "`${alert(1)}`",
)


def filled(kind: Any, text: str) -> Any:
    """A value of `kind` with `text` wherever a string may stand, two items in every list."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is str or kind is Any:
        return text
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]
        return kind(**{name: filled(hints[name], text) for name in names})  # type: ignore[operator]
    return kind(3) if origin is None else _filled(origin, inner, text)


def _filled(origin: Any, inner: tuple[Any, ...], text: str) -> Any:
    """Likewise of a type with parameters."""
    if origin is Literal:
        return inner[0]
    if origin in (Union, UnionType):
        return filled(inner[0], text)
    if origin is not tuple:  # Mapping and dict
        return {text: filled(inner[1], text)}
    items = inner[:1] * 2 if inner[1:] == (...,) else inner
    return tuple(filled(item, text) for item in items)


def report(text: str) -> Report:
    """A report with `text` in every field, among them a change of each verb and whole objects."""
    found: Report = filled(Report, text)
    first = found.changes[0]
    changes = tuple(
        dataclasses.replace(
            first,
            verb=verb,
            before=None if verb == "create" else {"a": text, "b": [{text: 1}]},
            after=None if verb == "delete" else {"a": f"{text} too", "b": [{text: 2}]},
        )
        for verb in ("create", "update", "replace", "delete")
    )
    return dataclasses.replace(found, changes=changes, problems=())


def broken(text: str) -> Report:
    """A report of a head that does not hold."""
    found: Report = filled(Report, text)
    return dataclasses.replace(found, changes=())


def proof(text: str) -> Proof:
    """A proof with `text` in every field."""
    found: Proof = filled(Proof, text)
    return found


DOMAIN = """\
name: pets
owner: {team: pets-team, costCenter: pets}
sandbox: {runtime: runc, reason: REASON}
egress: [{host: api.example.com, reason: REASON}]
agents:
  - name: vet
    image: aspora/pets-vet:v1.0.0
    model: MODEL
    fallbackModels: [MODEL]
    tools: [{server: tickets, tools: [get_ticket]}]
    database: true
    description: TEXT
    calls: [pets/nurse/greet]
    skills:
      - {name: advise, description: TEXT}
      - {name: nightly, description: TEXT, schedule: "0 1 * * *"}
  - name: nurse
    image: aspora/pets-nurse:v1.0.0
    model: MODEL
    skills:
      - {name: greet, description: TEXT, callers: [pets/vet]}
      - {name: talk, description: TEXT, sessions: {warmPool: 1}}
description: TEXT
"""


def state(text: str, stack: str = "prod") -> State:
    """A domain whose free texts are all `text`; the model takes it, so that the page has to."""
    data = yaml.safe_load(DOMAIN)

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: put(below) for key, below in value.items()}
        if isinstance(value, list):
            return [put(below) for below in value]
        return text if value in ("TEXT", "MODEL", "REASON") else value

    return State((_unchecked(put(data)),), settings(stack))


def _unchecked(data: dict[str, Any]) -> Domain:
    """As validation would make it of texts that it refuses: a rule that is lifted one day must not
    open the page."""
    plain = Domain.model_validate(_plain(data))
    found: Domain = _put_back(plain, data)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_plain(below) for below in value]
    return "claude-haiku-4-5 is plain" if isinstance(value, str) and _is_text(value) else value


def _is_text(value: str) -> bool:
    return value in _texts()


@cache
def _texts() -> frozenset[str]:
    return frozenset((*ATTACKS, PLAIN))


PLAIN = "Plain words, nothing else."


def _put_back(model: Any, data: Any) -> Any:
    """The model with the texts of `data` where it has the plain ones."""
    if isinstance(data, dict):
        names = {f.alias or name: name for name, f in type(model).model_fields.items()}
        return model.model_copy(
            update={
                names[key]: _put_back(getattr(model, names[key]), below)
                for key, below in data.items()
            }
        )
    if isinstance(data, list):
        return tuple(_put_back(m, d) for m, d in zip(model, data, strict=True))
    return data if isinstance(data, str) and _is_text(data) else model


class Read(HTMLParser):
    """A page as a list of tags with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]].append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All text, as a person would read it."""
        return " ".join(self.words)

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Tags and the names of their attributes."""
        return [(tag, tuple(attributes)) for tag, attributes in self.tags]

    def of(self, attribute: str) -> Iterator[str]:
        """The values of an attribute wherever it stands."""
        for _, attributes in self.tags:
            if (value := attributes.get(attribute)) is not None:
                yield value
