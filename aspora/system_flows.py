"""The flows of kube-system: what the cluster's own pods need where policies are enforced strictly.

With the network plugin in strict mode a pod without a policy has no connection at all, CoreDNS
included, so these stand before the first of those pods starts. Pods on the node's own network
(the plugin itself, kube-proxy, the Pod Identity agent) are outside of every policy.

The flows of the platform's other namespaces are made into the same rows: `aspora/services/flows.py`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from aspora import names
from aspora.flows import POD_IDENTITY_ADDRESS, Networks, Peer, Pods, tcp
from aspora.stack import StackSettings

NAMESPACE = "kube-system"
DNS = (("UDP", 53), ("TCP", 53))
CONTROLLERS = ("karpenter", "aws-ebs-csi-driver", "aws-load-balancer-controller")
"""Those that call AWS APIs which have no endpoint in the VPC."""


@dataclass(frozen=True, slots=True)
class EveryPod:
    """Any pod of the cluster."""

    @property
    def shown(self) -> str:
        """For the documentation."""
        return "every pod"


@dataclass(frozen=True, slots=True)
class Namespace:
    """Every pod of one namespace."""

    namespace: str

    @property
    def shown(self) -> str:
        """For the documentation."""
        return f"{self.namespace}, every pod"


@dataclass(frozen=True, slots=True)
class Domains:
    """Every pod of every domain: their namespaces carry the domain's label, no other does."""

    @property
    def shown(self) -> str:
        """For the documentation."""
        return "every pod of a domain"


SystemPeer = Peer | EveryPod | Namespace | Domains


@dataclass(frozen=True, slots=True)
class SystemFlow:
    """One row: which pods of a namespace, by the value of a label, and what they may exchange.

    No `pods` means all of them.
    """

    name: str
    label: str
    pods: tuple[str, ...]
    direction: str
    peer: SystemPeer
    ports: tuple[tuple[str, int], ...]
    why: str
    namespace: str = NAMESPACE


def _service_address(stack: StackSettings) -> Sequence[str]:
    """The first address of the service range: the Service `kubernetes`, as EKS gives it."""
    if stack.aws is None:
        return ()
    network = ip_network(stack.aws.control_plane.service_cidr)
    return (f"{network[1]}/32",)


KUBERNETES = Networks(
    "network.nodeCidrs, aws.controlPlane.serviceCidr (the API server)",
    lambda stack: (*stack.network.node_cidrs, *_service_address(stack)),
)
API_SERVER = Networks("network.nodeCidrs (the API server)", lambda s: s.network.node_cidrs)
NODES = Networks("network.nodeCidrs (kubelets)", lambda s: s.network.node_cidrs)
RESOLVER = Networks("network.vpcCidr (the VPC's resolver)", lambda s: (s.network.vpc_cidr,))
ENDPOINTS = Networks("network.endpointCidrs", lambda s: s.network.endpoint_cidrs)
AGENT = Networks(
    f"{POD_IDENTITY_ADDRESS} (EKS Pod Identity agent)", lambda _: (POD_IDENTITY_ADDRESS,)
)
INTERNET = Networks("the Internet, through NAT", lambda _: ("0.0.0.0/0",))
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10")
"""What is no Internet (RFC 1918, 3927, 6598): left out wherever the Internet is allowed."""

NAME = "app.kubernetes.io/name"

SYSTEM_FLOWS: tuple[SystemFlow, ...] = (
    SystemFlow("dns", "k8s-app", ("kube-dns",), "from", EveryPod(), DNS, "Every pod asks CoreDNS."),
    SystemFlow(
        "dns-metrics",
        "k8s-app",
        ("kube-dns",),
        "from",
        Pods(names.OBSERVABILITY_NAMESPACE, (NAME, "prometheus")),
        tcp(9153),
        "Prometheus scrapes CoreDNS.",
    ),
    SystemFlow(
        "dns-upstream", "k8s-app", ("kube-dns",), "to", RESOLVER, DNS, "CoreDNS asks Route 53."
    ),
    SystemFlow(
        "lookup",
        "",
        (),
        "to",
        Pods(NAMESPACE, ("k8s-app", "kube-dns")),
        DNS,
        "Names are looked up.",
    ),
    SystemFlow("api-server", "", (), "to", KUBERNETES, tcp(443), "Controllers watch the API."),
    SystemFlow("aws-endpoints", "", (), "to", ENDPOINTS, tcp(443), "AWS APIs inside the VPC."),
    SystemFlow("pod-identity", "", (), "to", AGENT, tcp(80), "Credentials of controllers."),
    SystemFlow(
        "aws-apis",
        NAME,
        CONTROLLERS,
        "to",
        INTERNET,
        tcp(443),
        "EC2, load balancers, prices and other AWS APIs that have no endpoint in the VPC.",
    ),
    SystemFlow(
        "kubelets",
        NAME,
        ("metrics-server",),
        "to",
        NODES,
        tcp(10250),
        "The metrics server asks every kubelet.",
    ),
    SystemFlow(
        "metrics-api",
        NAME,
        ("metrics-server",),
        "from",
        API_SERVER,
        tcp(10250, 10251),
        "The API server asks the metrics server; its add-on listens on 10251.",
    ),
    SystemFlow(
        "webhooks",
        NAME,
        ("aws-load-balancer-controller",),
        "from",
        API_SERVER,
        tcp(9443),
        "The API server calls the controller's webhooks.",
    ),
    SystemFlow(
        "controllers-metrics",
        NAME,
        ("karpenter", "aws-load-balancer-controller"),
        "from",
        Pods(names.OBSERVABILITY_NAMESPACE, (NAME, "prometheus")),
        tcp(8080),
        "Prometheus scrapes the controllers.",
    ),
)
