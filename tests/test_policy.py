"""Findings, skips and how `aspora check` shows them; no scanner runs here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import pytest

from aspora import cli
from aspora.aws_scan import aws_input, class_name
from aspora.policy import Result, Scan, Skip, Verdict, judge
from aspora.policy_skips import SKIPS
from aspora.registered import Registered
from aspora.terraform_types import known_tokens
from local import check_commands
from local.check_commands import Asked
from tests.test_terraform_types import sdk_class

TODAY = date(2026, 12, 1)
LATER = date(2027, 5, 31)
COMPONENT = "urn:pulumi:staging::aspora-platform::aspora:aws:Buckets$aspora:aws:SecureBucket::logs"
NO_ROTATION = Result("CKV_AWS_7", "aws_kms_key.data", "Ensure rotation", "https://example.org/7")
NO_COPY = Result("CKV_AWS_144", "aws_s3_bucket.logs", "Ensure a copy elsewhere")
RESOURCES = (
    Registered("aws:kms/key:Key", "data", "urn:1", {}),
    Registered("aws:s3/bucket:Bucket", "logs", "urn:2", {}, parent=COMPONENT),
)


def verdict(
    skips: Sequence[Skip] = (),
    failed: tuple[Result, ...] = (NO_COPY, NO_ROTATION),
    today: date = TODAY,
) -> Verdict:
    scan = Scan(2, (Result("CKV_AWS_33", "aws_kms_key.data", "No wildcard"),), failed)
    return judge(scan, aws_input(RESOURCES, "staging").subjects, skips, "staging", today)


def lines(found: Verdict) -> list[str]:
    return [f"{p.code} {p.path}: {p.message}" for p in found.problems]


def skip(check: str = "CKV_AWS_144", resource: str = "s3.Bucket", **more: object) -> Skip:
    return Skip(check, resource, "because", **{"expires": LATER, **more})  # type: ignore[arg-type]


def test_every_finding_is_a_problem_with_its_resource() -> None:
    found = verdict()
    assert lines(found) == [
        "CKV_AWS_144 s3.Bucket logs: Ensure a copy elsewhere",
        "CKV_AWS_7 kms.Key data: Ensure rotation",
    ]
    assert {p.position.file for p in found.problems} == {"Pulumi.staging.yaml"}
    assert [p.hint for p in found.problems] == [
        "declared in aspora:aws:SecureBucket logs",
        "https://example.org/7",
    ]
    assert (found.scanned, found.passed, found.skipped) == (2, 1, ())


def test_a_skip_takes_the_finding_it_names_and_no_other() -> None:
    agreed = skip(name="lo*")
    found = verdict([agreed])
    assert lines(found) == ["CKV_AWS_7 kms.Key data: Ensure rotation"]
    assert found.skipped == ((NO_COPY, agreed),)


@pytest.mark.parametrize(
    "other",
    [
        skip(check="CKV_AWS_145"),
        skip(resource="kms.Key"),
        skip(resource="Bucket"),
        skip(name="log"),
        skip(name="LOGS"),
    ],
)
def test_a_skip_that_covers_nothing_is_a_finding(other: Skip) -> None:
    found = verdict([other], failed=(NO_COPY,))
    assert lines(found) == [
        "CKV_AWS_144 s3.Bucket logs: Ensure a copy elsewhere",
        f"SKIP_UNUSED {other.check} {other.resource} {other.name}: the skip covers no finding",
    ]
    assert found.problems[1].hint == (
        "take it out of aspora/policy_skips.py, or this stack out of it"
    )
    assert found.skipped == ()


def test_a_skip_of_another_stack_does_not_count() -> None:
    assert lines(verdict([skip(stacks=("prod",))], failed=(NO_COPY,))) == [
        "CKV_AWS_144 s3.Bucket logs: Ensure a copy elsewhere"
    ]


def test_a_skip_holds_until_the_end_of_its_day() -> None:
    assert lines(verdict([skip()], failed=(NO_COPY,), today=LATER)) == []
    found = verdict([skip()], failed=(NO_COPY,), today=LATER + timedelta(days=1))
    assert lines(found) == [
        "CKV_AWS_144 s3.Bucket logs: Ensure a copy elsewhere",
        "SKIP_EXPIRED CKV_AWS_144 s3.Bucket *: the skip ended on 2027-05-31",
    ]
    assert found.problems[1].hint == (
        "mend what it covers, or give it a new date in aspora/policy_skips.py: because"
    )
    assert found.skipped == ()


def test_a_token_has_the_name_of_its_class() -> None:
    assert class_name("aws:s3/bucketVersioning:BucketVersioning") == "s3.BucketVersioning"
    assert class_name("aws:vpc/securityGroupIngressRule:X") == "vpc.X"


def test_the_agreed_skips_hold_together() -> None:
    classes = {class_name(sdk_class(member).pulumi_type) for member in known_tokens()}
    assert {one.resource for one in SKIPS} <= classes
    assert len({(one.check, one.resource, one.name, one.stacks) for one in SKIPS}) == len(SKIPS)
    for one in SKIPS:
        assert one.check.startswith(("CKV_AWS_", "CKV2_AWS_"))
        assert len(one.reason) > 40, one.reason
        assert one.expires <= LATER
        assert set(one.stacks) <= {"staging", "prod"}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """What the command asks for; the answer is the two findings above and one skip."""
    asked: list[Asked] = []

    def answer(what: Asked) -> Iterator[tuple[str, Verdict]]:
        asked.append(what)
        yield "checkov on AWS resources", verdict([skip()])

    monkeypatch.setattr(check_commands, "_verdicts", answer)
    return asked


def test_the_command_prints_findings_and_counts(
    shown: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["check"]) == 1
    out, err = capsys.readouterr()
    assert out == (
        "Pulumi.staging.yaml:1:1: CKV_AWS_7 kms.Key data: Ensure rotation\n"
        "    https://example.org/7\n"
    )
    assert err == (
        "checkov on AWS resources: 2 looked at, 1 check passed, 1 skipped with a reason,"
        " 1 finding\n"
    )
    (asked,) = shown
    assert (asked.stack, asked.kubernetes, asked.aws, asked.checkov) == (
        "staging",
        True,
        True,
        True,
    )


def test_the_command_is_quiet_when_all_is_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_commands, "_verdicts", lambda asked: [("all", verdict(failed=()))])
    assert cli.run(["check", "--stack", "prod"]) == 0
    assert capsys.readouterr().out == ""


def test_the_command_speaks_to_code_scanning(
    shown: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["check", "--format", "sarif"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule == {
        "id": "CKV_AWS_7",
        "shortDescription": {"text": "Ensure rotation"},
        "fullDescription": {"text": "Ensure rotation"},
        "help": {"text": "Ensure rotation"},
        "defaultConfiguration": {"level": "error"},
        "helpUri": "https://example.org/7",
    }
    (result,) = run["results"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("CKV_AWS_7", 0, "error")
    assert result["message"]["text"] == "kms.Key data: Ensure rotation\nhttps://example.org/7"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "Pulumi.staging.yaml"},
        "region": {"startLine": 1, "startColumn": 1},
    }


def test_the_command_annotates_pull_requests_and_feeds_scripts(
    shown: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["check", "--format", "github"]) == 1
    assert capsys.readouterr().out == (
        "::error file=Pulumi.staging.yaml,line=1,col=1,title=CKV_AWS_7 Ensure rotation::"
        "kms.Key data: Ensure rotation%0Ahttps://example.org/7\n"
    )
    assert cli.run(["check", "--format", "json"]) == 1
    (entry,) = json.loads(capsys.readouterr().out)["problems"]
    assert (entry["code"], entry["path"]) == ("CKV_AWS_7", "kms.Key data")


@pytest.mark.parametrize(
    ("arguments", "halves"),
    [
        (["--only", "kubernetes"], (True, False, True)),
        (["--only", "aws"], (False, True, True)),
        (["--no-checkov"], (True, False, False)),
        (["--stack", "local"], (True, False, True)),
    ],
)
def test_the_command_looks_at_the_half_that_is_asked_for(
    shown: list[Asked], arguments: list[str], halves: tuple[bool, bool, bool]
) -> None:
    cli.run(["check", *arguments])
    (asked,) = shown
    assert (asked.kubernetes, asked.aws, asked.checkov) == halves


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--stack", "local", "--only", "aws"],
            "the stack local declares nothing of its own on AWS",
        ),
        (
            ["--only", "aws", "--no-checkov"],
            "the AWS half is checkov's alone",
        ),
    ],
)
def test_nothing_to_look_at_is_misuse(
    shown: list[Asked], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert cli.run(["check", *arguments]) == 2
    assert capsys.readouterr().err.splitlines()[0] == f"error: {said}"
    assert shown == []
