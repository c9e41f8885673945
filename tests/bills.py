"""What the tests of the bill share: hand-made resources, and reading a bill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aspora.bill import Bill, Line, bill
from aspora.named_secrets import NamedSecret
from aspora.registered import Registered
from tests.core import ROOT, settings

STACKS = ("staging", "prod")


def resource(token: str, name: str = "one", /, **inputs: Any) -> Registered:
    """A registered resource; `token` is short: ec2.NatGateway."""
    module, _, kind = token.partition(".")
    full = f"aws:{module}/{kind[0].lower()}{kind[1:]}:{kind}"
    return Registered(full, name, f"urn:pulumi:test::test::{full}::{name}", inputs)


def priced(
    *resources: Registered,
    stack: str = "staging",
    objects: tuple[Mapping[str, Any], ...] = (),
    secrets: tuple[NamedSecret, ...] = (),
) -> Bill:
    """A bill of hand-made parts."""
    return bill(resources, map(dict, objects), secrets, settings(stack))


def line(found: Bill, what: str) -> Line:
    """The one line of that name."""
    lines = [item for item in found.lines if item.what == what]
    assert len(lines) == 1, [item.what for item in found.lines]
    return lines[0]


def lines_of(*resources: Registered, stack: str = "staging") -> dict[str, tuple[str, str]]:
    """Count and USD a month of what these resources add to a stack without any."""
    empty = {item.what for item in priced(stack=stack).lines}
    return {
        item.what: (f"{item.count.normalize():f}", str(item.usd))
        for item in priced(*resources, stack=stack).lines
        if item.what not in empty
    }


def raw_table() -> Any:
    """The price table as its file has it."""
    return json.loads((ROOT / "aspora/data/aws-prices.json").read_text("utf-8"))
