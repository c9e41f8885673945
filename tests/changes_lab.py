"""Two folders of domain files and the report on the way from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aspora import yamldoc
from aspora.changes import build, snapshot
from aspora.changes.model import Change, Report, Side
from aspora.changes.snapshot import Forgetful, Memory, Source
from tests.core import ROOT

CODEOWNERS = (ROOT / ".github/CODEOWNERS").read_text("utf-8")


def texts(*files: str) -> dict[str, str]:
    """Domain files by their path in a repository."""
    named = {
        next(line[6:] for line in text.splitlines() if line.startswith("name: ")): text
        for text in files
    }
    return {f"domains/{name}/domain.yaml": named[name] for name in sorted(named)}


def own() -> dict[str, str]:
    """The repository's own domain files."""
    paths = sorted(ROOT.glob("domains/*/domain.yaml"))
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths}


def edited(old: str, new: str, domain: str = "fraud") -> dict[str, str]:
    """The repository's own domain files with one place changed."""
    path = f"domains/{domain}/domain.yaml"
    found = own()
    assert found[path].count(old) == 1, f"{old!r} stands {found[path].count(old)} times in {path}"
    return {**found, path: found[path].replace(old, new)}


@dataclass(frozen=True)
class Lab:
    """Makes reports for one stack."""

    stack: str = "local"
    memory: Memory = field(default_factory=Forgetful)

    def settings(self) -> str:
        """The text of the stack's file."""
        return (ROOT / f"Pulumi.{self.stack}.yaml").read_text("utf-8")

    def source(self, domains: dict[str, str], label: str, settings: str | None = None) -> Source:
        return Source(
            Side("folder", label),
            {path: yamldoc.decode(text.encode(), path) for path, text in domains.items()},
            settings if settings is not None else self.settings(),
            codeowners=CODEOWNERS,
            code="the code",
        )

    def report(
        self,
        before: dict[str, str],
        after: dict[str, str],
        *,
        settings: tuple[str | None, str | None] = (None, None),
    ) -> Report:
        """The report, with nothing of it cached."""
        sides = [
            snapshot.read(self.source(domains, label, text), self.stack, self.memory)
            for domains, label, text in (
                (before, "before", settings[0]),
                (after, "after", settings[1]),
            )
        ]
        return build.report(sides[0], sides[1])


def shown(changes: Sequence[Change]) -> list[str]:
    """`update Deployment aspora-fraud/x`, in the report's order."""
    return [f"{c.verb} {c.key.kind} {c.key.namespace}/{c.key.name}" for c in changes]


def of_domains(report: Report) -> list[str]:
    """The changes of domains alone."""
    return shown([change for change in report.changes if change.domain])


def repository(folder: Path, domains: dict[str, str]) -> Path:
    """A folder with the stacks' files and these domain files."""
    for path in (*ROOT.glob("Pulumi*.yaml"), ROOT / ".github/CODEOWNERS"):
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    for name, text in domains.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder
