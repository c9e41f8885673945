"""What a skill's pods cost: the pod-hours of its rendered objects at its pool's prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from aspora.aws_prices import HOURS_A_MONTH, AwsPrices, Price, Shape
from aspora.bill import nodes
from aspora.bill.nodes import GIB, Pod
from aspora.capacity import MIB
from aspora.estimate import assumptions as rules
from aspora.estimate.amounts import Part, cents
from aspora.quantities import parse_memory
from aspora.render.objects import Object
from aspora.resolve import Workload
from aspora.stack_aws import Nodes, Pool

SECONDS_A_DAY = 86_400
VOLUMES = "ebs.gp3"
NO_SPOT_PRICE = "spot is unpriced: on demand instead, an upper bound"


@dataclass(frozen=True, slots=True)
class Hours:
    """Pod-hours a month: low, expected, high, and those that the bill counts nodes for."""

    low: Decimal
    expected: Decimal
    high: Decimal
    billed: Decimal
    why: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a skill keeps busy: pods of one size in one pool, each with `volume_gib` of disk."""

    pod: Pod
    pool: str
    hours: Hours
    volume_gib: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rate:
    """USD for an hour of one pod, on demand and, where it is known, on spot."""

    instance_type: str
    on_demand: Decimal
    spot: Decimal | None = None


def usage(work: Workload, objects: Sequence[Object], overhead: Mapping[str, Pod]) -> Usage:
    """The usage of one skill from its rendered `objects`."""
    index = {nodes.reference(obj): obj for obj in objects}
    for obj in objects:
        if obj["kind"] == "CronJob":
            template = obj["spec"]["jobTemplate"]["spec"]["template"]["spec"]
            hours = _scheduled(nodes.run_hours(obj["spec"], Decimal(0)))
        elif obj["kind"] in nodes.STANDING:
            template, count = nodes.standing(obj, index)
            hours = _standing(work, count, index)
        else:
            continue
        pod = nodes.pod_of(template, overhead)
        return Usage(pod, nodes.pool_of(template), hours, _volume(work))
    raise LookupError(f"{work.id} has no object that runs it")


def _standing(work: Workload, count: int, index: nodes.Index) -> Hours:
    low = Decimal(count)
    if work.skill.sessions is None:
        scaled = index["ScaledObject", work.namespace, work.name]["spec"]
        high = Decimal(scaled["maxReplicaCount"])
        expected = low + (high - low) * rules.SCALED_SHARE
    else:
        most = Decimal(work.skill.sessions.max_sessions)
        expected, high = low + min(_sessions(work), most), low + most
    what = "sandboxes" if work.skill.sessions else "pods"
    why = f"{_plain(low)} to {_plain(high)} {what}, {_plain(expected)} expected"
    all_month = low * HOURS_A_MONTH
    return Hours(all_month, expected * HOURS_A_MONTH, high * HOURS_A_MONTH, all_month, why)


def _sessions(work: Workload) -> Decimal:
    """Sessions in use as a day's mean (Little's law): how many begin, times how long they last."""
    sessions = work.skill.sessions
    if sessions is None:
        return Decimal(0)
    if work.skill.executions_per_day is None:
        return sessions.max_sessions * rules.SCALED_SHARE
    lasting = work.timeout_seconds + sessions.idle_seconds
    return Decimal(work.skill.executions_per_day * lasting) / SECONDS_A_DAY


def _scheduled(hours: Decimal) -> Hours:
    why = f"{_plain(hours)} h a month until the deadlines"
    return Hours(hours * rules.SHORTEST_RUN, hours * rules.EXPECTED_RUN, hours, hours, why)


def _volume(work: Workload) -> Decimal:
    sessions = work.skill.sessions
    if sessions is None or sessions.storage is None:
        return Decimal(0)
    return Decimal(parse_memory(sessions.storage)) / GIB


