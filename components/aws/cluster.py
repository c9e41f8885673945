"""EKS: the control plane, who may use it, and the add-ons."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from aspora import iam
from components.aws.site import Site, attach, role

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
ACCESS_POLICY = "arn:aws:eks::aws:cluster-access-policy"
ADMINISTRATOR = "AmazonEKSClusterAdminPolicy"


@dataclass(frozen=True)
class ClusterArgs:
    """Subnets of the control plane's interfaces, and the ARNs of the keys."""

    site: Site
    subnet_ids: Sequence[pulumi.Input[str]]
    secrets_key: pulumi.Input[str]
    log_key: pulumi.Input[str]


class Cluster(pulumi.ComponentResource):
    """The control plane alone: no add-on, no node, and nobody may log in yet."""

    def __init__(
        self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Cluster", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        trust = iam.trust_service("eks.amazonaws.com", site.account)
        control = role(f"{site.name}-control-plane", site, trust, child)
        attached = attach(control, f"{site.name}-control-plane", ("AmazonEKSClusterPolicy",), child)
        # Made before EKS makes it without retention and key.
        logs = aws.cloudwatch.LogGroup(
            f"{site.name}-control-plane",
            name=f"/aws/eks/{site.name}/cluster",
            retention_in_days=site.aws.control_plane.log_days,
            kms_key_id=args.log_key,
            tags=site.tags(),
            opts=child,
        )
        self.eks = aws.eks.Cluster(
            site.name,
            name=site.name,
            version=site.settings.cluster.version,
            role_arn=control.arn,
            vpc_config=_endpoint(site, args.subnet_ids),
            access_config={
                "authentication_mode": "API",
                # Whoever runs Pulumi gets an access entry below, which can be taken away again.
                "bootstrap_cluster_creator_admin_permissions": False,
            },
            bootstrap_self_managed_addons=False,
            kubernetes_network_config={
                "ip_family": "ipv4",
                "service_ipv4_cidr": site.aws.control_plane.service_cidr,
            },
            enabled_cluster_log_types=list(LOG_TYPES),
            encryption_config={
                "provider": {"key_arn": args.secrets_key},
                "resources": ["secrets"],
            },
            upgrade_policy={"support_type": "STANDARD"},
            zonal_shift_config={"enabled": True},
            deletion_protection=site.protect,
            tags=site.tags(site.name),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*attached, logs],
                protect=site.protect,
            ),
        )
        for cidr in site.aws.control_plane.private_access_cidrs:
            aws.vpc.SecurityGroupIngressRule(
                f"{site.name}-api-{cidr}",
                security_group_id=self.security_group_id,
                description="The API server's private endpoint",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                cidr_ipv4=cidr,
                tags=site.tags(),
                opts=child,
            )
        self.issuer = self.eks.identities.apply(
            lambda found: str(inside(found, 0, "oidcs", 0, "issuer"))
        )
        self.tokens = aws.iam.OpenIdConnectProvider(
            f"{site.name}-tokens",
            url=self.issuer,
            client_id_lists=["sts.amazonaws.com"],
            tags=site.tags(),
            opts=child,
        )
        self.kubeconfig = pulumi.Output.all(
            self.eks.name, self.eks.endpoint, self.eks.certificate_authority
        ).apply(lambda found: kubeconfig(found[0], found[1], inside(found[2], "data"), site.region))
        self.register_outputs({"name": self.eks.name, "endpoint": self.eks.endpoint})

    @property
    def security_group_id(self) -> pulumi.Output[str]:
        """The group that EKS makes for the control plane and managed nodes."""
        return self.eks.vpc_config.apply(
            lambda found: str(inside(found, "cluster_security_group_id"))
        )


def inside(value: Any, *path: str | int) -> Any:
    """A part of an output; None when `--target` leaves out its resource, which then has none."""
    for key in path:
        if value is None:
            return None
        value = value[key]
    return value


def _endpoint(site: Site, subnet_ids: Sequence[pulumi.Input[str]]) -> Any:
    """Private always; public only for the networks that the stack names."""
    allowed = site.aws.control_plane.public_access_cidrs
    config: dict[str, Any] = {
        "subnet_ids": list(subnet_ids),
        "endpoint_private_access": True,
        "endpoint_public_access": bool(allowed),
    }
    return config | ({"public_access_cidrs": list(allowed)} if allowed else {})


def kubeconfig(name: str, endpoint: str, authority: str, region: str) -> str:
    """A kubeconfig without credentials: the AWS CLI gets a token for whoever runs it."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": endpoint, "certificate-authority-data": authority},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "users": [
            {
                "name": name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "aws",
                        "args": ["--region", region, "eks", "get-token", "--cluster-name", name],
                        "interactiveMode": "Never",
                    }
                },
            }
        ],
    }
    return json.dumps(config, sort_keys=True)


@dataclass(frozen=True)
class Entry:
    """Who gets in: a role, as a Kubernetes group or with one of EKS's access policies."""

    name: str
    principal: pulumi.Input[str]
    group: str = ""
    policy: str = ""


