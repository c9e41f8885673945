"""What the proof of isolation says, as plain data.

`Proof` is what commands, pages and tests read; `as_json` is the same as JSON takes it, in the same
order each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

WorkloadKind = Literal["agent", "platform", "gateway", "cluster service", "outside"]
AccessKind = Literal["bucket", "secret", "database", "key", "role", "kubernetes"]
CrossingKind = Literal["call", "network", "aws", "kubernetes", "secret", "tool"]
FindingKind = Literal["crossing", "outside", "one side", "rights", "closed", "unread"]


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    """Pods that are alike: those of one Deployment, CronJob or pool, or of one platform service.

    `domain` is None for what belongs to no domain. `kind` "outside" are addresses and hosts, which
    have no namespace. `labels` are the pods' own.
    """

    namespace: str
    name: str
    kind: WorkloadKind
    domain: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    account: str = ""

    @property
    def id(self) -> str:
        """`namespace/name`, or the name alone of what is outside: what Reach refers to."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True, order=True)
class Reach:
    """`source` may open a connection to `target`; both are IDs of workloads.

    `port` is such as "TCP 8443", "any", or for a call through a gateway its route, such as
    "POST /execute/ecm/field/my-tickets"; `via` are the gateways in between, first to last; `by` the
    objects that allow it, as "NetworkPolicy aspora-ecm/allow-execute".
    """

    source: str
    target: str
    port: str
    via: tuple[str, ...] = ()
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """Somebody may do something to a thing that is no pod.

    `subject` is "identity aspora-ecm/ecm-field", "team ecm-team" or "secret store aspora-ecm/ecm";
    `domain` is the subject's. `owner` is the domain whose thing it is; None is shared, or nobody's.
    `verbs` are actions of IAM or verbs of Kubernetes; `resource` is "bucket aspora-data/ecm/…",
    "secret aspora/prod/ecm/…" or "aspora-ecm: apps/deployments".
    """

    subject: str
    kind: AccessKind
    verbs: tuple[str, ...]
    resource: str
    domain: str | None = None
    owner: str | None = None
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Crossing:
    """A path from one domain into another; `declared` when both domain files say so.

    `source` and `target` are what stands at its ends, `path` says the way in words and `why` what
    declares it, or that nothing does.
    """

    from_domain: str
    to_domain: str
    kind: CrossingKind
    source: str
    target: str
    path: str
    declared: bool
    why: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that breaks the proof, and the objects to look at.

    crossing: a path between domains that nobody declared. outside: another way out of a domain, or
    into it, that nothing promises. one side: still closed, but by one of two locks only. rights:
    more than a team or service is promised. closed: declared and not possible. unread: an object
    the proof cannot judge.
    """

    kind: FindingKind
    subject: str
    message: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One pair of domains: how many declared and undeclared paths lead from one to the other."""

    from_domain: str
    to_domain: str
    declared: int
    undeclared: int


@dataclass(frozen=True, slots=True)
class Proof:
    """All of it. `matrix` has a cell for each ordered pair of two different domains, by name.

    `outside` is what agents may reach beyond the cluster, with the gateways in between; `counts`
    says how much was looked at, so that a proof of nothing cannot pass for one.
    """

    stack: str
    domains: tuple[str, ...]
    workloads: tuple[Workload, ...]
    reaches: tuple[Reach, ...]
    outside: tuple[Reach, ...]
    accesses: tuple[Access, ...]
    crossings: tuple[Crossing, ...]
    findings: tuple[Finding, ...]
    matrix: tuple[Cell, ...]
    counts: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Nothing was found, and something was looked at."""
        return not self.findings and bool(self.domains)


def as_json(proof: Proof) -> dict[str, Any]:
    """The proof as JSON takes it: `docs/reference/isolation.schema.json` describes it."""
    return {"ok": proof.ok, **asdict(proof), "counts": dict(sorted(proof.counts.items()))}
