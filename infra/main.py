"""The program of `pulumi up --stack staging` and `--stack prod`."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

from aspora.errors import AsporaError, EnvironmentFailure, InvalidInput
from aspora.load import load_or_raise
from aspora.problem_formats import format_text
from aspora.render import render
from infra.definitions import Definitions, find, require_verified
from infra.program import Platform, declare
from infra.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent


async def program() -> None:
    """Read, check, render, declare; problems become one message without a traceback."""
    try:
        settings = read_settings(pulumi.get_stack())
        domains = load_or_raise([ROOT / "domains"], settings)
        definitions = _definitions(settings.environment)
    except InvalidInput as error:
        raise pulumi.RunError(f"{error.message}\n{format_text(error.problems)}") from None
    except AsporaError as error:
        raise pulumi.RunError(f"{error.message}\n{error.hint}") from None
    await declare(Platform(settings, render(domains, settings), definitions.documents))


def _definitions(environment: str) -> Definitions:
    """The projects' own CustomResourceDefinitions; a real cluster takes no open schemas."""
    require_verified(environment)
    cache = Path(os.environ.get("ASPORA_CACHE") or Path.home() / ".cache" / "aspora")
    found = find(os.environ, cache, pulumi.log.warn)
    if not found.strict:
        raise EnvironmentFailure(
            "no CustomResourceDefinitions to be had for " + ", ".join(found.open_kinds),
            hint="run it where the Internet is reached, or name a folder of them: ASPORA_CRDS",
        )
    return found
