"""The gRPC server that every stand-in shares."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2

from aspora.errors import AsporaError
from local.providers.values import Change, format_path, to_python, to_struct

if TYPE_CHECKING:
    from collections.abc import Callable

Values = dict[str, Any]

SERVICE = "pulumirpc.ResourceProvider"

_MAX_MESSAGE_BYTES = 400 * 1024 * 1024  # what the engine itself allows
_THREADS = 32
_VERSION = "0.0.0"


class ProviderError(AsporaError):
    """A stand-in refuses an operation; the engine shows the message beside the resource."""


@dataclass(frozen=True)
class Resource:
    """Which resource an operation is about."""

    type: str
    urn: str
    id: str = ""
    preview: bool = False


@dataclass(frozen=True)
class Difference:
    """What an update would change; `replaces` are those changes that need a new resource."""

    changes: tuple[Change, ...]
    replaces: tuple[Change, ...] = ()


@dataclass(frozen=True)
class State:
    """A resource as it is: its inputs, and all its outputs."""

    inputs: Values
    outputs: Values = field(default_factory=dict)


class StandIn(Protocol):
    """What a stand-in does. Values are plain Python; what a preview cannot know is UNKNOWN.

    Errors: `AsporaError` for a refusal, whose message the user sees; anything else is a bug of the
    stand-in and shown as such.
    """

    name: str

    def check(self, resource: Resource, inputs: Values) -> list[tuple[str, str]]:
        """Problems of the inputs, as (property, reason)."""

    def diff(self, resource: Resource, old: Values, new: Values) -> Difference:
        """What changed between two sets of inputs."""

    def create(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        """Make it; answers the id (empty in a preview) and the outputs."""

    def read(self, resource: Resource, state: State) -> State | None:
        """The live state, or None when it is gone."""

    def update(self, resource: Resource, old: State, new: Values) -> Values:
        """Change it in place; answers the outputs."""

    def delete(self, resource: Resource, state: State) -> None:
        """Remove it and wait until it is gone."""

    def invoke(self, token: str, arguments: Values) -> Values:
        """Answer a data source."""


class Server:
    """A running stand-in on 127.0.0.1; `stop` closes it, and so does leaving its context."""

    def __init__(self, stand_in: StandIn) -> None:
        self.name = stand_in.name
        options = [
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),
        ]
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"provider-{self.name}")
        self._server = grpc.server(self._threads, options=options)
        self._server.add_generic_rpc_handlers((_handlers(stand_in),))
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        """Close the port, cutting off the calls that still run."""
        self._server.stop(None).wait()
        self._threads.shutdown(wait=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _handlers(stand_in: StandIn) -> grpc.GenericRpcHandler:
    """The methods of Pulumi's provider protocol. What is not here answers "not implemented"."""
    protocol = _Protocol(stand_in)
    methods: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "Attach": (protocol.nothing, plugin_pb2.PluginAttach),
        "Cancel": (protocol.nothing, empty_pb2.Empty),
        "Check": (protocol.check, provider_pb2.CheckRequest),
        "CheckConfig": (protocol.check_config, provider_pb2.CheckRequest),
        "Configure": (protocol.configure, provider_pb2.ConfigureRequest),
        "Create": (protocol.create, provider_pb2.CreateRequest),
        "Delete": (protocol.delete, provider_pb2.DeleteRequest),
        "Diff": (protocol.diff, provider_pb2.DiffRequest),
        "DiffConfig": (protocol.diff_config, provider_pb2.DiffRequest),
        "GetMapping": (protocol.mapping, provider_pb2.GetMappingRequest),
        "GetMappings": (protocol.mappings, provider_pb2.GetMappingsRequest),
        "GetPluginInfo": (protocol.plugin_info, empty_pb2.Empty),
        "GetSchema": (protocol.schema, provider_pb2.GetSchemaRequest),
        "Invoke": (protocol.invoke, provider_pb2.InvokeRequest),
        "Read": (protocol.read, provider_pb2.ReadRequest),
        "Update": (protocol.update, provider_pb2.UpdateRequest),
    }
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            name: grpc.unary_unary_rpc_method_handler(
                _guarded(method),
                request_deserializer=request.FromString,
                response_serializer=_serialize,
            )
            for name, (method, request) in methods.items()
        },
    )


