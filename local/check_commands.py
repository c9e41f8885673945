"""`aspora check`: what a stack declares, against our rules and checkov's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aspora.cli.common import counted, domain_paths, find_root, one_shot, problems_in_style
from aspora.cli.validate import FORMATS
from aspora.errors import InvalidInput, UsageError
from aspora.load import DomainFile, load, load_stack
from aspora.problems import CodeInfo, code_info

if TYPE_CHECKING:
    from aspora.policy import ScanInput, Verdict
    from aspora.render import Rendered
    from aspora.stack import StackSettings

HALVES = ("kubernetes", "aws")


@dataclass(frozen=True)
class Asked:
    """What is to be checked."""

    stack: str
    root: Path
    settings: StackSettings
    kubernetes: bool
    aws: bool
    checkov: bool


@click.command(
    epilog="""\b
Examples:
  aspora check                                      staging, by our rules and checkov's
  aspora check --stack prod --only aws
  aspora check --stack local --no-checkov           our rules alone, in under a second
  aspora check --format sarif > check.sarif         for code scanning
  aspora explain ASP514                             what a rule is for
"""
)
@click.option(
    "--stack",
    default="staging",
    show_default=True,
    metavar="NAME",
    help="The stack whose settings apply (Pulumi.NAME.yaml).",
)
@click.option("--only", type=click.Choice(HALVES), help="Only this half of what it declares.")
@click.option(
    "--no-checkov", is_flag=True, help="Our own rules alone; nothing is installed or downloaded."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How findings are printed.",
)
@problems_in_style
def check(stack: str, only: str | None, style: str, *, no_checkov: bool) -> int:
    """Check what a stack declares: Kubernetes objects and AWS resources.

    Nothing is deployed, and no account and no cluster are needed. Our own rules read the Kubernetes
    objects, checkov both; the first run installs checkov into the tool cache. A finding stands at
    the line of the domain file that causes it. Exits with 1 when there are findings; what is
    skipped, why and until when stands in aspora/policy_skips.py.
    """
    from aspora import problem_formats

    one_shot()
    verdicts = tuple(_verdicts(_asked(stack, only, checkov=not no_checkov)))
    problems = [problem for _, verdict in verdicts for problem in verdict.problems]
    colour = style == "text" and sys.stdout.isatty()
    info = _infos([verdict for _, verdict in verdicts])
    click.echo(problem_formats.render(problems, style, colour=colour, info=info), nl=False)
    for who, verdict in verdicts:
        click.echo(f"{who}: {_counts(verdict)}", err=True)
    return 1 if problems else 0


def _asked(stack: str, only: str | None, *, checkov: bool) -> Asked:
    """Raises UsageError where nothing would be left to look at."""
    root = find_root()
    settings = load_stack(stack, root)
    if only == "aws" and settings.aws is None:
        raise UsageError(
            f"the stack {stack} declares nothing of its own on AWS",
            hint="check one that does: aspora check --stack staging --only aws",
        )
    if only == "aws" and not checkov:
        raise UsageError(
            "the AWS half is checkov's alone", hint="take out --no-checkov, or --only aws"
        )
    aws = settings.aws is not None and only != "kubernetes" and checkov
    return Asked(stack, root, settings, only != "aws", aws, checkov)


def _verdicts(asked: Asked) -> Iterator[tuple[str, Verdict]]:
    """Who says it, and what."""
    today = datetime.now(UTC).date()
    inputs: list[ScanInput] = []
    if asked.kubernetes:
        from aspora.checks import RULES
        from aspora.checks.manifests import kubernetes_input
        from aspora.checks.origins import Origins
        from aspora.checks.verdict import verdict

        files, rendered = _rendered(asked)
        origins = Origins(files, rendered, asked.stack)
        yield f"our {len(RULES)} rules", verdict(rendered, asked.settings, origins.place, today)
        inputs.append(kubernetes_input(rendered, origins.place))
    if asked.aws:
        from aspora.aws_scan import aws_input
        from infra.registered_stack import registered

        inputs.append(aws_input(registered(asked.stack, asked.root), asked.stack))
    if asked.checkov:
        yield from _checkov(inputs, asked.stack, today)


def _checkov(inputs: list[ScanInput], stack: str, today: date) -> Iterator[tuple[str, Verdict]]:
    from local.checkov import gate
    from local.environments import CHECKOV, python_of
    from local.paths import Paths
    from local.progress import make_progress

    progress = make_progress(sys.stderr)
    python = python_of(CHECKOV, Paths.from_environment(os.environ), progress, os.environ)
    with progress.step(f"checkov looks at {' and '.join(f'{one.what}s' for one in inputs)}"):
        found = gate(inputs, python, stack, today)
    yield from (
        (f"checkov on {one.what}s", verdict) for one, verdict in zip(inputs, found, strict=True)
    )


def _rendered(asked: Asked) -> tuple[tuple[DomainFile, ...], Rendered]:
    """Pins that prod refuses are of no matter here: they are looked at by `aspora validate`."""
    from aspora.render import render

    lenient = asked.settings.model_copy(update={"environment": "staging"})
    loaded = load(domain_paths((), asked.root), lenient)
    if loaded.problems:
        raise InvalidInput(loaded.problems)
    return loaded.files, render(loaded.domains, asked.settings)


def _infos(verdicts: list[Verdict]) -> Callable[[str], CodeInfo]:
    from aspora.checks.verdict import info as of_rule

    def info(code: str) -> CodeInfo:
        own = of_rule(code)
        if own:
            return own
        said = [verdict.info(code) for verdict in verdicts]
        return next((one for one in said if one.title != code), code_info(code))

    return info


def _counts(verdict: Verdict) -> str:
    counts = (
        f"{verdict.scanned} looked at",
        *([f"{counted(verdict.passed, 'check')} passed"] if verdict.passed else []),
        f"{len(verdict.skipped)} skipped with a reason",
        counted(len(verdict.problems), "finding"),
    )
    return ", ".join(counts)
