"""Policies of AWS's own resources: the second lock, behind what each role may do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aspora.isolation.containers import is_closed
from aspora.isolation.given import Given, Resource
from aspora.isolation.notes import Noted
from aspora.isolation.owners import actions_of, resources_of
from aspora.isolation.patterns import overlap
from aspora.isolation.promises import PLATFORM
from aspora.isolation.roles import Statement, condition, many, statements

TAG = "aws:PrincipalTag/domain"
OBJECTS = frozenset({"s3:GetObject", "s3:PutObject", "s3:DeleteObject"})
OUT_OF_BOUNDS = (
    *("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"),
    *("iam:CreatePolicyVersion", "iam:DeleteRolePermissionsBoundary", "iam:CreateUser"),
    *("organizations:LeaveOrganization", "account:CloseAccount"),
)
"""What no role of the stack may do, whatever its own policy says."""
NO_DATA = ("-access-logs", "-audit-trail")
"""Logs of S3 and of CloudTrail, which no identity of a pod reads or writes."""
_PUBLIC = ("prod-", "al2023-repos-")
"""Buckets of AWS that hold layers of images and packages of nodes: read by anybody, by name."""


BUCKETS_ARE: Mapping[str, Mapping[str, Any]] = {
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": dict.fromkeys(
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": {
        "rule": {"objectOwnership": "BucketOwnerEnforced"}
    },
}
"""What each bucket has beside its policy."""


class Shields:
    """Policies of buckets, keys, endpoints, and the boundary of all roles."""

    def __init__(self, given: Given, noted: Noted) -> None:
        self._given = given
        self._noted = noted
        self._stopped: dict[str, frozenset[str]] = {}
        for policy in given.resources("aws:s3/bucketPolicy:BucketPolicy"):
            bucket = str(policy.inputs["bucket"]).removesuffix("-id")
            found = [one for one in statements(policy.inputs["policy"]) if _by_domain(one, bucket)]
            stopped = frozenset(action for one in found for action in actions_of(one))
            before = self._stopped.get(bucket, stopped)  # of two policies, AWS keeps either
            self._stopped[bucket] = before & stopped

    def stop(self, name: str, action: str) -> bool:
        """Whether the policy of the bucket in `bucket <name>/…` refuses others' objects."""
        bucket = name.removeprefix("bucket ").partition("/")[0]
        return action in self._stopped.get(bucket, ())

    def hold(self) -> None:
        """Look at each of them."""
        self._buckets()
        self._private()
        self._machines()
        for kind in ("aws:s3/bucketPolicy:BucketPolicy", "aws:kms/key:Key"):
            for resource in self._given.resources(kind):
                self._outsiders(resource)
        for endpoint in self._given.resources("aws:ec2/vpcEndpoint:VpcEndpoint"):
            self._endpoint(endpoint)
        for policy in self._given.resources("aws:iam/policy:Policy"):
            self._boundary(policy)

    def _buckets(self) -> None:
        """Every bucket refuses a domain the others' prefixes, whether it has any there or not."""
        for bucket in self._given.resources("aws:s3/bucket:Bucket"):
            name = str(bucket.inputs.get("bucket", bucket.name))
            lacking = OBJECTS - self._stopped.get(name, frozenset())
            if lacking and not name.endswith(NO_DATA):
                ref = f"BucketPolicy {name}"
                what = "does not keep domains below their prefixes for {}"
                self._noted.note("one side", ref, what, lacking, [ref])

    def _private(self) -> None:
        """No list of a bucket's own, and no policy for the public, counts beside IAM."""
        for kind, asked in BUCKETS_ARE.items():
            held = {
                str(one.inputs["bucket"]).removesuffix("-id")
                for one in self._given.resources(kind)
                if all(one.inputs.get(key) == value for key, value in asked.items())
            }
            for bucket in self._given.resources("aws:s3/bucket:Bucket"):
                name = str(bucket.inputs.get("bucket", bucket.name))
                if name not in held:
                    ref = f"Bucket {name}"
                    what = "may be opened to others: it lacks {}"
                    self._noted.note("one side", ref, what, [kind.rpartition(":")[2]], [ref])

    def _machines(self) -> None:
        """Who is in the cluster, access entries alone say; policies hold; metadata is closed."""
        for cluster in self._given.resources("aws:eks/cluster:Cluster"):
            mode = (cluster.inputs.get("accessConfig") or {}).get("authenticationMode")
            if mode != "API":
                ref = f"Cluster {cluster.name}"
                what = "lets {} say who its users are"
                self._noted.note("one side", ref, what, ["the ConfigMap aws-auth"], [ref])
        policies = [
            one
            for one in self._given.resources("aws:eks/addon:Addon")
            if one.inputs.get("addonName") == "vpc-cni"
        ]
        if not policies or not all(map(_enforces, policies)):
            refs = [f"Addon {one.name}" for one in policies]
            what = "does not hold pods to {} from their start"
            self._noted.note("one side", "Addon vpc-cni", what, ["NetworkPolicies"], refs)
        for template in self._given.resources("aws:ec2/launchTemplate:LaunchTemplate"):
            if not is_closed(template.inputs.get("metadataOptions") or {}):
                ref = f"LaunchTemplate {template.name}"
                what = "makes nodes that tell {} their role"
                self._noted.note("one side", ref, what, ["pods"], [ref])

    def _outsiders(self, resource: Resource) -> None:
        ref = f"{resource.type.rpartition(':')[2]} {resource.name}"
        for one in statements(resource.inputs.get("policy")):
            if one.get("Effect") == "Allow" and not _of_the_account(one):
                whom = str(one.get("Principal"))[:80]
                self._noted.note("outside", ref, "lets {} in", [whom], [ref])

    def _endpoint(self, resource: Resource) -> None:
        """Nothing goes through an endpoint to another account: a way for data to leave."""
        ref = f"VpcEndpoint {resource.name}"
        document = resource.inputs.get("policy")
        found = statements(document) if document else [{"Effect": "Allow", "Action": "*"}]
        for one in found:
            if one.get("Effect") == "Allow" and not _stays(one):
                self._noted.note(
                    "outside", ref, "lets {} through to any account", actions_of(one), [ref]
                )

    def _boundary(self, resource: Resource) -> None:
        ref = f"IAM policy {resource.name}"
        for one in statements(resource.inputs["policy"]):
            if one.get("Effect") != "Allow":
                continue
            beyond = [action for action in OUT_OF_BOUNDS if _gives(one, action)]
            if beyond:
                self._noted.note("one side", ref, "as a boundary, leaves {} open", beyond, [ref])


