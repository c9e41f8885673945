"""One side of a comparison: its files read, and of its objects as many as are needed.

What stays the same from one run to the next is kept in a `Memory`: the data of a domain file, and
the objects that all domains share. A domain's own objects are made anew where they can differ, and
left alone where file, settings and callers are the same on both sides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import orjson
from pydantic import ValidationError

from aspora import load, names, rules, yamldoc
from aspora.changes.model import Key, Object, Origin, Side
from aspora.errors import InvalidInput
from aspora.models import Domain
from aspora.problems import Problem
from aspora.render import callers_of, render_domains, render_shared
from aspora.render.objects import ignored_fields
from aspora.stack import StackSettings

RELEASE = ("helm.sh", "Release")
"""Group and kind under which a Helm release is compared: its version and values."""


_HOLDS = b"true"


class Memory(Protocol):
    """Keeps bytes by what they were made from. It may forget, and never answers wrongly."""

    def get(self, key: str) -> bytes | None:
        """What was put, or None."""

    def put(self, key: str, value: bytes) -> None:
        """Keep it, if that can be done."""


class Forgetful:
    """A memory of nothing."""

    def get(self, key: str) -> bytes | None:
        """None, always."""

    def put(self, key: str, value: bytes) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Source:
    """The files of one side, as texts or as the problem that kept one from being read.

    `objects` is set where somebody else rendered them: the code of another revision, or a stack
    that recorded them. `code` tells the code that renders from any other.
    """

    side: Side
    domains: Mapping[str, str | Problem]
    """By path in the repository: domains/wealth/domain.yaml."""
    stack: str | Problem
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Prompt files by path: no object holds them, and a reviewer wants to know of them."""
    codeowners: str = ""
    code: str = ""
    objects: tuple[Object, ...] | None = None
    notes: tuple[str, ...] = ()
    folder: str | None = None
    """Where the files stand, of a folder."""


@dataclass(frozen=True)
class Snapshot:
    """A source that was read; `files`, by domain, are empty where only objects are known."""

    source: Source
    stack: str
    settings: StackSettings | None
    files: Mapping[str, load.DomainFile]
    memory: Memory = field(repr=False, default_factory=Forgetful)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The models, in the order of the files."""
        return tuple(file.domain for file in self.files.values())

    @cached_property
    def callers(self) -> Mapping[str, tuple[str, ...]]:
        """By domain: who calls its skills."""
        return callers_of(self.domains)

    def text(self, domain: str) -> str:
        """Of a domain's file."""
        text = self.source.domains.get(f"domains/{domain}/{load.DOMAIN_FILE}", "")
        return text if isinstance(text, str) else ""

    @cached_property
    def shared(self) -> tuple[Object, ...]:
        """The objects of no domain, with the Helm releases."""
        if self.source.objects is not None:
            return tuple(obj for obj in self.source.objects if not domain_of(obj))
        key = f"shared-{self._digest}"
        kept = _loads(self.memory.get(key))
        if isinstance(kept, list):
            return tuple(kept)
        made = self._render_shared()
        self.memory.put(key, orjson.dumps(made))
        return made

    def _render_shared(self) -> tuple[Object, ...]:
        if self.settings is None:
            return ()
        objects = tuple(render_shared(self.domains, self.settings))
        if self.settings.aws is None:
            return objects
        from aspora.services.releases import releases

        return (*objects, *map(_release, releases(self.settings, self.domains)))

    def own(self, only: Collection[str]) -> Iterator[Object]:
        """The objects of the domains named."""
        only = frozenset(only)
        if self.source.objects is not None:
            yield from (obj for obj in self.source.objects if domain_of(obj) in only)
        elif self.settings is not None:
            for domain in render_domains(self.domains, self.settings, only):
                yield from domain

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """How many objects each domain has."""
        key = f"sizes-{self._digest}"
        kept = _loads(self.memory.get(key))
        if isinstance(kept, dict):
            return kept
        found = dict.fromkeys(self.files, 0)
        for obj in self.own(tuple(self.files)):
            found[domain_of(obj)] += 1
        self.memory.put(key, orjson.dumps(found))
        return found

    def origin(self, domain: str, skill: str) -> Origin | None:
        """The line of a skill, or of its domain."""
        file = self.files.get(domain)
        if file is None:
            return None
        return self._origins(domain).get(skill) or Origin(file.file, 1)

    def _origins(self, domain: str) -> Mapping[str, Origin]:
        if domain not in self._kept_origins:
            from aspora.resolve import workloads

            file = self.files[domain]
            document = yamldoc.parse(self.text(domain), file.file)
            places = {w.id: document.position(w.path).line for w in workloads(file.domain)}
            self._kept_origins[domain] = {
                skill: Origin(file.file, line) for skill, line in places.items()
            }
        return self._kept_origins[domain]

    @cached_property
    def _kept_origins(self) -> dict[str, Mapping[str, Origin]]:
        return {}

    def holds(self) -> bool:
        """Whether the domains hold together; remembered, so that each platform is checked once."""
        key = f"holds-{self._digest}"
        if self.memory.get(key) == _HOLDS:
            return True
        if self.settings is None or rules.check(self.domains, self.settings, frozenset()):
            return False
        self.memory.put(key, _HOLDS)
        return True

    @cached_property
    def _digest(self) -> str:
        """Of all that decides the objects."""
        return _digest(self.source.code, self.stack, self.source.stack, *_flat(self.source.domains))


