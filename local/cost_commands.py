"""`aspora cost`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aspora.cli.common import Named, counted, find_root
from aspora.errors import UsageError

if TYPE_CHECKING:
    from aspora.costs.attribution import SkillIds
    from aspora.costs.records import Allocation, SpendRecord

FORMATS = ("text", "json", "csv", "markdown")
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    epilog="""\b
Examples:
  aspora cost
  aspora cost --stack staging --format json
  aspora cost --actual --spend spend.jsonl --allocation opencost.json
  aspora cost --actual --spend spend.jsonl --format csv > costs.csv
  aspora cost --actual --gateway https://127.0.0.1:8443 --ca ca.crt --from 2026-11-01 \\
      --to 2026-11-07
  aspora cost --actual --prometheus http://localhost:9090 --opencost http://localhost:9003 \\
      --from 2026-11-01 --to 2026-11-07
"""
)
@click.option(
    "--stack", type=Named(), metavar="NAME", help="The stack to estimate; prod when left out."
)
@click.option("--without-platform", is_flag=True, help="Only what skills cause themselves.")
@click.option("--actual", is_flag=True, help="What was spent, from the gateway and OpenCost.")
@click.option(
    "--spend", type=FILE, help="The gateway's spend by key: JSON records, or LiteLLM's answer."
)
@click.option("--gateway", metavar="URL", help="Ask the model gateway instead of a spend file.")
@click.option("--ca", type=FILE, metavar="FILE", help="The CA of the gateway's certificate.")
@click.option("--allocation", type=FILE, help="OpenCost's allocations by day: its JSON answer.")
@click.option("--prometheus", metavar="URL", help="Ask Prometheus instead of a spend file.")
@click.option("--opencost", metavar="URL", help="Ask OpenCost instead of an allocation file.")
@click.option(
    "--from", "first", metavar="DATE", help="The first day (UTC), for example 2026-11-01."
)
@click.option("--to", "last", metavar="DATE", help="The last day, included.")
@click.option(
    "--idle",
    type=click.Choice(["share", "separate"]),
    default="share",
    show_default=True,
    help="Idle nodes: shared in proportion to use, or by themselves.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How the table is printed.",
)
def cost(  # noqa: PLR0913 - one argument an option
    *,
    stack: str | None,
    without_platform: bool,
    actual: bool,
    spend: Path | None,
    gateway: str | None,
    ca: Path | None,
    allocation: Path | None,
    prometheus: str | None,
    opencost: str | None,
    first: str | None,
    last: str | None,
    idle: str,
    style: str,
) -> int:
    """Say what a stack costs a month, by domain and skill; with --actual, what was spent.

    What has no price is shown as unknown or unpriced and is in no sum. The gateway is asked with
    the key of LITELLM_MASTER_KEY, by https or on this machine.
    """
    from aspora.costs import attribution, formats

    if not actual:
        return _estimate(stack, style, platform=not without_platform)
    if stack is not None or without_platform or style == "markdown":
        raise UsageError(
            "--stack, --without-platform and markdown belong to the estimate",
            hint="leave --actual out for it",
        )
    days = (_day(first, "--from"), _day(last, "--to"))
    if days[0] and days[1] and days[0] > days[1]:
        raise UsageError(f"--from {first} lies after --to {last}")
    sources = {"--spend": spend, "--gateway": gateway, "--prometheus": prometheus}
    _one_source(sources)
    _one_source({"--allocation": allocation, "--opencost": opencost})
    if not (spend or gateway or allocation or prometheus or opencost):
        raise UsageError(
            "there is nothing to read",
            hint="name --spend FILE, --gateway URL or --prometheus URL,\n"
            "and --allocation FILE or --opencost URL",
        )
    ids = _skill_ids()
    records = _asked(gateway, ca, days, ids) if gateway else _spend(spend, prometheus, days, ids)
    allocated = _allocations(allocation, opencost, days)
    mode: attribution.Idle = "separate" if idle == "separate" else "share"
    rows = attribution.between(attribution.attribute(records, allocated, ids, mode), *days)
    click.echo(formats.render(rows, style), nl=False)
    _remarks(records, allocated, rows)
    return 0


OF_ACTUAL = (
    *("spend", "gateway", "ca", "allocation", "prometheus", "opencost", "first", "last"),
    "idle",
)
"""Parameters that mean something with --actual alone."""


def _estimate(stack: str | None, style: str, *, platform: bool) -> int:
    """Without --actual. Raises UsageError for options that are only for it."""
    from click.core import ParameterSource

    from local.estimate_commands import STACK, show_estimate

    context = click.get_current_context()
    given = [
        name
        for name in OF_ACTUAL
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    ]
    if given or style == "csv":
        named = {"first": "--from", "last": "--to"}
        listed = [named.get(name, f"--{name}") for name in given] or ["csv"]
        raise UsageError(f"{', '.join(listed)}: only with --actual, which shows what was spent")
    return show_estimate(stack or STACK, style, platform=platform)


def _remarks(
    records: tuple[SpendRecord, ...], allocated: tuple[Allocation, ...], rows: tuple[object, ...]
) -> None:
    """On stderr: what the table stands on, so that a missing half is not taken for a cheap one."""
    read = f"{counted(len(records), 'spend record')}, {counted(len(allocated), 'allocation')} read"
    click.echo(f"{read}; {counted(len(rows), 'row')}", err=True)
    if not records:
        click.echo("no spend of models was read: only compute is shown", err=True)
    if not allocated:
        click.echo("no allocation was read: compute is not shown", err=True)


def _one_source(given: Mapping[str, Path | str | None]) -> None:
    named = [option for option, value in given.items() if value]
    if len(named) > 1:
        raise UsageError(f"{named[0]} and {named[1]} are two sources of the same")


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f'{option}: "{text}" is no date', hint="for example 2026-11-01") from None


def _both(days: tuple[date | None, date | None], option: str) -> tuple[date, date]:
    first, last = days
    if first is None or last is None:
        raise UsageError(f"{option} needs --from and --to", hint="for example --from 2026-11-01")
    if (last - first).days > 92:
        raise UsageError("more than 93 days at once", hint="ask in parts")
    return first, last


def _skill_ids() -> SkillIds:
    """From the repository's domains where there is one; else every ID has three parts."""
    from aspora.costs.attribution import skill_ids
    from aspora.load import load, load_stack

    try:
        root = find_root()
    except UsageError:
        return {}
    return skill_ids(load([root / "domains"], load_stack("local", root)).domains)


