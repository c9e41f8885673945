"""AWS for the local platform: a table of types, a few boto3 calls each, against moto."""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aspora.names import OWNER_LABEL
from local.providers.aws_invokes import INVOKES
from local.providers.aws_types import TYPES, AwsType
from local.providers.base import Difference, ProviderError, Resource, Server, State, Values
from local.providers.values import UNKNOWN, changes, holds_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_REGION = "us-east-1"

# botocore's variables: (name in the file, variable of the environment, default, conversion)
_NOTHING_OF_THE_USER = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
_GONE = re.compile(r"NotFound|NoSuch|^404$")


def serve_aws(
    endpoint_url: str, *, region: str = DEFAULT_REGION, owner_tag: str = OWNER_LABEL
) -> Server:
    """Start the stand-in for `aws` on a moto server.

    What exists already is adopted if it has `owner_tag`; anything else of that name is refused.
    """
    return Server(AwsStandIn(endpoint_url, region=region, owner_tag=owner_tag))


class AwsStandIn:
    """Outputs are the inputs and what AWS answers; in a preview the latter are unknown."""

    name = "aws"

    def __init__(
        self,
        endpoint_url: str | None,
        *,
        region: str = DEFAULT_REGION,
        owner_tag: str = OWNER_LABEL,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._owner_tag = owner_tag
        self._apis: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def check(self, resource: Resource, inputs: Values) -> list[tuple[str, str]]:
        """The type must be in the table, and the resource must have a name."""
        kind = self._type(resource)
        if not inputs.get(kind.name):
            return [(kind.name, "is missing: the local AWS stand-in makes up no names")]
        return []

    def diff(self, resource: Resource, old: Values, new: Values) -> Difference:
        """Every changed property; a region never changes."""
        fixed = self._type(resource).replaces | {"region"}
        found = tuple(changes(old, new))
        return Difference(found, tuple(change for change in found if change.path[0] in fixed))

    def create(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        """Make it, or adopt one of ours."""
        kind = self._type(resource)
        if resource.preview or holds_unknown(inputs):
            return "", {**inputs, **dict.fromkeys(kind.computed, UNKNOWN)}
        api = self._api(kind.service, inputs)
        with self._words(resource, inputs[kind.name]):
            tags = self._tags(kind, api, inputs)
            if tags is None:
                kind.create(api, inputs)
            elif self._owner_tag in tags:
                kind.update(api, kind.identity(api, inputs), inputs)
            else:
                raise ProviderError(
                    f"{kind.token} {inputs[kind.name]} exists already and is not ours: "
                    f"it has no tag {self._owner_tag}"
                )
            identity = kind.identity(api, inputs)
            return identity, {**inputs, **kind.read(api, identity)}

    def read(self, resource: Resource, state: State) -> State | None:
        """Live values of the properties we set, and all outputs."""
        kind = self._type(resource)
        api = self._api(kind.service, state.inputs or state.outputs)
        with self._words(resource, resource.id):
            try:
                live = kind.read(api, resource.id)
            except api.exceptions.ClientError as error:
                if _GONE.search(_code(error)):
                    return None
                raise
        inputs = {name: live.get(name, value) for name, value in state.inputs.items()}
        return State(inputs or live, {**inputs, **live})

    def update(self, resource: Resource, old: State, new: Values) -> Values:
        """Change it in place."""
        kind = self._type(resource)
        known = {name: old.outputs[name] for name in kind.computed if name in old.outputs}
        if resource.preview or holds_unknown(new):
            return {**new, **known}
        api = self._api(kind.service, new)
        with self._words(resource, resource.id):
            kind.update(api, resource.id, new)
            return {**new, **kind.read(api, resource.id)}

    def delete(self, resource: Resource, state: State) -> None:
        """Remove it; gone is fine."""
        kind = self._type(resource)
        api = self._api(kind.service, state.outputs)
        with self._words(resource, resource.id):
            try:
                kind.delete(api, resource.id, state.outputs)
            except api.exceptions.ClientError as error:
                if not _GONE.search(_code(error)):
                    raise

    def invoke(self, token: str, arguments: Values) -> Values:
        """The data sources that programs ask first: who am I, and where."""
        answer = INVOKES.get(token)
        if answer is None:
            raise ProviderError(f"{token} is not known to the local AWS stand-in")
        region = str(arguments.get("region") or self._region)
        with self._words(Resource(token, ""), ""):
            return answer(region, lambda service: self._api(service, arguments))

    def _type(self, resource: Resource) -> AwsType:
        kind = TYPES.get(resource.type)
        if kind is None:
            raise ProviderError(
                f"{resource.type} is not known to the local AWS stand-in",
                hint="local/providers/aws_types.py is the table of known types",
            )
        return kind

    def _tags(self, kind: AwsType, api: Any, inputs: Values) -> dict[str, str] | None:
        """The tags of what has this name already; None where nothing has, or it has no tags.

        Asked first, because S3 says nothing when a bucket is made twice.
        """
        try:
            return kind.tags(api, kind.identity(api, inputs))
        except api.exceptions.ClientError as error:
            if _GONE.search(_code(error)):
                return None
            raise

    def _api(self, service: str, values: Values) -> Any:
        """The boto3 client of a service; it never reads credentials or settings of the user."""
        region = str(values.get("region") or self._region)
        with self._lock:
            if (service, region) not in self._apis:
                self._apis[service, region] = _make_api(service, region, self._endpoint_url)
            return self._apis[service, region]

    @contextmanager
    def _words(self, resource: Resource, name: str) -> Iterator[None]:
        """Turn botocore's errors into one line."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            words = error.response.get("Error", {}).get("Message") or _code(error)
            raise ProviderError(f"{resource.type} {name}: {words}".replace(" :", ":")) from None
        except BotoCoreError as error:
            raise ProviderError(
                f"moto at {self._endpoint_url} does not answer: {error}",
                hint="`aspora up` starts the local platform",
            ) from None


def _make_api(service: str, region: str, endpoint_url: str | None) -> Any:
    import boto3
    from botocore.config import Config
    from botocore.session import Session

    session = boto3.session.Session(
        botocore_session=Session(session_vars=_NOTHING_OF_THE_USER),
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - moto takes anything
        region_name=region,
    )
    config = Config(
        proxies={},
        retries={"total_max_attempts": 2},
        connect_timeout=5,
        read_timeout=30,
        s3={"addressing_style": "path"},
        ignore_configured_endpoint_urls=True,
    )
    return session.client(service, endpoint_url=endpoint_url, config=config)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
