"""Pod Security, quota, LimitRange, RuntimeClass and the scheduler, as the API server has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from aspora.render import Object, Rendered, render
from local.nodes import NODES
from tests.core import repository, settings
from tests.guardrails.attacks import FIRST, GONE, SPEC, Attack, container, holding, template
from tests.guardrails.world import World, wait_for

pytestmark = pytest.mark.engine
POD = ("v1", "Pod")
PETS = {"domain": "pets", "owner-team": "pets-team", "cost-center": "pets"}
SPACE = "aspora-pets"


def pets(name: str = "tried", account: str = "pets-vet-advise") -> Object:
    pod = holding(POD, template(PETS), SPACE, name)
    pod["spec"]["serviceAccountName"] = account
    return pod


# --- Pod Security -------------------------------------------------------------------------------

CONTEXT = (*FIRST, "securityContext")
UNSAFE: Mapping[str, Attack] = {
    "runAsNonRoot != true": Attack("", "", (*SPEC, "securityContext", "runAsNonRoot"), GONE),
    "runAsUser=0": Attack("", "", (*SPEC, "securityContext", "runAsUser"), 0),
    "seccompProfile": Attack("", "", (*SPEC, "securityContext", "seccompProfile"), GONE),
    "unrestricted capabilities": Attack("", "", (*CONTEXT, "capabilities"), GONE),
    'must not include "NET_ADMIN"': Attack(
        "", "", (*CONTEXT, "capabilities", "add"), ["NET_ADMIN"]
    ),
    "allowPrivilegeEscalation != false": Attack(
        "", "", (*CONTEXT, "allowPrivilegeEscalation"), GONE
    ),
    "hostPort": Attack(
        "", "", (*FIRST, "ports"), [{"containerPort": 8080, "hostPort": 8080, "name": "h"}]
    ),
    "forbidden sysctls": Attack(
        "", "", (*SPEC, "securityContext", "sysctls"), [{"name": "kernel.msgmax", "value": "1"}]
    ),
    "hostPath": Attack("", "", (*SPEC, "volumes"), [{"name": "h", "hostPath": {"path": "/"}}]),
    "restricted volume types": Attack(
        "", "", (*SPEC, "volumes"), [{"name": "n", "nfs": {"server": "1.2.3.4", "path": "/"}}]
    ),
    "privileged": Attack("", "", CONTEXT, {"privileged": True}),
    "host namespaces": Attack("", "", (*SPEC, "hostNetwork"), True),
}


@pytest.mark.parametrize("named", UNSAFE)
def test_pod_security_restricted_refuses(world: World, named: str) -> None:
    pod = pets()
    assert world.refusal(pod) == ""
    said = world.refusal(UNSAFE[named].on(pod))
    assert 'violates PodSecurity "restricted' in said
    assert named in said


def test_the_pod_of_every_workload_passes_every_guard_rail(world: World) -> None:
    """Of every kind that makes pods: a CronJob's or a pool's are only made later, or elsewhere."""
    tried = 0
    for stack in ("local", "staging"):
        rendered = render(repository(), settings(stack))
        for obj in (obj for domain in rendered.domains for obj in domain):
            pod = pod_of(obj)
            if pod:
                meta = {"name": "tried", "namespace": obj["metadata"]["namespace"]}
                whole = {"apiVersion": "v1", "kind": "Pod", "metadata": meta | pod["metadata"]}
                spec = pod["spec"]
                data = [{"name": "data", "emptyDir": {}}]  # of a volumeClaimTemplate
                if obj["kind"] == "SandboxTemplate":
                    spec = spec | {"volumes": spec["volumes"] + data}
                assert world.refusal(whole | {"spec": spec}) == "", obj["metadata"]["name"]
                tried += 1
    assert tried >= 24


def pod_of(obj: Object) -> Any:
    """The pod template of a workload; None for any other object."""
    spec = obj.get("spec", {})
    if obj["kind"] == "NodePool":  # its template is a node's
        return None
    if obj["kind"] == "CronJob":
        return spec["jobTemplate"]["spec"]["template"]
    return spec.get("podTemplate") or spec.get("template")


# --- ResourceQuota and LimitRange ---------------------------------------------------------------


@pytest.fixture(scope="module")
def quota(world: World) -> Object:
    """The quota of `pets` (5 pods), once the server holds to it and its two pods count."""
    ref = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "pets-quota", "namespace": SPACE},
    }

    def counted() -> bool:
        used = ((world.client.get(ref) or {}).get("status") or {}).get("used") or {}
        return bool(used.get("pods") == "2")

    wait_for("two pods are counted", counted)
    return world.client.get(ref) or {}


def test_the_quota_counts_what_the_sandbox_takes(quota: Object) -> None:
    overhead = settings().sandbox_overhead
    assert quota["status"]["hard"] == quota["spec"]["hard"]
    used = quota["status"]["used"]
    assert used["requests.cpu"] == f"{2 * (250 + overhead.cpu_millis)}m"
    assert used["requests.memory"] == f"{2 * (512 + overhead.memory_mib)}Mi"


@pytest.mark.parametrize(
    ("amount", "each", "word"),
    [("cpu", "3", "requests.cpu"), ("memory", "6Gi", "requests.memory")],
)
def test_a_pod_over_the_quota_is_refused(
    world: World, quota: Object, amount: str, each: str, word: str
) -> None:
    pod = pets()
    pod["spec"]["containers"] = [
        container(f"c{i}") | {"resources": {"requests": {amount: each}, "limits": {amount: each}}}
        for i in range(3)
    ]
    said = world.refusal(pod)
    assert "exceeded quota: pets-quota" in said
    assert word in said


def test_pods_beyond_the_quota_are_refused_for_real(world: World, quota: Object) -> None:
    made = [pets(f"more-{i}") for i in range(4)]
    said = [words for obj in made for words in world.refusals([obj], dry_run=False)]
    assert len(said) == 1
    assert "exceeded quota: pets-quota, requested: pods=1, used: pods=5, limited: pods=5" in said[0]
    for obj in made[:3]:
        world.client.delete(obj)


def test_volumes_over_the_quota_are_refused(world: World, quota: Object) -> None:
    def claim(size: str) -> Object:
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": SPACE},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size}},
            },
        }

    assert world.refusal(claim("20Gi")) == ""
    assert "requested: requests.storage=21Gi" in world.refusal(claim("21Gi"))


def service(space: str, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "way-in", "namespace": space},
        "spec": {"ports": [{"port": 8080}], "selector": {"app": "x"}} | spec,
    }


def test_services_that_go_around_the_gateways_are_refused(world: World, quota: Object) -> None:
    assert world.refusal(service(SPACE)) == ""
    assert "services.nodeports=1" in world.refusal(service(SPACE, type="NodePort"))
    balancer = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}
    assert "services.loadbalancers=1" in world.refusal(service(SPACE, **balancer))


def test_load_balancers_of_the_brief_reach_pods_without_node_ports(world: World) -> None:
    space = "aspora-wealth"
    balancer = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}
    assert world.refusal(service(space, **balancer)) == ""
    assert "services.nodeports=1" in world.refusal(service(space, type="LoadBalancer"))


@pytest.mark.parametrize(
    ("resources", "word"),
    [
        ({"limits": {"cpu": "5"}}, "maximum cpu usage per Container is 4"),
        ({"limits": {"memory": "9Gi"}}, "maximum memory usage per Container is 8Gi"),
        ({"requests": {"cpu": "50m"}}, "minimum cpu usage per Container is 100m"),
        ({"requests": {"memory": "64Mi"}}, "minimum memory usage per Container is 128Mi"),
    ],
)
def test_the_limit_range_holds(world: World, resources: Object, word: str) -> None:
    pod = pets()
    pod["spec"]["containers"] = [container() | {"resources": resources}]
    assert word in world.refusal(pod)


def test_the_limit_range_fills_in_what_is_left_out(world: World) -> None:
    pod = pets()
    del pod["spec"]["containers"][0]["resources"]
    made = world.client.create(pod, dry_run=True)
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m", "memory": "512Mi"},
        "requests": {"cpu": "100m", "memory": "128Mi"},
    }


# --- RuntimeClass and nodes ---------------------------------------------------------------------

GVISOR_NODES = [
    n["metadata"]["name"] for n in NODES if n["metadata"]["labels"].get("aspora.io/runtime")
]


def ready_pods(world: World, space: str) -> list[Object]:
    """The namespace's pods, once all of them are Ready."""

    def ready() -> bool:
        pods = world.client.list("v1", "Pod", namespace=space)
        return bool(pods) and all(
            any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
            for pod in pods
            if "conditions" in pod["status"] or pytest.fail(str(pod["status"]))
        )

    wait_for(f"pods of {space} are ready", ready)
    return world.client.list("v1", "Pod", namespace=space)


