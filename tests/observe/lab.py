"""What the tests of rules, routes and dashboards share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from aspora.observe.rules import ALERTS, RECORDS
from aspora.render import Object, render
from aspora.stack import StackSettings
from tests.core import repository, settings

Stack = StackSettings


@cache
def objects(stack: str = "prod") -> tuple[Object, ...]:
    """The platform's own objects of a stack."""
    return render(repository(), settings(stack)).services


def of_kind(kind: str, stack: str = "prod") -> list[Object]:
    """Those of one kind."""
    return [obj for obj in objects(stack) if obj["kind"] == kind]


def groups(stack: str = "prod") -> list[Object]:
    """All rule groups."""
    return [group for obj in of_kind("PrometheusRule", stack) for group in obj["spec"]["groups"]]


@cache
def dashboards(stack: str = "prod") -> dict[str, Any]:
    """The dashboards as Grafana reads them, by uid."""
    found = {}
    for obj in of_kind("ConfigMap", stack):
        if obj["metadata"]["labels"].get("grafana_dashboard"):
            ((file, text),) = obj["data"].items()
            found[file.removesuffix(".json")] = json.loads(text)
    return found


def panel_queries(stack: str = "prod") -> Iterator[tuple[str, str]]:
    """Where it stands, and each expression, with the reader's choice of a domain made."""
    for uid, board in dashboards(stack).items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                where = f"{uid}: {panel['title']} {target['refId']}"
                yield where, target["expr"].replace("$domain", ".+")


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of ours, and where it stands."""
    yield from ((record.name, record.expr) for record in RECORDS if record.expr)
    yield from ((alert.name, alert.expr) for alert in ALERTS)
    yield from panel_queries()
