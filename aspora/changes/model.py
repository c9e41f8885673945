"""What a change report says, as plain values: every rendering of it reads this and nothing else.

All of it is frozen and can be written as JSON as it stands (`as_json`); the JSON Schema in
docs/reference/changes.schema.json is made from these classes. Values that come from domain files
are hostile: each rendering escapes them in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson

VERSION = 1
"""Of the JSON twin; raised when a field goes or means something else."""

Verb = Literal["create", "update", "replace", "delete"]
Level = Literal["none", "routine", "attention", "destructive", "invalid"]
Status = Literal["ok", "attention", "failure", "skipped"]
Cell = str | int | float | None
Object = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What tells one object from another. A new API version is the same object."""

    group: str
    """API group; empty for the core's."""
    kind: str
    namespace: str
    """Empty for cluster-scoped kinds."""
    name: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs.

    A list item is named by its merge key, `spec.template.spec.containers[name=agent].image`, so
    that an item which only moved is no change; `[2]` where a list has no key.
    """

    path: str
    before: Any
    """The value, None where the field was not there."""
    after: Any
    """The value, None where the field is gone."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The line that asked for an object: of the head's file, of the base's for a deleted one."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Consequence:
    """What people will notice, in words: "pods of fraud-risk restart"."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One object that is made, changed, made anew or deleted.

    `domain` and `skill` (its ID, `fraud/risk/analyze-transaction`) are empty for what is shared.
    """

    key: Key
    verb: Verb
    domain: str
    skill: str
    origin: Origin | None
    fields: tuple[FieldChange, ...]
    """Empty when the whole object comes or goes."""
    consequences: tuple[Consequence, ...]
    before: Object | None
    """The whole object at the base, for side-by-side views; None when it is new."""
    after: Object | None
    """The whole object at the head; None when it goes."""
    succeeds: Key | None = None
    """The object whose place a new one takes: the same but for the hash in its name."""


@dataclass(frozen=True, slots=True)
class Loosened:
    """Security that is weaker at the head than at the base."""

    domain: str
    """Empty when it is the platform's."""
    what: str
    """In words: "pods run in runc instead of gvisor"."""
    reason: str
    """As the domain file gives it; empty where it gives none."""
    key: Key | None
    """The object in which it shows; None where only the domain file says it."""
    path: str
    """The field of that object, or of the domain file."""


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """One resource of one domain's quota, in base units (cores, bytes, pieces, USD a month).

    `used` is what the domain's skills may ask for at once, at their largest scale. None on the
    side where the domain is not there.
    """

    domain: str
    resource: str
    unit: Literal["cores", "bytes", "pods", "USD"]
    limit_before: float | None
    used_before: float | None
    limit_after: float | None
    used_after: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many objects of each verb."""

    create: int = 0
    update: int = 0
    replace: int = 0
    delete: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.create + self.update + self.replace + self.delete


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """What changes for one skill (or, `skill` empty, for the domain itself), and who approves.

    With `domain` empty, what all share.
    """

    domain: str
    skill: str
    counts: Counts
    reasons: tuple[str, ...]
    """The fields of the file that made it so: "scaling.max: 6 → 12"."""
    approvers: tuple[str, ...]
    """From .github/CODEOWNERS, by the paths that changed."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A change outside the domains' own files, and the domains whose objects it changes."""

    what: str
    """The file or the setting: "Pulumi.local.yaml: images.registry"."""
    domains: tuple[str, ...]
    objects: int


@dataclass(frozen=True, slots=True)
class Untouched:
    """What stays as it is."""

    domains: tuple[str, ...]
    skills: int
    objects: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem of the head, as `aspora validate` reports it."""

    code: str
    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part that somebody else computed: a heading, a line that says it all, and a table."""

    title: str
    status: Status
    summary: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    note: str = ""
    """Assumptions, ages of figures: below the table."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first line: how careful a reviewer has to be, and why."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Side:
    """What was compared: a Git revision, a folder or what a stack has recorded."""

    kind: Literal["revision", "folder", "stack"]
    label: str
    """As the reader named it: "main", "working tree"."""
    commit: str = ""
    """The full hash, of a revision."""


@dataclass(frozen=True, slots=True)
class Report:
    """The whole. The same base and head make the same report, byte for byte."""

    stack: str
    base: Side
    head: Side
    verdict: Verdict
    counts: Counts
    changes: tuple[Change, ...] = ()
    """By domain, skill and key; what is shared first."""
    loosened: tuple[Loosened, ...] = ()
    quotas: tuple[QuotaRow, ...] = ()
    owners: tuple[OwnerRow, ...] = ()
    shared: tuple[Shared, ...] = ()
    untouched: Untouched = Untouched((), 0, 0)
    reordered: tuple[Key, ...] = ()
    """Objects applied again in which nothing but the order of items differs."""
    problems: tuple[Trouble, ...] = ()
    """Of a head that does not hold; then nothing else is computed."""
    notes: tuple[str, ...] = ()
    """What the report cannot see, said where it is so."""
    cost: Section | None = None
    isolation: Section | None = None
    check: Section | None = None
    version: int = VERSION


def as_json(report: Report) -> bytes:
    """The JSON twin: field by field as the classes have them, keys in their order."""
    return orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
