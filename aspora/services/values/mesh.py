"""Istio: control plane, node agent and the two gateways made by its chart."""

from __future__ import annotations

from aspora import names
from aspora.flows import GATEWAY_PORT
from aspora.gateways.mesh_config import MESH_CONFIG
from aspora.services.values.common import (
    CONTAINER_SECURITY,
    CRITICAL,
    POD_SECURITY,
    Values,
    labels,
    placed,
    resources,
    size,
    spread,
)
from aspora.stack import StackSettings

STATUS_PORT = 15021
HTTPS_PORT = 443
PROXY_USER = 1337


def base(_: StackSettings) -> Values:
    """The definitions are ours; left are the validating webhook and the reader's account."""
    return {"base": {"enableIstioConfigCRDs": False}, "defaultRevision": "default"}


def istiod(settings: StackSettings) -> Values:
    """Hosts that nobody registered are refused; native nftables stays off (gVisor cannot)."""
    count = size(settings)
    return {
        "autoscaleEnabled": count.several,
        "autoscaleMin": count.replicas,
        "autoscaleMax": 5,
        "replicaCount": count.replicas,
        "pdb": {"minAvailable": 1},
        "resources": resources(count.pick("100m", "500m"), count.pick("256Mi", "1Gi"), "2Gi"),
        "seccompProfile": {"type": "RuntimeDefault"},
        "nodeSelector": placed(count),
        "topologySpreadConstraints": spread({"app": "istiod"}),
        "podLabels": labels("istiod"),
        "cni": {"enabled": True},
        "global": {
            "defaultPodDisruptionBudget": {"enabled": count.several},
            "priorityClassName": CRITICAL,
            "logAsJson": True,
            "nativeNftables": False,
            "proxy": {
                "resources": resources(
                    count.pick("10m", "100m"), count.pick("48Mi", "128Mi"), "1Gi"
                )
            },
        },
        "meshConfig": dict(MESH_CONFIG),
    }


def cni(_: StackSettings) -> Values:
    """On every node; its chart gives it the priority system-node-critical."""
    return {
        "resources": resources("100m", "100Mi", "256Mi"),
        "seccompProfile": {"type": "RuntimeDefault"},
        "ambient": {"enabled": False},
        "excludeNamespaces": ["kube-system", names.CNI_NAMESPACE],
        "podLabels": labels("istio-cni"),
        "global": {"logAsJson": True, "nativeNftables": False},
    }


def ingress(settings: StackSettings) -> Values:
    """The one caller of agents: clients come by 443 with a token, agents by 8443 with a
    certificate. The load balancer is a Service of ours with the first port alone:
    aspora/gateways/ingress.py.
    """
    service = {
        "type": "ClusterIP",
        "ports": [_port("https-public", HTTPS_PORT), _port("https-agents", GATEWAY_PORT)],
    }
    name = {"app": "aspora-gateway", "istio": "aspora-gateway"}
    return _gateway(settings, "aspora-gateway", name, service)


def egress(settings: StackSettings) -> Values:
    """The one way out: it originates TLS to the hosts that the mesh's rules name."""
    service = {
        "type": "ClusterIP",
        "ports": [_port("https-mesh", HTTPS_PORT), _port("https-agents", GATEWAY_PORT)],
    }
    name = {"app": "istio-egress", "istio": "egressgateway"}
    return _gateway(settings, "istio-egress", name, service)


def _port(name: str, port: int) -> Values:
    """The pods' port is the Service's: the network plugin's policies want it so."""
    return {"name": name, "port": port, "protocol": "TCP", "targetPort": port}


def _gateway(
    settings: StackSettings, name: str, own_labels: dict[str, str], service: Values
) -> Values:
    count = size(settings)
    user = {"runAsUser": PROXY_USER, "runAsGroup": PROXY_USER}
    return {
        "name": name,
        "labels": own_labels | labels(name),
        "replicaCount": count.replicas,
        "autoscaling": {
            "enabled": count.several,
            "minReplicas": count.replicas,
            "maxReplicas": 6,
            "targetCPUUtilizationPercentage": 70,
        },
        "podDisruptionBudget": {"minAvailable": 1} if count.several else {},
        "priorityClassName": CRITICAL,
        "resources": resources(count.pick("50m", "250m"), "256Mi", "1Gi"),
        # It listens on 443 without a right that other users lack; a safe sysctl of the pod's own.
        "securityContext": POD_SECURITY
        | user
        | {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]},
        "containerSecurityContext": CONTAINER_SECURITY | user,
        "nodeSelector": placed(count),
        "topologySpreadConstraints": spread({"app": own_labels["app"]}),
        "serviceAccount": {"create": True, "name": name},
        # An LLM's answer may take minutes: streams end by themselves, not by a roll-out.
        "terminationGracePeriodSeconds": 330,
        "service": service,
    }
