"""`aspora gateway`: the model gateway's teams and keys, as the domain files want them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from aspora.cli.common import counted, domain_paths, find_root, stack_option
from aspora.errors import UsageError
from aspora.gateways.model import litellm
from aspora.gateways.model.plan import plan
from aspora.gateways.model.reconcile import Step, steps
from aspora.load import load_or_raise, load_stack
from local.gateway_client import GatewayClient

MASTER_KEY = "LITELLM_MASTER_KEY"


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

    The master key comes from LITELLM_MASTER_KEY. Exit code 1 means that something differs (with
    --dry-run) or that somebody made a team or a key by hand.
    """
    master_key = os.environ.get(MASTER_KEY, "")
    if not master_key:
        raise UsageError(f"{MASTER_KEY} is not set", hint="it holds the gateway's master key")
    wanted = _wanted(stack, desired)
    client = GatewayClient(url, master_key, ca)
    found = steps(wanted, client.state(), _values(folder, wanted["keys"]))
    _show(found, style, dry_run=dry_run)
    if not dry_run:
        for step in found:
            for path, body in step.calls:
                client.post(path, body)
    return 1 if any(dry_run or step.verb == "report" for step in found) else 0


def _wanted(stack: str, desired: Path | None) -> Mapping[str, list[dict[str, Any]]]:
    if desired is not None:
        try:
            read: dict[str, list[dict[str, Any]]] = json.loads(desired.read_text("utf-8"))
            return {"teams": read["teams"], "keys": read["keys"]}
        except (ValueError, KeyError, TypeError):
            raise UsageError(
                f"{desired} holds no teams and keys",
                hint="it is the file desired.json of the ConfigMap model-gateway-sync",
            ) from None
    root = find_root()
    settings = load_stack(stack, root)
    domains = load_or_raise(domain_paths((), root), settings)
    return litellm.desired(plan(domains, settings))


def _values(folder: Path, keys: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The keys' values; one that is missing stops everything before anything is changed."""
    names = [str(key["key_alias"]) for key in keys]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"{folder} has no value for {counted(len(missing), 'key')}: {', '.join(missing[:5])}",
            hint="`aspora bootstrap` makes them; External Secrets brings them here",
        )
    values = {name: (folder / name).read_text("utf-8").strip() for name in names}
    for name, value in values.items():
        if not value.startswith("sk-") or len(value) < 16:
            raise UsageError(
                f"the value of key {name} is not one LiteLLM takes",
                hint='it begins with "sk-" and has 16 characters or more',
            )
    return values


def _show(found: Sequence[Step], style: str, *, dry_run: bool) -> None:
    if style == "json":
        for step in found:
            line = {"verb": step.verb, "kind": step.kind, "name": step.name}
            click.echo(json.dumps({**line, "differs": list(step.differs)}))
        return
    for step in found:
        click.echo(step.shown)
    verb = "differ" if dry_run else "changed"
    click.echo(f"{counted(len(found), 'thing')} {verb}" if found else "nothing differs", err=True)
