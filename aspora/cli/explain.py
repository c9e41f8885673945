"""`aspora explain`."""

from __future__ import annotations

import click
from pydantic import BaseModel

from aspora.errors import UsageError


@click.command(
    epilog="""\b
Examples:
  aspora explain                          the fields of a domain file
  aspora explain agents.skills.budget     one field and what is below it
  aspora explain ASP309                   what a problem code means
  aspora explain ASP514                   what a policy rule is for
"""
)
@click.argument("field", required=False)
def explain(field: str | None) -> int:
    """Say what FIELD of a domain file, or a problem code, means."""
    if field is not None and field.upper().startswith("ASP"):
        click.echo(_code(field.upper()))
    else:
        click.echo(_field(field or ""))
    return 0


def _code(code: str) -> str:
    from aspora.problems import CODES

    info = CODES.get(code)
    if info is None:
        from aspora.checks import BY_ID

        if code not in BY_ID:
            raise UsageError(f"there is no code {code}", hint="codes run from ASP101 on")
        info = BY_ID[code].info
    read = f"\n\nRead on: {info.link}" if info.link else ""
    return f"{code}: {info.title}\n\n{info.why}{read}"


def _field(field: str) -> str:
    from aspora import schema
    from aspora.model_keys import alias, allowed_keys, field_at, is_list
    from aspora.models import Domain
    from aspora.problems import nearest

    path = [part.split("[")[0] for part in field.split(".") if part]
    lines = []
    model: type[BaseModel] | None = Domain
    for depth in range(1, len(path) + 1):
        found = field_at(Domain, path[:depth])
        if found is None:
            keys = allowed_keys(Domain, path[: depth - 1])
            near = nearest(path[depth - 1], keys)
            raise UsageError(
                f'there is no field "{".".join(path[:depth])}"',
                hint=f'did you mean "{near}"?' if near else "known here: " + ", ".join(keys),
            )
        info, model = found
    if path:
        lines += [f"{'.'.join(path)}: {schema.type_name(info)}", "", f"  {info.description}"]
        lines += [f"  Default: {schema.default_text(info).strip('`').replace('—', 'none')}"]
        if schema.example_text(info):
            lines += [f"  Example: {schema.example_text(info).strip('`')}"]
    if model is not None:
        lines += ["", "Fields:"] if path else ["Fields of a domain file:"]
        for name, below in model.model_fields.items():
            key = alias(name, below) + ("[]" if is_list(below.annotation) else "")
            lines.append(f"  {key:20} {below.description}")
    return "\n".join(lines)
