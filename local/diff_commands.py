"""`aspora diff`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aspora.cli.common import Named, OutputFile, find_root, one_shot, stack_option
from aspora.errors import InvalidInput
from aspora.output import write_file

if TYPE_CHECKING:
    from aspora.changes.model import Report
    from aspora.changes.snapshot import Snapshot
    from aspora.isolation.model import Proof
    from aspora.page import State
    from aspora.problems import Problem
    from local.sides import Sides

FORMATS = ("text", "markdown", "json", "html")


@click.command(
    epilog="""\b
Examples:
  aspora diff                              what the working tree changes, compared with main
  aspora diff --base HEAD~3 --head HEAD    between two revisions
  aspora diff --base objects               what `aspora up` would change here
  aspora diff --stack prod --base state.json
                                           against an export of prod's state
  aspora diff --format markdown --output comment.md
                                           the comment on a pull request
"""
)
@click.option(
    "--base",
    type=Named(),
    metavar="SIDE",
    help="Compare with this: a Git revision, a folder, `objects` (what the stack has recorded on"
    " this machine) or an export of a stack's state; where the head left main when left out.",
)
@click.option(
    "--head",
    type=Named(),
    metavar="SIDE",
    help="What is to be looked at: a Git revision or a folder; the working tree when left out.",
)
@stack_option
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    help="How it is printed; text on a terminal, else markdown.",
)
@click.option("--output", type=OutputFile(), help="Write it to this file.")
@click.option(
    "--complete",
    is_flag=True,
    help="Also what it costs, what our rules find, and the proof of isolation; takes some seconds"
    " more. A page always has them.",
)
def diff(
    *,
    base: str | None,
    head: str | None,
    stack: str,
    style: str | None,
    output: Path | None,
    complete: bool,
) -> int:
    """Say what a change would really do: objects, consequences, approvers, quotas.

    Needs no engine, no cluster and no credentials. Exits with 1 when the head does not hold.
    """
    one_shot()
    root = find_root()
    chosen = style or ("text" if output is None and sys.stdout.isatty() else "markdown")
    found = compared(root, stack, base, head)
    if complete or chosen == "html":
        found = _completed(found, _sides(root, stack))
    report = found.report
    if chosen == "html":
        data = _page(found)
    else:
        data = _rendered(report, chosen, colour=output is None and sys.stdout.isatty())
    if output is not None:
        write_file(output, data)
        click.echo(f"{report.verdict.level}: written to {output}", err=True)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    return 1 if report.problems else 0


@dataclass(frozen=True)
class Compared:
    """A report and the two sides that were read for it; none of a head that does not hold."""

    report: Report
    base: Snapshot | None = None
    head: Snapshot | None = None
    proof: Proof | None = None


def compare(root: Path, stack: str, base: str | None, head: str | None) -> Report:
    """The report on two sides of the repository at `root`."""
    return compared(root, stack, base, head).report


def compared(root: Path, stack: str, base: str | None, head: str | None) -> Compared:
    """Likewise, with the sides."""
    from aspora.changes import build, snapshot
    from local.change_memory import FileMemory

    sides = _sides(root, stack)
    before, after = sides.both(base, head)
    memory = FileMemory(sides.paths.cache / "diff")
    try:
        new = snapshot.read(after, stack, memory)
        _check_prompts(new)
    except InvalidInput as error:
        return Compared(build.invalid(before.side, after.side, stack, error.problems))
    try:
        old = snapshot.read(before, stack, memory, like=new)
    except InvalidInput as error:
        error.message = f"the base, {before.side.label}, does not hold: {error.message}"
        error.hint = "compare with a revision that does: --base REVISION"
        raise
    return Compared(build.report(old, new), old, new)


def _sides(root: Path, stack: str) -> Sides:
    from local.paths import Paths
    from local.sides import Sides

    return Sides(root, stack, Paths.from_environment(os.environ, stack))


def _check_prompts(head: Snapshot) -> None:
    """Raise InvalidInput with what is wrong with the prompts of a folder, as `validate` does."""
    from aspora.prompts.files import read

    folder = head.source.folder
    if folder is not None:
        found = [read(d, Path(folder, "domains", d.name))[1] for d in head.domains]
        if any(found):
            raise InvalidInput(
                tuple(_within(folder, problem) for problems in found for problem in problems)
            )


def _within(folder: str, problem: Problem) -> Problem:
    """The problem by the file's name in the repository: a comment is no place for a path of the
    machine that wrote it."""
    place = problem.position
    name = os.path.relpath(place.file, folder) if Path(place.file).is_absolute() else place.file
    return replace(problem, position=replace(place, file=name))


def _rendered(report: Report, style: str, *, colour: bool) -> bytes:
    if style == "json":
        from aspora.changes.model import as_json

        return as_json(report)
    if style == "text":
        from aspora.changes.text import text

        return text(report, colour=colour).encode()
    from aspora.changes.markdown import markdown

    return markdown(report).encode()


def _completed(found: Compared, sides: Sides) -> Compared:
    from local import diff_sections

    if found.base is None or found.head is None:
        return found
    proof = diff_sections.proof(found.head, sides.root)
    report = diff_sections.complete(found.report, found.base, found.head, proof, sides)
    return replace(found, report=report, proof=proof)


def _page(found: Compared) -> bytes:
    from aspora.page import page

    sides = _state(found.base), _state(found.head)
    return page(found.report, base=sides[0], head=sides[1], proof=found.proof).encode()


def _state(side: Snapshot | None) -> State | None:
    """What the picture shows; of recorded objects nobody knows the domain files."""
    from aspora.page import State

    return State(side.domains, side.settings) if side and side.settings and side.files else None
