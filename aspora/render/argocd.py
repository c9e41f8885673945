"""Argo CD's view of a domain with `delivery: argocd`: an AppProject and an Application.

Pulumi owns the guard rails and these two; Argo CD applies the workloads from the rendered tree.
Neither creates the namespace, and deleting the Application deletes no workload (it has no
finalizer): a change of delivery retains what runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from aspora import names
from aspora.models import Domain
from aspora.render.objects import IGNORED_FIELDS, Object, ignored_fields, named
from aspora.stack import StackSettings

API = "argoproj.io/v1alpha1"


def project(
    domain: Domain, labels: dict[str, str], settings: StackSettings, workloads: Iterable[Object]
) -> Object:
    """What the domain's Application may apply: these kinds, into its own namespace alone."""
    kinds = sorted({(_group(obj), obj["kind"]) for obj in workloads})
    return named(
        API, "AppProject", names.namespace(domain.name), names.ARGOCD_NAMESPACE, labels
    ) | {
        "spec": {
            "description": f"Workloads of {domain.name}",
            "sourceRepos": [settings.gitops.repo_url],
            "destinations": [
                {
                    "server": "https://kubernetes.default.svc",
                    "namespace": names.namespace(domain.name),
                }
            ],
            "clusterResourceWhitelist": [],
            "namespaceResourceWhitelist": [{"group": group, "kind": kind} for group, kind in kinds],
        }
    }


def application(domain: Domain, labels: dict[str, str], settings: StackSettings) -> Object:
    """The brief's Application; retried 5 times, from 5 s doubling to 3 minutes."""
    progressive = settings.progressive_delivery
    ignored = [
        {
            "group": _GROUPS[kind],
            "kind": kind,
            "jsonPointers": list(ignored_fields(kind, progressive=progressive)),
        }
        for kind in sorted(IGNORED_FIELDS)
        if ignored_fields(kind, progressive=progressive)
    ]
    return named(
        API, "Application", names.namespace(domain.name), names.ARGOCD_NAMESPACE, labels
    ) | {
        "spec": {
            "project": names.namespace(domain.name),
            "source": {
                "repoURL": settings.gitops.repo_url,
                "targetRevision": settings.gitops.branch,
                "path": f"{settings.gitops.path}/{domain.name}",
            },
            "destination": {
                "server": "https://kubernetes.default.svc",
                "namespace": names.namespace(domain.name),
            },
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["ServerSideApply=true", "RespectIgnoreDifferences=true"],
                "retry": {
                    "limit": 5,
                    "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"},
                },
            },
            "ignoreDifferences": ignored,
        }
    }


_GROUPS = {
    "Deployment": "apps",
    "Rollout": "argoproj.io",
    "Service": "",
    "VirtualService": "networking.istio.io",
}


def _group(obj: Object) -> str:
    group, _, version = obj["apiVersion"].rpartition("/")
    return group if version else ""
