"""What holds a domain in its bounds: namespace, quota, network, rights. Always Pulumi's."""

from __future__ import annotations

from aspora import flows, names
from aspora.models import Domain
from aspora.render.objects import Object, named
from aspora.resolve import Workload
from aspora.stack import StackSettings

POD_SECURITY_LEVEL = "restricted"
# What the team may do in its namespace: the brief's verbs, without secrets (decision 6).
TEAM_RULES: list[Object] = [
    {
        "apiGroups": ["apps", "batch"],
        "resources": ["deployments", "cronjobs", "jobs"],
        "verbs": ["get", "list", "create", "update", "patch", "delete"],
    },
    {
        "apiGroups": [""],
        "resources": ["pods", "pods/log"],
        "verbs": ["get", "list", "watch"],
    },
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
]


def namespace(domain: Domain, labels: dict[str, str]) -> Object:
    """The Namespace; its `aspora.io/sandbox` label is what the admission policies go by."""
    runc = domain.sandbox.runtime == "runc"
    own = {
        names.SANDBOX_LABEL: domain.sandbox.runtime,
        "istio-injection": "enabled" if runc else "disabled",
        "pod-security.kubernetes.io/enforce": POD_SECURITY_LEVEL,
        "pod-security.kubernetes.io/audit": POD_SECURITY_LEVEL,
        "pod-security.kubernetes.io/warn": POD_SECURITY_LEVEL,
    }
    annotations = {}
    if domain.sandbox.reason:
        annotations["aspora.io/sandbox-reason"] = domain.sandbox.reason
    if domain.description:
        annotations["aspora.io/description"] = domain.description
    return named("v1", "Namespace", names.namespace(domain.name), None, labels | own, annotations)


def resource_quota(domain: Domain, labels: dict[str, str]) -> Object:
    """The brief's five figures, and no NodePorts: they would go around the gateways."""
    quota = domain.quota
    return named(
        "v1", "ResourceQuota", f"{domain.name}-quota", names.namespace(domain.name), labels
    ) | {
        "spec": {
            "hard": {
                "requests.cpu": quota.cpu,
                "requests.memory": quota.memory,
                "requests.storage": quota.storage,
                "pods": str(quota.pods),
                "services.loadbalancers": str(quota.load_balancers),
                "services.nodeports": "0",
            }
        }
    }


def limit_range(domain: Domain, labels: dict[str, str]) -> Object:
    """Bounds of one container, and what it gets when it names nothing."""
    limits = domain.limits
    amounts = {
        "max": limits.max,
        "min": limits.min,
        "default": limits.default,
        "defaultRequest": limits.default_request,
    }
    item: Object = {"type": "Container"}
    item |= {key: amount.model_dump(exclude_none=True) for key, amount in amounts.items()}
    return named(
        "v1", "LimitRange", f"{domain.name}-limits", names.namespace(domain.name), labels
    ) | {"spec": {"limits": [item]}}


def network_policies(
    domain: Domain,
    workloads: tuple[Workload, ...],
    labels: dict[str, str],
    settings: StackSettings,
) -> list[Object]:
    """`default-deny`, and one policy for each row of the table that some workload needs."""
    space = names.namespace(domain.name)
    deny = named("networking.k8s.io/v1", "NetworkPolicy", "default-deny", space, labels)
    policies = [deny | {"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}]
    for flow in flows.FLOWS:
        mine = [workload.name for workload in workloads if flow.applies(workload)]
        if not mine:
            continue
        everyone = len(mine) == len(workloads)
        selector: Object = (
            {"matchLabels": {names.DOMAIN_LABEL: domain.name}}
            if everyone
            else {"matchExpressions": [{"key": "app", "operator": "In", "values": sorted(mine)}]}
        )
        kind = "Egress" if flow.direction == "to" else "Ingress"
        policy = named(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            f"allow-{flow.name}",
            space,
            labels,
            {"aspora.io/why": flow.why, "aspora.io/asked-by": flow.asked_by},
        )
        rules = [flows.rule(flow, settings)]
        policies.append(
            policy | {"spec": {"podSelector": selector, "policyTypes": [kind], kind.lower(): rules}}
        )
    return policies


def team_rights(domain: Domain, labels: dict[str, str]) -> list[Object]:
    """Role and RoleBinding of the team."""
    space, api = names.namespace(domain.name), "rbac.authorization.k8s.io/v1"
    role = named(api, "Role", f"{domain.name}-deployer", space, labels)
    binding = named(api, "RoleBinding", f"{domain.name}-team-binding", space, labels)
    return [
        role | {"rules": TEAM_RULES},
        binding
        | {
            "subjects": [
                {
                    "kind": "Group",
                    "name": domain.owner.team,
                    "apiGroup": "rbac.authorization.k8s.io",
                }
            ],
            "roleRef": {
                "kind": "Role",
                "name": f"{domain.name}-deployer",
                "apiGroup": "rbac.authorization.k8s.io",
            },
        },
    ]


def pod_monitor(domain: Domain, labels: dict[str, str]) -> Object:
    """Prometheus scrapes every pod of the domain that has the status port."""
    space = names.namespace(domain.name)
    return named(
        "monitoring.coreos.com/v1", "PodMonitor", f"{domain.name}-agents", space, labels
    ) | {
        "spec": {
            "selector": {"matchLabels": {names.DOMAIN_LABEL: domain.name}},
            "podTargetLabels": ["domain", "role", "skill"],
            "podMetricsEndpoints": [{"port": "http-status", "path": "/metrics", "interval": "30s"}],
        }
    }
