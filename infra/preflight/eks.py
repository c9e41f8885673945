"""What EKS offers: the Kubernetes version and how long, versions of add-ons, the nodes' AMI."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from pydantic.alias_generators import to_camel

from infra.aws_session import AwsError
from infra.preflight.check import Check, Look, unseen

SOON_DAYS = 90
"""An upgrade is planned a quarter of a year ahead."""
ADDONS = {
    "vpc_cni": "vpc-cni",
    "coredns": "coredns",
    "kube_proxy": "kube-proxy",
    "pod_identity": "eks-pod-identity-agent",
    "ebs_csi": "aws-ebs-csi-driver",
    "metrics_server": "metrics-server",
}
"""EKS's names, by the field of the settings."""
SHOWN = 3
"""Versions that a message lists: the newest ones."""


def version(look: Look) -> Iterator[Check]:
    """The version is offered, and standard support lasts a while."""
    wanted = look.account.settings.cluster.version
    what = f"EKS {wanted}"
    offered = {
        item["clusterVersion"]: item
        for item in look.account.aws.pages("eks", "describe_cluster_versions", "clusterVersions")
    }
    raise_it = f"raise aspora:cluster.version in Pulumi.{look.account.stack}.yaml by one minor"
    if wanted not in offered:
        detail = f"is not offered in {look.account.region}; offered: {', '.join(sorted(offered))}"
        choose = f"choose one of them as aspora:cluster.version in Pulumi.{look.account.stack}.yaml"
        yield Check("fail", what, detail, choose)
        return
    item = offered[wanted]
    end = _day(item.get("endOfStandardSupportDate"))
    if _status(item) != "STANDARD_SUPPORT":
        detail = "is past its standard support, which costs extra by the hour"
        yield Check("warn", what, detail, raise_it)
    elif end is None:
        yield Check("pass", what, "in standard support; AWS names no end yet")
    elif (end - look.today).days < SOON_DAYS:
        detail = f"standard support ends on {end}, in {(end - look.today).days} days"
        yield Check("warn", what, detail, raise_it)
    else:
        yield Check("pass", what, f"in standard support until {end}")


def _status(item: dict[str, Any]) -> str:
    """`status` is the older field, in lower case."""
    return str(item.get("versionStatus") or item.get("status", "")).upper().replace("-", "_")


def _day(value: Any) -> date | None:
    return value.date() if isinstance(value, datetime) else None


def addons(look: Look) -> Iterator[Check]:
    """Each pinned version is offered for the cluster's; what to pin where nothing is."""
    pinned = look.account.config.control_plane.addons.model_dump()
    for field, name in ADDONS.items():
        try:
            versions = _versions(look, name)
        except AwsError as error:
            yield unseen(f"add-on {name}", error)
            continue
        yield _addon(look, name, field, pinned[field], versions)


def _addon(
    look: Look, name: str, field: str, pinned: str | None, versions: dict[str, bool]
) -> Check:
    what = f"add-on {name}"
    default = next((version for version, is_default in versions.items() if is_default), None)
    place = look.setting(f"controlPlane.addons.{to_camel(field)}")
    pin = f"write {place}: {default}" if default else f"choose one in {place}"
    if not versions:
        cluster = look.account.settings.cluster.version
        return Check("fail", what, f"no version is offered for Kubernetes {cluster}")
    if pinned is None:
        return Check("warn", what, f"is not pinned; AWS's default is {default or 'none'}", pin)
    if pinned not in versions:
        newest = ", ".join(list(versions)[:SHOWN])
        return Check("fail", what, f"{pinned} is not offered; newest: {newest}", pin)
    return Check("pass", what, pinned)


def _versions(look: Look, name: str) -> dict[str, bool]:
    """Versions for the cluster's Kubernetes, newest first, each with whether it is the default."""
    cluster = look.account.settings.cluster.version
    found: dict[str, bool] = {}
    for addon in look.account.aws.pages(
        "eks", "describe_addon_versions", "addons", addonName=name, kubernetesVersion=cluster
    ):
        for version in addon.get("addonVersions", []):
            for item in version.get("compatibilities", []):
                if item.get("clusterVersion") == cluster:
                    found[version["addonVersion"]] = bool(item.get("defaultVersion"))
    return found


def ami(look: Look) -> Iterator[Check]:
    """The pinned release of the AL2023 AMI exists; what to pin where none is.

    Paths: docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id.html; Karpenter resolves a
    pinned release by the second one.
    """
    cluster = look.account.settings.cluster.version
    base = f"/aws/service/eks/optimized-ami/{cluster}/amazon-linux-2023/x86_64/standard"
    recommended = _parameter(look, f"{base}/recommended/release_version")
    latest = f"v{recommended.rpartition('-')[2]}" if recommended else None
    pinned = look.account.config.nodes.ami_release
    place = look.setting("nodes.amiRelease")
    pin = f"write {place}: {latest}" if latest else ""
    if latest is None:
        detail = f"none for Kubernetes {cluster} in {look.account.region}"
        yield Check("fail", "AL2023 AMI", detail, "choose a version of Kubernetes that has one")
    elif pinned is None:
        yield Check("warn", "AL2023 AMI", f"is not pinned; the recommended one is {latest}", pin)
    elif not _parameter(look, f"{base}/{_image(cluster, pinned)}/image_id"):
        detail = f"there is no release {pinned} for Kubernetes {cluster}"
        yield Check("fail", "AL2023 AMI", detail, pin)
    else:
        yield Check("pass", "AL2023 AMI", f"{pinned}; the recommended one is {latest}")


def _image(cluster: str, release: str) -> str:
    return f"amazon-eks-node-al2023-x86_64-standard-{cluster}-v{release.removeprefix('v')}"


def _parameter(look: Look, name: str) -> str | None:
    try:
        answer = look.account.aws.call("ssm", "get_parameter", Name=name)
    except AwsError as error:
        if error.code == "ParameterNotFound":
            return None
        raise
    return str(answer["Parameter"]["Value"])
