"""A pod that is as it should be, each kind that holds one, and what must be refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from aspora.render import Object
from tests.guardrails.world import World

REGISTRY = "ghcr.io/aspora/"
OWNER = {"domain": "lab", "owner-team": "lab-team", "cost-center": "lab"}


def namespace(name: str, labels: Mapping[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def account(space: str, name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": space},
    }


def container(name: str = "agent", image: str = f"{REGISTRY}agent:v1") -> Object:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def template(labels: Mapping[str, str] | None = None) -> Object:
    """A pod that every guard rail lets through."""
    return {
        "metadata": {"labels": {"app": "agent", **(OWNER if labels is None else labels)}},
        "spec": {
            "runtimeClassName": "gvisor",
            "serviceAccountName": "agent",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container()],
        },
    }


SELECTED = {"matchLabels": {"app": "agent"}}
Holder = Callable[[Object], Object]


def _once(pod: Object) -> Object:
    return pod | {"spec": pod["spec"] | {"restartPolicy": "Never"}}


HOLDERS: dict[tuple[str, str], Holder] = {
    ("v1", "Pod"): lambda pod: {"spec": pod["spec"]},
    ("v1", "ReplicationController"): lambda pod: {
        "spec": {"selector": {"app": "agent"}, "template": pod}
    },
    ("apps/v1", "Deployment"): lambda pod: {"spec": {"selector": SELECTED, "template": pod}},
    ("apps/v1", "ReplicaSet"): lambda pod: {"spec": {"selector": SELECTED, "template": pod}},
    ("apps/v1", "DaemonSet"): lambda pod: {"spec": {"selector": SELECTED, "template": pod}},
    ("apps/v1", "StatefulSet"): lambda pod: {
        "spec": {"selector": SELECTED, "serviceName": "agent", "template": pod}
    },
    ("batch/v1", "Job"): lambda pod: {"spec": {"template": _once(pod)}},
    ("batch/v1", "CronJob"): lambda pod: {
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": _once(pod)}}}
    },
    ("argoproj.io/v1alpha1", "Rollout"): lambda pod: {
        "spec": {"selector": SELECTED, "template": pod, "strategy": {"canary": {}}}
    },
    ("extensions.agents.x-k8s.io/v1beta1", "SandboxTemplate"): lambda pod: {
        "spec": {"podTemplate": pod}
    },
    ("agents.x-k8s.io/v1beta1", "Sandbox"): lambda pod: {"spec": {"podTemplate": pod}},
}
CUSTOM_HOLDERS = ("Rollout", "SandboxTemplate", "Sandbox")


def holding(kind: tuple[str, str], pod: Object, space: str, name: str = "agent") -> Object:
    """An object of `kind` whose pods are `pod`."""
    meta: Object = {"name": name, "namespace": space}
    if kind[1] == "Pod":
        meta |= pod.get("metadata", {})
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": meta} | HOLDERS[kind](pod)


# --- what must be refused -----------------------------------------------------------------------

GONE: Any = object()


@dataclass(frozen=True)
class Attack:
    """A change of the good pod, and the policy that must refuse it."""

    name: str
    policy: str
    path: tuple[str | int, ...]
    value: Any
    kinds: tuple[str, ...] = ()
    """Where the server's own validation leaves it to the policy; everywhere when empty."""

    def on(self, pod: Object) -> Object:
        """The changed pod."""
        changed = deepcopy(pod)
        place: Any = changed
        for step in self.path[:-1]:
            place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
        last = self.path[-1]
        if self.value is GONE:
            place.pop(last, None)
        elif isinstance(place, dict) and isinstance(place.get(last), list):
            place[last] = [*place[last], *self.value]
        else:
            place[last] = self.value
        return changed


ELSEWHERE = (
    "docker.io/library/alpine:3",
    "alpine:3",
    "aspora/agent:v1",
    REGISTRY.rstrip("/") + ".evil.example/agent:v1",
    REGISTRY.rstrip("/") + ":5000/agent:v1",
    "evil.example/" + REGISTRY + "agent:v1",
    REGISTRY.rstrip("/"),
)
SPEC = ("spec",)
FIRST = ("spec", "containers", 0)
LABELS = ("metadata", "labels")


def _tokens(*sources: Object) -> list[Object]:
    tokens = [{"serviceAccountToken": {"path": f"t{i}"} | s} for i, s in enumerate(sources)]
    return [{"name": "t", "projected": {"sources": tokens}}]


