"""Two snapshots to one report."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from aspora import yamldoc
from aspora.changes import cloud, consequences, loosened_fields, owners, quotas
from aspora.changes.compare import compare
from aspora.changes.loosened_objects import Looking
from aspora.changes.model import (
    Change,
    Consequence,
    Counts,
    FieldChange,
    Key,
    Loosened,
    Object,
    OwnerRow,
    QuotaRow,
    Report,
    Shared,
    Side,
    Trouble,
    Untouched,
    Verb,
    Verdict,
)
from aspora.changes.shared import domains_of_shared, shared_changes
from aspora.changes.snapshot import (
    RELEASE,
    Snapshot,
    domain_of,
    indexed,
    skill_of,
    without_ignored,
)
from aspora.changes.verdict import verdict
from aspora.problems import Problem
from aspora.resolve import workloads

_HASHED = re.compile(r"-[0-9a-f]{16}$")
"""How the name of an object ends that is made anew for new content."""


@dataclass(frozen=True)
class Both:
    """The two sides, with the objects of those domains that can differ."""

    base: Snapshot
    head: Snapshot

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All domains of both sides, in order."""
        own = (
            domain_of(obj) for side in (self.base, self.head) for obj in side.source.objects or ()
        )
        found = {*self.base.files, *self.head.files, *filter(None, own)}
        return tuple(sorted(found))

    @cached_property
    def suspects(self) -> tuple[str, ...]:
        """The domains whose objects have to be looked at."""
        if self.comparable and self.base.settings == self.head.settings:
            return tuple(name for name in self.names if self._may_differ(name))
        return self.names

    @property
    def comparable(self) -> bool:
        """Whether the same code renders both sides, so that same files make same objects."""
        sides = (self.base, self.head)
        return all(s.source.objects is None for s in sides) and (
            self.base.source.code == self.head.source.code
        )

    def _may_differ(self, name: str) -> bool:
        base, head = self.base, self.head
        return base.text(name) != head.text(name) or (
            base.callers.get(name) != head.callers.get(name)
        )

    @cached_property
    def before(self) -> dict[Key, Object]:
        """Objects of the base."""
        return self._objects(self.base, self.head)

    @cached_property
    def after(self) -> dict[Key, Object]:
        """Objects of the head."""
        return self._objects(self.head, self.base)

    @cached_property
    def differing(self) -> tuple[Key, ...]:
        """The objects that are not the same to the byte, in order."""
        keys = {*self.before, *self.after}
        return tuple(sorted(key for key in keys if self.before.get(key) != self.after.get(key)))

    def _objects(self, side: Snapshot, other: Snapshot) -> dict[Key, Object]:
        """Those of one side that the other could have too."""
        found = indexed((*side.shared, *side.own(self.suspects)))
        kind = other.source.side.kind if other.source.objects is not None else ""
        if kind == "revision":  # rendered by its own code, which prints no releases
            return {key: obj for key, obj in found.items() if (key.group, key.kind) != RELEASE}
        if kind == "stack":  # Pulumi records nothing of what Argo CD applies
            by_argocd = {d.name for d in side.domains if d.delivery == "argocd"}
            return {
                key: obj
                for key, obj in found.items()
                if not (domain_of(obj) in by_argocd and skill_of(obj))
            }
        return found

    @cached_property
    def by_shared(self) -> dict[str, int]:
        """By domain ("" for what belongs to none): objects changed by what all share."""
        if not self.by_files or not self.shared_changes:
            return {}
        return domains_of_shared(self.base, self.head, self.before)

    @cached_property
    def shared_changes(self) -> tuple[str, ...]:
        """What of it changed, in words."""
        if not self.by_files:
            return ()
        return shared_changes(self.base.source, self.head.source, self.head.stack)

    @property
    def by_files(self) -> bool:
        """Whether both sides are files, so that what a person wrote can be compared too."""
        return all(side.source.side.kind != "stack" for side in (self.base, self.head))

    @property
    def progressive(self) -> bool:
        """Whether controllers own the weights of routes."""
        settings = self.head.settings or self.base.settings
        return settings is None or settings.progressive_delivery


def report(base: Snapshot, head: Snapshot) -> Report:
    """What differs between two sides, for the reviewer of the change from one to the other."""
    both = Both(base, head)
    changes, reordered = _changes(both)
    found = tuple(_loosened(both))
    made = Report(
        stack=head.stack,
        base=base.source.side,
        head=head.source.side,
        verdict=Verdict("none", ""),
        counts=_counts(changes),
        changes=changes,
        loosened=found,
        quotas=tuple(_quotas(both, {change.domain for change in changes})),
        owners=_owners(both, changes),
        shared=_shared(both),
        untouched=_untouched(both, changes, reordered),
        reordered=reordered,
        notes=(*base.source.notes, *head.source.notes, *_handed_over(both), *_on_aws(both)),
    )
    return replace(made, verdict=verdict(made))


