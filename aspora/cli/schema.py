"""`aspora schema`."""

from __future__ import annotations

import click


@click.command(
    epilog="""\b
Examples:
  aspora schema                    the schema of domain.yaml
  aspora schema --of stack         the schema of Pulumi.<stack>.yaml
"""
)
@click.option(
    "--of",
    "what",
    type=click.Choice(["domain", "stack"]),
    default="domain",
    show_default=True,
    help="Which file.",
)
def schema(what: str) -> int:
    """Print the JSON Schema that editors use."""
    from aspora import schema as schemas
    from aspora.docs import pretty_json

    data = schemas.domain_schema() if what == "domain" else schemas.stack_schema()
    click.echo(pretty_json(data), nl=False)
    return 0
