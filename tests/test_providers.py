"""The stand-ins: what counts as a change, what needs a new object, and the engine's protocol.

The types of AWS have test files of their own: test_providers_aws*.py.
"""

from __future__ import annotations

from typing import Any, cast

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from aspora.errors import LocalPlatformError
from local.kube import KubeClient, KubeError
from local.providers.aws import serve_aws
from local.providers.base import ProviderError, Resource, Server, State
from local.providers.immutable import fixed_fields
from local.providers.kubernetes import KubernetesStandIn
from local.providers.values import (
    UNKNOWN,
    changes,
    format_path,
    holds_unknown,
    to_python,
    to_struct,
)

URN = "urn:pulumi:local::aspora::x::y"


# --- values -------------------------------------------------------------------------------------


def test_values_survive_the_way_through_protobuf() -> None:
    data = {"a": 1, "b": 1.5, "c": [True, None, {"d": "x"}], "e": {}, "f": [], "g": -3}
    back = to_python(to_struct(data))
    assert back == data
    assert isinstance(back["a"], int)
    assert back["c"][0] is True


def test_unknown_values_are_found_however_deep() -> None:
    assert holds_unknown({"a": [{"b": UNKNOWN}]})
    assert not holds_unknown({"a": [{"b": "known"}]})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": "update"}),
        ({"a": 1}, {}, {"a": "delete"}),
        ({}, {"a": None}, {"a": "add"}),
        ({"a": 1}, {"a": True}, {"a": "update"}),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, {"a[1]": "update", "a[2]": "add"}),
        ({"a": [1, 2]}, {"a": [1]}, {"a[1]": "delete"}),
        ({"a": {"x/y.z": 1}}, {"a": {"x/y.z": 2}}, {'a["x/y.z"]': "update"}),
        ({"a": {"b": 1}}, {"a": "b"}, {"a": "update"}),
        ({"a": [{"b": {"c": 1}}]}, {"a": [{"b": {"c": 2}}]}, {"a[0].b.c": "update"}),
    ],
)
def test_changes_are_the_smallest_that_differ(
    old: dict[str, Any], new: dict[str, Any], expected: dict[str, str]
) -> None:
    assert {format_path(found.path): found.op for found in changes(old, new)} == expected


# --- kubernetes ---------------------------------------------------------------------------------


