"""The report never lies: what `aspora diff` names is what Pulumi's engine then does, and no more.

Edits follow one another on one platform that runs. After each, the objects that the report calls
created, updated, made anew or deleted are compared with the engine's own events. A failure names
its seed; `ASPORA_SEEDS=17 pytest -m edits` repeats that edit alone, on the platform before it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from aspora.changes import build, snapshot
from aspora.changes.model import Key, Report
from aspora.changes.snapshot import Forgetful, Snapshot
from components.base import resource_name, type_token
from local import platform
from local.engine_record import Summary
from local.platform import Wanted
from local.progress import QuietProgress
from local.sides import Sides
from tests import edits
from tests.core import settings
from tests.edits import Platform
from tests.platform_lab import Lab, Object

Event = tuple[str, str, str]
"""What the engine did, to which type of resource, by which name."""

SAMPLE = range(23, 27)
"""A new domain, egress with a new agent, sessions, a domain that goes: one after another, so that
the platform is brought up once."""
ALL = range(1, 201)


def chosen() -> tuple[int, ...]:
    """The seeds of the long run: all, or those that ASPORA_SEEDS names: 17, or 3,5, or 40-60."""
    named = os.environ.get("ASPORA_SEEDS", "")
    if "-" in named:
        first, _, last = named.partition("-")
        return tuple(range(int(first), int(last) + 1))
    return tuple(int(seed) for seed in named.split(",")) if named else tuple(ALL)


class Series:
    """A platform that runs, and the edits that lead from one seed to the next."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        self._settings = settings()
        self._at = -1
        self._states = [(edits.first(self._settings, folder / "drafts"), "the first")]

    def up(self) -> Lab:
        """The lab, with its platform up."""
        if self._at < 0:
            self._bring(self._state(0)[0])
        return self._lab

    def go(self, seed: int) -> None:
        """Have the platform run as it is before `seed`."""
        after, what = self._state(seed)
        if self._at != seed - 1:
            self._bring(self._state(seed - 1)[0])
        old = self._copy("before")
        edits.write(after, self._lab.root)
        new = self._copy("after")
        report, sides = compared(old, new)
        events = engine_events(self._lab.up().summary)
        self._at = seed
        assert_same(named(report, *sides), events, f"seed {seed}: {what}")

    def _state(self, seed: int) -> tuple[Platform, str]:
        """The platform after `seed`, and what it did: edits from the first on, each made once."""
        while len(self._states) <= seed:
            before, _ = self._states[-1]
            self._states.append(
                edits.edited(len(self._states), before, self._settings, self._folder / "drafts")
            )
        return self._states[seed]

    def _bring(self, wanted: Platform) -> None:
        edits.write(wanted, self._lab.root)
        self._lab.up()

    def _copy(self, name: str) -> Path:
        target = self._folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self._lab.root, target)
        return target


def assert_same(said: Counter[Event], done: Counter[Event], what: str) -> None:
    """Both name the same; a failure lists what only one of them names."""
    sys.stdout.write(f"{what}: {len(done)} objects\n")
    lies, hidden = sorted((said - done).elements()), sorted((done - said).elements())
    assert (lies, hidden) == ([], []), (
        f"{what}: said and not done {lies}, done and not said {hidden}"
    )


def compared(old: Path, new: Path) -> tuple[Report, tuple[Snapshot, Snapshot]]:
    """The report on two folders, as the command makes it."""
    read = []
    for folder in (old, new):
        source = Sides(folder, "local", Lab.make(folder / ".lab").paths).one(str(folder))
        read.append(snapshot.read(source, "local", Forgetful()))
    base, head = read
    return build.report(base, head), (base, head)