@dataclass(frozen=True)
class AccessArgs:
    """Everybody who may use the API server."""

    site: Site
    cluster: aws.eks.Cluster
    entries: tuple[Entry, ...]


class Access(pulumi.ComponentResource):
    """Access entries: a team is a Kubernetes group, an administrator has EKS's own policy.

    `administrators` are what has to be there before anything is sent to the API server.
    """

    def __init__(
        self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Access", name, None, opts)
        self.administrators: list[pulumi.Resource] = []
        for entry in args.entries:
            made = self._admit(args, entry)
            if entry.policy == ADMINISTRATOR:
                self.administrators += made
        self.register_outputs({"count": len(args.entries)})

    def _admit(self, args: AccessArgs, entry: Entry) -> list[pulumi.Resource]:
        name = f"{args.site.name}-{entry.name}"
        made = aws.eks.AccessEntry(
            name,
            cluster_name=args.cluster.name,
            principal_arn=entry.principal,
            type="STANDARD",
            kubernetes_groups=[entry.group] if entry.group else None,
            tags=args.site.tags(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if not entry.policy:
            return [made]
        policy = aws.eks.AccessPolicyAssociation(
            name,
            cluster_name=args.cluster.name,
            principal_arn=entry.principal,
            policy_arn=f"{ACCESS_POLICY}/{entry.policy}",
            access_scope={"type": "cluster"},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[made]),
        )
        return [made, policy]


@dataclass(frozen=True)
class Addon:
    """An EKS add-on: its configuration, and the ServiceAccount that gets AWS rights, if any."""

    name: str
    version: str | None
    configuration: dict[str, Any]
    service_account: str = ""
    policy: str = ""
    needs_nodes: bool = False


def addons(site: Site) -> tuple[Addon, ...]:
    """The six, in the order they need each other."""
    versions = site.aws.control_plane.addons
    return (
        Addon(
            "vpc-cni",
            versions.vpc_cni,
            {
                "enableNetworkPolicy": "true",
                # Strict: a pod has no packet through before its policies hold.
                "env": {
                    "NETWORK_POLICY_ENFORCING_MODE": "strict",
                    "ENABLE_PREFIX_DELEGATION": "true",
                },
            },
            "aws-node",
            "AmazonEKS_CNI_Policy",
        ),
        Addon("kube-proxy", versions.kube_proxy, {}),
        Addon("eks-pod-identity-agent", versions.pod_identity, {}),
        Addon("coredns", versions.coredns, {"replicaCount": 2}, needs_nodes=True),
        Addon(
            "aws-ebs-csi-driver",
            versions.ebs_csi,
            {"defaultStorageClass": {"enabled": False}},
            "ebs-csi-controller-sa",
            "service-role/AmazonEBSCSIDriverPolicy",
            needs_nodes=True,
        ),
        Addon("metrics-server", versions.metrics_server, {"replicas": 2}, needs_nodes=True),
    )


@dataclass(frozen=True)
class AddonsArgs:
    """`nodes` are waited for by the add-ons that run as ordinary pods."""

    site: Site
    cluster: aws.eks.Cluster
    addons: tuple[Addon, ...]
    nodes: tuple[pulumi.Resource, ...] = ()


class Addons(pulumi.ComponentResource):
    """Add-ons with their configuration; `made` in order."""

    def __init__(
        self, name: str, args: AddonsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Addons", name, None, opts)
        self.made = [self._addon(args, addon) for addon in args.addons]
        self.register_outputs({"names": [addon.name for addon in args.addons]})

    def _addon(self, args: AddonsArgs, addon: Addon) -> aws.eks.Addon:
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        name = f"{site.name}-{addon.name}"
        identities: Any = None
        attached: list[pulumi.Resource] = []
        if addon.service_account:
            trust = iam.trust_pods(site.name, "kube-system", addon.service_account, site.account)
            rights = role(name, site, trust, child)
            attached = attach(rights, name, (addon.policy,), child)
            identities = [{"role_arn": rights.arn, "service_account": addon.service_account}]
        configuration = json.dumps(addon.configuration, sort_keys=True)
        return aws.eks.Addon(
            name,
            cluster_name=args.cluster.name,
            addon_name=addon.name,
            addon_version=addon.version,
            configuration_values=configuration if addon.configuration else None,
            pod_identity_associations=identities,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            tags=site.tags(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*attached, *args.nodes]),
        )
