"""`aspora schema`."""

from __future__ import annotations

import click


@click.command(
    epilog="""\b
Examples:
  aspora schema                    the schema of domain.yaml
  aspora schema --of stack         the schema of Pulumi.<stack>.yaml
  aspora schema --of approvals     the schema of domains/approvals.yaml
"""
)
@click.option(
    "--of",
    "what",
    type=click.Choice(["domain", "stack", "approvals"]),
    default="domain",
    show_default=True,
    help="Which file.",
)
def schema(what: str) -> int:
    """Print the JSON Schema that editors use."""
    from aspora import schema as schemas
    from aspora.docs import pretty_json

    made = {
        "domain": schemas.domain_schema,
        "stack": schemas.stack_schema,
        "approvals": schemas.approvals_schema,
    }
    click.echo(pretty_json(made[what]()), nl=False)
    return 0
