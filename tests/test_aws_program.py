"""The AWS side, as the program registers it without an engine: the relations that must hold."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pulumi_aws as aws
import pytest

from aspora import names
from aspora.registered import Registered, aws_resources
from aspora.render import render
from aspora.services.secrets import PARTS
from infra.recording import SECRET
from infra.registered_stack import registered
from local.simulation import as_here
from tests.core import ROOT, platform, repository, settings

STACKS = ("staging", "prod")
SECURITY_GROUP_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


@cache
def resources(stack: str) -> tuple[Registered, ...]:
    return tuple(aws_resources(registered(stack, ROOT)))


def of(stack: str, token: str) -> list[Registered]:
    found = [r for r in resources(stack) if r.type.rpartition(":")[2] == token]
    assert found, f"{stack} has no {token}"
    return found


def depends(resource: Registered, name: str) -> list[str]:
    """The names of the resources whose outputs a property holds."""
    return [urn.rpartition("::")[2] for urn in resource.dependencies.get(name, ())]


def statements(policy: str) -> list[dict[str, Any]]:
    return list(json.loads(policy)["Statement"])


# -- network -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", STACKS)
def test_no_security_group_is_open_to_the_world(stack: str) -> None:
    vpc = of(stack, "Vpc")[0].inputs["cidrBlock"].split(".")[:2]
    for rule in of(stack, "SecurityGroupIngressRule"):
        assert rule.inputs["cidrIpv4"].split(".")[:2] == vpc
        assert rule.inputs["fromPort"] == rule.inputs["toPort"]
    for group in of(stack, "SecurityGroup"):
        assert "ingress" not in group.inputs
    for group in of(stack, "DefaultSecurityGroup"):
        assert not group.inputs.keys() & {"ingress", "egress"}
    assert not any("EgressRule" in r.type for r in resources(stack))


@pytest.mark.parametrize("stack", STACKS)
def test_nodes_stand_in_private_subnets_alone(stack: str) -> None:
    public = {name for name in by_name(stack, "Subnet") if "-public-" in name}
    assert len(public) == 3
    for token in ("Cluster", "NodeGroup"):
        for resource in of(stack, token):
            key = "subnetIds" if token == "NodeGroup" else "vpcConfig"
            assert set(depends(resource, key)) & by_name(stack, "Subnet") == {
                name for name in by_name(stack, "Subnet") if "-nodes-" in name
            }
    discovered = {r.name for r in of(stack, "Subnet") if names.DISCOVERY_TAG in r.inputs["tags"]}
    assert discovered == {name for name in by_name(stack, "Subnet") if "-nodes-" in name}
    assert not any(r.inputs["mapPublicIpOnLaunch"] for r in of(stack, "Subnet"))


def by_name(stack: str, token: str) -> set[str]:
    return {r.name for r in of(stack, token)}


@pytest.mark.parametrize("stack", STACKS)
def test_databases_and_endpoints_have_no_way_out(stack: str) -> None:
    routed = {depends(r, "routeTableId")[0] for r in of(stack, "Route")}
    for link in of(stack, "RouteTableAssociation"):
        subnet, table = depends(link, "subnetId")[0], depends(link, "routeTableId")[0]
        closed = "-databases-" in subnet or "-endpoints-" in subnet
        assert (table not in routed) == closed, subnet
    for token in ("SubnetGroup",):
        for group in of(stack, token):
            assert all("-databases-" in name for name in depends(group, "subnetIds"))


def test_a_nat_gateway_a_zone_in_prod_and_one_in_staging() -> None:
    assert len(of("staging", "NatGateway")) == len(of("staging", "Eip")) == 1
    assert len(of("prod", "NatGateway")) == len(of("prod", "Eip")) == 3
    used = {
        depends(r, "natGatewayId")[0] for r in of("prod", "Route") if "natGatewayId" in r.inputs
    }
    assert len(used) == 3


def test_endpoints_that_the_flows_need_are_there() -> None:
    services = {
        r.inputs["serviceName"].partition("us-east-1.")[2] for r in of("prod", "VpcEndpoint")
    }
    assert {"s3", "ecr.api", "ecr.dkr", "sts", "secretsmanager", "logs"} <= services
    assert all(len(r.inputs["subnetIds"]) == 3 for r in of("prod", "VpcEndpoint"))
    assert all(len(r.inputs["subnetIds"]) == 1 for r in of("staging", "VpcEndpoint"))


# -- data ----------------------------------------------------------------------------------------

BUCKET_PARTS = (
    "BucketPublicAccessBlock",
    "BucketVersioning",
    "BucketServerSideEncryptionConfiguration",
    "BucketOwnershipControls",
    "BucketLifecycleConfiguration",
    "BucketPolicy",
)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("part", BUCKET_PARTS)
def test_every_bucket_has_every_part(stack: str, part: str) -> None:
    assert sorted(depends(r, "bucket")[0] for r in of(stack, part)) == sorted(
        by_name(stack, "Bucket")
    )


@pytest.mark.parametrize("stack", STACKS)
def test_every_bucket_has_the_four_blocks_and_takes_tls_alone(stack: str) -> None:
    for block in of(stack, "BucketPublicAccessBlock"):
        flags = {k: v for k, v in block.inputs.items() if k != "bucket"}
        assert list(flags.values()) == [True] * 4
    for policy in of(stack, "BucketPolicy"):
        deny = statements(policy.inputs["policy"])[0]
        assert deny["Effect"] == "Deny"
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


PROTECTED = {
    "staging": Counter(
        {
            "Key": 4,
            "Bucket": 5,
            "Repository": 8,
            "Instance": 1,
            "ReplicationGroup": 1,
            "Zone": 1,
            "Cluster": 1,
        }
    ),
    "prod": Counter(
        {
            "Key": 4,
            "Bucket": 6,
            "Repository": 8,
            "Instance": 1,
            "ReplicationGroup": 1,
            "Zone": 1,
            "Cluster": 1,
        }
    ),
}


@pytest.mark.parametrize("stack", STACKS)
def test_what_must_not_be_lost_is_protected(stack: str) -> None:
    """Each by name: databases, buckets, keys, images, the public zone, the cluster."""
    protected = Counter(r.type.rpartition(":")[2] for r in resources(stack) if r.protect)
    assert protected == PROTECTED[stack]
    database = of(stack, "Instance")[0].inputs
    assert database["deletionProtection"] is True
    assert database["skipFinalSnapshot"] is False
    assert database["finalSnapshotIdentifier"].endswith("-final")
    assert of(stack, "ReplicationGroup")[0].inputs["finalSnapshotIdentifier"].endswith("-final")
    assert of(stack, "Cluster")[0].inputs["deletionProtection"] is True


@pytest.mark.parametrize("stack", STACKS)
def test_no_value_of_a_secret_is_registered(stack: str) -> None:
    """Only endpoints are written, as secrets all the same."""
    assert {r.inputs["secretString"] for r in of(stack, "SecretVersion")} == {SECRET}
    assert {r.name.rpartition("/")[2] for r in of(stack, "Secret")} == {"database"}
    text = json.dumps([dict(r.inputs) for r in resources(stack)]).lower()
    for word in ('"password"', '"passwords"', "authtoken"):
        assert word not in text
    assert of(stack, "Instance")[0].inputs["manageMasterUserPassword"] is True


def test_prod_survives_the_loss_of_a_zone_and_staging_need_not() -> None:
    database, cache = of("prod", "Instance")[0].inputs, of("prod", "ReplicationGroup")[0].inputs
    assert database["multiAz"] is True
    assert cache["automaticFailoverEnabled"] is cache["multiAzEnabled"] is True
    assert of("staging", "Instance")[0].inputs["multiAz"] is False


# -- identities ----------------------------------------------------------------------------------


def agent_policies(stack: str) -> Iterator[tuple[Registered, list[dict[str, Any]]]]:
    """Each association of a domain's namespace with the policy of its role."""
    policies = {r.name: r for r in of(stack, "RolePolicy")}
    for link in of(stack, "PodIdentityAssociation"):
        if link.inputs["namespace"].startswith("aspora-"):
            yield link, statements(policies[link.name].inputs["policy"])


