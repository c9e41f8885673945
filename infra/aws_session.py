"""boto3 for the commands that look at a real account or prepare it: short waits, errors in words.

The caller's own credentials are used, found as boto3 always finds them. boto3 is imported when the
first client is made: it takes half a second, and most commands need none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NoReturn

from aspora.errors import EnvironmentFailure
from aspora.problems import printable

CONNECT_SECONDS = 5
READ_SECONDS = 20
ATTEMPTS = 3
MAX_WORDS = 300
"""Characters of AWS's own text that a message repeats."""

Kind = Literal["denied", "credentials", "region", "busy", "network", "other"]

_KINDS: dict[Kind, tuple[str, ...]] = {
    "denied": (
        *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"),
        *("403", "Forbidden", "NotAuthorized"),
    ),
    "credentials": (
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"),
        *("SignatureDoesNotMatch", "InvalidSignatureException", "InvalidAccessKeyId"),
    ),
    # What AWS answers to credentials it does not know: deleted ones, or good ones in a region that
    # the account has not enabled.
    "region": (
        *("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "InvalidToken"),
        *("OptInRequired", "RegionDisabledException", "IllegalLocationConstraintException"),
    ),
    "busy": (
        *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"),
        *("RequestLimitExceeded", "SlowDown", "ServiceUnavailable", "InternalError", "503", "500"),
        *("OperationAborted", "ServiceUnavailableException", "InternalFailure"),
    ),
}
_HINTS: dict[Kind, str] = {
    "credentials": "sign in again (`aws sso login`), or name another profile: AWS_PROFILE=…",
    "region": "the credentials are not valid, or the account has not enabled {region}:"
    " aws account enable-region --region-name {region}",
    "busy": "wait a minute and run it again",
    "network": "look at the connection, HTTPS_PROXY and the region, and run it again",
    "other": "",
}
_SETTINGS_HINT = "look at the AWS_ variables of the environment and at ~/.aws/config"
_NOT_AWS = "the answer is none of AWS's; AWS_ENDPOINT_URL or a proxy may lead elsewhere"
# botocore's own errors, before any answer of AWS, by the name of the class or of one above it.
_LOCAL_KINDS: dict[str, Kind] = {
    "NoCredentialsError": "credentials",
    "PartialCredentialsError": "credentials",
    "CredentialRetrievalError": "credentials",
    "TokenRetrievalError": "credentials",
    "NoAuthTokenError": "credentials",
    "SSOError": "credentials",
    "LoginError": "credentials",
    "ProfileNotFound": "credentials",
    "ConfigParseError": "credentials",
    "ConfigNotFound": "credentials",
    "HTTPClientError": "network",
    "ConnectionError": "network",
}
# IAM's names where they are not the operation's (Service Authorization Reference of S3).
_PERMISSIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "servicequotas:GetAWSDefaultServiceQuota": "servicequotas:GetAWSDefaultServiceQuota",
}


class AwsError(EnvironmentFailure):
    """A call of AWS that failed: which one, AWS's code (or botocore's class) and the way out."""

    def __init__(self, action: str, code: str, words: str, kind: Kind, hint: str = "") -> None:
        said = {"denied": "was refused", "busy": "was put off"}.get(kind, "failed")
        super().__init__(f"{action} {said}: {words}", hint=hint)
        self.action = action
        self.code = code
        self.kind = kind
        self.permission = _PERMISSIONS.get(action, action)
        if kind == "denied" and not hint:
            self.hint = f"ask for the permission {self.permission}, and run it again"

    def during(self, step: str) -> AwsError:
        """The same, with the step that met it."""
        self.message = f"{step}: {self.message}"
        self.args = (self.message,)
        return self


class Answer(dict[str, Any]):
    """An answer of AWS. One that lacks what it must have comes from somewhere else."""

    def __init__(self, action: str, members: dict[str, Any]) -> None:
        super().__init__(members)
        self._action = action

    def __missing__(self, name: str) -> NoReturn:
        words = f'{_NOT_AWS} (no "{name}")'
        raise AwsError(self._action, "IncompleteAnswer", words, "network", _HINTS["network"])


class Aws:
    """Clients of one region, each made once; threads may share it."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The boto3 client. Raises AwsError for a profile or a configuration that does not hold."""
        with self._lock:  # boto3 sessions are not safe to share, clients are
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer of one call. Raises AwsError."""
        return call(self.client(service), operation, **parameters)

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
        """The items under `key` of all pages. Raises AwsError."""
        return pages(self.client(service), operation, key, **parameters)

    def _make(self, service: str) -> Any:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        )
        try:
            if self._session is None:
                self._session = boto3.session.Session(region_name=self.region)
            return self._session.client(service, config=config)
        except (BotoCoreError, ValueError) as error:  # ValueError: a URL or number that is none
            failure = _local(error, f"a client of {service}")
            failure.hint = failure.hint or _SETTINGS_HINT
            raise failure from None


def call(client: Any, operation: str, *, secret: bool = False, **parameters: Any) -> dict[str, Any]:
    """The answer of `client.<operation>`. Raises AwsError.

    `secret` keeps the texts of botocore and AWS out of the error: some repeat what they were sent.
    """
    with _in_words(client, operation, secret=secret):
        answer: dict[str, Any] = getattr(client, operation)(**parameters)
    answer.pop("ResponseMetadata", None)
    return Answer(_action(client, operation), answer)


def pages(client: Any, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
    """The items under `key` of every page of `client.<operation>`. Raises AwsError."""
    with _in_words(client, operation):
        found = iter(client.get_paginator(operation).paginate(**parameters))
    while True:
        with _in_words(client, operation):
            page = next(found, None)
        if page is None:
            return
        yield from page.get(key, ())


@contextmanager
def _in_words(client: Any, operation: str, *, secret: bool = False) -> Iterator[None]:
    """What botocore raises becomes an AwsError."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    action = _action(client, operation)
    try:
        yield
    except ClientError as error:
        raise _answered(error, client, operation, secret=secret) from None
    except BotoCoreError as error:
        raise _local(error, action, secret=secret) from None
    except (ResponseParserError, UnicodeDecodeError) as error:  # both with the whole answer in them
        raise AwsError(
            action, type(error).__name__, _NOT_AWS, "network", _HINTS["network"]
        ) from None


def _action(client: Any, operation: str) -> str:
    """`kms:CreateKey`: the operation as IAM and the API reference write it."""
    return (
        f"{client.meta.service_model.signing_name}:{client.meta.method_to_api_mapping[operation]}"
    )


def _answered(error: Any, client: Any, operation: str, *, secret: bool = False) -> AwsError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    said = "" if secret else str(error.response.get("Error", {}).get("Message", ""))
    kind: Kind = next((kind for kind, codes in _KINDS.items() if code in codes), "other")
    hint = _HINTS.get(kind, "").format(region=client.meta.region_name)
    words = code if said in ("", code) else f"{code}: {_line(said)}"
    return AwsError(_action(client, operation), code, words, kind, hint)


def _local(error: Exception, action: str, *, secret: bool = False) -> AwsError:
    classes = [base.__name__ for base in type(error).__mro__]
    kind: Kind = next((_LOCAL_KINDS[name] for name in classes if name in _LOCAL_KINDS), "other")
    words = classes[0] if secret and kind == "other" else _line(str(error))
    return AwsError(action, classes[0], words, kind, _HINTS[kind])


def _line(text: str) -> str:
    words = printable(" ".join(text.split()))
    return words if len(words) <= MAX_WORDS else f"{words[:MAX_WORDS]}…"