def _spend(
    file: Path | None, url: str | None, days: tuple[date | None, date | None], ids: SkillIds
) -> tuple[SpendRecord, ...]:
    from aspora.costs import litellm
    from aspora.costs.records import spend_records

    if file:
        text = _text(file)
        if litellm.is_answer(text):
            return litellm.spend_of_text(text, str(file), ids)
        return spend_records(text, str(file))
    if url:
        from local.cost_sources import spend_of

        return spend_of(url, *_both(days, "--prometheus"), ids)
    return ()


def _asked(
    url: str, ca: Path | None, days: tuple[date | None, date | None], ids: SkillIds
) -> tuple[SpendRecord, ...]:
    from local.cost_sources import spend_of_gateway
    from local.gateway_client import MASTER_KEY, service

    first, last = _both(days, "--gateway")
    key = os.environ.get(MASTER_KEY, "")
    if not key:
        raise UsageError(f"{MASTER_KEY} is not set", hint="it holds the gateway's master key")
    return spend_of_gateway(service(url, key, ca), first, last, ids)


def _allocations(
    file: Path | None, url: str | None, days: tuple[date | None, date | None]
) -> tuple[Allocation, ...]:
    from aspora.costs.records import allocations

    if file:
        return allocations(_text(file), str(file))
    if url:
        from local.cost_sources import allocations_of

        return allocations_of(url, *_both(days, "--opencost"))
    return ()


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
