"""What an account can have only once, and may have already: GuardDuty, GitHub's OIDC provider."""

from __future__ import annotations

from collections.abc import Iterator

from aspora import names
from aspora.iam import GITHUB_HOST
from infra.preflight.check import Check, Look


def guardduty(look: Look) -> Iterator[Check]:
    """A detector of the organisation's leaves no room for ours: one a region."""
    wanted = look.account.config.detection.guardduty
    detectors = list(look.account.aws.pages("guardduty", "list_detectors", "DetectorIds"))
    setting = look.setting("detection.guardduty")
    if not detectors:
        detail = "none yet; `pulumi up` makes it" if wanted else "none, and the stack makes none"
        yield Check("pass", "GuardDuty detector", detail)
    elif not wanted:
        yield Check("pass", "GuardDuty detector", f"{detectors[0]} is not this stack's")
    elif _ours(look, _detector_tags(look, detectors[0])):
        yield Check("pass", "GuardDuty detector", f"{detectors[0]}, made by this stack")
    else:
        detail = f"{detectors[0]} is there already, and a region has only one"
        yield Check("fail", "GuardDuty detector", detail, f"set {setting}: false")


def _detector_tags(look: Look, detector: str) -> dict[str, str]:
    answer = look.account.aws.call("guardduty", "get_detector", DetectorId=detector)
    return dict(answer.get("Tags") or {})


def github_oidc(look: Look) -> Iterator[Check]:
    """GitHub's OIDC provider; an account has one for each URL."""
    what = "GitHub OIDC provider"
    answer = look.account.aws.call("iam", "list_open_id_connect_providers")
    arns = [item["Arn"] for item in answer.get("OpenIDConnectProviderList", [])]
    arn = next((arn for arn in arns if arn.endswith(f"oidc-provider/{GITHUB_HOST}")), None)
    if arn is None:
        yield Check("pass", what, "none yet; `pulumi up` makes it")
        return
    found = look.account.aws.pages(
        "iam", "list_open_id_connect_provider_tags", "Tags", OpenIDConnectProviderArn=arn
    )
    if _ours(look, {tag["Key"]: tag["Value"] for tag in found}):
        yield Check("pass", what, f"{arn}, made by this stack")
        return
    # It is a child of a component, which an import finds by its URN once it is in the state.
    way_out = (
        f"after a first `pulumi up`: pulumi import --stack {look.account.stack}"
        " aws:iam/openIdConnectProvider:OpenIdConnectProvider"
        f" {look.account.settings.cluster.name}-github {arn} --parent github=URN"
        " (`pulumi stack --show-urns` shows it)"
    )
    yield Check("warn", what, f"{arn} is there already, and an account has only one", way_out)


def _ours(look: Look, tags: dict[str, str]) -> bool:
    """Whether this stack made it: the same tags that every one of its resources has."""
    own = names.tags(look.account.stack)
    return own["aspora:environment"] == tags.get("aspora:environment")
