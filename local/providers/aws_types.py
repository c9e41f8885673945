# ruff: noqa: D102 - what the methods do stands in AwsType
"""The AWS types that the stand-in plays, each with the boto3 calls that make it.

To add one, write a subclass of `AwsType` and put it into `TYPES`. Property names are those of the
AWS provider's SDK (camelCase), as the engine sends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Values = dict[str, Any]


class AwsType:
    """One type. The defaults fit a setting of something else, such as a bucket's versioning.

    `name` is the property that must be given: nothing here invents names. `replaces` are the
    properties that AWS never changes, `computed` those that a preview cannot know.
    """

    token: str
    service: str
    name: str
    replaces: frozenset[str]
    computed: tuple[str, ...] = ()

    def identity(self, api: Any, inputs: Values) -> str:
        """The id of the resource with these inputs, made already."""
        return str(inputs[self.name])

    def create(self, api: Any, inputs: Values) -> None:
        """Make it; the caller knows that there is none yet."""
        raise NotImplementedError

    def read(self, api: Any, identity: str) -> Values:
        """Live properties. What does not exist raises botocore's ClientError."""
        raise NotImplementedError

    def update(self, api: Any, identity: str, inputs: Values) -> None:
        """Change it in place; for a setting, the same as to make it."""
        del identity
        self.create(api, inputs)

    def delete(self, api: Any, identity: str, state: Values) -> None:
        """Remove it; `state` holds the outputs, such as forceDestroy."""
        raise NotImplementedError

    def tags(self, api: Any, identity: str) -> dict[str, str] | None:
        """Live tags, by which ours is told from another's; None for what has none."""
        return None


class Bucket(AwsType):
    """aws.s3.Bucket."""

    token = "aws:s3/bucket:Bucket"  # noqa: S105 - a type token
    service = "s3"
    name = "bucket"
    replaces = frozenset(("bucket", "bucketPrefix", "objectLockEnabled"))
    computed = ("arn", "bucketDomainName", "bucketRegionalDomainName")

    def create(self, api: Any, inputs: Values) -> None:
        region = api.meta.region_name
        where = {"LocationConstraint": region} if region != "us-east-1" else None
        options: Values = {"CreateBucketConfiguration": where} if where else {}
        if inputs.get("objectLockEnabled"):
            options["ObjectLockEnabledForBucket"] = True
        api.create_bucket(Bucket=inputs["bucket"], **options)
        self._tag(api, inputs)

    def read(self, api: Any, identity: str) -> Values:
        api.head_bucket(Bucket=identity)
        region = api.meta.region_name
        return {
            "bucket": identity,
            "arn": f"arn:aws:s3:::{identity}",
            "bucketDomainName": f"{identity}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{identity}.s3.{region}.amazonaws.com",
            "tags": self.tags(api, identity),
        }

    def update(self, api: Any, identity: str, inputs: Values) -> None:
        del identity
        self._tag(api, inputs)

    def delete(self, api: Any, identity: str, state: Values) -> None:
        if state.get("forceDestroy"):
            self._empty(api, identity)
        api.delete_bucket(Bucket=identity)

    def _empty(self, api: Any, bucket: str) -> None:
        for page in api.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                api.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])

    def tags(self, api: Any, identity: str) -> dict[str, str]:
        try:
            return from_pairs(api.get_bucket_tagging(Bucket=identity)["TagSet"])
        except api.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchTagSet":
                return {}
            raise

    def _tag(self, api: Any, inputs: Values) -> None:
        if inputs.get("tags"):
            api.put_bucket_tagging(
                Bucket=inputs["bucket"], Tagging={"TagSet": to_pairs(inputs["tags"])}
            )
        else:
            api.delete_bucket_tagging(Bucket=inputs["bucket"])


