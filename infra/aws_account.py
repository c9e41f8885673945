"""The account that a stack stands in, and the names of what `aspora bootstrap` makes there."""

from __future__ import annotations

from dataclasses import dataclass

from aspora import names, user_data
from aspora.errors import AsporaError, UsageError
from aspora.stack import StackSettings
from aspora.stack_aws import AwsSettings
from infra.aws_session import Aws

GVISOR_RELEASES = "github.com/google/gvisor/releases"


@dataclass(frozen=True)
class Account:
    """`number` has 12 digits; `arn` is who the credentials belong to."""

    aws: Aws
    settings: StackSettings
    number: str
    arn: str

    @property
    def config(self) -> AwsSettings:
        """The AWS part of the settings."""
        return aws_settings(self.settings)

    @property
    def stack(self) -> str:
        """The stack's name, which is its environment's."""
        return self.settings.environment

    @property
    def region(self) -> str:
        """The AWS region."""
        return self.settings.region

    @property
    def state_bucket(self) -> str:
        """Where Pulumi keeps its state."""
        return names.bucket(self.config.bucket_prefix, "pulumi-state")

    @property
    def tools_bucket(self) -> str:
        """Where nodes fetch runsc from."""
        return names.bucket(self.config.bucket_prefix, "tools")

    @property
    def gvisor_key(self) -> str:
        """Where in the tools bucket the tarball of runsc lies."""
        return user_data.archive_key(self.config.nodes.gvisor_runtime.release)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of everything that is made here."""
        return names.tags(self.stack)

    def alias(self, purpose: str) -> str:
        """The alias of a key: `pulumi` for Pulumi's secrets and state, `secrets` for named ones."""
        return f"alias/{self.config.bucket_prefix}-{purpose}"


def aws_settings(settings: StackSettings) -> AwsSettings:
    """The AWS part of the settings; raises UsageError for a stack that has none."""
    if settings.aws is None:
        raise UsageError(
            f"the {settings.environment} stack has no AWS account",
            hint="name one that has: --stack staging",
        )
    return settings.aws


def who(aws: Aws, settings: StackSettings) -> Account:
    """Whose credentials these are. Raises AwsError when there are none that hold."""
    answer = aws.call("sts", "get_caller_identity")
    return Account(aws, settings, answer["Account"], answer["Arn"])


def refuse_another(account: Account) -> None:
    """Raise AsporaError when the credentials belong to another account than the stack's."""
    expected = account.config.account_id
    if expected not in (None, account.number):
        raise AsporaError(
            f"these credentials belong to account {account.number}, and Pulumi.{account.stack}.yaml"
            f" expects {expected}",
            hint="name another profile (AWS_PROFILE=…), or correct aspora:aws.accountId",
        )
