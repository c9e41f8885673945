"""Who may do what: IAM's roles and policies, KMS's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.providers.aws_context import is_gone
from local.providers.aws_entry import AwsType, Call, Lack, Part, Tagging

if TYPE_CHECKING:
    from local.providers.aws_context import Context

Values = dict[str, Any]

AWS_POLICIES = "arn:aws:iam::aws:policy/"
_VERSIONS = 5  # a policy holds no more

UNKNOWN_TO_MOTO = Lack(
    "attach_role_policy",
    "moto holds AWS's own policies only when started with MOTO_IAM_LOAD_MANAGED_POLICIES=true",
)


def attach(context: Context, role: str, policy: str) -> None:
    """Attach a policy. One of AWS's own that moto does not hold stays in the engine's state."""
    try:
        context.ask("attach_role_policy", RoleName=role, PolicyArn=policy)
    except Exception as error:
        if not (policy.startswith(AWS_POLICIES) and is_gone(error)):
            raise


def _attached(context: Context, role: str) -> list[str]:
    answer = context.ask("list_attached_role_policies", RoleName=role)
    return [found["PolicyArn"] for found in answer["AttachedPolicies"]]


def _attach_all(context: Context, values: Values) -> None:
    wanted = values["managedPolicyArns"] or []
    role = context.values["id"]
    for policy in sorted(set(_attached(context, role)) - set(wanted)):
        context.ask("detach_role_policy", RoleName=role, PolicyArn=policy)
    for policy in wanted:
        attach(context, role, policy)


def _all_attached(context: Context) -> Values:
    """Of the policies that the program names: those that moto cannot hold count as attached."""
    wanted = context.inputs.get("managedPolicyArns") or []
    live = _attached(context, context.values["id"])
    held = [arn for arn in wanted if arn in live or arn.startswith(AWS_POLICIES)]
    return {"managedPolicyArns": held}


def _delete_role(context: Context) -> None:
    role = context.values["id"]
    mine = context.values.get("managedPolicyArns") or []
    for policy in _attached(context, role):
        if context.values.get("forceDetachPolicies") or policy in mine:
            context.drop("detach_role_policy", RoleName=role, PolicyArn=policy)
    context.ask("delete_role", RoleName=role)


ROLE = AwsType(
    "aws:iam/role:Role",
    "iam",
    create=Call("create_role", at="Role"),
    identity="{name}",
    read=Call("get_role", {"RoleName": "{id}"}, at="Role"),
    delete=_delete_role,
    required=("name",),
    names={"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"},
    answers={
        "permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn",
        "uniqueId": "RoleId",
    },
    replaces=("name", "path"),
    computed=("arn", "createDate", "uniqueId"),
    defaults={"maxSessionDuration": 3600, "path": "/"},
    gaps={"managedPolicyArns": UNKNOWN_TO_MOTO},
    asides=("forceDetachPolicies",),
    updates=(Call("update_role", {"RoleName": "{id}"}, whole=True),),
    parts=(
        Part(
            ("assumeRolePolicy",),
            Call(
                "update_assume_role_policy",
                {"RoleName": "{id}", "PolicyDocument": "{assumeRolePolicy}"},
            ),
        ),
        Part(
            ("permissionsBoundary",),
            Call("put_role_permissions_boundary", {"RoleName": "{id}"}),
            drop=Call("delete_role_permissions_boundary", {"RoleName": "{id}"}),
        ),
        Part(("managedPolicyArns",), _attach_all, _all_attached),
    ),
    tagging=Tagging("tag_role", "untag_role", {"RoleName": "{id}"}),
)

_PUT_POLICY = Call("put_role_policy", whole=True)
ROLE_POLICY = AwsType(
    "aws:iam/rolePolicy:RolePolicy",
    "iam",
    create=_PUT_POLICY,
    identity="{role}:{name}",
    read=Call("get_role_policy", {"RoleName": "{role}", "PolicyName": "{name}"}),
    delete=Call("delete_role_policy", {"RoleName": "{role}", "PolicyName": "{name}"}),
    required=("name",),
    names={"role": "RoleName", "name": "PolicyName", "policy": "PolicyDocument"},
    replaces=("role", "name"),
    updates=(_PUT_POLICY,),
)


def _attach_one(context: Context, values: Values) -> None:
    attach(context, context.values["role"], values["policyArn"])


def _detach_one(context: Context) -> None:
    context.ask(
        "detach_role_policy",
        RoleName=context.values["role"],
        PolicyArn=context.values["policyArn"],
    )


def _is_detached(context: Context) -> bool:
    policy = context.values["policyArn"]
    return not policy.startswith(AWS_POLICIES) and policy not in _attached(
        context, context.values["role"]
    )


ROLE_POLICY_ATTACHMENT = AwsType(
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "iam",
    create=Call("get_role", {"RoleName": "{role}"}),
    identity="{role}/{policyArn}",
    read=Call("get_role", {"RoleName": "{role}"}, at="Role"),
    delete=_detach_one,
    names={"role": "RoleName"},
    replaces=("role", "policyArn"),
    gaps={"policyArn": UNKNOWN_TO_MOTO},
    parts=(Part(("policyArn",), _attach_one),),
    gone=_is_detached,
)


def _new_policy_version(context: Context, values: Values) -> None:
    """The oldest version makes room."""
    arn = context.values["id"]
    versions = context.ask("list_policy_versions", PolicyArn=arn)["Versions"]
    if len(versions) >= _VERSIONS:
        oldest = min((v for v in versions if not v["IsDefaultVersion"]), key=_number)
        context.ask("delete_policy_version", PolicyArn=arn, VersionId=oldest["VersionId"])
    document = context.parameters(POLICY.create, {"policy": values["policy"]})["PolicyDocument"]
    context.ask("create_policy_version", PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)


def _number(version: Values) -> int:
    return int(version["VersionId"].removeprefix("v"))


def _policy_text(context: Context) -> Values:
    arn = context.values["id"]
    version = context.ask("get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
    call = Call("get_policy_version", {"PolicyArn": arn, "VersionId": version}, at="PolicyVersion")
    found = context.find(call)
    return context.live(iter(["policy"]), found) if found else {}


def _delete_policy(context: Context) -> None:
    arn = context.values["id"]
    for version in context.ask("list_policy_versions", PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            context.ask("delete_policy_version", PolicyArn=arn, VersionId=version["VersionId"])
    context.ask("delete_policy", PolicyArn=arn)


POLICY = AwsType(
    "aws:iam/policy:Policy",
    "iam",
    create=Call("create_policy", at="Policy"),
    identity="{Arn}",
    read=Call("get_policy", {"PolicyArn": "{id}"}, at="Policy"),
    find=Call(
        "get_policy", {"PolicyArn": "arn:aws:iam::{account}:policy{path}{name}"}, at="Policy"
    ),
    delete=_delete_policy,
    required=("name",),
    names={"name": "PolicyName", "policy": "PolicyDocument"},
    answers={"policy": "Document"},
    replaces=("name", "path", "description"),
    computed=("arn", "policyId"),
    defaults={"path": "/"},
    asides=("delayAfterPolicyCreationInMs",),
    parts=(Part(("policy",), _new_policy_version, _policy_text),),
    tagging=Tagging("tag_policy", "untag_policy", {"PolicyArn": "{id}"}),
)


def _provider_arn(context: Context) -> str:
    host = str(context.values["url"]).removeprefix("https://")
    return str(context.fill(f"arn:aws:iam::{{account}}:oidc-provider/{host}"))


OPEN_ID_CONNECT_PROVIDER = AwsType(
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    "iam",
    create=Call("create_open_id_connect_provider"),
    identity=_provider_arn,
    read=Call("get_open_id_connect_provider", {"OpenIDConnectProviderArn": "{id}"}),
    find=Call("get_open_id_connect_provider", {"OpenIDConnectProviderArn": _provider_arn}),
    delete=Call("delete_open_id_connect_provider", {"OpenIDConnectProviderArn": "{id}"}),
    replaces=("url",),
    computed=("arn", "thumbprintLists"),
    made={"arn": "{id}"},
    kept={"clientIdLists": Lack("add_client_id_to_open_id_connect_provider")},
    required=("url",),
    unread=("url",),
    updates=(
        Call("update_open_id_connect_provider_thumbprint", {"OpenIDConnectProviderArn": "{id}"}),
    ),
    tagging=Tagging(
        "tag_open_id_connect_provider",
        "untag_open_id_connect_provider",
        {"OpenIDConnectProviderArn": "{id}"},
    ),
)


def _rotate(context: Context, _values: Values) -> None:
    """Both settings go in one call, so both are sent as they stand."""
    identity = context.values["id"]
    if not context.values.get("enableKeyRotation"):
        context.ask("disable_key_rotation", KeyId=identity)
        return
    days = context.values.get("rotationPeriodInDays")
    period = {"RotationPeriodInDays": days} if days else {}
    context.ask("enable_key_rotation", KeyId=identity, **period)


def _rotation(context: Context) -> Values:
    answer = context.ask("get_key_rotation_status", KeyId=context.values["id"])
    found = {"enableKeyRotation": answer["KeyRotationEnabled"]}
    if answer.get("RotationPeriodInDays"):
        found["rotationPeriodInDays"] = answer["RotationPeriodInDays"]
    return found


def _enable(context: Context, values: Values) -> None:
    verb = "disable_key" if values["isEnabled"] is False else "enable_key"
    context.ask(verb, KeyId=context.values["id"])


_KEY_POLICY = {"KeyId": "{id}", "PolicyName": "default"}
KEY = AwsType(
    "aws:kms/key:Key",
    "kms",
    create=Call("create_key", at="KeyMetadata"),
    identity="{KeyId}",
    read=Call("describe_key", {"KeyId": "{id}"}, at="KeyMetadata"),
    delete=Call(
        "schedule_key_deletion", {"KeyId": "{id}", "PendingWindowInDays": "{deletionWindowInDays}"}
    ),
    names={"customerMasterKeySpec": "KeySpec", "isEnabled": "Enabled"},
    replaces=("keyUsage", "customerMasterKeySpec", "multiRegion", "customKeyStoreId"),
    computed=("arn", "keyId", "policy"),
    asides=("deletionWindowInDays", "bypassPolicyLockoutSafetyCheck"),
    gaps={
        "rotationPeriodInDays": Lack("get_key_rotation_status", "moto does not answer the period")
    },
    parts=(
        Part(("description",), Call("update_key_description", {"KeyId": "{id}"})),
        Part(
            ("policy",),
            Call("put_key_policy", _KEY_POLICY),
            Call("get_key_policy", _KEY_POLICY),
        ),
        Part(("enableKeyRotation", "rotationPeriodInDays"), _rotate, _rotation),
        Part(("isEnabled",), _enable),
    ),
    tagging=Tagging(
        "tag_resource",
        "untag_resource",
        {"KeyId": "{id}"},
        Call("list_resource_tags", {"KeyId": "{id}"}),
    ),
    gone={"KeyState": ("PendingDeletion",)},
)

ALIAS = AwsType(
    "aws:kms/alias:Alias",
    "kms",
    create=Call("create_alias"),
    identity="{name}",
    answers={"arn": "AliasArn"},
    read=Call("list_aliases", at="Aliases", where={"AliasName": "{id}"}),
    delete=Call("delete_alias", {"AliasName": "{id}"}),
    required=("name",),
    names={"name": "AliasName"},
    replaces=("name",),
    computed=("arn", "targetKeyArn"),
    made={"targetKeyArn": "arn:aws:kms:{region}:{account}:key/{targetKeyId}"},
    updates=(Call("update_alias", {"AliasName": "{id}"}),),
)

KINDS = (
    *(ROLE, ROLE_POLICY, ROLE_POLICY_ATTACHMENT, POLICY, OPEN_ID_CONNECT_PROVIDER),
    *(KEY, ALIAS),
)
