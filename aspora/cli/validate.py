"""`aspora validate`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aspora import problem_formats
from aspora.cli.common import (
    counted,
    domain_paths,
    find_root,
    one_shot,
    problems_in_style,
    stack_option,
)
from aspora.load import load, load_stack, unverified
from aspora.resolve import workloads

FORMATS = ("text", "json", "github", "sarif")


@click.command(
    epilog="""\b
Examples:
  aspora validate                        every domain, for the local stack
  aspora validate domains/ecm            one domain
  aspora validate --stack prod           with prod's stricter rules
  aspora validate --format github        annotations on a pull request
"""
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How problems are printed.",
)
@stack_option
@problems_in_style
def validate(paths: tuple[Path, ...], style: str, stack: str) -> int:
    """Check domain files and print every problem at once.

    PATH is a domain.yaml, a domain's folder or a folder of domains; domains/ when left out.
    Exits with 1 when there are problems.
    """
    one_shot()
    root = find_root()
    settings = load_stack(stack, root)
    loaded = load(domain_paths(paths, root), settings)
    problems = (*unverified(stack, root), *loaded.problems)
    colour = style == "text" and sys.stdout.isatty()
    click.echo(problem_formats.render(problems, style, colour=colour), nl=False)
    if problems:
        click.echo(f"{counted(len(problems), 'problem')} found", err=True)
        return 1
    domains = counted(len(loaded.domains), "domain")
    skills = counted(sum(len(workloads(domain)) for domain in loaded.domains), "skill")
    click.echo(f"{domains}, {skills}: no problems for {stack}", err=True)
    return 0
