"""`aspora diff`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aspora.cli.common import find_root, one_shot, stack_option
from aspora.errors import EnvironmentFailure, InvalidInput, UsageError

if TYPE_CHECKING:
    from aspora.changes.model import Report
    from aspora.changes.snapshot import Snapshot

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
    metavar="SIDE",
    help="Compare with this: a Git revision, a folder, `objects` (what the stack has recorded on"
    " this machine) or an export of a stack's state; where the head left main when left out.",
)
@click.option(
    "--head",
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
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file."
)
def diff(
    *, base: str | None, head: str | None, stack: str, style: str | None, output: Path | None
) -> int:
    """Say what a change would really do: objects, consequences, approvers, quotas.

    Needs no engine, no cluster and no credentials. Exits with 1 when the head does not hold.
    """
    one_shot()
    report = compare(find_root(), stack, base, head)
    chosen = style or ("text" if output is None and sys.stdout.isatty() else "markdown")
    data = _rendered(report, chosen, colour=output is None and sys.stdout.isatty())
    if output is not None:
        _write(output, data)
        click.echo(f"{report.verdict.level}: written to {output}", err=True)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    return 1 if report.problems else 0


def compare(root: Path, stack: str, base: str | None, head: str | None) -> Report:
    """The report on two sides of the repository at `root`."""
    from aspora.changes import build, snapshot
    from local.change_memory import FileMemory
    from local.paths import Paths
    from local.sides import Sides

    paths = Paths.from_environment(os.environ, stack)
    before, after = Sides(root, stack, paths).both(base, head)
    memory = FileMemory(paths.cache / "diff")
    try:
        new = snapshot.read(after, stack, memory)
        _check_prompts(new)
    except InvalidInput as error:
        return build.invalid(before.side, after.side, stack, error.problems)
    try:
        old = snapshot.read(before, stack, memory, like=new)
    except InvalidInput as error:
        error.message = f"the base, {before.side.label}, does not hold: {error.message}"
        error.hint = "compare with a revision that does: --base REVISION"
        raise
    return build.report(old, new)


def _check_prompts(head: Snapshot) -> None:
    """Raise InvalidInput with what is wrong with the prompts of a folder, as `validate` does."""
    from aspora.prompts.files import read

    folder = head.source.folder
    if folder is not None:
        found = [read(d, Path(folder, "domains", d.name))[1] for d in head.domains]
        if any(found):
            raise InvalidInput(tuple(problem for problems in found for problem in problems))


def _rendered(report: Report, style: str, *, colour: bool) -> bytes:
    if style == "json":
        from aspora.changes.model import as_json

        return as_json(report)
    if style == "html":
        return _page(report)
    if style == "text":
        from aspora.changes.text import text

        return text(report, colour=colour).encode()
    from aspora.changes.markdown import markdown

    return markdown(report).encode()


def _page(report: Report) -> bytes:
    import importlib

    try:
        module = importlib.import_module("aspora.page")
    except ModuleNotFoundError:
        raise UsageError("this version makes no pages", hint="--format markdown or json") from None
    page: str = module.page(report)
    return page.encode()


def _write(output: Path, data: bytes) -> None:
    """The whole file or none."""
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(output)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise EnvironmentFailure(
            f"cannot write {output}: {error.strerror}", hint="choose another file with --output"
        ) from None
