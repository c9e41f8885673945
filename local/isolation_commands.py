"""`aspora isolation`: the proof that domains cannot reach each other."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aspora.cli.common import domain_paths, find_root, one_shot, stack_option
from aspora.isolation.given import Given, Networks, Resource, declared
from aspora.isolation.model import as_json
from aspora.isolation.proof import prove
from aspora.load import load_or_raise, load_stack
from aspora.render import render
from aspora.stack import StackSettings


@click.command(
    epilog="""\b
Examples:
  aspora isolation                            the stack of this machine
  aspora isolation --stack staging            with its AWS side
  aspora isolation --format json > proof.json every path, for another program
"""
)
@stack_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="json holds every path that was found.",
)
def isolation(stack: str, style: str) -> int:
    """Prove from a stack's objects that no domain reaches another but as declared.

    Nothing is deployed and no account is needed: policies, routes, rights and roles are read as the
    cluster and AWS would get them. Exits with 1 when something breaks the proof. What is proven,
    and what is not, stands in docs/isolation.md.
    """
    from aspora.docs import pretty_json
    from aspora.isolation.text import as_markdown, as_text

    one_shot()
    proof = prove(given(stack, find_root()))
    if style == "json":
        click.echo(pretty_json(as_json(proof)), nl=False)
    elif style == "markdown":
        click.echo(as_markdown(proof), nl=False)
    else:
        click.echo(as_text(proof, colour=sys.stdout.isatty()), nl=False)
    return 0 if proof.ok else 1


def given(stack: str, root: Path) -> Given:
    """What a stack would be made of: its objects, its AWS side where it has one, its domain files.

    Pins that prod refuses are of no matter here: `aspora validate` looks at them.
    """
    settings = load_stack(stack, root)
    checked = settings.model_copy(update={"environment": "staging"})
    domains = load_or_raise(domain_paths((), root), checked)
    return Given(
        stack,
        tuple(render(domains, settings)),
        declared(domain.model_dump(mode="json") for domain in domains),
        networks(settings),
        aws_side(stack, root) if settings.aws else (),
    )


def networks(settings: StackSettings) -> Networks:
    """The address ranges of a stack."""
    found = settings.network
    return Networks(found.vpc_cidr, found.node_cidrs, found.database_cidrs, found.endpoint_cidrs)


def aws_side(stack: str, root: Path) -> tuple[Resource, ...]:
    """What the stack's program registers on AWS."""
    from aspora.registered import aws_resources
    from infra.registered_stack import registered

    return tuple(
        Resource(one.type, one.name, one.inputs) for one in aws_resources(registered(stack, root))
    )
