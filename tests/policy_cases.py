"""For each check a resource that is wrong, and its twin that is right; declared with the SDK.

A case that joins resources is wrong by a missing reference alone: both twins have the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi_aws as aws

Case = Callable[[str, bool], None]
CASES: dict[str, Case] = {}
EVERYWHERE, INSIDE = "0.0.0.0/0", "10.20.0.0/16"
ELSEWHERE = "named-by-its-name"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0123"


def case(*checks: str) -> Callable[[Case], Case]:
    """Register a function as the twins of these checks."""

    def register(function: Case) -> Case:
        CASES.update(dict.fromkeys(checks, function))
        return function

    return register


def twin(function: Case, *, good: bool) -> str:
    """The name of the resources that a case declares."""
    return f"{function.__name__}-{'good' if good else 'bad'}"


def declare_all() -> None:
    """The program that registers every twin."""
    for function in dict.fromkeys(CASES.values()):
        for good in (False, True):
            function(twin(function, good=good), good)


def statement(**more: Any) -> str:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **more}]}
    return json.dumps(document)


@case("CKV_AWS_24")
def ssh_open_to_the_world(name: str, good: bool) -> None:
    aws.vpc.SecurityGroupIngressRule(
        name,
        security_group_id="sg-1",
        description="SSH",
        ip_protocol="tcp",
        from_port=22,
        to_port=22,
        cidr_ipv4=INSIDE if good else EVERYWHERE,
    )


@case("CKV_AWS_25")
def rdp_open_in_a_block(name: str, good: bool) -> None:
    port: Any = {"protocol": "tcp", "from_port": 3389, "to_port": 3389, "description": "RDP"}
    cidr = INSIDE if good else EVERYWHERE
    rule: Any = {**port, "cidr_blocks": [cidr]}
    aws.ec2.SecurityGroup(name, description="d", ingress=[rule])


@case("CKV_AWS_277")
def open_to_every_protocol(name: str, good: bool) -> None:
    """AWS wants no ports here."""
    aws.vpc.SecurityGroupIngressRule(
        name,
        security_group_id="sg-1",
        description="all",
        ip_protocol="-1",
        cidr_ipv4=INSIDE if good else EVERYWHERE,
    )


@case("CKV_AWS_382")
def all_ways_out(name: str, good: bool) -> None:
    aws.vpc.SecurityGroupEgressRule(
        name,
        security_group_id="sg-1",
        description="out",
        ip_protocol="-1",
        cidr_ipv4=INSIDE if good else EVERYWHERE,
    )


@case("CKV2_AWS_6")
def bucket_without_a_public_access_block(name: str, good: bool) -> None:
    bucket = aws.s3.Bucket(name)
    aws.s3.BucketPublicAccessBlock(
        name,
        bucket=bucket.id if good else ELSEWHERE,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )


@case("CKV_AWS_54")
def public_bucket_policy(name: str, good: bool) -> None:
    aws.s3.BucketPublicAccessBlock(name, bucket="b", block_public_policy=good)


@case("CKV_AWS_21")
def bucket_without_versions(name: str, good: bool) -> None:
    bucket = aws.s3.Bucket(name)
    aws.s3.BucketVersioning(
        name,
        bucket=bucket.id if good else ELSEWHERE,
        versioning_configuration={"status": "Enabled"},
    )


@case("CKV_AWS_145")
def bucket_without_a_key(name: str, good: bool) -> None:
    bucket = aws.s3.Bucket(name)
    algorithm = {"sse_algorithm": "aws:kms" if good else "AES256", "kms_master_key_id": KEY}
    rule: Any = {"apply_server_side_encryption_by_default": algorithm}
    aws.s3.BucketServerSideEncryptionConfiguration(name, bucket=bucket.id, rules=[rule])


@case("CKV_AWS_18")
def bucket_without_access_logs(name: str, good: bool) -> None:
    bucket = aws.s3.Bucket(name)
    aws.s3.BucketLogging(
        name, bucket=bucket.id if good else ELSEWHERE, target_bucket="logs", target_prefix="a/"
    )


@case("CKV2_AWS_61")
def bucket_that_only_grows(name: str, good: bool) -> None:
    bucket = aws.s3.Bucket(name)
    aws.s3.BucketLifecycleConfiguration(
        name,
        bucket=bucket.id if good else ELSEWHERE,
        rules=[{"id": "old", "status": "Enabled", "expiration": {"days": 90}}],
    )


@case("CKV_AWS_300")
def uploads_that_never_end(name: str, good: bool) -> None:
    rule: Any = {"id": "all", "status": "Enabled", "filter": {"prefix": ""}}
    if good:
        rule["abort_incomplete_multipart_upload"] = {"days_after_initiation": 7}
    aws.s3.BucketLifecycleConfiguration(name, bucket="b", rules=[rule])


@case("CKV2_AWS_65")
def bucket_with_acls(name: str, good: bool) -> None:
    owner = "BucketOwnerEnforced" if good else "ObjectWriter"
    aws.s3.BucketOwnershipControls(name, bucket="b", rule={"object_ownership": owner})


@case("CKV_AWS_70")
def bucket_for_everybody(name: str, good: bool) -> None:
    principal = {"AWS": "arn:aws:iam::123456789012:role/reader"} if good else "*"
    policy = statement(Principal=principal, Action="s3:GetObject", Resource="arn:aws:s3:::b/*")
    aws.s3.BucketPolicy(name, bucket="b", policy=policy)


@case("CKV_AWS_16", "CKV_AWS_17", "CKV_AWS_161", "CKV_AWS_293", "CKV_AWS_157", "CKV_AWS_129")
def careless_database(name: str, good: bool) -> None:
    aws.rds.Instance(
        name,
        engine="postgres",
        instance_class="db.t4g.micro",
        storage_encrypted=good,
        publicly_accessible=not good,
        iam_database_authentication_enabled=good,
        deletion_protection=good,
        multi_az=good,
        enabled_cloudwatch_logs_exports=["postgresql"] if good else [],
    )


@case("CKV2_AWS_69")
def database_without_tls(name: str, good: bool) -> None:
    group = aws.rds.ParameterGroup(
        name,
        name=name,
        family="postgres17",
        parameters=[
            {"name": "log_statement", "value": "ddl"},
            {"name": "rds.force_ssl", "value": "1" if good else "0"},
        ],
    )
    aws.rds.Instance(name, instance_class="db.t4g.micro", parameter_group_name=group.name)


@case("CKV_AWS_38", "CKV_AWS_58", "CKV_AWS_37")
def careless_cluster(name: str, good: bool) -> None:
    logs = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
    aws.eks.Cluster(
        name,
        role_arn="arn:aws:iam::123456789012:role/cluster",
        enabled_cluster_log_types=logs if good else logs[:2],
        encryption_config={"provider": {"key_arn": KEY}, "resources": ["secrets"]}
        if good
        else None,
        vpc_config={
            "subnet_ids": ["subnet-1"],
            "endpoint_public_access": True,
            "public_access_cidrs": [INSIDE if good else EVERYWHERE],
        },
    )


@case("CKV2_AWS_5")
def security_group_of_nothing(name: str, good: bool) -> None:
    """The reference stands inside a block."""
    group = aws.ec2.SecurityGroup(name, description="nodes")
    aws.eks.Cluster(
        name,
        role_arn="arn:aws:iam::123456789012:role/cluster",
        vpc_config={
            "subnet_ids": ["subnet-1"],
            "security_group_ids": [group.id if good else ELSEWHERE],
        },
    )


@case("CKV2_AWS_11")
def vpc_without_flow_logs(name: str, good: bool) -> None:
    vpc = aws.ec2.Vpc(name, cidr_block=INSIDE)
    aws.ec2.FlowLog(name, vpc_id=vpc.id if good else ELSEWHERE, traffic_type="ALL")


@case("CKV2_AWS_12")
def vpc_with_an_open_default_group(name: str, good: bool) -> None:
    vpc = aws.ec2.Vpc(name, cidr_block=INSIDE)
    rule: Any = {"protocol": "-1", "from_port": 0, "to_port": 0, "self": True}
    aws.ec2.DefaultSecurityGroup(name, vpc_id=vpc.id, ingress=[] if good else [rule])


@case("CKV_AWS_130")
def public_subnet(name: str, good: bool) -> None:
    aws.ec2.Subnet(name, vpc_id="vpc-1", cidr_block=INSIDE, map_public_ip_on_launch=not good)


@case("CKV_AWS_51", "CKV_AWS_163", "CKV_AWS_136")
def careless_registry(name: str, good: bool) -> None:
    aws.ecr.Repository(
        name,
        image_tag_mutability="IMMUTABLE" if good else "MUTABLE",
        image_scanning_configuration={"scan_on_push": good},
        encryption_configurations=[{"encryption_type": "KMS" if good else "AES256"}],
    )


@case("CKV_AWS_7")
def key_that_never_changes(name: str, good: bool) -> None:
    aws.kms.Key(name, enable_key_rotation=good)


@case("CKV_AWS_33")
def key_for_everybody(name: str, good: bool) -> None:
    owner = "arn:aws:iam::123456789012:root" if good else "*"
    policy = statement(Principal={"AWS": owner}, Action="kms:*", Resource="*")
    aws.kms.Key(name, policy=policy)


@case("CKV_AWS_62", "CKV_AWS_63")
def everything_allowed(name: str, good: bool) -> None:
    allowed = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/ecm/*"}
    policy = statement(**(allowed if good else {"Action": "*", "Resource": "*"}))
    aws.iam.RolePolicy(name, role="r", policy=policy)


@case("CKV_AWS_355")
def every_table_allowed(name: str, good: bool) -> None:
    table = "arn:aws:dynamodb:us-east-1:123456789012:table/a" if good else "*"
    policy = statement(Action=["dynamodb:GetItem"], Resource=table)
    aws.iam.Policy(name, policy=policy)


@case("CKV_AWS_60")
def role_for_everybody(name: str, good: bool) -> None:
    principal = {"Service": "pods.eks.amazonaws.com"} if good else {"AWS": "*"}
    policy = statement(Principal=principal, Action="sts:AssumeRole")
    aws.iam.Role(name, assume_role_policy=policy)


@case("CKV_AWS_274")
def administrator(name: str, good: bool) -> None:
    policy = "ViewOnlyAccess" if good else "AdministratorAccess"
    aws.iam.RolePolicyAttachment(name, role="r", policy_arn=f"arn:aws:iam::aws:policy/{policy}")


@case("CKV_AWS_27")
def plain_queue(name: str, good: bool) -> None:
    aws.sqs.Queue(name, sqs_managed_sse_enabled=good)


@case("CKV_AWS_79", "CKV_AWS_341")
def careless_nodes(name: str, good: bool) -> None:
    aws.ec2.LaunchTemplate(
        name,
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": "required" if good else "optional",
            "http_put_response_hop_limit": 1 if good else 2,
        },
    )


@case("CKV_AWS_36", "CKV_AWS_67", "CKV_AWS_35")
def careless_trail(name: str, good: bool) -> None:
    aws.cloudtrail.Trail(
        name,
        s3_bucket_name="b",
        enable_log_file_validation=good,
        is_multi_region_trail=good,
        kms_key_id=KEY if good else None,
    )


@case("CKV_AWS_30", "CKV_AWS_29", "CKV_AWS_31", "CKV_AWS_191")
def careless_cache(name: str, good: bool) -> None:
    aws.elasticache.ReplicationGroup(
        name,
        description="cache",
        transit_encryption_enabled=good,
        at_rest_encryption_enabled=good,
        kms_key_id=KEY if good else None,
        user_group_ids=["users"] if good else None,
    )


@case("CKV_AWS_338", "CKV_AWS_158")
def logs_soon_gone(name: str, good: bool) -> None:
    aws.cloudwatch.LogGroup(
        name, retention_in_days=365 if good else 30, kms_key_id=KEY if good else None
    )


@case("CKV_AWS_149")
def secret_without_a_key(name: str, good: bool) -> None:
    aws.secretsmanager.Secret(name, kms_key_id=KEY if good else None)


@case("CKV_AWS_106")
def plain_volumes(name: str, good: bool) -> None:
    aws.ebs.EncryptionByDefault(name, enabled=good)


@case("CKV_AWS_100")
def nodes_with_ssh(name: str, good: bool) -> None:
    access: Any = {"ec2_ssh_key": "k", "source_security_group_ids": ["sg-1"] if good else None}
    aws.eks.NodeGroup(
        name,
        cluster_name="c",
        node_role_arn="arn:aws:iam::123456789012:role/nodes",
        subnet_ids=["subnet-1"],
        scaling_config={"min_size": 1, "max_size": 2, "desired_size": 1},
        remote_access=access,
    )
