"""The rule for Kubernetes versions: one minor at a time, as EKS takes them, and never back.

EKS can roll a control plane back for some days after an upgrade; that is a person's decision
(docs/runbooks/kubernetes-upgrade.md) and no change of a file.
"""

from __future__ import annotations

from aspora.errors import AsporaError


class UpgradeRefused(AsporaError):
    """The cluster cannot go from its version to the one that the settings name."""


def check_upgrade(stack: str, before: str | None, after: str) -> None:
    """Raises UpgradeRefused unless `after` is `before` or the next minor version.

    `before` is what the stack's last run left behind, None before the first.
    """
    if before is None:
        return
    old, new = _minor(before), _minor(after)
    if new in (old, old + 1):
        return
    step = "goes back" if new < old else f"skips {new - old - 1} of them"
    target = f"1.{old}" if new < old else f"1.{old + 1}"
    raise UpgradeRefused(
        f"{stack} runs Kubernetes {before}; cluster.version {after} {step}",
        hint=f'EKS takes one minor version at a time: set "{target}" in Pulumi.{stack}.yaml'
        " (docs/runbooks/kubernetes-upgrade.md)",
    )


def _minor(version: str) -> int:
    return int(version.partition(".")[2])