def read(source: Source, stack: str, memory: Memory, like: Snapshot | None = None) -> Snapshot:
    """Read a side; raises InvalidInput with every problem.

    `like` is the other side, whose files are taken where the texts are the same. Where the objects
    are there already, files that do not hold today are done without.
    """
    if source.side.kind == "stack":
        return Snapshot(source, stack, None, {}, memory)
    try:
        return _read(source, stack, memory, like)
    except InvalidInput:
        if source.objects is None:
            raise
        return Snapshot(source, stack, None, {}, memory)


def _read(source: Source, stack: str, memory: Memory, like: Snapshot | None) -> Snapshot:
    settings = load.read_stack(stack, source.stack)
    outcomes = {
        Path(path): _known(path, text, like) or _remembered(Path(path), text, source.code, memory)
        for path, text in source.domains.items()
    }
    files = [outcome for outcome in outcomes.values() if isinstance(outcome, load.DomainFile)]
    made = Snapshot(source, stack, settings, {f.domain.name: f for f in files}, memory)
    if len(files) < len(outcomes) or not made.holds():
        raise InvalidInput(_problems(source, settings))
    return made


def _known(path: str, text: str | Problem, like: Snapshot | None) -> load.DomainFile | None:
    """The same file of the other side, read by the same code."""
    if like is None or like.source.domains.get(path) != text:
        return None
    return like.files.get(Path(path).parent.name)


def _problems(source: Source, settings: StackSettings) -> tuple[Problem, ...]:
    """With their places, which only a file that was parsed here has."""
    parsed = {
        Path(path): load.read_domain(Path(path), text) for path, text in source.domains.items()
    }
    return load.together(parsed, settings).problems


def _remembered(
    path: Path, text: str | Problem, code: str, memory: Memory
) -> load.DomainFile | list[Problem]:
    if isinstance(text, Problem):
        return [text]
    key = f"data-{_digest(code, path.as_posix(), text)}"
    kept = _loads(memory.get(key))
    if isinstance(kept, dict):
        try:
            domain = Domain.model_validate(kept)
        except ValidationError:
            pass
        else:
            return load.DomainFile(path.as_posix(), yamldoc.Document(path.as_posix(), text), domain)
    outcome = load.read_domain(path, text)
    if isinstance(outcome, load.DomainFile):
        with suppress(TypeError):  # a number beyond 64 bits is read from YAML the next time too
            memory.put(key, orjson.dumps(outcome.document.data))
    return outcome


def _loads(kept: bytes | None) -> Any:
    """None for what cannot be read: then it is made again."""
    try:
        return None if kept is None else orjson.loads(kept)
    except orjson.JSONDecodeError:
        return None


def _flat(texts: Mapping[str, str | Problem]) -> Iterator[str | Problem]:
    for path, text in texts.items():
        yield path
        yield text


def _digest(*parts: str | Problem) -> str:
    digest = sha256()
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()


def _release(release: Any) -> Object:
    pin = release.pin
    return {
        "apiVersion": f"{RELEASE[0]}/v3",
        "kind": RELEASE[1],
        "metadata": {"name": pin.name, "namespace": pin.namespace},
        "spec": {"chart": pin.chart, "version": pin.version, "values": dict(release.values)},
    }


# -- identity and attribution ------------------------------------------------------------------


def key_of(obj: Mapping[str, Any]) -> Key:
    """The identity of an object."""
    meta = obj["metadata"]
    group = str(obj["apiVersion"]).rpartition("/")[0]
    return Key(group, obj["kind"], meta.get("namespace") or "", meta["name"])


def domain_of(obj: Mapping[str, Any]) -> str:
    """The domain whose label an object carries; empty for what is shared."""
    return str((obj["metadata"].get("labels") or {}).get(names.DOMAIN_LABEL, ""))


def skill_of(obj: Mapping[str, Any]) -> str:
    """The ID of the skill an object belongs to; empty for a domain's own and for what is shared."""
    labels = obj["metadata"].get("labels") or {}
    domain, role, skill = (
        str(labels.get(name, "")) for name in (names.DOMAIN_LABEL, "role", "skill")
    )
    if not (domain and skill):
        return ""
    full = names.skill_id(domain, role, skill)
    return (
        full if names.workload(full) == labels.get("app") else names.skill_id(domain, None, skill)
    )


def indexed(objects: Iterable[Object]) -> dict[Key, Object]:
    """Objects by identity."""
    return {key_of(obj): obj for obj in objects}


def without_ignored(obj: Object, *, progressive: bool) -> Object:
    """An object without the fields that controllers own: no applier compares those."""
    for pointer in ignored_fields(obj["kind"], progressive=progressive):
        obj = _without(obj, pointer.strip("/").split("/"))
    return obj


def _without(value: Any, path: list[str]) -> Any:
    head, *rest = path
    if isinstance(value, list):
        if not head.isdigit() or int(head) >= len(value):
            return value
        index = int(head)
        return [*value[:index], _without(value[index], rest), *value[index + 1 :]]
    if not isinstance(value, Mapping) or head not in value:
        return value
    if not rest:
        return {key: below for key, below in value.items() if key != head}
    return {**value, head: _without(value[head], rest)}
