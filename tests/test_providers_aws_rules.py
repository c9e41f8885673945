"""What the AWS stand-in does beside the story of every type: owners, order, secrets, errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local.providers.aws import AwsStandIn
from local.providers.base import ProviderError, Resource, State
from local.providers.values import UNKNOWN
from tests.aws_examples import ACCOUNT, EXAMPLES, OWNED, TAGS, needed, policy, resolved

Values = dict[str, Any]
Made = tuple[Resource, State]
Make = Callable[..., Made]


@pytest.fixture(scope="module")
def stand_in() -> AwsStandIn:
    """Clients are slow to make: the whole module shares them."""
    return AwsStandIn(None)


@pytest.fixture
def aws(stand_in: AwsStandIn) -> Iterator[AwsStandIn]:
    with mock_aws():
        yield stand_in


@pytest.fixture
def make(aws: AwsStandIn) -> Make:
    """Makes an example and what it refers to; keywords are inputs instead of the example's."""
    made: dict[str, Made] = {}

    def output(name: str, path: str) -> Any:
        resource, state = made[name]
        return resource.id if path == "id" else state.outputs[path]

    def make(wanted: str, **inputs: Any) -> Made:
        for name in needed([wanted]):
            if name not in made or name == wanted:
                changes = inputs if name == wanted else {}
                given = resolved({**EXAMPLES[name].inputs, **changes}, output)
                made[name] = create(aws, EXAMPLES[name].token, given, name)
        return made[wanted]

    return make


def create(aws: AwsStandIn, token: str, inputs: Values, name: str = "x") -> Made:
    identity, outputs = aws.create(Resource(token, f"urn:x::{name}"), inputs)
    return Resource(token, f"urn:x::{name}", identity), State(inputs, outputs)


def client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1")


def token(name: str) -> str:
    return EXAMPLES[name].token


# --- ours and others' ---------------------------------------------------------------------------


def test_what_is_adopted_is_brought_to_what_is_wanted(aws: AwsStandIn, make: Make) -> None:
    _, state = make("secret")
    wanted = {**state.inputs, "description": "another", "tags": {**OWNED, "a": "b"}}
    _, outputs = aws.create(Resource(token("secret"), "urn:x"), wanted)
    assert outputs["description"] == "another"
    found = client("secretsmanager").describe_secret(SecretId=wanted["name"])
    assert found["Description"] == "another"
    assert {tag["Key"] for tag in found["Tags"]} == {"aspora.io/owner", "a"}


def test_what_cannot_become_what_is_wanted_is_refused(aws: AwsStandIn, make: Make) -> None:
    _, state = make("group")
    other = {**state.inputs, "description": "another"}
    with pytest.raises(ProviderError) as caught:
        aws.create(Resource(token("group"), "urn:x"), other)
    assert caught.value.message == (
        f"aws:ec2/securityGroup:SecurityGroup: {group_id(state)} exists already with another"
        " description, which cannot be changed"
    )


def group_id(state: State) -> str:
    return str(state.outputs["arn"]).rpartition("/")[2]


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("bucket", "aspora-staging-artifacts"),
        ("role", "aspora-staging-cluster"),
        ("logs", "/aws/eks/aspora-staging/cluster"),
        ("cluster", "aspora-staging"),
        ("repository", "aspora/agents"),
    ],
)
def test_what_is_not_ours_is_refused(aws: AwsStandIn, make: Make, name: str, identity: str) -> None:
    _, state = make(name, tags={"made-by": "somebody"})
    with pytest.raises(ProviderError) as caught:
        aws.create(Resource(token(name), "urn:x"), {**state.inputs, "tags": TAGS})
    assert caught.value.message == (
        f"{token(name)}: {identity} exists already and is not ours: it has no tag aspora.io/owner"
    )


def test_two_zones_may_have_one_name(aws: AwsStandIn, make: Make) -> None:
    public, _ = make("zone")
    private, _ = make("private-zone")
    assert public.id != private.id


