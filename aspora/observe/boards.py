"""What a dashboard shows, as plain data: queries, thresholds, words for states.

`aspora/observe/grafana.py` writes it down for Grafana. Times are the dashboard's own; a panel of
one value asks for this moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["stat", "bars", "lines", "table"]
Unit = Literal["percentunit", "currencyUSD", "s", "short", "reqps"]

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"
DOMAIN_VARIABLE = "domain"


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and how each of its series is called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Values from `low` to `high` are called so; None is no bound."""

    low: float | None
    high: float | None
    word: str
    colour: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `steps` are (from this value on, colour); the first one's value is the lowest.

    `width` is of Grafana's 24 columns, `height` of its rows. `runbook` and `traces` add a link.
    """

    title: str
    shape: Shape
    queries: tuple[Query, ...]
    unit: Unit = "short"
    steps: tuple[tuple[float, str], ...] = ()
    states: tuple[State, ...] = ()
    about: str = ""
    width: int = 12
    height: int = 8
    most: float | None = None
    runbook: str = ""
    traces: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; `uid` is its address and never changes. `choose` lets the reader pick a
    domain, and its queries then hold `$domain`."""

    uid: str
    title: str
    about: str
    panels: tuple[Panel, ...]
    choose: bool = False
    since: str = "now-6h"
    refresh: str = "1m"


def stat(title: str, expr: str, unit: Unit = "short", **more: object) -> Panel:
    """One number."""
    return Panel(title, "stat", (Query(expr),), unit, **{"width": 6, "height": 4, **more})  # type: ignore[arg-type]
