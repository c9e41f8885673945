"""`aspora report`: a stack as one page, and what the page of a change needs beside its report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aspora.cli.common import OutputFile, domain_paths, find_root, one_shot, stack_option
from aspora.output import write_file

if TYPE_CHECKING:
    from aspora.page import State


@click.command(
    epilog="""\b
Examples:
  aspora report --output report.html                 the stack of this machine
  aspora report --stack prod --output report.html    with its AWS side and what it costs
"""
)
@stack_option
@click.option(
    "--output",
    type=OutputFile(),
    help="Write the page to this file; printed when left out.",
)
def report(stack: str, output: Path | None) -> int:
    """Show a stack as one page: who may call whom, quotas, cost, isolation.

    The page is one file that asks nobody for anything. Nothing is deployed and no account is
    needed. It says what the files say; `aspora status` says what runs.
    """
    one_shot()
    root = find_root()
    state = state_of(stack, root)
    data = _page(state, stack, root).encode()
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_file(output, data)
        click.echo(f"written to {output}", err=True)
    return 0


def state_of(stack: str, root: Path) -> State:
    """The domains and settings of a stack. Pins that prod refuses are of no matter here:
    `aspora validate` looks at them."""
    from aspora.load import load_or_raise, load_stack
    from aspora.page import State

    settings = load_stack(stack, root)
    checked = settings.model_copy(update={"environment": "staging"})
    return State(load_or_raise(domain_paths((), root), checked), settings)


def _page(state: State, stack: str, root: Path) -> str:
    from aspora.isolation.proof import prove
    from aspora.page import state_page
    from local.estimate_commands import Side, estimate_of
    from local.isolation_commands import given

    side = Side(stack, state.settings, state.domains)
    cost = estimate_of(side, root=root) if state.settings.aws else None
    return state_page(state, prove(given(stack, root)), cost)
