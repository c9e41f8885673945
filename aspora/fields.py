"""Named, constrained types of the fields a person writes.

Each refuses a bad value with a message that shows a good one, so that a model is a list of names
and nobody has to look up a regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from aspora import cron, quantities
from aspora.problems import found, nearest, quoted

# Kubernetes label values and DNS labels: RFC 1123. Names are kept to 30 so that
# <domain>-<agent>-<skill> seldom has to be cut (aspora/names.py).
NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$"
GROUP_PATTERN = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
COST_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
# The first part holds no dot: it would be a registry's host, and the stack names that.
IMAGE_PATTERN = (
    r"^(?![^/]*\.[^/]*/)[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*"
    r":[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(@sha256:[0-9a-f]{64})?$"
)
HOST_PATTERN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"
SKILL_ID_PATTERN = r"^[a-z][a-z0-9-]*(/[a-z][a-z0-9-]*){1,2}$"
AGENT_ID_PATTERN = r"^[a-z][a-z0-9-]*/[a-z][a-z0-9-]*$"
TOOL_PATTERN = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"


class Model(BaseModel):
    """The base of every model: unknown keys refused, frozen, camelCase in YAML."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
    )


@dataclass(frozen=True, eq=False)
class Checked:
    """Metadata of an `Annotated` type: one check, and what editors are told of it."""

    check: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(self.schema)


def _text(pattern: str, what: str, example: str, limit: int = 253) -> Callable[[Any], str]:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"expected {_a(what)}, found {found(value)}; for example {example}")
        if len(value) > limit or not compiled.fullmatch(value):
            raise ValueError(f"{quoted(value)} is no {what}; for example {example}")
        return value

    return check


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouA' else 'a'} {noun}"


def named(pattern: str, what: str, example: str, limit: int = 253) -> Checked:
    """Text that matches `pattern`; a message names `what` was expected and the example."""
    schema = {"type": "string", "pattern": pattern, "examples": [example]}
    return Checked(_text(pattern, what, example, limit), schema)


Name = Annotated[
    str, named(NAME_PATTERN, "name of 1 to 30 lower-case letters, digits and hyphens", "field")
]
Group = Annotated[
    str,
    named(GROUP_PATTERN, "group name of lower-case letters, digits and hyphens", "wealth-team"),
]
CostCenter = Annotated[
    str,
    named(COST_PATTERN, "cost centre of lower-case letters, digits and hyphens", "wealth-product"),
]
Image = Annotated[
    str,
    named(
        IMAGE_PATTERN,
        "image reference of repository and tag, without a registry's host",
        "aspora/ecm-field-agent:v1.0.5",
        400,
    ),
]
# No braces, commas or quotes: Alertmanager reads its receivers as templates and lists.
MAILBOX_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@(?:[a-z0-9][a-z0-9-]*\.)+[a-z]{2,}$"
Mailbox = Annotated[
    str, named(MAILBOX_PATTERN, "e-mail address", "wealth-team@example.com", limit=254)
]
Host = Annotated[str, named(HOST_PATTERN, "host name", "api.example.com")]
SkillId = Annotated[
    str,
    named(
        SKILL_ID_PATTERN,
        "skill ID <domain>/<skill> or <domain>/<agent>/<skill>",
        "ecm/field/my-tickets",
    ),
]
AgentId = Annotated[str, named(AGENT_ID_PATTERN, "agent ID <domain>/<agent>", "fraud/risk")]
ToolName = Annotated[str, named(TOOL_PATTERN, "tool name", "list_tickets")]


def _sentence(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if len(text) < 10:
        raise ValueError(
            f"expected a reason of 10 characters or more, found {found(value)}; "
            "say why, for whoever reviews it"
        )
    return text


Reason = Annotated[
    str,
    Checked(
        _sentence,
        {
            "type": "string",
            "minLength": 10,
            "examples": ["Incident banners come from the hosted status page."],
        },
    ),
]


def _free_text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected a line of text, found {found(value)}")
    if len(value) > TEXT_LIMIT:
        raise ValueError(f"expected {TEXT_LIMIT} characters or fewer, found {len(value)}")
    return value.strip()


TEXT_LIMIT = 2000
"""Descriptions become annotations, of which an object may have 256 KiB in all."""
Text = Annotated[str, Checked(_free_text, {"type": "string", "maxLength": TEXT_LIMIT})]


def _quantity(parse: Callable[[str], int], example: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"expected a quantity, found {found(value)}; for example {example}")
        text = str(value)
        parse(text)
        return text

    return check


_QUANTITY_SCHEMA = {"type": ["string", "number"]}
Cpu = Annotated[
    str,
    Checked(
        _quantity(quantities.parse_cpu, "500m"), _QUANTITY_SCHEMA | {"examples": ["500m", "2"]}
    ),
]
Bytes = Annotated[
    str,
    Checked(
        _quantity(quantities.parse_memory, "512Mi"),
        _QUANTITY_SCHEMA | {"examples": ["512Mi", "2Gi"]},
    ),
]


def _usd(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected an amount in USD, found {found(value)}; for example 0.10")
    amount = Decimal(repr(value))
    if not 0 < amount <= 1_000_000:
        raise ValueError(f"{value} is no amount between 0 and 1,000,000 USD; for example 0.10")
    return amount


Usd = Annotated[
    Decimal,
    Checked(
        _usd,
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000, "examples": [0.4]},
    ),
]


def _schedule(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f'expected a schedule, found {found(value)}; for example "0 7 * * *"')
    cron.parse(value)
    return value


Schedule = Annotated[str, Checked(_schedule, {"type": "string", "examples": ["0 7,14,20 * * *"]})]


@cache
def time_zones() -> frozenset[str]:
    """Every IANA name of the pinned tzdata package: the host's own list would vary."""
    from importlib import resources

    text = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return frozenset(text.split())


def _time_zone(value: Any) -> str:
    if isinstance(value, str) and value in time_zones():
        return value
    # An abbreviation is not near anything: GST is Dubai's, and MST another continent's.
    near = nearest(value, time_zones()) if isinstance(value, str) and len(value) > 5 else None
    raise ValueError(
        f"{found(value)} is no IANA time zone"
        + (f'; did you mean "{near}"?' if near else "; for example Asia/Dubai")
    )


TimeZone = Annotated[
    str, Checked(_time_zone, {"type": "string", "examples": ["Asia/Dubai", "Etc/UTC"]})
]


def _cidr(value: Any) -> str:
    try:
        network = ip_network(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{found(value)} is no network in CIDR notation; for example 10.20.0.0/16"
        ) from None
    if network.prefixlen == 0:
        raise ValueError(f'"{value}" is the whole Internet; name the subnets, e.g. 10.20.0.0/16')
    return str(network)


Cidr = Annotated[str, Checked(_cidr, {"type": "string", "examples": ["10.20.0.0/16"]})]


def whole(low: int, high: int, example: int) -> Checked:
    """An integer from `low` to `high`; booleans, floats and strings are refused."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(
                f"expected a whole number, found {found(value)}; for example {example}"
            )
        if not low <= value <= high:
            raise ValueError(f"{value} is not between {low} and {high}; for example {example}")
        return value

    schema = {"type": "integer", "minimum": low, "maximum": high, "examples": [example]}
    return Checked(check, schema)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, found {found(value)}")
    return value


Flag = Annotated[bool, Checked(_boolean, {"type": "boolean", "examples": [True]})]
