"""Who is told of what: Alertmanager's configuration as one AlertmanagerConfig.

It is the whole configuration, not one for each domain's namespace: the operator would add a
matcher on the namespace to those, and an alert about a skill carries its domain and no namespace
(decision 50). The chart takes it by `alertmanagerSpec.alertmanagerConfiguration.name`.

The brief's channels: quality goes to PagerDuty and Slack, cost to Slack and by e-mail, latency to
Slack. Within each topic the domain's own channel is told, and its own mailbox if it names one; what
has no domain is the platform's.
Keys stand in a Secret that External Secrets fills from named secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aspora import names
from aspora.models import Domain
from aspora.named_secrets import SMTP_PASSWORD, alerting_keys, alerting_secret
from aspora.render.objects import Object, named
from aspora.stack import StackSettings
from aspora.stack_aws import AwsSettings

NAME = names.ALERTMANAGER_CONFIGURATION
SECRET = "alerting"  # noqa: S105 - the name of an object
STORE = names.PLATFORM_OWNER
"""The SecretStore of the observability namespace."""
SLACK_URL = "https://slack.com/api/chat.postMessage"
"""Slack's Web API: one token posts to every channel, and a webhook belongs to one."""
SMTP_PORT = 587
PLATFORM = names.PLATFORM_OWNER
DEAD_MAN = "dead_mans_switch"

TITLE = (
    "[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }}"
    "{{ if .CommonLabels.domain }} ({{ .CommonLabels.domain }}){{ end }}"
)
TEXT = (
    "{{ range .Alerts }}*{{ .Annotations.summary }}*\n{{ .Annotations.description }}\n"
    "{{ if .Annotations.runbook_url }}Runbook: {{ .Annotations.runbook_url }}\n{{ end }}{{ end }}"
)


def routing(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Object]:
    """The configuration and its secrets; nothing where no account could keep them."""
    if settings.aws is None:
        return
    yield _keys(settings)
    labels = names.platform_labels()
    space = names.OBSERVABILITY_NAMESPACE
    head = named("monitoring.coreos.com/v1alpha1", "AlertmanagerConfig", NAME, space, labels)
    yield head | {
        "spec": {
            "route": _route(domains),
            "receivers": _receivers(domains, settings, settings.aws),
            "inhibitRules": _inhibitions(),
        }
    }


def channel(owner: str) -> str:
    """The Slack channel of a domain's team, or of the platform's."""
    return f"#aspora-{owner}"


def _keys(settings: StackSettings) -> Object:
    keys = alerting_keys(settings)
    data = [
        {"secretKey": key, "remoteRef": {"key": alerting_secret(settings, key)}} for key in keys
    ]
    space = names.OBSERVABILITY_NAMESPACE
    head = named("external-secrets.io/v1", "ExternalSecret", SECRET, space, names.platform_labels())
    values = {key: f'{{{{ index . "{key}" }}}}' for key in keys}
    return head | {
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "SecretStore", "name": STORE},
            "target": {
                "name": SECRET,
                "creationPolicy": "Owner",
                "deletionPolicy": "Retain",
                "template": {"engineVersion": "v2", "data": values | {"slack-url": SLACK_URL}},
            },
            "data": data,
        }
    }


def _match(**labels: str) -> list[Object]:
    return [{"name": name, "value": value, "matchType": "="} for name, value in labels.items()]


# -- routes --------------------------------------------------------------------------------------


def _route(domains: Sequence[Domain]) -> Object:
    """The first route that fits takes the alert."""
    return {
        "receiver": f"{PLATFORM}-slack",
        "groupBy": ["alertname", "domain"],
        "groupWait": "30s",
        "groupInterval": "5m",
        "repeatInterval": "12h",
        "routes": [
            {
                "matchers": _match(alertname=DEAD_MAN),
                "receiver": "dead-mans-switch",
                "groupWait": "0s",
                "groupInterval": "1m",
                "repeatInterval": "5m",
            },
            *({"matchers": _match(alertname=name), "receiver": "nobody"} for name in SILENT),
            *(route for domain in domains for route in _of_owner(domain.name)),
            *_by_topic(PLATFORM, "severity", "critical"),
        ],
    }


SILENT = ("Watchdog", "InfoInhibitor")
"""Of kube-prometheus-stack: ours watches instead, and the other only inhibits."""


def _of_owner(domain: str) -> Iterator[Object]:
    """Our alerts by their domain, the charts' own by the domain's namespace."""
    yield {
        "matchers": _match(domain=domain),
        "receiver": f"{domain}-slack",
        "routes": list(_by_topic(domain, "topic", "quality")),
    }
    yield {
        "matchers": _match(namespace=names.namespace(domain)),
        "receiver": f"{domain}-slack",
    }


