"""What the tests of `aspora doctor --stack` share: settings, single checks, answers of AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from typing import Any

from botocore.stub import Stubber

from aspora.named_secrets import NamedSecret
from aspora.stack_aws import Addons
from infra.preflight.check import Check, Look, guarded
from tests.account_lab import (
    NUMBER,
    SHA256,
    Script,
    entered,
    staging,
)

TODAY = date(2026, 11, 25)
VERSION = staging().cluster.version
ZONE = staging().aws.dns.public_zone  # type: ignore[union-attr]
PINNED = "v1.20.4-eksbuild.1"
READY: dict[str, Any] = {
    "control_plane__private_access_cidrs": ("10.99.0.0/16",),
    "control_plane__admins": (f"arn:aws:iam::{NUMBER}:role/moto",),
    "account_id": NUMBER,
    "nodes__gvisor_runtime__sha256": SHA256,
    "nodes__gvisor_runtime__verified": True,
    "nodes__ami_release": "v20261110",
    "control_plane__addons": Addons().model_copy(update=dict.fromkeys(Addons.model_fields, PINNED)),
}
"""Settings that leave nothing to be said."""
BOOTSTRAP = "aspora bootstrap --stack staging"


def nobody(_: str) -> frozenset[str] | None:
    """A machine without a resolver."""
    return None


def look(secrets: tuple[NamedSecret, ...] = (), **changes: Any) -> Look:
    return Look(entered(**changes), secrets, TODAY, nobody)


def found(probe: Callable[[Look], Iterator[Check]], given: Look) -> list[Check]:
    return guarded("the check", probe, given)


def stubbed(given: Look, service: str, *answers: tuple[str, dict[str, Any], dict[str, Any]]) -> Any:
    """A client of `service` that answers these calls in this order, and no others."""
    stub = Stubber(given.account.aws.client(service))
    for operation, answer, expected in answers:
        stub.add_response(operation, answer, expected)
    return stub


def one(given: Look, probe: Callable[[Look], Iterator[Check]], *stubs: Stubber) -> Check:
    """The only finding, after every answer was asked for."""
    with ExitStack() as stack:
        for stub in stubs:
            stack.enter_context(stub)
        (check,) = found(probe, given)
    for stub in stubs:
        stub.assert_no_pending_responses()
    return check


def answer_gaps(script: Script) -> None:
    """What moto lacks, as AWS would answer it."""
    script.answers |= {
        "GetServiceQuota": {"Quota": {"Value": 128.0}},
        "DescribeClusterVersions": {
            "clusterVersions": [
                {
                    "clusterVersion": VERSION,
                    "versionStatus": "STANDARD_SUPPORT",
                    "endOfStandardSupportDate": datetime(2027, 12, 1, tzinfo=UTC),
                }
            ]
        },
        "DescribeAddonVersions": addon_versions((PINNED, True)),
        "GetParameter": {"Parameter": {"Value": f"{VERSION}.2-20261110"}},
        "DescribeOrderableDBInstanceOptions": {"OrderableDBInstanceOptions": [db_option()]},
    }


def addon_versions(*versions: tuple[str, bool]) -> dict[str, Any]:
    return {
        "addons": [
            {
                "addonVersions": [
                    {
                        "addonVersion": version,
                        "compatibilities": [{"clusterVersion": VERSION, "defaultVersion": default}],
                    }
                    for version, default in versions
                ]
            }
        ]
    }


def db_option(**changes: Any) -> dict[str, Any]:
    zones = ("us-east-1a", "us-east-1b", "us-east-1d")
    return {
        "EngineVersion": "17.4",
        "StorageType": "gp3",
        "MultiAZCapable": True,
        "AvailabilityZones": [{"Name": name} for name in zones],
    } | changes