def test_pods_of_gvisor_domains_run_where_gvisor_is(world: World, local: Rendered) -> None:
    overhead = settings().sandbox_overhead
    taken = {"cpu": f"{overhead.cpu_millis}m", "memory": f"{overhead.memory_mib}Mi"}
    for domain in local.domains:
        labels = domain.guardrails[0]["metadata"]["labels"]
        gvisor = labels["aspora.io/sandbox"] == "gvisor"
        pods = ready_pods(world, f"aspora-{domain.name}")
        wanted = sum(obj["spec"]["replicas"] for obj in domain if obj["kind"] == "Deployment")
        assert len(pods) == wanted
        for pod in pods:
            spec = pod["spec"]
            assert spec.get("overhead") == (taken if gvisor else None)
            assert (spec["nodeName"] in GVISOR_NODES) is gvisor
            keys = [t["key"] for t in spec["tolerations"]]
            assert ("aspora.io/runtime" in keys) is gvisor
            assert spec.get("nodeSelector") == ({"aspora.io/runtime": "gvisor"} if gvisor else None)
            assert "spot" not in spec["nodeName"] or "spot" in keys


def test_spot_work_runs_on_spot_and_may_run_elsewhere(world: World, local: Rendered) -> None:
    cron = next(
        obj
        for domain in local.domains
        for obj in domain
        if obj["kind"] == "CronJob" and domain.name == "ecm"
    )
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "by-hand", "namespace": "aspora-ecm"},
        "spec": cron["spec"]["jobTemplate"]["spec"],
    }
    world.client.apply(job)
    selector = "batch.kubernetes.io/job-name=by-hand"

    def pods() -> list[Object]:
        return world.client.list("v1", "Pod", namespace="aspora-ecm", label_selector=selector)

    try:
        wait_for("the job's pod runs", lambda: any(pod["spec"].get("nodeName") for pod in pods()))
        (pod,) = pods()
        assert pod["spec"]["nodeName"] == "gvisor-spot-0"
        assert {"spot", "aspora.io/runtime"} <= {t["key"] for t in pod["spec"]["tolerations"]}
        wait_for(
            "the job ends",
            lambda: (world.client.get(job) or {}).get("status", {}).get("succeeded") == 1,
        )
    finally:
        world.client.delete(job)