class BucketPublicAccessBlock(AwsType):
    """aws.s3.BucketPublicAccessBlock."""

    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"  # noqa: S105
    service = "s3"
    name = "bucket"
    replaces = frozenset(("bucket",))
    _flags: Mapping[str, str] = {
        "blockPublicAcls": "BlockPublicAcls",
        "blockPublicPolicy": "BlockPublicPolicy",
        "ignorePublicAcls": "IgnorePublicAcls",
        "restrictPublicBuckets": "RestrictPublicBuckets",
    }

    def create(self, api: Any, inputs: Values) -> None:
        flags = {ours: bool(inputs.get(name, False)) for name, ours in self._flags.items()}
        api.put_public_access_block(Bucket=inputs["bucket"], PublicAccessBlockConfiguration=flags)

    def read(self, api: Any, identity: str) -> Values:
        flags = api.get_public_access_block(Bucket=identity)["PublicAccessBlockConfiguration"]
        return {"bucket": identity} | {name: flags[ours] for name, ours in self._flags.items()}

    def delete(self, api: Any, identity: str, state: Values) -> None:
        api.delete_public_access_block(Bucket=identity)


class BucketVersioning(AwsType):
    """aws.s3.BucketVersioning. S3 cannot take versioning off a bucket, only suspend it."""

    token = "aws:s3/bucketVersioning:BucketVersioning"  # noqa: S105
    service = "s3"
    name = "bucket"
    replaces = frozenset(("bucket",))

    def create(self, api: Any, inputs: Values) -> None:
        self._put(api, inputs["bucket"], inputs["versioningConfiguration"]["status"])

    def read(self, api: Any, identity: str) -> Values:
        status = api.get_bucket_versioning(Bucket=identity).get("Status", "Disabled")
        return {"bucket": identity, "versioningConfiguration": {"status": status}}

    def delete(self, api: Any, identity: str, state: Values) -> None:
        self._put(api, identity, "Suspended")

    def _put(self, api: Any, bucket: str, status: str) -> None:
        api.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


class BucketEncryption(AwsType):
    """aws.s3.BucketServerSideEncryptionConfiguration."""

    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"  # noqa: S105
    service = "s3"
    name = "bucket"
    replaces = frozenset(("bucket",))

    def create(self, api: Any, inputs: Values) -> None:
        rules = []
        for rule in inputs.get("rules", ()):
            default = rule.get("applyServerSideEncryptionByDefault") or {}
            made: Values = {"BucketKeyEnabled": bool(rule.get("bucketKeyEnabled", False))}
            if default:
                made["ApplyServerSideEncryptionByDefault"] = without_none(
                    SSEAlgorithm=default.get("sseAlgorithm"),
                    KMSMasterKeyID=default.get("kmsMasterKeyId"),
                )
            rules.append(made)
        api.put_bucket_encryption(
            Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules}
        )

    def read(self, api: Any, identity: str) -> Values:
        answer = api.get_bucket_encryption(Bucket=identity)
        rules = []
        for rule in answer["ServerSideEncryptionConfiguration"]["Rules"]:
            default = rule.get("ApplyServerSideEncryptionByDefault", {})
            algorithm = without_none(
                sseAlgorithm=default.get("SSEAlgorithm"),
                kmsMasterKeyId=default.get("KMSMasterKeyID"),
            )
            rules.append(
                {
                    "applyServerSideEncryptionByDefault": algorithm,
                    "bucketKeyEnabled": rule.get("BucketKeyEnabled", False),
                }
            )
        return {"bucket": identity, "rules": rules}

    def delete(self, api: Any, identity: str, state: Values) -> None:
        api.delete_bucket_encryption(Bucket=identity)


class Secret(AwsType):
    """aws.secretsmanager.Secret: the name alone. Its value never passes through here."""

    token = "aws:secretsmanager/secret:Secret"  # noqa: S105
    service = "secretsmanager"
    name = "name"
    replaces = frozenset(("name", "namePrefix"))
    computed = ("arn",)

    def identity(self, api: Any, inputs: Values) -> str:
        return str(api.describe_secret(SecretId=inputs["name"])["ARN"])

    def create(self, api: Any, inputs: Values) -> None:
        api.create_secret(
            Name=inputs["name"],
            Tags=to_pairs(inputs.get("tags")),
            **self._settings(inputs),
        )

    def read(self, api: Any, identity: str) -> Values:
        found = api.describe_secret(SecretId=identity)
        return without_none(
            name=found["Name"],
            arn=found["ARN"],
            description=found.get("Description"),
            kmsKeyId=found.get("KmsKeyId"),
            tags=from_pairs(found.get("Tags", ())),
        )

    def update(self, api: Any, identity: str, inputs: Values) -> None:
        api.update_secret(SecretId=identity, **self._settings(inputs))
        stale = sorted(self.tags(api, identity).keys() - (inputs.get("tags") or {}).keys())
        if stale:
            api.untag_resource(SecretId=identity, TagKeys=stale)
        if inputs.get("tags"):
            api.tag_resource(SecretId=identity, Tags=to_pairs(inputs["tags"]))

    def delete(self, api: Any, identity: str, state: Values) -> None:
        """At once: a name in its recovery window could not be made again."""
        api.delete_secret(SecretId=identity, ForceDeleteWithoutRecovery=True)

    def tags(self, api: Any, identity: str) -> dict[str, str]:
        return from_pairs(api.describe_secret(SecretId=identity).get("Tags", ()))

    def _settings(self, inputs: Values) -> Values:
        return without_none(Description=inputs.get("description"), KmsKeyId=inputs.get("kmsKeyId"))


