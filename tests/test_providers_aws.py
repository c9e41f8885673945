"""Every AWS type of the stand-in, from preview to deletion, in one moto.

All examples are made in one story, as an engine would: previewed, made in the order of their
references, read, changed in place, read again, and removed in the opposite order. The tests look
at what the story saw.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from moto import mock_aws
from pulumi._types import resource_types, unwrap_optional_type, unwrap_type
from pulumi.runtime.rpc import translate_output_properties

from local.providers import aws_lifecycle as lifecycle
from local.providers.aws import AwsStandIn
from local.providers.aws_types import TYPES
from local.providers.base import Resource, State
from local.providers.values import UNKNOWN, format_path, holds_unknown
from tests.aws_examples import EXAMPLES, needed, resolved

Values = dict[str, Any]

ORDER = needed(list(EXAMPLES))
MOTO_PLAYS = [name for name in ORDER if not TYPES[EXAMPLES[name].token].lacks]
NAMED = [
    name
    for name in MOTO_PLAYS
    if (entry := TYPES[EXAMPLES[name].token]).tagging
    and entry.required
    and EXAMPLES[name].kind != "route53.Zone"  # two zones may have one name
]
CHANGING = [name for name in ORDER if EXAMPLES[name].change]

# What is still there after it was deleted, and why.
STAYS = {
    "aws-attachment": "moto does not hold AWS's own policies",
    "default-group": "every VPC has one",
    "detector-feature": "a feature that nobody declares stays as it was",
    "ebs": "a setting of the account",
    "runtime-feature": "a feature that nobody declares stays as it was",
    "secret-version": "it goes with its secret",
    "versioning": "S3 suspends versioning, it never takes it off",
}

# Of the examples' properties, those whose change needs a new resource; the rest change in place.
FIXED = {
    "budgets.Budget": "name",
    "cloudtrail.Trail": "name",
    "cloudwatch.EventRule": "name",
    "cloudwatch.EventTarget": "rule targetId",
    "cloudwatch.LogGroup": "name",
    "costexplorer.CostAllocationTag": "tagKey",
    "ebs.EncryptionByDefault": "",
    "ec2.DefaultSecurityGroup": "vpcId",
    "ec2.Eip": "domain",
    "ec2.FlowLog": "iamRoleArn logDestination logDestinationType maxAggregationInterval"
    " trafficType vpcId",
    "ec2.InternetGateway": "",
    "ec2.LaunchTemplate": "name",
    "ec2.NatGateway": "allocationId connectivityType subnetId",
    "ec2.Route": "destinationCidrBlock routeTableId",
    "ec2.RouteTable": "vpcId",
    "ec2.RouteTableAssociation": "routeTableId subnetId",
    "ec2.SecurityGroup": "description name vpcId",
    "ec2.Subnet": "availabilityZone cidrBlock vpcId",
    "ec2.Vpc": "cidrBlock",
    "ec2.VpcEndpoint": "serviceName vpcEndpointType vpcId",
    "ecr.LifecyclePolicy": "repository",
    "ecr.Repository": "encryptionConfigurations name",
    "eks.AccessEntry": "clusterName principalArn type",
    "eks.AccessPolicyAssociation": "accessScope clusterName policyArn principalArn",
    "eks.Addon": "addonName clusterName",
    "eks.Cluster": "accessConfig.bootstrapClusterCreatorAdminPermissions"
    " bootstrapSelfManagedAddons encryptionConfig kubernetesNetworkConfig name roleArn",
    "eks.NodeGroup": "amiType capacityType clusterName instanceTypes launchTemplate.id"
    " nodeGroupName nodeRoleArn subnetIds",
    "eks.PodIdentityAssociation": "clusterName namespace serviceAccount",
    "elasticache.ParameterGroup": "description family name",
    "elasticache.ReplicationGroup": "atRestEncryptionEnabled kmsKeyId port replicationGroupId"
    " subnetGroupName",
    "elasticache.SubnetGroup": "name",
    "elasticache.User": "engine userId userName",
    "elasticache.UserGroup": "engine userGroupId",
    "elasticache.UserGroupAssociation": "userGroupId userId",
    "guardduty.Detector": "",
    "guardduty.DetectorFeature": "detectorId name",
    "iam.OpenIdConnectProvider": "url",
    "iam.Policy": "description name path",
    "iam.Role": "name path",
    "iam.RolePolicy": "name role",
    "iam.RolePolicyAttachment": "policyArn role",
    "kms.Alias": "name",
    "kms.Key": "",
    "rds.Instance": "dbName engine identifier kmsKeyId storageEncrypted username",
    "rds.ParameterGroup": "description family name",
    "rds.SubnetGroup": "name",
    "route53.ResolverFirewallDomainList": "name",
    "route53.ResolverFirewallRule": "confidenceThreshold dnsThreatProtection firewallRuleGroupId",
    "route53.ResolverFirewallRuleGroup": "name",
    "route53.ResolverFirewallRuleGroupAssociation": "firewallRuleGroupId vpcId",
    "route53.Zone": "name",
    "s3.Bucket": "bucket objectLockEnabled",
    "s3.BucketLifecycleConfiguration": "bucket",
    "s3.BucketLogging": "bucket",
    "s3.BucketOwnershipControls": "bucket",
    "s3.BucketPolicy": "bucket",
    "s3.BucketPublicAccessBlock": "bucket",
    "s3.BucketServerSideEncryptionConfiguration": "bucket",
    "s3.BucketVersioning": "bucket",
    "secretsmanager.Secret": "name",
    "secretsmanager.SecretVersion": "secretId secretString",
    "sqs.Queue": "name",
    "sqs.QueuePolicy": "queueUrl",
    "vpc.SecurityGroupEgressRule": "securityGroupId",
    "vpc.SecurityGroupIngressRule": "referencedSecurityGroupId securityGroupId",
}


# Outputs of the SDK that the stand-in leaves out.
NEVER_ANSWERED = {
    "ec2.Eip": "associationId privateIp privateDns",  # it is associated after it was made
    "iam.Policy": "attachmentCount",
    "rds.Instance": "latestRestorableTime",  # another one with every look
    "s3.BucketVersioning": "mfa",
}


@dataclass
class Story:
    """What happened to one example."""

    resource: Resource
    inputs: Values = field(default_factory=dict)
    outputs: Values = field(default_factory=dict)
    read: State | None = None
    live: Values = field(default_factory=dict)
    ignored: Values = field(default_factory=dict)
    adopted: tuple[str, Values] | None = None
    changed: Values = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    updated: Values = field(default_factory=dict)
    reread: State | None = None
    left: State | None = None
    errors: dict[str, Exception] = field(default_factory=dict)

    def happened(self, *steps: str) -> None:
        """Raise what a step raised."""
        for step in steps:
            if step in self.errors:
                raise self.errors[step]


class World:
    """All stories, told in one moto."""

    def __init__(self, aws: AwsStandIn) -> None:
        self.aws = aws
        self.stories: dict[str, Story] = {}

    def tell(self) -> None:
        for name in ORDER:
            self.stories[name] = Story(Resource(EXAMPLES[name].token, f"urn:x::{name}"))
        for step, names in (
            (self._create, ORDER),
            (self._read, ORDER),
            (self._adopt, NAMED),
            (self._update, CHANGING),
            (self._reread, CHANGING),
            (self._delete, ORDER[::-1]),
            (self._delete_again, ORDER[::-1]),
        ):
            for name in names:
                self._try(name, step)

    def _try(self, name: str, step: Callable[[str, Story], None]) -> None:
        try:
            step(name, self.stories[name])
        except Exception as error:  # noqa: BLE001 - the test of this example raises it again
            self.stories[name].errors[step.__name__] = error

    def output(self, name: str, path: str) -> Any:
        story = self.stories[name]
        return story.resource.id if path == "id" else story.outputs[path]

    def _create(self, name: str, story: Story) -> None:
        story.inputs = resolved(EXAMPLES[name].inputs, self.output)
        assert self.aws.check(story.resource, story.inputs) == []
        identity, story.outputs = self.aws.create(story.resource, story.inputs)
        story.resource = Resource(story.resource.type, story.resource.urn, identity)

    def _read(self, name: str, story: Story) -> None:
        story.read = self.aws.read(story.resource, State(story.inputs, story.outputs))
        context = self.aws._context(story.resource, story.inputs, story.outputs)
        if context.kind.lacks:
            return
        story.live = lifecycle.read(context) or {}
        found = context.find(context.kind.read)
        assert found
        story.ignored = context.live(iter(context.kind.kept), found)

    def _adopt(self, name: str, story: Story) -> None:
        resource = Resource(story.resource.type, story.resource.urn)
        story.adopted = self.aws.create(resource, story.inputs)

    def _update(self, name: str, story: Story) -> None:
        story.changed = resolved(EXAMPLES[name].changed, self.output)
        found = self.aws.diff(story.resource, story.inputs, story.changed)
        story.replaced = [format_path(change.path) for change in found.replaces]
        before = State(story.inputs, story.outputs)
        story.updated = self.aws.update(story.resource, before, story.changed)

    def _reread(self, name: str, story: Story) -> None:
        story.reread = self.aws.read(story.resource, State(story.changed, story.updated))

    def _delete(self, name: str, story: Story) -> None:
        state = self.state(story)
        self.aws.delete(story.resource, state)
        story.left = self.aws.read(story.resource, state)

    def _delete_again(self, name: str, story: Story) -> None:
        self.aws.delete(story.resource, self.state(story))

    def state(self, story: Story) -> State:
        return State(story.changed or story.inputs, story.updated or story.outputs)


@pytest.fixture(scope="module")
def stand_in() -> AwsStandIn:
    """Clients are slow to make: the whole module shares them."""
    return AwsStandIn(None)


@pytest.fixture(scope="module")
def stories(stand_in: AwsStandIn) -> dict[str, Story]:
    with mock_aws():
        world = World(stand_in)
        world.tell()
    return world.stories


# --- the SDK ------------------------------------------------------------------------------------


def sdk_class(kind: str) -> Any:
    module, _, name = kind.partition(".")
    return getattr(importlib.import_module(f"pulumi_aws.{module}"), name)


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def sdk_inputs(kind: str) -> set[str]:
    parameters = inspect.signature(sdk_class(kind)._internal_init).parameters
    return {camel(name) for name in parameters} - {"self", "resourceName", "opts", "Props"}


def test_every_type_has_an_example_and_the_token_of_the_sdk() -> None:
    assert {example.token for example in EXAMPLES.values()} == set(TYPES)
    for example in EXAMPLES.values():
        assert example.token == sdk_class(example.kind).pulumi_type


KINDS = sorted({example.kind: example.token for example in EXAMPLES.values()}.items())


@pytest.mark.parametrize(("kind", "token"), KINDS)
def test_the_table_speaks_of_properties_that_the_sdk_has(kind: str, token: str) -> None:
    entry, inputs = TYPES[token], sdk_inputs(kind)
    outputs = set(resource_types(sdk_class(kind)))
    named = {*entry.required, *entry.replaces, *entry.asides, *entry.unread, *entry.kept}
    named |= {*entry.secrets, *entry.gaps, *entry.defaults}
    named |= {name for part in entry.parts for name in part.properties}
    assert {name.partition(".")[0] for name in named} <= inputs
    computed = {name.partition(".")[0] for name in entry.computed}
    assert computed | set(entry.made) <= outputs
    never = {"tagsAll", "region", *NEVER_ANSWERED.get(kind, "").split()}
    assert outputs - inputs - never == computed - inputs
    assert ("tags" in inputs) == bool(entry.tagging)


# --- previews -----------------------------------------------------------------------------------


def unknown(_name: str, _path: str) -> str:
    return UNKNOWN


@pytest.mark.parametrize("name", ORDER)
def test_a_preview_calls_nobody_and_knows_the_inputs_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = AwsStandIn("http://127.0.0.1:9")
    monkeypatch.setattr(nobody._clients, "api", refuse)
    example = EXAMPLES[name]
    inputs = resolved(example.inputs, unknown)
    resource = Resource(example.token, "urn:x", preview=True)
    assert nobody.check(resource, inputs) == []
    identity, outputs = nobody.create(resource, inputs)
    assert identity == ""
    assert without_unknown(outputs) == without_unknown(
        {**outputs, **TYPES[example.token].defaults, **inputs}
    )
    for path in TYPES[example.token].computed:
        head, _, inner = path.partition(".")
        value = outputs[head][inner] if inner else outputs[head]
        assert value == (inputs.get(head, UNKNOWN) if not inner else UNKNOWN)
    if TYPES[example.token].tagging:
        assert outputs["tagsAll"] == inputs["tags"]

    changed = resolved(example.changed, unknown)
    old = State(inputs, {**outputs, **dict.fromkeys(TYPES[example.token].computed, "as it was")})
    nobody.diff(resource, inputs, changed)
    updated = nobody.update(resource, old, changed)
    moving = {n for n in TYPES[example.token].moving if updated[n] == UNKNOWN}
    assert moving == set(TYPES[example.token].moving) - changed.keys()


def refuse(*_: Any) -> Any:
    raise AssertionError("a preview made a client")


def without_unknown(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_unknown(one) for key, one in value.items() if one != UNKNOWN}
    return value


# --- the story ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORDER)
def test_what_is_made_has_what_was_asked_for(stories: dict[str, Story], name: str) -> None:
    story = stories[name]
    story.happened("_create", "_read")
    assert story.resource.id
    assert not holds_unknown(story.outputs)
    for key, value in story.inputs.items():
        assert contains(story.outputs[key], value), key
    entry = TYPES[story.resource.type]
    if entry.tagging:
        assert story.outputs["tagsAll"] == story.inputs["tags"]
    assert {name for name, made in entry.made.items() if not callable(made)} <= story.outputs.keys()


def contains(whole: Any, part: Any) -> bool:
    """Whether a block has the keys of another, with the same values."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and contains(whole[key], part[key]) for key in part)
    return bool(whole == part)


