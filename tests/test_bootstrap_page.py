"""docs/bootstrap.md says what `aspora bootstrap` and `aspora doctor --stack` do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests import account_lab as lab
from tests.account_lab import (
    ARN,
    GATEWAY,
    NUMBER,
    SECRETS_KEY,
    Command,
    Script,
    api,
)
from tests.core import ROOT
from tests.pages import blocks, table
from tests.preflight_lab import ZONE, answer_gaps
from tests.test_bootstrap import BREAKS

aws, repo, aspora, everything = lab.aws, lab.repo, lab.aspora, lab.everything

PAGE = ROOT / "docs/bootstrap.md"
TEXT = PAGE.read_text("utf-8")
# What AWS asks for besides the call's own permission: to tag what is made, and, where data is
# written under a customer managed key, to use that key (KMS developer guide, Secrets Manager and
# S3 user guides).
IMPLIED = {"kms:Decrypt", "kms:GenerateDataKey", "secretsmanager:TagResource"}


def shown() -> dict[str, list[str]]:
    """What the page shows below each command."""
    found: dict[str, list[str]] = {}
    for block in blocks(PAGE):
        lines: list[str] = []
        for line in block.lines:
            if line.startswith("$ "):
                lines = found.setdefault(line[2:], [])
            else:
                lines.append(line)
    return found


def named() -> list[set[str]]:
    """The actions of the two tables of permissions."""
    _, *parts = TEXT[TEXT.index("## Permissions") :].split("| Service | Actions |")
    return [set(re.findall(r"`([a-z0-9]+:[A-Za-z]+)`", part)) for part in parts]


def test_the_dry_run_prints_what_the_page_shows(
    aws: Script, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    _, out, _ = aspora("bootstrap", "--stack", "staging", "--dry-run")
    account, *others = shown()["aspora bootstrap --stack staging --dry-run"]
    assert len(others) == 9
    assert account.startswith("found         account: 111122223333 in us-east-1, as ")
    assert f"found         account: {NUMBER} in us-east-1, as {ARN}" in out
    for line in others:
        assert any(found.startswith(line.removesuffix("…")) for found in out), line


def test_it_prints_the_commands_that_follow(
    aws: Script, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    _, out, _ = aspora("bootstrap", "--stack", "staging", "--dry-run")
    assert set(out[-4:]) <= set(shown())


def test_the_permissions_of_bootstrap_are_those_it_uses(
    aws: Script,
    everything: Callable[[], Any],
    aspora: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything()
    used = set(aws.permissions)
    for spoil in BREAKS.values():
        spoil(api("s3"))
    key = api("kms").describe_key(KeyId=SECRETS_KEY)["KeyMetadata"]["KeyId"]
    open_to_all = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [open_to_all]})
    api("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    tags = [tag["TagKey"] for tag in api("kms").list_resource_tags(KeyId=key)["Tags"]]
    api("kms").untag_resource(KeyId=key, TagKeys=tags)
    aws.permissions.clear()
    assert aspora("bootstrap", "--stack", "staging", "--replace", GATEWAY)[0] == 0
    used |= aws.permissions
    bootstrap, _ = named()
    assert used - {"sts:GetCallerIdentity"} == bootstrap - IMPLIED
    assert bootstrap >= IMPLIED


def test_the_permissions_of_the_doctor_are_those_it_uses(
    aws: Script, everything: Callable[[], Any], aspora: Command
) -> None:
    everything()
    answer_gaps(aws)
    api("route53").create_hosted_zone(Name=ZONE, CallerReference="x")
    api("guardduty").create_detector(Enable=True)
    api("iam").create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ThumbprintList=[]
    )
    aws.fail("NoSuchResourceException", "GetServiceQuota")
    aws.answers["GetAWSDefaultServiceQuota"] = {"Quota": {"Value": 500.0}}
    aws.permissions.clear()
    aspora("doctor", "--stack", "staging")
    bootstrap, doctor = named()
    looks = {name for name in bootstrap if re.search(r":(Describe|Get|List)", name)}
    used = aws.permissions - {"sts:GetCallerIdentity"}
    assert used - looks <= doctor
    # staging leaves GuardDuty to the organisation, so whose the detector is does not matter.
    assert doctor - used <= {"guardduty:GetDetector"}


def test_the_table_of_what_is_made_names_all_of_it(
    aws: Script, everything: Callable[[], Any]
) -> None:
    everything()
    prefix = "aspora-staging"
    aliases = [entry["AliasName"] for entry in api("kms").list_aliases()["Aliases"]]
    made = [f"key `{name}`" for name in aliases if name.startswith(f"alias/{prefix}")]
    made += [f"bucket `{bucket['Name']}`" for bucket in api("s3").list_buckets()["Buckets"]]
    paths = [role["Path"].strip("/").split("/") for role in api("iam").list_roles()["Roles"]]
    made += [f"service role of `{path[1]}`" for path in paths if path[0] == "aws-service-role"]
    rows = [row[0].replace("<prefix>", prefix) for row in table(PAGE, "What")]
    assert sorted(rows) == sorted([*made, "secrets `aspora/<stack>/…`"])
