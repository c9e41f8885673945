"""What editors and people are told of the files: JSON Schema and the field reference.

Both come from the models alone; `make docs` writes them and a test fails when they are stale.
"""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from aspora.approvals import Approvals
from aspora.fields import Checked
from aspora.flows import FLOWS
from aspora.model_keys import is_list, model_in, walk
from aspora.models import Domain
from aspora.services.flows import EDGES
from aspora.services.namespaces import NAMESPACES
from aspora.stack import StackSettings
from aspora.system_flows import SYSTEM_FLOWS

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def domain_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a domain file."""
    return {"$schema": DRAFT, "$id": "aspora/domain"} | Domain.model_json_schema(by_alias=True)


def stack_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a `Pulumi.<stack>.yaml`."""
    inner = StackSettings.model_json_schema(by_alias=True)
    definitions = inner.pop("$defs", {})
    inner["additionalProperties"] = True
    inner["propertyNames"] = {
        "anyOf": [
            {"enum": sorted(inner["properties"])},
            {"not": {"pattern": "^aspora:"}},
        ]
    }
    return {
        "$schema": DRAFT,
        "$id": "aspora/stack",
        "$defs": definitions,
        "type": "object",
        "properties": {"config": inner},
        "required": ["config"],
    }


def approvals_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `domains/approvals.yaml`."""
    return {"$schema": DRAFT, "$id": "aspora/approvals"} | Approvals.model_json_schema(
        by_alias=True
    )


def type_name(field: FieldInfo) -> str:
    """A field's type as a person says it: text, whole number, list of …"""
    annotation: Any = field.annotation
    if is_list(annotation):
        return "list"
    if model_in(annotation) is not None:
        return "mapping"
    literals = _literals(annotation)
    if literals:
        return " or ".join(f"`{value}`" for value in literals)
    checked = next(
        (item for item in _metadata(field, annotation) if isinstance(item, Checked)), None
    )
    kinds = {"string": "text", "integer": "whole number", "number": "amount", "boolean": "flag"}
    kind = checked.schema.get("type") if checked else None
    return kinds.get(kind, "quantity") if isinstance(kind, str) else "quantity"


def _literals(annotation: Any) -> tuple[Any, ...]:
    args = get_args(annotation)
    if args and all(isinstance(arg, str) for arg in args):
        return args
    return next((found for arg in args if (found := _literals(arg))), ())


def _metadata(field: FieldInfo, annotation: Any) -> list[Any]:
    found = list(field.metadata)
    for argument in get_args(annotation):
        found += getattr(argument, "__metadata__", ())
    return found


def default_text(field: FieldInfo) -> str:
    """The default as it would be written, `required`, or nothing."""
    if field.is_required():
        return "required"
    value = field.get_default()
    if value is None or value is PydanticUndefined or value == ():
        return "—"
    if isinstance(value, BaseModel):
        given = value.model_dump(by_alias=True, exclude_unset=True)
        inner = ", ".join(f"{key}: {part}" for key, part in given.items())
        return f"`{{{inner}}}`" if given else "see below"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def example_text(field: FieldInfo) -> str:
    """The first example of the field or its type, as it would be written."""
    examples = list(field.examples or ())
    for item in _metadata(field, field.annotation):
        if isinstance(item, Checked):
            examples += item.schema.get("examples", ())
    examples += _literals(field.annotation)[::-1]
    if not examples:
        return ""
    first = examples[0]
    if is_list(field.annotation) and not isinstance(first, list):
        first = [first]
    if isinstance(first, list):
        return "`[" + ", ".join(map(str, first)) + "]`"
    return f"`{str(first).lower() if isinstance(first, bool) else first}`"


def reference(model: type[BaseModel], title: str, intro: str) -> str:
    """A Markdown page with one row for each field."""
    lines = [
        f"# {title}",
        "",
        intro,
        "",
        "Generated from the models by `make docs`; edits here are overwritten.",
        "",
        "| Field | Type | Default | Meaning | Example |",
        "|---|---|---|---|---|",
    ]
    for path, field in walk(model):
        cells = (
            f"`{path}`",
            type_name(field),
            default_text(field),
            field.description or "",
            example_text(field),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def domain_reference() -> str:
    """docs/reference/domain.md."""
    return reference(
        Domain,
        "Fields of a domain file",
        "What may stand in `domains/<domain>/domain.yaml`. Unknown keys are refused.",
    )


def approvals_reference() -> str:
    """docs/reference/approvals.md."""
    return reference(
        Approvals,
        "Fields of the approvals",
        "What may stand in `domains/approvals.yaml`: how far a domain may go beyond the defaults.",
    )


def stack_reference() -> str:
    """docs/reference/stack.md."""
    return reference(
        StackSettings,
        "Settings of a stack",
        "What stands under `config:` in `Pulumi.<stack>.yaml`.",
    )


def flow_reference() -> str:
    """docs/reference/flows.md: the table of flows as it is enforced."""
    lines = [
        "# Network flows",
        "",
        "Everything a domain's pods may exchange packets with; all else is refused. From",
        "`aspora/flows.py` by `make docs`; every NetworkPolicy comes from the same table.",
        "",
        "| Flow | Who | Direction | Peer | Ports | Why | Asked by |",
        "|---|---|---|---|---|---|---|",
    ]
    for flow in FLOWS:
        ports = ", ".join(f"{protocol} {port}" for protocol, port in flow.ports)
        lines.append(
            f"| {flow.name} | {flow.who} | {flow.direction} | {flow.peer.shown} | {ports} "
            f"| {flow.why} | {flow.asked_by} |"
        )
    lines += [
        "",
        "## kube-system",
        "",
        "The cluster's own pods, on stacks that make their cluster. From `aspora/system_flows.py`.",
        "",
        "| Flow | Which pods | Direction | Peer | Ports | Why |",
        "|---|---|---|---|---|---|",
    ]
    for row in SYSTEM_FLOWS:
        ports = ", ".join(f"{protocol} {port}" for protocol, port in row.ports)
        which = f"{row.label}={' or '.join(row.pods)}" if row.pods else "all"
        lines.append(
            f"| {row.name} | {which} | {row.direction} | {row.peer.shown} | {ports} | {row.why} |"
        )
    return "\n".join([*lines, *_platform_flows()]) + "\n"


def _platform_flows() -> list[str]:
    """The edges between the platform's services: one line each, though most make two policies."""
    head = [
        "",
        "## The platform's namespaces",
        "",
        "Who opens connections to whom. Each end in a platform namespace has a policy of its own.",
        "From `aspora/services/flows.py`; the namespaces are in `aspora/services/namespaces.py`.",
        "",
        "| Namespace | What for | Pod Security | In the mesh |",
        "|---|---|---|---|",
    ]
    head += [
        f"| {space.name} | {space.what} | {space.level}{f': {space.why}' if space.why else ''} "
        f"| {'yes' if space.mesh else ''} |"
        for space in NAMESPACES
    ]
    head += ["", "| Edge | From | To | Ports | Why |", "|---|---|---|---|---|"]
    return head + [
        f"| {edge.name} | {edge.source.shown} | {edge.to.shown} "
        f"| {', '.join(f'{protocol} {port}' for protocol, port in edge.ports)} | {edge.why} |"
        for edge in EDGES
    ]
