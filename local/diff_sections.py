"""What `aspora diff --complete` adds to a report: cost, our rules, the proof of isolation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aspora.changes import sections
from aspora.changes.snapshot import RELEASE, Snapshot
from local.estimate_commands import STACK as PROD

if TYPE_CHECKING:
    from aspora.changes.model import Object, Report, Section
    from aspora.checks import Finding
    from aspora.isolation.model import Proof
    from local.sides import Sides


def complete(
    report: Report, base: Snapshot, head: Snapshot, proof: Proof | None, sides: Sides
) -> Report:
    """The report with its sections; one that cannot be computed is left out."""
    today = datetime.now(UTC).date()
    return replace(
        report,
        cost=_cost(base, head, sides, today),
        check=_checks(base, head, today),
        isolation=sections.isolation(proof) if proof else None,
    )


def _cost(base: Snapshot, head: Snapshot, sides: Sides, today: date) -> Section | None:
    """On prod, which executions are declared for, or on the stack compared where there is no prod;
    of the domains that can differ. None where that has no AWS, or only objects are known."""
    from aspora.estimate import delta, of_domains

    if not base.files or base.settings is None or head.settings is None:
        return None
    stack, old, new = base.stack, base.settings, head.settings
    prod_old, prod_new = (sides.settings_of(side.source, PROD) for side in (base, head))
    if prod_old and prod_new:
        stack, old, new = PROD, prod_old, prod_new
    if not (old.aws and new.aws):
        return None
    moved = {
        name
        for name in (*base.files, *head.files)
        if old != new
        or base.text(name) != head.text(name)
        or base.callers.get(name) != head.callers.get(name)
    }
    before = of_domains(base.domains, old, today, moved)
    return sections.cost(delta(before, of_domains(head.domains, new, today, moved)), stack)


def _checks(base: Snapshot, head: Snapshot, today: date) -> Section | None:
    if base.settings is None or head.settings is None:
        return None
    return sections.checks(_findings(base, today), _findings(head, today))


def _findings(side: Snapshot, today: date) -> tuple[Finding, ...]:
    from aspora.checks import findings
    from aspora.checks.verdict import unskipped

    if side.settings is None:
        return ()
    found = findings(objects(side), side.settings)
    return unskipped(found, side.settings.environment, today)


def objects(side: Snapshot) -> tuple[Object, ...]:
    """All Kubernetes objects of a side; Helm releases are none."""
    every = side.source.objects or (*side.shared, *side.own(tuple(side.files)))
    return tuple(
        obj for obj in every if (obj["apiVersion"].partition("/")[0], obj["kind"]) != RELEASE
    )


def proof(head: Snapshot, root: Path) -> Proof | None:
    """Of the head's objects. An AWS side is known of the working tree alone."""
    from aspora.isolation.given import Given, declared
    from aspora.isolation.proof import prove
    from local.isolation_commands import aws_side, networks
    from local.sides import WORKING_TREE

    settings = head.settings
    if settings is None or (settings.aws and head.source.side.label != WORKING_TREE):
        return None
    return prove(
        Given(
            head.stack,
            objects(head),
            declared(domain.model_dump(mode="json") for domain in head.domains),
            networks(settings),
            aws_side(head.stack, root) if settings.aws else (),
        )
    )
