"""`aspora check`: policy checks of what a stack declares on AWS."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aspora.cli.common import counted, find_root
from aspora.cli.validate import FORMATS
from aspora.errors import UsageError
from aspora.load import load_stack

if TYPE_CHECKING:
    from aspora.policy import Verdict


@click.command(
    epilog="""\b
Examples:
  aspora check                                      staging's AWS side
  aspora check --stack prod
  aspora check --format sarif > check.sarif         for code scanning
"""
)
@click.option(
    "--stack",
    default="staging",
    show_default=True,
    metavar="NAME",
    help="The stack whose settings apply (Pulumi.NAME.yaml).",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How findings are printed.",
)
def check(stack: str, style: str) -> int:
    """Check what a stack declares on AWS against checkov's policies.

    Nothing is deployed and no account is needed. The first run installs checkov into the tool
    cache. Exits with 1 when there are findings; what is skipped, why and until when stands in
    aspora/policy_skips.py.
    """
    from aspora import problem_formats

    root = find_root()
    if load_stack(stack, root).aws is None:
        raise UsageError(
            f"the stack {stack} declares nothing of its own on AWS",
            hint="check one that does: aspora check --stack staging",
        )
    verdict = _verdict(stack, root)
    colour = style == "text" and sys.stdout.isatty()
    click.echo(
        problem_formats.render(verdict.problems, style, colour=colour, info=verdict.info), nl=False
    )
    click.echo(_counts(verdict), err=True)
    return 1 if verdict.problems else 0


def _verdict(stack: str, root: Path) -> Verdict:
    from infra.registered_stack import registered
    from local.checkov import gate
    from local.environments import CHECKOV, python_of
    from local.paths import Paths
    from local.progress import make_progress

    resources = registered(stack, root)
    progress = make_progress(sys.stderr)
    python = python_of(CHECKOV, Paths.from_environment(os.environ), progress, os.environ)
    with progress.step(f"checkov looks at {stack}'s AWS resources"):
        return gate(resources, python, stack, datetime.now(UTC).date())


def _counts(verdict: Verdict) -> str:
    counts = (
        f"{counted(verdict.scanned, 'resource')} scanned",
        f"{counted(verdict.passed, 'check')} passed",
        f"{len(verdict.skipped)} skipped with a reason",
        counted(len(verdict.problems), "finding"),
    )
    return ", ".join(counts)
