"""What nobody can know before a stack runs: assumed amounts a month, each with its reason.

None of them is measured. Replace an amount as soon as a month's bill says better.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple


class Assumption(NamedTuple):
    """An amount for staging and one for prod, in `unit` a month."""

    name: str
    staging: str
    prod: str
    unit: str
    why: str


ASSUMPTIONS: tuple[Assumption, ...] = (
    Assumption("nat", "100", "500", "GB", "through NAT: images from ghcr.io, calls to models"),
    Assumption("endpoint", "50", "300", "GB", "through interface endpoints: ECR, S3, logs"),
    Assumption("zone", "50", "500", "GB", "between zones, paid for on both sides"),
    Assumption("internet", "0", "200", "GB", "to the Internet beyond the 100 GB that are free"),
    Assumption("balancers", "1", "1", "balancers", "the one in front of aspora-gateway"),
    Assumption("balancer-capacity", "0.5", "3", "capacity units", "of that, as the month's mean"),
    Assumption("logs", "20", "120", "GB", "written: flow logs, the control plane's, RDS metrics"),
    Assumption(
        "logs-kept", "5", "100", "GB", "of those, compressed, for as long as the stack says"
    ),
    Assumption("objects", "50", "500", "GB", "in all buckets, old versions included"),
    Assumption("object-writes", "0.2", "2", "million requests", "a few for each skill execution"),
    Assumption("object-reads", "1", "20", "million requests", "five to ten times the writes"),
    Assumption("images", "10", "30", "GB", "a few versions of each agent's image"),
    Assumption("database-backup", "0", "50", "GB", "beyond the database's size, which is free"),
    Assumption("cache-backup", "0", "18", "GB", "six daily copies of 3 GB beyond the free one"),
    Assumption("key-requests", "0.5", "3", "million requests", "data keys, with bucket keys on"),
    Assumption("secret-requests", "0.05", "0.05", "million requests", "each secret every hour"),
    Assumption("queue-requests", "0.2", "0.2", "million requests", "Karpenter asks all the time"),
    Assumption("dns-queries", "1", "10", "million queries", "to both zones; resolvers cache"),
    Assumption("firewall-queries", "5", "30", "million queries", "of nodes and pods, after caches"),
    Assumption("api-events", "1", "3", "million events", "calls of controllers to AWS"),
    Assumption("flows", "20", "100", "GB", "flow and DNS logs, as GuardDuty reads them"),
    Assumption("audit-events", "5", "30", "million events", "requests to the Kubernetes API"),
    Assumption("object-events", "1", "20", "million events", "as the reads of objects"),
    Assumption("database-vcpu", "2", "2", "vCPU", "db.t4g.micro and db.m7g.large have two"),
    Assumption("node-disk", "50", "50", "GiB", "the root volume of each of Karpenter's nodes"),
    Assumption("run-extra", "10", "10", "minutes", "a node's start and end around a scheduled run"),
)


def usage(environment: str) -> Mapping[str, Decimal]:
    """The amounts of `environment` by name: those of staging unless it is prod."""
    prod = environment == "prod"
    return {item.name: Decimal(item.prod if prod else item.staging) for item in ASSUMPTIONS}
