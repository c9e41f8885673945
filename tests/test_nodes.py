"""Node pools and storage: who fits where, what a stack sets, and what is never left open."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aspora import cron, names
from aspora.models import Sandbox
from aspora.render import Object, Rendered, render
from aspora.render.nodes import GVISOR_TAINT, POOLS, SPOT_TAINT, node_objects, toleration
from aspora.render.storage import OWNER_OF_VOLUME
from aspora.stack import StackSettings
from aspora.stack_aws import AwsSettings
from local.nodes import NODES
from tests.core import of, platform, repository, settings

AWS_STACKS = ("staging", "prod")
STACKS = ("local", *AWS_STACKS)
KARPENTER = ("EC2NodeClass", "NodePool")


def aws_of(stack: str) -> AwsSettings:
    found = settings(stack).aws
    assert found is not None
    return found


def changed_nodes(stack: str, **changes: Any) -> StackSettings:
    """The stack with other `aws.nodes`."""
    aws = aws_of(stack)
    nodes = aws.nodes.model_copy(update=changes)
    return settings(stack, aws=aws.model_copy(update={"nodes": nodes}))


def found(objects: Any, kind: str) -> dict[str, Object]:
    return {obj["metadata"]["name"]: obj["spec"] for obj in objects if obj["kind"] == kind}


def node_of(pool: Mapping[str, Any]) -> Object:
    """`spec` of the nodes a pool makes."""
    spec = pool["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


def requirements(pool: Mapping[str, Any]) -> dict[str, list[str]]:
    return {entry["key"]: entry["values"] for entry in node_of(pool)["requirements"]}


def test_local_has_no_pools_of_karpenter_s() -> None:
    assert not [obj for obj in platform("local") if obj["kind"] in KARPENTER]


# --- Who fits where ------------------------------------------------------------------------------


def pods(objects: Iterable[Object]) -> Iterator[tuple[str, Object]]:
    """Every pod's spec with the skill's name, whatever runs it."""
    for obj in objects:
        spec = obj.get("spec", {})
        template = (
            spec.get("jobTemplate", {}).get("spec", {}).get("template")
            or spec.get("podTemplate")
            or spec.get("template")
        )
        if template and "containers" in template.get("spec", {}):
            yield obj["metadata"]["name"], template["spec"]


def tolerates(pod: Mapping[str, Any], taint: Mapping[str, str]) -> bool:
    return any(
        entry.get("key") == taint["key"]
        and entry.get("operator", "Equal") == "Equal"
        and entry.get("value") == taint["value"]
        and entry.get("effect") in (None, taint["effect"])
        for entry in pod.get("tolerations", [])
    )


def admitted(pod: Object, rendered: Rendered) -> Object:
    """The pod as the server stores it: its RuntimeClass adds a node selector and tolerations."""
    if "runtimeClassName" not in pod:
        return pod
    scheduling = of(rendered, "RuntimeClass", pod["runtimeClassName"])["scheduling"]
    return pod | {
        "nodeSelector": pod.get("nodeSelector", {}) | scheduling["nodeSelector"],
        "tolerations": [*pod.get("tolerations", []), *scheduling["tolerations"]],
    }


def places(pod: Object, rendered: Rendered) -> set[str]:
    """The pools whose nodes the scheduler would take for the pod."""
    pod = admitted(pod, rendered)
    fitting = set()
    for name, pool in found(rendered, "NodePool").items():
        labels = pool["template"].get("metadata", {}).get("labels", {})
        labels = labels | {"karpenter.sh/nodepool": name}  # Karpenter puts it on every node
        matches = pod.get("nodeSelector", {}).items() <= labels.items()
        if matches and all(tolerates(pod, taint) for taint in node_of(pool).get("taints", [])):
            fitting.add(name)
    return fitting


@pytest.mark.parametrize("stack", AWS_STACKS)
def test_every_pod_fits_on_the_pools_that_are_meant_for_it(stack: str) -> None:
    first, *others = repository()
    runc = Sandbox(runtime="runc", reason="A device driver that gVisor does not know.")
    rendered = render([first.model_copy(update={"sandbox": runc}), *others], settings(stack))
    kinds = set()
    for name, pod in pods(rendered):
        gvisor = pod.get("runtimeClassName") == "gvisor"
        spot = any(entry["key"] == "spot" for entry in pod.get("tolerations", []))
        wanted = {"gvisor"} if gvisor else {"platform"}
        if gvisor and spot:
            wanted.add("gvisor-spot")
        assert places(pod, rendered) == wanted, name
        kinds.add((gvisor, spot))
    assert kinds == {(True, True), (True, False), (False, False), (False, True)}


@pytest.mark.parametrize("missing", [GVISOR_TAINT, SPOT_TAINT])
def test_a_spot_node_wants_both_tolerations(missing: Object) -> None:
    rendered = platform("staging")
    left = [toleration(taint) for taint in (GVISOR_TAINT, SPOT_TAINT) if taint != missing]
    pod = {"nodeSelector": {names.RUNTIME_LABEL: "gvisor"}, "tolerations": left}
    assert "gvisor-spot" not in places(pod, rendered)
    assert places(pod | {"tolerations": [*left, toleration(missing)]}, rendered) == {
        "gvisor",
        "gvisor-spot",
    }


@pytest.mark.parametrize("stack", AWS_STACKS)
def test_karpenter_knows_the_labels_of_nodes_that_are_not_there_yet(stack: str) -> None:
    """What a node selector asks for has to be a requirement of the pool, not only a label."""
    for name, pool in found(platform(stack), "NodePool").items():
        labels = pool["template"].get("metadata", {}).get("labels", {})
        assert {key: [value] for key, value in labels.items()}.items() <= (
            requirements(pool).items()
        ), name


def test_spot_pods_prefer_the_pool_that_has_spot() -> None:
    rendered = platform("staging")
    capacity = {
        name: requirements(pool)["karpenter.sh/capacity-type"]
        for name, pool in found(rendered, "NodePool").items()
    }
    assert capacity == {
        "platform": ["on-demand"],
        "gvisor": ["on-demand"],
        "gvisor-spot": ["spot"],
    }
    preferences = [
        term["preference"]["matchExpressions"]
        for _, pod in pods(rendered)
        if any(entry["key"] == "spot" for entry in pod.get("tolerations", []))
        for term in pod["affinity"]["nodeAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
    ]
    assert preferences
    for (expression,) in preferences:
        assert expression["values"] == capacity["gvisor-spot"]
        assert expression["key"] == "karpenter.sh/capacity-type"


def test_the_nodes_that_local_plays_are_those_of_the_pools() -> None:
    pools = found(platform("staging"), "NodePool")
    for node in NODES:
        labels = node["metadata"]["labels"]
        pool = pools[labels["karpenter.sh/nodepool"]]
        wanted = pool["template"].get("metadata", {}).get("labels", {})
        assert wanted.items() <= labels.items()
        assert (names.RUNTIME_LABEL in labels) == (names.RUNTIME_LABEL in wanted)
        assert node.get("spec", {}).get("taints", []) == node_of(pool).get("taints", [])
        for key in ("kubernetes.io/arch", "kubernetes.io/os", "karpenter.sh/capacity-type"):
            assert labels[key] in requirements(pool)[key]
        assert names.OWNER_LABEL not in labels
    assert {node["metadata"]["labels"]["karpenter.sh/nodepool"] for node in NODES} == pools.keys()


# --- What a stack sets ---------------------------------------------------------------------------


@pytest.mark.parametrize("stack", AWS_STACKS)
def test_a_pool_is_what_the_stack_says(stack: str) -> None:
    nodes, zones = aws_of(stack).nodes, aws_of(stack).network.zones
    pools = found(platform(stack), "NodePool")
    assert [kind.name for kind in POOLS] == list(pools)
    set_to = {
        "platform": nodes.platform,
        "gvisor": nodes.gvisor,
        "gvisor-spot": nodes.gvisor_spot,
    }
    for name, pool in pools.items():
        wanted = requirements(pool)
        assert wanted["node.kubernetes.io/instance-type"] == list(set_to[name].instance_types)
        assert wanted["topology.kubernetes.io/zone"] == list(zones)
        assert wanted["kubernetes.io/arch"] == ["amd64"]
        assert wanted["kubernetes.io/os"] == ["linux"]
        assert pool["limits"] == {"cpu": str(set_to[name].cpu_limit)}
        assert "startupTaints" not in node_of(pool)


def test_a_pool_with_a_limit_of_0_stays_and_stays_empty() -> None:
    spot = aws_of("staging").nodes.gvisor_spot.model_copy(update={"cpu_limit": 0})
    pools = found(node_objects(changed_nodes("staging", gvisor_spot=spot)), "NodePool")
    assert pools["gvisor-spot"]["limits"] == {"cpu": "0"}
    assert len(pools) == 3


@pytest.mark.parametrize(
    ("release", "alias"),
    [
        (None, "al2023@latest"),
        ("v20261110", "al2023@v20261110"),
        ("20261110", "al2023@v20261110"),
    ],
)
def test_the_image_is_the_release_that_is_pinned(release: str | None, alias: str) -> None:
    classes = found(node_objects(changed_nodes("prod", ami_release=release)), "EC2NodeClass")
    assert [spec["amiSelectorTerms"] for spec in classes.values()] == [[{"alias": alias}]] * 2


@pytest.mark.parametrize("stack", AWS_STACKS)
def test_a_pool_s_node_class_is_there_and_comes_before_it(stack: str) -> None:
    kinds = [obj["kind"] for obj in platform(stack).cluster if obj["kind"] in KARPENTER]
    assert kinds == ["EC2NodeClass"] * 2 + ["NodePool"] * 3
    classes = found(platform(stack), "EC2NodeClass")
    for name, pool in found(platform(stack), "NodePool").items():
        reference = node_of(pool)["nodeClassRef"]
        assert (reference["group"], reference["kind"]) == ("karpenter.k8s.aws", "EC2NodeClass")
        assert reference["name"] in classes
        tainted = GVISOR_TAINT in node_of(pool).get("taints", [])
        assert ("userData" in classes[reference["name"]]) is tainted, name


@pytest.mark.parametrize("stack", AWS_STACKS)
def test_machines_are_closed_and_found_by_names_of_ours(stack: str) -> None:
    cluster = settings(stack).cluster.name
    for spec in found(platform(stack), "EC2NodeClass").values():
        assert spec["role"] == names.karpenter_node_role(cluster)
        assert "instanceProfile" not in spec
        assert spec["subnetSelectorTerms"] == [{"tags": {"karpenter.sh/discovery": cluster}}]
        assert spec["securityGroupSelectorTerms"] == [{"tags": {"aws:eks:cluster-name": cluster}}]
        assert spec["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpProtocolIPv6": "disabled",
            "httpPutResponseHopLimit": 1,
            "httpTokens": "required",
        }
        assert spec["associatePublicIPAddress"] is False
        (volume,) = spec["blockDeviceMappings"]
        assert volume["ebs"]["encrypted"] is True
        assert volume["ebs"]["volumeType"] == "gp3"
        assert volume["ebs"]["deleteOnTermination"] is True
        assert spec["tags"] == names.tags(stack)


# --- When nodes may be taken away ----------------------------------------------------------------


def hours(text: str) -> float:
    unit = {"h": 1.0, "m": 1 / 60, "s": 1 / 3600}
    return sum(int(number) * unit[mark] for number, mark in re.findall(r"(\d+)([hms])", text))


def open_budgets(pool: Mapping[str, Any], reason: str, at: datetime) -> list[str]:
    """The budgets that hold for `reason` at that time; the strictest of them counts."""
    holding = []
    for budget in pool["disruption"]["budgets"]:
        if reason not in budget.get("reasons", [reason]):
            continue
        schedule = budget.get("schedule")
        if schedule is None or _holds(schedule, hours(budget["duration"]), at):
            holding.append(budget["nodes"])
    return holding


def _holds(schedule: str, duration: float, at: datetime) -> bool:
    minute, hour, *_, days = schedule.split()
    began = at.astimezone(ZoneInfo("UTC")).replace(hour=int(hour), minute=int(minute))
    first, last = (int(day) for day in days.split("-"))
    on = first <= began.isoweekday() <= last
    return on and began <= at < began + timedelta(hours=duration)


DUBAI = ZoneInfo("Asia/Dubai")
MONDAY = datetime(2026, 11, 23, tzinfo=DUBAI)


@pytest.mark.parametrize("stack", AWS_STACKS)
def test_while_people_work_only_empty_nodes_go(stack: str) -> None:
    for name, pool in found(platform(stack), "NodePool").items():
        guarded = name != "gvisor-spot"
        for day in range(7):
            for hour in range(24):
                at = MONDAY + timedelta(days=day, hours=hour)
                work = day < 5 and 9 <= hour < 18
                for reason in ("Drifted", "Underutilized"):
                    assert ("0" in open_budgets(pool, reason, at)) == (guarded and work)
                assert open_budgets(pool, "Empty", at) == ["10%"]


@pytest.mark.parametrize("stack", AWS_STACKS)
def test_schedules_of_budgets_are_cron(stack: str) -> None:
    schedules = {
        budget["schedule"]
        for pool in found(platform(stack), "NodePool").values()
        for budget in pool["disruption"]["budgets"]
        if "schedule" in budget
    }
    assert schedules
    for schedule in schedules:
        cron.parse(schedule)


@pytest.mark.parametrize("stack", AWS_STACKS)
def test_nodes_grow_old_but_not_too_old_and_drain_for_long_enough(stack: str) -> None:
    rendered = platform(stack)
    longest = max(pod.get("terminationGracePeriodSeconds", 30) for _, pod in pods(rendered))
    for name, pool in found(rendered, "NodePool").items():
        node = node_of(pool)
        assert hours(node["expireAfter"]) == (720 if name == "platform" else 336)
        assert hours(node["terminationGracePeriod"]) * 3600 > longest
        assert pool["disruption"]["consolidationPolicy"] == "WhenEmptyOrUnderutilized"
    quiet = of(rendered, "ScaledObject", "ecm-field-my-tickets")["spec"]["advanced"]
    down = quiet["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    for pool in found(rendered, "NodePool").values():
        after = hours(pool["disruption"]["consolidateAfter"]) * 3600
        assert after > down["stabilizationWindowSeconds"], "nodes would go before pods do"


# --- Storage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", STACKS)
def test_every_volume_is_of_a_class_that_is_there_and_encrypted(stack: str) -> None:
    rendered = platform(stack)
    (storage,) = (obj for obj in rendered.cluster if obj["kind"] == "StorageClass")
    assert storage["provisioner"] == "ebs.csi.aws.com"
    assert storage["parameters"]["encrypted"] == "true"
    assert storage["parameters"]["type"] == "gp3"
    assert storage["volumeBindingMode"] == "WaitForFirstConsumer"
    assert storage["reclaimPolicy"] == "Delete"
    assert storage["allowVolumeExpansion"] is True
    assert "annotations" not in storage["metadata"], "it is not the default"
    asked = [
        claim["spec"]["storageClassName"]
        for spec in found(rendered, "SandboxTemplate").values()
        for claim in spec.get("volumeClaimTemplates", [])
    ]
    assert asked
    assert set(asked) == {storage["metadata"]["name"]} == {"fast-ssd"}


def test_a_volume_has_the_tags_of_everything_else_and_its_own_domain() -> None:
    parameters = of(platform("prod"), "StorageClass", "fast-ssd")["parameters"]
    tagged = dict(
        value.split("=", 1) for key, value in parameters.items() if key.startswith("tagSpec")
    )
    assert tagged == names.tags("prod", OWNER_OF_VOLUME)
    # Go's template language: the driver fills it in.
    assert OWNER_OF_VOLUME == (
        '{{ if .PVCNamespace | contains "aspora-" }}{{ .PVCNamespace | substring 7 -1 }}'
        "{{ else }}platform{{ end }}"
    )
    assert names.namespace("wealth")[7:] == "wealth"
