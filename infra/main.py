"""The program of `pulumi up --stack staging` and `--stack prod`."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

from aspora.cli.common import counted, one_shot
from aspora.errors import AsporaError, EnvironmentFailure
from aspora.load import load
from aspora.problem_formats import format_text
from aspora.render import render
from infra.definitions import Definitions, find, require_verified
from infra.program import Platform, declare, stack_releases
from infra.settings import read_settings, unverified_lines

ROOT = Path(__file__).resolve().parent.parent


async def program() -> None:
    """Read, check, render, declare; problems become one message without a traceback."""
    one_shot()
    stack = pulumi.get_stack()
    try:
        settings = read_settings(stack)
        loaded = load([ROOT / "domains"], settings)
        pins = unverified_lines(stack, settings)
        if loaded.problems or pins:
            count = len(loaded.problems) + len(pins)
            lines = "\n".join([*pins, format_text(loaded.problems)])
            raise pulumi.RunError(f"{counted(count, 'problem')} found\n{lines}")
        documents = _definitions(settings.environment).documents
        rendered = render(loaded.domains, settings)
        installed = stack_releases(settings, loaded.domains)
        await declare(Platform(settings, rendered, documents, installed))
    except AsporaError as error:
        raise pulumi.RunError(f"{error.message}\n{error.hint}") from None


def _definitions(environment: str) -> Definitions:
    """The projects' own CustomResourceDefinitions; a real cluster takes no open schemas."""
    require_verified(environment)
    cache = Path(os.environ.get("ASPORA_CACHE") or Path.home() / ".cache" / "aspora")
    found = find(os.environ, cache, pulumi.log.warn, operators=True)
    if not found.strict or found.missing:
        raise EnvironmentFailure(
            "no CustomResourceDefinitions to be had for "
            + ", ".join((*found.open_kinds, *found.missing)),
            hint="run it where the Internet is reached, or name a folder of them: ASPORA_CRDS",
        )
    return found
