"""What CI may do: a role that looks, for previews, and a role that deploys one environment."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from aspora import iam, names
from components.aws.site import Site, attach


@dataclass(frozen=True)
class BoundaryArgs:
    """`name` of the policy, and the stack's environment and account."""

    name: str
    environment: str
    account: str


class Boundary(pulumi.ComponentResource):
    """The policy that bounds every role of the stack."""

    def __init__(
        self, name: str, args: BoundaryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Boundary", name, None, opts)
        made = aws.iam.Policy(
            args.name,
            name=args.name,
            path=names.role_path(args.environment),
            description="No role of this stack goes beyond it",
            policy=iam.document(iam.boundary(args.account, args.environment)),
            tags=names.tags(args.environment),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = made.arn
        self.register_outputs({"arn": made.arn})


@dataclass(frozen=True)
class GithubRolesArgs:
    """The stack; its settings name the repository that is trusted."""

    site: Site


class GithubRoles(pulumi.ComponentResource):
    """GitHub's OIDC provider and two roles; no long-lived key exists.

    Runs on main get the one that looks (decision 71: a pull request's code gets none); the other
    needs the workflow's environment, which GitHub lets run only after its approvals.
    """

    def __init__(
        self, name: str, args: GithubRolesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:GithubRoles", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        environment = site.settings.environment
        self._github = aws.iam.OpenIdConnectProvider(
            f"{site.name}-github",
            url=f"https://{iam.GITHUB_HOST}",
            client_id_lists=["sts.amazonaws.com"],
            tags=site.tags(),
            opts=child,
        )
        # AWS's managed policies that look at settings and never at data.
        self.preview = self._role(site, "preview", "ref:refs/heads/main")
        attach(
            self.preview,
            f"{site.name}-preview",
            ("SecurityAudit", "job-function/ViewOnlyAccess"),
            child,
        )
        self.deploy = self._role(site, "deploy", f"environment:{environment}")
        attach(self.deploy, f"{site.name}-deploy", ("PowerUserAccess",), child)
        aws.iam.RolePolicy(
            f"{site.name}-deploy-iam",
            name=f"{site.name}-deploy-iam",
            role=self.deploy.id,
            policy=pulumi.Output.from_input(site.boundary).apply(
                lambda arn: iam.document(iam.deploy(site.account, environment, arn))
            ),
            opts=child,
        )
        self.register_outputs({"deploy": self.deploy.arn, "preview": self.preview.arn})

    def _role(self, site: Site, what: str, subject: str) -> aws.iam.Role:
        """Trusted by one subject. The boundary would keep it from making roles: it has none."""
        name = f"{site.name}-{what}"
        child = pulumi.ResourceOptions(parent=self)
        subjects = [f"repo:{site.aws.github.subject}:{subject}"]
        made = aws.iam.Role(
            name,
            name=name,
            path=names.role_path("ci"),
            assume_role_policy=self._github.arn.apply(
                lambda arn: iam.document(iam.trust_github(arn, subjects))
            ),
            max_session_duration=3600 if what == "preview" else 7200,
            tags=site.tags(),
            opts=child,
        )
        aws.iam.RolePolicy(
            f"{name}-state",
            name=f"{name}-state",
            role=made.id,
            policy=iam.document(
                iam.state_access(
                    site.region,
                    site.account,
                    site.aws.bucket_prefix,
                    write=what == "deploy",
                )
            ),
            opts=child,
        )
        return made
