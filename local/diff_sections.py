"""What `aspora diff --complete` adds to a report: cost, our rules, the proof of isolation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aspora.changes import sections
from aspora.changes.snapshot import RELEASE, Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection

    from aspora.changes.model import Object, Report, Section
    from aspora.checks import Finding
    from aspora.estimate import Estimate
    from aspora.isolation.model import Proof


def complete(report: Report, base: Snapshot, head: Snapshot, proof: Proof | None) -> Report:
    """The report with its sections; one that cannot be computed is left out."""
    today = datetime.now(UTC).date()
    return replace(
        report,
        cost=_cost(base, head, today),
        check=_checks(base, head, today),
        isolation=sections.isolation(proof) if proof else None,
    )


def _cost(base: Snapshot, head: Snapshot, today: date) -> Section | None:
    """Of the domains that can differ; none where a side has no AWS, or only objects are known."""
    from aspora.estimate import delta

    sides = [side.settings for side in (base, head)]
    if not all(settings and settings.aws for settings in sides) or not base.files:
        return None
    same = base.settings == head.settings
    moved = {
        name
        for name in (*base.files, *head.files)
        if not same
        or base.text(name) != head.text(name)
        or base.callers.get(name) != head.callers.get(name)
    }
    return sections.cost(delta(_estimate(base, today, moved), _estimate(head, today, moved)))


def _estimate(side: Snapshot, today: date, only: Collection[str]) -> Estimate:
    from aspora.estimate import of_domains

    if side.settings is None:
        raise TypeError("a side without settings has no cost")
    return of_domains(side.domains, side.settings, today, only)


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
