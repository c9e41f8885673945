"""The prompts of a domain's skills, from `domains/<domain>/skills/<agent>/<skill>/prompts/`.

A domain's own skill has no agent in its ID and none in its path. Files of a pull request: none is
read from outside of its skill's folder, and none may exhaust whoever reads it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aspora import yamldoc
from aspora.fields import NAME_PATTERN
from aspora.models import Domain
from aspora.problems import Position, Problem, printable, quoted
from aspora.resolve import workloads

FOLDER = "prompts"
SUFFIXES = (".md", ".txt")
MAX_BYTES = 64 * 1024
"""Some 16,000 tokens, sent with each execution: more is a document, and no prompt."""
MAX_PROMPTS = 50
"""Of one skill."""
REFERENCE = "@@@langfusePrompt:"
"""Langfuse puts another prompt in its place when it is asked for this one (its documentation,
"Prompt composability")."""
_NAME = re.compile(NAME_PATTERN, re.ASCII)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One file: `skill` is the ID of the skill, `name` the file's without its suffix."""

    skill: str
    name: str
    text: str
    file: str


def read(domain: Domain, folder: Path) -> tuple[tuple[Prompt, ...], tuple[Problem, ...]]:
    """The prompts of a domain whose file stands in `folder`, and every problem with them."""
    top = folder / "skills"
    if not os.path.lexists(top):
        return (), ()
    prompts: list[Prompt] = []
    problems: list[Problem] = []
    known = {_folder_of(top, work.id): work.id for work in workloads(domain)}
    for where in _folders(top, set(known)):
        skill = known.get(where)
        if skill is None:
            problems.append(_nobodys(where, domain))
            continue
        for found in _of_skill(where, skill, folder):
            if isinstance(found, Prompt):
                prompts.append(found)
            else:
                problems.append(found)
    return tuple(prompts), tuple(problems)


def _folder_of(top: Path, skill: str) -> Path:
    return top.joinpath(*skill.split("/")[1:], FOLDER)


def _folders(top: Path, known: set[Path]) -> list[Path]:
    """Every folder of prompts: those that belong to a skill, and those that look as if they did."""
    looks = {path for depth in ("*", "*/*") for path in top.glob(f"{depth}/{FOLDER}")}
    return sorted(path for path in {*known, *looks} if os.path.lexists(path))


def _nobodys(where: Path, domain: Domain) -> Problem:
    return Problem(
        "ASP102",
        "",
        f'no skill of "{domain.name}" has its prompts here',
        Position(_shown(where), 1, 1),
        "they stand in skills/<agent>/<skill>/prompts/, or skills/<skill>/prompts/ for a skill of"
        " the domain itself",
    )


def _of_skill(where: Path, skill: str, folder: Path) -> Iterator[Prompt | Problem]:
    if Path(os.path.realpath(where)) != Path(os.path.realpath(folder), where.relative_to(folder)):
        yield _problem(where, "ASP102", "a symbolic link leads out of the skill's folder")
        return
    try:
        paths = sorted(path for path in where.iterdir() if not path.name.startswith("."))
    except OSError as error:
        yield _problem(where, "ASP102", f"cannot be read: {error.strerror}")
        return
    if len(paths) > MAX_PROMPTS:
        yield _problem(where, "ASP113", f"{len(paths)} files; a skill has at most {MAX_PROMPTS}")
        return
    seen: set[str] = set()
    for path in paths:
        if path.suffix not in SUFFIXES or not _NAME.fullmatch(path.stem):
            hint = "1 to 30 lower-case letters, digits and hyphens, then .md or .txt: system.md"
            yield _problem(path, "ASP204", f"{quoted(path.name)} is no name of a prompt", hint)
        elif path.stem in seen:
            yield _problem(path, "ASP301", f'the prompt "{path.stem}" stands in two files')
        else:
            seen.add(path.stem)
            yield _prompt(path, skill, path.stem)


def _prompt(path: Path, skill: str, name: str) -> Prompt | Problem:
    shown = _shown(path)
    text = yamldoc.read(path, name=shown, inside=path.parent)
    if isinstance(text, Problem):
        return text
    if len(text.encode()) > MAX_BYTES:
        return _problem(path, "ASP113", f"the prompt is bigger than {MAX_BYTES // 1024} KiB")
    unseen = yamldoc.unseen(text, shown)
    if unseen is not None:
        return unseen
    if REFERENCE in text:
        return _problem(
            path,
            "ASP204",
            "the prompt has another one of Langfuse in it, which can change without this file",
            "write its text out",
        )
    # The same version on every machine, whatever its checkout makes of ends of lines.
    clean = text.replace("\r\n", "\n").strip("\n")
    if not clean.strip():
        return _problem(path, "ASP204", "the prompt is empty", "delete the file, or fill it")
    return Prompt(skill, name, clean, shown)


def _problem(path: Path, code: str, message: str, hint: str = "") -> Problem:
    return Problem(code, "", message, Position(_shown(path), 1, 1), hint)


def _shown(path: Path) -> str:
    return printable(path.as_posix())
