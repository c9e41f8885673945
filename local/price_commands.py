"""`aspora prices`: the price snapshot in the repository, refreshed and sealed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from aspora import snapshot
from aspora.cli.common import find_root
from aspora.errors import EnvironmentFailure, UsageError


@click.group(
    epilog="""\b
Examples:
  aspora prices refresh                    look all prices up
  aspora prices refresh --from spot.json   from a file
  aspora prices seal                       after an edit by hand
"""
)
def prices() -> None:
    """The prices that estimates, bills and budgets rest on (aspora/data)."""


@prices.command(
    epilog="""\b
Examples:
  aspora prices refresh
  aspora prices refresh --from https://openrouter.ai/api/v1/models
  aws ec2 describe-spot-price-history --product-descriptions Linux/UNIX \\
      --instance-types m6a.xlarge m6a.2xlarge --start-time "$(date -u +%FT%TZ)" > spot.json
  aspora prices refresh --from spot.json
"""
)
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="FILE|URL",
    help="A price list: OpenRouter's models, an AWS offer (JSON or CSV), a spot price history."
    " OpenRouter and AWS on the Internet when left out.",
)
def refresh(sources: tuple[str, ...]) -> int:
    """Look prices up and write what moved into the snapshot, for a review of the difference.

    Nothing is written unless every list could be read. What no list names stays as it was.
    """
    from aspora.gateways.model.plan import routes
    from aspora.price_lists import refresh as lists
    from local.price_sources import default_sources, listing

    folder = _folder()
    aws, models = (_read(folder, name) for name in snapshot.SEALED)
    today = datetime.now(UTC).date()
    region, units = str(aws["region"]), lists.units(aws)
    found = []
    for source in sources or default_sources(region):
        click.echo(f"reading {source}", err=True)
        found.append(listing(source, region, units, routes(), today))
    outcome = lists.refreshed(aws, models, found, today)
    _write(folder, {snapshot.AWS_FILE: outcome.aws, snapshot.MODEL_FILE: outcome.models})
    click.echo(lists.summary(outcome), nl=False)
    return 0


@prices.command()
def seal() -> int:
    """Write the hash of the figures as they stand, after an edit by hand that somebody reviews."""
    folder = _folder()
    before = {name: _read(folder, name, sealed=False) for name in snapshot.SEALED}
    for name, raw in before.items():
        known = raw.get(snapshot.SEAL) == snapshot.seal(raw)
        click.echo(f"{name}: {'holds' if known else 'sealed anew'}")
    _write(folder, before)
    return 0


def _folder() -> Path:
    folder = find_root() / "aspora" / "data"
    if not folder.is_dir():
        raise UsageError(
            f"{folder} does not exist: the snapshot is a part of the repository",
            hint="run it in a clone of the platform's repository",
        )
    return folder


def _read(folder: Path, name: str, *, sealed: bool = True) -> dict[str, Any]:
    try:
        text = (folder / name).read_text("utf-8")
    except OSError as error:
        raise EnvironmentFailure(f"{folder / name} cannot be read: {error.strerror}") from None
    reader = snapshot.opened if sealed else snapshot.parsed
    return snapshot.sound(reader(text, f"aspora/data/{name}"), name)


def _write(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    """Both or neither, as far as a file system lets: everything is written before one is moved."""
    made: list[tuple[Path, Path]] = []
    try:
        for name, raw in files.items():
            text = snapshot.written(raw)
            if (folder / name).read_text("utf-8") != text:
                new = folder / f".{name}.new"
                made.append((new, folder / name))
                new.write_text(text, encoding="utf-8")
        for new, file in made:
            new.replace(file)
    except OSError as error:
        raise EnvironmentFailure(f"{folder} cannot be written: {error.strerror}") from None
    finally:
        for new, _ in made:
            new.unlink(missing_ok=True)
