"""Programs that read their certificate once are restarted in time, by somebody who may no more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aspora.cron import runs_per_day
from aspora.gateways import pins, restarts
from aspora.render import Object
from aspora.services.flows import EDGES, RESTARTS
from tests.core import MINIMAL, domains, platform, settings
from tests.gateways_lab import kinds


def parts(stack: str = "prod") -> dict[str, Object]:
    return {
        obj["kind"]: obj
        for obj in platform(stack).services
        if obj["metadata"]["name"] == restarts.NAME
    }


def pod() -> Any:
    return parts()["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]


def with_certificates() -> set[str]:
    """Our Deployments that mount the Secret of a certificate."""
    found = platform("prod").services
    secrets = {obj["spec"]["secretName"] for obj in kinds(found, "Certificate")}
    return {
        obj["metadata"]["name"]
        for obj in kinds(found, "Deployment")
        for volume in obj["spec"]["template"]["spec"].get("volumes", ())
        if volume.get("secret", {}).get("secretName") in secrets
    }


def test_whoever_mounts_a_certificate_is_restarted_and_nobody_else() -> None:
    words = pod()["spec"]["containers"][0]["args"]
    named = {word.removeprefix("deployment/") for word in words if word.startswith("deployment/")}
    assert named == with_certificates() == {"model-gateway", "tool-gateway"}


def test_it_may_restart_these_and_do_nothing_else() -> None:
    (rule,) = parts()["Role"]["rules"]
    assert rule == {
        "apiGroups": ["apps"],
        "resources": ["deployments"],
        "resourceNames": ["model-gateway", "tool-gateway"],
        "verbs": ["get", "patch"],
    }
    (subject,) = parts()["RoleBinding"]["subjects"]
    assert subject["name"] == pod()["spec"]["serviceAccountName"]
    sends = [edge for edge in EDGES if RESTARTS in (edge.source, edge.to)]
    assert {edge.to.shown for edge in sends} == {
        "network.nodeCidrs, aws.controlPlane.serviceCidr (the API server)"
    }
    assert RESTARTS.label[1] == pod()["metadata"]["labels"]["app"]


def test_a_renewed_certificate_is_in_use_long_before_the_old_one_ends() -> None:
    """Three chances at least, if a restart fails."""
    between = timedelta(days=1 / float(runs_per_day(restarts.SCHEDULE)))
    for obj in kinds(platform("prod").services, "Certificate"):
        if obj["spec"]["secretName"] in {"model-gateway-tls", "tool-gateway-tls"}:
            left = timedelta(hours=int(obj["spec"]["renewBefore"].removesuffix("h")))
            assert left >= 4 * between


def test_a_roll_out_keeps_each_pod_until_its_successor_is_ready() -> None:
    for obj in kinds(platform("prod").services, "Deployment"):
        if obj["metadata"]["name"] in with_certificates():
            assert obj["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_without_tools_there_is_no_tool_gateway_to_restart(tmp_path: Path) -> None:
    assert restarts.restarted(domains(tmp_path, MINIMAL)) == ("model-gateway",)


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_program_is_of_the_clusters_version(stack: str) -> None:
    version = settings(stack).cluster.version
    assert pins.KUBECTL.tag.startswith(f"v{version}."), "kubectl follows the cluster"
