"""`aspora approvals`."""

from __future__ import annotations

import sys

import click

from aspora import problem_formats
from aspora.cli.common import counted, domain_paths, find_root, one_shot, problems_in_style
from aspora.cli.validate import FORMATS
from aspora.errors import InvalidInput
from aspora.load import load, load_stack


@click.command(
    epilog="""\b
Examples:
  aspora approvals                       every domain
  aspora approvals --format github       annotations on a pull request
"""
)
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How problems are printed.",
)
@problems_in_style
def approvals(style: str) -> int:
    """Compare the domains with domains/approvals.yaml, which the platform team owns.

    A quota, a budget, runc or a host on the Internet beyond the defaults needs an approval there.
    Exits with 1 when one is missing, or when nothing needs it any more.
    """
    from aspora.approvals import check

    one_shot()
    root = find_root()
    loaded = load(domain_paths((), root), load_stack("local", root))
    if loaded.problems:
        raise InvalidInput(loaded.problems)
    problems = check(root, loaded.files)
    colour = style == "text" and sys.stdout.isatty()
    click.echo(problem_formats.render(problems, style, colour=colour), nl=False)
    if problems:
        click.echo(f"{counted(len(problems), 'problem')} found", err=True)
        return 1
    click.echo(f"{counted(len(loaded.domains), 'domain')}: all of it was agreed to", err=True)
    return 0
