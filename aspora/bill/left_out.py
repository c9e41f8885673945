"""What a stack does without against a highly available one."""

from __future__ import annotations

from collections.abc import Iterator

from aspora.services.values.common import size
from aspora.stack import StackSettings
from aspora.stack_aws import AwsSettings


def left_out(settings: StackSettings) -> tuple[str, ...]:
    """In words, from the settings; empty for a stack that has it all or no AWS side."""
    if settings.aws is None:
        return ()
    return (*_network(settings.aws), *_nodes(settings, settings.aws), *_data(settings.aws))


def _network(aws: AwsSettings) -> Iterator[str]:
    zones = len(aws.network.zones)
    if aws.network.nat == "single":
        yield "one NAT gateway: with its zone, every zone loses the way out"
    if aws.network.endpoint_zones < zones:
        yield f"interface endpoints in {aws.network.endpoint_zones} of {zones} zones"
    if not aws.network.dns_firewall:
        yield "no DNS Firewall"


def _nodes(settings: StackSettings, aws: AwsSettings) -> Iterator[str]:
    system, zones = aws.nodes.system, len(aws.network.zones)
    if system.count < zones:
        yield f"{system.count} system nodes for {zones} zones"
    if system.instance_type.startswith("t"):
        yield f"burstable nodes ({system.instance_type}): no full CPU for hours"
    if not size(settings).several:
        yield "no nodes of their own for platform services: they share the system nodes"
    if settings.minimal_replicas:
        yield "one pod of each service skill and one warm sandbox"


def _data(aws: AwsSettings) -> Iterator[str]:
    if not aws.database.multi_az:
        yield "no standby of PostgreSQL in another zone"
    if not aws.cache.replicas:
        yield "no replica of Valkey"
    if not aws.detection.guardduty:
        yield "no GuardDuty"
    if not aws.detection.cloudtrail:
        yield "no CloudTrail trail"
