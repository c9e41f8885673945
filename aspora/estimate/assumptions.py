"""The rules by which a range is estimated, in numbers and in words.

None of them is measured: each is a choice that is printed with the estimate.
"""

from __future__ import annotations

from decimal import Decimal

DAYS_A_MONTH = Decimal("30.4375")
"""365.25 / 12, as the bill counts the runs of a schedule."""
SCALED_SHARE = Decimal("0.25")
"""How far a service is expected to be from its fewest to its most pods, as a month's mean."""
SHORTEST_RUN = Decimal("0.1")
"""Share of its deadline that a scheduled run takes at least."""
EXPECTED_RUN = Decimal("0.5")
"""Share of its deadline that a scheduled run is expected to take."""
QUIET_MONTH = Decimal("0.5")
"""Share of the declared executions that a quiet month has."""
CORES_TO_GIB = Decimal("0.031611") / Decimal("0.004237")
"""What a core costs against a GiB: OpenCost's defaults for AWS (configs/aws.json), with which it
splits the price of a node; so estimate and actual costs can be compared."""

RULES: dict[str, str] = {
    "pods": "what they ask for, with sidecar or gVisor's overhead, at the price per core and GiB of"
    " the cheapest instance type of their pool; a core costs 7.46 times a GiB, as OpenCost splits"
    " a node",
    "services": "low: the fewest pods all month; high: the most; expected: the fewest and a"
    " quarter of what lies between",
    "sandboxes": "low: the warm pool; high: with every session it may have; expected: with the"
    " sessions of the declared executions, each for its timeout and idle time, else a quarter of"
    " all",
    "schedules": "high: each run until its deadline; expected: half as long; low: a tenth",
    "models": "expected: the declared executions times their tokens at the first model's price,"
    " within the budgets; low: half as many executions; high: the skill's monthly budget, beyond"
    " which the gateway refuses; where executions or tokens are not declared, and outside of prod,"
    " only the budget is known",
    "platform": "the bill without what skills' pods ask for, idle nodes included, divided in"
    " proportion to the expected compute of each skill; the same in all three columns",
    "spot": "low and expected at the spot price, high on demand; on demand in all three where no"
    " spot price is known",
}
"""What for, and the rule in words; printed in this order."""