ATTACKS: tuple[Attack, ...] = (
    Attack("no runtime class", "runtime", (*SPEC, "runtimeClassName"), GONE),
    Attack("another runtime class", "runtime", (*SPEC, "runtimeClassName"), "other"),
    *(Attack(f"image {image}", "images", (*FIRST, "image"), image) for image in ELSEWHERE),
    Attack(
        "image of a second container",
        "images",
        (*SPEC, "containers"),
        [container("second", ELSEWHERE[0])],
    ),
    Attack(
        "image of an init container",
        "images",
        (*SPEC, "initContainers"),
        [container("first", ELSEWHERE[0])],
    ),
    Attack(
        "image of an ephemeral container",
        "images",
        (*SPEC, "ephemeralContainers"),
        [{"name": "late", "image": ELSEWHERE[0]}],
        CUSTOM_HOLDERS,
    ),
    Attack(
        "image as a volume",
        "images",
        (*SPEC, "volumes"),
        [{"name": "v", "image": {"reference": ELSEWHERE[0]}}],
    ),
    Attack(
        "hostPath",
        "hardening",
        (*SPEC, "volumes"),
        [{"name": "tmp", "emptyDir": {}}, {"name": "host", "hostPath": {"path": "/"}}],
    ),
    Attack("privileged", "hardening", (*FIRST, "securityContext"), {"privileged": True}),
    Attack(
        "privileged init container",
        "hardening",
        (*SPEC, "initContainers"),
        [container("first") | {"securityContext": {"privileged": True}}],
    ),
    Attack(
        "privileged ephemeral container",
        "hardening",
        (*SPEC, "ephemeralContainers"),
        [container("late") | {"securityContext": {"privileged": True}}],
        CUSTOM_HOLDERS,
    ),
    Attack("hostNetwork", "hardening", (*SPEC, "hostNetwork"), True),
    Attack("hostPID", "hardening", (*SPEC, "hostPID"), True),
    Attack("hostIPC", "hardening", (*SPEC, "hostIPC"), True),
    Attack("a node of its choice", "hardening", (*SPEC, "nodeName"), "platform-0"),
    Attack("token not said", "hardening", (*SPEC, "automountServiceAccountToken"), GONE),
    Attack("token mounted", "hardening", (*SPEC, "automountServiceAccountToken"), True),
    Attack("token as a volume", "hardening", (*SPEC, "volumes"), _tokens({})),
    Attack(
        "token for the API as a volume",
        "hardening",
        (*SPEC, "volumes"),
        _tokens({"audience": "https://kubernetes.default.svc.cluster.local"}),
    ),
    Attack("secrets' reader", "hardening", (*SPEC, "serviceAccountName"), "secret-reader"),
    Attack(
        "secrets' reader by the old field",
        "hardening",
        SPEC,
        {k: v for k, v in template()["spec"].items() if k != "serviceAccountName"}
        | {"serviceAccount": "secret-reader"},
    ),
    Attack("system priority", "hardening", (*SPEC, "priorityClassName"), "system-cluster-critical"),
    Attack("node priority", "hardening", (*SPEC, "priorityClassName"), "system-node-critical"),
    *(Attack(f"no label {key}", "labels", (*LABELS, key), GONE) for key in OWNER),
    *(Attack(f"false label {key}", "labels", (*LABELS, key), "wealth") for key in OWNER),
)

GOOD: Mapping[str, Attack] = {
    "priority class of ours": Attack("", "", (*SPEC, "priorityClassName"), "aspora-standard"),
    "tokens of webhooks": Attack(
        "",
        "",
        (*SPEC, "volumes"),
        _tokens({"audience": "pods.eks.amazonaws.com"}, {"audience": "istio-ca"}),
    ),
    "image of ours as a volume": Attack(
        "",
        "",
        (*SPEC, "volumes"),
        [{"name": "v", "image": {"reference": f"{REGISTRY}data:v1"}}],
    ),
    "init container of ours": Attack("", "", (*SPEC, "initContainers"), [container("first")]),
    "privileged said to be false": Attack("", "", (*FIRST, "securityContext", "privileged"), False),
    "no security context": Attack("", "", (*FIRST, "securityContext"), GONE),
    "host namespaces said to be none": Attack("", "", (*SPEC, "hostNetwork"), False),
    "further labels": Attack("", "", (*LABELS, "skill"), "anything"),
}


def refused(world: World, attack: Attack, kind: tuple[str, str], space: str = "lab") -> bool:
    said = world.refusal(holding(kind, attack.on(template()), space))
    return said[:3] in ("403", "422") and f"Policy 'aspora-{attack.policy}'" in said
