"""AWS for the local platform: a table of types, a few boto3 calls each, against moto."""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from aspora.names import OWNER_LABEL
from local.providers import aws_lifecycle as lifecycle
from local.providers.aws_clients import Clients
from local.providers.aws_context import Context, error_code
from local.providers.aws_invokes import INVOKES
from local.providers.aws_types import TYPES
from local.providers.base import Difference, ProviderError, Resource, Server, State, Values
from local.providers.values import UNKNOWN, changes, holds_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.providers.aws_entry import AwsType

DEFAULT_REGION = "us-east-1"


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
        self._clients = Clients(endpoint_url)
        self._region = region
        self._owner_tag = owner_tag

    def configure(self, settings: Values) -> None:
        """One region is played: a provider of another one would silently be the same."""
        region = settings.get("region")
        if region not in (None, UNKNOWN, self._region):
            raise ProviderError(
                f"a provider for {region} is not known to the local AWS stand-in,"
                f" which plays {self._region}",
                hint="give `region` to the resources themselves",
            )

    def check(self, resource: Resource, inputs: Values) -> list[tuple[str, str]]:
        """The type must be in the table, the resource named, and every property known."""
        kind = self._type(resource)
        missing = [
            (name, "is missing: the local AWS stand-in makes up no names")
            for name in kind.required
            if not inputs.get(name)
        ]
        unknown = lifecycle.unknown(self._context(resource, inputs), inputs)
        return missing + [
            (name, f"is not known to the local AWS stand-in for {kind.token}") for name in unknown
        ]

    def diff(self, resource: Resource, old: Values, new: Values) -> Difference:
        """Every changed property; a region never changes."""
        found = tuple(changes(old, new))
        return Difference(found, lifecycle.fixed(self._context(resource, new), found))

    def create(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        """Make it, or adopt one of ours."""
        kind = self._type(resource)
        if resource.preview or holds_unknown(inputs):
            return "", lifecycle.preview(kind, inputs)
        for name, reason in self.check(resource, inputs):
            raise ProviderError(f"{kind.token}: {name} {reason}")
        with self._words(resource, inputs):
            context = self._context(resource, inputs)
            return lifecycle.create(context, inputs, self._owner_tag)

    def read(self, resource: Resource, state: State) -> State | None:
        """Live values of the properties we set, and all outputs."""
        kind = self._type(resource)
        if kind.lacks:
            return state
        with self._words(resource, state.inputs):
            live = lifecycle.read(self._context(resource, state.inputs, state.outputs))
        if live is None:
            return None
        inputs = lifecycle.inputs_of(kind, state.inputs, live)
        return State(inputs or live, {**state.outputs, **inputs, **live})

    def update(self, resource: Resource, old: State, new: Values) -> Values:
        """Change it in place."""
        kind = self._type(resource)
        if resource.preview or holds_unknown(new):
            return lifecycle.preview(kind, new, old.outputs)
        with self._words(resource, new):
            return lifecycle.update(self._context(resource, new, old.outputs), old.inputs, new)

    def delete(self, resource: Resource, state: State) -> None:
        """Remove it; gone is fine."""
        with self._words(resource, state.inputs):
            lifecycle.delete(self._context(resource, state.inputs, state.outputs))

    def invoke(self, token: str, arguments: Values) -> Values:
        """The data sources that programs ask first: who am I, and where."""
        answer = INVOKES.get(token)
        if answer is None:
            raise ProviderError(f"{token} is not known to the local AWS stand-in")
        region = str(arguments.get("region") or self._region)
        with self._words(Resource(token, ""), {}):
            return answer(region, lambda service: self._clients.api(service, region))

    def _type(self, resource: Resource) -> AwsType:
        kind = TYPES.get(resource.type)
        if kind is None:
            raise ProviderError(
                f"{resource.type} is not known to the local AWS stand-in",
                hint="local/providers/aws_types is the table of known types",
            )
        return kind

    def _context(
        self, resource: Resource, inputs: Values, outputs: Values | None = None
    ) -> Context:
        known = {**(outputs or {}), "unique": _digits(resource.urn)}
        if resource.id:
            known["id"] = resource.id
        region = str(inputs.get("region") or known.get("region") or self._region)
        return Context(self._type(resource), self._clients, region, inputs, known)

    @contextmanager
    def _words(self, resource: Resource, inputs: Values) -> Iterator[None]:
        """Turn botocore's errors into one line, without the values that are secret."""
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            yield
        except ClientError as error:
            words = error.response.get("Error", {}).get("Message") or error_code(error)
            raise self._refused(resource, inputs, words) from None
        except ParamValidationError as error:
            raise self._refused(resource, inputs, str(error)) from None
        except BotoCoreError as error:
            raise ProviderError(
                f"moto at {self._clients.endpoint_url} does not answer: {error}",
                hint="run `aspora up` again as before: it starts what no longer runs",
            ) from None

    def _refused(self, resource: Resource, inputs: Values, words: str) -> ProviderError:
        kind = TYPES.get(resource.type)
        names = [str(inputs[name]) for name in kind.required if name in inputs] if kind else []
        for secret in _texts([_at(inputs, path) for path in kind.secrets] if kind else None):
            words = words.replace(secret, "[secret]")
        what = " ".join([resource.type, *([resource.id] if resource.id else names)])
        return ProviderError(f"{what}: {words}")


def _digits(urn: str) -> str:
    """Seventeen hexadecimal digits, as AWS's own ids have them; the same for the same resource."""
    return sha256(urn.encode()).hexdigest()[:17]


def _at(inputs: Values, path: str) -> Any:
    """What stands at a dotted path."""
    head, _, rest = path.partition(".")
    value = inputs.get(head)
    return _at(value, rest) if rest and isinstance(value, dict) else None if rest else value


def _texts(value: Any) -> Iterator[str]:
    """Every text inside a value."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
    elif value:
        yield str(value)