def parts(used: Usage, pools: Nodes, prices: AwsPrices) -> Iterator[Part]:
    """Compute, and the volumes of sandboxes that have one."""
    asked = f"{used.hours.why}, {used.pod.cpu}m and {used.pod.memory // MIB}Mi each"
    found = rate(used.pod, pool(pools, used.pool), prices, spot=used.pool == "gvisorSpot")
    if found is None:
        why = f"no instance type of the pool {used.pool} that holds the pod has a price"
        yield Part("compute", asked, missing=why)
    else:
        yield _compute(used, found, asked)
    if used.volume_gib:
        yield _volumes(used, prices.price(VOLUMES))


def _compute(used: Usage, found: Rate, asked: str) -> Part:
    usual = found.on_demand if found.spot is None else found.spot
    spot = used.pool == "gvisorSpot"
    basis = f"{asked}; {found.instance_type} {'on spot' if spot else 'on demand'}"
    return Part(
        "compute",
        basis,
        cents(used.hours.low * usual),
        cents(used.hours.expected * usual),
        cents(used.hours.high * max(usual, found.on_demand)),
        keys=_keys(found),
        remark=NO_SPOT_PRICE if spot and found.spot is None else "",
    )


def _keys(found: Rate) -> tuple[str, ...]:
    on_demand = f"ec2.{found.instance_type}"
    return (on_demand,) if found.spot is None else (on_demand, f"{on_demand}.spot")


def _volumes(used: Usage, price: Price) -> Part:
    basis = f"{_plain(used.volume_gib)} GiB each"
    if price.usd is None:
        return Part("volumes", basis, missing=f"{price.key} has no price")
    monthly = used.volume_gib * price.usd / HOURS_A_MONTH
    return Part(
        "volumes",
        basis,
        cents(monthly * used.hours.low),
        cents(monthly * used.hours.expected),
        cents(monthly * used.hours.high),
        keys=(price.key,),
    )


def billed(used: Usage, pools: Nodes, prices: AwsPrices) -> tuple[Decimal, Decimal]:
    """USD of compute and of volumes that are in the bill already: on demand, at the fewest pods.

    What has no price is in no bill either.
    """
    found = rate(used.pod, pool(pools, used.pool), prices)
    volumes = prices.price(VOLUMES).usd or Decimal(0)
    compute = used.hours.billed * found.on_demand if found else Decimal(0)
    return cents(compute), cents(used.hours.billed * used.volume_gib * volumes / HOURS_A_MONTH)


def pool(pools: Nodes, name: str) -> Pool:
    """A pool by its name on the bill."""
    return {"gvisor": pools.gvisor, "gvisorSpot": pools.gvisor_spot, "platform": pools.platform}[
        name
    ]


def rate(pod: Pod, place: Pool, prices: AwsPrices, *, spot: bool = False) -> Rate | None:
    """The cheapest of the pool's types that holds the pod and has a price; None without one."""
    rates = [found for name in place.instance_types if (found := _rate(pod, name, prices, spot))]
    return min(rates, key=_compared, default=None)


def _compared(found: Rate) -> Decimal:
    """To a billionth: types of one family cost the same, and then the first listed is taken."""
    usual = found.on_demand if found.spot is None else found.spot
    return usual.quantize(Decimal("1e-9"))


def _rate(pod: Pod, name: str, prices: AwsPrices, spot: bool) -> Rate | None:  # noqa: FBT001
    shape = prices.instances.get(name)
    on_demand = prices.price(f"ec2.{name}").usd
    if shape is None or on_demand is None:
        return None
    room = nodes.room(shape)
    if pod.cpu > room.cpu or pod.memory > room.memory:
        return None
    taken = share(pod, shape)
    on_spot = prices.price(f"ec2.{name}.spot").usd if spot else None
    return Rate(name, taken * on_demand, None if on_spot is None else taken * on_spot)


def share(pod: Pod, shape: Shape) -> Decimal:
    """The part of a node's price that is the pod's, as OpenCost splits it."""
    whole = shape.vcpu * rules.CORES_TO_GIB + shape.memory_gib
    asked = Decimal(pod.cpu) / 1000 * rules.CORES_TO_GIB + Decimal(pod.memory) / GIB
    return asked / whole


def _plain(value: Decimal) -> str:
    """At most two decimals, none that are 0."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
