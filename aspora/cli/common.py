"""What several commands share: the repository's root and the options that mean the same."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from aspora.errors import InvalidInput, UsageError

stack_option = click.option(
    "--stack",
    default="local",
    show_default=True,
    metavar="NAME",
    help="The stack whose settings apply (Pulumi.NAME.yaml).",
)


class Named(click.ParamType[str]):
    """A text that is not empty: `--base "$BASE"` with no BASE must not mean the folder here."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text; a misuse of the command when there is none."""
        if not value.strip():
            self.fail("it is empty", param, ctx)
        return value


class OutputFile(click.Path):
    """A file to write; it need not be there."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        """The path; a misuse of the command when it is empty or ends in no name."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.name:
            self.fail("it names no file", param, ctx)
        return path


def find_root(start: Path | None = None) -> Path:
    """The repository: the nearest folder upwards with a Pulumi.yaml and a domains/ folder.

    Raises UsageError outside of one. `ASPORA_ROOT` names it from elsewhere.
    """
    given = os.environ.get("ASPORA_ROOT")
    here = Path(given) if given else (start or _here())
    for folder in (here, *here.resolve().parents):
        if (folder / "Pulumi.yaml").is_file() and (folder / "domains").is_dir():
            return folder
    raise UsageError(
        f"{here} is not in a repository of the platform (no Pulumi.yaml beside a domains/ folder)",
        hint="change into it, or set ASPORA_ROOT",
    )


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError(
            f"the folder this runs in cannot be used: {error.strerror}",
            hint="change into the repository",
        ) from None


def problems_in_style(command: Callable[..., int]) -> Callable[..., int]:
    """For commands with a `style`: problems of the files come in it too, on stdout, so that what
    reads annotations or SARIF gets some; as text they are an error's, on stderr."""

    @wraps(command)
    def wrapped(*args: Any, style: str, **options: Any) -> int:
        try:
            return command(*args, style=style, **options)
        except InvalidInput as error:
            if style == "text":
                raise
            from aspora import problem_formats

            click.echo(problem_formats.render(error.problems, style), nl=False)
            click.echo(f"{counted(len(error.problems), 'problem')} found", err=True)
            return error.exit_code

    return wrapped


def one_shot() -> None:
    """For commands that load, print and end: no garbage collection.

    Models and rendered objects hold no cycles and all of them stay; looking through them again
    and again took a third of the time to render 1,000 skills, and more of it the more there are.
    """
    gc.disable()


def counted(count: int, noun: str) -> str:
    """`1 skill`, `2 skills`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def shown(path: Path) -> Path:
    """`path` as a person at this prompt would write it: relative to here when it is below."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except (OSError, ValueError):
        return path


def domain_paths(paths: tuple[Path, ...], root: Path) -> list[Path]:
    """The paths given, or the repository's domains/ folder."""
    return [shown(path) if path.is_absolute() else path for path in paths] or [
        shown(root / "domains")
    ]
