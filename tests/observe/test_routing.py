"""Who is told of what: the configuration by itself, then by real Alertmanager."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from aspora.models import Owner
from aspora.named_secrets import ALERTING, SMTP_PASSWORD, named_secrets
from aspora.observe.routing import NAME, SECRET, routing
from aspora.observe.rules import ALERTS
from aspora.stack import StackSettings
from tests.core import repository, settings
from tests.observe.lab import of_kind


def mailed(stack: str = "prod") -> StackSettings:
    """A stack that names its SMTP user."""
    found = settings(stack)
    assert found.aws
    spending = found.aws.spending.model_copy(update={"smtp_user": "AKIAIOSFODNN7EXAMPLE"})
    return found.model_copy(update={"aws": found.aws.model_copy(update={"spending": spending})})


def config(stack: StackSettings | None = None) -> dict[str, Any]:
    _, found = routing(repository(), stack or mailed())
    assert found["metadata"]["name"] == NAME
    spec: dict[str, Any] = found["spec"]
    return spec


def receivers() -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in config()["receivers"]}


def test_it_is_one_configuration_where_there_is_an_account() -> None:
    for stack in ("staging", "prod"):
        assert len(of_kind("AlertmanagerConfig", stack)) == 1
    assert of_kind("AlertmanagerConfig", "local") == []
    assert list(routing(repository(), settings("local"))) == []


@pytest.mark.parametrize("owner", ["platform", *(d.name for d in repository())])
def test_channels_are_the_brief_s(owner: str) -> None:
    kinds = {
        topic: {key for key in receivers()[f"{owner}-{topic}"] if key != "name"}
        for topic in ("page", "cost", "slack")
    }
    assert kinds == {
        "page": {"pagerdutyConfigs", "slackConfigs"},
        "cost": {"slackConfigs", "emailConfigs"},
        "slack": {"slackConfigs"},
    }
    for topic in kinds:
        (slack,) = receivers()[f"{owner}-{topic}"]["slackConfigs"]
        assert slack["channel"] == f"#aspora-{owner}"


def test_no_mail_without_a_sender() -> None:
    assert "emailConfigs" not in str(config(settings("prod")))
    assert SMTP_PASSWORD not in str(list(routing(repository(), settings("prod"))))


def test_every_key_is_a_named_secret_that_is_read() -> None:
    secret, found = routing(repository(), mailed())
    used = set(re.findall(rf"'name': '{SECRET}', 'key': '([\w-]+)'", str(found)))
    given = secret["spec"]["target"]["template"]["data"]
    assert used == set(given) == {*ALERTING, SMTP_PASSWORD, "slack-url"}
    read = {each["remoteRef"]["key"] for each in secret["spec"]["data"]}
    asked = {s.name: s.source for s in named_secrets(repository(), mailed())}
    assert read == {
        f"aspora/prod/platform/observability/{key}" for key in (*ALERTING, SMTP_PASSWORD)
    }
    assert {asked[name] for name in read} == {"asked"}
    plain = [value for value in given.values() if "{{" not in value]
    assert plain == ["https://slack.com/api/chat.postMessage"]


def test_every_alert_that_is_named_exists() -> None:
    named = set(re.findall(r"'name': 'alertname', 'value': '(\w+)'", str(config())))
    assert named - {alert.name for alert in ALERTS} == {"Watchdog", "InfoInhibitor"}


# -- by Alertmanager itself ----------------------------------------------------------------------


def snake(name: str) -> str:
    """As alertmanager.yml has it."""
    known = {"apiURL": "api_url", "urlSecret": "url_file", "pagerdutyConfigs": "pagerduty_configs"}
    return known.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def written(value: Any, key: str = "") -> Any:
    """What the operator makes of it: other names, values in place of references to secrets."""
    if isinstance(value, Mapping):
        if set(value) == {"name", "key"} and value["name"] == SECRET:
            return "https://example.com/hook" if "url" in key.lower() else "secret"
        return {snake(k): written(v, k) for k, v in value.items()}
    if isinstance(value, list):
        if key in ("headers", "details"):
            return {each["key"]: each["value"] for each in value}
        if key in ("matchers", "sourceMatch", "targetMatch"):
            return [f'{m["name"]}{m["matchType"]}"{m["value"]}"' for m in value]
        return [written(each) for each in value]
    return value


def alertmanager_yml(folder: Path) -> Path:
    found = written(config())
    for rule in found["inhibit_rules"]:
        rule["source_matchers"] = rule.pop("source_match")
        rule["target_matchers"] = rule.pop("target_match")
    text = yaml.safe_dump(found).replace("url_file: https", "url: https")
    path = folder / "alertmanager.yml"
    path.write_text(text, "utf-8")
    return path


def ask(amtool: Path, *arguments: str) -> str:
    done = subprocess.run(
        [amtool, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.promtool
def test_alertmanager_takes_it(amtool: Path, tmp_path: Path) -> None:
    said = ask(amtool, "check-config", str(alertmanager_yml(tmp_path)))
    assert "SUCCESS" in said
    assert f" - {2 + 3 * (1 + len(repository()))} receivers" in said
    assert f" - {len(config()['inhibitRules'])} inhibit rules" in said


ROUTES = [
    ("alertname=skill_success_rate_drop topic=quality domain=ecm severity=high", "ecm-page"),
    ("alertname=daily_cost_spike topic=cost domain=ecm severity=medium", "ecm-cost"),
    ("alertname=p95_latency_spike topic=latency domain=fraud severity=medium", "fraud-slack"),
    ("alertname=quota_nearly_used topic=platform domain=wealth severity=medium", "wealth-slack"),
    ("alertname=platform_slo_burn_1h domain=platform severity=critical", "platform-page"),
    ("alertname=platform_slo_burn_3d domain=platform severity=medium", "platform-slack"),
    ("alertname=certificate_not_ready topic=platform namespace=istio-system", "platform-slack"),
    ("alertname=unpriced_model_calls topic=cost domain=unknown", "platform-cost"),
    ("alertname=KubePodCrashLooping severity=warning namespace=aspora-ecm", "ecm-slack"),
    ("alertname=KubeNodeNotReady severity=critical", "platform-page"),
    ("alertname=dead_mans_switch topic=watch domain=platform", "dead-mans-switch"),
    ("alertname=Watchdog severity=none", "nobody"),
]


@pytest.mark.promtool
@pytest.mark.parametrize(("labels", "receiver"), ROUTES, ids=[labels for labels, _ in ROUTES])
def test_an_alert_reaches_who_should_know(
    amtool: Path, tmp_path: Path, labels: str, receiver: str
) -> None:
    path = alertmanager_yml(tmp_path)
    said = ask(amtool, "config", "routes", "test", f"--config.file={path}", *labels.split())
    assert said.strip() == receiver


def test_cost_is_mailed_to_the_owner_who_names_a_mailbox_and_to_who_pays() -> None:
    domains = [
        each.model_copy(
            update={"owner": each.owner.model_copy(update={"email": "ecm@example.com"})}
        )
        if each.name == "ecm"
        else each
        for each in repository()
    ]
    _, found = routing(domains, mailed())
    sent = {
        each["name"]: mail["to"]
        for each in found["spec"]["receivers"]
        for mail in each.get("emailConfigs", ())
    }
    stack = settings("prod").aws
    assert stack
    (payer,) = stack.spending.emails
    assert sent.pop("ecm-cost") == f"ecm@example.com, {payer}"
    assert sent == {f"{name}-cost": payer for name in ("platform", "fraud", "support", "wealth")}


@pytest.mark.parametrize(
    "address",
    [
        "{{ .CommonLabels }}@example.com",
        "a,b@example.com",
        "a@b",
        "a b@example.com",
        "@example.com",
    ],
)
def test_a_mailbox_is_neither_a_template_nor_a_list(address: str) -> None:
    with pytest.raises(ValidationError, match="e-mail address"):
        Owner.model_validate({"team": "a-team", "costCenter": "a-cost", "email": address})
