"""The platform's service level: 99.9 % of requests in 30 days, and how fast its budget burns.

A request counts when one of the three gateways carried it. It failed when the gateway's proxy had
to answer with a 5xx of its own: no healthy upstream, no connection, a reset (`response_flags` is
not `-`). A 5xx that a skill answered is the skill's, and shows in its success rate. A skill that
ran longer than it may (`UT`) is the skill's too.

Windows and factors: Google, "The Site Reliability Workbook", chapter 5, table 5-8.
"""

from __future__ import annotations

from dataclasses import dataclass

from aspora.observe.records import Group, Record

OBJECTIVE = 0.999
BUDGET = 0.001
"""1 - OBJECTIVE, written out: a float's difference is not the number meant."""
DAYS = 30
GATEWAYS = ("aspora-gateway", "model-gateway", "tool-gateway")
"""Deployments in the platform's namespace; Istio's `source_workload`."""
ENOUGH_ERRORS = 10
"""Failed requests in the long window below which nothing fires: one of ten is no outage."""

_CARRIED = f'reporter="source", source_workload=~"{"|".join(GATEWAYS)}"'
_FAILED = f'{_CARRIED}, response_code=~"5..", response_flags!~"-|UT"'


def _rate(matchers: str) -> str:
    return f"sum(rate(istio_requests_total{{{matchers}}}[5m]))"


REQUESTS = Record("platform:requests:rate5m", _rate(_CARRIED), ())
ERRORS = Record("platform:errors:rate5m", f"{_rate(_FAILED)} or 0 * {REQUESTS.name}", ())


@dataclass(frozen=True, slots=True)
class Burn:
    """Fires when both windows burn `factor` times faster than the budget lasts."""

    factor: float
    long: str
    short: str
    page: bool


BURNS = (
    Burn(14.4, "1h", "5m", page=True),
    Burn(6, "6h", "30m", page=True),
    Burn(3, "1d", "2h", page=False),
    Burn(1, "3d", "6h", page=False),
)
_SECONDS = {"m": 60, "h": 3600, "d": 86400}


def seconds(window: str) -> int:
    """Of `90m`, `6h` or `3d`."""
    return int(window[:-1]) * _SECONDS[window[-1]]


def error_ratio(window: str) -> Record:
    """The share of failed requests in a window; the shortest is the rate itself."""
    bad, all_of = (
        record.name if window == "5m" else f"avg_over_time({record.name}[{window}])"
        for record in (ERRORS, REQUESTS)
    )
    return Record(f"platform:error:ratio{window}", f"{bad} / ({all_of} > 0)", ())


BURN_WINDOWS = tuple(dict.fromkeys(w for burn in BURNS for w in (burn.short, burn.long)))
WINDOWS = (*BURN_WINDOWS, f"{DAYS}d")
RATIOS = {window: error_ratio(window) for window in WINDOWS}
BUDGET_LEFT = Record(
    "platform:error_budget_left:ratio", f"1 - {RATIOS[f'{DAYS}d'].name} / {BUDGET}", ()
)
SLO_GROUP = Group("aspora-slo", 60, (REQUESTS, ERRORS, *RATIOS.values(), BUDGET_LEFT))


def burns(burn: Burn) -> str:
    """The alert's expression: both windows, and enough failed requests to speak of."""
    limit = f"{burn.factor:g} * {BUDGET}"
    failed = f"sum_over_time({ERRORS.name}[{burn.long}]) * {SLO_GROUP.seconds}"
    return (
        f"{RATIOS[burn.long].name} > {limit} and {RATIOS[burn.short].name} > {limit}"
        f" and {failed} >= {ENOUGH_ERRORS}"
    )
