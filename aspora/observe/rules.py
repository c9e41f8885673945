"""Recording and alert rules as PrometheusRule objects, from the tables and the domain files.

The rules are the same for one skill and for 1,000: they work over labels. What comes from the
domain files are constants, the budgets, in an object for each domain, so that no object grows
beyond what etcd takes (1.5 MiB) when domains are added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aspora import names
from aspora.models import Domain
from aspora.observe.alerts import Alert
from aspora.observe.platform_alerts import PLATFORM_ALERTS
from aspora.observe.records import (
    DAY_SECONDS,
    DOMAIN_BUDGET,
    SKILL_BUDGET,
    SKILL_GROUPS,
    Group,
    Record,
)
from aspora.observe.skill_alerts import SKILL_ALERTS
from aspora.observe.slo import SLO_GROUP
from aspora.render.objects import Object, named
from aspora.resolve import Workload, workloads
from aspora.stack import StackSettings
from aspora.telemetry import metrics as own

RELEASE = "kube-prometheus-stack"
"""The Helm release whose Prometheus reads them; its values pick every rule, whatever the label."""
GROUPS = (*SKILL_GROUPS, SLO_GROUP)
RECORDS = (*(record for group in GROUPS for record in group.records), SKILL_BUDGET, DOMAIN_BUDGET)
ALERTS = (*SKILL_ALERTS, *PLATFORM_ALERTS)
ALERT_SERIES = 2
"""Prometheus keeps ALERTS and ALERTS_FOR_STATE for each alert that fires."""


def rules(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Object]:
    """All PrometheusRule objects."""
    yield _object("aspora-skills", [_group(group) for group in SKILL_GROUPS])
    yield _object("aspora-slo", [_group(SLO_GROUP)])
    repository = settings.gitops.repo_url
    yield _object("aspora-skill-alerts", [_alerts("aspora-skill-alerts", SKILL_ALERTS, repository)])
    yield _object(
        "aspora-platform-alerts",
        [_alerts("aspora-platform-alerts", PLATFORM_ALERTS, repository)],
    )
    for domain in domains:
        yield budgets(domain)


def budgets(domain: Domain) -> Object:
    """What the domain and each of its skills may spend, as series that never change."""
    constants = [
        {
            "record": DOMAIN_BUDGET.name,
            "expr": f"vector({domain.budget.monthly_usd})",
            "labels": {"domain": domain.name},
        },
        *(_skill_budget(workload) for workload in workloads(domain)),
    ]
    group = {
        "name": f"aspora-budgets-{domain.name}",
        "interval": f"{DAY_SECONDS}s",
        "rules": constants,
    }
    return _object(f"aspora-budgets-{domain.name}", [group], {names.DOMAIN_LABEL: domain.name})


def _skill_budget(workload: Workload) -> Object:
    return {
        "record": SKILL_BUDGET.name,
        "expr": f"vector({workload.skill.budget.monthly_usd})",
        "labels": {
            "domain": workload.domain.name,
            "agent_role": workload.agent.name,
            "skill_name": workload.skill.name,
            "kind": workload.kind,
        },
    }


def _object(name: str, groups: list[Object], more: dict[str, str] | None = None) -> Object:
    labels = names.platform_labels() | {"release": RELEASE} | (more or {})
    space = names.OBSERVABILITY_NAMESPACE
    head = named("monitoring.coreos.com/v1", "PrometheusRule", name, space, labels)
    return head | {"spec": {"groups": groups}}


def _group(group: Group) -> Object:
    written = [{"record": record.name, "expr": record.expr} for record in group.records]
    return {"name": group.name, "interval": f"{group.seconds}s", "rules": written}


def _alerts(name: str, alerts: Sequence[Alert], repository: str) -> Object:
    return {"name": name, "interval": "60s", "rules": [alert.rule(repository) for alert in alerts]}


def series_of_a_skill() -> dict[str, int]:
    """The most series that one skill has in Prometheus, by where they come from; its pods apart.

    Counted by one collector: each further one that counts the same skill adds `collector` again.
    A pod adds its own three.
    """
    recorded = [record for record in RECORDS if _of_skill(record)]
    return {
        "collector": sum(m.series for m in own.METRICS if m.emitter == "collector"),
        "recording rules": sum(record.series for record in recorded),
        "alerts": ALERT_SERIES * sum(alert.each for alert in ALERTS if alert.skill_level),
    }


def _of_skill(record: Record) -> bool:
    """An agent has a skill at least, so its series are counted for each."""
    return record.level in ("skill", "agent", SKILL_BUDGET.name)