@pytest.mark.parametrize("name", ORDER)
def test_outputs_have_the_types_of_the_sdk(stories: dict[str, Story], name: str) -> None:
    """The SDK raises in the program when a block comes where it expects a list of them."""
    story = stories[name]
    story.happened("_create")
    types = resource_types(sdk_class(EXAMPLES[name].kind))
    for outputs in (story.outputs, story.updated):
        for key, value in outputs.items():
            wanted = unwrap_optional_type(unwrap_type(types[key]))
            translate_output_properties(value, str, wanted)
            if value is not None:
                assert is_of(value, wanted), key


def is_of(value: Any, wanted: Any) -> bool:
    plain = getattr(wanted, "__origin__", wanted)
    if plain in (str, int, bool, float):
        return isinstance(value, (int, float) if plain is float else plain)
    return isinstance(value, list) if plain in (list, Sequence) else isinstance(value, dict | str)


@pytest.mark.parametrize("name", ORDER)
def test_what_was_made_reads_as_it_is(stories: dict[str, Story], name: str) -> None:
    story = stories[name]
    story.happened("_create", "_read")
    assert story.read == State(story.inputs, story.outputs)


@pytest.mark.parametrize("name", NAMED)
def test_what_is_there_already_and_ours_is_adopted(stories: dict[str, Story], name: str) -> None:
    story = stories[name]
    story.happened("_create", "_adopt")
    assert story.adopted == (story.resource.id, story.outputs)


