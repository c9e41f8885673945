"""From files to models: every problem of every file, or domains that hold.

Nothing is half-loaded: `load` answers either problems or the whole platform.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aspora import rules, stack_rules, yamldoc
from aspora.errors import InvalidInput, UsageError
from aspora.model_keys import allowed_keys
from aspora.models import Domain
from aspora.problems import Problem, format_path, quoted, schema_problems
from aspora.prompts import files as prompts
from aspora.prompts.files import Prompt
from aspora.stack import PREFIX, StackSettings

DOMAIN_FILE = "domain.yaml"
STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
"""What Pulumi takes as the name of a stack."""
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class DomainFile:
    """A domain with the file it came from."""

    file: str
    document: yamldoc.Document
    domain: Domain
    prompts: tuple[Prompt, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """The outcome: `files` of all domains that could be read, and every problem found."""

    files: tuple[DomainFile, ...]
    problems: tuple[Problem, ...]

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The models alone."""
        return tuple(file.domain for file in self.files)

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Those of every skill."""
        return tuple(prompt for file in self.files for prompt in file.prompts)


def find(paths: Sequence[Path]) -> dict[Path, Path | None]:
    """The domain files under `paths`: files as they are, folders searched one level deep.

    Each with the folder it was found in, which no symbolic link may lead out of; None for a file
    that was named itself. Raises UsageError when a path does not exist or a folder holds none.
    """
    found: dict[Path, Path | None] = {}
    for path in paths:
        if path.is_dir():
            own = path / DOMAIN_FILE
            inside = [own] if own.exists() else sorted(path.glob(f"*/{DOMAIN_FILE}"))
            if not inside:
                raise UsageError(
                    f"{path} holds no {DOMAIN_FILE}",
                    hint=f"a domain lives in domains/<domain>/{DOMAIN_FILE}",
                )
            found |= dict.fromkeys(inside, path)
        elif path.exists() or path.is_symlink():
            found[path] = None
        else:
            raise UsageError(f"{path} does not exist", hint="name a folder or a domain.yaml")
    return found


def load(paths: Sequence[Path], settings: StackSettings) -> Loaded:
    """Read, check and cross-check the domain files under `paths` for one stack."""
    outcomes = {
        path: _with_prompts(path, _domain(path, yamldoc.load(path, inside=inside)))
        for path, inside in find(paths).items()
    }
    return together(outcomes, settings)


def read_domain(path: Path, text: str | Problem) -> DomainFile | list[Problem]:
    """A domain file whose text is there already, or its problems; prompts stay unread."""
    if isinstance(text, Problem):
        return [text]
    return _domain(path, yamldoc.parse(text, path.as_posix()))


def together(
    outcomes: Mapping[Path, DomainFile | list[Problem]], settings: StackSettings
) -> Loaded:
    """Files that were read each for itself, checked against one another."""
    files: list[DomainFile] = []
    problems: list[Problem] = []
    unread: set[str] = set()
    for path, outcome in outcomes.items():
        if isinstance(outcome, DomainFile):
            files.append(outcome)
        else:
            problems += outcome
            unread.add(path.parent.name)
    checked = rules.check([file.domain for file in files], settings, frozenset(unread))
    problems += [_placed(files, finding) for finding in checked]
    return Loaded(tuple(files), tuple(sorted(problems)))


def _placed(files: Sequence[DomainFile], finding: rules.Finding) -> Problem:
    position = files[finding.file].document.position(finding.path)
    hint = finding.hint
    if finding.other is not None:
        hint = f"the other one is {files[finding.other].file}"
    return Problem(finding.code, format_path(finding.path), finding.message, position, hint)


def load_or_raise(paths: Sequence[Path], settings: StackSettings) -> tuple[Domain, ...]:
    """The domains, or InvalidInput with every problem."""
    return loaded_or_raise(paths, settings).domains


def loaded_or_raise(paths: Sequence[Path], settings: StackSettings) -> Loaded:
    """All of it, or InvalidInput with every problem."""
    loaded = load(paths, settings)
    if loaded.problems:
        raise InvalidInput(loaded.problems)
    return loaded


def _domain(path: Path, document: yamldoc.Document) -> DomainFile | list[Problem]:
    if not document.complete:
        return list(document.problems)
    domain = validate(Domain, document.data, document)
    if isinstance(domain, list):
        return sorted([*document.problems, *domain])
    if document.problems:
        return list(document.problems)
    folder = path.resolve().parent.name
    if path.name == DOMAIN_FILE and folder != domain.name:
        return [
            Problem(
                code="ASP315",
                path="name",
                message=f'domain "{domain.name}" stands in the folder "{folder}"',
                position=document.position(("name",)),
                hint="folder and name are the same: rename one of them",
            )
        ]
    return DomainFile(path.as_posix(), document, domain)


def _with_prompts(path: Path, outcome: DomainFile | list[Problem]) -> DomainFile | list[Problem]:
    """The domain with the prompts beside its file, or the problems of either."""
    if path.name != DOMAIN_FILE or not isinstance(outcome, DomainFile):
        return outcome
    found, problems = prompts.read(outcome.domain, path.parent)
    return list(problems) or replace(outcome, prompts=found)


def validate(
    model: type[M], data: Any, document: yamldoc.Document, prefix: tuple[str, ...] = ()
) -> M | list[Problem]:
    """`data` as a `model`, or its problems at their places in `document`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        return schema_problems(error, document, lambda path: allowed_keys(model, path), prefix)