def _by_topic(owner: str, label: str, paged: str) -> Iterator[Object]:
    """What is paged, then cost; the rest is Slack's, the route above."""
    yield {
        "matchers": _match(**{label: paged}),
        "receiver": f"{owner}-page",
        "groupWait": "10s",
        "repeatInterval": "4h",
    }
    yield {"matchers": _match(topic="cost"), "receiver": f"{owner}-cost", "repeatInterval": "24h"}


# -- receivers -----------------------------------------------------------------------------------


def _receivers(
    domains: Sequence[Domain], settings: StackSettings, aws: AwsSettings
) -> list[Object]:
    found: list[Object] = [
        {"name": "nobody"},
        {
            "name": "dead-mans-switch",
            "webhookConfigs": [{"urlSecret": _key("dead-mans-switch-url"), "sendResolved": False}],
        },
    ]
    mailboxes = {PLATFORM: None} | {domain.name: domain.owner.email for domain in domains}
    for owner, mailbox in mailboxes.items():
        slack = _slack(owner)
        found += [
            {"name": f"{owner}-slack", "slackConfigs": [slack]},
            {
                "name": f"{owner}-page",
                "pagerdutyConfigs": [_pagerduty(owner)],
                "slackConfigs": [slack],
            },
            {"name": f"{owner}-cost", "slackConfigs": [slack]} | _mail(settings, aws, mailbox),
        ]
    return found


def _key(key: str) -> Object:
    return {"name": SECRET, "key": key}


def _slack(owner: str) -> Object:
    return {
        "apiURL": _key("slack-url"),
        "httpConfig": {
            "authorization": {"type": "Bearer", "credentials": _key("slack-token")},
        },
        "channel": channel(owner),
        "sendResolved": True,
        "title": TITLE,
        "text": TEXT,
    }


def _pagerduty(owner: str) -> Object:
    """One integration for all; PagerDuty's own rules go by `group`, the owner."""
    return {
        "routingKey": _key("pagerduty-routing-key"),
        "sendResolved": True,
        "severity": '{{ if eq .CommonLabels.severity "critical" }}critical{{ else }}error{{ end }}',
        "group": owner,
        "class": "{{ .CommonLabels.topic }}",
        "component": "{{ .CommonLabels.alertname }}",
        "description": TITLE,
        "details": [{"key": "text", "value": TEXT}],
    }


def _mail(settings: StackSettings, aws: AwsSettings, mailbox: str | None) -> Object:
    """By Amazon SES of the region, to the owner's mailbox and to those who are told of the
    account's spending: who pays hears of it whatever a domain file says."""
    if aws.spending.smtp_user is None:
        return {}
    mail = {
        "to": ", ".join(dict.fromkeys((*([mailbox] if mailbox else []), *aws.spending.emails))),
        "from": f"alerts@{aws.dns.public_zone}",
        "smarthost": f"email-smtp.{settings.region}.amazonaws.com:{SMTP_PORT}",
        "authUsername": aws.spending.smtp_user,
        "authPassword": _key(SMTP_PASSWORD),
        "requireTLS": True,
        "sendResolved": True,
        "headers": [{"key": "Subject", "value": TITLE}],
        "text": TEXT,
    }
    return {"emailConfigs": [mail]}


# -- inhibitions ---------------------------------------------------------------------------------

SKILL = ["domain", "agent_role", "skill_name"]


def _inhibitions() -> list[Object]:
    """What a greater trouble explains is not told beside it."""
    page, ticket = "platform_slo_burn_1h", "platform_slo_burn_6h"
    pairs: tuple[tuple[str, str, list[str]], ...] = (
        (page, ticket, []),
        (page, "platform_slo_burn_1d", []),
        (page, "platform_slo_burn_3d", []),
        (ticket, "platform_slo_burn_1d", []),
        (ticket, "platform_slo_burn_3d", []),
        ("skill_fails_outright", "skill_success_rate_drop", SKILL),
        ("skill_budget_nearly_spent", "skill_budget_burn", SKILL),
        ("domain_budget_nearly_spent", "domain_budget_burn", ["domain"]),
        ("certificate_expires_soon", "certificate_not_ready", ["namespace", "name"]),
    )
    rules: list[Object] = [
        {
            "sourceMatch": _match(alertname=greater),
            "targetMatch": _match(alertname=lesser),
            "equal": equal,
        }
        for greater, lesser, equal in pairs
    ]
    for source in (page, "platform_gateway_down"):
        rules += [
            {"sourceMatch": _match(alertname=source), "targetMatch": _match(topic=topic)}
            for topic in ("quality", "latency")
        ]
    return rules