@pytest.mark.parametrize("stack", STACKS)
def test_each_association_has_one_prefix_and_nothing_else(stack: str) -> None:
    seen = Counter[str]()
    for link, found in agent_policies(stack):
        domain = link.inputs["namespace"].removeprefix("aspora-")
        if link.inputs["namespace"] in names.PLATFORM_NAMESPACES:
            continue
        prefix = names.data_prefix(domain, link.inputs["serviceAccount"])
        arns = [arn for s in found for arn in s["Resource"] if arn.startswith("arn:aws:s3")]
        bucket = f"arn:aws:s3:::aspora-{stack}-artifacts"
        assert arns == [f"{bucket}/{prefix}*", bucket]
        assert found[1]["Condition"] == {"StringLike": {"s3:prefix": [f"{prefix}*"]}}
        services = {action.partition(":")[0] for s in found for action in s["Action"]}
        assert services - {"s3", "kms"} in (set(), {"rds-db", "elasticache"})
        seen[prefix] += 1
    assert len(seen) == 15
    assert set(seen.values()) == {1}


@pytest.mark.parametrize("stack", STACKS)
def test_a_secret_reader_reads_its_own_domain_alone(stack: str) -> None:
    policies = {r.name: r for r in of(stack, "RolePolicy")}
    readers = [r for r in of(stack, "Role") if r.name.endswith(".secret-reader")]
    assert len(readers) == 4
    for role in readers:
        domain = role.name.removeprefix(f"aspora-{stack}.").removesuffix(".secret-reader")
        (trust,) = statements(role.inputs["assumeRolePolicy"])
        subjects = [v for k, v in trust["Condition"]["StringEquals"].items() if k.endswith(":sub")]
        assert subjects == [f"system:serviceaccount:aspora-{domain}:secret-reader"]
        found = statements(policies[role.name].inputs["policy"])
        (secret,) = found[0]["Resource"]
        assert secret.endswith(f":secret:aspora/{stack}/{domain}/*")
        assert found[1]["Condition"]["ForAnyValue:StringEquals"] == {
            "kms:ResourceAliases": f"alias/aspora-{stack}-secrets"
        }


