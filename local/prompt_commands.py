"""`aspora prompts`: Langfuse's prompt versions, as the skills' files have them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from aspora.cli.common import counted, domain_paths, find_root, stack_option
from aspora.errors import EnvironmentFailure, UsageError
from aspora.load import load_stack, loaded_or_raise
from aspora.prompts.plan import plan
from aspora.prompts.reconcile import Step, steps
from local.prompts_client import PUBLIC_KEY, SECRET_KEY, PromptsClient, service


@click.group(
    epilog="""\b
Examples:
  aspora prompts sync --stack staging --dry-run
"""
)
def prompts() -> None:
    """The prompts of skills."""


@prompts.command(
    epilog="""\b
Examples:
  aspora prompts sync --stack staging --dry-run    what differs
  aspora prompts sync --stack staging              bring it about
"""
)
@stack_option
@click.option(
    "--url",
    metavar="URL",
    default="http://127.0.0.1:3000",
    show_default=True,
    help="Langfuse; by https, or a port of this machine forwarded to it.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The CA of Langfuse's certificate.",
)
@click.option("--dry-run", is_flag=True, help="Say what differs; change nothing.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
def sync(
    stack: str,
    url: str,
    ca: Path | None,
    dry_run: bool,  # noqa: FBT001 - click's way
    style: str,
) -> int:
    """Make a version in Langfuse of each prompt whose file has changed, with the stack's labels.

    The keys of Langfuse's project come from LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY. Each line
    says what has been done (with --dry-run: what differs); `report` is for a person, and nothing
    is deleted. Exit code 1 means that something differs (with --dry-run), that a change failed, or
    that only a person can mend it.
    """
    client = PromptsClient(service(url, _key(PUBLIC_KEY), _key(SECRET_KEY), ca))
    root = find_root()
    settings = load_stack(stack, root)
    loaded = loaded_or_raise(domain_paths((), root), settings)
    wanted = plan(loaded.prompts, settings)
    there = client.state({each.name for each in wanted}, {domain.name for domain in loaded.domains})
    found = steps(wanted, there)
    changes = [step for step in found if step.call is not None]
    reports = [step for step in found if step.call is None]
    if dry_run:
        _show(changes, style)
    else:
        _apply(client, changes, style)
    _show(reports, style)
    _sum(len(wanted), changes, reports, "differ" if dry_run else "changed")
    return 1 if (dry_run and changes) or any(step.stuck for step in reports) else 0


def _key(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise UsageError(f"{name} is not set", hint="it is a key of the stack's Langfuse project")
    return value


def _apply(client: PromptsClient, changes: Sequence[Step], style: str) -> None:
    """One step after the other, each shown once it is done."""
    for done, step in enumerate(changes):
        if step.call is None:
            continue
        try:
            client.send(*step.call)
        except EnvironmentFailure as failure:
            raise _stopped(failure, changes, done) from None
        _show([step], style)


def _stopped(failure: EnvironmentFailure, changes: Sequence[Step], done: int) -> EnvironmentFailure:
    """What failed, then what is as it was: a run that is cut short must leave no doubt."""
    lines = (
        failure.message,
        f"failed: {changes[done].shown}",
        *(f"not done: {step.shown}" for step in changes[done + 1 :]),
        f"{done} of {counted(len(changes), 'change')} made; the next run goes on from here",
    )
    return EnvironmentFailure("\n".join(lines), hint=failure.hint)


def _show(found: Iterable[Step], style: str) -> None:
    for step in found:
        line = {"verb": step.verb, "name": step.name, "what": step.what}
        click.echo(json.dumps(line) if style == "json" else step.shown)


def _sum(count: int, changes: Sequence[Step], reports: Sequence[Step], verb: str) -> None:
    said = [counted(count, "prompt")]
    said.append(f"{len(changes)} {verb}" if changes else "nothing differs")
    said += [f"{len(reports)} to look at"] if reports else []
    click.echo("; ".join(said), err=True)