@pytest.mark.parametrize("name", MOTO_PLAYS)
def test_every_property_is_read_from_moto_or_listed(stories: dict[str, Story], name: str) -> None:
    story = stories[name]
    story.happened("_create", "_read")
    entry = TYPES[story.resource.type]
    told = {*entry.kept, *entry.asides, *entry.unread, *entry.secrets, *entry.gaps}
    asked = re.findall(r"\{(\w+)", str([entry.read.by, entry.read.where, entry.identity]))
    assert story.inputs.keys() - told - set(asked) <= story.live.keys()


@pytest.mark.parametrize("name", CHANGING)
def test_a_change_is_made_in_place(stories: dict[str, Story], name: str) -> None:
    story = stories[name]
    story.happened("_create", "_update", "_reread")
    assert story.replaced == []
    for key, value in story.changed.items():
        assert contains(story.updated[key], value), key
    gone = story.inputs.keys() - story.changed.keys()
    assert gone <= {n for n, value in EXAMPLES[name].change.items() if value is None}
    assert story.reread == State(story.changed, story.updated)


@pytest.mark.parametrize("name", ORDER)
def test_what_is_deleted_is_gone_and_deleted_again_is_fine(
    stories: dict[str, Story], name: str
) -> None:
    story = stories[name]
    story.happened("_create", "_delete", "_delete_again")
    if TYPES[story.resource.type].lacks is None:
        assert (story.left is not None) == (name in STAYS), STAYS.get(name)


@pytest.mark.parametrize("kind", sorted({example.kind for example in EXAMPLES.values()}))
def test_what_aws_never_changes_is_replaced(stand_in: AwsStandIn, kind: str) -> None:
    found: set[str] = set()
    for example in EXAMPLES.values():
        if example.kind == kind:
            found |= fixed(stand_in, Resource(example.token, "urn:x"), example.inputs)
    assert " ".join(sorted(found)) == FIXED[kind]


def fixed(aws: AwsStandIn, resource: Resource, inputs: Values) -> set[str]:
    """The properties, and those inside of blocks that are not fixed themselves."""
    found = set()
    for name, value in inputs.items():
        if replaces(aws, resource, inputs, {**inputs, name: "another"}):
            found.add(name)
        elif isinstance(value, dict) and name != "tags":
            for key in value:
                changed = {**inputs, name: {**value, key: "another"}}
                if replaces(aws, resource, inputs, changed):
                    found.add(f"{name}.{key}")
    return found


def replaces(aws: AwsStandIn, resource: Resource, old: Values, new: Values) -> bool:
    return bool(aws.diff(resource, old, new).replaces)