# --- drift --------------------------------------------------------------------------------------


def test_what_was_removed_behind_our_back_reads_as_gone(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("queue")
    client("sqs").delete_queue(QueueUrl=resource.id)
    assert aws.read(resource, state) is None


def test_what_was_changed_behind_our_back_shows(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("role")
    client("iam").update_role(RoleName=resource.id, Description="mine", MaxSessionDuration=3600)
    client("iam").tag_role(RoleName=resource.id, Tags=[{"Key": "a", "Value": "b"}])
    live = aws.read(resource, state)
    assert live is not None
    found = aws.diff(resource, state.inputs, live.inputs)
    assert [change.path for change in found.changes] == [("description",), ("tags", "a")]
    aws.update(resource, live, state.inputs)
    assert aws.read(resource, state) == state


def test_a_rule_that_was_added_to_a_group_shows(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("nodes")
    client("ec2").authorize_security_group_egress(
        GroupId=resource.id,
        IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    live = aws.read(resource, state)
    assert live is not None
    assert live.inputs["egress"] == [
        {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]},
        {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.40.0.0/16"]},
    ]


# --- what AWS does of itself --------------------------------------------------------------------


def test_a_new_group_lets_nothing_out_and_the_default_one_nothing_in(make: Make) -> None:
    group, _ = make("group")
    default, _ = make("default-group")
    answer = client("ec2").describe_security_groups(GroupIds=[group.id, default.id])
    for found in answer["SecurityGroups"]:
        assert found["IpPermissions"] == []
        assert found["IpPermissionsEgress"] == []


def test_a_cluster_gets_a_security_group_that_goes_with_it(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("cluster")
    network = state.outputs["vpcConfig"]
    ids = [network["clusterSecurityGroupId"]]
    (group,) = client("ec2").describe_security_groups(GroupIds=ids)["SecurityGroups"]
    assert group["VpcId"] == network["vpcId"]
    assert group["Tags"] == [{"Key": "kubernetes.io/cluster/aspora-staging", "Value": "owned"}]
    assert state.outputs["identities"][0]["oidcs"][0]["issuer"].startswith("https://oidc.eks.")
    aws.delete(resource, state)
    with pytest.raises(client("ec2").exceptions.ClientError, match="does not exist"):
        client("ec2").describe_security_groups(GroupIds=ids)


def test_what_is_computed_inside_a_block_is_unknown_in_a_preview(aws: AwsStandIn) -> None:
    inputs = {**EXAMPLES["cluster"].inputs, "vpcConfig": {"subnetIds": ["a"]}}
    _, outputs = aws.create(Resource(token("cluster"), "urn:x", preview=True), inputs)
    assert outputs["vpcConfig"] == {
        "subnetIds": ["a"],
        "clusterSecurityGroupId": UNKNOWN,
        "vpcId": UNKNOWN,
    }
    old = State(inputs, {"vpcConfig": {"subnetIds": ["a"], "vpcId": "vpc-1"}})
    resource = Resource(token("cluster"), "urn:x", "aspora-staging", preview=True)
    updated = aws.update(resource, old, inputs)
    assert updated["vpcConfig"]["vpcId"] == "vpc-1"


def test_a_template_gets_a_new_version_and_keeps_the_old_one(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("template")
    assert state.outputs["latestVersion"] == 1
    after = aws.update(resource, state, {**state.inputs, "monitoring": {"enabled": False}})
    assert (after["latestVersion"], after["defaultVersion"]) == (2, 2)
    versions = client("ec2").describe_launch_template_versions(LaunchTemplateId=resource.id)
    assert len(versions["LaunchTemplateVersions"]) == 2


def test_a_policy_holds_five_versions(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("policy")
    for number in range(7):
        new = {**state.inputs, "policy": policy(f"s3:Get{number}")}
        state = State(new, aws.update(resource, state, new))
    versions = client("iam").list_policy_versions(PolicyArn=resource.id)["Versions"]
    assert len(versions) == 5
    assert json.loads(state.outputs["policy"]) == json.loads(policy("s3:Get6"))


def test_two_features_of_a_detector_live_side_by_side(make: Make) -> None:
    detector, _ = make("detector")
    make("detector-feature")
    make("runtime-feature")
    found = client("guardduty").get_detector(DetectorId=detector.id)["Features"]
    assert sorted(one["Name"] for one in found) == ["EKS_AUDIT_LOGS", "RUNTIME_MONITORING"]


def test_a_trail_logs_unless_it_is_told_not_to(make: Make) -> None:
    trail, _ = make("trail")
    assert client("cloudtrail").get_trail_status(Name=trail.id)["IsLogging"]


def test_what_was_sent_is_what_moto_has(make: Make) -> None:
    """Looked at with boto3 alone, for some types of each service."""
    make("lifecycle")
    make("encryption")
    make("target")
    make("budget")
    make("database")
    s3 = client("s3")
    (rule, logs) = s3.get_bucket_lifecycle_configuration(Bucket="aspora-staging-artifacts")["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert logs["Transitions"] == [{"Days": 30, "StorageClass": "STANDARD_IA"}]
    encryption = s3.get_bucket_encryption(Bucket="aspora-staging-artifacts")
    (found,) = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    assert found["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert found["BucketKeyEnabled"]
    (target,) = client("events").list_targets_by_rule(Rule="aspora-staging-spot")["Targets"]
    assert target["Id"] == "karpenter"
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 3
    budget = client("budgets").describe_budget(
        AccountId=ACCOUNT, BudgetName="aspora-staging-wealth"
    )["Budget"]
    assert budget["BudgetLimit"] == {"Amount": "500", "Unit": "USD"}
    assert budget["CostFilters"] == {"TagKeyValue": ["user:domain$wealth"]}
    (database,) = client("rds").describe_db_instances()["DBInstances"]
    assert database["IAMDatabaseAuthenticationEnabled"]
    assert database["BackupRetentionPeriod"] == 14
    assert database["StorageEncrypted"]
    assert "MasterUserSecret" in database


# --- deletion -----------------------------------------------------------------------------------


def test_a_bucket_with_objects_goes_only_by_force(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("bucket")
    client("s3").put_object(Bucket=resource.id, Key="k", Body=b"x")
    with pytest.raises(ProviderError, match="not empty"):
        aws.delete(resource, state)
    aws.delete(resource, State({**state.inputs, "forceDestroy": True}, state.outputs))
    assert aws.read(resource, state) is None


def test_a_protected_database_is_not_deleted(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("database", deletionProtection=True)
    with pytest.raises(ProviderError) as caught:
        aws.delete(resource, state)
    assert caught.value.message == (
        f"aws:rds/instance:Instance {resource.id}: Cannot delete protected DB Instance, please"
        " disable deletion protection and try again."
    )
    unlocked = {**state.inputs, "deletionProtection": False}
    aws.delete(resource, State(unlocked, aws.update(resource, state, unlocked)))
    assert aws.read(resource, state) is None


def test_a_database_leaves_its_last_snapshot(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("database")
    aws.delete(resource, state)
    (snapshot,) = client("rds").describe_db_snapshots()["DBSnapshots"]
    assert snapshot["DBSnapshotIdentifier"] == "aspora-staging-final"


def test_a_database_without_a_word_about_its_last_snapshot_stays(
    aws: AwsStandIn, make: Make
) -> None:
    resource, state = make("database", skipFinalSnapshot=None, finalSnapshotIdentifier=None)
    with pytest.raises(ProviderError) as caught:
        aws.delete(resource, state)
    assert caught.value.message == (
        "aws:rds/instance:Instance: aspora-staging cannot be deleted: it has neither"
        " finalSnapshotIdentifier nor skipFinalSnapshot"
    )
    aws.delete(resource, State({**state.inputs, "skipFinalSnapshot": True}, state.outputs))
    assert client("rds").describe_db_snapshots()["DBSnapshots"] == []


def test_a_key_is_only_scheduled_to_go(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("key")
    aws.delete(resource, state)
    found = client("kms").describe_key(KeyId=resource.id)["KeyMetadata"]
    assert found["KeyState"] == "PendingDeletion"
    assert aws.read(resource, state) is None


def test_a_group_goes_though_others_name_it(aws: AwsStandIn, make: Make) -> None:
    make("ingress-of-group")
    resource, state = make("nodes")
    aws.delete(resource, state)
    assert aws.read(resource, state) is None


def test_a_table_goes_though_subnets_hang_on_it(aws: AwsStandIn, make: Make) -> None:
    association, associated = make("association")
    table = Resource(token("routes"), "urn:x", associated.inputs["routeTableId"])
    aws.delete(table, State({}))
    aws.delete(association, associated)
    assert aws.read(table, State({})) is None


def test_a_private_zone_with_records_goes_by_force(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("private-zone")
    record = {"Name": "a.staging.aspora.example", "Type": "A", "TTL": 60}
    client("route53").change_resource_record_sets(
        HostedZoneId=resource.id,
        ChangeBatch={
            "Changes": [
                {
                    "Action": "CREATE",
                    "ResourceRecordSet": {**record, "ResourceRecords": [{"Value": "10.0.0.1"}]},
                }
            ]
        },
    )
    aws.delete(resource, state)
    assert aws.read(resource, state) is None


# --- errors -------------------------------------------------------------------------------------


def test_a_property_that_nothing_takes_is_named_by_check_and_by_create(aws: AwsStandIn) -> None:
    resource = Resource(token("cluster"), "urn:x")
    inputs = {
        "name": "a",
        "roleArn": "b",
        "vpcConfig": {"subnetIds": [], "colour": "red"},
        "size": 3,
    }
    words = "is not known to the local AWS stand-in for aws:eks/cluster:Cluster"
    assert aws.check(resource, inputs) == [("vpcConfig.colour", words), ("size", words)]
    with pytest.raises(ProviderError) as caught:
        aws.create(resource, inputs)
    assert caught.value.message == f"aws:eks/cluster:Cluster: vpcConfig.colour {words}"


def test_a_property_in_the_second_block_of_a_list_is_named_too(aws: AwsStandIn) -> None:
    rule = {"id": "a", "status": "Enabled"}
    inputs = {"bucket": "b", "rules": [rule, {**rule, "expiration": {"weeks": 1}}]}
    ((name, _),) = aws.check(Resource(token("lifecycle"), "urn:x"), inputs)
    assert name == "rules.expiration.weeks"


def test_a_name_is_wanted(aws: AwsStandIn) -> None:
    assert aws.check(Resource(token("bucket"), "urn:x"), {"tags": {}}) == [
        ("bucket", "is missing: the local AWS stand-in makes up no names")
    ]


def test_a_type_or_question_not_in_the_table_fails_by_name(aws: AwsStandIn) -> None:
    with pytest.raises(ProviderError, match="aws:foo/bar:Bar is not known to the local AWS stand"):
        aws.check(Resource("aws:foo/bar:Bar", "urn:x"), {})
    with pytest.raises(ProviderError, match="aws:x/y:y is not known to the local AWS stand-in"):
        aws.invoke("aws:x/y:y", {})


def test_what_moto_does_not_play_is_checked_all_the_same(aws: AwsStandIn) -> None:
    with pytest.raises(ProviderError) as caught:
        create(aws, token("pod-identity"), {"clusterName": "c", "namespace": "n"})
    assert caught.value.message == (
        "aws:eks/podIdentityAssociation:PodIdentityAssociation: Parameter validation failed:\n"
        'Missing required parameter in input: "serviceAccount"\n'
        'Missing required parameter in input: "roleArn"'
    )


def test_a_part_that_fails_takes_the_rest_away_again(
    aws: AwsStandIn, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("vpc")
    name = "/half"
    error = ProviderError("it failed")
    api = failing(aws._clients.api, "put_retention_policy", error)
    monkeypatch.setattr(aws._clients, "api", api)
    with pytest.raises(ProviderError, match="it failed"):
        create(aws, token("logs"), {"name": name, "retentionInDays": 7, "tags": TAGS})
    assert client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []


def failing(
    api: Callable[[str, str], Any], operation: str, error: Exception
) -> Callable[[str, str], Any]:
    """The clients, with one call that fails."""

    class Failing:
        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            if name == operation:
                return self._fail
            return getattr(self._real, name)

        def _fail(self, **_: Any) -> None:
            raise error

    return lambda service, region: Failing(api(service, region))


def test_the_value_of_a_secret_is_in_no_error_and_no_drift(aws: AwsStandIn, make: Make) -> None:
    resource, state = make("secret-version")
    value = client("secretsmanager").get_secret_value(SecretId=state.inputs["secretId"])
    assert value["SecretString"] == state.inputs["secretString"]
    assert state.outputs["versionId"] == value["VersionId"]
    assert resource.id.endswith(f"|{value['VersionId']}")
    client("secretsmanager").put_secret_value(SecretId=state.inputs["secretId"], SecretString="x")
    assert aws.read(resource, state) == state

    for bad in ("missing", ["not", "a", "text"]):
        inputs = {"secretId": bad, "secretString": "never-show-this"}
        with pytest.raises(ProviderError) as caught:
            create(aws, resource.type, inputs)
        assert "never-show-this" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize(
    ("name", "operation", "inputs"),
    [
        ("secret-version", "put_secret_value", {"secretId": "s", "secretString": "never-show"}),
        ("cache-user", "create_user", {"passwords": ["never-show"]}),
        ("cache-user", "create_user", {"authenticationMode": {"passwords": ["never-show"]}}),
        ("database", "create_db_instance", {"identifier": "d", "password": "never-show"}),
    ],
)
def test_a_secret_that_an_error_quotes_is_not_shown(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch, name: str, operation: str, inputs: Values
) -> None:
    error = ClientError({"Error": {"Code": "No", "Message": "bad: never-show"}}, operation)
    monkeypatch.setattr(aws._clients, "api", failing(aws._clients.api, operation, error))
    wanted = {"userId": "u", **inputs} if name == "cache-user" else inputs
    with pytest.raises(ProviderError) as caught:
        create(aws, token(name), wanted)
    assert caught.value.message.endswith(": bad: [secret]")


def test_a_region_of_the_resource_is_used_and_never_changes(aws: AwsStandIn) -> None:
    inputs = {"bucket": "far", "region": "eu-west-1", "tags": TAGS}
    resource, state = create(aws, token("bucket"), inputs)
    assert state.outputs["bucketRegion"] == "eu-west-1"
    where = client("s3").get_bucket_location(Bucket="far")["LocationConstraint"]
    assert where == "eu-west-1"
    found = aws.diff(resource, {"bucket": "a"}, {"bucket": "b", "region": "eu-west-1"})
    assert [change.path for change in found.replaces] == [("bucket",), ("region",)]


def test_a_provider_of_another_region_is_refused(aws: AwsStandIn) -> None:
    aws.configure({})
    aws.configure({"region": "us-east-1"})
    aws.configure({"region": UNKNOWN})
    with pytest.raises(ProviderError) as caught:
        aws.configure({"region": "eu-west-1"})
    assert caught.value.message == (
        "a provider for eu-west-1 is not known to the local AWS stand-in, which plays us-east-1"
    )
    assert caught.value.hint == "give `region` to the resources themselves"


def test_the_usual_questions_are_answered(aws: AwsStandIn) -> None:
    caller = aws.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
    assert caller["accountId"] == ACCOUNT
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
    nobody = AwsStandIn("http://127.0.0.1:9")
    with pytest.raises(ProviderError, match=r"moto at http://127\.0\.0\.1:9 does not answer"):
        nobody.create(Resource(token("bucket"), "urn:x"), {"bucket": "logs"})