class Silent:
    """A client that must not be called."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was called")


def kubernetes(client: Any = None) -> KubernetesStandIn:
    return KubernetesStandIn(cast("KubeClient", client or Silent()))


def manifest(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    meta = {"name": "x", "namespace": "wealth"}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **fields}


def replaced(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found = kubernetes().diff(Resource("kubernetes", URN), old, new)
    assert found.changes
    return [format_path(change.path) for change in found.replaces]


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("apps/v1", "Deployment", "spec.selector.matchLabels.app"),
        ("apps/v1", "DaemonSet", "spec.selector.matchLabels.app"),
        ("apps/v1", "StatefulSet", "spec.selector.matchLabels.app"),
        ("apps/v1", "StatefulSet", "spec.serviceName"),
        ("argoproj.io/v1alpha1", "Rollout", "spec.selector.matchLabels.app"),
        ("batch/v1", "Job", "spec.template.spec.restartPolicy"),
        ("v1", "Service", "spec.clusterIP"),
        ("v1", "PersistentVolumeClaim", "spec.storageClassName"),
        ("v1", "Secret", "type"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef.name"),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "roleRef.name"),
        ("storage.k8s.io/v1", "StorageClass", "provisioner"),
        ("storage.k8s.io/v1", "StorageClass", "parameters.type"),
        ("node.k8s.io/v1", "RuntimeClass", "handler"),
        ("scheduling.k8s.io/v1", "PriorityClass", "value"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "spec.scope"),
    ],
)
def test_what_kubernetes_never_changes_is_replaced(api_version: str, kind: str, path: str) -> None:
    def with_value(value: str) -> dict[str, Any]:
        inner: Any = value
        for part in reversed(path.split(".")):
            inner = {part: inner}
        return manifest(api_version, kind, **inner)

    assert replaced(with_value("old"), with_value("new")) == [path]
    reasons = [entry.reason for entry in fixed_fields(with_value("old"))]
    assert all(reasons)
    other = with_value("old")
    other["metadata"] = {**other["metadata"], "labels": {"a": "b"}}
    assert replaced(with_value("old"), other) == []


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("apps/v1", "Deployment", "spec.template.spec.serviceAccountName"),
        ("batch/v1", "CronJob", "spec.jobTemplate.spec.template.spec.restartPolicy"),
        ("v1", "PersistentVolumeClaim", "spec.resources.requests.storage"),
        ("v1", "ConfigMap", "data.key"),
        ("rbac.authorization.k8s.io/v1", "Role", "rules"),
        ("example.test/v1", "Deployment", "spec.selector"),
    ],
)
def test_what_may_change_is_updated_in_place(api_version: str, kind: str, path: str) -> None:
    def with_value(value: str) -> dict[str, Any]:
        inner: Any = value
        for part in reversed(path.split(".")):
            inner = {part: inner}
        return manifest(api_version, kind, **inner)

    assert replaced(with_value("old"), with_value("new")) == []


def test_identity_is_replaced_for_every_kind() -> None:
    old = manifest("example.test/v1", "Thing")
    moved = {**old, "metadata": {"name": "x", "namespace": "fraud"}}
    renamed = {**old, "metadata": {"name": "y", "namespace": "wealth"}}
    assert replaced(old, moved) == ["metadata.namespace"]
    assert replaced(old, renamed) == ["metadata.name"]
    assert replaced(old, {**old, "apiVersion": "example.test/v2"}) == ["apiVersion"]


def test_data_is_fixed_only_where_it_is_marked() -> None:
    old = manifest("v1", "ConfigMap", immutable=True, data={"a": "1"})
    assert replaced(old, {**old, "data": {"a": "2"}}) == ["data.a"]
    open_again = {key: value for key, value in old.items() if key != "immutable"}
    assert replaced(old, open_again) == ["immutable"]


def test_a_field_that_takes_its_fixed_child_along_is_replaced() -> None:
    old = manifest("apps/v1", "Deployment", spec={"selector": {"matchLabels": {"a": "b"}}})
    assert replaced(old, manifest("apps/v1", "Deployment")) == ["spec"]


def test_check_wants_an_identity_and_the_kind_of_the_type() -> None:
    stand_in = kubernetes()
    good = Resource("kubernetes:apps/v1:Deployment", URN)
    assert stand_in.check(good, manifest("apps/v1", "Deployment")) == []
    assert stand_in.check(Resource("kubernetes:core/v1:Pod", URN), manifest("v1", "Pod")) == []
    assert stand_in.check(good, {"metadata": {}}) == [
        ("apiVersion", "is missing"),
        ("kind", "is missing"),
        ("metadata.name", "is missing"),
    ]
    ((name, reason),) = stand_in.check(good, manifest("apps/v1", "DaemonSet"))
    assert name == "kind"
    assert reason == (
        "the manifest is a kubernetes:apps/v1:DaemonSet, "
        "the resource a kubernetes:apps/v1:Deployment"
    )


class Refusing:
    """A client whose server refuses every apply."""

    def __init__(self, status: int, words: str) -> None:
        self.error = KubeError("ConfigMap wealth/x", status, "", words)

    def apply(self, obj: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        assert dry_run
        raise self.error

    def get(self, obj: Any) -> None:
        return None


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, 'namespaces "wealth" not found'), (403, "x because it is being terminated")],
)
def test_a_preview_forgives_what_this_run_will_make(status: int, words: str) -> None:
    inputs = manifest("v1", "ConfigMap")
    stand_in = kubernetes(Refusing(status, words))
    assert stand_in.create(Resource("t", URN, preview=True), inputs) == ("wealth/x", inputs)
    update = stand_in.update(Resource("t", URN, preview=True), State(inputs), inputs)
    assert update == inputs


@pytest.mark.parametrize("status", [400, 403, 422, 500])
def test_a_preview_forgives_nothing_else(status: int) -> None:
    stand_in = kubernetes(Refusing(status, "field is immutable"))
    with pytest.raises(KubeError, match="immutable"):
        stand_in.create(Resource("t", URN, preview=True), manifest("v1", "ConfigMap"))
    with pytest.raises(KubeError, match="immutable"):
        stand_in.update(Resource("t", URN, preview=True), State({}), manifest("v1", "ConfigMap"))


def test_a_preview_sends_no_unknown_values() -> None:
    inputs = manifest("v1", "ConfigMap", data={"arn": UNKNOWN})
    assert kubernetes().create(Resource("t", URN, preview=True), inputs)[1] == inputs


def test_the_old_resource_of_a_rename_deletes_nothing() -> None:
    deleted: list[Any] = []

    class Client:
        def delete(self, ref: Any, *, wait_seconds: float) -> bool:
            deleted.append(ref)
            return True

    stand_in = kubernetes(Client())
    inputs = manifest("v1", "ConfigMap")
    kind = "kubernetes:core/v1:ConfigMap"
    stand_in.check(Resource(kind, "urn:new"), inputs)
    stand_in.delete(Resource(kind, "urn:old"), State(inputs, inputs))
    assert deleted == []
    stand_in.delete(Resource(kind, "urn:new"), State(inputs, inputs))
    assert len(deleted) == 1


# --- the protocol -------------------------------------------------------------------------------


class Failing(KubernetesStandIn):
    def __init__(self, error: Exception) -> None:
        super().__init__(cast("KubeClient", Silent()))
        self.error = error

    def delete(self, resource: Resource, state: State) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LocalPlatformError("it is down", hint="aspora up"), "it is down (aspora up)"),
        (ProviderError("no"), "no"),
        (KeyError("x"), "the local stand-in failed: KeyError: 'x'"),
    ],
)
def test_an_error_becomes_one_line_of_grpc(error: Exception, words: str) -> None:
    with (
        Server(Failing(error)) as server,
        grpc.insecure_channel(
            f"127.0.0.1:{server.port}", options=[("grpc.enable_http_proxy", 0)]
        ) as channel,
    ):
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Delete(provider_pb2.DeleteRequest(id="x", urn=URN))
        assert caught.value.details() == words


def test_the_server_answers_what_the_engine_asks_first_and_then_is_gone() -> None:
    server = Server(kubernetes())
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        assert stub.GetPluginInfo(empty_pb2.Empty()).version
        assert '"kubernetes"' in stub.GetSchema(provider_pb2.GetSchemaRequest()).schema
        assert stub.Configure(provider_pb2.ConfigureRequest()).supportsPreview
        old, new = manifest("v1", "Service"), manifest("v1", "Service", spec={"clusterIP": "None"})
        diff = stub.Diff(
            provider_pb2.DiffRequest(
                type="kubernetes:core/v1:Service",
                urn=URN,
                old_inputs=to_struct(old),
                news=to_struct(new),
            )
        )
        assert diff.changes == provider_pb2.DiffResponse.DIFF_SOME
        assert list(diff.diffs) == ["spec"]
        assert list(diff.replaces) == ["spec"]
        assert diff.deleteBeforeReplace
        assert diff.detailedDiff["spec"].kind == provider_pb2.PropertyDiff.ADD_REPLACE
        server.stop()
        with pytest.raises(grpc.RpcError):
            stub.GetPluginInfo(empty_pb2.Empty(), timeout=2)


def test_a_provider_copes_with_settings_that_a_preview_does_not_know() -> None:
    """A kubeconfig comes from a cluster that is still to be made."""
    options = [("grpc.enable_http_proxy", 0)]
    with (
        Server(kubernetes()) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel,
    ):
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        settings = to_struct({"kubeconfig": UNKNOWN, "enableServerSideApply": True})
        checked = stub.CheckConfig(provider_pb2.CheckRequest(urn=URN, news=settings))
        assert to_python(checked.inputs) == to_python(settings)
        assert not checked.failures
        before = to_struct({"kubeconfig": "{}"})
        request = provider_pb2.DiffRequest(urn=URN, old_inputs=before, olds=before, news=settings)
        assert stub.DiffConfig(request).changes == provider_pb2.DiffResponse.DIFF_NONE
        for args in (settings, to_struct({})):
            assert stub.Configure(provider_pb2.ConfigureRequest(args=args)).supportsPreview


def test_a_provider_for_another_region_is_refused_when_it_is_configured() -> None:
    options = [("grpc.enable_http_proxy", 0)]
    with (
        serve_aws("http://127.0.0.1:9", region="us-east-1") as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel,
    ):
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        tags = {"defaultTags": {"tags": {"a": "b"}}}
        for region in ("us-east-1", UNKNOWN):
            args = to_struct({"region": region, **tags})
            assert stub.Configure(provider_pb2.ConfigureRequest(args=args)).supportsPreview
        args = to_struct({"region": "eu-west-1"})
        with pytest.raises(grpc.RpcError) as caught:
            stub.Configure(provider_pb2.ConfigureRequest(args=args))
        assert caught.value.details() == (
            "a provider for eu-west-1 is not known to the local AWS stand-in, which plays us-east-1"
            " (give `region` to the resources themselves)"
        )
