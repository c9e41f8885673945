"""The tarball of gVisor's runsc in the tools bucket, which nodes fetch when they start."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

from aspora.errors import AsporaError
from aspora.user_data import ARCHIVE
from infra.aws_account import GVISOR_RELEASES, Account, aws_settings
from infra.aws_session import AwsError
from infra.bootstrap.outcome import Outcome, Run

CHUNK = 1 << 20


def verified(path: Path, account: Account) -> str:
    """The SHA-256 of the file in hexadecimal, when it is the one that the settings name.

    Raises AsporaError when it is not, when the settings name none, or the file cannot be read.
    """
    runtime = aws_settings(account.settings).nodes.gvisor_runtime
    place = f"aspora:aws.nodes.gvisorRuntime.sha256 in Pulumi.{account.stack}.yaml"
    actual = _sha256(path)
    if runtime.sha256 is None:
        raise AsporaError(
            f"{place} is not set, so nothing says whether {path} is {runtime.release}",
            hint=f"the file's SHA-256 is {actual}\n"
            f"compare it with SHA256SUMS of {runtime.release} ({GVISOR_RELEASES}), then write it",
        )
    if actual != runtime.sha256:
        raise AsporaError(
            f"{path} is not {ARCHIVE} of {runtime.release}: its SHA-256 is {actual}, and"
            f" {place} is {runtime.sha256}",
            hint=f"download it again from {GVISOR_RELEASES}/tag/{runtime.release}",
        )
    return actual


def ensure(run: Run, path: Path | None) -> Iterator[Outcome]:
    """Upload the verified file, or say what is in the bucket."""
    account = run.account
    what = f"gVisor s3://{account.tools_bucket}/{account.gvisor_key}"
    wanted = account.config.nodes.gvisor_runtime.sha256
    there = stored(account)
    if there is not None and there == wanted:
        yield Outcome("found", what, f"SHA-256 {there}")
    elif path is None:
        yield Outcome("missing", what, _way_out(account, there))
    else:
        actual = verified(path, account)
        _upload(run, path, actual)
        yield Outcome("made" if there is None else "changed", what, f"SHA-256 {actual}")


def stored(account: Account) -> str | None:
    """The SHA-256 of what is in the bucket: S3's own, else the one noted when it was uploaded.

    None when nothing is there, empty when nobody knows.
    """
    try:
        answer = account.aws.call(
            "s3",
            "head_object",
            Bucket=account.tools_bucket,
            Key=account.gvisor_key,
            ChecksumMode="ENABLED",
            ExpectedBucketOwner=account.number,
        )
    except AwsError as error:
        if error.code in ("404", "NoSuchKey", "NoSuchBucket"):
            return None
        raise
    checksum = answer.get("ChecksumSHA256")
    if checksum and answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        return b64decode(checksum).hex()
    return str(answer.get("Metadata", {}).get("sha256", ""))


def _way_out(account: Account, there: str | None) -> str:
    said = "is not there" if there is None else f"has another SHA-256: {there or 'unknown'}"
    release = account.config.nodes.gvisor_runtime.release
    return (
        f"{said}; download {ARCHIVE} from {GVISOR_RELEASES}/tag/{release}, then"
        f" aspora bootstrap --stack {account.stack} --gvisor {ARCHIVE}"
    )


def _upload(run: Run, path: Path, sha256: str) -> None:
    """S3 compares the checksum with what arrives, so a file that changes meanwhile is refused."""
    with path.open("rb") as body:
        run.change(
            "s3",
            "put_object",
            Bucket=run.account.tools_bucket,
            Key=run.account.gvisor_key,
            Body=body,
            ChecksumSHA256=b64encode(bytes.fromhex(sha256)).decode(),
            Metadata={"sha256": sha256},
            ExpectedBucketOwner=run.account.number,
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise AsporaError(
            f"{path} cannot be read: {error.strerror}", hint="name a file that you may read"
        ) from None
    return digest.hexdigest()
