"""What controllers in the cluster make, priced: Karpenter's nodes, volumes, the load balancer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from aspora.aws_prices import HOURS_A_MONTH, AwsPrices
from aspora.bill import nodes
from aspora.bill.lines import Charge
from aspora.bill.nodes import Pod
from aspora.bill.rules import Stack
from aspora.capacity import MIB
from aspora.render.objects import Object
from aspora.services import demand
from aspora.services.values.common import size
from aspora.stack_aws import Pool

WARM_VOLUMES = "volumes of warm sandboxes"
SPOT = "; on-demand price, the upper bound of spot"


def charges(stack: Stack, rendered: Sequence[Object], prices: AwsPrices) -> Iterator[Charge]:
    """Nodes pool by pool, their volumes and those of warm sandboxes, and the gateway's balancer."""
    started = Decimal(0)
    for charge in _nodes(stack, rendered, prices):
        started += charge.count
        yield charge
    disk = stack.usage["node-disk"]
    volumes = "root volumes of Karpenter's nodes"
    yield Charge(volumes, "ebs.gp3", started * disk, f"{disk} GiB a node")
    if gib := nodes.sandbox_gib(rendered):
        yield Charge(WARM_VOLUMES, "ebs.gp3", gib, "as rendered")
    yield stack.used("network load balancer", "nlb.balancer", "balancers")
    yield stack.used("capacity of the load balancer", "nlb.capacity", "balancer-capacity")


def _nodes(stack: Stack, rendered: Sequence[Object], prices: AwsPrices) -> Iterator[Charge]:
    demands = nodes.demands(rendered, stack.usage["run-extra"])
    settings = stack.aws.nodes
    for place, more in (
        (_Place("platform", settings.platform, prices), _platform_pods(stack)),
        (_Place("gvisor", settings.gvisor, prices), ()),
        (_Place("gvisorSpot", settings.gvisor_spot, prices, SPOT), ()),
    ):
        wanted = demands[place.name]
        pods = wanted.pods + more
        if place.name == "platform":
            pods = _beside_the_system(stack, pods, prices)
        if pods:
            yield place.standing(pods)
        yield from place.running(wanted.runs)


SYSTEM_PODS = (Pod(100, 70 * MIB),) * 2 + (Pod(100, 200 * MIB),) * 2 + (Pod(60, 240 * MIB),) * 2
"""CoreDNS, the metrics server and the volumes' controller, as their add-ons ask."""


def _platform_pods(stack: Stack) -> tuple[Pod, ...]:
    """Of the releases, with their sidecars."""
    settings = stack.settings
    sidecar = Pod(100, 128 * MIB) if size(settings).several else Pod(10, 48 * MIB)
    return tuple(
        nodes.total((Pod(cpu, memory), sidecar)) if meshed else Pod(cpu, memory)
        for cpu, memory, meshed in demand.pods(settings, stack.installed)
    )


def _beside_the_system(stack: Stack, pods: Sequence[Pod], prices: AwsPrices) -> tuple[Pod, ...]:
    """What finds no room on the system nodes, which a small stack's services may fill."""
    if size(stack.settings).several:
        return tuple(pods)
    system = stack.aws.nodes.system
    shape = prices.instances.get(system.instance_type)
    if shape is None:
        return tuple(pods)
    return nodes.left_over((*SYSTEM_PODS, *pods), shape, system.count)


@dataclass(frozen=True)
class _Place:
    """A pool by its name on the bill; `note` is added to what its lines rest on."""

    name: str
    pool: Pool
    prices: AwsPrices
    note: str = ""

    def standing(self, pods: Sequence[Pod]) -> Charge:
        """Nodes for pods that are always there."""
        packed = nodes.pack(pods, self.pool.instance_types, self.prices)
        who = "1 pod asks" if len(pods) == 1 else f"{len(pods)} pods ask"
        asked = f"{who} for {_amount(nodes.total(pods))}"
        if packed is None:
            what = f"nodes of pool {self.name}"
            return Charge(what, "ec2.?", Decimal(1), f"{asked}; no listed type holds them")
        kind = packed.instance_type
        basis = f"{asked}; a node has {_amount(packed.room)}{self.note}{self._limit(packed)}"
        what = f"nodes {kind} of pool {self.name}"
        return Charge(what, f"ec2.{kind}", Decimal(packed.nodes), basis)

    def _limit(self, packed: nodes.Packed) -> str:
        cores = packed.nodes * self.prices.instances[packed.instance_type].vcpu
        most = self.pool.cpu_limit
        return f"; more than the pool's limit of {most} vCPU" if cores > most else ""

    def running(self, runs: Sequence[tuple[Pod, Decimal]]) -> Iterator[Charge]:
        """Nodes that scheduled runs start, each for itself."""
        hours: dict[str, Decimal] = {}
        for pod, length in runs:
            packed = nodes.pack([pod], self.pool.instance_types, self.prices)
            kind = packed.instance_type if packed else "?"
            hours[kind] = hours.get(kind, Decimal(0)) + length
        for kind, total in hours.items():
            yield Charge(
                f"scheduled runs on {kind} of pool {self.name}",
                f"ec2.{kind}",
                total / HOURS_A_MONTH,
                f"{total:.0f} node-hours a month{self.note}",
            )


def _amount(pod: Pod) -> str:
    return f"{pod.cpu}m and {pod.memory // MIB}Mi"