def _enforces(addon: Resource) -> bool:
    """Strict: a pod is shut until its policies are there (VPC CNI's documentation)."""
    wanted = json.loads(str(addon.inputs.get("configurationValues") or "{}"))
    mode = (wanted.get("env") or {}).get("NETWORK_POLICY_ENFORCING_MODE")
    return wanted.get("enableNetworkPolicy") == "true" and mode == "strict"


def _by_domain(statement: Statement, bucket: str) -> bool:
    """Whether a statement refuses a role tagged with a domain what lies beyond its prefix."""
    wanted: Mapping[str, Any] = {
        "Null": {TAG: "false"},
        "StringNotEquals": {TAG: PLATFORM},
    }
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Principal") == "*"
        and list(many(statement.get("NotResource"))) == [f"arn:aws:s3:::{bucket}/${{{TAG}}}/*"]
        and statement.get("Condition") == wanted
    )


def _of_the_account(statement: Statement) -> bool:
    """The account's own IAM, or a service of AWS for this account's resources."""
    principal = statement.get("Principal")
    if not isinstance(principal, Mapping):
        return False
    if "Service" in principal:
        return any((statement.get("Condition") or {}).values())
    found = many(principal.get("AWS"))
    return bool(found) and all(one.endswith(":root") for one in found)


def _stays(statement: Statement) -> bool:
    own = ("aws:PrincipalAccount", "aws:ResourceAccount")
    if any(condition(statement, key, "StringEquals") for key in own):
        return True
    if set(actions_of(statement)) == {"sts:AssumeRoleWithWebIdentity"}:
        return True  # a token is exchanged before there is a principal
    public = [
        arn.removeprefix("arn:aws:s3:::").startswith(_PUBLIC) for arn in resources_of(statement)
    ]
    return all(public) and set(actions_of(statement)) == {"s3:GetObject"}


def _gives(statement: Statement, action: str) -> bool:
    if "NotAction" in statement:
        return not any(overlap(one, action) for one in many(statement["NotAction"]))
    return any(overlap(one, action) for one in actions_of(statement))
