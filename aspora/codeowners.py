"""`.github/CODEOWNERS`: who reviews what, from the domains' owners.

GitHub reads it by paths alone: it cannot tell a raised quota from a changed description. What the
platform team has to agree to stands in a file of the platform team's, aspora/approvals.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from aspora.errors import UsageError
from aspora.models import Domain
from aspora.problems import quoted

FILE = ".github/CODEOWNERS"
PLATFORM_TEAM = "platform-team"
_ORGANISATION = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,38}", re.ASCII)
"""GitHub's rule for the names of users and organisations."""

_HEAD = """\
# From the domains' `owner.team`, by `aspora codeowners --write`; a hook and a test keep it so.
# The last line that matches a path decides.
"""


def organisation(repo_url: str) -> str:
    """The owner of the repository at `repo_url`. Raises UsageError when it names none."""
    parts = urlsplit(repo_url).path.strip("/").split("/")
    if len(parts) != 2 or not _ORGANISATION.fullmatch(parts[0]):
        raise UsageError(
            f"aspora:gitops.repoURL {quoted(repo_url)} names no organisation of GitHub",
            hint="for example https://github.com/octo-org/platform",
        )
    return parts[0]


def text(owner: str, domains: Sequence[Domain]) -> str:
    """The file. Names and teams are letters, digits and hyphens (aspora/fields.py): nothing in
    them can be a pattern, a comment or a second owner."""
    ordered = sorted(domains, key=lambda domain: domain.name)
    lines = [f"* @{owner}/{PLATFORM_TEAM}", ""]
    lines += [f"/domains/{domain.name}/ @{owner}/{domain.owner.team}" for domain in ordered]
    return _HEAD + "\n".join(lines) + "\n"
