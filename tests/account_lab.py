"""An AWS account in this process: moto, with answers and errors put in where it has a gap."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import click
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.loaders import Loader, create_loader
from botocore.validate import validate_parameters
from moto import mock_aws
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from aspora import cli, named_secrets
from aspora.services.secrets import GENERATED
from aspora.stack import StackSettings
from infra.aws_account import Account, who
from infra.aws_session import Aws, AwsError
from infra.bootstrap import buckets
from tests.core import MINIMAL, ROOT, settings, write

NUMBER = "123456789012"
ARN = f"arn:aws:sts::{NUMBER}:user/moto"
READS = ("Get", "List", "Describe", "Head")


class Script:
    """What is answered instead of moto, by operation: a dict, an error, or a function of both.

    A dict must fit botocore's model of the answer. `calls` are all that were made, in order, and
    `permissions` what IAM asks for them.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.calls: list[str] = []
        self.permissions: set[str] = set()
        self._lock = threading.Lock()

    @property
    def changes(self) -> list[str]:
        """The calls that change something."""
        return [name for name in self.calls if not name.startswith(READS)]

    def deny(self, *operations: str) -> None:
        """Refuse these operations, as IAM does."""
        self.fail("AccessDeniedException", *operations, words="not authorized")

    def fail(self, code: str, *operations: str, words: str = "no") -> None:
        """Answer these operations with an error of AWS."""
        for name in operations:
            self.answers[name] = ClientError({"Error": {"Code": code, "Message": words}}, name)

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Answer in the place of moto while the block runs."""
        real = BaseClient._make_api_call

        def answer(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            action = f"{client.meta.service_model.signing_name}:{operation}"
            with self._lock:
                self.calls.append(operation)
                self.permissions.add(AwsError(action, "", "", "denied").permission)
            found = self.answers.get(operation)
            if callable(found):
                found = found(parameters)
            if isinstance(found, Exception):
                raise found
            if found is None:
                return real(client, operation, parameters)
            shape = client.meta.service_model.operation_model(operation).output_shape
            validate_parameters(found, shape)
            return dict(found)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", answer)
            yield


@cache
def _loader(*places: str) -> Loader:
    """botocore's descriptions of the services are megabytes, read once and not once a test."""
    return create_loader(*places)


@contextmanager
def account() -> Iterator[Script]:
    """An empty account. moto reads no conditions of bucket policies, so it must not judge them."""
    script = Script()
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setattr("botocore.session.create_loader", _loader)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setattr(FakeBucket, "get_permission", lambda *_: PermissionResult.NEUTRAL)
        with script.playing():
            yield script


def staging(**changes: Any) -> StackSettings:
    """Settings of staging, with fields of `aspora:aws` changed: `database__multi_az=True`."""
    made = settings("staging")
    assert made.aws is not None
    return made.model_copy(update={"aws": _changed(made.aws, changes)})


def _changed(model: Any, changes: Mapping[str, Any]) -> Any:
    updates: dict[str, Any] = {}
    for path, value in changes.items():
        field, _, below = path.partition("__")
        updates[field] = (
            _changed(updates.get(field, getattr(model, field)), {below: value}) if below else value
        )
    return model.model_copy(update=updates)


def entered(**changes: Any) -> Account:
    """The account as the commands see it."""
    made = staging(**changes)
    return who(Aws(made.region), made)


def repository(folder: Path, edit: Callable[[str], str] = lambda text: text) -> Path:
    """A repository of one domain, whose staging settings `edit` changed."""
    root = folder / "repo"
    write(root / "domains", MINIMAL)
    for path in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(path, root)
    staging_file = root / "Pulumi.staging.yaml"
    staging_file.write_text(edit(staging_file.read_text("utf-8")), "utf-8")
    return root


class Command:
    """Runs `aspora` in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> tuple[int, list[str], str]:
        """The exit code, the lines of stdout, and stderr."""
        code = cli.run(list(arguments))
        out, err = self._capture.readouterr()
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return code, out.splitlines(), err


def states(lines: Sequence[str]) -> list[str]:
    """The first words of the result's lines, without the commands at the end."""
    return [line.split()[0] for line in lines if not line.startswith(("pulumi ", "aspora "))]


def checks(lines: Sequence[str]) -> dict[str, dict[str, str]]:
    """What `--format json` printed, by what was looked at."""
    return {check["what"]: check for check in json.loads("\n".join(lines))["checks"]}


REGION = "us-east-1"
STATE, TOOLS = "aspora-staging-pulumi-state", "aspora-staging-tools"
PULUMI_KEY, SECRETS_KEY = "alias/aspora-staging-pulumi", "alias/aspora-staging-secrets"
OPENROUTER = "aspora/staging/pets/openrouter"
GATEWAY = "aspora/staging/pets/model-gateway/pets-vet-advise"
VALUE = "sk-or-v1-0123456789abcdef"
ASPECTS = ", ".join(aspect.what for aspect in buckets.ASPECTS)
"""What the line of a new bucket lists."""
TARBALL = b"runsc, as far as this test goes"
ALERTING = {f"aspora/staging/platform/observability/{key}": VALUE for key in named_secrets.ALERTING}
"""What Alertmanager tells people with."""
ALERTING_PURPOSES = dict(zip(ALERTING, named_secrets.ALERTING.values(), strict=True))
SHA256 = hashlib.sha256(TARBALL).hexdigest()
MADE = ["found", *["made"] * 7, *["made"] * 7, *["made"] * len(GENERATED)]
"""Account, two keys, two buckets, runsc, two service roles, two secrets, three of alerts, the
platform's own, two of the model gateway."""


@pytest.fixture
def aws() -> Iterator[Script]:
    with account() as script:
        yield script


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one domain, whose staging expects this account and this tarball."""

    def edit(text: str) -> str:
        text = text.replace("accountId: null", f'accountId: "{NUMBER}"')
        admins = f"admins: [arn:aws:iam::{NUMBER}:role/moto]"
        text = text.replace(
            "controlPlane:\n",
            f"controlPlane:\n      privateAccessCidrs: [10.99.0.0/16]\n      {admins}\n",
        )
        return re.sub(r"sha256: [0-9a-f]{64}", f"sha256: {SHA256}", text)

    root = repository(tmp_path, edit)
    (root / "runsc.tar.bz2").write_bytes(TARBALL)
    monkeypatch.chdir(root)
    monkeypatch.delenv("ASPORA_ROOT", raising=False)
    return root


@pytest.fixture
def aspora(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    pipe(monkeypatch, b"")
    return Command(capfd)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def person(monkeypatch: pytest.MonkeyPatch, *, hidden: str = "", confirms: str = "y") -> list[str]:
    """A person on a terminal, who gives these answers; the questions, as they come."""
    asked: list[str] = []

    def answer(said: str) -> Callable[[str], str]:
        return lambda question: asked.append(question) or said  # type: ignore[func-returns-value]

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(click.termui, "hidden_prompt_func", answer(hidden))
    monkeypatch.setattr(click.termui, "visible_prompt_func", answer(confirms))
    return asked


def api(service: str, region: str = REGION) -> Any:
    return boto3.client(service, region_name=region)


@pytest.fixture
def everything(
    aws: Script, repo: Path, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], tuple[int, list[str], str]]:
    """The whole command, with the tarball and the one value it needs."""

    def run() -> tuple[int, list[str], str]:
        pipe(monkeypatch, json.dumps({OPENROUTER: VALUE, **ALERTING}).encode())
        return aspora(
            *("bootstrap", "--stack", "staging", "--secrets-from", "-"),
            *("--gvisor", "runsc.tar.bz2"),
        )

    return run
