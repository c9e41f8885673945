"""Run the program of staging without an engine: what `pulumi up` waits for on our side."""

from __future__ import annotations

from aspora.cli.common import one_shot
from aspora.load import load_or_raise, load_stack
from aspora.render import render
from benchmarks.generate import ROOT
from infra.program import PROJECT, Platform, declare
from infra.recording import record


def main() -> None:
    """One resource a line."""
    one_shot()
    settings = load_stack("staging", ROOT)
    rendered = render(load_or_raise([ROOT / "domains"], settings), settings)
    platform = Platform(settings, rendered, ())
    for resource in record(lambda: declare(platform), stack="staging", project=PROJECT):
        print(resource.urn)


if __name__ == "__main__":
    main()
