"""ASP525: a schedule says in which time zone, and what happens to a run that is late."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.checks.rule import Hit, Rule
from aspora.checks.world import World


def look(world: World) -> Iterator[Hit]:
    """`timeZone` is set, and two runs never stand side by side."""
    for job in world.of("CronJob"):
        if not job["spec"].get("timeZone"):
            yield Hit(job, "no timeZone")
        if job["spec"].get("concurrencyPolicy") not in ("Forbid", "Replace"):
            yield Hit(job, "a run may start beside the one before it (concurrencyPolicy)")


RULE = Rule(
    "ASP525",
    "Schedule left open",
    "Without a time zone the hour is that of whichever machine runs the controller. Two runs at"
    " once do the same work twice, and pay for it twice.",
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones",
    look,
    ("schedule",),
)
