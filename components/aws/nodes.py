"""Worker nodes: the managed group that must be there first, and what Karpenter needs of AWS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from aspora import iam, iam_controllers, names
from components.aws.identity import PodRole, PodRoleArgs
from components.aws.site import Site, attach, role

NODE_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonSSMManagedInstanceCore",
)
"""Join, pull, and be reached by Session Manager: there is no SSH. The network plugin has a role
of its own."""

ROOT_DEVICE = "/dev/xvda"
"""Of the EKS-optimised AL2023 image."""

INTERRUPTIONS: tuple[tuple[str, str, str], ...] = (
    ("spot-interruption", "aws.ec2", "EC2 Spot Instance Interruption Warning"),
    ("rebalance", "aws.ec2", "EC2 Instance Rebalance Recommendation"),
    ("state-change", "aws.ec2", "EC2 Instance State-change Notification"),
    ("health", "aws.health", "AWS Health Event"),
)
"""What Karpenter's queue hears of, by its documentation."""


@dataclass(frozen=True)
class SystemNodesArgs:
    """`waits_for` are the add-ons without which a node does not become ready."""

    site: Site
    cluster: aws.eks.Cluster
    subnet_ids: Sequence[pulumi.Input[str]]
    waits_for: tuple[pulumi.Resource, ...]


class SystemNodes(pulumi.ComponentResource):
    """The managed node group `system`: Karpenter, CoreDNS and the mesh's control plane."""

    def __init__(
        self, name: str, args: SystemNodesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:SystemNodes", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        wanted = site.aws.nodes
        full = f"{site.name}-system"
        node = role(full, site, iam.trust_service("ec2.amazonaws.com"), child)
        attached = attach(node, full, NODE_POLICIES, child)
        template = self._template(site, full)
        self.group = aws.eks.NodeGroup(
            full,
            cluster_name=args.cluster.name,
            node_group_name="system",
            # The nodes follow the control plane in the same run, after it.
            version=site.settings.cluster.version,
            node_role_arn=node.arn,
            subnet_ids=list(args.subnet_ids),
            ami_type="AL2023_x86_64_STANDARD",
            capacity_type="ON_DEMAND",
            instance_types=[wanted.system.instance_type],
            launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            scaling_config={
                "desired_size": wanted.system.count,
                "min_size": wanted.system.count,
                "max_size": wanted.system.count + 1,
            },
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            labels=dict(names.SYSTEM_NODE_LABELS),
            tags=site.tags(full),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*attached, *args.waits_for]),
        )
        self.register_outputs({"group": self.group.node_group_name})

    def _template(self, site: Site, name: str) -> aws.ec2.LaunchTemplate:
        """IMDSv2 with one hop, so that no pod reaches the node's own credentials; an encrypted
        volume."""
        return aws.ec2.LaunchTemplate(
            name,
            name=name,
            update_default_version=True,
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": 1,
            },
            block_device_mappings=[
                {
                    "device_name": ROOT_DEVICE,
                    "ebs": {
                        "volume_size": site.aws.nodes.system.disk_gib,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[
                {"resource_type": kind, "tags": site.tags(name)} for kind in ("instance", "volume")
            ],
            tags=site.tags(name),
            opts=pulumi.ResourceOptions(parent=self),
        )


@dataclass(frozen=True)
class KarpenterArgs:
    """The cluster that Karpenter grows and shrinks."""

    site: Site
    cluster: aws.eks.Cluster


class Karpenter(pulumi.ComponentResource):
    """The roles of the controller and of its nodes, and the queue of coming interruptions."""

    def __init__(
        self, name: str, args: KarpenterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Karpenter", name, None, opts)
        site = args.site
        node = self._node_role(args)
        queue = self._queue(site)
        policy = pulumi.Output.all(node.arn, queue.arn).apply(
            lambda arns: iam.document(
                iam_controllers.karpenter(site.name, site.region, site.account, arns[0], arns[1])
            )
        )
        PodRole(
            f"{site.name}-karpenter",
            PodRoleArgs(site, args.cluster, "kube-system", "karpenter", policy),
            pulumi.ResourceOptions(parent=self),
        )
        self.queue_name = queue.name
        self.register_outputs({"queue": queue.name})

    def _node_role(self, args: KarpenterArgs) -> aws.iam.Role:
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        name = names.karpenter_node_role(site.name)
        node = role(name, site, iam.trust_service("ec2.amazonaws.com"), child)
        attach(node, name, NODE_POLICIES, child)
        aws.iam.RolePolicy(
            f"{name}-tools",
            name=f"{name}-tools",
            role=node.id,
            policy=iam.document(
                [iam.allow(["s3:GetObject"], [f"arn:aws:s3:::{site.bucket('tools')}/gvisor/*"])]
            ),
            opts=child,
        )
        aws.eks.AccessEntry(
            name,
            cluster_name=args.cluster.name,
            principal_arn=node.arn,
            type="EC2_LINUX",
            tags=site.tags(),
            opts=child,
        )
        return node

    def _queue(self, site: Site) -> aws.sqs.Queue:
        child = pulumi.ResourceOptions(parent=self)
        name = names.interruption_queue(site.name)
        queue = aws.sqs.Queue(
            name,
            name=name,
            message_retention_seconds=300,
            sqs_managed_sse_enabled=True,
            tags=site.tags(),
            opts=child,
        )
        rules = [self._rule(site, queue, *interruption) for interruption in INTERRUPTIONS]
        aws.sqs.QueuePolicy(
            name,
            queue_url=queue.url,
            policy=pulumi.Output.all(queue.arn, *(rule.arn for rule in rules)).apply(
                lambda arns: iam.document(iam.queue_from_events(arns[0], arns[1:]))
            ),
            opts=child,
        )
        return queue

    def _rule(
        self, site: Site, queue: aws.sqs.Queue, short: str, source: str, kind: str
    ) -> aws.cloudwatch.EventRule:
        child = pulumi.ResourceOptions(parent=self)
        name = f"{site.name}-{short}"
        rule = aws.cloudwatch.EventRule(
            name,
            name=name,
            description=f"{kind}, for Karpenter",
            event_pattern=json.dumps({"detail-type": [kind], "source": [source]}, sort_keys=True),
            tags=site.tags(),
            opts=child,
        )
        aws.cloudwatch.EventTarget(
            name, rule=rule.name, target_id="karpenter", arn=queue.arn, opts=child
        )
        return rule
