"""`aspora gateway`: the model gateway's teams and keys, as the domain files want them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from aspora.cli.common import counted, stack_option
from aspora.errors import EnvironmentFailure, UsageError
from aspora.gateways.model.reconcile import Step, steps
from local.gateway_client import MASTER_KEY, GatewayClient, service
from local.gateway_files import values_of, wanted_of


@click.group(
    epilog="""\b
Examples:
  aspora gateway sync --stack staging --keys DIR --dry-run
"""
)
def gateway() -> None:
    """The model gateway."""


@gateway.command(
    epilog="""\b
Examples:
  aspora gateway sync --stack staging --keys DIR --dry-run    what differs
  aspora gateway sync --desired desired.json --keys DIR       bring it about
"""
)
@stack_option
@click.option("--url", metavar="URL", default="https://127.0.0.1:8443", show_default=True)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The CA of the gateway's certificate.",
)
@click.option(
    "--desired",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Teams and keys as rendered; read from the domain files when left out.",
)
@click.option(
    "--keys",
    "folder",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="A file for each key, with its value, named as the key.",
)
@click.option("--dry-run", is_flag=True, help="Say what differs; change nothing.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
def sync(
    stack: str,
    url: str,
    ca: Path | None,
    desired: Path | None,
    folder: Path,
    dry_run: bool,  # noqa: FBT001 - click's way
    style: str,
) -> int:
    """Make the model gateway's teams and keys those of the domain files.

    The master key comes from LITELLM_MASTER_KEY; it is sent by https alone, or to this machine.
    Each line says what has been done (with --dry-run: what differs). Exit code 1 means that
    something differs (with --dry-run), that somebody made a team or a key by hand, or that a
    change failed: then stderr lists what was not done.
    """
    master_key = os.environ.get(MASTER_KEY, "")
    if not master_key:
        raise UsageError(f"{MASTER_KEY} is not set", hint="it holds the gateway's master key")
    client = GatewayClient(service(url, master_key, ca))
    wanted = wanted_of(stack, desired)
    values = values_of(folder, wanted["keys"])
    found = steps(wanted, client.state(), values)
    if dry_run:
        _show(found, style)
        _sum(found, "differ")
        return 1 if found else 0
    _apply(client, found, style)
    _sum(found, "changed")
    return 1 if any(step.verb == "report" for step in found) else 0


def _apply(client: GatewayClient, found: Sequence[Step], style: str) -> None:
    """One step after the other, each shown once it is done."""
    for done, step in enumerate(found):
        sent = 0
        try:
            for path, body in step.calls:
                client.post(path, body)
                sent += 1
        except EnvironmentFailure as failure:
            raise _stopped(failure, found, done, sent) from None
        _show([step], style)


def _stopped(
    failure: EnvironmentFailure, found: Sequence[Step], done: int, sent: int
) -> EnvironmentFailure:
    """What failed, then what is as it was: a run that is cut short must leave no doubt."""
    at = found[done]
    rest = [f"not done: {step.shown}" for step in found[done + 1 :] if step.calls]
    part = f"half done, {sent} of {len(at.calls)} calls" if sent else "failed"
    total = sum(1 for step in found if step.calls)
    made = sum(1 for step in found[:done] if step.calls)
    lines = (
        failure.message,
        f"{part}: {at.shown}",
        *rest,
        f"{made} of {counted(total, 'change')} made; the next run goes on from here",
    )
    return EnvironmentFailure("\n".join(lines), hint=failure.hint)


def _show(found: Iterable[Step], style: str) -> None:
    for step in found:
        line = {"verb": step.verb, "kind": step.kind, "name": step.name}
        text = json.dumps({**line, "differs": list(step.differs)})
        click.echo(text if style == "json" else step.shown)


def _sum(found: Sequence[Step], verb: str) -> None:
    changes = sum(1 for step in found if step.calls)
    by_hand = len(found) - changes
    said = [f"{counted(changes, 'thing')} {verb}"] if changes else []
    said += [f"{counted(by_hand, 'thing')} made by hand: for a person"] if by_hand else []
    click.echo("; ".join(said) or "nothing differs", err=True)