def load_stack(stack: str, root: Path) -> StackSettings:
    """The settings of `stack` from `Pulumi.<stack>.yaml` in `root`.

    Raises UsageError for an unknown stack, InvalidInput for settings that do not hold.
    """
    settings, document = _read_stack(stack, root)
    return _stack_checked(stack, settings, document)


def read_stack(stack: str, text: str | Problem) -> StackSettings:
    """The same from a text that is there already."""
    if isinstance(text, Problem):
        raise InvalidInput((text,))
    document = yamldoc.parse(text, f"Pulumi.{stack}.yaml")
    return _stack_checked(stack, _stack_settings(document), document)


def _stack_checked(
    stack: str, settings: StackSettings, document: yamldoc.Document
) -> StackSettings:
    findings = (*stack_rules.named(stack, settings), *stack_rules.check(settings))
    problems = tuple(_stack_finding(document, found) for found in findings)
    if problems:
        raise InvalidInput(problems)
    return settings


def unverified(stack: str, root: Path) -> tuple[Problem, ...]:
    """The pins of `stack` that prod refuses until somebody has looked them up."""
    settings, document = _read_stack(stack, root)
    return tuple(_stack_finding(document, found) for found in stack_rules.unverified(settings))


def _stack_finding(document: yamldoc.Document, found: stack_rules.StackFinding) -> Problem:
    path = ("config", *found.path)
    position = document.position(path)
    return Problem(found.code, format_path(path), found.message, position, found.hint)


def _read_stack(stack: str, root: Path) -> tuple[StackSettings, yamldoc.Document]:
    path = root / f"Pulumi.{stack}.yaml"
    if not STACK_NAME.fullmatch(stack) or not os.path.lexists(path):
        known = sorted(p.name.split(".")[1] for p in root.glob("Pulumi.*.yaml"))
        raise UsageError(
            f"there is no stack {quoted(stack)}: no file {quoted(path.name)} in the repository",
            hint="known stacks: " + ", ".join(known) if known else "run it in the repository",
        )
    document = yamldoc.load(path, inside=root, name=path.name)
    return _stack_settings(document), document


def _stack_settings(document: yamldoc.Document) -> StackSettings:
    problems = list(document.problems)
    config = document.data.get("config") if isinstance(document.data, dict) else None
    if not problems and not isinstance(config, dict):
        problems = [_stack_problem(document, (), "the file has no `config:` mapping")]
    if problems or not isinstance(config, dict):
        raise InvalidInput(tuple(problems))
    own = {key: value for key, value in config.items() if key.startswith(PREFIX)}
    settings = validate(StackSettings, own, document, ("config",))
    if isinstance(settings, list):
        raise InvalidInput(tuple(settings))
    return settings


def _stack_problem(document: yamldoc.Document, path: tuple[str, ...], message: str) -> Problem:
    hint = "settings stand under `config:`, as in Pulumi.local.yaml"
    return Problem("ASP401", format_path(path), message, document.position(path), hint)
