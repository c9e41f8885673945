"""`aspora bootstrap`: the tarball of gVisor, which nothing but the right checksum lets in."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from infra.bootstrap import runsc
from infra.bootstrap.outcome import Run
from tests import account_lab as lab
from tests.account_lab import (
    NUMBER,
    SHA256,
    TARBALL,
    TOOLS,
    Command,
    Script,
    api,
    entered,
    staging,
    states,
)

aws, repo, aspora, everything = lab.aws, lab.repo, lab.aspora, lab.everything


def test_the_tarball_lies_where_nodes_look_with_its_checksum(
    everything: Callable[[], Any], aspora: Command
) -> None:
    everything()
    place = entered().gvisor_key
    assert place == f"gvisor/{entered().config.nodes.gvisor_runtime.release}/gvisor-x86_64.tar.bz2"
    found = api("s3").get_object(Bucket=TOOLS, Key=place)
    assert found["Body"].read() == TARBALL
    assert found["Metadata"] == {"sha256": SHA256}


def test_s3_is_told_the_checksum_to_compare(aws: Script, everything: Callable[[], Any]) -> None:
    seen: list[str] = []
    aws.answers["PutObject"] = lambda given: seen.append(given["ChecksumSHA256"])
    everything()
    assert seen == [b64encode(hashlib.sha256(TARBALL).digest()).decode()]


def test_another_tarball_is_refused_before_anything_is_made(
    aws: Script, repo: Path, aspora: Command
) -> None:
    (repo / "other.tar.bz2").write_bytes(b"something else")
    actual = hashlib.sha256(b"something else").hexdigest()
    code, out, err = aspora("bootstrap", "--stack", "staging", "--gvisor", "other.tar.bz2")
    release = staging().aws.nodes.gvisor_runtime.release  # type: ignore[union-attr]
    assert (code, states(out), aws.changes) == (1, ["found"], [])
    assert err.splitlines() == [
        (
            f"error: other.tar.bz2 is not gvisor-x86_64.tar.bz2 of {release}: its SHA-256 is"
            f" {actual}, and aspora:aws.nodes.gvisorRuntime.sha256 in Pulumi.staging.yaml is"
            f" {SHA256}"
        ),
        f"  download it again from github.com/google/gvisor/releases/tag/{release}",
    ]


def test_without_a_checksum_nothing_is_uploaded(aws: Script, repo: Path) -> None:
    account = entered(nodes__gvisor_runtime__sha256=None)
    release = account.config.nodes.gvisor_runtime.release
    with pytest.raises(Exception, match="is not set") as caught:
        list(runsc.ensure(Run(account), repo / "runsc.tar.bz2"))
    assert caught.value.args[0] == (
        "aspora:aws.nodes.gvisorRuntime.sha256 in Pulumi.staging.yaml is not set, so nothing says"
        f" whether {repo / 'runsc.tar.bz2'} is {release}"
    )
    assert getattr(caught.value, "hint", "") == (
        f"the file's SHA-256 is {SHA256}\ncompare it with SHA256SUMS of {release}"
        " (github.com/google/gvisor/releases), then write it"
    )


def test_another_file_in_the_bucket_is_replaced_by_the_right_one(
    everything: Callable[[], Any], repo: Path, aspora: Command
) -> None:
    everything()
    api("s3").put_object(
        Bucket=TOOLS, Key=entered().gvisor_key, Body=b"?", Metadata={"sha256": "0"}
    )
    code, out, err = aspora("bootstrap", "--stack", "staging")
    assert (code, err.splitlines()[-1]) == (1, "1 thing still missing; run it again for them")
    assert any("has another SHA-256: 0; download" in line for line in out)
    code, out, _ = aspora("bootstrap", "--stack", "staging", "--gvisor", "runsc.tar.bz2")
    assert code == 0
    assert states(out).count("changed") == 1


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"ChecksumSHA256": b64encode(bytes.fromhex(SHA256)).decode()}, SHA256),
        # S3's own checksum counts more than what somebody wrote beside the object.
        (
            {
                "ChecksumSHA256": b64encode(bytes(32)).decode(),
                "ChecksumType": "FULL_OBJECT",
                "Metadata": {"sha256": SHA256},
            },
            "00" * 32,
        ),
        (
            {"ChecksumSHA256": "x-3", "ChecksumType": "COMPOSITE", "Metadata": {"sha256": SHA256}},
            SHA256,
        ),
        ({"Metadata": {}}, ""),
    ],
)
def test_what_s3_knows_of_the_checksum(answer: dict[str, Any], found: str, aws: Script) -> None:
    account = entered()
    with Stubber(account.aws.client("s3")) as stub:
        expected = {
            "Bucket": TOOLS,
            "Key": account.gvisor_key,
            "ChecksumMode": "ENABLED",
            "ExpectedBucketOwner": NUMBER,
        }
        stub.add_response("head_object", answer, expected)
        assert runsc.stored(account) == found


def test_a_tarball_that_cannot_be_read(aws: Script, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="cannot be read: Is a directory"):
        runsc.verified(tmp_path, entered())
