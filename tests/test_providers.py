"""The stand-ins: what counts as a change, what needs a new object, and AWS types against moto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import boto3
import grpc
import pytest
from google.protobuf import empty_pb2
from moto import mock_aws
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from aspora.errors import LocalPlatformError
from local.kube import KubeClient, KubeError
from local.providers.aws import AwsStandIn
from local.providers.aws_types import TYPES
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
OWNED = {"aspora.io/owner": "wealth"}


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


# --- AWS ----------------------------------------------------------------------------------------


@pytest.fixture
def aws() -> Iterator[AwsStandIn]:
    with mock_aws():
        yield AwsStandIn(None)


BUCKET = "aws:s3/bucket:Bucket"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
SECRET = "aws:secretsmanager/secret:Secret"
REPOSITORY = "aws:ecr/repository:Repository"
AES = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}, "bucketKeyEnabled": True}
KMS = {
    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "k"},
    "bucketKeyEnabled": False,
}

# type -> (inputs, changed inputs, outputs that must be there)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = {
    BUCKET: (
        {"bucket": "logs", "tags": OWNED},
        {"bucket": "logs", "tags": {**OWNED, "cost-center": "cc"}},
        {"arn": "arn:aws:s3:::logs", "bucketDomainName": "logs.s3.amazonaws.com"},
    ),
    BLOCK: (
        {"bucket": "base", "blockPublicAcls": True, "blockPublicPolicy": True},
        {"bucket": "base", "blockPublicAcls": True, "restrictPublicBuckets": True},
        {},
    ),
    VERSIONING: (
        {"bucket": "base", "versioningConfiguration": {"status": "Enabled"}},
        {"bucket": "base", "versioningConfiguration": {"status": "Suspended"}},
        {},
    ),
    ENCRYPTION: ({"bucket": "base", "rules": [AES]}, {"bucket": "base", "rules": [KMS]}, {}),
    SECRET: (
        {"name": "wealth/key", "description": "one", "tags": OWNED},
        {"name": "wealth/key", "description": "two", "tags": {**OWNED, "a": "b"}},
        {},
    ),
    REPOSITORY: (
        {"name": "agents/wealth", "imageTagMutability": "IMMUTABLE", "tags": OWNED},
        {"name": "agents/wealth", "imageScanningConfiguration": {"scanOnPush": True}},
        {"registryId": "123456789012"},
    ),
}


def test_every_type_of_the_table_is_tested() -> None:
    assert set(CASES) == set(TYPES)


@pytest.mark.parametrize("token", sorted(CASES))
def test_a_type_is_made_changed_read_and_removed(aws: AwsStandIn, token: str) -> None:
    inputs, changed, expected = CASES[token]
    aws.create(Resource(BUCKET, URN), {"bucket": "base", "tags": OWNED})
    assert aws.check(Resource(token, URN), inputs) == []
    identity, outputs = aws.create(Resource(token, URN), inputs)
    assert identity
    assert outputs.items() >= {**inputs, **expected}.items()
    assert set(TYPES[token].computed) <= outputs.keys()

    resource = Resource(token, URN, identity)
    assert aws.read(resource, State(inputs, outputs)) == State(inputs, outputs)
    after = aws.update(resource, State(inputs, outputs), changed)
    assert after.items() >= changed.items()
    live = aws.read(resource, State(changed, after))
    assert live == State(changed, after)
    assert not aws.diff(resource, changed, live.inputs).changes

    aws.delete(resource, State(changed, after))
    aws.delete(resource, State(changed, after))  # gone is fine
    again, _ = aws.create(Resource(token, URN), inputs)
    assert again


@pytest.mark.parametrize("token", sorted(set(CASES) - {VERSIONING}))
def test_what_is_gone_reads_as_gone(aws: AwsStandIn, token: str) -> None:
    resource = Resource(token, URN, CASES[token][0].get("bucket", "missing"))
    assert aws.read(resource, State(CASES[token][0])) is None


@pytest.mark.parametrize("token", [BUCKET, REPOSITORY, SECRET])
def test_what_is_ours_is_adopted_and_what_is_not_is_refused(aws: AwsStandIn, token: str) -> None:
    inputs, changed, _ = CASES[token]
    identity, _ = aws.create(Resource(token, URN), inputs)
    adopted, outputs = aws.create(Resource(token, URN), {**changed, "tags": OWNED})
    assert adopted == identity
    assert outputs.items() >= {**changed, "tags": OWNED}.items()
    aws.update(Resource(token, URN, identity), State(inputs), {**inputs, "tags": {}})
    with pytest.raises(ProviderError, match="exists already and is not ours"):
        aws.create(Resource(token, URN), inputs)


def test_a_bucket_with_objects_goes_only_by_force(aws: AwsStandIn) -> None:
    inputs = {"bucket": "full", "tags": OWNED}
    identity, outputs = aws.create(Resource(BUCKET, URN), inputs)
    boto3.client("s3", region_name="us-east-1").put_object(Bucket="full", Key="k", Body=b"x")
    resource = Resource(BUCKET, URN, identity)
    with pytest.raises(ProviderError, match="not empty"):
        aws.delete(resource, State(inputs, outputs))
    aws.delete(resource, State(inputs, {**outputs, "forceDestroy": True}))
    assert aws.read(resource, State(inputs, outputs)) is None


def test_a_name_or_region_is_never_changed_in_place(aws: AwsStandIn) -> None:
    found = aws.diff(
        Resource(BUCKET, URN), {"bucket": "a"}, {"bucket": "logs", "region": "eu-west-1"}
    )
    assert [change.path for change in found.replaces] == [("bucket",), ("region",)]
    tags = aws.diff(Resource(BUCKET, URN), {"tags": {}}, {"tags": OWNED})
    assert tags.changes
    assert not tags.replaces


def test_a_preview_makes_nothing_and_knows_what_it_cannot_know(aws: AwsStandIn) -> None:
    resource = Resource(SECRET, URN, preview=True)
    identity, outputs = aws.create(resource, {"name": "s"})
    assert identity == ""
    assert outputs == {"name": "s", "arn": UNKNOWN}
    known = aws.update(resource, State({}, {"arn": "arn:x"}), {"name": "s", "description": "d"})
    assert known == {"name": "s", "description": "d", "arn": "arn:x"}
    assert (
        boto3.client("secretsmanager", region_name="us-east-1").list_secrets()["SecretList"] == []
    )


def test_a_type_or_question_not_in_the_table_fails_by_name(aws: AwsStandIn) -> None:
    with pytest.raises(ProviderError, match="aws:foo/bar:Bar is not known to the local AWS stand"):
        aws.check(Resource("aws:foo/bar:Bar", URN), {})
    with pytest.raises(ProviderError, match="aws:x/y:y is not known to the local AWS stand-in"):
        aws.invoke("aws:x/y:y", {})


def test_a_name_is_wanted(aws: AwsStandIn) -> None:
    ((name, reason),) = aws.check(Resource(BUCKET, URN), {"tags": {}})
    assert name == "bucket"
    assert "makes up no names" in reason


def test_the_usual_questions_are_answered(aws: AwsStandIn) -> None:
    caller = aws.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
    assert caller["accountId"] == "123456789012"
    region = aws.invoke("aws:index/getRegion:getRegion", {"region": "eu-west-1"})
    assert region["region"] == "eu-west-1"
    assert aws.invoke("aws:index/getPartition:getPartition", {})["partition"] == "aws"
    zones = aws.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", {})
    assert "us-east-1a" in zones["names"]


def test_credentials_and_endpoints_of_the_user_are_never_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://example.test")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    stand_in = AwsStandIn("http://127.0.0.1:9")
    with pytest.raises(ProviderError, match=r"moto at http://127\.0\.0\.1:9 does not answer"):
        stand_in.create(Resource(BUCKET, URN), {"bucket": "logs"})
