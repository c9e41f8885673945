"""The data sources of AWS that programs ask first: who am I, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Values = dict[str, Any]
Apis = Callable[[str], Any]


def _caller(_region: str, api: Apis) -> Values:
    who = api("sts").get_caller_identity()
    account = who["Account"]
    return {"accountId": account, "arn": who["Arn"], "userId": who["UserId"], "id": account}


def _region(region: str, _api: Apis) -> Values:
    return {
        "region": region,
        "name": region,
        "id": region,
        "description": region,
        "endpoint": f"ec2.{region}.amazonaws.com",
    }


def _partition(_region: str, _api: Apis) -> Values:
    return {
        "partition": "aws",
        "id": "aws",
        "dnsSuffix": "amazonaws.com",
        "reverseDnsPrefix": "com.amazonaws",
    }


def _zones(region: str, api: Apis) -> Values:
    zones = api("ec2").describe_availability_zones()["AvailabilityZones"]
    return {
        "id": region,
        "region": region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": [region],
    }


INVOKES: Mapping[str, Callable[[str, Apis], Values]] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
}