class Repository(AwsType):
    """aws.ecr.Repository."""

    token = "aws:ecr/repository:Repository"  # noqa: S105
    service = "ecr"
    name = "name"
    replaces = frozenset(("name", "encryptionConfigurations"))
    computed = ("arn", "registryId", "repositoryUrl")

    def create(self, api: Any, inputs: Values) -> None:
        encryption = next(iter(inputs.get("encryptionConfigurations") or ()), None)
        options: Values = {}
        if encryption:
            options["encryptionConfiguration"] = without_none(
                encryptionType=encryption.get("encryptionType", "AES256"),
                kmsKey=encryption.get("kmsKey"),
            )
        api.create_repository(
            repositoryName=inputs["name"],
            tags=to_pairs(inputs.get("tags")),
            imageTagMutability=inputs.get("imageTagMutability", "MUTABLE"),
            imageScanningConfiguration=self._scanning(inputs),
            **options,
        )

    def read(self, api: Any, identity: str) -> Values:
        found = self._describe(api, identity)
        return {
            "name": identity,
            "arn": found["repositoryArn"],
            "registryId": found["registryId"],
            "repositoryUrl": found["repositoryUri"],
            "imageTagMutability": found["imageTagMutability"],
            "imageScanningConfiguration": found["imageScanningConfiguration"],
            "tags": self.tags(api, identity),
        }

    def update(self, api: Any, identity: str, inputs: Values) -> None:
        api.put_image_tag_mutability(
            repositoryName=identity,
            imageTagMutability=inputs.get("imageTagMutability", "MUTABLE"),
        )
        api.put_image_scanning_configuration(
            repositoryName=identity, imageScanningConfiguration=self._scanning(inputs)
        )
        arn = self._describe(api, identity)["repositoryArn"]
        stale = sorted(self.tags(api, identity).keys() - (inputs.get("tags") or {}).keys())
        if stale:
            api.untag_resource(resourceArn=arn, tagKeys=stale)
        if inputs.get("tags"):
            api.tag_resource(resourceArn=arn, tags=to_pairs(inputs["tags"]))

    def delete(self, api: Any, identity: str, state: Values) -> None:
        api.delete_repository(repositoryName=identity, force=bool(state.get("forceDelete")))

    def tags(self, api: Any, identity: str) -> dict[str, str]:
        arn = self._describe(api, identity)["repositoryArn"]
        return from_pairs(api.list_tags_for_resource(resourceArn=arn)["tags"])

    def _describe(self, api: Any, identity: str) -> Values:
        found = api.describe_repositories(repositoryNames=[identity])
        return dict(found["repositories"][0])

    def _scanning(self, inputs: Values) -> Values:
        wanted = inputs.get("imageScanningConfiguration") or {}
        return {"scanOnPush": bool(wanted.get("scanOnPush", False))}


def to_pairs(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Tags as AWS writes them: [{"Key": ..., "Value": ...}]."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]


def from_pairs(pairs: Any) -> dict[str, str]:
    """Tags as a dict."""
    return {pair["Key"]: pair["Value"] for pair in pairs}


def without_none(**values: Any) -> Values:
    """The values that are there."""
    return {name: value for name, value in values.items() if value is not None}


TYPES: Mapping[str, AwsType] = {
    kind.token: kind
    for kind in (
        Bucket(),
        BucketEncryption(),
        BucketPublicAccessBlock(),
        BucketVersioning(),
        Repository(),
        Secret(),
    )
}
