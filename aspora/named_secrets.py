"""Every secret of a stack by its name in AWS Secrets Manager, and who gives it its value.

Nothing but `aspora bootstrap` makes secrets (decision 9), with one exception: the endpoints of the
databases, which are no secret, are written by Pulumi once AWS has made them up (decision 10).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from aspora import names
from aspora.models import Domain
from aspora.resolve import workloads
from aspora.services import secrets
from aspora.stack import StackSettings

Source = Literal["asked", "generated", "pulumi"]


class NamedSecret(NamedTuple):
    """`asked`: a person has it; `generated`: any long random value; `pulumi`: an endpoint."""

    name: str
    source: Source
    purpose: str
    prefix: str = ""
    """What a generated value begins with."""


GATEWAY_KEY_PREFIX = "sk-"
"""LiteLLM takes no key that begins otherwise."""
ENDPOINT_PROPERTIES = {
    "host": "DATABASE_HOST",
    "port": "DATABASE_PORT",
    "name": "DATABASE_NAME",
    "cacheHost": "CACHE_HOST",
    "cachePort": "CACHE_PORT",
}
"""What an endpoint secret holds, as one JSON object, and the variable a pod gets each as."""


ALERTING = {
    "pagerduty-routing-key": "integration key of PagerDuty's Events API v2",
    "slack-token": "bot token of Slack with chat:write in the alerts' channels",
    "dead-mans-switch-url": "address of the service that waits for the alert that always fires",
}
"""What Alertmanager needs to tell people, by the key in its Secret."""
SMTP_PASSWORD = "smtp-password"  # noqa: S105 - the name of a key
"""Beside them where alerts are mailed: the password of Amazon SES's SMTP user."""


def alerting_keys(settings: StackSettings) -> dict[str, str]:
    """The keys of Alertmanager's Secret and what each is; none without an account."""
    if settings.aws is None:
        return {}
    mailed = settings.aws.spending.smtp_user is not None
    return ALERTING | ({SMTP_PASSWORD: "password of the SMTP user of alerts"} if mailed else {})


def alerting_secret(settings: StackSettings, key: str) -> str:
    """Where one of Alertmanager's keys stands."""
    return names.secret_path(settings.environment, names.PLATFORM_OWNER, "observability", key)


def model_gateway_key(settings: StackSettings, domain: str, workload: str) -> str:
    """Where a skill's key for the model gateway stands."""
    return names.secret_path(settings.environment, domain, "model-gateway", workload)


def database_endpoint(settings: StackSettings, domain: str) -> str:
    """Where the host and port of PostgreSQL and Valkey stand, for the agents of a domain."""
    return names.secret_path(settings.environment, domain, "database")


def openrouter_key(settings: StackSettings, domain: str) -> str:
    """Where the domain's own OpenRouter key stands: its limit caps the whole domain."""
    return names.secret_path(settings.environment, domain, "openrouter")


def platform_secret(settings: StackSettings, *parts: str) -> str:
    """Where a secret of the platform's own stands."""
    return names.secret_path(settings.environment, names.PLATFORM_OWNER, *parts)


def model_gateway_master_key(settings: StackSettings) -> str:
    """Where the key stands that makes teams and keys at the model gateway."""
    return platform_secret(settings, "model-gateway", "master-key")


def model_gateway_counters(settings: StackSettings) -> str:
    """Where the password of the model gateway's counters stands."""
    return platform_secret(settings, "model-gateway", "counters")


def named_secrets(domains: Sequence[Domain], settings: StackSettings) -> tuple[NamedSecret, ...]:
    """All of them: domain by domain, then the platform's own.

    The endpoints are there only where the stack has databases.
    """
    found = [secret for domain in domains for secret in _of_domain(domain, settings)]
    found += [
        NamedSecret(alerting_secret(settings, key), "asked", purpose)
        for key, purpose in alerting_keys(settings).items()
    ]
    found += [
        NamedSecret(name, "generated", purpose) for name, purpose in secrets.generated(settings)
    ]
    found += _of_platform(settings)
    if settings.aws is not None:
        endpoint = database_endpoint(settings, names.PLATFORM_OWNER)
        found.append(NamedSecret(endpoint, "pulumi", "host and port of the platform's databases"))
    return tuple(found)


def _of_platform(settings: StackSettings) -> list[NamedSecret]:
    return [
        NamedSecret(
            model_gateway_master_key(settings),
            "generated",
            "makes teams and keys at the model gateway",
            GATEWAY_KEY_PREFIX,
        ),
        NamedSecret(
            model_gateway_counters(settings), "generated", "the model gateway's counters' password"
        ),
    ]


def _of_domain(domain: Domain, settings: StackSettings) -> Iterator[NamedSecret]:
    yield NamedSecret(
        openrouter_key(settings, domain.name), "asked", f"{domain.name}'s key at OpenRouter"
    )
    for workload in workloads(domain):
        yield NamedSecret(
            model_gateway_key(settings, domain.name, workload.name),
            "generated",
            f"{workload.id}'s key at the model gateway",
            GATEWAY_KEY_PREFIX,
        )
    if settings.aws is not None and uses_database(domain):
        yield NamedSecret(
            database_endpoint(settings, domain.name),
            "pulumi",
            f"host and port of the databases for {domain.name}",
        )


def uses_database(domain: Domain) -> bool:
    """Whether any of its agents asks for PostgreSQL and Valkey."""
    return any(agent.database for agent in domain.agents)
