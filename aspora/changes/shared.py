"""What changed outside the domains' own files, and which domains it touches.

Found by rendering, not by path patterns: the base's domain files with the head's settings and
code, compared with the base. What then differs comes from what is shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from aspora import load, yamldoc
from aspora.changes.compare import compare
from aspora.changes.model import Key, Object
from aspora.changes.snapshot import Snapshot, Source, domain_of, indexed

CODE = "the platform's code (aspora/)"
MAX_SETTINGS = 20
"""Fields of the settings that are named one by one."""


def shared_changes(base: Source, head: Source, stack: str) -> tuple[str, ...]:
    """The settings and the code that differ, in words."""
    found = []
    if base.stack != head.stack and isinstance(base.stack, str) and isinstance(head.stack, str):
        file = f"Pulumi.{stack}.yaml"
        old, new = (yamldoc.parse(text, file).data for text in (base.stack, head.stack))
        fields = [change.path for change in compare("", "", old, new)]
        found += [f"{file}: {field}" for field in fields[:MAX_SETTINGS]]
        if len(fields) > MAX_SETTINGS:
            found.append(f"{file}: {len(fields) - MAX_SETTINGS} more")
    if base.code != head.code:
        found.append(CODE)
    return tuple(found)


def domains_of_shared(
    base: Snapshot, head: Snapshot, before: Mapping[Key, Object]
) -> dict[str, int]:
    """By domain ("" for what belongs to none): the objects that what is shared changes."""
    between = _between(base, head)
    if between is None:
        return {}
    names = tuple(between.files)
    after = indexed((*between.shared, *between.own(names)))
    touched: dict[str, int] = {}
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            name = domain_of(after.get(key) or before[key])
            touched[name] = touched.get(name, 0) + 1
    return touched


def _between(base: Snapshot, head: Snapshot) -> Snapshot | None:
    """The base's domains under the head's settings and code; None where they cannot be had."""
    if head.settings is None or not base.files:
        return None
    outcomes = {Path(file.file): file for file in base.files.values()}
    if load.together(dict(outcomes), head.settings).problems:
        return None
    source = replace(head.source, domains=base.source.domains, objects=None, side=head.source.side)
    return Snapshot(source, head.stack, head.settings, base.files, head.memory)