def invalid(base: Side, head: Side, stack: str, problems: Sequence[Problem]) -> Report:
    """Of a head that does not hold: its problems, and nothing else."""
    troubles = tuple(_trouble(problem) for problem in sorted(problems))
    count = f"{len(troubles)} problem{'' if len(troubles) == 1 else 's'}"
    text = f"{count} in the files: nothing can be compared until they are mended"
    return Report(stack, base, head, Verdict("invalid", text), Counts(), problems=troubles)


def _trouble(problem: Problem) -> Trouble:
    place = problem.position
    return Trouble(
        problem.code,
        place.file,
        place.line,
        place.column,
        problem.path,
        problem.message,
        problem.hint,
    )


def _changes(both: Both) -> tuple[tuple[Change, ...], tuple[Key, ...]]:
    """The changes in order, and the objects in which nothing but the order of items differs."""
    changes, reordered = [], []
    successors = _successors(both)
    for key in both.differing:
        before, after = both.before.get(key), both.after.get(key)
        change = _change(both, key, before, after, successors.get(key))
        if change is not None:
            changes.append(change)
        elif not _same(both, before, after):
            reordered.append(key)
    changes.sort(key=lambda change: (change.domain, change.skill, change.key))
    return tuple(changes), tuple(reordered)


def _same(both: Both, before: Object | None, after: Object | None) -> bool:
    """Whether all that differs are fields that controllers own."""
    if before is None or after is None:
        return False
    old, new = (without_ignored(obj, progressive=both.progressive) for obj in (before, after))
    return old == new


def _successors(both: Both) -> dict[Key, Key]:
    """New objects that differ from one that goes in nothing but the hash in their name."""
    gone = {_without_hash(key): key for key in both.differing if key not in both.after}
    new = (key for key in both.differing if key not in both.before and _HASHED.search(key.name))
    found = ((key, gone.get(_without_hash(key))) for key in new)
    return {key: old for key, old in found if old is not None and _HASHED.search(old.name)}


def _without_hash(key: Key) -> Key:
    return replace(key, name=_HASHED.sub("", key.name))


