"""Where things are kept: S3's buckets and their settings, ECR's repositories."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.providers.aws_entry import AwsType, Call, Part, Tagging
from local.providers.aws_shapes import MISSING

if TYPE_CHECKING:
    from local.providers.aws_context import Context

Values = dict[str, Any]

_BUCKET = {"Bucket": "{id}"}


def _empty(context: Context) -> None:
    """Every version and every delete marker."""
    while True:
        answer = context.ask("list_object_versions", Bucket=context.values["id"])
        entries = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
        if not entries:
            return
        objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in entries]
        context.ask("delete_objects", Bucket=context.values["id"], Delete={"Objects": objects})


def _delete_bucket(context: Context) -> None:
    if context.values.get("forceDestroy"):
        _empty(context)
    context.ask("delete_bucket", Bucket=context.values["id"])


def _tag_bucket(context: Context, values: Values) -> None:
    """S3 knows the whole set of tags alone."""
    tags = values["tags"]
    if tags:
        pairs = [{"Key": key, "Value": tags[key]} for key in sorted(tags)]
        context.ask("put_bucket_tagging", Bucket=context.values["id"], Tagging={"TagSet": pairs})
    else:
        context.ask("delete_bucket_tagging", Bucket=context.values["id"])


def _location(context: Context) -> Any:
    """us-east-1 is the one place that must not be named."""
    region = context.region
    return {"LocationConstraint": region} if region != "us-east-1" else MISSING


BUCKET = AwsType(
    "aws:s3/bucket:Bucket",
    "s3",
    create=Call("create_bucket", {"CreateBucketConfiguration": _location}),
    identity="{bucket}",
    read=Call("head_bucket", _BUCKET),
    delete=_delete_bucket,
    required=("bucket",),
    names={"objectLockEnabled": "ObjectLockEnabledForBucket"},
    replaces=("bucket", "objectLockEnabled"),
    computed=(
        *("arn", "bucketDomainName", "bucketRegion", "bucketRegionalDomainName"),
        *("hostedZoneId", "websiteDomain", "websiteEndpoint"),
    ),
    unread=("objectLockEnabled",),
    made={
        "bucket": "{id}",
        "arn": "arn:aws:s3:::{id}",
        "bucketDomainName": "{id}.s3.amazonaws.com",
        "bucketRegion": "{region}",
        "bucketRegionalDomainName": "{id}.s3.{region}.amazonaws.com",
    },
    asides=("forceDestroy",),
    parts=(Part(("tags",), _tag_bucket),),
    tagging=Tagging(
        "put_bucket_tagging",
        "delete_bucket_tagging",
        _BUCKET,
        Call("get_bucket_tagging", _BUCKET, at="TagSet"),
    ),
)


def _setting(token: str, put: Call, get: Call, delete: Call, **more: Any) -> AwsType:
    """A setting of a bucket: put as a whole, and read as a whole."""
    put = replace(put, operation=f"put_bucket_{put.operation}", whole=True)
    get = replace(get, operation=f"get_bucket_{get.operation}", by=_BUCKET)
    return AwsType(
        f"aws:s3/bucket{token}:Bucket{token}",
        "s3",
        create=put,
        identity="{bucket}",
        read=get,
        delete=delete,
        required=("bucket",),
        replaces=("bucket",),
        made={"bucket": "{id}"},
        updates=(put,),
        **more,
    )


def _sent_policy(context: Context) -> str:
    """moto stumbles over a principal of "*", which says the same as {"AWS": "*"}."""
    return json.dumps(_with_blocks(context.inputs["policy"]))


def _live_policy(context: Context) -> Values:
    live, wanted = context.raw["Policy"], context.inputs.get("policy")
    same = wanted is not None and _with_blocks(wanted) == _with_blocks(live)
    return {"policy": wanted if same else live}


def _with_blocks(policy: Any) -> Any:
    """A policy document whose principals are blocks."""
    document = json.loads(policy) if isinstance(policy, str) else deepcopy(policy)
    statements = document.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        if statement.get("Principal") == "*":
            statement["Principal"] = {"AWS": "*"}
    return document


_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_PUT_BLOCK = Call("put_public_access_block", inside="PublicAccessBlockConfiguration", whole=True)
PUBLIC_ACCESS_BLOCK = AwsType(
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "s3",
    create=_PUT_BLOCK,
    identity="{bucket}",
    read=Call("get_public_access_block", _BUCKET, at="PublicAccessBlockConfiguration"),
    delete=Call("delete_public_access_block", _BUCKET),
    required=("bucket",),
    replaces=("bucket",),
    made={"bucket": "{id}"},
    defaults=dict.fromkeys(_BLOCKS, False),
    asides=("skipDestroy",),
    updates=(_PUT_BLOCK,),
)

_ENCRYPTION = "ServerSideEncryptionConfiguration"
_SUSPENDED = {"VersioningConfiguration": {"Status": "Suspended"}}
SETTINGS = (
    _setting(
        "Versioning",
        Call("versioning"),
        Call("versioning"),
        # S3 cannot take versioning off a bucket, only suspend it.
        Call("put_bucket_versioning", {**_BUCKET, **_SUSPENDED}),
        answers={"versioningConfiguration": ""},
    ),
    _setting(
        _ENCRYPTION,
        Call("encryption", inside=_ENCRYPTION),
        Call("encryption", at=_ENCRYPTION),
        Call("delete_bucket_encryption", _BUCKET),
    ),
    _setting(
        "OwnershipControls",
        Call("ownership_controls", inside="OwnershipControls"),
        Call("ownership_controls", at="OwnershipControls"),
        Call("delete_bucket_ownership_controls", _BUCKET),
    ),
    _setting(
        "LifecycleConfiguration",
        Call("lifecycle_configuration", inside="LifecycleConfiguration"),
        Call("lifecycle_configuration"),
        Call("delete_bucket_lifecycle", _BUCKET),
        asides=("timeouts",),
        computed=("transitionDefaultMinimumObjectSize",),
    ),
    _setting(
        "Policy",
        Call("policy", {"Policy": _sent_policy}, uses=("policy",)),
        Call("policy"),
        Call("delete_bucket_policy", _BUCKET),
        more=_live_policy,
    ),
    _setting(
        "Logging",
        Call("logging", inside="BucketLoggingStatus.LoggingEnabled"),
        Call("logging", at="LoggingEnabled"),
        Call("put_bucket_logging", {**_BUCKET, "BucketLoggingStatus": {}}),
        computed=("targetPrefix",),
    ),
)

_NAME = {"repositoryName": "{id}"}
REPOSITORY = AwsType(
    "aws:ecr/repository:Repository",
    "ecr",
    create=Call("create_repository", at="repository"),
    identity="{name}",
    read=Call("describe_repositories", {"repositoryNames": "{id}"}, at="repositories"),
    delete=Call("delete_repository", {**_NAME, "force": "{forceDelete}"}),
    required=("name",),
    names={"name": "repositoryName"},
    answers={"arn": "repositoryArn", "repositoryUrl": "repositoryUri"},
    replaces=("name", "encryptionConfigurations"),
    computed=("arn", "registryId", "repositoryUrl"),
    defaults={
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
    },
    asides=("forceDelete",),
    updates=(
        Call("put_image_tag_mutability", _NAME),
        Call("put_image_scanning_configuration", _NAME),
    ),
    tagging=Tagging(
        "tag_resource",
        "untag_resource",
        {"resourceArn": "{repositoryArn}"},
        Call("list_tags_for_resource", {"resourceArn": "{repositoryArn}"}, at="tags"),
    ),
)

_PUT_LIFECYCLE = Call("put_lifecycle_policy", whole=True)
LIFECYCLE_POLICY = AwsType(
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "ecr",
    create=_PUT_LIFECYCLE,
    identity="{repository}",
    read=Call("get_lifecycle_policy", _NAME),
    delete=Call("delete_lifecycle_policy", _NAME),
    names={"repository": "repositoryName", "policy": "lifecyclePolicyText"},
    replaces=("repository",),
    computed=("registryId",),
    updates=(_PUT_LIFECYCLE,),
)

KINDS = (BUCKET, PUBLIC_ACCESS_BLOCK, *SETTINGS, REPOSITORY, LIFECYCLE_POLICY)