def test_the_readers_account_names_the_role_that_is_made() -> None:
    here = as_here(settings("staging"))
    rendered = render(repository(), here)
    annotated = {
        obj["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        for obj in rendered
        if obj["kind"] == "ServiceAccount" and obj["metadata"]["name"] == names.READER_ACCOUNT
    }
    made = {
        f"arn:aws:iam::123456789012:role{r.inputs['path']}{r.inputs['name']}"
        for r in of("staging", "Role")
        if r.name.endswith(names.READER_ACCOUNT)
    }
    assert annotated == made
    assert len(made) == 4 + len(PARTS)


@pytest.mark.parametrize("stack", STACKS)
def test_pod_identity_trusts_one_service_account(stack: str) -> None:
    roles = {r.name: r for r in of(stack, "Role")}
    for link in of(stack, "PodIdentityAssociation"):
        (trust,) = statements(roles[link.name].inputs["assumeRolePolicy"])
        wanted = trust["Condition"]["StringEquals"]
        assert wanted["aws:RequestTag/eks-cluster-name"] == f"aspora-{stack}"
        assert wanted["aws:RequestTag/kubernetes-namespace"] == link.inputs["namespace"]
        assert wanted["aws:RequestTag/kubernetes-service-account"] == link.inputs["serviceAccount"]


@pytest.mark.parametrize("stack", STACKS)
def test_every_role_but_those_of_ci_has_the_boundary(stack: str) -> None:
    free = [r.name for r in of(stack, "Role") if not depends(r, "permissionsBoundary")]
    assert sorted(free) == [f"aspora-{stack}-deploy", f"aspora-{stack}-preview"]


def test_ci_is_trusted_by_exact_subjects() -> None:
    roles = {r.name: r for r in of("prod", "Role")}
    subjects = {
        name: statements(roles[f"aspora-prod-{name}"].inputs["assumeRolePolicy"])[0]["Condition"][
            "StringEquals"
        ]["token.actions.githubusercontent.com:sub"]
        for name in ("preview", "deploy")
    }
    assert subjects == {
        "preview": ["repo:aspora/platform:ref:refs/heads/main"],
        "deploy": ["repo:aspora/platform:environment:prod"],
    }


@pytest.mark.parametrize("stack", STACKS)
def test_each_team_has_an_access_entry_as_its_group(stack: str) -> None:
    groups = {
        group for r in of(stack, "AccessEntry") for group in r.inputs.get("kubernetesGroups", ())
    }
    assert groups == {
        names.PREVIEW_GROUP,
        "ecm-team",
        "fraud-team",
        "support-team",
        "wealth-team",
    }
    policies = {depends(r, "principalArn")[0] for r in of(stack, "AccessPolicyAssociation")}
    assert policies == {f"aspora-{stack}-deploy"}


def test_previews_read_every_kind_we_write_by_its_name_and_no_secret() -> None:
    objects = list(platform("staging"))
    (rules,) = (
        obj["rules"]
        for obj in objects
        if obj["kind"] == "ClusterRole" and obj["metadata"]["name"] == names.PREVIEW_GROUP
    )
    allowed = {(group, kind) for r in rules for group in r["apiGroups"] for kind in r["resources"]}
    written = {(obj["apiVersion"].rpartition("/")[0], _plural(obj["kind"])) for obj in objects}
    assert len(written) > 35
    assert written <= allowed
    assert ("", "secrets") not in allowed
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}


def _plural(kind: str) -> str:
    low = kind.lower()
    if low.endswith("s"):
        return f"{low}es"
    return f"{low[:-1]}ies" if low.endswith("y") and not low.endswith("ay") else f"{low}s"