def named(report: Report, base: Snapshot, head: Snapshot) -> Counter[Event]:
    """What the report names, as the engine would say it.

    Two things it says in other words: objects in which only the order differs are applied again,
    and the workloads of a domain that Argo CD delivers are none of the engine's. Where Argo CD
    hands them over to Pulumi, the engine calls that a creation: it adopts what is there.
    """
    by = {
        name: (_delivery(base, name), _delivery(head, name)) for name in (*base.files, *head.files)
    }
    found: Counter[Event] = Counter()
    for change in report.changes:
        obj = change.after if change.after is not None else change.before
        assert obj is not None
        before, after = by.get(change.domain, ("pulumi", "pulumi")) if change.skill else ("", "")
        if _is_pulumis(change.verb, before, after):
            found[event(change.verb, obj)] += 1
    for key in report.reordered:
        found[event("update", _of(head, key))] += 1
    for name, (before, after) in by.items():
        if (before, after) == ("argocd", "pulumi"):
            created = {change.key for change in report.changes if change.verb == "create"}
            for obj in head.own([name]):
                if snapshot.skill_of(obj) and snapshot.key_of(obj) not in created:
                    found[event("create", obj)] += 1
    return found


def _is_pulumis(verb: str, before: str, after: str) -> bool:
    """Whether the engine has a part in a change of a workload."""
    if before == "argocd":
        return after == "pulumi" and verb == "create"
    return before == "pulumi" or after != "argocd"


def _delivery(side: Snapshot, name: str) -> str:
    """Who applies a domain's workloads; a domain that is not there counts as on the other side."""
    return side.files[name].domain.delivery if name in side.files else ""


def _of(side: Snapshot, key: Key) -> Object:
    objects = snapshot.indexed((*side.shared, *side.own(tuple(side.files))))
    return objects[key]


def event(verb: str, obj: Object) -> Event:
    return verb, type_token(obj), resource_name(obj)


def engine_events(summary: Summary) -> Counter[Event]:
    """The engine's log of one run."""
    return Counter(
        (operation, urn.split("::")[2].rpartition("$")[2], urn.split("::")[3])
        for operation, urn in summary.changes
    )


@pytest.fixture(scope="module")
def series(labs: Callable[[str], Lab], tmp_path_factory: pytest.TempPathFactory) -> Series:
    return Series(labs("truth"), tmp_path_factory.mktemp("series"))


@pytest.mark.engine
@pytest.mark.parametrize("seed", SAMPLE)
def test_a_report_names_what_the_engine_does(series: Series, seed: int) -> None:
    series.go(seed)


@pytest.mark.engine
@pytest.mark.edits
@pytest.mark.parametrize("seed", chosen())
def test_every_report_names_what_the_engine_does(series: Series, seed: int) -> None:
    series.go(seed)


@pytest.mark.engine
def test_what_the_stack_has_recorded_is_a_side_of_its_own(series: Series) -> None:
    lab = series.up()
    sides = [Sides(lab.root, "local", lab.paths).one(name) for name in ("objects", str(lab.root))]
    base, head = (snapshot.read(side, "local", Forgetful()) for side in sides)
    report = build.report(base, head)
    assert (report.changes, report.reordered) == ((), ())
    assert report.untouched.objects == sum(1 for _ in lab.wanted().rendered)


def changed_everywhere(wanted: Wanted) -> Wanted:
    """Fixed fields of objects that no domain file reaches get other values."""
    new: dict[str, Object] = {
        "PriorityClass": {"value": 77},
        "RuntimeClass": {"handler": "another"},
        "StorageClass": {"reclaimPolicy": "Retain"},
    }

    def change(obj: Object) -> Object:
        return {**obj, **new.get(obj["kind"], {})}

    rendered = wanted.rendered
    return replace(wanted, rendered=replace(rendered, cluster=tuple(map(change, rendered.cluster))))


@pytest.mark.engine
def test_what_is_made_anew_is_named_so(series: Series, tmp_path: Path) -> None:
    """The engine's replacements, for fixed fields that only the platform's code sets."""
    lab = series.up()
    wanted = lab.wanted()
    changed = changed_everywhere(wanted)
    source = Sides(lab.root, "local", lab.paths).one(str(lab.root))
    sides: list[Snapshot] = []
    for objects in (wanted.rendered, changed.rendered):
        side = replace(source, objects=tuple(objects), code=str(len(sides)))
        sides.append(snapshot.read(side, "local", Forgetful()))
    report = build.report(sides[0], sides[1])
    outcome = platform.up(changed, lab.paths, QuietProgress())
    events = engine_events(outcome.summary)
    assert {verb for verb, _, _ in events} == {"replace"}
    assert_same(named(report, sides[0], sides[1]), events, "fixed fields")
    assert report.verdict.level == "destructive"