def _change(
    both: Both, key: Key, before: Object | None, after: Object | None, succeeds: Key | None
) -> Change | None:
    obj = after if after is not None else before
    assert obj is not None  # noqa: S101 - a key comes from one side at least
    domain, skill = domain_of(obj), skill_of(obj)
    side = both.base if after is None else both.head
    verb: Verb = "create"
    follows: tuple[Consequence, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    if succeeds is not None:
        follows = consequences.of_succession(key, _without_hash(key).name)
    elif after is None:
        verb, follows = "delete", consequences.of_deletion(key)
    elif before is not None:
        old, new = (without_ignored(o, progressive=both.progressive) for o in (before, after))
        fields = compare(key.group, key.kind, old, new)
        if not fields:
            return None
        follows = consequences.of_replacement(key, before, after)
        verb = "replace" if follows else "update"
        follows = follows or consequences.of_update(key, fields)
    origin = side.origin(domain, skill) if domain else None
    return Change(key, verb, domain, skill, origin, fields, follows, before, after, succeeds)


def _counts(changes: Iterable[Change]) -> Counts:
    found = {"create": 0, "update": 0, "replace": 0, "delete": 0}
    for change in changes:
        found[change.verb] += 1
    return Counts(**found)


def _loosened(both: Both) -> Iterator[Loosened]:
    base, head = both.base, both.head
    if base.settings and head.settings:
        yield from loosened_fields.of_settings(base.settings, head.settings)
    for name in both.suspects:
        new, old = head.files.get(name), base.files.get(name)
        if new is not None and (base.files or base.source.objects is None):
            yield from loosened_fields.of_domain(old.domain if old else None, new.domain)
    looking = Looking(both.before, both.after)
    for key in both.differing:
        obj = both.after.get(key) or both.before[key]
        for what, path in looking.weaker(key):
            yield Loosened(domain_of(obj), what, "", key, path)


def _quotas(both: Both, changed: Collection[str]) -> Iterator[QuotaRow]:
    """Of the domains whose files can differ; of recorded objects, whose files nobody knows, those
    with a change."""
    sides = (both.base, both.head)
    for name in both.suspects:
        if both.base.settings is None and name not in changed:
            continue
        before, after = (
            quotas.figures(side.files[name].domain, side.settings)
            if side.settings and name in side.files
            else None
            for side in sides
        )
        if after is not None or before is not None:
            yield from quotas.rows(name, before, after)


def _owners(both: Both, changes: Sequence[Change]) -> tuple[OwnerRow, ...]:
    rows: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        rows.setdefault((change.domain, change.skill), []).append(change)
    why = {name: _reasons(both, name) for name in both.names}
    for name in both.names:
        for skill in why[name]:
            rows.setdefault((name, skill), [])
    return tuple(
        OwnerRow(
            domain,
            skill,
            _counts(found),
            _why(both, domain, skill, why.get(domain, {})),
            _approvers(both, domain),
        )
        for (domain, skill), found in sorted(rows.items())
    )


def _reasons(both: Both, name: str) -> dict[str, tuple[str, ...]]:
    """By skill: the fields and the prompts of a domain that a person changed."""
    found = dict(_fields(both, name))
    for skill, words in _prompts(both, name).items():
        found[skill] = (*found.get(skill, ()), *words)
    return found


def _prompts(both: Both, name: str) -> dict[str, tuple[str, ...]]:
    """By skill: the prompt files that differ."""
    base, head = both.base.source.prompts, both.head.source.prompts
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted({*base, *head}) if both.by_files else ():
        parts = path.split("/")  # domains/<domain>/skills/[<agent>/]<skill>/prompts/<file>
        if parts[1] == name and base.get(path) != head.get(path):
            skill = "/".join((name, *parts[3:-2]))
            what = "added" if path not in base else "removed" if path not in head else "changed"
            found[skill] = (*found.get(skill, ()), f"prompt {parts[-1]} {what}")
    return found


def _fields(both: Both, name: str) -> Mapping[str, tuple[str, ...]]:
    texts = [side.text(name) for side in (both.base, both.head)]
    if texts[0] == texts[1] or not both.by_files:
        return {}
    old, new = (yamldoc.parse(text, "").data for text in texts)
    if not old or not new:
        skills = [
            workload.id
            for side in (both.base, both.head)
            if name in side.files
            for workload in workloads(side.files[name].domain)
        ]
        return dict.fromkeys(("", *skills), ("domain added" if new else "domain removed",))
    return owners.reasons(name, old, new)


def _why(
    both: Both, domain: str, skill: str, found: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """A skill's own fields, else its domain's, else the files that the change follows from."""
    own = found.get(skill) or found.get("")
    return own or tuple(f"follows from {path}" for path in _causes(both, domain))


def _causes(both: Both, domain: str) -> tuple[str, ...]:
    """The paths that a domain's changes come from: its own files, what all share, or, where it is
    neither, the files of those who call it."""
    base, head = both.base.source, both.head.source
    files = _differing(both, base.domains, head.domains)
    prompts = _differing(both, base.prompts, head.prompts)
    own = f"domains/{domain}/"
    mine = tuple(path for path in (*files, *prompts) if path.startswith(own))
    shared = _changed_for_all(both) if domain in both.by_shared else ()
    if domain and (mine or shared):
        return mine + shared
    return files + shared


def _differing(
    both: Both, base: Mapping[str, object], head: Mapping[str, object]
) -> tuple[str, ...]:
    """The paths whose texts differ."""
    if not both.by_files:
        return ()
    return tuple(path for path in sorted({*base, *head}) if base.get(path) != head.get(path))


def _changed_for_all(both: Both) -> tuple[str, ...]:
    """The paths of what all share that differ."""
    base, head = both.base.source, both.head.source
    stack = (f"Pulumi.{both.head.stack}.yaml",) if base.stack != head.stack else ()
    return stack + (("aspora/",) if base.code != head.code else ())


def _approvers(both: Both, domain: str) -> tuple[str, ...]:
    """By the base's CODEOWNERS, as GitHub goes: a change must not choose its own reviewers."""
    codeowners = both.base.source.codeowners or both.head.source.codeowners
    paths = [
        path.rstrip("/") + ("/x" if path.endswith("/") else "") for path in _causes(both, domain)
    ]
    return owners.approvers(codeowners, paths)


def _shared(both: Both) -> tuple[Shared, ...]:
    touched = both.by_shared
    names = tuple(sorted(name for name in touched if name))
    return tuple(Shared(text, names, sum(touched.values())) for text in both.shared_changes)


def _handed_over(both: Both) -> Iterator[str]:
    """Domains whose workloads another applier takes: nothing of them changes in the cluster."""
    for name in both.suspects:
        old, new = both.base.files.get(name), both.head.files.get(name)
        if old and new and old.domain.delivery != new.domain.delivery:
            yield (
                f"{name}: the workloads are handed over from {old.domain.delivery} to"
                f" {new.domain.delivery}; they go on running"
            )


def _on_aws(both: Both) -> Iterator[str]:
    """What the domains' files change there; settings and code are for `pulumi preview` to show."""
    settings = both.head.settings
    if settings is None or not both.by_files:
        return
    for name in both.suspects:
        old, new = both.base.files.get(name), both.head.files.get(name)
        yield from cloud.differences(
            old.domain if old else None, new.domain if new else None, settings
        )


def _untouched(both: Both, changes: Sequence[Change], reordered: Sequence[Key]) -> Untouched:
    touched = {change.domain for change in changes}
    same = [name for name in both.names if name not in touched and name in both.head.files]
    aside = [name for name in both.names if name not in both.suspects]
    looked_at = sum(1 for key in both.after if key in both.before) - len(reordered)
    kept = looked_at - sum(1 for change in changes if change.verb in ("update", "replace"))
    skills = {change.skill for change in changes if change.skill}
    all_skills = [w.id for file in both.head.files.values() for w in workloads(file.domain)]
    return Untouched(
        tuple(same),
        sum(1 for skill in all_skills if skill not in skills),
        kept + (sum(both.base.sizes[name] for name in aside) if aside else 0),
    )