# -- the cluster ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", STACKS)
def test_the_cluster_is_closed_and_encrypted(stack: str) -> None:
    (cluster,) = (r.inputs for r in of(stack, "Cluster"))
    assert cluster["vpcConfig"]["endpointPublicAccess"] is False
    assert cluster["vpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["accessConfig"] == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": False,
    }
    assert len(cluster["enabledClusterLogTypes"]) == 5
    assert cluster["encryptionConfig"]["resources"] == ["secrets"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_network_plugin_enforces_policies_strictly(stack: str) -> None:
    addons = {r.inputs["addonName"]: r.inputs for r in of(stack, "Addon")}
    assert addons.keys() == {
        "vpc-cni",
        "kube-proxy",
        "eks-pod-identity-agent",
        "coredns",
        "aws-ebs-csi-driver",
        "metrics-server",
    }
    configuration = json.loads(addons["vpc-cni"]["configurationValues"])
    assert configuration["enableNetworkPolicy"] == "true"
    assert configuration["env"]["NETWORK_POLICY_ENFORCING_MODE"] == "strict"


@pytest.mark.parametrize("stack", STACKS)
def test_nodes_take_no_metadata_call_from_a_pod(stack: str) -> None:
    for template in of(stack, "LaunchTemplate"):
        assert template.inputs["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        }
        assert template.inputs["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"


# -- tags and names ------------------------------------------------------------------------------


def taggable(token: str) -> bool:
    """Whether the SDK's class of this type takes tags."""
    module, _, rest = token.removeprefix("aws:").partition("/")
    name = rest.partition(":")[2]
    args = getattr(getattr(aws, module), f"{name}Args", None)
    return args is not None and hasattr(args, "tags")


@pytest.mark.parametrize("stack", STACKS)
def test_everything_that_takes_tags_has_them(stack: str) -> None:
    wanted = {names.OWNER_LABEL, "aspora:environment", "domain"}
    missing = [
        r.urn
        for r in resources(stack)
        if taggable(r.type) and not wanted <= r.inputs.get("tags", {}).keys()
    ]
    assert missing == []
    assert sum(taggable(r.type) for r in resources(stack)) > 100


@pytest.mark.parametrize("stack", STACKS)
def test_names_are_ours_and_fit(stack: str) -> None:
    for role in of(stack, "Role"):
        assert len(role.inputs["name"]) <= 64
        assert role.inputs["path"].startswith("/aspora/")
    for bucket in of(stack, "Bucket"):
        assert len(bucket.inputs["bucket"]) <= 63


# -- a domain more -------------------------------------------------------------------------------

LENDING = """\
name: lending
owner: {team: lending-team, costCenter: lending}
agents:
  - name: officer
    image: aspora/lending-officer:v0.1.0
    model: claude-haiku-4-5
    database: true
    skills:
      - name: check-documents
        description: Says which documents a loan application still lacks.
"""


def test_a_domain_more_adds_its_own_and_changes_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "domains", tmp_path / "domains")
    shutil.copy(ROOT / "Pulumi.staging.yaml", tmp_path)
    (tmp_path / "domains" / "lending").mkdir()
    (tmp_path / "domains" / "lending" / "domain.yaml").write_text(LENDING, encoding="utf-8")
    before = {r.urn: r for r in resources("staging")}
    after = {r.urn: r for r in aws_resources(registered("staging", tmp_path))}
    assert {urn: after[urn] for urn in before} == before
    added = [after[urn] for urn in after.keys() - before.keys()]
    assert len(added) > 10
    assert [r.urn for r in added if "lending" not in r.name] == []


# Names that meet those of the platform's roles, of each other's parts, and of IAM's limit.
MEETING = {
    "deploy": ("deploy", ("team", "secret-reader")),
    "team": ("preview", ("deploy", "team")),
    "ecm-manager": ("preview", ("review",)),
    "a" * 30: ("b" * 63, ("c" * 30, "team")),
}


def test_names_of_domains_teams_and_skills_never_meet(tmp_path: Path) -> None:
    """Nor does it matter that two domains have one team and one image."""
    shutil.copytree(ROOT / "domains", tmp_path / "domains")
    shutil.copy(ROOT / "Pulumi.staging.yaml", tmp_path)
    for domain, (team, skills) in MEETING.items():
        (tmp_path / "domains" / domain).mkdir()
        text = LENDING.partition("    skills:")[0].replace("lending-team", team)
        text = text.replace("name: lending", f"name: {domain}", 1) + "    skills:\n"
        for skill in skills:
            text += f"      - name: {skill}\n        description: Does what it is told.\n"
        (tmp_path / "domains" / domain / "domain.yaml").write_text(text, encoding="utf-8")
    found = tuple(aws_resources(registered("staging", tmp_path)))
    for token in ("role:Role", "accessEntry:AccessEntry", "repository:Repository"):
        of_token = [r for r in found if r.type.endswith(f"/{token}")]
        given = [str(r.inputs.get("name", r.name)) for r in of_token]
        assert len(set(given)) == len(given) == len({r.urn for r in of_token}), token
        assert max(map(len, given)) <= (64 if token == "role:Role" else 100)
