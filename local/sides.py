"""The sides of a comparison as a person names them: a revision, a folder, or recorded objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from aspora import load, yamldoc
from aspora.changes.model import Side
from aspora.changes.owners import PLACES
from aspora.changes.snapshot import Source
from aspora.cli.common import shown
from aspora.errors import InvalidInput, UsageError
from aspora.problems import Problem, quoted
from aspora.stack import StackSettings
from local import own_code, recorded
from local.paths import Paths
from local.revisions import Repository

RECORDED = "objects"
"""Names what the stack has recorded."""
WORKING_TREE = "working tree"
"""The label of the head when none is named."""
_DOMAIN = re.compile(r"domains/[^/]+/domain\.yaml")
_PROMPT = re.compile(r"domains/[^/]+/skills/([^/]+/){1,2}prompts/[^/]+")
_OTHER_CODE = (
    "the platform's code in {} is not the one that runs here: what it changes is not in this report"
)
_IN_DOMAINS = re.compile(r"domains/[^/]+")


@dataclass(frozen=True)
class Sides:
    """Reads sides of the repository at `root`, for one stack."""

    root: Path
    stack: str
    paths: Paths

    @cached_property
    def code(self) -> dict[str, bytes]:
        """The files of the code that runs."""
        return own_code.running()

    @cached_property
    def code_digest(self) -> str:
        """Of the code that runs."""
        return own_code.digest(self.code)

    def both(self, base: str | None, head: str | None) -> tuple[Source, Source]:
        """The sides of a comparison; without a base, where the head left main."""
        repository = Repository(self.root)
        after = self.one(head) if head is not None else self._working_tree()
        if base is not None:
            return self.one(base), after
        main, commit = repository.branch_point(after.side.commit or "HEAD")
        before = self._revision(repository, commit, f"{main} ({commit[:7]})")
        return before, after

    def one(self, name: str) -> Source:
        """The side of that name."""
        if name == RECORDED:
            return self._recorded(
                recorded.of_stack(self.paths, self.root), f"objects of {self.stack}"
            )
        path = Path(name)
        if path.is_dir():
            return self._folder(path, str(shown(path)))
        if path.is_file() and name.endswith(".json"):
            return self._recorded(recorded.of_export(path), str(shown(path)))
        repository = Repository(self.root)
        return self._revision(repository, repository.commit(name), name)

    def settings_of(self, source: Source, stack: str) -> StackSettings | None:
        """Another stack's settings on a side that was read; None where it has none that hold."""
        name = f"Pulumi.{stack}.yaml"
        text: str | Problem | None = None
        if source.folder is not None:
            path = Path(source.folder, name)
            text = yamldoc.read(path, name=name, inside=Path(source.folder))
        elif source.side.commit:
            text = Repository(self.root).texts(source.side.commit, [name]).get(name)
        try:
            return None if text is None else load.read_stack(stack, text)
        except InvalidInput:
            return None

    def _working_tree(self) -> Source:
        return self._folder(self.root, WORKING_TREE)

    def _recorded(self, objects: tuple[recorded.Object, ...], label: str) -> Source:
        note = "definitions of custom resources and AWS resources are not compared"
        return Source(Side("stack", label), {}, "", code=RECORDED, objects=objects, notes=(note,))

    def _folder(self, folder: Path, label: str) -> Source:
        if not (folder / "domains").is_dir():
            raise UsageError(
                f"{quoted(label)} is no repository of the platform: it has no folder domains/",
                hint="name a folder with domains/ and Pulumi.<stack>.yaml, or a Git revision",
            )
        texts: dict[str, str | Problem] = {}
        for path, inside in load.find([folder / "domains"]).items():
            name = path.relative_to(folder).as_posix()
            texts[name] = yamldoc.read(path, name=name, inside=inside)
        stack = folder / self._stack_file(folder)
        return Source(
            Side("folder", label),
            texts,
            yamldoc.read(stack, name=stack.name, inside=folder),
            _prompts(folder),
            _codeowners({n: yamldoc.read(folder / n, inside=folder) for n in PLACES}),
            self.code_digest,
            folder=str(folder),
            notes=() if own_code.runs_here(folder) else (_OTHER_CODE.format(label),),
        )

    def _stack_file(self, folder: Path) -> str:
        name = f"Pulumi.{self.stack}.yaml"
        if load.STACK_NAME.fullmatch(self.stack) and (folder / name).exists():
            return name
        known = sorted(path.name.split(".")[1] for path in folder.glob("Pulumi.*.yaml"))
        raise UsageError(
            f"there is no stack {quoted(self.stack)}: no {quoted(name)} in {quoted(str(folder))}",
            hint="known stacks: " + ", ".join(known) if known else "run it in the repository",
        )

    def _revision(self, repository: Repository, commit: str, label: str) -> Source:
        stack = f"Pulumi.{self.stack}.yaml"
        if not load.STACK_NAME.fullmatch(self.stack):
            raise UsageError(f"there is no stack {quoted(self.stack)}")
        texts = repository.texts(commit, ["domains", stack, *PLACES])
        if stack not in texts:
            raise UsageError(
                f"there is no stack {quoted(self.stack)} at {quoted(label)}: no file {stack}",
                hint="compare with a revision that has it: --base REVISION",
            )
        domains = {path: text for path, text in texts.items() if _is_domain(path, text)}
        source = Source(
            Side("revision", label, commit),
            domains,
            texts[stack],
            {path: str(text) for path, text in texts.items() if _PROMPT.fullmatch(path)},
            _codeowners(texts),
            self.code_digest,
        )
        return self._with_its_code(repository, commit, source, {stack: texts[stack], **domains})

    def _with_its_code(
        self,
        repository: Repository,
        commit: str,
        source: Source,
        files: Mapping[str, str | Problem],
    ) -> Source:
        """The source rendered by its own code, where that is another and may be run."""
        entries = repository.entries(commit, [own_code.PACKAGE])
        if own_code.same(entries, self.code):
            return source
        label = source.side.label
        if not repository.is_merged(commit):
            note = (
                f"the platform's code of {label} differs from the one that runs here and is not"
                " part of main: it was not run, and what it changes is not in this report"
            )
            return replace(source, notes=(note,))
        objects = own_code.render(repository, entries, files, self.stack)
        if isinstance(objects, str):
            note = f"the platform's code of {label} could not be run ({objects}): today's was used"
            return replace(source, notes=(note,))
        theirs = own_code.digest({entry.path: entry.hash.encode() for entry in entries})
        note = (
            f"{label} was rendered by its own code, which knows no Helm releases: they are not"
            " compared"
        )
        return replace(source, code=theirs, objects=objects, notes=(note,))


def _is_domain(path: str, text: str | Problem) -> bool:
    """A domain file, or what stands in the place of a domain's folder and is none."""
    return bool(_DOMAIN.fullmatch(path)) or (
        isinstance(text, Problem) and bool(_IN_DOMAINS.fullmatch(path))
    )


def _prompts(folder: Path) -> dict[str, str]:
    """The texts of prompt files; whether they hold is `aspora validate`'s to say."""
    paths = (
        path
        for pattern in ("*/skills/*/prompts/*", "*/skills/*/*/prompts/*")
        for path in (folder / "domains").glob(pattern)
    )
    return {
        path.relative_to(folder).as_posix(): str(yamldoc.read(path, inside=folder))
        for path in sorted(paths)
    }


def _codeowners(texts: Mapping[str, str | Problem]) -> str:
    for place in PLACES:
        text = texts.get(place)
        if isinstance(text, str):
            return text
    return ""