def _serialize(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _guarded(method: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Turn any error into a gRPC error of one message: no traceback reaches the terminal."""

    def call(request: Any, context: Any) -> Any:
        try:
            return method(request)
        except AsporaError as error:
            words = f"{error.message} ({error.hint})" if error.hint else error.message
        except Exception as error:  # noqa: BLE001 - the engine shows it as the resource's error
            words = f"the local stand-in failed: {type(error).__name__}: {error}"
        context.abort(grpc.StatusCode.UNKNOWN, words)
        return None

    return call


class _Protocol:
    """One method for each message the engine sends."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in

    def nothing(self, _request: Any) -> Any:
        return empty_pb2.Empty()

    def plugin_info(self, _request: Any) -> Any:
        return plugin_pb2.PluginInfo(version=_VERSION)

    def schema(self, _request: Any) -> Any:
        schema = {"name": self._stand_in.name, "version": _VERSION}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def mapping(self, _request: Any) -> Any:
        return provider_pb2.GetMappingResponse()

    def mappings(self, _request: Any) -> Any:
        return provider_pb2.GetMappingsResponse()

    def check_config(self, request: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def diff_config(self, _request: Any) -> Any:
        """A provider's settings (a region, a kubeconfig) mean nothing to a stand-in."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def configure(self, request: Any) -> Any:
        """Without acceptSecrets the engine hands out plain values and keeps the marks itself.

        A stand-in that plays one region (or the like) has a `configure` that refuses another.
        """
        configure = getattr(self._stand_in, "configure", None)
        if configure is not None:
            configure(to_python(request.args))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def invoke(self, request: Any) -> Any:
        answer = self._stand_in.invoke(request.tok, to_python(request.args))
        return provider_pb2.InvokeResponse(**{"return": to_struct(answer)})

    def check(self, request: Any) -> Any:
        problems = self._stand_in.check(_resource(request), to_python(request.news))
        failures = [
            provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in problems
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def diff(self, request: Any) -> Any:
        old = request.old_inputs if request.HasField("old_inputs") else request.olds
        found = self._stand_in.diff(_resource(request), to_python(old), to_python(request.news))
        kinds = provider_pb2.PropertyDiff.Kind
        detailed = {}
        for change in found.changes:
            suffix = "_REPLACE" if change in found.replaces else ""
            kind = kinds.Value(change.op.upper() + suffix)
            detailed[format_path(change.path)] = provider_pb2.PropertyDiff(
                kind=kind, inputDiff=True
            )
        some = provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(
            changes=some if found.changes else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted({str(change.path[0]) for change in found.changes}),
            replaces=[format_path(change.path) for change in found.replaces],
            deleteBeforeReplace=True,
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    def create(self, request: Any) -> Any:
        inputs = to_python(request.properties)
        identity, outputs = self._stand_in.create(_resource(request), inputs)
        return provider_pb2.CreateResponse(id=identity, properties=to_struct(outputs))

    def read(self, request: Any) -> Any:
        state = State(to_python(request.inputs), to_python(request.properties))
        live = self._stand_in.read(_resource(request), state)
        if live is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id, properties=to_struct(live.outputs), inputs=to_struct(live.inputs)
        )

    def update(self, request: Any) -> Any:
        old = State(to_python(request.old_inputs), to_python(request.olds))
        outputs = self._stand_in.update(_resource(request), old, to_python(request.news))
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def delete(self, request: Any) -> Any:
        state = State(to_python(request.old_inputs), to_python(request.properties))
        self._stand_in.delete(_resource(request), state)
        return empty_pb2.Empty()


def _resource(request: Any) -> Resource:
    return Resource(
        type=request.type,
        urn=request.urn,
        id=getattr(request, "id", ""),
        preview=getattr(request, "preview", False),
    )
