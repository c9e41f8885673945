"""What a workflow has to know of a stack, as `name=value` lines for `$GITHUB_OUTPUT`.

    python -m infra.ci stacks                which stacks there are to deploy
    python -m infra.ci stack staging deploy  its role for CI, its region, its state

Everything comes from Pulumi.<stack>.yaml: nothing is set twice, and GitHub holds no secret.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from aspora import names
from aspora.cli import show
from aspora.cli.common import find_root
from aspora.errors import AsporaError, UsageError
from aspora.load import load_stack

STACKS = ("staging", "prod")
ROLES = ("preview", "deploy")


def stacks(root: Path) -> Iterator[str]:
    """The stacks whose AWS account is known, as a JSON list: the others cannot be deployed yet."""
    ready = [stack for stack in STACKS if (aws := load_stack(stack, root).aws) and aws.account_id]
    yield f"stacks={json.dumps(ready)}"


def stack(name: str, role: str, root: Path) -> Iterator[str]:
    """Role, region, state, and where the rendered tree goes, of one stack.

    Raises UsageError while its account is not known.
    """
    settings = load_stack(name, root)
    if role not in ROLES:
        raise UsageError(f"there is no role {role} for CI", hint=f"there are {', '.join(ROLES)}")
    if settings.aws is None or settings.aws.account_id is None:
        raise UsageError(
            f"Pulumi.{name}.yaml names no AWS account",
            hint="docs/bootstrap.md says how it gets one",
        )
    path = f"{names.role_path('ci')}{settings.cluster.name}-{role}"
    yield f"role=arn:aws:iam::{settings.aws.account_id}:role{path}"
    yield f"region={settings.region}"
    yield f"branch={settings.gitops.branch}"
    yield f"folder={settings.gitops.path}"
    yield f"state=s3://{settings.aws.bucket_prefix}-pulumi-state?region={settings.region}"


def main(arguments: Sequence[str]) -> int:
    """Exit code; the lines go to stdout when all of them are there."""
    try:
        match arguments:
            case ["stacks"]:
                lines = list(stacks(find_root()))
            case ["stack", name, role]:
                lines = list(stack(name, role, find_root()))
            case _:
                raise UsageError("usage: python -m infra.ci stacks | stack NAME ROLE")
    except AsporaError as error:
        show(error)
        return error.exit_code
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
