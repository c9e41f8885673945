"""`aspora render`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aspora.cli.common import domain_paths, find_root, one_shot, stack_option
from aspora.errors import UsageError
from aspora.load import load_or_raise, load_stack
from aspora.output import json_chunks, to_yaml, write_tree
from aspora.render import Rendered
from aspora.render import render as render_objects


@click.command(
    epilog="""\b
Examples:
  aspora render                               every object of the local stack, as YAML
  aspora render --domain ecm --format json    one object a line
  aspora render --stack staging --out build   a tree of files, as Argo CD reads it
"""
)
@stack_option
@click.option("--domain", "only", multiple=True, metavar="NAME", help="Only this domain's objects.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="json prints one object a line.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write files here.")
def render(stack: str, only: tuple[str, ...], style: str, out: Path | None) -> int:
    """Print the Kubernetes objects of a stack; no engine and no cluster needed."""
    one_shot()
    root = find_root()
    settings = load_stack(stack, root)
    domains = load_or_raise(domain_paths((), root), settings)
    rendered = _pick(render_objects(domains, settings), only)
    if out is not None:
        written, removed = write_tree(rendered, out, style)
        click.echo(f"{written} files written to {out}, {removed} removed", err=True)
        return 0
    for data in json_chunks(rendered) if style == "json" else (to_yaml(rendered),):
        sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return 0


def _pick(rendered: Rendered, only: tuple[str, ...]) -> Rendered:
    if not only:
        return rendered
    known = [domain.name for domain in rendered.domains]
    for name in only:
        if name not in known:
            raise UsageError(
                f'there is no domain "{name}"', hint="known domains: " + ", ".join(known)
            )
    return Rendered((), tuple(domain for domain in rendered.domains if domain.name in only))
