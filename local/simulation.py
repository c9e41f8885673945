"""staging and prod played on this machine: how they are called, and what is forgiven here.

A simulation touches nothing of a real account. So what prod refuses because nobody has looked it
up yet (decision 16) is a remark here, and every other problem stops it as in life.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aspora.problems import Problem
from aspora.stack import StackSettings
from local.paths import LOCAL

MOTO_ACCOUNT = "123456789012"
FORGIVEN = frozenset(("ASP313", "ASP407"))
"""Images without a digest, and pins of the stack's settings."""


def title(stack: str) -> str:
    """What the platform is called in a message."""
    return "the local platform" if stack == LOCAL else f"the simulated {stack} platform"


def command(verb: str, stack: str) -> str:
    """What to type: `aspora up`, or `aspora up --stack staging --simulate`."""
    return f"aspora {verb}" if stack == LOCAL else f"aspora {verb} --stack {stack} --simulate"


def banner(stack: str) -> str:
    """The first line of whatever a simulated run shows."""
    return f"{stack}, simulated: nothing of a real account is touched"


def as_here(settings: StackSettings) -> StackSettings:
    """The settings with moto's account, the only one there is here."""
    if settings.aws is None:
        return settings
    here = settings.aws.model_copy(update={"account_id": MOTO_ACCOUNT})
    return settings.model_copy(update={"aws": here})


def forgiven(problems: Iterable[Problem], stack: str) -> tuple[Problem, ...]:
    """Those that do not stop a simulation; none for `local`."""
    return tuple(p for p in problems if stack != LOCAL and p.code in FORGIVEN)


def remarks(stack: str, environment: str, unverified: int) -> Iterator[str]:
    """What the real stack would have refused, one line each."""
    from aspora.errors import EnvironmentFailure
    from infra.definitions import require_verified

    if stack == LOCAL:
        return
    if unverified:
        pins = "1 pin" if unverified == 1 else f"{unverified} pins"
        yield (
            f"simulated: a real {stack} refuses {pins} that nobody has looked up;"
            f" `aspora validate --stack {stack}` lists them"
        )
    try:
        require_verified(environment)
    except EnvironmentFailure as error:
        yield f"simulated: a real {error.message}"
