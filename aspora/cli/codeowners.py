"""`aspora codeowners`."""

from __future__ import annotations

import click

from aspora.cli.common import domain_paths, find_root, one_shot
from aspora.errors import UsageError
from aspora.load import load_or_raise, load_stack
from aspora.output import write_file


@click.command(
    epilog="""\b
Examples:
  aspora codeowners              print .github/CODEOWNERS as it ought to be
  aspora codeowners --write      write it, after a new domain or another team
  aspora codeowners --check      exit with 1 when it is not that
"""
)
@click.option("--write", is_flag=True, help="Write the file.")
@click.option("--check", is_flag=True, help="Only say whether the file is as it ought to be.")
def codeowners(*, write: bool, check: bool) -> int:
    """Say who reviews what: each domain's folder its team, the rest the platform team."""
    from aspora.codeowners import FILE, organisation, text

    if write and check:
        raise UsageError("`--write` and `--check` do not go together", hint="leave one of them out")
    one_shot()
    root = find_root()
    settings = load_stack("local", root)
    wanted = text(
        organisation(settings.gitops.repo_url), load_or_raise(domain_paths((), root), settings)
    )
    path = root / FILE
    if write:
        if not path.resolve().is_relative_to(root.resolve()):
            raise UsageError(f"{FILE} is a link out of the repository", hint="remove the link")
        path.parent.mkdir(exist_ok=True)
        write_file(path, wanted.encode(), hint="make room and see that the file may be written")
        click.echo(f"wrote {FILE}", err=True)
        return 0
    if not check:
        click.echo(wanted, nl=False)
        return 0
    if path.is_file() and path.read_bytes() == wanted.encode():
        click.echo(f"{FILE} is as it ought to be", err=True)
        return 0
    click.echo(f"{FILE} is not what the domains say; aspora codeowners --write mends it", err=True)
    return 1
