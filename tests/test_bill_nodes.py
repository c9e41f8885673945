"""Karpenter's nodes: pods from rendered objects, packed and priced by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from aspora.aws_prices import aws_prices
from aspora.bill.nodes import (
    DAEMONS_CPU_MILLIS,
    DAEMONS_MEMORY_BYTES,
    Pod,
    demands,
    pack,
    room,
    sandbox_gib,
)
from aspora.capacity import MIB
from tests.bills import line, priced
from tests.core import platform


def test_the_room_on_a_node() -> None:
    shapes = aws_prices().instances
    assert (DAEMONS_CPU_MILLIS, DAEMONS_MEMORY_BYTES) == (320, 400 * MIB)
    # 2000 - 60 - 10 - 320; 8192 x 0.925 - 255 - 11 x 35 - 100 - 400 = 6437.6
    assert room(shapes["t3a.large"]) == Pod(1610, 8192 * MIB * 925 // 1000 - 1140 * MIB)
    # 4000 - 60 - 10 - 2 x 5 - 320; 16384 x 0.925 - 255 - 11 x 58 - 100 - 400 = 13762.2
    assert room(shapes["m6a.xlarge"]) == Pod(3600, 16384 * MIB * 925 // 1000 - 1393 * MIB)
    # 8000 - 60 - 10 - 2 x 5 - 4 x 2.5 - 320
    assert room(shapes["m6a.2xlarge"]).cpu == 7590


def packed(pods: list[Pod], *types: str) -> tuple[str, int] | None:
    found = pack(pods, types, aws_prices())
    return (found.instance_type, found.nodes) if found else None


def test_pods_are_packed_onto_the_cheapest_type() -> None:
    pods = [Pod(350, 640 * MIB)] * 9 + [Pod(600, 640 * MIB)] * 2
    # 600 + 600 + 350 | 4 x 350 | 4 x 350 of 1610 each: 3 x 0.0752 = 0.2256
    assert packed(pods, "t3a.large") == ("t3a.large", 3)
    # 600 + 600 + 6 x 350 = 3300 of 3600 | 3 x 350: 2 x 0.1504 = 0.3008
    assert packed(pods, "t3a.xlarge") == ("t3a.xlarge", 2)
    assert packed(pods, "t3a.xlarge", "t3a.large") == ("t3a.large", 3)


def test_memory_and_the_number_of_pods_fill_a_node_too() -> None:
    assert packed([Pod(100, 3300 * MIB)] * 4, "t3a.large") == ("t3a.large", 4)
    assert packed([Pod(100, 3200 * MIB)] * 4, "t3a.large") == ("t3a.large", 2)
    # 35 pods less 7 daemons
    assert packed([Pod(1, MIB)] * 28, "t3a.large") == ("t3a.large", 1)
    assert packed([Pod(1, MIB)] * 29, "t3a.large") == ("t3a.large", 2)


def test_the_largest_pods_are_placed_first() -> None:
    # 1100 + 500 | 1100 + 500; the small ones first would take three nodes.
    pods = [Pod(500, MIB), Pod(500, MIB), Pod(1100, MIB), Pod(1100, MIB)]
    assert packed(pods, "t3a.large") == ("t3a.large", 2)


def test_of_equal_prices_the_first_type_is_taken() -> None:
    pods = [Pod(500, 1024 * MIB)] * 40
    # 7 pods a node: 6 x 0.1728 = 1.0368; 15 pods a node: 3 x 0.3456 = 1.0368
    assert packed(pods, "m6a.xlarge", "m6a.2xlarge") == ("m6a.xlarge", 6)
    assert packed(pods, "m6a.2xlarge", "m6a.xlarge") == ("m6a.2xlarge", 3)


def test_a_pod_that_no_listed_type_holds() -> None:
    assert packed([Pod(1631, MIB)], "t3a.large") is None
    assert packed([Pod(1631, MIB)], "t3a.large", "t3a.xlarge") == ("t3a.xlarge", 1)
    assert packed([Pod(1, MIB)], "x9.nano") is None


def workload(kind: str, name: str, *, cpu: str = "250m", **spec: Any) -> dict[str, Any]:
    """A service of one container in gVisor; `tolerations` and `runtimeClassName` may differ."""
    container = {"resources": {"requests": {"cpu": cpu, "memory": "512Mi"}}}
    pod = {"containers": [container], "runtimeClassName": "gvisor"} | spec.pop("pod", {})
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": "aspora-pets"},
        "spec": {"replicas": 7, "template": {"spec": pod}} | spec,
    }


def scaled(name: str, least: int) -> dict[str, Any]:
    return {
        "kind": "ScaledObject",
        "metadata": {"name": name, "namespace": "aspora-pets"},
        "spec": {"minReplicaCount": least},
    }


RUNTIME = {
    "kind": "RuntimeClass",
    "metadata": {"name": "gvisor"},
    "overhead": {"podFixed": {"cpu": "100m", "memory": "128Mi"}},
}
IN_GVISOR = Pod(350, 640 * MIB)
SPOT = {"tolerations": [{"key": "spot"}]}


def test_pods_are_counted_from_the_rendered_objects() -> None:
    objects = [
        RUNTIME,
        workload("Rollout", "advise"),
        scaled("advise", 2),
        workload("Deployment", "alone"),
        workload("Rollout", "cheap", pod=SPOT),
        scaled("cheap", 1),
        workload("Rollout", "meshed", pod={"runtimeClassName": None}),
        scaled("meshed", 3),
        {"kind": "Service", "metadata": {"name": "advise"}},
    ]
    found = demands(objects, Decimal(0))
    # KEDA's minimum counts; without it the object's own replicas
    assert found["gvisor"].pods == (IN_GVISOR,) * (2 + 7)
    assert found["gvisorSpot"].pods == (IN_GVISOR,)
    # Outside gVisor a pod has istio-proxy: 100m and 128Mi
    assert found["platform"].pods == (Pod(350, 640 * MIB),) * 3


def test_a_pod_that_asks_for_nothing_weighs_what_comes_with_it() -> None:
    plain = workload("Deployment", "plain")
    plain["spec"]["template"]["spec"]["containers"] = [{}]
    assert demands([RUNTIME, plain], Decimal(0))["gvisor"].pods == (Pod(100, 128 * MIB),) * 7


def test_warm_sandboxes_and_their_volumes() -> None:
    found = platform("staging")
    pool = next(obj for obj in found if obj["kind"] == "SandboxWarmPool")
    size = pool["spec"]["replicas"]
    bigger = [
        obj if obj is not pool else obj | {"spec": obj["spec"] | {"replicas": size + 2}}
        for obj in found
    ]
    before, after = (demands(objects, Decimal(0))["gvisor"].pods for objects in (found, bigger))
    assert len(after) == len(before) + 2
    # Two sandboxes more, of 10 GiB each
    assert sandbox_gib(bigger) == sandbox_gib(found) + 20


def test_a_scheduled_run_keeps_a_node_until_its_deadline() -> None:
    job = workload("Job", "job")["spec"]["template"]
    cron = {
        "kind": "CronJob",
        "metadata": {"name": "triage", "namespace": "aspora-pets"},
        "spec": {
            "schedule": "0 7,14,20 * * *",
            "jobTemplate": {"spec": {"activeDeadlineSeconds": 1020, "template": job}},
        },
    }
    ((pod, hours),) = demands([RUNTIME, cron], Decimal(10))["gvisor"].runs
    assert pod == IN_GVISOR
    # 3 a day x 365.25 / 12 days x (17 + 10) / 60 hours = 91.3125 x 0.45
    assert round(hours, 2) == Decimal("41.09")
    found = line(priced(objects=(RUNTIME, cron)), "scheduled runs on t3a.large of pool gvisor")
    # 41.09 x 0.0752
    assert (found.usd, found.basis) == (Decimal("3.09"), "41 node-hours a month")


def test_the_bill_says_how_nodes_were_reckoned() -> None:
    objects = (RUNTIME, workload("Rollout", "advise"), scaled("advise", 8))
    found = line(priced(objects=objects), "nodes t3a.large of pool gvisor")
    assert (found.count, found.usd) == (Decimal(2), Decimal("109.79"))  # 2 x 0.0752 x 730
    assert found.basis == "8 pods ask for 2800m and 5120Mi; a node has 1610m and 6437Mi"


def test_a_pool_that_would_outgrow_its_limit_says_so() -> None:
    objects = (RUNTIME, workload("Rollout", "advise"), scaled("advise", 41))
    found = line(priced(objects=objects), "nodes t3a.xlarge of pool gvisor")
    assert found.count == 5  # of 4 vCPU each
    assert found.basis.endswith("; more than the pool's limit of 16 vCPU")


def test_spot_is_billed_on_demand_and_says_so() -> None:
    objects = (RUNTIME, workload("Rollout", "cheap", pod=SPOT), scaled("cheap", 1))
    found = line(priced(objects=objects), "nodes t3a.xlarge of pool gvisorSpot")
    assert found.basis.endswith("; on-demand price, the upper bound of spot")


def test_nodes_for_a_pod_that_fits_nowhere_are_unpriced() -> None:
    objects = (RUNTIME, workload("Rollout", "huge", cpu="90"), scaled("huge", 1))
    found = line(priced(objects=objects), "nodes of pool gvisor")
    assert (found.usd, found.price.key) == (None, "ec2.?")
    assert found.basis == "1 pod asks for 90100m and 640Mi; no listed type holds them"
